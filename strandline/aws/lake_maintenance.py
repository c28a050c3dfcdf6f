"""Keeping the lake: merging what was loaded, forgetting old snapshots, erasing a subject, and what has happened.

Each may run twice, beside readers and loaders: a reader stays with the snapshot that it began with.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlparse

from pyarrow.fs import FileSelector, FileType
from pyiceberg.expressions import EqualTo, In, Reference
from pyiceberg.table.refs import SnapshotRefType

from strandline.aws.lake import Lake, keep_other_rows, replace_files
from strandline.aws.lake_files import DataFileWriter, range_of, read_in_order
from strandline.aws.lake_gold import EVERY_SAMPLE
from strandline.lake.layout import (
    MOST_STREAMS,
    ROWS_PER_FILE,
    FileRange,
    conform,
    merge_sorted,
    rows_per_batch,
    runs_of,
    sort_pieces,
)
from strandline.lake.tables import lake_tables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.table import Table
    from pyiceberg.typedef import Record


@dataclass(frozen=True, slots=True)
class Merging:
    """How a table's files are merged.

    Attributes:
        keys: what orders the rows of one partition.
        by_place: whether files that overlap are merged; else small ones alone, because all rows of one sample come
            together and two files with them are as good as one.
    """

    keys: tuple[str, ...]
    by_place: bool


MERGED: Final = {
    "variants": Merging(("position", "ref", "alt", "sample_id"), by_place=True),
    "sites": Merging(("position", "ref", "alt", "submission_id"), by_place=True),
    "callable_regions": Merging(("start0", "end_position", "sample_id"), by_place=True),
    "sample_variants": Merging(("sample_id", "contig", "position", "ref", "alt"), by_place=False),
    "samples": Merging(("sample_id", "submission_id"), by_place=False),
}
MOST_RUNS: Final = 4
"""Files over one position that are left as they are."""
MOST_SMALL: Final = 32
"""Files of less than half their size that are left as they are: finding files takes time for each."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a compaction did: files before and after, and the rows that were written anew."""

    files_before: int
    files_after: int
    rows_written: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What was given up of one table."""

    table: str
    snapshots: int
    files: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Change:
    """One commit to a table; rows as Iceberg's summary counts them."""

    table: str
    snapshot_id: int
    committed_at: datetime
    operation: str
    added_rows: int
    deleted_rows: int
    total_rows: int
    is_current: bool


def compact(lake: Lake, table_name: str = "variants", *, most_runs: int = MOST_RUNS) -> Merged:
    """Merge the files of a partition where more than `most_runs` lie over one position, or many are small.

    Each partition is a commit of its own. Rows keep their values; only where they lie changes. Twice equals once: a
    table in order is left alone.

    Raises:
        TemporaryError: `lake_contended`.
    """
    before = _count_files(lake.load(table_name))
    written = 0
    for partition in _partitions(lake.load(table_name)):
        while rows := lake.commit(table_name, partial(_merge, partition=partition, most_runs=most_runs)):
            written += rows
    return Merged(before, _count_files(lake.load(table_name)), written)


def expire(lake: Lake, older_than: datetime) -> list[Expired]:
    """Forget snapshots from before a time, and delete files that no snapshot has and that are older than it.

    The current snapshot stays, whatever its age. Readers of an older one fail from then on, and so does a load that
    has been writing since before that time.
    """
    return [_expire_table(lake.load(name), older_than) for name in lake_tables()]


def erase_subject(lake: Lake, subject_id: str) -> dict[str, int]:
    """Take every row of a subject's samples out of every table, and return how many there were in each.

    Frequencies of the cohorts that counted the subject go as a whole, until they are made anew: of a rare allele they
    tell that somebody has it. Snapshots from before still have the rows until they expire; frozen cohorts lose theirs.
    The samples table comes last: by it the rest is found where an earlier run was cut short.

    Raises:
        TemporaryError: `lake_contended`.
    """
    found = lake.load("samples").scan(row_filter=EqualTo(term=Reference("subject_id"), value=subject_id)).to_arrow()
    values = {name: frozenset(found[name].to_pylist()) for name in ("submission_id", "sample_id")}
    erased: dict[str, int] = {}
    if values["sample_id"]:
        counted = partial(_erase, column="cohort", values=_cohorts_with(lake, values["sample_id"]))
        erased["cohort_frequencies"] = lake.commit("cohort_frequencies", counted)
    for name in [*(name for name in lake_tables() if name != "samples"), "samples"]:
        columns = {column.name for column in lake_tables()[name].columns}
        column = next((column for column in values if column in columns), None)
        if column is not None and values[column]:
            erased[name] = lake.commit(name, partial(_erase, column=column, values=values[column]))
    return erased


def history(lake: Lake, table_name: str) -> list[Change]:
    """Return a table's snapshots that are still there, the latest first: what FOR VERSION AS OF can name."""
    table = lake.load(table_name)
    current = table.current_snapshot()
    changes = []
    for snapshot in sorted(table.snapshots(), key=lambda snapshot: snapshot.timestamp_ms, reverse=True):
        summary = dict(snapshot.summary.additional_properties) if snapshot.summary else {}
        changes.append(
            Change(
                table=table_name,
                snapshot_id=snapshot.snapshot_id,
                committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
                operation=snapshot.summary.operation.value if snapshot.summary else "",
                added_rows=int(summary.get("added-records", 0)),
                deleted_rows=int(summary.get("deleted-records", 0)),
                total_rows=int(summary.get("total-records", 0)),
                is_current=current is not None and snapshot.snapshot_id == current.snapshot_id,
            )
        )
    return changes


