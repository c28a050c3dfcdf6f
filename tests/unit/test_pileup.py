"""The reads over a variant, and depth over genes: worked by hand on a few placed reads; depth against samtools too."""

import subprocess
from pathlib import Path

import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.landing.regions import Region
from strandline.reads.pileup import MOST_ROWS, Allele, PileupReader
from strandline.reads.target_depth import measure_targets
from strandline.reads.tools import tool_command
from tests.unit.placed_reads import CONTIGS, Placed, write_bam

BASES = "ACGT" * 250


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.fa"
    path.write_text("".join(f">{name}\n{BASES}\n" for name in CONTIGS))
    pysam.faidx(str(path))
    return path


def pile(reference: Path, reads: list[Placed], position: int, ref: str, alt: str):
    bam = write_bam(reference.parent / "reads.bam", reads)
    with PileupReader(bam, reference) as reader:
        return reader.read("c", position, ref, alt)


def with_bases(start0: int, changes: dict[int, str] | None = None, length: int = 20, **fields: object) -> Placed:
    """A read of the reference with other bases at some 0-based places."""
    bases = list(BASES[start0 : start0 + length])
    for place0, base in (changes or {}).items():
        bases[place0 - start0] = base
    return Placed(start0=start0, cigar=f"{length}M", bases="".join(bases), **fields)


def test_each_read_is_counted_by_allele_and_strand(reference):
    """Position 101 (base 100 from 0, an A): two reads with T, one of them reverse, one with A, one with G."""
    reads = [
        with_bases(90, {100: "T"}),
        with_bases(91, {100: "T"}, flag=16),
        with_bases(92),
        with_bases(93, {100: "G"}),
        with_bases(101),  # begins behind it
    ]
    found = pile(reference, reads, 101, "A", "T")
    assert found.counts == {
        (Allele.ALT, False): 1,
        (Allele.ALT, True): 1,
        (Allele.REF, False): 1,
        (Allele.OTHER, False): 1,
    }
    assert [found.count(allele) for allele in Allele] == [2, 1, 1, 0]
    assert [read.allele for read in found.reads] == [Allele.ALT, Allele.ALT, Allele.REF, Allele.OTHER, Allele.NONE]


def test_the_window_is_forty_bases_each_way_and_ends_with_the_contig(reference):
    found = pile(reference, [with_bases(90)], 101, "A", "T")
    assert (found.window, found.variant_columns) == (Region("c", 60, 141), (40, 41))
    assert found.reference == BASES[60:141]
    assert pile(reference, [with_bases(0)], 3, "G", "T").window == Region("c", 0, 43)
    assert pile(reference, [with_bases(980)], 1000, "T", "A").window == Region("c", 959, 1000)


def test_a_long_deletion_is_shown_by_its_beginning(reference):
    found = pile(reference, [with_bases(90)], 101, BASES[100:600], "A")
    assert found.window.length == 40 + 40 + 40
    assert found.variant_columns == (40, 80)


@pytest.mark.parametrize(
    ("read", "allele"),
    [
        (Placed(90, "11M2I9M", bases=BASES[90:101] + "TT" + BASES[101:110]), Allele.ALT),
        (Placed(90, "11M1I9M", bases=BASES[90:101] + "T" + BASES[101:110]), Allele.OTHER),
        (Placed(90, "20M", bases=BASES[90:110]), Allele.REF),
        (Placed(90, "11M5S", bases=BASES[90:101] + "TTTTT"), Allele.REF),  # clipped bases are no insertion
        (Placed(90, "5H11M", bases=BASES[90:101]), Allele.REF),
        (Placed(90, "10M", bases=BASES[90:100]), Allele.NONE),
    ],
    ids=["inserted", "too short", "reference", "soft clip", "hard clip", "ends before"],
)
def test_an_insertion_is_told_from_clipped_bases(reference, read, allele):
    (found,) = pile(reference, [read], 101, "A", "ATT").reads
    assert found.allele is allele


def test_a_deletion_shows_gaps_and_has_no_depth(reference):
    """Bases 101 to 103 from 0 are deleted: `11M3D6M` from 90."""
    read = Placed(90, "11M3D6M", bases=BASES[90:101] + BASES[104:110])
    found = pile(reference, [read], 101, BASES[100:104], "A")
    assert found.reads[0].allele is Allele.ALT
    assert found.reads[0].bases == BASES[90:101] + "---" + BASES[104:110]
    assert found.depth[30:50] == (1,) * 11 + (0,) * 3 + (1,) * 6


