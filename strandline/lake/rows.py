"""Variant calls as rows of the lake: the one transform from VCF to Arrow."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
    """Whose rows these are, on which reference, and what the calls were annotated from, as the VCF's header says it."""

    submission_id: str
    sample: SampleDeclaration
    reference_name: str
    reference_version: str
    annotation_sources: Mapping[str, str] = field(default_factory=dict)


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
    shown, worst, chosen, highest = (
        call.chosen_consequence,
        call.worst_consequence,
        call.chosen,
        call.highest_frequency,
    )
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
        "gene": (shown.gene or None) if shown else None,
        "transcript": (shown.transcript or None) if shown else None,
        "consequence": shown.term if shown else None,
        "protein_change": shown.protein_change if shown else None,
        "clinvar_id": call.clinvar_id,
        "clinvar_significance": call.clinvar_significance,
        "rsid": call.rsid,
        "reference_name": loaded.reference_name,
        "reference_version": loaded.reference_version,
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
