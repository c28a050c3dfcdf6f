"""Which records are kept how long, by class, as `retention.json` says it; and what a legal hold reaches.

The days themselves are the stage's (`landing_retention_days` and `audit_retention_days` of its configuration), which
the templates put on the buckets as Object Lock: `locked_for` names which of them.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordClass(_Frozen):
    """One class of records: where it lies, what keeps it, and on what grounds.

    Attributes:
        about: what belongs to it.
        bucket: purpose of the bucket.
        prefix: what its keys begin with; a submission's own follow it.
        locked_for: name of the stage's number of days under Object Lock; None where nothing is locked.
        then: what becomes of it afterwards.
        holds: whether a legal hold keeps it beyond its days.
        destroyed_by_command: whether a person may have it destroyed when nothing keeps it any more.
        two_persons: whether another person has to confirm that.
        basis: rule or reason.
    """

    about: str
    bucket: Literal["landing", "analysis", "delivery", "audit", "quarantine", "lake"]
    prefix: str
    locked_for: Literal["landing_retention_days", "audit_retention_days"] | None
    then: str
    holds: bool
    destroyed_by_command: bool = False
    two_persons: bool = False
    basis: str

    def prefix_of(self, submission_id: str) -> str:
        """Return what the keys of one submission begin with.

        >>> record_classes()["releases"].prefix_of("s-1")
        'releases/s-1/'
        """
        return f"{self.prefix}{submission_id}/"


class _Retention(_Frozen):
    classes: Mapping[str, RecordClass]


@cache
def record_classes() -> Mapping[str, RecordClass]:
    """Return the classes by name."""
    text = files("strandline.trust").joinpath("retention.json").read_text()
    return _Retention.model_validate_json(text).classes


def held_classes() -> Mapping[str, RecordClass]:
    """Return the classes that a legal hold keeps."""
    return {name: one for name, one in record_classes().items() if one.holds}
