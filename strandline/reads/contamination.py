"""Reads of a second person in a sample, as a fraction of all reads: two estimates that share no assumption but one.

`estimate_contamination` is the likelihood of Jun et al. 2012 (doi:10.1016/j.ajhg.2012.09.004, VerifyBamID's FREEMIX):
at each common site the sample's genotype and the other person's are unknown and follow Hardy and Weinberg. It needs
frequencies and no genotypes, so it is known before calling. `estimate_from_homozygous_sites` is CHARR (Lu et al. 2023,
doi:10.1101/2023.06.28.545801): where a sample is homozygous for the other allele, its reference reads came from
elsewhere. Both take it that the contaminant is of the population that the frequencies describe.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from strandline.reads.known_sites import SiteCounts, as_arrays

Floats = npt.NDArray[np.float64]

LOWEST_DEPTH: Final = 5
"""Reads at a site from which on it is counted."""

CHARR_FREQUENCIES: Final = (0.1, 0.9)
CHARR_DEPTHS: Final = (10, 100)
"""The sites that Lu et al. keep: frequency of the reference allele, and depth in reads."""

_HIGHEST: Final = 0.5  # where the two are even, nobody is the sample
_COARSE: Final = np.linspace(0.0, _HIGHEST, 51)
_DROP_AT_95_PERCENT: Final = 1.92  # half of the 95% point of chi-squared with one degree of freedom
_LOWEST_ERROR: Final = 1e-4
_HALVINGS: Final = 40
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Contamination:
    """`fraction` of the reads that another person's are, with the bounds of the 95% likelihood interval.

    `site_count` are sites with enough reads; `error_rate` is the chance that a base reads as the other allele.
    """

    fraction: float
    lower: float
    upper: float
    site_count: int
    error_rate: float


@dataclass(frozen=True, slots=True)
class HomozygousSite:
    """A site where the sample is homozygous for the alternate allele; `ref_frequency` is the population's."""

    ref_reads: int
    depth: int
    ref_frequency: float


def estimate_contamination(counts: Iterable[SiteCounts]) -> Contamination | None:
    """Return the most likely fraction of foreign reads, or None where no site has enough reads.

    Where the error rate cannot be told from the bases that are neither allele, it is 1 in 10,000.
    """
    usable = [one for one in counts if one.depth >= LOWEST_DEPTH]
    if not usable:
        return None
    error = _error_rate(usable)
    ref, alt, frequency = as_arrays(usable)
    genotypes = np.stack([(1 - frequency) ** 2, 2 * frequency * (1 - frequency), frequency**2])

    def likelihood(fraction: float) -> float:
        return _log_likelihood(fraction, ref, alt, genotypes, error)

    values = [likelihood(float(fraction)) for fraction in _COARSE]
    best = int(np.argmax(values))
    low, high = float(_COARSE[max(best - 1, 0)]), float(_COARSE[min(best + 1, len(_COARSE) - 1)])
    for _ in range(_HALVINGS):  # golden section: one top between two neighbours of the grid's best
        first, second = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        low, high = (low, second) if likelihood(first) >= likelihood(second) else (first, high)
    top = max(((low + high) / 2, 0.0, float(_COARSE[best])), key=likelihood)
    least = likelihood(top) - _DROP_AT_95_PERCENT
    return Contamination(
        fraction=round(top, 6),
        lower=round(_cross(likelihood, least, top, 0.0), 6),
        upper=round(_cross(likelihood, least, top, _HIGHEST), 6),
        site_count=len(usable),
        error_rate=round(error, 6),
    )


def estimate_from_homozygous_sites(sites: Sequence[HomozygousSite]) -> float | None:
    """Return CHARR: the mean over the sites of reference reads a read, each divided by the reference's frequency.

    A fraction of foreign reads c brings c times the frequency of the reference allele in reference reads to a site that
    has none of its own. Sites outside of `CHARR_FREQUENCIES` and `CHARR_DEPTHS` are left out; None without any.

    >>> estimate_from_homozygous_sites([HomozygousSite(1, 50, 0.5), HomozygousSite(0, 40, 0.5)])
    0.02
    """
    (rarest, commonest), (shallowest, deepest) = CHARR_FREQUENCIES, CHARR_DEPTHS
    shares = [
        site.ref_reads / site.depth / site.ref_frequency
        for site in sites
        if rarest <= site.ref_frequency <= commonest and shallowest <= site.depth <= deepest
    ]
    return math.fsum(shares) / len(shares) if shares else None


def _error_rate(counts: Sequence[SiteCounts]) -> float:
    """Two of the three wrong bases are neither allele, so half of those are what becomes the other allele."""
    other = sum(one.other for one in counts)
    return max(other / 2 / (other + sum(one.depth for one in counts)), _LOWEST_ERROR)


def _log_likelihood(fraction: float, ref: Floats, alt: Floats, genotypes: Floats, error: float) -> float:
    """Return the log likelihood of the reads; `genotypes` are the chances of 0, 1 and 2 copies, a column a site."""
    terms = []
    for own, foreign in product(range(3), repeat=2):
        copies = ((1 - fraction) * own + fraction * foreign) / 2
        shown = copies * (1 - error) + (1 - copies) * error
        weight = np.log(genotypes[own]) + np.log(genotypes[foreign])
        terms.append(weight + alt * math.log(shown) + ref * math.log1p(-shown))
    return float(np.logaddexp.reduce(np.array(terms), axis=0).sum())


def _cross(likelihood: Callable[[float], float], least: float, inside: float, outside: float) -> float:
    """Return where the likelihood falls to `least` between the top and an end, or the end where it does not."""
    if likelihood(outside) >= least - _SLACK:
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if likelihood(middle) >= least else (inside, middle)
    return inside
