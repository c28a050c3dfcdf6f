"""An exported HealthOmics store into the lake: sample by sample, each in one commit a table, counted on both sides."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pyarrow as pa
from pyiceberg.expressions import EqualTo, Reference

from strandline.aws.lake import Lake
from strandline.aws.lake_cohort import Outcome, Reconciled, Target
from strandline.aws.lake_export import ExportedStore
from strandline.aws.lake_loading import LakePlace
from strandline.lake.annotations import Release
from strandline.lake.migration import (
    WRONG_BUILD,
    ContentDigest,
    Migrated,
    MigratedFile,
    migrate_annotations,
    migrate_variants,
    sum_refused,
)
from strandline.lake.migration_reference import BuildSequences
from strandline.lake.tables import lake_tables


def migrate_store(place: LakePlace, store: ExportedStore, target: Target, *, jobs: int, dry: bool) -> Iterator[Outcome]:
    """Load every sample of an exported variant store, replacing what an earlier run loaded of the same rows.

    Args:
        place: the lake.
        store: where the export lies.
        target: what is said of the rows.
        jobs: samples that are loaded at a time, each by a process of its own; one of them has a sample's rows of one
            contig in memory.
        dry: whether to count and judge only.

    Yields:
        What came of each sample, in the order of their names.

    Raises:
        RejectedInputError: of the whole export, before anything is loaded: `migrate_column_missing`,
            `migrate_column_type`, `migrate_source_empty`.
        RuntimeError: the lake does not have what was written into it.
    """
    with store.by_sample() as (arranged, counts):
        work = partial(_migrate_sample, place, arranged, target, dry)
        tasks = [(sample, counts[sample]) for sample in sorted(counts)]
        if jobs == 1:
            yield from map(work, tasks)
            return
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield from pool.map(work, tasks)


def migrate_annotation_store(
    place: LakePlace, store: ExportedStore, release: Release, *, contig_prefix: str, dry: bool
) -> list[Reconciled]:
    """Load an exported annotation store as a release of a source; the same release again replaces itself.

    Raises:
        RejectedInputError: as `migrate_store`.
    """
    with store.by_contig() as (arranged, counts):
        read = partial(_annotations_of, arranged, release, contig_prefix)
        written: Mapping[str, int]
        if dry:
            written = {contig: read(contig).num_rows for contig in counts}
        else:
            lake = place.open()
            lake.replace_rows("annotations", release.release_id, lambda: map(read, sorted(counts)))
            written = _count(lake, "annotations", "release_id", release.release_id, "source_contig")
    return [
        Reconciled(
            release.release_id, contig, count, written.get(contig, 0), _rest("no_allele", count, written.get(contig, 0))
        )
        for contig, count in sorted(counts.items())
    ]


def _rest(why: str, read: int, written: int) -> dict[str, int]:
    return {why: read - written} if read > written else {}


def _annotations_of(store: ExportedStore, release: Release, contig_prefix: str, contig: str) -> pa.Table:
    rows = store.rows(contig=contig)
    return migrate_annotations(rows, release.source, release.release, release.release_id, contig_prefix)


def _migrate_sample(
    place: LakePlace, store: ExportedStore, target: Target, dry: bool, task: tuple[str, Mapping[str, int]]
) -> Outcome:
    sample_id, counts = task
    sequences = BuildSequences(target.reference_name, target.fasta)
    contigs = sorted(counts)

    def migrate(contig: str, submission_id: str = "") -> Migrated:
        made = MigratedFile(submission_id, sample_id, target.reference_name, target.reference_version, target.site)
        return migrate_variants(store.rows(sample_id=sample_id, contig=contig), contig, made, sequences)

    digest, would_write, refused, has_sites = ContentDigest(sample_id), {}, {}, False
    for contig in contigs:
        done = migrate(contig)
        digest.add(done.variants)
        would_write[contig], refused[contig] = done.variants.num_rows, done.refused
        has_sites |= done.sites.num_rows > 0
    if WRONG_BUILD in sum_refused(list(refused.values())):
        says = f"rows do not fit {target.reference_name}: positions or bases are another build's; name the right one"
        return _refuse(sample_id, counts, WRONG_BUILD, says)
    submission_id = digest.submission_id()
    lake = place.open()
    if _is_of_other_content(lake, sample_id, submission_id):
        says = "the lake has a sample of this name from other content: erase that first, or rename this one"
        return _refuse(sample_id, counts, "lake_sample_loaded", says)
    written: Mapping[str, int] = would_write
    if not dry:
        _write(lake, contigs, lambda contig: migrate(contig, submission_id), submission_id, has_sites=has_sites)
        written = _count(lake, "variants", "submission_id", submission_id, "contig")
        row = _sample_row(sample_id, submission_id, sum(written.values()), target)
        lake.replace_rows("samples", submission_id, lambda: [row])
    found = tuple(
        Reconciled(sample_id, contig, counts[contig], written.get(contig, 0), refused[contig]) for contig in contigs
    )
    if not all(one.is_whole for one in found):
        raise RuntimeError(f"the lake has other rows of {submission_id} than were read: migrate it again")
    return Outcome(sample_id, found)


def _write(
    lake: Lake, contigs: Sequence[str], migrate: Callable[[str], Migrated], submission_id: str, *, has_sites: bool
) -> None:
    lake.replace_rows("variants", submission_id, lambda: (migrate(contig).variants for contig in contigs))
    if has_sites:
        lake.replace_rows("sites", submission_id, lambda: (migrate(contig).sites for contig in contigs))


def _refuse(sample_id: str, counts: Mapping[str, int], code: str, says: str) -> Outcome:
    found = tuple(Reconciled(sample_id, contig, count, 0, {code: count}) for contig, count in sorted(counts.items()))
    return Outcome(sample_id, found, (code, says))


def _is_of_other_content(lake: Lake, sample_id: str, submission_id: str) -> bool:
    found = lake.load("samples").scan(
        row_filter=EqualTo(term=Reference("sample_id"), value=sample_id), selected_fields=("submission_id",)
    )
    return any(other != submission_id for other in found.to_arrow()["submission_id"].to_pylist())


def _count(lake: Lake, table: str, key: str, value: str, contig_column: str) -> Mapping[str, int]:
    """Return how many rows of a submission or release the lake has, by contig."""
    scan = lake.load(table).scan(row_filter=EqualTo(term=Reference(key), value=value), selected_fields=(contig_column,))
    counted: Counter[str] = Counter()
    for batch in scan.to_arrow_batch_reader():
        counted.update({pair["values"]: pair["counts"] for pair in batch[contig_column].value_counts().to_pylist()})
    return counted


def _sample_row(sample_id: str, submission_id: str, count: int, target: Target) -> pa.Table:
    row = {
        "sample_id": sample_id,
        "submission_id": submission_id,
        "sex": "UNKNOWN",
        "reference_name": target.reference_name,
        "reference_version": target.reference_version,
        "variant_count": count,
        "loaded_at": target.now,
        "site": target.site,
    }
    return pa.Table.from_pylist([row], schema=lake_tables()["samples"].arrow_schema())
