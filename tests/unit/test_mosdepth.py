"""Coverage by mosdepth: its command line, and its outputs as a sample's coverage. ANA-05, ANA-10.

The outputs are those of mosdepth 0.3.3 for HG002 (20:9,999,900-10,100,050) and the examples of its README.
"""

import gzip
import shutil
import stat
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.landing.regions import Region, merge_regions
from strandline.reads import mosdepth
from strandline.reads.coverage import CoverageMeter
from strandline.reads.measurement import NamedRegion, Wanted, count_alignment
from strandline.reads.mosdepth import (
    coverage_tool,
    cut_apart,
    measure_by_mosdepth,
    mosdepth_command,
    overlap,
    read_deep,
    read_histogram,
    read_pieces,
    read_total,
    settle_coverage,
)
from strandline.reads.read_batches import open_batches
from tests.unit.placed_reads import Placed, write_bam

README_THRESHOLDS = """#chrom	start	end	region	1X	10X	20X	30X
1	11869	12227	ENSE00002234944	358	157	110	0
1	11874	12227	ENSE00002269724	353	127	10	0
1	12010	12057	ENSE00001948541	47	8	0	0
1	12613	12721	ENSE00003582793	108	0	0	0"""
SUMMARY = """chrom	length	bases	mean	min	max
20	63025520	3029706	0.048071	0	55
20_region	100150	3027998	30.234628	0	55
total	63025520	3029706	0.048071	0	55
total_region	100150	3027998	30.234628	0	55"""
REGIONS = """20	9999900	10000100	29.965000
20	10000100	10050000	30.678497
20	10050000	10100050	29.793167
21	100	200	0.000000"""
THRESHOLDS = """#chrom	start	end	region	20X
20	9999900	10000100	unknown	166
20	10000100	10050000	unknown	47671
20	10050000	10100050	unknown	47872
21	100	200	unknown	0"""
QUANTIZED = """1	0	249250621	0:10
20	0	9999889	0:10
20	9999889	10006819	10:inf
20	10006819	10006823	0:10
20	10006823	10008146	10:inf"""


def test_mosdepth_is_asked_for_what_this_platform_counts():
    """`mosdepth --help`, 0.3.3; 3844 is unmapped, not primary, failed, duplicate; over four threads nothing is won."""
    command = mosdepth_command(Path("/s/a.cram"), Path("/r/r.fa"), Path("/s/p.bed"), Path("/s/m"), threads=16)
    assert command == [
        *("env", "MOSDEPTH_PRECISION=6", "mosdepth", "--threads", "4", "--fasta", "/r/r.fa", "--no-per-base"),
        *("--by", "/s/p.bed", "--thresholds", "20", "--quantize", "0:10:", "--flag", "3844", "--mapq", "20"),
        *("/s/m", "/s/a.cram"),
    ]


def test_the_example_of_the_readme_says_how_many_bases_reach_twenty_reads():
    """The columns are found by their names, whatever thresholds were asked for."""
    lines = README_THRESHOLDS.splitlines()
    means = ["\t".join([*line.split("\t")[:4], "7.50"]) for line in lines[1:]]  # named rows have the mean in column 5
    found = read_pieces(means, lines)
    assert [(one.region.start0, one.bases_at_20) for one in found.values()] == [
        *((11869, 110), (11874, 10), (12010, 0), (12613, 0)),
    ]
    assert found[Region("1", 12010, 12057)].depth_sum == 352  # 47 bases of 7.5 are 352.5; halves go to the even


def test_means_are_sums_again():
    found = read_pieces(REGIONS.splitlines(), THRESHOLDS.splitlines())
    assert [one.depth_sum for one in found.values()] == [5993, 1530857, 1491148, 0]
    assert sum(one.depth_sum for one in found.values()) == 3027998  # as the summary says


def test_the_total_of_a_summary_is_of_contigs_with_reads_alone():
    assert read_total(SUMMARY.splitlines()) == (100_150, 3_027_998)  # without the 100 bases of chromosome 21
    assert read_total(SUMMARY.splitlines()[:1]) == (0, 0)


