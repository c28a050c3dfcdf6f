"""Read pairs of a real person's two haplotypes, simulated: the truth is known wherever its VCF is right.

The haplotypes are a stretch of a reference with the genotypes of a truth VCF put in; an unphased heterozygote goes to
either side by chance, the same for the same seed. The pairs look like Illumina's: 150 bases, inserts of 350 +- 50,
qualities that fall along the read and hang together within it, and a base of quality q wrong with chance 10^(-q/10).
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import pysam

READ_LENGTH: Final = 150
_INSERT_MEAN: Final = 350
_INSERT_DEVIATION: Final = 50
_LONGEST_INSERT: Final = 700
_BEST_QUALITY: Final = 38.0  # of an average read's first bases
_FALL: Final = (5.0, 8.0)  # how far the mean quality sinks from a read's first to its last base, by mate
_READ_SPREAD: Final = 3.0  # standard deviation of the whole read's quality
_BASE_SPREAD: Final = 2.5  # and of one base's
_POOR_SHARE: Final = 0.015  # bases that fail for themselves
_POOR_QUALITY: Final = 12.0
_LOWEST, _HIGHEST = 2.0, 41.0
_PAIRS_AT_ONCE: Final = 50_000
_SHORTEST_RUN: Final = 8
_SLIPS: Final = 0.003  # of the fragments, in the shortest run
_MORE_SLIPS: Final = 1.4  # times as many with each further base
_MOST_SLIPS: Final = 0.25
_BASES: Final = np.frombuffer(b"ACGT", dtype=np.uint8)
_COMPLEMENT: Final = np.frombuffer(bytes.maketrans(b"ACGT", b"TGCA"), dtype=np.uint8)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a contig, 0-based, half-open."""

    contig: str
    start0: int
    end0: int


@dataclass(frozen=True, slots=True)
class Change:
    """Bases from `start0` (0-based) on that one haplotype has instead of the reference's."""

    start0: int
    ref: str
    alt: str


@dataclass(frozen=True, slots=True)
class Run:
    """Repeats of one base, 0-based."""

    start0: int
    length: int


def simulate_reads(
    reference: Path,
    truth: Path,
    stretch: Stretch,
    *,
    depth: float,
    seed: int,
    first: Path,
    second: Path,
    slippage: bool = False,
) -> int:
    """Write a pair of gzip FASTQ files over a stretch and return the number of pairs.

    Args:
        reference: FASTA with its index.
        truth: VCF of one sample, indexed by tabix; records that overlap one before them on a haplotype are left out.
        stretch: where the reads come from; pairs that touch an N are left out.
        depth: mean number of reads a base, over both haplotypes.
        seed: of all chance; the same seed gives the same bytes.
        first: output, mate 1.
        second: output, mate 2.
        slippage: let runs of 8 bases and more lose or gain a base in some fragments, as amplified libraries do.
    """
    rng = np.random.default_rng(seed)
    with pysam.FastaFile(str(reference)) as fasta:
        bases = fasta.fetch(stretch.contig, stretch.start0, stretch.end0).upper()
    with pysam.VariantFile(str(truth)) as records:
        sides = haplotype_changes(records.fetch(stretch.contig, stretch.start0, stretch.end0), stretch, rng)
    haplotypes = [np.frombuffer(apply_changes(bases, stretch.start0, side).encode(), dtype=np.uint8) for side in sides]
    runs = [find_runs(haplotype) if slippage else [] for haplotype in haplotypes]
    pairs = round(len(bases) * depth / (2 * READ_LENGTH))
    written = 0
    with _open(first) as sink1, _open(second) as sink2:
        for start in range(0, pairs, _PAIRS_AT_ONCE):
            ends = _cut_pairs(haplotypes, runs, min(_PAIRS_AT_ONCE, pairs - start), rng)
            for mate, (sink, cut) in enumerate(zip((sink1, sink2), ends, strict=True)):
                sink.write(_to_fastq(*_sequence(cut, mate, rng), written))
            written += len(ends[0])
    return written


def haplotype_changes(
    records: Iterable[pysam.VariantRecord], stretch: Stretch, rng: np.random.Generator
) -> tuple[list[Change], list[Change]]:
    """Return what each haplotype has instead of the reference, in order, without overlaps."""
    sides: tuple[list[Change], list[Change]] = ([], [])
    free = [stretch.start0, stretch.start0]
    for record in records:
        sample = record.samples[0]
        carried = list(sample["GT"])
        if not sample.phased and rng.random() < 0.5:
            carried.reverse()
        if record.start < stretch.start0 or record.stop > stretch.end0:
            continue
        for side, allele in enumerate(carried):
            if allele and record.alleles and record.start >= free[side]:
                sides[side].append(Change(record.start, record.alleles[0].upper(), record.alleles[allele].upper()))
                free[side] = record.stop
    return sides


