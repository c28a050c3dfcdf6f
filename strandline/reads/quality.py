"""The quality record of a sample: `alignment_quality.json` before calling, `qc.json` after."""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from strandline.landing.manifest import Sex
from strandline.reads.contamination import Contamination
from strandline.reads.coverage import Coverage
from strandline.reads.gates import CheckOutcome, GateThresholds, Verdict
from strandline.reads.mapping import InsertSizes, MappingCounts
from strandline.reads.read_quality import MateQuality
from strandline.reads.sex import SexCheck

MOST_WEAK_REGIONS: Final = 200
HISTOGRAM_DEPTHS: Final = 500
"""Depths in the histogram of `qc.json`; the last one stands for all from there on."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AlignmentSummary(_Frozen):
    """Of the reads; fractions between 0 and 1."""

    read_count: int
    mapped_fraction: float
    properly_paired_fraction: float
    duplicate_fraction: float


class CoverageSummary(_Frozen):
    """Of the analysed regions; depths in reads, fractions between 0 and 1. See `Coverage` for the later ones."""

    analysed_bases: int
    callable_bases: int
    mean_depth: float
    fraction_at_10: float
    fraction_at_20: float
    fraction_at_30: float
    median_depth: int | None = None
    fold_80: float | None = None
    histogram: tuple[int, ...] = ()


class InsertSizeSummary(_Frozen):
    """Of the fragments, in bases; `histogram` counts FR pairs of 0, 1, 2... bases. See `InsertSizes`."""

    pairs: int
    median: float | None
    median_absolute_deviation: float | None
    facing_fraction: float
    histogram: tuple[int, ...]


class WeakRegion(_Frozen):
    """A region of the submission that reads do not cover well; `start0` 0-based, `end0` behind the last base."""

    name: str
    contig: str
    start0: int
    end0: int
    mean_depth: float
    fraction_at_20: float


class RegionSummary(_Frozen):
    """The submission's regions: how many, how many under 20 reads on average, and the weakest of those."""

    count: int
    below_20: int
    weakest: tuple[WeakRegion, ...]


class VariantSummary(_Frozen):
    """Counts of alleles. `called` = `passed` + the records with a reason in FILTER."""

    called: int
    passed: int
    snv: int
    indel: int
    heterozygous: int
    homozygous: int
    transitions: int
    transversions: int
    count_by_filter: dict[str, int]

    @property
    def transition_ratio(self) -> float | None:
        """Transitions to transversions of the SNVs that passed; about 2.1 over a human genome. None without any."""
        return self.transitions / self.transversions if self.transversions else None


class VariantStatistics(_Frozen):
    """Shapes of the variants that passed.

    Attributes:
        substitutions: SNVs by change, both strands together, such as `C>T`.
        indel_lengths: indels by bases gained, losses below 0, from -50 to 50; longer ones count as these.
        allele_fractions: heterozygous SNVs by the share of reads with the alternate allele, in twenty steps of 5%.
        heterozygous_to_homozygous: ratio of the two among SNVs; None without a homozygous one.
        homozygous_reference_fraction: share of reference reads at homozygous SNVs; foreign reads raise it, by less
            than their own fraction. None without such an SNV.
    """

    substitutions: dict[str, int]
    indel_lengths: dict[int, int]
    allele_fractions: tuple[int, ...]
    heterozygous_to_homozygous: float | None
    homozygous_reference_fraction: float | None


class AlignmentQuality(_Frozen):
    """What the alignments show, measured before calling.

    `charr` is the fraction of foreign reads by CHARR at `charr_sites` sites. `known_sites` were looked at in all.
    `coverage_tool` measured depth, with its version; records from before it was kept have none.
    """

    schema_version: Literal[2] = 2
    mates: tuple[MateQuality, MateQuality]
    mapping: MappingCounts
    estimated_library_size: int | None
    inserts: InsertSizeSummary
    coverage: CoverageSummary
    coverage_tool: str = ""
    regions: RegionSummary | None
    sex: SexCheck
    contamination: Contamination | None
    charr: float | None
    charr_sites: int
    known_sites: int
    checks: tuple[CheckOutcome, ...]
    thresholds: GateThresholds
    programs: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The words of the checks that warned, as sentences."""
        return warnings_of(self.checks)


class QualitySummary(_Frozen):
    """What `qc.json` says. `programs` names each tool that touched the data with its version, in order.

    Version 1 had neither `measured` nor `statistics`; a record without the field is of that version.
    """

    schema_version: Literal[1, 2] = 1
    submission_id: str
    sample_id: str
    subject_id: str | None = None
    declared_sex: Sex = Sex.UNKNOWN
    reference: str
    alignment: AlignmentSummary
    coverage: CoverageSummary
    variants: VariantSummary
    measured: AlignmentQuality | None = None
    statistics: VariantStatistics | None = None
    warnings: tuple[str, ...]
    programs: tuple[str, ...]


def summarise_coverage(coverage: Coverage) -> CoverageSummary:
    """Return what the record keeps of a coverage."""
    shown, rest = coverage.histogram[:HISTOGRAM_DEPTHS], sum(coverage.histogram[HISTOGRAM_DEPTHS:])
    return CoverageSummary(
        analysed_bases=coverage.analysed_bases,
        callable_bases=coverage.callable_bases,
        mean_depth=coverage.mean_depth,
        fraction_at_10=coverage.fraction_at_10,
        fraction_at_20=coverage.fraction_at_20,
        fraction_at_30=coverage.fraction_at_30,
        median_depth=coverage.median_depth,
        fold_80=coverage.fold_80,
        histogram=(*shown, rest) if rest else shown,
    )


def summarise_inserts(inserts: InsertSizes) -> InsertSizeSummary:
    """Return what the record keeps of the insert sizes."""
    return InsertSizeSummary(
        pairs=inserts.pairs,
        median=inserts.median,
        median_absolute_deviation=inserts.median_absolute_deviation,
        facing_fraction=inserts.forward_reverse_fraction,
        histogram=inserts.histogram,
    )


def warnings_of(checks: Sequence[CheckOutcome]) -> tuple[str, ...]:
    """Return the words of the checks that warned, as sentences."""
    warned = (check.message for check in checks if check.verdict is Verdict.WARNED)
    return tuple(f"{message[0].upper()}{message[1:]}." for message in warned)
