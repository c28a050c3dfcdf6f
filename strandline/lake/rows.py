"""Variant calls as rows of the lake: the one transform from VCF to Arrow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from strandline.lake.tables import lake_tables
from strandline.landing.manifest import SampleDeclaration
from strandline.reads.quality import QualitySummary
from strandline.variants.records import VariantCall

ROWS_PER_BATCH: Final = 100_000


@dataclass(frozen=True, slots=True)
class LoadedSample:
    """Whose rows these are, and on which reference."""

    submission_id: str
    sample: SampleDeclaration
    reference_name: str
    reference_version: str


def variant_batches(calls: Iterable[VariantCall], loaded: LoadedSample) -> Iterator[pa.Table]:
    """Yield rows of `variants` in the order of the calls, at most 100,000 at a time."""
    schema = lake_tables()["variants"].arrow_schema()
    remaining = iter(calls)
    while some := list(islice(remaining, ROWS_PER_BATCH)):
        yield pa.Table.from_pylist([_variant_row(call, loaded) for call in some], schema=schema)


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
    }
    return pa.Table.from_pylist([row], schema=lake_tables()["samples"].arrow_schema())


def _variant_row(call: VariantCall, loaded: LoadedSample) -> dict[str, Any]:
    worst = call.worst_consequence
    return {
        "sample_id": loaded.sample.sample_id,
        "submission_id": loaded.submission_id,
        "contig": call.contig,
        "position": call.position,
        "end_position": call.end_position,
        "ref": call.ref,
        "alt": call.alt,
        "variant_type": call.variant_type,
        "quality": call.quality,
        "filters": ";".join(call.filters),
        "genotype": call.genotype,
        "zygosity": call.zygosity,
        "phased": call.phased,
        "depth": call.depth,
        "ref_depth": call.ref_depth,
        "alt_depth": call.alt_depth,
        "genotype_quality": call.genotype_quality,
        "gene": (worst.gene or None) if worst else None,
        "transcript": (worst.transcript or None) if worst else None,
        "consequence": worst.term if worst else None,
        "protein_change": worst.protein_change if worst else None,
        "clinvar_id": call.clinvar_id,
        "clinvar_significance": call.clinvar_significance,
        "rsid": call.identifier if call.identifier and call.identifier.startswith("rs") else None,
        "reference_name": loaded.reference_name,
        "reference_version": loaded.reference_version,
    }
