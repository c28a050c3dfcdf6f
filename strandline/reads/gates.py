"""The checks that stop a sample before anyone interprets it, and those that only warn: limits, words and verdicts.

The limits are one model, so that a lab can set its own by a JSON object of those that differ. Where a default has no
published source, `docs/quality.md` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from strandline.errors import RejectedInputError
from strandline.reads.contamination import Contamination
from strandline.reads.coverage import Coverage
from strandline.reads.mapping import InsertSizes, MappingCounts
from strandline.reads.read_quality import MateQuality
from strandline.reads.sex import SexCheck

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0)]


class GateThresholds(BaseModel):
    """Limits by name: `stop_...` ends the sample, `warn_...` stands in its report. Fractions are between 0 and 1.

    Depths in reads, lengths in bases. `sex_mismatch` is what follows where the reads speak for another sex,
    `identity_mismatch` where they are of another person than the subject's other samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stop_below_mean_depth: Positive = 5.0
    warn_below_mean_depth: Positive = 20.0
    warn_below_callable_fraction: Share = 0.9
    warn_above_fold_80: Positive = 2.0
    stop_below_mapped_fraction: Share = 0.5
    warn_below_mapped_fraction: Share = 0.9
    stop_below_proper_pair_fraction: Share = 0.3
    warn_below_proper_pair_fraction: Share = 0.8
    stop_below_median_insert_bases: Positive = 50.0
    warn_below_median_insert_bases: Positive = 150.0
    stop_below_facing_pair_fraction: Share = 0.5
    stop_above_duplicate_fraction: Share = 0.9
    warn_above_duplicate_fraction: Share = 0.3
    warn_above_adapter_fraction: Share = 0.1
    warn_below_q30_fraction: Share = 0.75
    stop_above_contamination: Share = 0.05
    warn_above_contamination: Share = 0.02
    fewest_contamination_sites: Annotated[int, Field(ge=1)] = 200
    fewest_pairs: Annotated[int, Field(ge=1)] = 100
    sex_mismatch: Literal["STOP", "WARN"] = "STOP"
    identity_mismatch: Literal["STOP", "WARN"] = "STOP"


