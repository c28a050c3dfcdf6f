"""A call, a consequence and a quality summary to vary in tests of what is made from them."""

from dataclasses import replace
from typing import Any

from strandline.reads.quality import AlignmentSummary, CoverageSummary, QualitySummary, VariantSummary
from strandline.variants.records import Consequence, TranscriptName, VariantCall

STOP = Consequence("stop_gained", "BRCA2", "ENST00000380152", "12W>12*", "100G>A")
NAME = TranscriptName(
    "ENST00000380152.8", "BRCA2", "MANE_Select", "stop_gained", "c.36G>A", "ENSP00000369497.3", "p.(Trp12Ter)"
)
_CALL = VariantCall(
    contig="chr13",
    position=32_316_461,
    ref="G",
    alt="A",
    quality=221.3,
    filters=("PASS",),
    genotype="0/1",
    zygosity="HET",
    phased=False,
    depth=33,
    ref_depth=18,
    alt_depth=14,
    genotype_quality=99,
    consequences=(STOP,),
    clinvar_id="900001",
    clinvar_significance="Pathogenic",
    identifier="rs80358981",
)
NAMED: dict[str, Any] = {
    "genomic_name": "NC_000013.11:g.32316461G>A",
    "names": (NAME,),
    "dbsnp_id": "rs80358981",
    "population_frequency": 0.25,
    "frequency_by_population": (("AFR", 0.125), ("EUR", 0.5), ("REMAINING", 0.75)),
}
"""Fields of a call that was named, and whose frequency is known."""
QUALITY = QualitySummary(
    submission_id="s-1",
    sample_id="HG002",
    reference="slice/0c2b",
    alignment=AlignmentSummary(
        read_count=20_000, mapped_fraction=0.99, properly_paired_fraction=0.97, duplicate_fraction=0.02
    ),
    coverage=CoverageSummary(
        analysed_bases=100_000,
        callable_bases=95_000,
        mean_depth=31.4,
        fraction_at_10=0.95,
        fraction_at_20=0.9,
        fraction_at_30=0.6,
    ),
    variants=VariantSummary(
        called=12,
        passed=10,
        snv=8,
        indel=2,
        heterozygous=6,
        homozygous=4,
        transitions=6,
        transversions=2,
        count_by_filter={"LowQual": 2},
    ),
    warnings=("Mean depth is low.",),
    programs=("samtools 1.23", "bcftools 1.23"),
)


def call(**changes: Any) -> VariantCall:
    """Return a heterozygous stop gain, known as pathogenic, with the given changes."""
    return replace(_CALL, **changes)


def consequence(term: str, **changes: Any) -> Consequence:
    """Return a consequence of this term."""
    return replace(STOP, term=term, **changes)
