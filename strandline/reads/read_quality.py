"""What the sequencer wrote: base qualities along the reads, bases, lengths, adapters, repeated sequences, by mate.

Measured from the primary records of the CRAM, which hold every read whole (soft clips stay in SEQ): the pass that
measures coverage sees them anyway, and the FASTQ is not read again. Nothing is trimmed on this platform, so there is
one table, not one before and one after. The measures are those of fastp (Chen et al. 2018,
doi:10.1093/bioinformatics/bty560) and FastQC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from strandline.landing.sam.gather import Bytes, Integers, gather_rows
from strandline.reads.read_batches import BASE_CODES, NOT_PRIMARY, REVERSE, SECOND, ReadBatch

ADAPTERS: Final = {
    "Illumina TruSeq": "AGATCGGAAGAG",
    "Nextera": "CTGTCTCTTATA",
    "Illumina small RNA": "TGGAATTCTCGG",
}
"""First bases of the adapters that a read runs into where its fragment is short. Source: FastQC's adapter list."""

LONGEST_CYCLE: Final = 1_000
"""Cycles after this count as it."""

REPEATED_SHARE: Final = 0.001
"""Share of the reads from which on one beginning counts as over-represented, as in FastQC."""

COMPARED_BASES: Final = 32
_QUALITIES: Final = 64
_SAMPLED: Final = 200_000  # beginnings of reads kept at most, evenly over the file
_FEWEST_REPEATS: Final = 10
_MOST_REPEATED: Final = 20
_KINDS: Final = 5  # A, C, G, T and others
_KIND_OF_CODE: Final = np.full(16, 4, dtype=np.uint8)
_KIND_OF_CODE[[BASE_CODES.index(base) for base in "ACGT"]] = [0, 1, 2, 3]
_COMPLEMENT_KIND: Final = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
_C: Final = np.uint8(1)
_G: Final = np.uint8(2)
_UNKNOWN: Final = 4
_ADAPTER_KINDS: Final = {
    name: np.array(["ACGT".index(base) for base in adapter], dtype=np.uint8) for name, adapter in ADAPTERS.items()
}


@dataclass(frozen=True, slots=True)
class RepeatedSequence:
    """A beginning that more reads share than chance explains; `share` of the sampled reads, between 0 and 1."""

    sequence: str
    share: float


@dataclass(frozen=True, slots=True)
class MateQuality:
    """Of the first or of the second mates. Fractions are between 0 and 1; lists have an entry a cycle (base) from 1.

    Attributes:
        reads: number of reads.
        bases: number of bases.
        q20_fraction: bases with quality 20 or more.
        q30_fraction: bases with quality 30 or more.
        gc_fraction: G and C of A, C, G and T.
        unknown_fraction: bases that are none of A, C, G and T.
        mean_quality_by_cycle: arithmetic mean of the qualities, Phred scale.
        lowest_decile_by_cycle: quality that nine of ten bases reach.
        base_fractions_by_cycle: A, C, G, T and others.
        reads_by_length: number of reads with 0, 1, 2... bases.
        reads_by_gc_percent: number of reads with 0 to 100% G and C, rounded.
        adapter_fraction_by_cycle: reads in which an adapter has begun by then, by the adapter's name.
        repeated: over-represented beginnings, most frequent first.
    """

    reads: int
    bases: int
    q20_fraction: float
    q30_fraction: float
    gc_fraction: float
    unknown_fraction: float
    mean_quality_by_cycle: tuple[float, ...]
    lowest_decile_by_cycle: tuple[int, ...]
    base_fractions_by_cycle: tuple[tuple[float, float, float, float, float], ...]
    reads_by_length: tuple[int, ...]
    reads_by_gc_percent: tuple[int, ...]
    adapter_fraction_by_cycle: dict[str, tuple[float, ...]]
    repeated: tuple[RepeatedSequence, ...]

    @property
    def adapter_fraction(self) -> float:
        """Reads that run into the adapter found most often."""
        return max((shares[-1] for shares in self.adapter_fraction_by_cycle.values() if shares), default=0.0)


