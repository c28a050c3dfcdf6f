"""Whole VCFs into the lake: each file read and written by a process of its own, each table changed by one commit."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pysam
from pyiceberg.expressions import In, Reference

from strandline.aws.lake import Lake, keep_other_rows, open_catalog, replace_files
from strandline.aws.lake_files import DataFileWriter
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

    `reference` is an indexed FASTA that alleles are aligned to the left along; without one they are trimmed only.
    """

    path: Path
    loaded: LoadedFile
    samples: tuple[str, ...]
    reference: Path | None = None


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
    if site is not None and re.fullmatch(SITE_CODE, site) is None:
        raise RejectedInputError("site_code", "the site is letters, digits, '.', '_' and '-', 32 at most")
    described = []
    for path in paths:
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        with open_vcf(path) as vcf:
            loaded = LoadedFile(f"vcf-{digest[:32]}", reference_name, reference_version, site=site)
            described.append(CohortFile(path, loaded, vcf.samples, reference))
    samples = [sample for one in described for sample in one.samples]
    ids = [one.loaded.submission_id for one in described]
    if len(set(samples)) < len(samples) or len(set(ids)) < len(ids):
        raise RejectedInputError(
            "lake_sample_repeated", "two of the files have a sample of one name: leave one of them away or rename it"
        )
    return described


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
    _refuse_other_content(lake, cohort)
    counts: dict[str, int] = {}
    variant_counts: list[int] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for name, definition in lake_tables().items():
            if (definition.copy_of or name) in _ROWS:
                written = [one.result() for one in pool.map(partial(_write_file, place, name), cohort)]
                files = [file for one in written for file in one.files]
                lake.commit(name, partial(_replace, definition=definition, cohort=cohort, files=files))
                counts[name] = sum(one.rows for one in written)
                variant_counts = [one.rows for one in written] if name == "variants" else variant_counts
    samples = _sample_rows(cohort, variant_counts, now)
    writer = DataFileWriter(lake.load("samples"), lake_tables()["samples"])
    writer.write(samples)
    files = writer.close()
    lake.commit("samples", partial(_replace, definition=lake_tables()["samples"], cohort=cohort, files=files))
    return counts | {"samples": samples.num_rows}


@dataclass(frozen=True, slots=True)
class _Written:
    """Files that no commit names yet, and their rows; or why the VCF was refused: that error cannot leave a process."""

    files: "Sequence[DataFile]" = ()
    rows: int = 0
    refused: tuple[str, str] | None = None

    def result(self) -> "_Written":
        """Return it, or raise the refusal."""
        if self.refused:
            raise RejectedInputError(*self.refused)
        return self


def _write_file(place: LakePlace, table_name: str, one: CohortFile) -> _Written:
    definition = lake_tables()[table_name]
    writer = DataFileWriter(place.open().load(table_name), definition)
    try:
        sequences = pysam.FastaFile(str(one.reference)) if one.reference else None
        with open_vcf(one.path) as source:
            rows = _ROWS[definition.copy_of or table_name](read_vcf(source, reference=sequences), one.loaded)
            for table in (
                rows if definition.copy_of is None else sort_pieces(rows, definition.sort, definition.arrow_schema())
            ):
                writer.write(table)
    except RejectedInputError as refused:
        return _Written(refused=(refused.code, refused.message))
    return _Written(writer.close(), writer.rows)


def _replace(
    table: "Table", *, definition: LakeTable, cohort: Sequence[CohortFile], files: "Sequence[DataFile]"
) -> int:
    ids = frozenset(one.loaded.submission_id for one in cohort)
    old, kept = keep_other_rows(table, definition, definition.replaced_by, ids)
    if old or files:
        replace_files(table, old, [*kept, *files], of=In(term=Reference(definition.replaced_by), literals=ids))
    return len(files)


def _refuse_other_content(lake: Lake, cohort: Sequence[CohortFile]) -> None:
    id_by_sample = {sample: one.loaded.submission_id for one in cohort for sample in one.samples}
    if not id_by_sample:
        return
    found = lake.load("samples").scan(
        row_filter=In(term=Reference("sample_id"), literals=frozenset(id_by_sample)),
        selected_fields=("sample_id", "submission_id"),
    )
    for row in found.to_arrow().to_pylist():
        if id_by_sample[row["sample_id"]] != row["submission_id"]:
            raise RejectedInputError(
                "lake_sample_loaded",
                f"a sample of these files is in the lake from other content, as {row['submission_id']}: "
                "erase it first, or give the sample a name of its own",
            )


def _sample_rows(cohort: Sequence[CohortFile], variant_counts: Sequence[int], now: datetime) -> pa.Table:
    rows = [
        {
            "sample_id": sample,
            "submission_id": one.loaded.submission_id,
            "sex": "UNKNOWN",
            "reference_name": one.loaded.reference_name,
            "reference_version": one.loaded.reference_version,
            "variant_count": count,
            "loaded_at": now,
            "site": one.loaded.site,
        }
        for one, count in zip(cohort, variant_counts, strict=True)
        for sample in one.samples
    ]
    return pa.Table.from_pylist(rows, schema=lake_tables()["samples"].arrow_schema())
