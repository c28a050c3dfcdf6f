"""A measured sample to vary in tests of what is made from it."""

from typing import Any

from strandline.landing.manifest import Sex
from strandline.reads.contamination import Contamination
from strandline.reads.gates import CheckOutcome, GateThresholds, Verdict
from strandline.reads.mapping import MappingCounts
from strandline.reads.quality import (
    AlignmentQuality,
    CoverageSummary,
    InsertSizeSummary,
    QualitySummary,
    RegionSummary,
    VariantStatistics,
    WeakRegion,
)
from strandline.reads.read_quality import MateQuality, RepeatedSequence
from strandline.reads.sex import SexCheck, SexFinding
from tests.unit.made_up import QUALITY

MATE = MateQuality(
    reads=1000,
    bases=4000,
    q20_fraction=0.99,
    q30_fraction=0.9,
    gc_fraction=0.41,
    unknown_fraction=0.001,
    mean_quality_by_cycle=(36.0, 35.5, 35.0, 34.0),
    lowest_decile_by_cycle=(30, 30, 29, 25),
    base_fractions_by_cycle=((0.3, 0.2, 0.2, 0.3, 0.0),) * 4,
    reads_by_length=(0, 0, 0, 0, 1000),
    reads_by_gc_percent=(*(0,) * 41, 1000, *(0,) * 59),
    adapter_fraction_by_cycle={"Nextera": (0.0, 0.0, 0.01, 0.02)},
    repeated=(RepeatedSequence("ACGTACGTACGTACGTACGTACGTACGTACGT", 0.02),),
)
MEASURED = AlignmentQuality(
    mates=(MATE, MATE),
    mapping=MappingCounts(
        reads=2000, mapped=1980, mapped_surely=1950, properly_paired=1900, duplicates=100, bases=8000
    ),
    estimated_library_size=12_345,
    inserts=InsertSizeSummary(
        pairs=900, median=350.0, median_absolute_deviation=0.0, facing_fraction=1.0, histogram=(*(0,) * 350, 900)
    ),
    coverage=CoverageSummary(
        analysed_bases=1000,
        callable_bases=990,
        mean_depth=30.0,
        fraction_at_10=1.0,
        fraction_at_20=0.9,
        fraction_at_30=0.5,
        median_depth=30,
        fold_80=1.25,
        histogram=(0, *(0,) * 9, 100, *(0,) * 19, 900),
    ),
    coverage_tool="mosdepth 0.3.3",
    regions=RegionSummary(
        count=2,
        below_20=1,
        weakest=(WeakRegion(name="BRCA2 exon 3", contig="c", start0=9, end0=99, mean_depth=11.5, fraction_at_20=0.25),),
    ),
    sex=SexCheck(Sex.MALE, SexFinding.MALE, "", 0.5, 0.49, 0.0),
    contamination=Contamination(0.0123, 0.01, 0.015, 1500, 0.001),
    charr=0.011,
    charr_sites=300,
    known_sites=1600,
    checks=(
        CheckOutcome("depth_too_low", "Mean depth", Verdict.PASSED, 30.0, 20.0),
        CheckOutcome("uneven_coverage", "Fold-80 penalty", Verdict.WARNED, 2.5, 2.0, "it is uneven"),
    ),
    thresholds=GateThresholds(),
    programs=("bwa 0.7.18", "samtools 1.23"),
)
STATISTICS = VariantStatistics(
    substitutions={"C>T": 6, "T>A": 2},
    indel_lengths={-3: 1, 1: 1},
    allele_fractions=(*(0,) * 10, 6, *(0,) * 9),
    heterozygous_to_homozygous=1.5,
    homozygous_reference_fraction=0.002,
)


def measured(**changes: Any) -> AlignmentQuality:
    """Return the measured sample with the given changes."""
    return MEASURED.model_copy(update=changes)


def summary(**changes: Any) -> QualitySummary:
    """Return its record after calling, with the given changes."""
    return QUALITY.model_copy(update={"schema_version": 2, "measured": MEASURED, "statistics": STATISTICS} | changes)
