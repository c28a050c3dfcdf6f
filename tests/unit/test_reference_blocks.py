"""Calls laid over the blocks of a pile-up: every base told once, by the call or by the block. ANA-10."""

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.variants.reference_blocks import Block, add_block_lines, block_record, lay_calls, read_blocks

CONTIGS = {"c": 0, "d": 1}


def new_header() -> pysam.VariantHeader:
    header = pysam.VariantHeader()
    for contig in CONTIGS:
        header.add_line(f"##contig=<ID={contig},length=1000>")
    header.add_line('##FORMAT=<ID=GT,Number=1,Type=String,Description="x">')
    header.add_line('##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">')
    header.add_line('##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="x">')
    header.add_line('##INFO=<ID=INDEL,Number=0,Type=Flag,Description="x">')
    header.add_sample("S1")
    add_block_lines(header)
    return header


HEADER = new_header()


def call(contig: str, start0: int, ref: str, alt: str, depth: int = 9) -> pysam.VariantRecord:
    record = HEADER.new_record(contig=contig, start=start0, alleles=(ref, alt))
    record.samples[0]["GT"] = (0, 1)
    record.samples[0]["DP"] = depth
    return record


def told(blocks, calls) -> list[tuple[object, ...]]:
    laid = lay_calls(blocks, calls, CONTIGS)
    return [
        (one.contig, one.start0, one.end0, one.depth) if isinstance(one, Block) else (one.contig, one.start, one.alts)
        for one in laid
    ]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        # one base of a block is told by the call
        (("c", 15, "A", "G"), [("c", 10, 15, 7), ("c", 15, ("G",)), ("c", 16, 20, 7)]),
        (("c", 10, "A", "G"), [("c", 10, ("G",)), ("c", 11, 20, 7)]),
        (("c", 19, "A", "G"), [("c", 10, 19, 7), ("c", 19, ("G",))]),
        (("c", 15, "AC", "GT"), [("c", 10, 15, 7), ("c", 15, ("GT",)), ("c", 17, 20, 7)]),
        # below a deletion or insertion the block stays, in two at the base that it is written at
        (("c", 15, "ACC", "A"), [("c", 10, 15, 7), ("c", 15, ("A",)), ("c", 15, 20, 7)]),
        (("c", 15, "A", "ACC"), [("c", 10, 15, 7), ("c", 15, ("ACC",)), ("c", 15, 20, 7)]),
        # outside of it
        (("c", 5, "A", "G"), [("c", 5, ("G",)), ("c", 10, 20, 7)]),
        (("c", 8, "AAAA", "GGGG"), [("c", 8, ("GGGG",)), ("c", 12, 20, 7)]),
        (("c", 30, "A", "G"), [("c", 10, 20, 7), ("c", 30, ("G",))]),
        (("d", 15, "A", "G"), [("c", 10, 20, 7), ("d", 15, ("G",))]),
    ],
)
def test_a_block_is_cut_where_a_call_tells_its_bases(made, expected):
    assert told([Block("c", 10, 20, 7)], [call(*made)]) == expected


def test_the_records_of_a_pile_up_become_blocks_that_do_not_overlap(tmp_path):
    """As `mpileup -g | call -m -g` writes them: a block, a base with a proposed change, an indel at the same base."""
    lines = [
        "c\t11\t.\tA\t.\t.\t.\tEND=15;MIN_DP=20\tGT:DP\t0/0:20",
        "c\t16\t.\tA\tG\t9\t.\t.\tGT:DP\t0/1:12",
        "c\t16\t.\tAC\tA\t9\t.\tINDEL\tGT:DP\t0/1:12",
        "c\t17\t.\tC\t.\t.\t.\tMIN_DP=3\tGT:DP\t0/0:3",
        "c\t17\t.\tC\tT\t9\t.\t.\tGT:DP\t0/0:3",
        "d\t1\t.\tC\t.\t.\t.\tMIN_DP=8\tGT:DP\t0/0:8",
    ]
    vcf = tmp_path / "p.vcf"
    vcf.write_text(str(HEADER) + "\n".join(lines) + "\n")
    with pysam.VariantFile(str(vcf)) as records:
        blocks = list(read_blocks(records))
    assert blocks == [Block("c", 10, 15, 20), Block("c", 15, 16, 12), Block("c", 16, 17, 3), Block("d", 0, 1, 8)]


def test_the_records_of_a_callers_own_gvcf_become_blocks_of_their_least_depth(tmp_path):
    """As GATK and DeepVariant write them: MIN_DP in a block, a deletion in the place of the bases that it spans."""
    lines = [
        "c\t11\t.\tA\t<NON_REF>\t.\t.\tEND=15\tGT:DP:MIN_DP\t0/0:25:20",
        "c\t16\t.\tACG\tA,<NON_REF>\t9\t.\t.\tGT:DP\t0/1:12",
        "c\t19\t.\tC\t<*>\t.\t.\tEND=20\tGT:DP:MIN_DP\t0/0:4:0",
    ]
    vcf = tmp_path / "p.vcf"
    vcf.write_text(str(HEADER) + "\n".join(lines) + "\n")
    with pysam.VariantFile(str(vcf)) as records:
        blocks = list(read_blocks(records))
    assert blocks == [Block("c", 10, 15, 20), Block("c", 15, 18, 12), Block("c", 18, 20, 0)]


def test_a_block_is_written_with_its_end_and_its_least_depth(tmp_path):
    fasta = tmp_path / "r.fa"
    fasta.write_text(">c\n" + "ACGT" * 10 + "\n>d\nA\n")
    pysam.faidx(str(fasta))
    with pysam.FastaFile(str(fasta)) as bases:
        line = str(block_record(Block("c", 1, 4, 12), HEADER, bases)).strip().split("\t")
        single = str(block_record(Block("c", 0, 1, 3), HEADER, bases)).strip().split("\t")
    assert line == ["c", "2", ".", "C", ".", ".", ".", "END=4;MIN_DP=12", "GT:DP", "0/0:12"]
    assert single == ["c", "1", ".", "A", ".", ".", ".", "MIN_DP=3", "GT:DP", "0/0:3"]


@st.composite
def blocks_and_calls(draw):
    edges = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=8)))
    blocks = [Block("c", a, b, a % 7) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    made = draw(
        st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["A>G", "AC>GT", "ACC>A", "A>ACC"])), max_size=8)
    )
    calls = [call("c", start0, *kind.split(">")) for start0, kind in sorted(made, key=lambda one: one[0])]
    return blocks, calls


@given(blocks_and_calls())
def test_each_base_of_a_block_is_told_once_unless_a_call_tells_it(given_both):
    blocks, calls = given_both
    laid = list(lay_calls(blocks, calls, CONTIGS))
    by_call = {at for one in calls if len(one.ref) == len(one.alts[0]) for at in range(one.start, one.start + one.rlen)}
    expected = [at for block in blocks for at in range(block.start0, block.end0) if at not in by_call]
    assert [at for one in laid if isinstance(one, Block) for at in range(one.start0, one.end0)] == expected
    assert [one for one in laid if not isinstance(one, Block)] == calls
    starts = [one.start0 if isinstance(one, Block) else one.start for one in laid]
    assert starts == sorted(starts)
