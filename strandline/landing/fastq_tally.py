"""What FASTQ records hold, counted, and what their qualities say of the offset that they were written with.

Source: Cock et al. 2010, doi:10.1093/nar/gkp1137, Table 1 (offsets and ranges of Sanger, Solexa and Illumina 1.3).
"""

from dataclasses import dataclass
from typing import Final

SANGER_OFFSET: Final = 33
SHORT_READ_CEILING: Final = 75  # 'K', quality 42: instruments of short reads write no more from '!' on
OFFSET_64_FLOOR: Final = 59  # ';', quality -5 of Solexa
OFFSET_64_CEILING: Final = 105  # 'i', quality 41


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of records; lengths in bases, qualities as the characters' codes.

    Attributes:
        shortest: None where there is no read; likewise `lowest` and `highest` where there is no quality.
        has_low_read: a read has a quality that an offset of 64 cannot write.
        has_wide_read: a read has qualities that, with either offset, no instrument of short reads writes.
        first_high_read: the first record, from 0, whose qualities are those that an offset of 64 writes.
    """

    reads: int = 0
    bases: int = 0
    gc_bases: int = 0
    shortest: int | None = None
    longest: int = 0
    lowest: int | None = None
    highest: int | None = None
    has_low_read: bool = False
    has_wide_read: bool = False
    first_high_read: int | None = None

    def plus(self, other: "Tally") -> "Tally":
        """Return both together; `other` is of later records."""
        return Tally(
            self.reads + other.reads,
            self.bases + other.bases,
            self.gc_bases + other.gc_bases,
            _least(self.shortest, other.shortest),
            max(self.longest, other.longest),
            _least(self.lowest, other.lowest),
            _most(self.highest, other.highest),
            self.has_low_read or other.has_low_read,
            self.has_wide_read or other.has_wide_read,
            self.first_high_read if self.first_high_read is not None else other.first_high_read,
        )

    @property
    def doubted_offset(self) -> str | None:
        """What the qualities were written with where it looks as if that was not Sanger's offset throughout.

        Long accurate reads have qualities over 42 from '!' on too, but low ones in the same read, or some over 72.
        """
        if self.first_high_read is None or self.has_wide_read:
            return None
        return "offsets 33 and 64 mixed" if self.has_low_read else "offset 64"

    @property
    def lowest_phred(self) -> int:
        """Return the lowest quality, 0 where there is none."""
        return self.lowest - SANGER_OFFSET if self.lowest is not None else 0

    @property
    def highest_phred(self) -> int:
        """Return the highest quality, 0 where there is none."""
        return self.highest - SANGER_OFFSET if self.highest is not None else 0


def _least(one: int | None, two: int | None) -> int | None:
    return min((value for value in (one, two) if value is not None), default=None)


def _most(one: int | None, two: int | None) -> int | None:
    return max((value for value in (one, two) if value is not None), default=None)
