"""What a later version of a report changes, and why."""

from dataclasses import dataclass

from strandline.interpretation.knowledge import Knowledge


@dataclass(frozen=True, slots=True)
class Amendment:
    """A version that takes another's place.

    Attributes:
        replaces: the version that is in force until this one is signed.
        previous: SHA-256 of that version's record.
        reason: why, in one line.
        knowledge: what a newer source changed, where that is why.
    """

    replaces: int
    previous: str
    reason: str
    knowledge: Knowledge | None = None
