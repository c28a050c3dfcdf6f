"""BED files. Source: BED v1.0 specification (GA4GH)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.findings import FindingLog
from strandline.landing.regions import BedSummary, Region, merge_regions, parse_regions, validate_bed

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


def found(body: bytes, contigs: dict[str, int] | None = None) -> tuple[list[str], BedSummary]:
    log = FindingLog("r.bed")
    summary = validate_bed([body[i : i + 7] for i in range(0, len(body), 7)], log, length_by_contig=contigs)
    return list(log.count_by_code), summary


TWELVE = b"chr22\t1000\t5000\ta\t960\t+\t1000\t5000\t0\t2\t567,488,\t0,3512\n"


@pytest.mark.parametrize(
    "body",
    [
        b"chr20\t0\t10\nchr20\t10\t1000\n",
        b"chr20\t0\t10\r\n",
        b"chr20\t0\t10",
        b"# comment\n\n   \nchr20\t0\t10\n",
        b"chr20\t0\t10\tname with blanks\n",
        b"chr20\t0\t10\tn\t1000\t.\t0\t10\t255,0,1\n",
        TWELVE,
        b"chr2\t5\t6\nchr10\t1\t2\n",
    ],
)
def test_a_bed_file_of_the_specification_has_no_finding(body):
    assert found(body)[0] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "regions_empty"),
        (b"# nothing\n", "regions_empty"),
        (b"A" * (2 << 20), "bed_line_too_long"),
        (b"chr\xc3\xbc\t0\t10\n", "bed_not_ascii"),
        (b"chr20\t0\t10\tx\0\n", "bed_control_character"),
        (b"chr20\t0\n", "bed_columns"),
        (b"chr20\t0\t10\nchr20\t10\t20\tx\n", "bed_columns_differ"),
        (b"chr20\t-1\t10\n", "bed_start"),
        (b"chr20\t0\t1e3\n", "bed_end"),
        (b"chr20\t0\t18446744073709551616\n", "bed_end"),
        (b"chr20\t10\t9\n", "bed_end_before_start"),
        (b"chr20\t10\t10\n", "bed_no_bases"),
        (b"chr20\t0\t1001\n", "region_outside_contig"),
        (b"chr21\t0\t10\n", "contig_not_in_reference"),
        (b"chr.20\t0\t10\n", "bed_chrom"),
        (b"track name=x\nchr20\t0\t10\n", "bed_track_line"),
        (b"chr20\t5\t10\nchr20\t0\t4\n", "bed_unsorted"),
        (b"chr20 0 10\n", "bed_separator"),
        (b"chr20\t0\t10\tn\t1\t+\t0\t10\t0\t1\n", "bed_ten_columns"),
        (b"chr20\t0\t10\tn\t1001\n", "bed_score"),
        (b"chr20\t0\t10\tn\t1\tx\n", "bed_strand"),
        (b"chr20\t0\t10\tn\t1\t+\t0\t11\n", "bed_thick"),
        (b"chr20\t0\t10\tn\t1\t+\t0\t10\t1\n", "bed_colour"),
        (TWELVE.replace(b"488", b"487"), "bed_blocks"),
        (TWELVE.replace(b"567", b"3513"), "bed_blocks"),
    ],
)
def test_what_is_wrong_with_a_bed_file_is_told_by_its_rule(body, code):
    assert code in found(body, CONTIGS if b"chr2" in body and b"chr22" not in body else None)[0]


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 100)), min_size=1, max_size=20))
def test_what_can_be_parsed_as_regions_is_accepted_as_bed(pairs):
    body = "".join(f"chr20\t{start}\t{start + length}\n" for start, length in pairs).encode()
    codes, summary = found(body, CONTIGS)
    regions = parse_regions(body, "r.bed", CONTIGS)
    assert set(codes) <= {"bed_unsorted"}
    assert summary == BedSummary(len(regions), sum(region.length for region in regions))
