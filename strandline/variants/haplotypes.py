"""Which two sequences of a short window explain the reads best: genotypes of insertions and deletions.

A caller that weighs one indel at a time against the reference takes a read that ends inside a long insertion for the
reference, and two alleles of one repeat for each other. Here every read is weighed against whole candidate sequences
of the window, and the pair of sequences decides all genotypes in it at once, as Albers et al. 2011
(doi:10.1101/gr.112326.110) do. Reads are laid on without gaps, for short reads seldom have indels of their own: once
from where their alignment enters the window, once from where it leaves it, and the better fit counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
import numpy.typing as npt

FLANK: Final = 30  # bases of a read beside the window that still count
MARGIN: Final = 220  # reference bases beside the window: room for a read's clipped end
_HIGHEST_QUALITY: Final = 40
_LOWEST_QUALITY: Final = 6
_BEST_TO_WORST: Final = 10.0  # a read cannot say more than this (natural logarithm) against a sequence
_UNFIT: Final = 60.0  # a read further than this from every candidate says nothing
_TELLING: Final = 1.0  # a fragment counts for one side where it is e times likelier there
_HIGHEST_PHRED: Final = 999
_SHORTEST_RUN: Final = 6
_SLIPS: Final = 2e-4
_MORE_SLIPS: Final = 1.3  # times as many with each further base
_MOST_SLIPS: Final = 0.1
_VARIANT_COST: Final = 6.9  # one site in a thousand (natural logarithm)
_INDEL_COST: Final = 2.3  # ten times rarer
_MATCH, _MISMATCH, _GAP_OPEN, _GAP_EXTEND = 1, -4, -6, -1  # bwa's scores

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, order=True)
class Allele:
    """A difference from the reference. `start0` is 0-based within the window's reference; no base is shared."""

    start0: int
    ref: str
    alt: str

    @property
    def is_snv(self) -> bool:
        """Whether one base replaces one."""
        return len(self.ref) == len(self.alt) == 1


@dataclass(frozen=True, slots=True)
class LaidRead:
    """Part of a read near the window.

    `starts` holds where its first base lies, as it is anchored at the left and at the right: (distance from the
    beginning of the left margin, or None; distance from the end of the right margin, or None).
    """

    fragment: str
    bases: bytes
    qualities: bytes
    from_left: int | None
    from_right: int | None


@dataclass(frozen=True, slots=True)
class Genotype:
    """Of 0, 1 and 2 copies on the Phred scale, the likeliest 0: `likelihoods` from the reads, `posteriors` with what
    was to be expected beforehand. Depths in fragments that tell sequences with the allele from those without.
    """

    allele: Allele
    likelihoods: tuple[int, int, int]
    posteriors: tuple[int, int, int]
    ref_depth: int
    alt_depth: int

    @property
    def depth(self) -> int:
        """Fragments that tell."""
        return self.ref_depth + self.alt_depth

    @property
    def copies(self) -> int:
        """The likeliest number."""
        return self.posteriors.index(0)

    @property
    def quality(self) -> int:
        """Phred-scaled: how much less likely no copy is than the best."""
        return self.posteriors[0]

    @property
    def genotype_quality(self) -> int:
        """Phred-scaled: how much less likely the second best number of copies is, at most 127."""
        return min(127, sorted(self.posteriors)[1])


def genotype_window(
    reference: str, left: str, right: str, sequences: Sequence[str], reads: Sequence[LaidRead]
) -> list[Genotype]:
    """Return the genotype of every allele of the candidate sequences, in order.

    Args:
        reference: the window's bases.
        left: `MARGIN` reference bases before it.
        right: `MARGIN` reference bases after it.
        sequences: candidates for what a chromosome has between `left` and `right`; the reference is always one.
        reads: near the window.
    """
    candidates = list(dict.fromkeys([reference, *sequences]))
    alleles = [decompose(reference, candidate) for candidate in candidates]
    weights = fragment_likelihoods([left + candidate + right for candidate in candidates], reads)
    pairs = list(combinations_with_replacement(range(len(candidates)), 2))
    from_reads = np.array([_pair_likelihood(weights, one, two) for one, two in pairs])
    expected = [-sum(_cost(allele) for allele in {*alleles[one], *alleles[two]}) for one, two in pairs]
    genotypes = []
    for allele in sorted(set().union(*alleles)):
        having = np.array([allele in carried for carried in alleles])
        copies = np.array([int(having[one]) + int(having[two]) for one, two in pairs])
        difference = weights[:, having].max(axis=1) - weights[:, ~having].max(axis=1)
        genotypes.append(
            Genotype(
                allele=allele,
                likelihoods=_phred(from_reads, copies),
                posteriors=_phred(from_reads + expected, copies),
                ref_depth=int((difference < -_TELLING).sum()),
                alt_depth=int((difference > _TELLING).sum()),
            )
        )
    return genotypes