def test_a_distribution_becomes_bases_at_each_depth():
    """README: the share of bases at each depth or more, down to depth 0 with 1.0; a depth may be missing."""
    lines = ["1\t3\t0.9", "total\t5\t0.100000", "total\t3\t0.200000", "total\t1\t0.950000", "total\t0\t1.000000"]
    assert read_histogram(lines, 100, 150) == (55, 75, 0, 10, 0, 10)
    assert read_histogram([], 0, 7) == (7,)


def test_deep_stretches_are_cut_to_what_was_analysed():
    deep = list(read_deep(QUANTIZED.splitlines()))
    assert deep == [Region("20", 9_999_889, 10_006_819), Region("20", 10_006_823, 10_008_146)]
    assert overlap(
        deep, [Region("1", 0, 9), Region("20", 9_999_900, 10_000_100), Region("20", 10_000_100, 10_007_000)]
    ) == [
        Region("20", 9_999_900, 10_006_819),
        Region("20", 10_006_823, 10_007_000),
    ]


regions = st.builds(
    lambda contig, start0, length: Region(contig, start0, start0 + length),
    *(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 20)),
)


def bases(found) -> list[tuple[str, int]]:
    return sorted((one.contig, at) for one in found for at in range(one.start0, one.end0))


@given(st.lists(regions, max_size=4), st.lists(regions, max_size=4))
def test_pieces_are_what_was_analysed_and_every_interval_is_made_of_whole_ones(analysed, tallied):
    whole = merge_regions(analysed)
    pieces = cut_apart(whole, tallied)
    assert bases(pieces) == bases(whole)  # each base once
    for one in tallied:
        inside = [piece for piece in pieces if piece.contig == one.contig and one.start0 <= piece.start0 < one.end0]
        assert bases(inside) == sorted(set(bases([one])) & set(bases(whole)))


@given(st.lists(regions, max_size=5), st.lists(regions, max_size=4))
def test_what_both_have_is_what_both_have(stretches, analysed):
    found = overlap(merge_regions(stretches), merge_regions(analysed))
    assert bases(found) == sorted(set(bases(stretches)) & set(bases(analysed)))


LENGTHS = {"a": 400, "b": 300}
ANALYSED = (Region("a", 10, 390), Region("b", 0, 50))  # nothing lies on b
NAMED = NamedRegion("exon", Region("a", 100, 200))
READS = [
    *[Placed(at, "100M", bases="A" * 100) for at in (0, 20, 40, 60, 80, 100) for _ in range(4)],
    Placed(90, "20M10D20M", bases="A" * 40),
    Placed(90, "100M", bases="A" * 100, flag=0x400),
    Placed(90, "100M", bases="A" * 100, mapq=19),
]


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    bam, fasta = write_bam(tmp_path / "a.bam", READS, LENGTHS), tmp_path / "r.fa"
    pysam.index(str(bam))
    fasta.write_text("".join(f">{name}\n{'A' * length}\n" for name, length in LENGTHS.items()))
    pysam.faidx(str(fasta))
    return bam, fasta


WANTED = Wanted(ANALYSED, (NAMED,), (), None)