def _merge(table: "Table", *, partition: "Record", most_runs: int) -> int:
    """Merge one partition's runs into one, or the first of them where they are very many; return the rows written."""
    definition = lake_tables()[table.name()[-1]]
    merging = MERGED[definition.name]
    tasks = [task for task in table.scan().plan_files() if task.file.partition == partition]
    files = [range_of(table, task, merging.keys[0]) for task in tasks]
    small = [file for file in files if file.file.file.record_count < ROWS_PER_FILE // 2]
    runs = runs_of(files)
    if merging.by_place and len(runs) > most_runs:
        chosen = runs[:MOST_STREAMS]
    elif len(small) > MOST_SMALL:
        chosen = runs_of(small)[:MOST_STREAMS]
    else:
        return 0
    writer = DataFileWriter(table, definition)
    size = rows_per_batch(len(chosen)) if merging.by_place else ROWS_PER_FILE
    streams = [_read_run(table, run, merging.keys[0], size) for run in chosen]
    if not merging.by_place:  # files of several samples may be in another order, and are small
        streams = [_sorted(stream, merging.keys, definition.arrow_schema()) for stream in streams]
    for rows in merge_sorted(streams, merging.keys):
        writer.write(rows)
    old = [file.file.file for run in chosen for file in run]
    # what others add meanwhile is no conflict, if only the merged files are still there: no row has such a name
    replace_files(table, old, writer.close(), of=EqualTo(term=Reference("submission_id"), value=""))
    return writer.rows


def _sorted(stream: "Iterator[pa.Table]", keys: Sequence[str], schema: "pa.Schema") -> "Iterator[pa.Table]":
    """Sort a stream; rows of one sample pass unsorted, and leave in the same types as those that were sorted."""
    for rows in sort_pieces(stream, keys, schema):
        yield conform(rows, schema)


def _read_run(table: "Table", run: list[FileRange], key: str, rows: int) -> "Iterator[pa.Table]":
    for file in run:
        yield from read_in_order(table, file.file, key, rows)


def _partitions(table: "Table") -> "list[Record]":
    found: dict[Record, None] = {task.file.partition: None for task in table.scan().plan_files()}
    return list(found)


def _count_files(table: "Table") -> int:
    return sum(1 for _ in table.scan().plan_files())


def _erase(table: "Table", *, column: str, values: frozenset[str]) -> int:
    old, kept = keep_other_rows(table, lake_tables()[table.name()[-1]], column, values)
    if old:
        replace_files(table, old, kept, of=In(term=Reference(column), literals=values))
        _drop_tags(table)
    return sum(file.record_count for file in old) - sum(file.record_count for file in kept)


def _cohorts_with(lake: Lake, sample_ids: frozenset[str]) -> frozenset[str]:
    """Return the cohorts that any of the samples may have been counted in."""
    rows = lake.load("cohorts").scan(selected_fields=("cohort", "sample_id")).to_arrow().to_pylist()
    return frozenset({EVERY_SAMPLE, *(row["cohort"] for row in rows if row["sample_id"] in sample_ids)})


def _drop_tags(table: "Table") -> None:
    """Let go of snapshots that were kept under a name: they hold what was erased."""
    tags = [name for name, kept in table.metadata.refs.items() if kept.snapshot_ref_type == SnapshotRefType.TAG]
    if tags:
        with table.manage_snapshots() as snapshots:
            for name in tags:
                snapshots.remove_tag(name)


def _expire_table(table: "Table", older_than: datetime) -> Expired:
    before = len(table.snapshots())
    if any(
        _is_expired(table, snapshot.snapshot_id, snapshot.timestamp_ms, older_than) for snapshot in table.snapshots()
    ):
        table.maintenance.expire_snapshots().older_than(older_than).commit()
        table.refresh()
    files, freed = 0, 0
    for path, size in _unreferenced(table, older_than):
        table.io.delete(path)
        files, freed = files + 1, freed + size
    return Expired(table.name()[-1], before - len(table.snapshots()), files, freed)


def _is_expired(table: "Table", snapshot_id: int, timestamp_ms: int, older_than: datetime) -> bool:
    is_named = any(reference.snapshot_id == snapshot_id for reference in table.metadata.refs.values())
    return not is_named and timestamp_ms < older_than.timestamp() * 1000


def _unreferenced(table: "Table", older_than: datetime) -> Iterator[tuple[str, int]]:
    """Yield URI and size of files under the table's folder that nothing names and that are old enough."""
    named = _referenced(table)
    place = urlparse(table.location())
    prefix = f"{place.scheme}://"
    io: PyArrowFileIO = table.io  # type: ignore[assignment]  # the one that this lake is opened with
    files = io.fs_by_scheme(place.scheme, place.netloc)
    root = f"{place.netloc}{place.path}" if place.netloc else place.path
    for info in files.get_file_info(FileSelector(root, allow_not_found=True, recursive=True)):
        is_old = info.type == FileType.File and info.mtime is not None and info.mtime < older_than
        if is_old and f"{prefix}{info.path}" not in named:
            yield f"{prefix}{info.path}", info.size


def _referenced(table: "Table") -> set[str]:
    named = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    seen: dict[str, list[str]] = defaultdict(list)
    for snapshot in table.snapshots():
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                seen[manifest.manifest_path] = [entry.data_file.file_path for entry in entries]
    named |= seen.keys() | {path for paths in seen.values() for path in paths}
    return named | {statistics.statistics_path for statistics in table.metadata.statistics}
