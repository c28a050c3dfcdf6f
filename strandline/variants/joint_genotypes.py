"""Genotypes of several samples at one allele, from what the reads of each say and how common the allele is among them.

A genotype counts copies of the allele: whatever else a chromosome has there, the reference or another allele, is no
copy. So an allele's genotypes do not depend on how many other alleles its site has.

Sources: Li 2011, doi:10.1093/bioinformatics/btr509 (frequency of an allele from genotype likelihoods by expectation
maximisation; genotypes with that frequency as what was to be expected); Watterson 1975,
doi:10.1016/0040-5809(75)90020-9 (how rare it is that a site varies at all).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SINGLE_RATE: Final = 1e-3
"""Differences a base between two human chromosomes: what `haplotypes` expects of a site, too."""
INDEL_RATE: Final = 1e-4
LOWEST_DEPTH: Final = 5
LOWEST_QUALITY: Final = 20
_HIGHEST_QUALITY: Final = 99
_HIGHEST_SITE_QUALITY: Final = 9999.0
_BLOCK_ERROR_PHRED: Final = 30
_BLOCK_HIGHEST: Final = 255
_NATURAL: Final = math.log(10) / 10  # one Phred step as a natural logarithm
_MOST_ROUNDS: Final = 50
_SETTLED: Final = 1e-4


class CallStatus(StrEnum):
    """What a sample's genotype is worth, as FORMAT/FT says it. Only the first four go with a genotype."""

    PASSED = "PASS"
    LOW_DEPTH = "LowDepth"
    LOW_QUALITY = "LowGQ"
    LOW_DEPTH_AND_QUALITY = "LowDepth;LowGQ"
    NOT_CALLABLE = "NotCallable"
    """Analysed, and the reads are too few to say that the allele is absent."""
    NOT_TESTED = "NotTested"
    """Outside of the regions that this sample was analysed in."""
    NO_COPIES = "NoCopies"
    """The person has no such chromosome."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one sample's reads say of one allele.

    `likelihoods` of 0, 1 and 2 copies on the Phred scale, the likeliest 0. Depths in reads or fragments, None where
    only a reference block speaks: then `depth` is the least in the block, and the likelihoods follow from it.
    """

    likelihoods: tuple[int, int, int]
    depth: int
    ref_depth: int | None = None
    alt_depth: int | None = None

    @property
    def is_of_block(self) -> bool:
        """Whether nothing but the depth of a reference block is known."""
        return self.ref_depth is None


@dataclass(frozen=True, slots=True)
class SampleCall:
    """One sample's genotype: `copies` of the allele among `ploidy` chromosomes, None where it is not known."""

    status: CallStatus
    ploidy: int
    copies: int | None = None
    quality: int = 0
    evidence: Evidence | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether the genotype is known well enough to be held against another's."""
        return self.status is CallStatus.PASSED


def block_evidence(depth: int) -> Evidence:
    """Return what a reference block of a least depth says: that many reads show the reference.

    With one copy of another allele each read would show the reference with probability a half, with two only by an
    error (Phred 30).

    >>> block_evidence(10).likelihoods
    (0, 30, 255)
    """
    return Evidence((0, round(depth * 10 * math.log10(2)), min(_BLOCK_HIGHEST, _BLOCK_ERROR_PHRED * depth)), depth)


def estimate_frequency(likelihoods: Sequence[Sequence[float]]) -> float:
    """Return the frequency of an allele among chromosomes, between 0 and 1.

    Args:
        likelihoods: of each sample with a known genotype, by number of copies from 0 to its ploidy; not logarithms.

    >>> estimate_frequency([[1, 0, 0], [0, 1, 0], [0, 1]])
    0.4
    """
    chromosomes = sum(len(one) - 1 for one in likelihoods)
    if not chromosomes:
        return 0.0
    frequency = 0.5
    for _ in range(_MOST_ROUNDS):
        expected = 0.0
        for one in likelihoods:
            weights = [value * _expected(copies, len(one) - 1, frequency) for copies, value in enumerate(one)]
            total = sum(weights)
            expected += sum(copies * weight for copies, weight in enumerate(weights)) / total if total else 0.0
        before, frequency = frequency, expected / chromosomes
        if abs(frequency - before) < _SETTLED:
            break
    return round(frequency, 6)


def site_quality(likelihoods: Sequence[Sequence[float]], frequency: float, *, is_single: bool) -> float:
    """Return on the Phred scale how much less likely it is that nobody has the allele; 0 where that is likelier.

    Before reads are looked at, a site varies among n chromosomes with probability rate x (1 + 1/2 ... + 1/(n-1)).
    """
    chromosomes = sum(len(one) - 1 for one in likelihoods)
    rate = (SINGLE_RATE if is_single else INDEL_RATE) * sum(1 / k for k in range(1, max(2, chromosomes)))
    gained = 0.0
    for one in likelihoods:
        seen = sum(value * _expected(copies, len(one) - 1, frequency) for copies, value in enumerate(one))
        gained += math.log(max(seen, 1e-300)) - math.log(max(one[0], 1e-300))
    return round(min(_HIGHEST_SITE_QUALITY, max(0.0, (gained + math.log(rate)) / _NATURAL)), 1)


def call_copies(likelihoods: Sequence[float], frequency: float) -> tuple[int, int]:
    """Return the likeliest number of copies, and its Phred-scaled quality: how much less likely any other is.

    >>> call_copies([0.001, 1.0, 0.001], 0.5)
    (1, 30)
    """
    weights = [value * _expected(copies, len(likelihoods) - 1, frequency) for copies, value in enumerate(likelihoods)]
    best = max(range(len(weights)), key=lambda copies: weights[copies])
    total, others = sum(weights), sum(weights) - weights[best]
    if total <= 0:
        best = max(range(len(likelihoods)), key=lambda copies: likelihoods[copies])
        return best, 0
    quality = _HIGHEST_QUALITY if others <= 0 else int(min(_HIGHEST_QUALITY, -10 * math.log10(others / total)))
    return best, quality


def to_probabilities(evidence: Evidence, ploidy: int) -> list[float]:
    """Return likelihoods by copies from 0 to the ploidy; one copy of one chromosome reads as two of two.

    >>> to_probabilities(Evidence((0, 10, 20), 5), 1)
    [1.0, 0.01]
    """
    none, one, two = evidence.likelihoods
    phred = (none, two) if ploidy == 1 else (none, one, two)
    return [10 ** (-(value - min(phred)) / 10) for value in phred]


def judge_call(evidence: Evidence, ploidy: int, frequency: float, *, is_callable: bool) -> SampleCall:
    """Return the genotype of one sample; that an allele is absent is only said where the place is callable."""
    copies, quality = call_copies(to_probabilities(evidence, ploidy), frequency)
    if not copies and not is_callable:
        return SampleCall(CallStatus.NOT_CALLABLE, ploidy, evidence=evidence)
    shallow, uncertain = evidence.depth < LOWEST_DEPTH, quality < LOWEST_QUALITY
    status = {
        (False, False): CallStatus.PASSED,
        (True, False): CallStatus.LOW_DEPTH,
        (False, True): CallStatus.LOW_QUALITY,
        (True, True): CallStatus.LOW_DEPTH_AND_QUALITY,
    }[shallow, uncertain]
    return SampleCall(status, ploidy, copies, quality, evidence)


def _expected(copies: int, ploidy: int, frequency: float) -> float:
    """Return how likely so many copies are of chromosomes drawn by themselves (Hardy and Weinberg)."""
    return math.comb(ploidy, copies) * frequency**copies * (1 - frequency) ** (ploidy - copies)
