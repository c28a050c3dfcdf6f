"""Shares of a Batch queue. Weights as the user guide describes them: half the factor, twice the share."""

import pytest

from local_stage.batch.sharing import FairShares, Usage, read_policy


def test_a_share_with_half_the_factor_may_use_twice_as_much_before_it_waits():
    shares = read_policy(
        {"shareDistribution": [{"shareIdentifier": "north", "weightFactor": 0.5}, {"shareIdentifier": "south"}]}
    )
    usage = Usage()
    for share, vcpus in (("north", 8), ("south", 4), ("elsewhere", 4)):
        usage.begin(share, vcpus, now_s=100)
    assert {usage.load(share, shares, now_s=110) for share in ("north", "south", "elsewhere")} == {40.0}


def test_the_longest_prefix_names_the_weight():
    shares = FairShares({"lab*": 2.0, "labA*": 3.0, "labAb": 5.0})
    assert [shares.weight(share) for share in ("labZ", "labAc", "labAb", "other")] == [2.0, 3.0, 5.0, 1.0]


@pytest.mark.parametrize(("now_s", "load"), [(95, 10.0), (100, 20.0), (650, 20.0), (695, 10.0), (700, 0.0)])
def test_what_was_used_counts_for_ten_minutes(now_s, load):
    """Two vCPUs from 90 s to 100 s."""
    usage = Usage()
    end = usage.begin("north", 2, now_s=90)
    if now_s > 95:
        end(100)
    assert usage.load("north", FairShares({}), now_s=now_s) == load