def fragment_likelihoods(sequences: Sequence[str], reads: Sequence[LaidRead]) -> npt.NDArray[np.float64]:
    """Return log-likelihoods, one row a fragment and one column a sequence, both mates together.

    A row holds differences to its best sequence, none lower than what one read can say; reads that fit none are left
    out.
    """
    longest = max((len(read.bases) for read in reads), default=0)
    width = max(map(len, sequences)) + 2 * longest
    lines = np.zeros((len(sequences), width), dtype=np.uint8)
    for row, sequence in enumerate(sequences):
        lines[row, longest : longest + len(sequence)] = np.frombuffer(sequence.encode(), dtype=np.uint8)
    by_fragment: dict[str, npt.NDArray[np.float64]] = {}
    for read in reads:
        fits = _fits(lines, [len(sequence) for sequence in sequences], longest, read)
        if fits is None:
            continue
        known = by_fragment.get(read.fragment)
        by_fragment[read.fragment] = fits if known is None else known + fits
    if not by_fragment:
        return np.zeros((0, len(sequences)))
    weights = np.array(list(by_fragment.values()))
    weights = np.maximum(weights - weights.max(axis=1, keepdims=True), -_BEST_TO_WORST)
    return np.asarray((weights[:, None, :] + slip_chances(sequences)).max(axis=2))


