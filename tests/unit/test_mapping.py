"""Where reads went and how far mates lie apart: by hand, and beside samtools stats on real reads. ANA-05."""

import math
import statistics
from collections import Counter

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.reads.mapping import InsertSizes, MappingMeter, estimate_library_size
from strandline.reads.read_batches import open_batches
from strandline.reads.tools import read_output, tool_command
from tests.unit.placed_reads import Placed, write_bam
from tests.unit.real_data import HG002_BAM, needs

FR = Placed(100, flag=0x63, next_contig=0, next_start0=240, tlen=150)  # paired, proper, mate reverse, first
FR_MATE = Placed(240, flag=0x93, next_contig=0, next_start0=100, tlen=-150)


def measure(bam, reference="none.fa"):
    meter = MappingMeter()
    with open_batches(bam, reference) as (_, batches):
        for batch in batches:
            meter.add(batch)
    return meter.finish()


def with_inserts(counts: dict[int, int]) -> InsertSizes:
    histogram = tuple(counts.get(length, 0) for length in range(max(counts) + 1))
    return InsertSizes(histogram, 0, sum(histogram), 0, 0)


def test_each_read_is_counted_by_where_it_went(tmp_path):
    reads = [
        FR,
        FR_MATE,
        Placed(300, "3S5M2S", flag=0x49, mapq=0),  # paired, mate unmapped, first
        Placed(300, flag=0x85, contig=0, cigar="10M"),  # its mate: unmapped, placed beside it
        Placed(400, flag=0x41, next_contig=1, next_start0=5),
        Placed(5, flag=0x81, contig=1, next_contig=0, next_start0=400),
        Placed(500, flag=0x463, next_contig=0, next_start0=640, tlen=150),  # a duplicate pair
        Placed(640, flag=0x493, next_contig=0, next_start0=500, tlen=-150),
        Placed(700, flag=0x100),
        Placed(710, flag=0x800),
        Placed(-1, flag=0x4D, contig=-1, mapq=0),
        Placed(-1, flag=0x8D, contig=-1, mapq=0),
    ]
    counts, _ = measure(write_bam(tmp_path / "a.bam", reads))
    assert (counts.reads, counts.first_mates, counts.second_mates) == (10, 5, 5)
    assert (counts.mapped, counts.mapped_surely, counts.mapped_nowhere_surely) == (7, 6, 1)
    assert (counts.properly_paired, counts.mate_unmapped, counts.mates_on_two_contigs) == (4, 1, 2)
    assert (counts.duplicates, counts.secondary, counts.supplementary) == (2, 1, 1)
    assert (counts.bases, counts.soft_clipped_bases) == (100, 5)
    assert (counts.unique_pairs, counts.duplicate_pairs) == (2, 1)


def test_an_insert_is_measured_once_a_pair_and_duplicates_not_at_all(tmp_path):
    away = Placed(100, flag=0x51, next_contig=0, next_start0=200, tlen=110)  # reverse, mate forward
    same = Placed(100, flag=0x41, next_contig=0, next_start0=200, tlen=110)
    long = Placed(0, flag=0x61, next_contig=0, next_start0=2100, tlen=2110)
    duplicate = Placed(100, flag=0x463, next_contig=0, next_start0=240, tlen=150)
    _, inserts = measure(write_bam(tmp_path / "a.bam", [FR, FR_MATE, away, same, long, duplicate]))
    assert (inserts.forward_reverse, inserts.reverse_forward, inserts.same_strand) == (2, 1, 1)
    assert (inserts.histogram[150], sum(inserts.histogram), inserts.longer) == (1, 1, 1)
    assert inserts.forward_reverse_fraction == 0.5


def test_a_file_without_reads_is_measured_as_nothing(tmp_path):
    counts, inserts = measure(write_bam(tmp_path / "a.bam", []))
    assert (counts.reads, counts.fraction(counts.mapped), counts.estimated_library_size) == (0, 0.0, None)
    assert (inserts.pairs, inserts.median, inserts.median_absolute_deviation) == (0, None, None)


