"""Parts of a genome: every base in one of them, about as many reads in each, and regions respected. ANA-04."""

import gzip
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.regions import Region, merge_regions
from strandline.variants.scattering import (
    MOST_PARTS,
    OVERLAP,
    CallingPlan,
    Slice,
    needed_bytes,
    plan_calling,
    read_crai,
    widen,
)

LENGTHS = {"chr2": 5_000, "chr10": 300, "chrM": 40}


def piece(contig: int, start0: int, size_bytes: int) -> Slice:
    """A slice in a container of its own, somewhere."""
    return Slice(contig, start0, start0 + 100, 1_000 * (start0 + 10_000 * contig), size_bytes)


slices = st.lists(
    st.builds(piece, st.integers(-1, 2), start0=st.integers(0, 4_999), size_bytes=st.integers(1, 1_000)), max_size=30
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
    pieces = [piece(0, 10 * at, size) for at, size in enumerate(sizes)]
    plan = plan_calling(pieces, {"c": length}, None, part_bytes=part_bytes)
    share = sum(sizes) / min(MOST_PARTS, -(-sum(sizes) // part_bytes))
    for part in range(1, len(plan.parts) + 1):
        (region,) = plan.regions_of(part)
        held = sum(piece.size_bytes for piece in pieces if region.start0 <= piece.start0 < region.end0)
        assert held <= share + max(sizes)


def test_a_slice_counts_as_far_as_the_regions_cover_it():
    """Two slices of 100 bytes, the second one under the regions by a tenth: 110 bytes in all, so one part."""
    pieces = [piece(0, 0, 100), piece(0, 1_000, 100)]
    regions = [Region("chr2", 0, 1_000), Region("chr2", 4_600, 5_000)]
    assert len(plan_calling(pieces, LENGTHS, regions, part_bytes=110).parts) == 1
    assert len(plan_calling(pieces, LENGTHS, None, part_bytes=110).parts) == 2


@pytest.mark.parametrize(
    ("part_bytes", "side_by_side", "parts"), [(300, 2, 4), (300, 3, 6), (300, 1, 4), (1_000, 2, 1)]
)
def test_no_part_is_left_to_be_called_alone(part_bytes, side_by_side, parts):
    """A thousand bytes of reads, evenly laid: four parts of 300 bytes, or one of a thousand."""
    even = [piece(0, at, 10) for at in range(0, 5_000, 50)]
    plan = plan_calling(even, LENGTHS, None, part_bytes=part_bytes, side_by_side=side_by_side)
    assert len(plan.parts) == parts


def test_a_plan_reads_back_as_it_was_written():
    plan = plan_calling([piece(0, at, 10) for at in range(0, 5_000, 50)], LENGTHS, None, part_bytes=300)
    assert len(plan.parts) == 4
    assert CallingPlan.model_validate_json(plan.model_dump_json()) == plan


@given(slices, intervals, st.integers(1, 5_000))
def test_a_widened_part_holds_the_part_and_stays_within_the_regions(found, regions, part_bytes):
    plan = plan_calling(found, LENGTHS, regions, part_bytes=part_bytes)
    for part in range(1, len(plan.parts) + 1):
        own = plan.regions_of(part)
        wide = widen(own, LENGTHS, regions)
        assert set(bases(own)) <= set(bases(wide)) <= set(bases(regions))
        assert sorted(wide, key=lambda r: (list(LENGTHS).index(r.contig), r.start0)) == wide
        assert len(wide) == len(merge_regions(wide))


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


@pytest.fixture(scope="module")
def cram(tmp_path_factory):
    """Sixty thousand reads over two contigs and some unmapped ones, in many containers."""
    folder = tmp_path_factory.mktemp("cram")
    fasta = folder / "ref.fa"
    fasta.write_text(f">a\n{'ACGT' * 50_000}\n>b\n{'GATC' * 50_000}\n")
    pysam.faidx(str(fasta), catch_stdout=False)
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": 200_000} for name in "ab"]}
    path = folder / "a.cram"
    with pysam.AlignmentFile(str(path), "wc", header=header, reference_filename=str(fasta)) as sink:
        for number in range(60_000):
            read = pysam.AlignedSegment(sink.header)
            read.query_name, read.query_sequence = f"r{number}", "ACGT" * 10
            read.query_qualities = pysam.qualitystring_to_array("I" * 40)
            if number < 55_000:
                contig, place = divmod(number, 27_500)
                read.reference_id, read.reference_start, read.cigarstring = contig, place * 7, "40M"
                read.mapping_quality = 60
            else:
                read.flag = 4
            sink.write(read)
    pysam.index(str(path), catch_stdout=False)
    return path, fasta


@pytest.mark.parametrize(
    "regions",
    [
        [Region("a", 0, 100)],
        [Region("a", 120_000, 120_001)],
        [Region("a", 190_000, 200_000), Region("b", 0, 5_000)],
        [Region("a", 10, 20), Region("b", 192_000, 200_000)],
    ],
)
def test_some_containers_of_a_cram_are_a_cram_with_every_read_over_the_regions(cram, tmp_path, regions):
    """pysam reads what the ranges make, and finds the reads that it finds in the whole."""
    path, fasta = cram
    index = read_crai(Path(f"{path}.crai").read_bytes())
    body = path.read_bytes()
    ranges = needed_bytes(index, {"a": 200_000, "b": 200_000}, regions, len(body))
    some = tmp_path / "some.cram"
    some.write_bytes(b"".join(body[first:end] for first, end in ranges))
    pysam.index(str(some), catch_stdout=False)

    def names(file: Path) -> list[str]:
        with pysam.AlignmentFile(str(file), reference_filename=str(fasta)) as reads:
            return [read.query_name or "" for region in regions for read in reads.fetch(*bed(region))]

    assert names(some) == names(path) != []
    assert some.stat().st_size < len(body) / 2


def bed(region: Region) -> tuple[str, int, int]:
    return region.contig, region.start0, region.end0