def test_insertions_stand_behind_their_column(reference):
    read = Placed(90, "11M2I9M", bases=BASES[90:101] + "TT" + BASES[101:110])
    assert pile(reference, [read], 101, "A", "ATT").reads[0].insertions == ((40, 2),)


def test_what_coverage_leaves_out_is_left_out(reference):
    flags = (0x4, 0x100, 0x200, 0x400, 0x800)
    reads = [with_bases(90, flag=flag) for flag in flags] + [with_bases(90, mapq=19), with_bases(90, mapq=20)]
    assert pile(reference, reads, 101, "A", "T").read_count == 1


def test_low_base_quality_is_lower_case(reference):
    read = with_bases(95, length=10, qualities="I" * 5 + chr(33 + 19) + chr(33 + 20) + "III")
    assert pile(reference, [read], 101, "A", "T").reads[0].bases == "TACGTaCGTA"


def test_of_many_reads_the_same_are_shown_every_time_and_all_are_counted(reference):
    reads = [with_bases(60 + number % 40, {100: "T"} if number % 2 else None, length=50) for number in range(300)]
    first, second = (pile(reference, reads, 101, "A", "T") for _ in range(2))
    assert first == second
    assert len(first.reads) == MOST_ROWS
    assert (first.count(Allele.ALT), first.count(Allele.REF)) == (150, 150)
    assert {Allele.ALT, Allele.REF} == {read.allele for read in first.reads}


def test_reads_over_the_variant_are_shown_before_others(reference):
    beside = [with_bases(110) for _ in range(100)]
    found = pile(reference, [*beside, with_bases(95, {100: "T"})], 101, "A", "T")
    assert found.reads[0].allele is Allele.ALT


def test_without_reads_nothing_is_counted(reference):
    found = pile(reference, [with_bases(900)], 101, "A", "T")
    assert (found.reads, found.counts, set(found.depth)) == ((), {}, {0})


def test_depth_over_a_gene_is_worked_by_hand(reference):
    """25 reads from 100 to 120 and 25 from 110 to 130; target 95 to 135, 40 bases: at 20 reads are 30 of them."""
    bam = write_bam(reference.parent / "r.bam", [with_bases(100)] * 25 + [with_bases(110)] * 25)
    (found,) = measure_targets(bam, reference, [[Region("c", 95, 120), Region("c", 115, 135)]])
    assert (found.bases, found.bases_at_20, found.depth_sum) == (40, 30, 1_000)
    assert found.gaps == (Region("c", 95, 100), Region("c", 130, 135))


def test_a_target_without_reads_is_one_gap_and_no_target_is_nothing(reference):
    bam = write_bam(reference.parent / "r.bam", [with_bases(100)])
    empty, none = measure_targets(bam, reference, [[Region("d", 5, 9)], []])
    assert (empty.gaps, empty.mean_depth) == ((Region("d", 5, 9),), 0.0)
    assert (none.bases, none.gaps, none.mean_depth) == (0, (), 0.0)


PLACED = st.builds(
    Placed,
    start0=st.integers(0, 200),
    cigar=st.sampled_from(["30M", "10M5D20M", "10M3I17M", "5S25M"]),
    flag=st.sampled_from([0, 16, 0x400, 0x100]),
    mapq=st.sampled_from([0, 19, 20, 60]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PLACED, min_size=1, max_size=60))
def test_depth_agrees_with_samtools(reference, reads):
    """samtools depth: `-Q 20`, and it leaves out secondary, failed and duplicate reads by default."""
    bam = write_bam(reference.parent / "r.bam", reads)
    command = [*tool_command("samtools"), "depth", "-a", "-Q", "20", "-r", "c:51-200", str(bam)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    theirs = [int(line.split("\t")[2]) for line in lines]
    (found,) = measure_targets(bam, reference, [[Region("c", 50, 200)]])
    assert (found.depth_sum, found.bases_at_20) == (sum(theirs), sum(depth >= 20 for depth in theirs))
