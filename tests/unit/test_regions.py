"""BED files. Source: BED v1.0 specification (GA4GH)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.regions import Region, merge_regions, parse_regions

CONTIGS = {"chr20": 1000}


def test_intervals_are_zero_based_and_half_open():
    regions = parse_regions(b"track name=x\n# comment\nchr20\t0\t10\tname\n\nchr20 10 1000\n", "r.bed", CONTIGS)
    assert regions == [Region("chr20", 0, 10), Region("chr20", 10, 1000)]
    assert regions[1].length == 990


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"20\t0\t10\n", "contig_not_in_reference"),
        (b"chr20\t0\t1001\n", "region_outside_contig"),
        (b"chr20\t10\t10\n", "regions_invalid"),
        (b"chr20\t-1\t10\n", "regions_invalid"),
        (b"chr20\t1\n", "regions_invalid"),
        (b"# nothing\n", "regions_empty"),
        (b"", "regions_empty"),
        (b"\xff\xfec\x00", "regions_invalid"),
    ],
)
def test_a_wrong_line_is_told_by_its_kind(body, code):
    with pytest.raises(RejectedInputError) as caught:
        parse_regions(body, "r.bed", CONTIGS)
    assert caught.value.code == code


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=20))
def test_merging_keeps_exactly_the_same_bases(pairs):
    regions = [Region("c", start, start + length) for start, length in pairs]
    merged = merge_regions(regions)
    covered = {base for region in regions for base in range(region.start0, region.end0)}
    assert {base for region in merged for base in range(region.start0, region.end0)} == covered
    assert sum(region.length for region in merged) == len(covered)
    assert merge_regions(merged) == merged
