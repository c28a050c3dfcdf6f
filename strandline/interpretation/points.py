"""Evidence in points, summed to a suggestion: what is prepared for the person who classifies.

Source of points and bands: Tavtigian et al. 2020, doi:10.1002/humu.24088, for the criteria of Richards et al. 2015,
doi:10.1038/gim.2015.30. Which criteria there are is data (`criteria.json`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from strandline.errors import RejectedInputError

_STRENGTHS: Final = {1: "supporting", 2: "moderate", 4: "strong", 8: "very strong"}
_ALONE: Final = "BA1"


class Outcome(StrEnum):
    """Whether a criterion holds."""

    MET = "met"
    NOT_MET = "not met"
    NOT_ASSESSED = "not assessed"


class Band(StrEnum):
    """The five classes; as a suggestion never more than that."""

    PATHOGENIC = "pathogenic"
    LIKELY_PATHOGENIC = "likely pathogenic"
    UNCERTAIN = "uncertain significance"
    LIKELY_BENIGN = "likely benign"
    BENIGN = "benign"


class Criterion(BaseModel):
    """One criterion: its points where it is met, as usual; below 0 it speaks for benign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    direction: Literal["PATHOGENIC", "BENIGN"]
    points: int
    assessed_by: Literal["RULE", "PERSON", "NOBODY"]
    says: str


class Criteria(BaseModel):
    """All criteria, and the frequencies (0 to 1) that those of frequency ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    source: str
    thresholds: dict[str, float]
    criteria: tuple[Criterion, ...]

    def named(self, code: str) -> Criterion:
        """Return a criterion.

        Raises:
            RejectedInputError: `criterion_unknown`.
        """
        for criterion in self.criteria:
            if criterion.code == code:
                return criterion
        raise RejectedInputError("criterion_unknown", "there is no such ACMG/AMP criterion: write PVS1, PS1 to BP7")


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word on a criterion in place of the rule's. `points` 0 is "not met"."""

    criterion: str
    points: int
    who: str
    when: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is said of one criterion: the outcome, its points, on what evidence, and who said so instead of the rule."""

    criterion: str
    outcome: Outcome
    points: int
    evidence: str
    override: Override | None = None

    @property
    def strength(self) -> str:
        """The strength in words, such as `moderate`; empty without points."""
        return _STRENGTHS.get(abs(self.points), "")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """All criteria of one variant and what they sum to. It classifies nothing."""

    assessments: tuple[Assessment, ...]

    @property
    def points(self) -> int:
        """The sum."""
        return sum(one.points for one in self.met)

    @property
    def met(self) -> list[Assessment]:
        """The criteria that are met."""
        return [one for one in self.assessments if one.outcome is Outcome.MET]

    @property
    def band(self) -> Band:
        """The class that the points suggest; benign where BA1 is met, which stands by itself."""
        if any(one.criterion == _ALONE for one in self.met):
            return Band.BENIGN
        return band_of(self.points)

    @property
    def is_divided(self) -> bool:
        """Whether evidence speaks for both sides: such a sum hides more than it tells."""
        return len({one.points > 0 for one in self.met}) == 2


def band_of(points: int) -> Band:
    """Return the class that a sum of points suggests.

    >>> [str(band_of(points)) for points in (10, 6, 5, 0, -1, -6, -7)][3:]
    ['uncertain significance', 'likely benign', 'likely benign', 'benign']
    """
    if points >= 10:
        return Band.PATHOGENIC
    if points >= 6:
        return Band.LIKELY_PATHOGENIC
    if points >= 0:
        return Band.UNCERTAIN
    return Band.LIKELY_BENIGN if points >= -6 else Band.BENIGN


@cache
def read_criteria() -> Criteria:
    """Return the criteria."""
    text = files("strandline.interpretation").joinpath("criteria.json").read_text()
    return Criteria.model_validate(json.loads(text))


def apply_overrides(suggestion: Suggestion, overrides: Sequence[Override]) -> Suggestion:
    """Return the suggestion with a person's word in place of the rules'; the last on a criterion holds.

    What the rule found stays in the evidence.

    Raises:
        RejectedInputError: `criterion_unknown`, `override_wrong_points`, `override_without_reason`.
    """
    by_criterion = {one.criterion: one for one in overrides}
    for override in overrides:
        _check(override)
    return Suggestion(tuple(_overridden(one, by_criterion.get(one.criterion)) for one in suggestion.assessments))


def _overridden(one: Assessment, override: Override | None) -> Assessment:
    if override is None:
        return one
    outcome = Outcome.MET if override.points else Outcome.NOT_MET
    found = f"{override.why} (found by rule: {one.outcome}; {one.evidence})"
    return replace(one, outcome=outcome, points=override.points, evidence=found, override=override)


def _check(override: Override) -> None:
    criterion = read_criteria().named(override.criterion)
    if abs(override.points) not in {0, *_STRENGTHS} or override.points * criterion.points < 0:
        raise RejectedInputError(
            "override_wrong_points",
            f"{criterion.code} may be given 0, 1, 2, 4 or 8 points towards {criterion.direction.lower()}: correct it",
        )
    if not override.why.strip() or not override.who.strip():
        raise RejectedInputError(
            "override_without_reason", f"{criterion.code} is set by a person: say who, and for what reason"
        )
