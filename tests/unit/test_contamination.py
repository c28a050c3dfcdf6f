"""Foreign reads estimated from made-up mixtures whose fraction is known, and by hand. ANA-05."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.reads.contamination import (
    HomozygousSite,
    estimate_contamination,
    estimate_from_homozygous_sites,
)
from strandline.reads.known_sites import KnownSite, SiteCounts

ERROR = 0.001


def mixture(fraction: float, *, sites: int, depth: float, seed: int) -> list[SiteCounts]:
    """Draw two people by Hardy and Weinberg, and the reads of their mixture with errors."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.05, 0.95, sites)
    own, foreign = rng.binomial(2, frequency), rng.binomial(2, frequency)
    reads = rng.poisson(depth, sites)
    others = rng.binomial(reads, fraction)
    alt = rng.binomial(reads - others, own / 2) + rng.binomial(others, foreign / 2)
    ref = reads - alt
    alt_errors, ref_errors = rng.binomial(alt, ERROR), rng.binomial(ref, ERROR)
    swapped = rng.binomial(alt_errors, 1 / 3), rng.binomial(ref_errors, 1 / 3)  # one wrong base in three
    counts = np.stack([ref - ref_errors + swapped[0], alt - alt_errors + swapped[1]]).T.tolist()
    lost = (reads - np.sum(counts, axis=1)).tolist()
    return [
        SiteCounts(KnownSite("c", place, "A", "G", float(frequency[place])), *counts[place], lost[place])
        for place in range(sites)
    ]


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.02, 0.05, 0.1, 0.3])
def test_a_known_mixture_is_found_again(fraction):
    found = estimate_contamination(mixture(fraction, sites=2_000, depth=30, seed=1))
    assert found is not None
    assert found.fraction == pytest.approx(fraction, abs=max(0.005, 0.1 * fraction))
    assert found.lower <= found.fraction <= found.upper
    assert found.site_count == pytest.approx(2_000, abs=5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """95% of 40 is 38; fewer than 33 would come up once in ten thousand times."""
    held = 0
    for seed in range(40):
        found = estimate_contamination(mixture(0.05, sites=300, depth=30, seed=seed))
        held += found.lower <= 0.05 <= found.upper
    assert held >= 33


def test_few_sites_leave_the_estimate_wide():
    few, many = (estimate_contamination(mixture(0.05, sites=sites, depth=30, seed=4)) for sites in (60, 3_000))
    assert few.upper - few.lower > 3 * (many.upper - many.lower)


def test_sites_with_too_few_reads_do_not_count():
    site = KnownSite("c", 0, "A", "G", 0.5)
    assert estimate_contamination([]) is None
    assert estimate_contamination([SiteCounts(site, 4, 0, 0)]) is None
    assert estimate_contamination([SiteCounts(site, 5, 0, 0), SiteCounts(site, 2, 2, 0)]).site_count == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(0, 5)), max_size=30), st.data())
def test_whatever_the_counts_the_estimate_is_a_fraction_within_its_bounds(counts, data):
    frequencies = data.draw(st.lists(st.floats(0.05, 0.95), min_size=len(counts), max_size=len(counts)))
    sites = [
        SiteCounts(KnownSite("c", place, "A", "G", frequency), *reads)
        for place, (reads, frequency) in enumerate(zip(counts, frequencies, strict=True))
    ]
    found = estimate_contamination(sites)
    if found is not None:
        assert 0 <= found.lower <= found.fraction <= found.upper <= 0.5


def test_charr_is_the_mean_of_reference_reads_over_the_reference_frequency():
    """Lu et al. 2023: by hand, (1/50)/0.5 = 0.04, (2/40)/0.25 = 0.2, 0; their mean is 0.08."""
    sites = [HomozygousSite(1, 50, 0.5), HomozygousSite(2, 40, 0.25), HomozygousSite(0, 30, 0.8)]
    assert estimate_from_homozygous_sites(sites) == pytest.approx(0.08)


def test_charr_leaves_out_rare_alleles_and_depths_that_mislead():
    kept = HomozygousSite(1, 100, 0.1)
    left_out = [HomozygousSite(9, 9, 0.5), HomozygousSite(9, 101, 0.5), HomozygousSite(9, 50, 0.09)]
    assert estimate_from_homozygous_sites([kept, *left_out, HomozygousSite(9, 50, 0.91)]) == pytest.approx(0.1)
    assert estimate_from_homozygous_sites(left_out) is None
