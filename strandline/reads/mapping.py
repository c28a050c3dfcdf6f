"""Where reads went: counts by category, and how far apart the mates of a pair lie. Both from batches of reads.

Sources: SAM 1, section 1.4 (FLAG, TLEN); the library size is Picard's estimate (Lander and Waterman 1988,
doi:10.1016/0888-7543(88)90007-9, turned round).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from strandline.landing.sam.gather import Integers
from strandline.reads.read_batches import (
    DUPLICATE,
    FAILED,
    FIRST,
    MATE_REVERSE,
    MATE_UNMAPPED,
    NOT_PRIMARY,
    PAIRED,
    PROPER_PAIR,
    REVERSE,
    SECOND,
    SECONDARY,
    SUPPLEMENTARY,
    UNMAPPED,
    ReadBatch,
)

LONGEST_INSERT: Final = 2_000
"""Inserts over this are counted, and not in the histogram: what a short-read library does not hold."""

_TRUSTED_MAPQ: Final = 20
_SOFT_CLIP: Final = 4


@dataclass(frozen=True, slots=True)
class MappingCounts:
    """Counts of primary records, which are reads, except the two that say otherwise.

    Attributes:
        reads: all of them.
        first_mates: with FLAG 0x40.
        second_mates: with FLAG 0x80.
        mapped: placed on a contig.
        mapped_surely: with mapping quality 20 or more.
        mapped_nowhere_surely: with mapping quality 0, so that they fit another place as well.
        properly_paired: mapped, with FLAG 0x2.
        mate_unmapped: mapped, the mate not.
        mates_on_two_contigs: mapped, the mate on another contig.
        duplicates: with FLAG 0x400.
        failed: with FLAG 0x200.
        secondary: records beside these, with FLAG 0x100.
        supplementary: records beside these, with FLAG 0x800.
        bases: of all reads.
        soft_clipped_bases: of mapped reads.
        unique_pairs: both mates mapped and no duplicate.
        duplicate_pairs: both mates mapped and duplicates.
    """

    reads: int = 0
    first_mates: int = 0
    second_mates: int = 0
    mapped: int = 0
    mapped_surely: int = 0
    mapped_nowhere_surely: int = 0
    properly_paired: int = 0
    mate_unmapped: int = 0
    mates_on_two_contigs: int = 0
    duplicates: int = 0
    failed: int = 0
    secondary: int = 0
    supplementary: int = 0
    bases: int = 0
    soft_clipped_bases: int = 0
    unique_pairs: int = 0
    duplicate_pairs: int = 0

    def fraction(self, part: int) -> float:
        """Return a count as a fraction of the reads."""
        return part / self.reads if self.reads else 0.0

    @property
    def estimated_library_size(self) -> int | None:
        """Different fragments in the library, estimated from how often one was read twice; None without duplicates."""
        return estimate_library_size(self.unique_pairs + self.duplicate_pairs, self.unique_pairs)


@dataclass(frozen=True, slots=True)
class InsertSizes:
    """Lengths of the fragments of unduplicated pairs on one contig, in bases, from outer end to outer end.

    Attributes:
        histogram: pairs in the FR orientation by length, from 0 to `LONGEST_INSERT` at most.
        longer: FR pairs over `LONGEST_INSERT`.
        forward_reverse: pairs whose mates point at each other (FR), as Illumina's do.
        reverse_forward: pairs whose mates point away from each other (RF).
        same_strand: pairs whose mates point the same way.
    """

    histogram: tuple[int, ...]
    longer: int
    forward_reverse: int
    reverse_forward: int
    same_strand: int

    @property
    def pairs(self) -> int:
        """All pairs that were measured."""
        return self.forward_reverse + self.reverse_forward + self.same_strand

    @property
    def forward_reverse_fraction(self) -> float:
        """FR pairs of all that were measured."""
        return self.forward_reverse / self.pairs if self.pairs else 0.0

    @property
    def median(self) -> float | None:
        """Of the histogram, in bases; None without a pair."""
        return _median(np.array(self.histogram, dtype=np.int64))

    @property
    def median_absolute_deviation(self) -> float | None:
        """The median distance from the median, in bases: half of the fragments are nearer."""
        middle = self.median
        if middle is None:
            return None
        counts = np.array(self.histogram, dtype=np.int64)
        doubled = np.abs(2 * np.arange(len(counts)) - round(2 * middle))  # the median may lie between two lengths
        spread = _median(np.bincount(doubled, weights=counts).astype(np.int64))
        return None if spread is None else spread / 2


class MappingMeter:
    """Counts batches of reads."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(MappingCounts.__dataclass_fields__, 0)
        self._lengths = np.zeros(LONGEST_INSERT + 2, dtype=np.int64)
        self._reverse_forward = self._same_strand = 0

    def add(self, batch: ReadBatch) -> None:
        """Count a batch."""
        flag = batch.flag
        primary = flag & NOT_PRIMARY == 0
        mapped = primary & (flag & UNMAPPED == 0)
        mate_mapped = mapped & (flag & PAIRED != 0) & (flag & MATE_UNMAPPED == 0)
        marked = {
            "reads": primary,
            "first_mates": primary & (flag & FIRST != 0),
            "second_mates": primary & (flag & SECOND != 0),
            "mapped": mapped,
            "mapped_surely": mapped & (batch.mapping_quality >= _TRUSTED_MAPQ),
            "mapped_nowhere_surely": mapped & (batch.mapping_quality == 0),
            "properly_paired": mapped & (flag & (PAIRED | PROPER_PAIR) == (PAIRED | PROPER_PAIR)),
            "mate_unmapped": mapped & (flag & (PAIRED | MATE_UNMAPPED) == (PAIRED | MATE_UNMAPPED)),
            "mates_on_two_contigs": mate_mapped & (batch.next_contig != batch.contig),
            "duplicates": primary & (flag & DUPLICATE != 0),
            "failed": primary & (flag & FAILED != 0),
            "secondary": flag & SECONDARY != 0,
            "supplementary": flag & SUPPLEMENTARY != 0,
            "unique_pairs": mate_mapped & (flag & (FIRST | DUPLICATE) == FIRST),
            "duplicate_pairs": mate_mapped & (flag & (FIRST | DUPLICATE) == (FIRST | DUPLICATE)),
        }
        for name, mask in marked.items():
            self._counts[name] += int(np.count_nonzero(mask))
        self._counts["bases"] += int(batch.base_count[primary].sum())
        clipped = np.repeat(mapped, batch.operation_count) & (batch.operations == _SOFT_CLIP)
        self._counts["soft_clipped_bases"] += int(batch.operation_lengths[clipped].sum())
        self._measure_inserts(batch, mate_mapped & (flag & (DUPLICATE | FAILED) == 0))

    def _measure_inserts(self, batch: ReadBatch, usable: np.ndarray) -> None:
        """Take each pair by the mate with the positive TLEN, which begins the fragment."""
        begins = usable & (batch.next_contig == batch.contig) & (batch.template_length > 0)
        reverse = batch.flag[begins] & REVERSE != 0
        mate_reverse = batch.flag[begins] & MATE_REVERSE != 0
        facing = ~reverse & mate_reverse
        lengths = np.minimum(batch.template_length[begins][facing], LONGEST_INSERT + 1)
        self._lengths += np.bincount(lengths, minlength=LONGEST_INSERT + 2)
        self._reverse_forward += int(np.count_nonzero(reverse & ~mate_reverse))
        self._same_strand += int(np.count_nonzero(reverse == mate_reverse))

    def finish(self) -> tuple[MappingCounts, InsertSizes]:
        """Return what was counted."""
        within = self._lengths[:-1]
        last = int(np.flatnonzero(within)[-1]) if within.any() else -1
        inserts = InsertSizes(
            histogram=tuple(within[: last + 1].tolist()),
            longer=int(self._lengths[-1]),
            forward_reverse=int(self._lengths.sum()),
            reverse_forward=self._reverse_forward,
            same_strand=self._same_strand,
        )
        return MappingCounts(**self._counts), inserts


def estimate_library_size(pairs: int, unique_pairs: int) -> int | None:
    """Return how many different fragments a library holds, where `unique_pairs` of `pairs` were different.

    Solves unique = size (1 - exp(-pairs / size)) by halving. None where no pair was read twice.

    >>> estimate_library_size(1000, 1000) is None
    True
    """
    if not 0 < unique_pairs < pairs:
        return None

    def expected(size: float) -> float:
        return size * -math.expm1(-pairs / size)

    low, high = float(unique_pairs), 2.0 * unique_pairs
    while expected(high) < unique_pairs:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) < unique_pairs else (low, middle)
    return round(low)


def _median(counts: Integers) -> float | None:
    """Return the median of values 0, 1, 2... that occur `counts` times; between two where their number is even."""
    total = int(counts.sum())
    if not total:
        return None
    before = np.cumsum(counts)
    low, high = np.searchsorted(before, ((total - 1) // 2 + 1, total // 2 + 1))
    return float(low + high) / 2