def slip_chances(sequences: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the logarithm of the chance that a read of the sequence in the row shows the one in the column.

    In a run of one base polymerases lose or add a base, the more often the longer the run: one read in 5,000 in a run
    of six, 1.3 times as many with each further base. Amplified libraries slip more often: with as much here, true
    variants in long runs would be lost, and with none, slips would become variants.
    """
    chances = np.full((len(sequences), len(sequences)), -np.inf)
    np.fill_diagonal(chances, 0.0)
    for row, one in enumerate(sequences):
        for column, two in enumerate(sequences):
            run = _run_between(one, two) if len(one) + 1 == len(two) else 0
            if run >= _SHORTEST_RUN:
                chance = min(_MOST_SLIPS, _SLIPS * _MORE_SLIPS ** (run - _SHORTEST_RUN))
                chances[row, column] = chances[column, row] = np.log(chance)
    return chances


def decompose(reference: str, sequence: str) -> tuple[Allele, ...]:
    """Return what `sequence` has instead of the reference.

    >>> decompose("GATTACA", "GATACC")
    (Allele(start0=2, ref='T', alt=''), Allele(start0=6, ref='A', alt='C'))
    """
    if len(reference) == len(sequence):
        differing = [at for at, (one, two) in enumerate(zip(reference, sequence, strict=True)) if one != two]
        if len(differing) <= 4:
            return tuple(Allele(at, reference[at], sequence[at]) for at in differing)
    end = _shared(reference[::-1], sequence[::-1])
    short = min(len(reference), len(sequence))
    start = min(_shared(reference, sequence), short - end)
    ref, alt = reference[start : len(reference) - end], sequence[start : len(sequence) - end]
    if not ref or not alt:
        return (Allele(start, ref, alt),)
    alleles: list[Allele] = []
    for part in _align(ref, alt):
        lowest = alleles[-1].start0 + len(alleles[-1].ref) if alleles else 0
        alleles.append(_shift_left(replace(part, start0=start + part.start0), reference, lowest))
    return tuple(alleles)


def _fits(lines: Codes, lengths: Sequence[int], padding: int, read: LaidRead) -> npt.NDArray[np.float64] | None:
    bases = np.frombuffer(read.bases, dtype=np.uint8)
    quality = np.frombuffer(read.qualities, dtype=np.uint8).clip(_LOWEST_QUALITY, _HIGHEST_QUALITY)
    penalty = quality * (np.log(10) / 10) + np.log(3)
    rows = np.arange(len(lines))[:, None]
    best = np.full(len(lines), -np.inf)
    for anchor, is_left in ((read.from_left, True), (read.from_right, False)):
        if anchor is None:
            continue
        starts = np.full(len(lines), anchor) if is_left else np.array(lengths) - anchor
        places = (starts + padding)[:, None] + np.arange(len(bases))
        if places.min() < 0 or places.max() >= lines.shape[1]:
            continue
        best = np.maximum(best, -np.asarray((lines[rows, places] != bases) @ penalty))
    top = float(best.max())
    return None if top < -_UNFIT else np.asarray(best - top)


def _run_between(short: str, long: str) -> int:
    """Return how long the run in `long` is that has one base more than in `short`; 0 where they differ otherwise."""
    at = _shared(short, long)
    if long[:at] + long[at + 1 :] != short:
        return 0
    base = long[at]
    return 1 + _shared(long[at + 1 :], base * len(long)) + _shared(long[:at][::-1], base * len(long))


def _pair_likelihood(weights: npt.NDArray[np.float64], one: int, two: int) -> float:
    return float(np.sum(np.logaddexp(weights[:, one], weights[:, two]) - np.log(2)))


def _cost(allele: Allele) -> float:
    return _VARIANT_COST if allele.is_snv else _VARIANT_COST + _INDEL_COST


def _phred(totals: npt.NDArray[np.float64], copies: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    """Return how far the best pair with 0, 1 and 2 copies lies behind the best of all, at most 999."""
    best = [totals[copies == count].max(initial=-np.inf) for count in range(3)]
    none, one, two = (int(min(_HIGHEST_PHRED, round((max(best) - value) * 10 / np.log(10)))) for value in best)
    return none, one, two


def _shift_left(allele: Allele, reference: str, lowest: int) -> Allele:
    """Write an insertion or a deletion as far left as it can be, not before `lowest`."""
    start0, ref, alt = allele.start0, allele.ref, allele.alt
    while not (ref and alt) and start0 > lowest and reference[start0 - 1] == (ref or alt)[-1]:
        start0 -= 1
        ref, alt = (reference[start0] + ref)[: len(ref)], (reference[start0] + alt)[: len(alt)]
    return Allele(start0, ref, alt)


def _shared(one: str, two: str) -> int:
    count = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        count += 1
    return count


def _align(ref: str, alt: str) -> list[Allele]:
    """Global alignment with affine gaps (Gotoh 1982, doi:10.1016/0022-2836(82)90398-9)."""
    rows, columns = len(ref) + 1, len(alt) + 1
    lowest = -(10**6)
    scores = [[[lowest] * columns for _ in range(rows)] for _ in range(3)]  # match, gap in alt, gap in ref
    match, deletion, insertion = scores
    match[0][0] = 0
    for i in range(1, rows):
        deletion[i][0] = _GAP_OPEN + i * _GAP_EXTEND
    for j in range(1, columns):
        insertion[0][j] = _GAP_OPEN + j * _GAP_EXTEND
    for i in range(1, rows):
        for j in range(1, columns):
            step = _MATCH if ref[i - 1] == alt[j - 1] else _MISMATCH
            match[i][j] = step + max(scores[state][i - 1][j - 1] for state in range(3))
            deletion[i][j] = _GAP_EXTEND + max(
                match[i - 1][j] + _GAP_OPEN, deletion[i - 1][j], insertion[i - 1][j] + _GAP_OPEN
            )
            insertion[i][j] = _GAP_EXTEND + max(
                match[i][j - 1] + _GAP_OPEN, insertion[i][j - 1], deletion[i][j - 1] + _GAP_OPEN
            )
    return _trace(ref, alt, scores)


def _trace(ref: str, alt: str, scores: Sequence[Sequence[Sequence[int]]]) -> list[Allele]:
    i, j = len(ref), len(alt)
    state = max(range(3), key=lambda k: scores[k][i][j])
    alleles: list[Allele] = []
    deleted = inserted = ""
    while i or j:
        if state == 0:
            if ref[i - 1] != alt[j - 1]:
                alleles.append(Allele(i - 1, ref[i - 1], alt[j - 1]))
            i, j = i - 1, j - 1
            state = max(range(3), key=lambda k: scores[k][i][j])
            continue
        if state == 1:
            deleted = ref[i - 1] + deleted
            i -= 1
        else:
            inserted = alt[j - 1] + inserted
            j -= 1
        opened = {k: scores[k][i][j] + (0 if k == state else _GAP_OPEN) for k in range(3)}
        following = max(opened, key=lambda k: (opened[k], k == state))
        if following != state:
            alleles.append(Allele(i, deleted, inserted))
            deleted = inserted = ""
        state = following
    if deleted or inserted:
        alleles.append(Allele(0, deleted, inserted))
    return alleles[::-1]
