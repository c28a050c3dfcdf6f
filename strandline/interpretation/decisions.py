"""What persons decided of the variants of one sample: `interpretation.json`, beside the calls it is about.

Shape (JSON, UTF-8, at most 1 MiB)::

    {"variants": [{"variant": "chr13:32316461:G:A",
                   "classification": {"band": "pathogenic", "who": "PRACT-7", "when": "2026-11-22T08:30:00Z",
                                      "why": "founder variant"},
                   "overrides": [{"criterion": "PM2", "points": 2, "who": "PRACT-7",
                                  "when": "2026-11-22T08:30:00Z", "why": "absent from our own cohort"}]}]}

`variant` is contig, 1-based position, REF and ALT as in the calls. `who` is the lab's id of a person, never a name.
"""

import json
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from strandline.errors import RejectedInputError
from strandline.interpretation.points import Band, Override, Suggestion, apply_overrides

DECISIONS_LIMIT_BYTES: Final = 1 << 20
_Who = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
_Why = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClassDecision(_Frozen):
    """A person's class of a variant."""

    band: Band
    who: _Who
    when: AwareDatetime
    why: _Why


class OverrideDecision(_Frozen):
    """A person's word on one criterion; `points` 0 is "not met"."""

    criterion: str
    points: int
    who: _Who
    when: AwareDatetime
    why: _Why


class VariantDecision(_Frozen):
    """What was decided of one variant."""

    variant: Annotated[str, StringConstraints(pattern=r"^[^\s:]+:[1-9][0-9]*:[A-Za-z]+:[A-Za-z*]+$")]
    classification: ClassDecision | None = None
    overrides: tuple[OverrideDecision, ...] = ()

    def apply(self, suggestion: Suggestion) -> Suggestion:
        """Return the suggestion with the persons' words in place of the rules'.

        Raises:
            RejectedInputError: as `points.apply_overrides`.
        """
        overrides = [Override(one.criterion, one.points, one.who, one.when, one.why) for one in self.overrides]
        return apply_overrides(suggestion, overrides)


class Decisions(_Frozen):
    """All decisions on one sample."""

    variants: Annotated[tuple[VariantDecision, ...], Field(max_length=2_500)] = ()

    def of(self, variant: str) -> VariantDecision | None:
        """Return what was decided of a variant, None where nothing was."""
        return next((one for one in self.variants if one.variant == variant), None)


def parse_decisions(body: bytes) -> Decisions:
    """Read `interpretation.json`.

    Raises:
        RejectedInputError: `interpretation_too_large`, `interpretation_not_json`, `interpretation_invalid` (naming the
            field, never its value), `interpretation_twice`.
    """
    if len(body) > DECISIONS_LIMIT_BYTES:
        raise RejectedInputError(
            "interpretation_too_large", "an interpretation is over 1 MiB: say less of each variant"
        )
    try:
        decisions = Decisions.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RejectedInputError("interpretation_invalid", f"interpretation, field {where}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise RejectedInputError("interpretation_not_json", "an interpretation is not JSON: correct the file") from None
    names = [one.variant for one in decisions.variants]
    if len(set(names)) < len(names):
        raise RejectedInputError("interpretation_twice", "an interpretation has two entries of one variant: join them")
    return decisions
