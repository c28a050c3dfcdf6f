"""Whole VCFs into the lake: each file read and written by a process of its own, each table changed by one commit."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pysam
from pyiceberg.expressions import In, Reference

from strandline.aws.lake import Lake, keep_other_rows, open_catalog, replace_files
from strandline.aws.lake_files import DataFileWriter
from strandline.aws.lake_imports import at_hand
from strandline.aws.lake_spreading import over_processes
from strandline.errors import RejectedInputError
from strandline.lake.layout import sort_pieces
from strandline.lake.load import LoadedFile, callable_rows, site_rows, variant_rows
from strandline.lake.tables import LakeTable, lake_tables
from strandline.lake.vcf_columns import VcfBatch, read_vcf
from strandline.lake.vcf_source import open_vcf
from strandline.landing.manifest import SITE_CODE

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_ROWS: Final[Mapping[str, Callable[[Iterable[VcfBatch], LoadedFile], Iterator[pa.Table]]]] = {
    "variants": variant_rows,
    "sites": site_rows,
    "callable_regions": callable_rows,
}

OTHER_CONTENT: Final = (
    "lake_sample_loaded",
    "a sample of these files is in the lake from other content: erase that first, or give the sample a name of its own",
)


@dataclass(frozen=True, slots=True)
class LakePlace:
    """Where a process of its own finds the lake."""

    database: str
    endpoint_url: str | None
    region: str | None

    def open(self) -> Lake:
        """Return the lake."""
        return Lake(self.database, open_catalog(self.endpoint_url, self.region))


@dataclass(frozen=True, slots=True)
class CohortFile:
    """A VCF to load; `submission_id` is made of its content, so that the same file again replaces itself.

    `source` is a path or `s3://BUCKET/KEY`. `reference` is an indexed FASTA that alleles are aligned to the left along;
    without one they are trimmed only.
    """

    source: str
    digest: str
    loaded: LoadedFile
    samples: tuple[str, ...]
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What was made of a file: data files by table, which no commit names yet, and how many rows are in them.

    `carried` counts rows of `variants` by sample and contig. `refused` says why nothing was made of it: the error
    itself cannot leave a process.
    """

    files: "Mapping[str, Sequence[DataFile]]" = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    carried: Mapping[tuple[str, str], int] = field(default_factory=dict)
    refused: tuple[str, str] | None = None


def check_site(site: str | None) -> None:
    """Accept the code of a lab, as manifests name one.

    Raises:
        RejectedInputError: `site_code`.
    """
    if site is not None and re.fullmatch(SITE_CODE, site) is None:
        raise RejectedInputError("site_code", "the site is letters, digits, '.', '_' and '-', 32 at most")


def describe_files(
    paths: Sequence[Path],
    *,
    reference_name: str,
    reference_version: str,
    reference: Path | None = None,
    site: str | None = None,
) -> list[CohortFile]:
    """Read the headers of files of one site, and what they hold as a whole; `reference` is as in `CohortFile`.

    Raises:
        RejectedInputError: `site_code`, where the site is not named as manifests name one.
        RejectedInputError: `lake_sample_repeated`, where two of them have a sample of one name, or the same one twice.
    """
    check_site(site)
    described = []
    for path in paths:
        loaded = LoadedFile("", reference_name, reference_version, site=site)
        described.append(describe_file(str(path), path, loaded, reference))
    samples = [sample for one in described for sample in one.samples]
    ids = [one.loaded.submission_id for one in described]
    if len(set(samples)) < len(samples) or len(set(ids)) < len(ids):
        raise RejectedInputError(
            "lake_sample_repeated", "two of the files have a sample of one name: leave one of them away or rename it"
        )
    return described


def describe_file(source: str, path: Path, loaded: LoadedFile, reference: Path | None) -> CohortFile:
    """Read the header of a file that lies at `path`; its submission is named after its content.

    Raises:
        RejectedInputError: what `open_vcf` raises.
    """
    digest = _digest(path)
    with open_vcf(path) as vcf:
        return CohortFile(source, digest, replace(loaded, submission_id=f"vcf-{digest[:32]}"), vcf.samples, reference)


def load_files(place: LakePlace, cohort: Sequence[CohortFile], *, jobs: int, now: datetime) -> dict[str, int]:
    """Replace what the lake has of these files, and return how many rows of each table they have now.

    Readers see a table as it was or with all of the files, never with some. `samples` comes last, so that it names
    only what is there.

    Args:
        jobs: files that are read at a time, each in a process of its own.
        now: the time of the load.

    Raises:
        RejectedInputError: `lake_sample_loaded`, where a sample is in the lake from other content; what `read_vcf`
            raises.
        TemporaryError: `lake_contended`.
    """
    lake = place.open()
    if find_other_content(lake, cohort):
        raise RejectedInputError(*OTHER_CONTENT)
    with over_processes(jobs) as spread:
        written = spread(partial(write_file, place), cohort)
    for one in written:
        if one.refused:
            raise RejectedInputError(*one.refused)
    return commit_files(lake, cohort, written, now)


