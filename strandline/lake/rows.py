"""Rows of one sample: its variants with what they were annotated with, and the sample itself."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from strandline.lake.load import LoadedFile, variant_rows
from strandline.lake.tables import lake_tables
from strandline.lake.vcf_columns import VcfBatch
from strandline.landing.manifest import SampleDeclaration
from strandline.reads.quality import QualitySummary
from strandline.variants.records import VariantCall


@dataclass(frozen=True, slots=True)
class LoadedSample:
    """Whose rows these are, on which reference, and what the calls were annotated from, as the VCF's header says it."""

    submission_id: str
    sample: SampleDeclaration
    reference_name: str
    reference_version: str
    annotation_sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> LoadedFile:
        """What the rows of its files have in common."""
        return LoadedFile(self.submission_id, self.reference_name, self.reference_version, site=self.sample.site)


def variant_batches(
    batches: Iterable[VcfBatch], calls: Iterable[VariantCall], loaded: LoadedSample
) -> Iterator[pa.Table]:
    """Yield rows of `variants` of one sample, in the order of its file.

    Args:
        batches: the file as `read_vcf` yields it, one ALT allele a record, left-aligned and trimmed.
        calls: the same file as `read_calls` yields it: what it was annotated with.
        loaded: whose rows these are.

    Raises:
        RuntimeError: the two are not the same file, or it is not normalised.
    """
    remaining = iter(calls)
    file = loaded.file
    for table in variant_rows(batches, file):
        alleles = zip(*(table[name].to_pylist() for name in ("contig", "position", "ref", "alt")), strict=True)
        told = [_annotations(_call_of(allele, remaining), loaded) for allele in alleles]
        yield _with_columns(table, told)
    if any(_carries(call) for call in remaining):
        raise RuntimeError("a call carries an allele of which there is no row")


def sample_row(loaded: LoadedSample, quality: QualitySummary, *, variant_count: int, now: datetime) -> pa.Table:
    """Return the one row of `samples`."""
    row = {
        "sample_id": loaded.sample.sample_id,
        "submission_id": loaded.submission_id,
        "subject_id": loaded.sample.subject_id,
        "sex": loaded.sample.sex.value,
        "assay": loaded.sample.assay,
        "reference_name": loaded.reference_name,
        "reference_version": loaded.reference_version,
        "variant_count": variant_count,
        "mean_depth": quality.coverage.mean_depth,
        "loaded_at": now,
        "site": loaded.sample.site,
    }
    return pa.Table.from_pylist([row], schema=lake_tables()["samples"].arrow_schema())


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that a step of the workflow read: its role and SHA-256, and the step's code, image and tools, if known."""

    step: str
    role: str
    sha256: str
    size_bytes: int
    code_version: str | None = None
    image: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict)


def lineage_rows(loaded: LoadedSample, files: Iterable[ReadFile], now: datetime) -> pa.Table:
    """Return the rows of `lineage`: one a file that the submission's rows came from."""
    rows = [
        {
            "submission_id": loaded.submission_id,
            "step": file.step,
            "file_role": file.role,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "code_version": file.code_version,
            "image": file.image,
            "tools": json.dumps(dict(file.tools), sort_keys=True) if file.tools else None,
            "reference_name": loaded.reference_name,
            "reference_version": loaded.reference_version,
            "loaded_at": now,
            "site": loaded.sample.site,
        }
        for file in files
    ]
    return pa.Table.from_pylist(rows, schema=lake_tables()["lineage"].arrow_schema())


def _call_of(allele: tuple[str, int, str, str], calls: Iterator[VariantCall]) -> VariantCall:
    """Return the next call that carries its allele, which has to be this one."""
    call = next((call for call in calls if _carries(call)), None)
    if call is None or (call.contig, call.position, call.ref.upper(), call.alt.upper()) != allele:
        raise RuntimeError("a row and the call that annotates it are not of one allele: is the file normalised?")
    return call


def _carries(call: VariantCall) -> bool:
    return "1" in call.genotype.replace("|", "/").split("/")


def _with_columns(table: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    """Return a table with the columns of `rows` in place of its own."""
    for name in rows[0] if rows else ():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array([row[name] for row in rows], field.type))
    return table


def _annotations(call: VariantCall, loaded: LoadedSample) -> dict[str, Any]:
    shown, worst, chosen, highest = (
        call.chosen_consequence,
        call.worst_consequence,
        call.chosen,
        call.highest_frequency,
    )
    return {
        "gene": (shown.gene or None) if shown else None,
        "transcript": (shown.transcript or None) if shown else None,
        "consequence": shown.term if shown else None,
        "protein_change": shown.protein_change if shown else None,
        "clinvar_id": call.clinvar_id,
        "clinvar_significance": call.clinvar_significance,
        "rsid": call.rsid,
        "hgvs_genomic": call.genomic_name,
        "hgvs_coding": chosen.full_coding if chosen else None,
        "hgvs_protein": chosen.full_protein if chosen else None,
        "transcript_choice": chosen.ground if chosen else None,
        "most_severe_consequence": worst.term if worst else None,
        "most_severe_transcript": (worst.transcript or None) if worst else None,
        "population_frequency": call.population_frequency,
        "highest_population_frequency": highest[1] if highest else None,
        "highest_population": highest[0] if highest else None,
        "annotation_sources": json.dumps(dict(loaded.annotation_sources)) if loaded.annotation_sources else None,
    }
