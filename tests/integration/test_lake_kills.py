"""A loader that is killed. LAK-01: readers see whole samples all the while. benchmarks/lake_kills.py kills fifty."""

import pytest

from benchmarks.lake_kills import kill_loaders


@pytest.mark.slow
def test_readers_see_whole_samples_while_loads_are_killed_and_the_last_load_is_all_there():
    limits = kill_loaders(3, samples=4, longest_s=1.2)
    assert [limit for limit in limits if not limit.is_held] == []