class Verdict(StrEnum):
    """What a check came to."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    STOPPED = "STOPPED"
    NOT_POSSIBLE = "NOT_POSSIBLE"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check: its code, what was measured and against what, the verdict, and words for the lab.

    `measured` and `limit` are None where the check has no number; `limit` is the one that was broken, else the
    stricter one.
    """

    code: str
    title: str
    verdict: Verdict
    measured: float | None = None
    limit: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the checks look at."""

    mapping: MappingCounts
    inserts: InsertSizes
    mates: tuple[MateQuality, MateQuality]
    coverage: Coverage
    sex: SexCheck
    contamination: Contamination | None


@dataclass(frozen=True, slots=True)
class _Limits:
    """One measure: where it stops, where it warns, and what to say. A limit of None is none."""

    code: str
    title: str
    stop: float | None
    warn: float | None
    is_lowest: bool
    says: str
    advice: str

    def judge(self, measured: float) -> CheckOutcome:
        for verdict, limit in ((Verdict.STOPPED, self.stop), (Verdict.WARNED, self.warn)):
            if limit is not None and (measured < limit if self.is_lowest else measured > limit):
                return CheckOutcome(self.code, self.title, verdict, measured, limit, self._words(limit))
        stricter = self.warn if self.warn is not None else self.stop
        return CheckOutcome(self.code, self.title, Verdict.PASSED, measured, stricter)

    def _words(self, limit: float) -> str:
        bound = "at least" if self.is_lowest else "at most"
        return f"{self.says}, {bound} {limit:g} is expected: {self.advice}"

    def not_possible(self, why: str) -> CheckOutcome:
        return CheckOutcome(self.code, self.title, Verdict.NOT_POSSIBLE, message=why)


_ANOTHER_LIBRARY: Final = "check the library's fragment lengths, and prepare it anew"


def parse_thresholds(text: str) -> GateThresholds:
    """Parse a JSON object of the limits that differ from the defaults.

    Raises:
        RejectedInputError: `gates_invalid`, naming the field.

    >>> parse_thresholds('{"stop_below_mean_depth": 15}').stop_below_mean_depth
    15.0
    """
    try:
        return GateThresholds.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RejectedInputError("gates_invalid", f"quality gates, {where}: {first['msg']}") from None


def check_gates(found: Measured, limits: GateThresholds) -> list[CheckOutcome]:
    """Judge a sample by every check; nothing is raised."""
    return [
        *_check_mapping(found.mapping, limits),
        *_check_inserts(found.inserts, limits),
        _check_depth(found.coverage, limits),
        *_check_evenness(found.coverage, limits),
        *_check_reads(found.mates, limits),
        _check_contamination(found.contamination, limits),
        _check_sex(found.sex, limits),
    ]


def refuse_stopped(outcomes: Sequence[CheckOutcome]) -> None:
    """Stop a sample that a gate stopped.

    Raises:
        RejectedInputError: with the code of the first gate that did, and the words of all.
    """
    stopped = [one for one in outcomes if one.verdict is Verdict.STOPPED]
    if stopped:
        raise RejectedInputError(stopped[0].code, "; ".join(one.message for one in stopped))


def _check_mapping(counts: MappingCounts, limits: GateThresholds) -> list[CheckOutcome]:
    mapped, paired = counts.fraction(counts.mapped), counts.fraction(counts.properly_paired)
    duplicates = counts.fraction(counts.duplicates)
    return [
        _Limits(
            "low_mapping_rate",
            "Mapped reads",
            limits.stop_below_mapped_fraction,
            limits.warn_below_mapped_fraction,
            True,
            f"a fraction of {mapped:.3f} of {counts.reads} reads aligns to the reference",
            "the reads are of another organism, build or region, or much of the library is foreign",
        ).judge(mapped),
        _Limits(
            "low_proper_pairs",
            "Properly paired reads",
            limits.stop_below_proper_pair_fraction,
            limits.warn_below_proper_pair_fraction,
            True,
            f"a fraction of {paired:.3f} of {counts.reads} reads is properly paired",
            "check that both files are mates of the same run",
        ).judge(paired),
        _Limits(
            "too_many_duplicates",
            "Duplicate reads",
            limits.stop_above_duplicate_fraction,
            limits.warn_above_duplicate_fraction,
            False,
            f"a fraction of {duplicates:.3f} of {counts.reads} reads are duplicates",
            "the library has too few different fragments: prepare it from more DNA",
        ).judge(duplicates),
    ]


def _check_inserts(inserts: InsertSizes, limits: GateThresholds) -> list[CheckOutcome]:
    median = inserts.median
    size = _Limits(
        "insert_size_too_short",
        "Median insert size",
        limits.stop_below_median_insert_bases,
        limits.warn_below_median_insert_bases,
        True,
        f"the median fragment is {median or 0:.0f} bases long",
        _ANOTHER_LIBRARY,
    )
    facing = _Limits(
        "mates_face_away",
        "Pairs that face each other",
        limits.stop_below_facing_pair_fraction,
        None,
        True,
        f"a fraction of {inserts.forward_reverse_fraction:.3f} of {inserts.pairs} pairs face each other",
        "a mate-pair library or turned reads cannot be analysed here: submit a paired-end library",
    )
    if inserts.pairs < limits.fewest_pairs:
        why = f"{inserts.pairs} pairs lie on one contig, {limits.fewest_pairs} are needed"
        return [size.not_possible(why), facing.not_possible(why)]
    face = facing.judge(inserts.forward_reverse_fraction)
    return [size.not_possible("no pair faces each other") if median is None else size.judge(median), face]


def _check_depth(coverage: Coverage, limits: GateThresholds) -> CheckOutcome:
    return _Limits(
        "depth_too_low",
        "Mean depth",
        limits.stop_below_mean_depth,
        limits.warn_below_mean_depth,
        True,
        f"mean depth is {coverage.mean_depth:.1f} reads over {coverage.analysed_bases} analysed bases",
        "sequence more, or submit with the regions that were sequenced",
    ).judge(coverage.mean_depth)


def _check_evenness(coverage: Coverage, limits: GateThresholds) -> list[CheckOutcome]:
    share = coverage.callable_bases / coverage.analysed_bases if coverage.analysed_bases else 0.0
    callable_ = _Limits(
        "few_callable_bases",
        "Callable bases",
        None,
        limits.warn_below_callable_fraction,
        True,
        f"a fraction of {share:.3f} of the analysed bases is callable",
        "nothing is said about variants elsewhere",
    ).judge(share)
    uneven = _Limits(
        "uneven_coverage",
        "Fold-80 penalty",
        None,
        limits.warn_above_fold_80,
        False,
        f"the mean depth is {coverage.fold_80 or 0:.2f} times what four of five bases reach",
        "parts of the regions are covered worse than the mean says",
    )
    if coverage.fold_80 is None:
        return [callable_, uneven.not_possible("a fifth of the analysed bases has no read")]
    return [callable_, uneven.judge(coverage.fold_80)]


def _check_reads(mates: Sequence[MateQuality], limits: GateThresholds) -> list[CheckOutcome]:
    bases = sum(mate.bases for mate in mates)
    q30 = sum(mate.q30_fraction * mate.bases for mate in mates) / bases if bases else 0.0
    adapter = max(mate.adapter_fraction for mate in mates)
    return [
        _Limits(
            "low_base_quality",
            "Bases of quality 30 or more",
            None,
            limits.warn_below_q30_fraction,
            True,
            f"a fraction of {q30:.3f} of the bases has quality 30 or more",
            "look at the run's own report",
        ).judge(q30),
        _Limits(
            "adapters_in_reads",
            "Reads that run into an adapter",
            None,
            limits.warn_above_adapter_fraction,
            False,
            f"a fraction of {adapter:.3f} of the reads runs into an adapter",
            _ANOTHER_LIBRARY,
        ).judge(adapter),
    ]


def _check_contamination(found: Contamination | None, limits: GateThresholds) -> CheckOutcome:
    """A sample stops where even the lower bound is over what warns: few sites leave the estimate wide."""
    limit = _Limits(
        "contaminated",
        "Reads of another person",
        limits.stop_above_contamination,
        limits.warn_above_contamination,
        False,
        f"a fraction of {found.fraction:.3f} of the reads is of another person" if found else "",
        "find out whether samples were mixed, and prepare the library anew",
    )
    sites = found.site_count if found else 0
    if found is None or sites < limits.fewest_contamination_sites:
        return limit.not_possible(
            f"{sites} common sites with a known frequency are covered, {limits.fewest_contamination_sites} are needed"
        )
    outcome = limit.judge(found.fraction)
    if outcome.verdict is Verdict.STOPPED and found.lower <= limits.warn_above_contamination:
        return CheckOutcome(
            outcome.code, outcome.title, Verdict.WARNED, outcome.measured, outcome.limit, outcome.message
        )
    return outcome


def _check_sex(found: SexCheck, limits: GateThresholds) -> CheckOutcome:
    title = "Sex by depth on X and Y"
    if found.reason:
        return CheckOutcome("sex_mismatch", title, Verdict.NOT_POSSIBLE, message=found.reason)
    if not found.is_mismatch:
        return CheckOutcome("sex_mismatch", title, Verdict.PASSED, found.x_ratio)
    message = (
        f"{found.declared.value.lower()} is declared; depth on X is {found.x_ratio} and on Y {found.y_ratio} of that "
        f"on autosomes, which speaks for {found.found.value.lower()}: a sample may have been swapped; check what was "
        "declared and the tube"
    )
    verdict = Verdict.STOPPED if limits.sex_mismatch == "STOP" else Verdict.WARNED
    return CheckOutcome("sex_mismatch", title, verdict, found.x_ratio, None, message)