def apply_changes(bases: str, start0: int, changes: Iterable[Change]) -> str:
    """Return the haplotype's sequence; `bases` begin at `start0` of the contig.

    >>> apply_changes("ACGTACGT", 100, [Change(101, "C", "T"), Change(103, "TA", "T")])
    'ATGTCGT'
    """
    parts: list[str] = []
    done = 0
    for change in changes:
        at = change.start0 - start0
        parts += [bases[done:at], change.alt]
        done = at + len(change.ref)
    return "".join([*parts, bases[done:]])


def find_runs(haplotype: Bytes) -> list[Run]:
    """Return the runs of one base, 8 bases or longer.

    >>> find_runs(np.frombuffer(b"ACCCCCCCCG", dtype=np.uint8))
    [Run(start0=1, length=8)]
    """
    edges = np.concatenate(([0], np.flatnonzero(np.diff(haplotype)) + 1, [len(haplotype)]))
    lengths = np.diff(edges)
    long = lengths >= _SHORTEST_RUN
    return [Run(int(start0), int(length)) for start0, length in zip(edges[:-1][long], lengths[long], strict=True)]


def _cut_pairs(
    haplotypes: list[Bytes], runs: list[list[Run]], pairs: int, rng: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Cut both ends of fragments, as the machine reads them: one row a read, the second mate's strand turned."""
    inserts = rng.normal(_INSERT_MEAN, _INSERT_DEVIATION, pairs).round().clip(READ_LENGTH, _LONGEST_INSERT).astype(int)
    place = rng.random(pairs)
    of_second = rng.random(pairs) < 0.5
    swap = rng.random(pairs) < 0.5
    forward = np.empty((pairs, READ_LENGTH), dtype=np.uint8)
    backward = np.empty_like(forward)
    for haplotype, slipping, chosen in zip(haplotypes, runs, (~of_second, of_second), strict=True):
        starts = (place[chosen] * (len(haplotype) - inserts[chosen] - 1)).astype(int)
        forward[chosen] = _rows(haplotype, starts, slipping, rng)
        ends = _rows(haplotype, starts + inserts[chosen] - READ_LENGTH, slipping, rng)
        backward[chosen] = _COMPLEMENT[ends[:, ::-1]]
    known = np.isin(forward, _BASES).all(axis=1) & np.isin(backward, _BASES).all(axis=1)
    turned = swap[:, None]
    return np.where(turned, backward, forward)[known], np.where(turned, forward, backward)[known]


def _rows(sequence: Bytes, starts: npt.NDArray[np.int64], runs: list[Run], rng: np.random.Generator) -> Bytes:
    rows = cast("Bytes", sequence[starts[:, None] + np.arange(READ_LENGTH)])
    if not runs:
        return rows
    first = np.searchsorted([run.start0 for run in runs], starts)
    last = np.searchsorted([run.start0 + run.length for run in runs], starts + READ_LENGTH)
    for row in np.flatnonzero(first < last):
        for run in runs[first[row] : last[row]]:
            if rng.random() < min(_MOST_SLIPS, _SLIPS * _MORE_SLIPS ** (run.length - _SHORTEST_RUN)):
                at = run.start0 - starts[row]
                if rng.random() < 0.7:  # a base is lost more often than gained
                    rows[row, at:-1] = rows[row, at + 1 :].copy()
                    rows[row, -1] = sequence[starts[row] + READ_LENGTH]
                else:
                    rows[row, at + 1 :] = rows[row, at:-1].copy()
                break
    return rows


def _sequence(bases: Bytes, mate: int, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Return bases with errors, and Phred qualities. An error is one of the three other bases."""
    along = np.linspace(0.0, 1.0, READ_LENGTH) ** 2
    level = _BEST_QUALITY - rng.gamma(1.0, _READ_SPREAD, (len(bases), 1)) - _FALL[mate] * along
    quality = level + rng.normal(0.0, _BASE_SPREAD, bases.shape)
    quality = np.where(rng.random(bases.shape) < _POOR_SHARE, _POOR_QUALITY, quality).clip(_LOWEST, _HIGHEST).round()
    wrong = rng.random(bases.shape) < 10.0 ** (quality / -10.0)
    code = np.searchsorted(_BASES, bases)
    code[wrong] = (code[wrong] + rng.integers(1, 4, int(wrong.sum()))) % 4
    return _BASES[code], quality.astype(np.uint8)


def _to_fastq(bases: Bytes, qualities: Bytes, number: int) -> bytes:
    letters, marks = bases.tobytes(), (qualities + 33).astype(np.uint8).tobytes()
    return b"".join(
        b"@sim:%d\n%s\n+\n%s\n" % (number + row, letters[at : at + READ_LENGTH], marks[at : at + READ_LENGTH])
        for row, at in enumerate(range(0, len(letters), READ_LENGTH))
    )


def _open(path: Path) -> gzip.GzipFile:
    return gzip.GzipFile(path, "wb", compresslevel=1, mtime=0)
