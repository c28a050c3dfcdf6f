"""Genotypes from likelihoods, against counts by hand. ANA-03, ANA-10."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.variants.joint_genotypes import (
    CallStatus,
    Evidence,
    block_evidence,
    call_copies,
    estimate_frequency,
    judge_call,
    site_quality,
    to_probabilities,
)

REFERENCE, ONE, TWO = [1, 0, 0], [0, 1, 0], [0, 0, 1]
shares = st.floats(1e-30, 1)
LIKELIHOODS = st.lists(st.one_of(st.tuples(shares, shares, shares), st.tuples(shares, shares)), min_size=1, max_size=8)


def test_of_certain_genotypes_the_frequency_is_a_count():
    assert estimate_frequency([REFERENCE, ONE, TWO, REFERENCE]) == pytest.approx(3 / 8)
    assert estimate_frequency([[1, 0], [0, 1]]) == pytest.approx(1 / 2)
    assert estimate_frequency([]) == 0


def test_somebody_whose_reads_say_nothing_does_not_change_the_frequency():
    known = estimate_frequency([ONE, REFERENCE])
    assert estimate_frequency([ONE, REFERENCE, [1, 1, 1]]) == pytest.approx(known, abs=1e-3)


@given(LIKELIHOODS)
def test_frequency_quality_and_copies_stay_within_their_bounds(likelihoods):
    frequency = estimate_frequency(likelihoods)
    assert 0 <= frequency <= 1
    assert 0 <= site_quality(likelihoods, frequency, is_single=True) <= 9999
    for one in likelihoods:
        copies, quality = call_copies(one, frequency)
        assert 0 <= copies < len(one)
        assert 0 <= quality <= 99


def test_a_block_of_ten_reads_leaves_one_in_a_thousand_for_a_missed_heterozygote():
    """Each of ten reads would show the reference with probability a half: 2^-10 is 30 on the Phred scale."""
    assert block_evidence(10).likelihoods[1] == round(-10 * math.log10(0.5**10)) == 30


def test_one_read_in_a_cohort_does_not_make_an_allele():
    weak = [1, 0.5, 0.0]
    assert (
        site_quality([weak, REFERENCE, REFERENCE], estimate_frequency([weak, REFERENCE, REFERENCE]), is_single=True)
        == 0
    )


def test_the_quality_of_a_site_is_what_its_reads_say_less_what_was_to_be_expected():
    """One sample of PL 100,0,100: frequency a half, so a heterozygote has a half; one site in a thousand differs."""
    likelihoods = [to_probabilities(Evidence((100, 0, 100), 30, 15, 15), 2)]
    quality = site_quality(likelihoods, estimate_frequency(likelihoods), is_single=True)
    assert quality == pytest.approx(100 + 10 * math.log10(0.5 * 1e-3), abs=0.2)


@pytest.mark.parametrize(
    ("evidence", "is_callable", "status", "copies"),
    [
        (Evidence((200, 0, 200), 30, 15, 15), True, CallStatus.PASSED, 1),
        (Evidence((200, 0, 200), 30, 15, 15), False, CallStatus.PASSED, 1),
        (Evidence((0, 90, 300), 30, 30, 0), True, CallStatus.PASSED, 0),
        (Evidence((0, 90, 300), 30, 30, 0), False, CallStatus.NOT_CALLABLE, None),
        (Evidence((40, 0, 40), 4, 2, 2), True, CallStatus.LOW_DEPTH, 1),
        (Evidence((5, 0, 40), 10, 9, 1), True, CallStatus.LOW_QUALITY, 1),
        (Evidence((5, 0, 40), 4, 3, 1), True, CallStatus.LOW_DEPTH_AND_QUALITY, 1),
    ],
)
def test_absence_is_only_said_where_the_place_is_callable_and_weak_genotypes_are_marked(
    evidence, is_callable, status, copies
):
    call = judge_call(evidence, 2, 0.5, is_callable=is_callable)
    assert (call.status, call.copies) == (status, copies)


def test_one_chromosome_has_no_heterozygote():
    assert call_copies(to_probabilities(Evidence((200, 0, 150), 30, 15, 15), 1), 0.5)[0] == 1
    assert to_probabilities(Evidence((200, 0, 150), 30, 15, 15), 1) == pytest.approx([1e-5, 1])
