"""Why a query fails, in Athena's words."""

from dataclasses import dataclass
from typing import Final

NOT_SUPPORTED: Final = "NOT_SUPPORTED"


@dataclass(frozen=True, slots=True)
class AthenaFailure(Exception):  # noqa: N818 - it becomes the AthenaError of a query
    """A query fails.

    `code` is Trino's error name, empty where the words are Athena's own;
    `system` tells a defect of ours from a mistake of the user's."""

    code: str
    message: str
    system: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


def unsupported(what: str) -> AthenaFailure:
    """Return the failure for what Athena can do and the embedded one cannot (yet)."""
    return AthenaFailure(NOT_SUPPORTED, f"the embedded Athena does not run {what}")
