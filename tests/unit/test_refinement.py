"""Made-up reads over a random contig, and what a caller might have proposed for them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pysam
import pytest

from strandline.landing.regions import Region
from strandline.variants.haplotypes import FLANK, MARGIN, Allele
from strandline.variants.refinement import cut_to, refine_gvcf
from strandline.variants.windows import Window, assign_alleles, find_windows, lay_reads, reach, trim_allele

RNG = np.random.default_rng(11)
BASES = "".join(RNG.choice(list("ACGT"), 500)) + "GATTCACACACATG" + "".join(RNG.choice(list("ACGT"), 700))
REPEAT0 = 504  # CACACACA
INSERTED = "GGTCATTGACCA"
AT0 = 600  # the insertion lies before this base
PROPOSED_GT = "GT:PL:DP:AD:GQ"
HEADER = f"""##fileformat=VCFv4.2
##contig=<ID=c,length={len(BASES)}>
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##INFO=<ID=MIN_DP,Number=1,Type=Integer,Description="x">
##INFO=<ID=INDEL,Number=0,Type=Flag,Description="x">
##INFO=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
"""


def other(base: str) -> str:
    return {"A": "C", "C": "A", "G": "T", "T": "G"}[base]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.fa"
    path.write_text(f">c\n{BASES}\n")
    pysam.faidx(str(path), catch_stdout=False)
    return path


def vcf(folder: Path, *records: str) -> Path:
    path = folder / "raw.vcf"
    path.write_text(HEADER + "".join(record.replace(" ", "\t") + "\n" for record in records))
    return path


def single(position0: int, alt: str | None = None) -> str:
    base = BASES[position0]
    return f"c {position0 + 1} . {base} {alt or other(base)} 99 . DP=20 {PROPOSED_GT} 0/1:99,0,99:20:10,10:99"


def insertion(genotype: str = "0/1") -> str:
    base = BASES[AT0 - 1]
    info = f"INDEL;DP=20 {PROPOSED_GT} {genotype}:99,0,99:20:10,10:99"
    return f"c {AT0} . {base} {base}{INSERTED} 99 . {info}"


def block(start0: int, end0: int) -> str:
    return f"c {start0 + 1} . {BASES[start0]} . . . END={end0};MIN_DP=20 GT:DP 0/0:20"


def segment(name: str, start0: int, bases: str, cigar: str) -> pysam.AlignedSegment:
    read = pysam.AlignedSegment()
    read.query_name, read.reference_id, read.reference_start = name, 0, start0
    read.query_sequence, read.mapping_quality, read.cigarstring = bases, 60, cigar
    read.query_qualities = pysam.qualitystring_to_array("?" * len(bases))
    return read


def write_bam(path: Path, reads: list[pysam.AlignedSegment]) -> Path:
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": len(BASES)}]}
    with pysam.AlignmentFile(str(path), "wb", header=header) as sink:
        for read in sorted(reads, key=lambda read: read.reference_start):
            sink.write(read)
    pysam.index(str(path), catch_stdout=False)
    return path


def inserted_reads(count: int, before: int = 50) -> list[pysam.AlignedSegment]:
    """Reads with the insertion and, nine bases behind it, another base."""
    changed = BASES[AT0 : AT0 + 9] + other(BASES[AT0 + 9]) + BASES[AT0 + 10 : AT0 + 50]
    bases = BASES[AT0 - before : AT0] + INSERTED + changed
    return [segment(f"i{n}", AT0 - before, bases, f"{before}M12I50M") for n in range(count)]


def plain_reads(count: int) -> list[pysam.AlignedSegment]:
    return [segment(f"r{n}", AT0 - 50, BASES[AT0 - 50 : AT0 + 50], "100M") for n in range(count)]


def refined(
    folder: Path, reference: Path, reads: list[pysam.AlignedSegment], *records: str, regions: list[Region] | None = None
) -> list[tuple[int, str, str, str, int]]:
    """Return position, ref, alt, genotype and last position of what comes out."""
    out = folder / "out.vcf.gz"
    refine_gvcf(reference, write_bam(folder / "a.bam", reads), vcf(folder, *records), regions, out)
    with pysam.VariantFile(str(out)) as written:
        return [
            (r.pos, r.ref or "", ",".join(r.alts or "."), "/".join(map(str, r.samples[0]["GT"])), r.stop)
            for r in written
        ]


BASE = BASES[AT0 - 1]
INSERTION = (AT0, BASE, BASE + INSERTED)
BEHIND0 = AT0 + 9
BEHIND = (BEHIND0 + 1, BASES[BEHIND0], other(BASES[BEHIND0]))


def test_reads_that_end_inside_an_insertion_make_it_homozygous_and_its_neighbour_is_found(tmp_path, reference):
    """The proposer took the clipped reads for the reference."""
    clipped = segment("x", AT0 - 60, BASES[AT0 - 60 : AT0] + INSERTED[:8], "60M8S")
    records = [block(400, AT0), insertion("0/1"), block(AT0, 700), single(800)]
    assert refined(tmp_path, reference, [*inserted_reads(12), clipped], *records) == [
        (401, BASES[400], ".", "0/0", AT0),
        (*INSERTION, "1/1", AT0),
        (AT0 + 1, BASES[AT0], ".", "0/0", BEHIND0),
        (*BEHIND, "1/1", BEHIND0 + 1),
        (BEHIND0 + 2, BASES[BEHIND0 + 1], ".", "0/0", 700),
        (801, BASES[800], other(BASES[800]), "0/1", 801),
    ]


def test_half_of_the_reads_make_it_heterozygous(tmp_path, reference):
    found = refined(tmp_path, reference, [*inserted_reads(10), *plain_reads(10)], insertion("1/1"))
    assert found == [(*INSERTION, "0/1", AT0), (*BEHIND, "0/1", BEHIND0 + 1)]


def test_a_proposed_base_that_no_read_has_stays_without_a_copy_and_a_proposed_insertion_goes(tmp_path, reference):
    found = refined(tmp_path, reference, plain_reads(20), insertion(), single(AT0 + 5))
    assert found == [(AT0 + 6, BASES[AT0 + 5], other(BASES[AT0 + 5]), "0/0", AT0 + 6)]


def test_depths_and_qualities_stand_in_the_record(tmp_path, reference):
    refined(tmp_path, reference, [*inserted_reads(9), *plain_reads(11)], insertion())
    with pysam.VariantFile(str(tmp_path / "out.vcf.gz")) as written:
        record = next(iter(written))
    sample = record.samples[0]
    assert (record.info["WINDOW"], record.info["INDEL"], record.info["DP"]) == (True, True, 20)
    assert (sample["DP"], sample["AD"], sample["PL"][1], sample["GQ"]) == (20, (11, 9), 0, 127)


@pytest.mark.parametrize("count", [2, 400], ids=["too few", "too many"])
def test_reads_that_cannot_decide_leave_the_record_as_it_was(tmp_path, reference, count):
    records = [insertion("1/1"), single(AT0 + 5)]
    found = refined(tmp_path, reference, plain_reads(count), *records)
    assert [genotype for *_, genotype, _ in found] == ["1/1", "0/1"]


def test_duplicates_and_reads_of_mapping_quality_0_do_not_decide(tmp_path, reference):
    reads = plain_reads(20)
    for read in reads[:10]:
        read.is_duplicate = True
    for read in reads[10:]:
        read.mapping_quality = 0
    assert refined(tmp_path, reference, reads, insertion("1/1")) == [(*INSERTION, "1/1", AT0)]


def test_nothing_is_added_outside_of_the_regions(tmp_path, reference):
    found = refined(tmp_path, reference, inserted_reads(12), insertion(), regions=[Region("c", 500, AT0 + 3)])
    assert found == [(*INSERTION, "1/1", AT0)]


def test_a_window_covers_where_an_indel_in_a_repeat_can_be_written_and_ten_bases_more(tmp_path, reference):
    """CACACACA: losing one CA is the same at four places."""
    assert BASES[REPEAT0 : REPEAT0 + 8] == "CACACACA"
    with pysam.FastaFile(str(reference)) as bases:
        for start0 in (REPEAT0, REPEAT0 + 2, REPEAT0 + 6):
            assert reach(Allele(start0, "CA", ""), "c", bases) == (REPEAT0 - 10, REPEAT0 + 8 + 10)
        assert reach(Allele(REPEAT0, "", "CA"), "c", bases) == (REPEAT0 - 10, REPEAT0 + 8 + 10)


def test_near_windows_are_one_far_ones_two_and_single_bases_have_none(tmp_path, reference):
    """Proposed are deletions of one base each; windows of bases without repeats are 21 wide."""

    def deletion(start0: int) -> str:
        ref = BASES[start0 - 1 : start0 + 1]
        return f"c {start0} . {ref} {ref[0]} 99 . INDEL;DP=20 {PROPOSED_GT} 0/1:99,0,99:20:10,10:99"

    path = vcf(tmp_path, deletion(700), single(705), deletion(735), deletion(900), single(1000))
    with pysam.FastaFile(str(reference)) as bases, pysam.VariantFile(str(path)) as records:
        windows = find_windows(records, bases)
    with pysam.VariantFile(str(path)) as records:
        assign_alleles(windows, records)
    assert [len(window.alleles) for window in windows] == [3, 1]
    assert [windows[0].start0 <= 690, 746 <= windows[0].end0 < 775] == [True, True]
    assert [windows[1].start0 <= 890, 911 <= windows[1].end0 < 930] == [True, True]


def test_shared_bases_are_no_part_of_an_allele():
    assert trim_allele(9, "A", "G") == Allele(9, "A", "G")
    assert trim_allele(9, "ACAC", "AC") == Allele(9, "AC", "")
    assert trim_allele(9, "CAT", "CGT") == Allele(10, "A", "G")


def test_a_read_is_cut_to_the_flanks_and_anchored_at_both_ends():
    window = Window("c", AT0 - 10, AT0 + 10)
    (read,) = inserted_reads(1)
    laid, seen = lay_reads(window, [read])
    assert seen == Counter({str(read.query_sequence)[40:72]: 1})  # 10 before, 12 inserted, 10 behind
    assert laid[0].bases.decode() == str(read.query_sequence)[10:102]
    assert (laid[0].from_left, laid[0].from_right) == (MARGIN - FLANK, MARGIN - FLANK + 92)


def test_a_clipped_read_keeps_its_clipped_bases_and_has_one_anchor():
    window = Window("c", AT0 - 10, AT0 + 10)
    read = segment("x", AT0 - 30, BASES[AT0 - 30 : AT0] + INSERTED[:8], "30M8S")
    laid, seen = lay_reads(window, [read])
    assert not seen
    assert (laid[0].bases.decode(), laid[0].from_left) == (read.query_sequence, MARGIN - 20)
    assert laid[0].from_right is None


def cut(folder: Path, reference: Path, keep: list[Region], *records: str) -> list[tuple[int, str, int]]:
    """Return position, first base and last position of what lies in `keep`."""
    with pysam.FastaFile(str(reference)) as bases, pysam.VariantFile(str(vcf(folder, *records))) as raw:
        return [(r.pos, (r.ref or "")[0], r.stop) for r in cut_to(raw, keep, bases)]


def test_a_part_keeps_its_share_of_a_block_and_the_records_that_begin_in_it(tmp_path, reference):
    """ANA-04: what two neighbouring parts keep is everything once."""
    records = [block(0, 300), single(300), block(301, AT0 - 1), insertion(), block(AT0, 1_000)]
    deletion_edge = AT0 - 1  # 0-based start of the insertion's record
    left = cut(tmp_path, reference, [Region("c", 0, 200), Region("c", 250, deletion_edge)], *records)
    right = cut(tmp_path, reference, [Region("c", deletion_edge, 1_000)], *records)
    assert left == [
        (1, BASES[0], 200),
        (251, BASES[250], 300),
        (301, BASES[300], 301),
        (302, BASES[301], deletion_edge),
    ]
    assert right == [(AT0, BASES[AT0 - 1], AT0), (AT0 + 1, BASES[AT0], 1_000)]


def test_a_block_that_was_made_here_is_cut_as_one_that_was_read(tmp_path, reference):
    """pysam shows the missing allele of a record that was not read from a file as a dot."""
    with pysam.FastaFile(str(reference)) as bases, pysam.VariantFile(str(vcf(tmp_path, block(0, 300)))) as raw:
        made = raw.header.new_record(contig="c", start=100, alleles=(BASES[100], "."))
        made.stop = 300
        pieces = [(r.start, r.stop) for r in cut_to([made], [Region("c", 150, 200)], bases)]
    assert pieces == [(150, 200)]


def test_parts_called_apart_say_what_one_call_says(tmp_path, reference):
    """The insertion lies across the edge of the parts; each sees it whole, and one keeps it."""
    bam = write_bam(tmp_path / "a.bam", [*inserted_reads(10), *plain_reads(10)])
    raw = vcf(tmp_path, block(0, AT0 - 1), insertion(), block(AT0, 1_000))
    said = []
    for edge in (AT0 - 1, AT0, AT0 + 5):
        records = []
        for keep in ([Region("c", 0, edge)], [Region("c", edge, len(BASES))]):
            out = tmp_path / "part.vcf.gz"
            refine_gvcf(reference, bam, raw, None, out, keep=keep, header=["##made=up"])
            with pysam.VariantFile(str(out)) as written:
                assert "##made=up" in str(written.header)
                records += [(r.pos, r.alts, r.samples[0]["GT"]) for r in written if r.alts]
        said.append(records)
    assert said[0] == said[1] == said[2]
    assert [(pos, alts) for pos, alts, _ in said[0]] == [(INSERTION[0], (INSERTION[2],)), (BEHIND[0], (BEHIND[2],))]
