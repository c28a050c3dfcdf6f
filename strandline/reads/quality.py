"""The quality summary of a sample, `qc.json`, and the gates that stop a sample nobody should interpret."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from strandline.errors import RejectedInputError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AlignmentSummary(_Frozen):
    """Of the reads; fractions between 0 and 1."""

    read_count: int
    mapped_fraction: float
    properly_paired_fraction: float
    duplicate_fraction: float


class CoverageSummary(_Frozen):
    """Of the analysed regions; depths in reads, fractions between 0 and 1."""

    analysed_bases: int
    callable_bases: int
    mean_depth: float
    fraction_at_10: float
    fraction_at_20: float
    fraction_at_30: float


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


class QualitySummary(_Frozen):
    """What `qc.json` says. `programs` names each tool that touched the data with its version, in order."""

    submission_id: str
    sample_id: str
    reference: str
    alignment: AlignmentSummary
    coverage: CoverageSummary
    variants: VariantSummary
    warnings: tuple[str, ...]
    programs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """A lowest acceptable value; under it the sample stops, with `advice` for the lab."""

    code: str
    lowest: float
    advice: str


MEAN_DEPTH_GATE: Final = Gate("depth_too_low", 5.0, "sequence more, or submit with the regions that were sequenced")
WARN_MEAN_DEPTH: Final = 20.0
WARN_CALLABLE_FRACTION: Final = 0.9


def check_gates(coverage: CoverageSummary) -> tuple[str, ...]:
    """Return warnings for the report.

    Raises:
        RejectedInputError: `depth_too_low`, where no call could be trusted.
    """
    if coverage.mean_depth < MEAN_DEPTH_GATE.lowest:
        raise RejectedInputError(
            MEAN_DEPTH_GATE.code,
            f"mean depth is {coverage.mean_depth:.1f} reads over {coverage.analysed_bases} analysed bases, at least "
            f"{MEAN_DEPTH_GATE.lowest:.0f} are needed: {MEAN_DEPTH_GATE.advice}",
        )
    warnings = []
    if coverage.mean_depth < WARN_MEAN_DEPTH:
        warnings.append(f"Mean depth is {coverage.mean_depth:.1f} reads; heterozygous variants may be missed.")
    callable_fraction = coverage.callable_bases / coverage.analysed_bases
    if callable_fraction < WARN_CALLABLE_FRACTION:
        warnings.append(
            f"{1 - callable_fraction:.1%} of the analysed bases are not callable; nothing is said about variants there."
        )
    return tuple(warnings)