class ReadQualityMeter:
    """Counts batches of reads: the first mates, with unpaired reads, and the second ones apart."""

    def __init__(self) -> None:
        self._mates = (_Mate(), _Mate())

    def add(self, batch: ReadBatch) -> None:
        """Count a batch."""
        primary = batch.flag & NOT_PRIMARY == 0
        second = batch.flag & SECOND != 0
        for mate, chosen in zip(self._mates, (primary & ~second, primary & second), strict=True):
            if chosen.any():
                mate.add(batch, np.flatnonzero(chosen))

    def finish(self) -> tuple[MateQuality, MateQuality]:
        """Return what was counted of the first and of the second mates."""
        return self._mates[0].finish(), self._mates[1].finish()


class _Mate:
    def __init__(self) -> None:
        self._by_cycle = np.zeros((LONGEST_CYCLE, _QUALITIES, _KINDS), dtype=np.int64)
        self._by_length = np.zeros(1, dtype=np.int64)
        self._by_gc = np.zeros(101, dtype=np.int64)
        self._adapters = {name: np.zeros(LONGEST_CYCLE, dtype=np.int64) for name in ADAPTERS}
        self._sample = _Sample()

    def add(self, batch: ReadBatch, chosen: Integers) -> None:
        """Count reads, those of one length at a time: they make a matrix with a column a cycle."""
        lengths = batch.base_count[chosen]
        counts = np.bincount(lengths)
        self._by_length = np.pad(self._by_length, (0, max(0, len(counts) - len(self._by_length))))
        self._by_length[: len(counts)] += counts
        for length in np.flatnonzero(counts).tolist():
            if length:
                some = chosen[lengths == length]
                bases, qualities = (
                    gather_rows(of_all, batch.first_base[some], length) for of_all in (batch.bases, batch.qualities)
                )
                self._add_matrix(bases, qualities, batch.flag[some] & REVERSE != 0)

    def _add_matrix(self, bases: Bytes, qualities: Bytes, reverse: npt.NDArray[np.bool_]) -> None:
        """Count reads of one length; those on the reverse strand are turned back to how they were sequenced."""
        kinds = _KIND_OF_CODE.take(bases)
        kinds[reverse] = _COMPLEMENT_KIND.take(kinds[reverse, ::-1])
        qualities[reverse] = qualities[reverse, ::-1]
        qualities[qualities >= _QUALITIES] = 0  # 255 says that there is none
        length = bases.shape[1]
        cycles = np.minimum(np.arange(length), LONGEST_CYCLE - 1) * (_QUALITIES * _KINDS)
        pairs = qualities.astype(np.int64)
        pairs *= _KINDS
        pairs += kinds
        pairs += cycles
        counted = np.bincount(pairs.ravel())
        self._by_cycle.reshape(-1)[: len(counted)] += counted
        is_gc = kinds - _C <= _G - _C  # below _C it is a large number: these are unsigned
        gc = np.add.reduce(is_gc.view(np.uint8), axis=1, dtype=np.int64)
        self._by_gc += np.bincount((200 * gc + length) // (2 * length), minlength=101)
        self._find_adapters(kinds)
        self._sample.add(kinds)

    def _find_adapters(self, kinds: Bytes) -> None:
        text, length = kinds.ravel(), kinds.shape[1]
        fours = _four_at_a_time(text)
        for name, adapter in _ADAPTER_KINDS.items():
            begun = _occurrences(text, fours, adapter)
            begun = begun[begun % length <= length - len(adapter)]  # within one read
            _, first = np.unique(begun // length, return_index=True)  # in order, so the first of each read
            cycles = np.minimum(begun[first] % length, LONGEST_CYCLE - 1)
            self._adapters[name] += np.bincount(cycles, minlength=LONGEST_CYCLE)

    def finish(self) -> MateQuality:
        reads = int(self._by_length.sum())
        by_cycle = self._by_cycle.sum(axis=(1, 2))
        length = int(np.count_nonzero(by_cycle))
        quality, bases = self._by_cycle[:length].sum(axis=2), self._by_cycle[:length].sum(axis=1)
        depth = by_cycle[:length, None]
        total = int(by_cycle.sum())
        known = int(bases[:, :_UNKNOWN].sum())
        reached = np.cumsum(quality[:, ::-1], axis=1)[:, ::-1] >= 0.9 * depth
        return MateQuality(
            reads=reads,
            bases=total,
            q20_fraction=float(quality[:, 20:].sum()) / total if total else 0.0,
            q30_fraction=float(quality[:, 30:].sum()) / total if total else 0.0,
            gc_fraction=float(bases[:, 1:3].sum()) / known if known else 0.0,
            unknown_fraction=(total - known) / total if total else 0.0,
            mean_quality_by_cycle=_rounded(quality @ np.arange(_QUALITIES) / by_cycle[:length], 2),
            lowest_decile_by_cycle=tuple((reached.sum(axis=1) - 1).tolist()),
            base_fractions_by_cycle=tuple(tuple(row) for row in np.round(bases / depth, 4).tolist()),
            reads_by_length=tuple(self._by_length.tolist()),
            reads_by_gc_percent=tuple(self._by_gc.tolist()),
            adapter_fraction_by_cycle={
                name: _rounded(np.cumsum(begun[:length]) / max(reads, 1), 6) for name, begun in self._adapters.items()
            },
            repeated=tuple(self._sample.repeated()),
        )


class _Sample:
    """Beginnings of reads, evenly over the file: where too many were kept, every second one goes."""

    def __init__(self) -> None:
        self._kept = np.zeros(0, dtype=np.uint64)
        self._step = 1
        self._seen = 0

    def add(self, kinds: Bytes) -> None:
        numbers = self._seen + np.arange(len(kinds))
        self._seen += len(kinds)
        if kinds.shape[1] < COMPARED_BASES:
            return
        begun = kinds[numbers % self._step == 0, :COMPARED_BASES]
        known = (begun < _UNKNOWN).all(axis=1)
        weights = np.uint64(1) << (2 * np.arange(COMPARED_BASES - 1, -1, -1)).astype(np.uint64)
        self._kept = np.append(self._kept, (begun[known] * weights).sum(axis=1, dtype=np.uint64))
        while len(self._kept) > _SAMPLED:
            self._kept, self._step = self._kept[::2], 2 * self._step

    def repeated(self) -> Iterator[RepeatedSequence]:
        codes, counts = np.unique(self._kept, return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:_MOST_REPEATED].tolist():
            share = float(counts[place]) / len(self._kept)
            if share >= REPEATED_SHARE and counts[place] >= _FEWEST_REPEATS:
                yield RepeatedSequence(_to_letters(int(codes[place])), round(share, 6))


def _four_at_a_time(kinds: Bytes) -> Bytes:
    """Return for each base but the last three the number that it and the next three make; one with an N means nothing.

    >>> _four_at_a_time(np.array([0, 1, 2, 3, 0], dtype=np.uint8)).tolist()
    [27, 108]
    """
    twos: Bytes = np.bitwise_or(np.left_shift(kinds[:-1], 2), kinds[1:], dtype=np.uint8)
    fours: Bytes = np.bitwise_or(np.left_shift(twos[:-2], 4), twos[2:], dtype=np.uint8)
    return fours


def _occurrences(kinds: Bytes, fours: Bytes, wanted: Bytes) -> Integers:
    """Return where `wanted`, of four bases or more, begins in `kinds`, of which `fours` are made."""
    is_begun = fours[: max(0, len(kinds) - len(wanted) + 1)] == _four_at_a_time(wanted[:4])[0]
    begun: Integers = np.flatnonzero(is_begun)
    for at, kind in enumerate(wanted.tolist()):
        begun = begun[kinds[begun + at] == kind]
    return begun


def _rounded(values: npt.NDArray[np.float64], digits: int) -> tuple[float, ...]:
    return tuple(np.round(values, digits).tolist())


def _to_letters(code: int) -> str:
    return "".join("ACGT"[code >> (2 * place) & 3] for place in range(COMPARED_BASES - 1, -1, -1))