def find_other_content(lake: Lake, cohort: Sequence[CohortFile]) -> frozenset[str]:
    """Return the sources of files of which a sample is in the lake from other content."""
    file_by_sample = {sample: one for one in cohort for sample in one.samples}
    if not file_by_sample:
        return frozenset()
    found = lake.load("samples").scan(
        row_filter=In(term=Reference("sample_id"), literals=frozenset(file_by_sample)),
        selected_fields=("sample_id", "submission_id"),
    )
    held = ((file_by_sample[row["sample_id"]], row["submission_id"]) for row in found.to_arrow().to_pylist())
    return frozenset(one.source for one, other in held if one.loaded.submission_id != other)


def write_file(place: LakePlace, one: CohortFile) -> Written:
    """Write the rows of one file into data files, of which a reader sees nothing until `commit_files`."""
    lake = place.open()
    files: dict[str, Sequence[DataFile]] = {}
    rows: dict[str, int] = {}
    carried: Counter[tuple[str, str]] = Counter()
    try:
        with at_hand(one.source, place.endpoint_url) as path:
            _check_unchanged(one, path)
            for name, definition in _tables_of_files().items():
                writer = DataFileWriter(lake.load(name), definition)
                for table in _rows_of(one, path, definition):
                    writer.write(table)
                    if name == "variants":
                        carried.update(count_by_sample(table))
                files[name], rows[name] = writer.close(), writer.rows
    except RejectedInputError as refused:
        return Written(refused=(refused.code, refused.message))
    return Written(files, rows, carried)


def count_file(place: LakePlace, one: CohortFile) -> Written:
    """Count what `write_file` would write of `variants`, and write nothing."""
    carried: Counter[tuple[str, str]] = Counter()
    try:
        with at_hand(one.source, place.endpoint_url) as path:
            _check_unchanged(one, path)
            for table in _rows_of(one, path, lake_tables()["variants"]):
                carried.update(count_by_sample(table))
    except RejectedInputError as refused:
        return Written(refused=(refused.code, refused.message))
    return Written(carried=carried)


def count_by_sample(rows: pa.Table) -> Counter[tuple[str, str]]:
    """Count rows by their sample and contig."""
    plain = pa.table({name: rows[name].cast(pa.string()) for name in ("sample_id", "contig")})
    grouped = plain.group_by(["sample_id", "contig"]).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["sample_id"], row["contig"]): row["count_all"] for row in grouped})


def commit_files(lake: Lake, cohort: Sequence[CohortFile], written: Sequence[Written], now: datetime) -> dict[str, int]:
    """Put what was written of files in place of what the lake has of them, by one commit a table.

    Raises:
        TemporaryError: `lake_contended`.
    """
    counts: dict[str, int] = {}
    for name, definition in _tables_of_files().items():
        files = [file for one in written for file in one.files[name]]
        lake.commit(name, partial(_replace, definition=definition, cohort=cohort, files=files))
        counts[name] = sum(one.rows[name] for one in written)
    samples = _sample_rows(cohort, written, now)
    definition = lake_tables()["samples"]
    writer = DataFileWriter(lake.load("samples"), definition)
    writer.write(samples)
    lake.commit("samples", partial(_replace, definition=definition, cohort=cohort, files=writer.close()))
    return counts | {"samples": samples.num_rows}


def _tables_of_files() -> dict[str, LakeTable]:
    return {name: one for name, one in lake_tables().items() if (one.copy_of or name) in _ROWS}


def _rows_of(one: CohortFile, path: Path, definition: LakeTable) -> Iterator[pa.Table]:
    sequences = pysam.FastaFile(str(one.reference)) if one.reference else None
    with open_vcf(path) as source:
        rows = _ROWS[definition.copy_of or definition.name](read_vcf(source, reference=sequences), one.loaded)
        yield from (
            rows if definition.copy_of is None else sort_pieces(rows, definition.sort, definition.arrow_schema())
        )


def _check_unchanged(one: CohortFile, path: Path) -> None:
    if _digest(path) != one.digest:
        says = "the file was changed while it was loaded: load it again when it is whole"
        raise RejectedInputError("import_changed", says)


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _replace(
    table: "Table", *, definition: LakeTable, cohort: Sequence[CohortFile], files: "Sequence[DataFile]"
) -> int:
    ids = frozenset(one.loaded.submission_id for one in cohort)
    old, kept = keep_other_rows(table, definition, definition.replaced_by, ids)
    if old or files:
        replace_files(table, old, [*kept, *files], of=In(term=Reference(definition.replaced_by), literals=ids))
    return len(files)


def _sample_rows(cohort: Sequence[CohortFile], written: Sequence[Written], now: datetime) -> pa.Table:
    rows = [
        {
            "sample_id": sample,
            "submission_id": one.loaded.submission_id,
            "sex": "UNKNOWN",
            "reference_name": one.loaded.reference_name,
            "reference_version": one.loaded.reference_version,
            "variant_count": made.rows["variants"],
            "loaded_at": now,
            "site": one.loaded.site,
        }
        for one, made in zip(cohort, written, strict=True)
        for sample in one.samples
    ]
    return pa.Table.from_pylist(rows, schema=lake_tables()["samples"].arrow_schema())
