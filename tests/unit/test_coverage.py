"""Depth counted by hand over a handful of reads."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.landing.regions import Region
from strandline.reads import coverage
from strandline.reads.coverage import measure_coverage, profile_depth, write_bed

LENGTH = 100
HEADER = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": LENGTH}, {"SN": "d", "LN": LENGTH}]}
Read = tuple[int, str, int, int]  # 0-based start, CIGAR, mapping quality, flag

READS: list[Read] = [
    (10, "10M", 60, 0),  # 10 to 19
    (12, "5M2D5M", 60, 0),  # 12 to 16 and 19 to 23
    (12, "10M", 60, pysam.FDUP),
    (12, "10M", 60, pysam.FSECONDARY),
    (12, "10M", 60, pysam.FSUPPLEMENTARY),
    (12, "10M", 60, pysam.FQCFAIL),
    (12, "10M", 19, 0),
    (12, "10M", 0, pysam.FUNMAP),
    (25, "3S2M1I18M", 20, 0),  # 25 to 44; clipped and inserted bases lie nowhere
    (50, "2M10N2M", 60, 0),  # 50, 51, 62, 63
]
# depth at 8 to 29
DEPTHS = [0, 0, 1, 1, 2, 2, 2, 2, 2, 1, 1, 2, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1]


def write_bam(path: Path, reads: Sequence[Read]) -> Path:
    with pysam.AlignmentFile(str(path), "wb", header=HEADER) as sink:
        for number, (start, cigar, quality, flag) in enumerate(sorted(reads)):
            segment = pysam.AlignedSegment(sink.header)
            segment.query_name, segment.flag = f"r{number}", flag
            segment.reference_id, segment.reference_start, segment.mapping_quality = 0, start, quality
            segment.cigarstring = cigar
            segment.query_sequence = "A" * (segment.infer_query_length() or 0)
            sink.write(segment)
    pysam.index(str(path))
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return tmp_path / "unread.fa"  # a BAM is decoded without one


def test_depth_is_of_aligned_bases_of_good_primary_reads(tmp_path, reference):
    """Duplicates, secondary, supplementary, failed, unmapped and badly placed reads do not count; nor deletions."""
    bam = write_bam(tmp_path / "a.bam", READS)
    assert profile_depth(bam, reference, Region("c", 8, 30), bins=22) == DEPTHS
    measured = measure_coverage(bam, reference, [Region("c", 8, 30)])
    assert (measured.analysed_bases, measured.mean_depth) == (22, sum(DEPTHS) / 22)


def test_skipped_reference_has_no_depth(tmp_path, reference):
    bam = write_bam(tmp_path / "a.bam", READS)
    assert profile_depth(bam, reference, Region("c", 48, 66), bins=18) == [0, 0, 1, 1, *[0] * 10, 1, 1, 0, 0]


@pytest.mark.parametrize("window", [1, 7, 1 << 20])
def test_the_size_of_a_window_changes_nothing(tmp_path, reference, monkeypatch, window):
    bam = write_bam(tmp_path / "a.bam", READS * 6)
    monkeypatch.setattr(coverage, "_WINDOW", window)
    measured = measure_coverage(bam, reference, [Region("c", 8, 30)])
    assert measured.mean_depth == pytest.approx(6 * sum(DEPTHS) / 22)
    # 12 reads at 12 to 16 and at 19; 6 elsewhere
    assert measured.callable_regions == (Region("c", 12, 17), Region("c", 19, 20))
    assert measured.callable_bases == 6
    assert measured.fraction_at_10 == 6 / 22
    assert measured.fraction_at_20 == 0


def test_overlapping_regions_count_each_base_once(tmp_path, reference):
    bam = write_bam(tmp_path / "a.bam", READS)
    regions = [Region("c", 20, 30), Region("c", 8, 22), Region("d", 0, 5)]
    measured = measure_coverage(bam, reference, regions)
    assert measured.analysed_bases == 27
    assert measured.mean_depth == sum(DEPTHS) / 27


def test_thresholds_are_reached_at_ten_twenty_and_thirty_reads(tmp_path, reference):
    reads = [(0, "40M", 60, 0)] * 10 + [(10, "30M", 60, 0)] * 10 + [(20, "20M", 60, 0)] * 9 + [(30, "10M", 60, 0)]
    measured = measure_coverage(write_bam(tmp_path / "a.bam", reads), reference, [Region("c", 0, 50)])
    assert (measured.fraction_at_10, measured.fraction_at_20, measured.fraction_at_30) == (0.8, 0.6, 0.2)
    assert measured.callable_regions == (Region("c", 0, 40),)


def test_no_region_measures_nothing(tmp_path, reference):
    measured = measure_coverage(write_bam(tmp_path / "a.bam", []), reference, [])
    assert (measured.analysed_bases, measured.mean_depth, measured.callable_bases) == (0, 0.0, 0)


@settings(max_examples=15, deadline=None)  # each example starts samtools
@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20), st.booleans()), max_size=12),
    st.integers(0, 99).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, LENGTH))),
)
def test_depths_add_up_to_the_bases_inside_the_region(placed, interval):
    """ANA-10."""
    start0, end0 = interval
    with TemporaryDirectory() as folder:
        reads = [(start, f"{length}M", 60 if good else 10, 0) for start, length, good in placed]
        bam = write_bam(Path(folder) / "a.bam", reads)
        measured = measure_coverage(bam, Path("unread.fa"), [Region("c", start0, end0)])
    inside = sum(max(0, min(end0, start + length) - max(start0, start)) for start, length, good in placed if good)
    assert measured.mean_depth * measured.analysed_bases == pytest.approx(inside)


def test_intervals_are_written_as_bed(tmp_path):
    write_bed([Region("c", 0, 9), Region("d", 5, 6)], tmp_path / "out.bed")
    assert (tmp_path / "out.bed").read_bytes() == b"c\t0\t9\nd\t5\t6\n"