@pytest.mark.parametrize("broken", [False, True], ids=["not there", "cannot start"])
def test_without_mosdepth_the_own_count_stands_and_says_so(files, tmp_path, monkeypatch, broken):
    """Debian's package does not bring the library that the program opens: it says so and ends with 1."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if broken:
        (tmp_path / "mosdepth").write_text("#!/bin/sh\necho 'could not load: libhts.so' >&2\nexit 1\n")
        (tmp_path / "mosdepth").chmod(stat.S_IRWXU)
    counts = count_alignment(*files, WANTED)
    settled, tool = settle_coverage(counts, WANTED, lambda: pytest.fail("nothing is fetched"), tmp_path, threads=1)
    assert settled is counts
    assert tool == coverage_tool()
    assert tool.startswith("own count, reads decoded by samtools 1.")
    assert "(pysam " in tool


STAND_IN = """#!/bin/sh
[ "$1" = --version ] && { echo "mosdepth 0.3.11"; exit; }
while [ $# -gt 2 ]; do shift; done
cp {outputs}/* $(dirname $1)
"""


def test_with_mosdepth_its_coverage_takes_the_place_of_the_own_count(files, tmp_path, monkeypatch):
    folder, outputs, scratch = (tmp_path / name for name in ("bin", "outputs", "scratch"))
    for one in (folder, outputs, scratch):
        one.mkdir()
    (folder / "mosdepth").write_text(STAND_IN.replace("{outputs}", str(outputs)))
    (folder / "mosdepth").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    written = {
        "regions.bed.gz": "a\t10\t100\t12.0\na\t100\t200\t30.0\na\t200\t390\t1.0\nb\t0\t50\t0.0\n",
        "thresholds.bed.gz": "#chrom\tstart\tend\tregion\t20X\na\t10\t100\tunknown\t0\na\t100\t200\tunknown\t90\n",
        "quantized.bed.gz": "a\t0\t50\t0:10\na\t50\t200\t10:inf\na\t200\t400\t0:10\nb\t0\t300\t0:10\n",
    }
    for name, body in written.items():
        (outputs / f"mosdepth.{name}").write_bytes(gzip.compress(body.encode()))
    (outputs / "mosdepth.mosdepth.summary.txt").write_text("chrom\tlength\ntotal_region\t380\t4270\t11.2\t0\t30\n")
    (outputs / "mosdepth.mosdepth.region.dist.txt").write_text("total\t30\t0.25\ntotal\t1\t0.75\ntotal\t0\t1.00\n")
    counts = count_alignment(*files, WANTED)
    settled, tool = settle_coverage(counts, WANTED, lambda: files, scratch, threads=2)
    coverage = settled.coverage
    assert tool == "mosdepth 0.3.11"
    assert (settled.mapping, settled.mates) == (counts.mapping, counts.mates)
    assert (scratch / "pieces.bed").read_text() == "a\t10\t100\na\t100\t200\na\t200\t390\nb\t0\t50\n"
    assert (coverage.analysed_bases, coverage.mean_depth) == (430, 4270 / 430)
    assert coverage.callable_regions == (Region("a", 50, 200),)
    assert coverage.histogram[:2] == (430 - 285, 285 - 95)  # of 380 bases with reads three quarters have one
    assert sum(coverage.histogram) == 430
    assert [(one.region, one.depth_sum, one.bases_at_20) for one in coverage.tallied] == [(NAMED.region, 3000, 90)]


def test_nothing_aligned_is_depth_zero_everywhere(files, tmp_path, monkeypatch):
    """0x, as mosdepth 0.3.3 writes it: an empty distribution, and a total of no base."""
    written = {
        "regions.bed.gz": "a\t10\t100\t0.000000\na\t100\t200\t0.000000\na\t200\t390\t0.000000\nb\t0\t50\t0.000000\n",
        "thresholds.bed.gz": "#chrom\tstart\tend\tregion\t20X\na\t100\t200\tunknown\t0\nb\t0\t50\tunknown\t0\n",
        "quantized.bed.gz": "a\t0\t400\t0:10\nb\t0\t300\t0:10\n",
    }
    for name, body in written.items():
        (tmp_path / f"mosdepth.{name}").write_bytes(gzip.compress(body.encode()))
    (tmp_path / "mosdepth.mosdepth.summary.txt").write_text("total\t0\t0\t0.0\t0\t0\ntotal_region\t0\t0\t0.0\t0\t0\n")
    (tmp_path / "mosdepth.mosdepth.region.dist.txt").write_text("")
    monkeypatch.setattr(mosdepth, "run_pipeline", lambda _: None)
    found = measure_by_mosdepth(*files, ANALYSED, WANTED.tallied, tmp_path, threads=1)
    assert (found.analysed_bases, found.mean_depth, found.histogram, found.callable_bases) == (430, 0.0, (430,), 0)
    assert [(one.depth_sum, one.bases_at_20) for one in found.tallied] == [(0, 0)]


@pytest.mark.skipif(shutil.which("mosdepth") is None, reason="mosdepth is not installed")
@pytest.mark.parametrize(
    "reads", [READS, [], [Placed(100, "100M", bases="A" * 100)] * 5_000], ids=["some", "0x", "5000x"]
)
def test_mosdepth_and_the_own_count_agree_where_no_mates_overlap(files, tmp_path, reads):
    write_bam(files[0], reads, LENGTHS)
    found = measure_by_mosdepth(*files, ANALYSED, WANTED.tallied, tmp_path, threads=1)
    with open_batches(*files) as (contigs, batches):
        meter = CoverageMeter(contigs, ANALYSED, WANTED.tallied)
        for batch in batches:
            meter.add(batch)
    own = meter.finish()
    assert found == own