@given(st.dictionaries(st.integers(0, 60), st.integers(1, 5), min_size=1, max_size=8))
def test_median_and_its_deviation_are_those_of_the_values_written_out(counts):
    values = [length for length, count in counts.items() for _ in range(count)]
    middle = statistics.median(values)
    assert with_inserts(counts).median == middle
    spread = statistics.median([abs(value - middle) for value in values])
    assert with_inserts(counts).median_absolute_deviation == spread


@given(st.integers(100_000, 10**8), st.floats(0.1, 2))
def test_the_library_size_is_found_again_from_the_duplicates_it_gives(size, times_read):
    """Lander and Waterman 1988: N reads of C fragments see C (1 - exp(-N / C)) different ones."""
    pairs = round(size * times_read)
    unique = round(size * (1 - math.exp(-pairs / size)))
    assert estimate_library_size(pairs, unique) == pytest.approx(size, rel=0.01)


def stats_of(bam, *options):
    """Return the rows of samtools stats."""
    printed = read_output([*tool_command("samtools"), "stats", *options, str(bam)]).decode()
    return [line.split("\t") for line in printed.splitlines()]


@needs(HG002_BAM)
def test_counts_are_those_of_samtools_stats():
    counts, _ = measure(HG002_BAM)
    number = {row[1].rstrip(":"): float(row[2]) for row in stats_of(HG002_BAM) if row[0] == "SN"}
    assert counts.reads == number["raw total sequences"]
    assert counts.mapped == number["reads mapped"]
    assert counts.properly_paired == number["reads properly paired"]
    assert counts.duplicates == number["reads duplicated"]
    assert counts.mapped_nowhere_surely == number["reads MQ0"]
    assert counts.secondary == number["non-primary alignments"]
    assert counts.bases == number["total length"]


@needs(HG002_BAM)
def test_insert_sizes_are_those_of_samtools_stats_over_whole_pairs_without_duplicates(tmp_path):
    """samtools counts both mates and halves, so pairs that the slice's edge cut in two are left out.

    Where mates overlap wholly it goes by the leftmost base, which clipping moves; TLEN goes by the fragment's ends.
    """
    whole = tmp_path / "whole.bam"
    with pysam.AlignmentFile(str(HG002_BAM)) as source:
        primary = [read for read in source if not read.is_secondary]
        times = Counter(read.query_name for read in primary)
        with pysam.AlignmentFile(str(whole), "wb", template=source) as sink:
            for read in primary:
                if times[read.query_name] == 2:
                    sink.write(read)
    _, inserts = measure(whole)
    inward = {int(row[1]): int(row[3]) for row in stats_of(whole, "-d", "-m", "1") if row[0] == "IS"}
    longer_than_a_read = range(150, len(inserts.histogram))
    assert [inserts.histogram[length] for length in longer_than_a_read] == [
        inward[length] for length in longer_than_a_read
    ]
    assert sum(inserts.histogram[150:]) > 10_000


@needs(HG002_BAM)
def test_a_read_has_the_same_columns_as_pysam_reads():
    with open_batches(HG002_BAM, HG002_BAM) as (contigs, batches):
        batch = next(batches)
        for _ in batches:
            pass
    with pysam.AlignmentFile(str(HG002_BAM)) as reads:
        assert contigs == list(reads.references)
        for place, read in zip(range(500), reads, strict=False):
            first, count = batch.first_base[place], batch.base_count[place]
            bases = "".join("=ACMGRSVTWYHKDBN"[code] for code in batch.bases[first : first + count])
            assert bases == read.query_sequence
            assert batch.qualities[first : first + count].tolist() == list(read.query_qualities or ())
            assert (batch.position0[place], batch.mapping_quality[place]) == (
                read.reference_start,
                read.mapping_quality,
            )
