"""Records in and records out: a step that may mark calls but not drop them is held to that."""

import gzip
from collections.abc import Sequence
from pathlib import Path


class LostRecordsError(Exception):
    """A step wrote fewer or more records than it was given: a fault of the platform, and no result to show."""


def count_records(vcf: Path) -> int:
    """Return how many records a BGZF VCF holds."""
    with gzip.open(vcf, "rb") as lines:
        return sum(1 for line in lines if not line.startswith(b"#"))


def check_none_is_lost(before: Sequence[Path], after: Path) -> int:
    """Return how many records `after` holds, which are as many as in all of `before`.

    Raises:
        LostRecordsError: where they are not.
    """
    given, written = sum(count_records(path) for path in before), count_records(after)
    if given != written:
        raise LostRecordsError(f"{given} records went in and {written} came out as {after.name}")
    return written
