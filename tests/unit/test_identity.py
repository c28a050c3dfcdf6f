"""A sample beside the others of its subject (ANA-05). Kinships by hand from Manichaikul et al. 2010, equation 11."""

import pytest

from strandline.reads.fingerprint import Fingerprint
from strandline.reads.gates import GateThresholds, Verdict, parse_thresholds
from strandline.reads.identity import CODE, check_identity

LIMITS = GateThresholds()


def fingerprint(copies: list[int], reference: str = "b:1") -> Fingerprint:
    return Fingerprint(reference=reference, copies={f"c:{at}:A:G": one for at, one in enumerate(copies)})


ONE = [0, 1, 2, 1] * 50
OTHER = [2, 0, 0, 1] * 50
CHILD = [0, 1, 1, 1] * 25 + [0, 1, 1, 0] * 25
"""Shares an allele with ONE at every site: no two opposite homozygotes, as a child and its parent."""


def test_the_same_person_passes_with_a_kinship_of_a_half():
    found = check_identity(fingerprint(ONE), {"s-1": fingerprint(ONE)}, True, LIMITS)
    assert (found.code, found.verdict, found.measured) == (CODE, Verdict.PASSED, 0.5)


def test_another_person_stops_the_sample_and_the_other_submission_is_named():
    """100 and 50 heterozygous, 50 both, 100 opposite: (50 - 200) / 100 + 1/2 - 150 / 200."""
    found = check_identity(fingerprint(ONE), {"s-1": fingerprint(ONE), "s-2": fingerprint(OTHER)}, True, LIMITS)
    assert (found.verdict, found.measured) == (Verdict.STOPPED, -1.75)
    assert "submission s-2" in found.message
    assert "unrelated" in found.message


def test_a_parents_sample_under_a_childs_name_stops():
    """100 and 125 heterozygous, 75 both, none opposite: 75 / 200 + 1/2 - 225 / 400."""
    found = check_identity(fingerprint(ONE), {"s-1": fingerprint(CHILD)}, True, LIMITS)
    assert (found.verdict, found.measured) == (Verdict.STOPPED, 0.3125)
    assert "first degree" in found.message


def test_a_stage_may_warn_alone():
    limits = parse_thresholds('{"identity_mismatch": "WARN"}')
    assert check_identity(fingerprint(ONE), {"s": fingerprint(OTHER)}, True, limits).verdict is Verdict.WARNED


@pytest.mark.parametrize(
    ("earlier", "declared", "why"),
    [
        ({}, False, "names no subject"),
        ({}, True, "no other sample"),
        ({"s": fingerprint(ONE, "b:2")}, True, "another reference"),
        ({"s": fingerprint(ONE[:99])}, True, "too few common sites"),
    ],
)
def test_where_nothing_can_be_compared_it_is_said_and_no_fault(earlier, declared, why):
    found = check_identity(fingerprint(ONE), earlier, declared, LIMITS)
    assert found.verdict is Verdict.NOT_POSSIBLE
    assert why in found.message
