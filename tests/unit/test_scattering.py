"""Parts of a genome: every base in one of them, about as many reads in each, and regions respected. ANA-04."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.regions import Region, merge_regions
from strandline.variants.scattering import MOST_PARTS, OVERLAP, CallingPlan, Slice, plan_calling, read_crai, widen

LENGTHS = {"chr2": 5_000, "chr10": 300, "chrM": 40}

slices = st.lists(
    st.builds(
        Slice,
        contig=st.integers(0, 2),
        start0=st.integers(0, 4_999),
        size_bytes=st.integers(1, 1_000),
    ),
    max_size=30,
)
intervals = st.lists(
    st.tuples(st.sampled_from(sorted(LENGTHS)), st.integers(0, 4_900), st.integers(1, 100)), min_size=1, max_size=8
).map(
    lambda found: [
        Region(name, start0, min(LENGTHS[name], start0 + length))
        for name, start0, length in found
        if start0 < LENGTHS[name]
    ]
)


def bases(regions):
    return [(region.contig, at) for region in regions for at in range(region.start0, region.end0)]


def all_regions(plan):
    return [region for part in range(1, len(plan.parts) + 1) for region in plan.regions_of(part)]


@given(slices, st.integers(1, 5_000))
def test_every_base_of_the_reference_is_in_one_part_and_the_parts_follow_its_order(found, part_bytes):
    plan = plan_calling(found, LENGTHS, None, part_bytes=part_bytes)
    whole = [Region(name, 0, length) for name, length in LENGTHS.items()]
    assert bases(all_regions(plan)) == bases(whole)


@given(slices, intervals, st.integers(1, 5_000))
def test_every_base_of_the_regions_is_in_one_part_and_nothing_else(found, regions, part_bytes):
    plan = plan_calling(found, LENGTHS, regions, part_bytes=part_bytes)
    planned = bases(all_regions(plan))
    assert len(planned) == len(set(planned))
    assert set(planned) == set(bases(regions))
    assert all(plan.parts)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=40, unique=True), st.integers(1, 5_000))
def test_no_part_holds_more_than_its_share_and_one_slice(sizes, part_bytes):
    length = 10 * len(sizes)
    pieces = [Slice(0, 10 * at, size) for at, size in enumerate(sizes)]
    plan = plan_calling(pieces, {"c": length}, None, part_bytes=part_bytes)
    share = sum(sizes) / min(MOST_PARTS, -(-sum(sizes) // part_bytes))
    for part in range(1, len(plan.parts) + 1):
        (region,) = plan.regions_of(part)
        held = sum(piece.size_bytes for piece in pieces if region.start0 <= piece.start0 < region.end0)
        assert held <= share + max(sizes)


def test_a_slice_counts_as_far_as_the_regions_cover_it():
    """Two slices of 100 bytes, the second one under the regions by a tenth: 110 bytes in all, so one part."""
    pieces = [Slice(0, 0, 100), Slice(0, 1_000, 100)]
    regions = [Region("chr2", 0, 1_000), Region("chr2", 4_600, 5_000)]
    assert len(plan_calling(pieces, LENGTHS, regions, part_bytes=110).parts) == 1
    assert len(plan_calling(pieces, LENGTHS, None, part_bytes=110).parts) == 2


def test_a_plan_reads_back_as_it_was_written():
    plan = plan_calling([Slice(0, at, 10) for at in range(0, 5_000, 50)], LENGTHS, None, part_bytes=300)
    assert len(plan.parts) == 4
    assert CallingPlan.model_validate_json(plan.model_dump_json()) == plan


@given(slices, intervals, st.integers(1, 5_000))
def test_a_widened_part_holds_the_part_and_stays_within_the_regions(found, regions, part_bytes):
    plan = plan_calling(found, LENGTHS, regions, part_bytes=part_bytes)
    for part in range(1, len(plan.parts) + 1):
        own = plan.regions_of(part)
        wide = widen(own, LENGTHS, regions)
        assert set(bases(own)) <= set(bases(wide)) <= set(bases(regions))
        assert wide == merge_regions(wide)


def test_a_part_is_widened_on_both_sides():
    assert widen([Region("c", 10_000, 20_000)], {"c": 1_000_000}, None) == [
        Region("c", 10_000 - OVERLAP, 20_000 + OVERLAP)
    ]


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"0\t1\t2\n"), gzip.compress(b"a\tb\tc\td\te\tf\n"), gzip.compress(b"0\t1\t2")[:-4]],
)
def test_an_index_that_is_none_is_refused(body):
    with pytest.raises(RejectedInputError) as refused:
        read_crai(body)
    assert refused.value.code == "cram_index_invalid"
