"""What the specification allows is let in, wise or not. Sources: SAM 1, 1.3 to 1.5, 2 and 4; cases made by hand."""

import gzip
import struct

import pytest

from tests.unit.sam_files import (
    BGZF_END,
    HEADER,
    bam,
    bam_head,
    bam_record,
    bgzf,
    block,
    check,
    codes,
    errors,
    line,
    sam,
)

SORTED = HEADER.replace("unsorted", "coordinate")
NAMED = HEADER.replace("unsorted", "queryname")
LONG_CIGAR = b"CGBI" + struct.pack("<iIII", 3, 2 << 4, 1 << 4 | 1, 1 << 4)  # 2M1I1M

ALLOWED_HEADS = {
    "no header at all": "",
    "only a version": "@HD\tVN:1.0\n",
    "a sub-sort": "@HD\tVN:1.6\tSO:coordinate\tSS:coordinate:queryname:natural\n",
    "the longest contig": "@HD\tVN:1.6\n@SQ\tSN:c\tLN:2147483647\n",
    "an HLA allele's name": "@HD\tVN:1.6\n@SQ\tSN:HLA-A*01:01:01:01\tLN:3503\n@SQ\tSN:gi|1|ref\tLN:5\n",
    "aliases, a topology, a checksum": f"@HD\tVN:1.6\n@SQ\tSN:MT\tAN:chrM,M\tLN:16569\tTP:circular\tM5:{'0' * 32}\n",
    "UTF-8 where it may stand": "@HD\tVN:1.6\n@RG\tID:g\tDS:Müller\n@PG\tID:p\tCL:run Ä\n@CO\tfür\n",
    "a comment with tabs, and an empty one": "@HD\tVN:1.6\n@CO\ta\tb\n@CO\t\n",
    "tags of one's own": "@HD\tVN:1.6\txx:1\n@RG\tID:g\tZZ:a:b c\n",
    "a chain of programs, in any order": "@HD\tVN:1.6\n@PG\tID:b\tPP:a\n@PG\tID:a\n@PG\tID:c\tPP:b\n",
    "dates": "@HD\tVN:1.6\n@RG\tID:g\tDT:2020-02-29\n@RG\tID:h\tDT:2020-02-29T13:05:00+01:00\n@RG\tID:i\tDT:20200229\n",
    "platforms": "@HD\tVN:1.6\n@RG\tID:g\tPL:ILLUMINA\tPI:350\tFO:*\n@RG\tID:h\tPL:ONT\n",
}
ALLOWED_RECORDS = {
    "an unmapped read alone": line(flag="4", contig="*", position="0", mapq="0", cigar="*"),
    "a placed unmapped read": line(flag="4", mapq="0", cigar="*"),
    "CIGAR means nothing without a mapping": line(flag="4", cigar="9M"),
    "no SEQ": line(seq="*", qual="*"),
    "no SEQ and no CIGAR": line(seq="*", qual="*", cigar="*"),
    "no QUAL": line(qual="*"),
    "one base, whose quality is a star": line(seq="A", qual="*", cigar="1M"),
    "qualities of 9, which look like stars": line(qual="****"),
    "every CIGAR operation": line(cigar="2H1S1M1I1D1N1P1=3X1S1H", seq="ACGTACGT", qual="*"),
    "S inside H at both ends": line(cigar="1H1S2M1S1H"),
    "a read of clips alone": line(cigar="3H4S"),
    "operations of length 0": line(cigar="0I4M0D"),
    "a read that is all insertion": line(cigar="4I"),
    "the longest name": line(name="r" * 254),
    "no name": line(name="*"),
    "all characters of names": line(name="!\"#$%&'()*+,-./0:;<=>?A[\\]^_`a{|}~"),
    "all lengths of template": line(template="2147483647") + line(template="-2147483647"),
    "bases of every case and kind": line(seq="=.aZ", qual="!~!~"),
    "numbers with leading zeros": line(flag="000", position="0010", mapq="060"),
    "tags of every type": line(
        "X0:A:!", "X1:i:+5", "X2:i:-2147483648", "X3:i:4294967295", "X4:f:-.5e-3", "X5:Z:", "X6:H:"
    ),
    "arrays up to their limits": line("X0:B:c,-128,127", "X1:B:S,0,65535", "X2:B:f,1,.5,-1E5", "X3:B:I"),
    "names of tags in small letters": line("aa:i:1", "a1:Z:a b", "zZ:A:z"),
    "predefined tags": line(
        "NM:i:0", "MD:Z:10A5^AC6", "RG:Z:g", "PG:Z:p", "SA:Z:c1,29,-,6H5M,17,0;", "MM:Z:C+m?,5,12;"
    ),
    "the segment in the middle of three": line(flag="193"),
}
WARNED_RECORDS = {
    "FLAG bits of mates on a single read": (line(flag="2"), "sam_flag_undefined"),
    "FLAG bits of alignments on an unmapped read": (line(flag="260"), "sam_flag_undefined"),
    "reserved FLAG bits": (line(flag="4096"), "sam_flag_reserved"),
    "a mapped read without position": (line(position="0"), "sam_mapped_unplaced"),
    "an end past the contig's": (line(position="998"), "sam_outside_contig"),
    "a start past the contig's end": (line(position="1001"), "sam_outside_contig"),
    "a mate past its contig's end": (line(flag="1", next_contig="c2", next_position="501"), "sam_mate_outside_contig"),
    "no mapping quality": (line(mapq="255"), "sam_mapq_unavailable"),
    "two operations alike": (line(cigar="2M2M"), "sam_cigar_adjacent"),
    "a letter that is no base": (line(seq="ACGE"), "sam_seq_not_in_bam"),
    "a program that the header lacks": (line("PG:Z:q"), "sam_program_unknown"),
    "MC of nothing": (line("MC:Z:"), "sam_tag_standard_value"),
    "MD that begins with a letter": (line("MD:Z:A10"), "sam_tag_standard_value"),
}
WARNED_HEADS = {
    "no @HD": ("@SQ\tSN:c\tLN:5\n", "sam_hd_missing"),
    "two orders": ("@HD\tVN:1.6\tSO:unsorted\tGO:query\n", "sam_hd_both_orders"),
    "a date in words": ("@HD\tVN:1.6\n@RG\tID:g\tDT:Tuesday\n", "sam_header_description"),
    "a platform in small letters": ("@HD\tVN:1.6\n@RG\tID:g\tPL:illumina\n", "sam_header_description"),
    "UTF-8 in a sample's name": ("@HD\tVN:1.6\n@RG\tID:g\tSM:Müller\n", "sam_header_not_ascii"),
}
ALLOWED_BAMS = {
    "no record": bam(),
    "a record": bam(bam_record()),
    "records over block ends": bgzf(bam_head() + bam_record() * 9, block_bytes=50),
    "an end-of-file block within": block(bam_head()) + BGZF_END + block(bam_record()) + BGZF_END,
    "another subfield before that of BGZF": block(bam_head(), extra=b"ZZ\x03\x00abc") + BGZF_END,
    "header text padded with NUL": bgzf(bam_head(HEADER + "\0" * 9)),
    "no header text": bgzf(bam_head("") + bam_record(), block_bytes=20),
    "no qualities": bam(bam_record(qual=b"\xff" * 4)),
    "no SEQ": bam(bam_record(bases=0, seq=b"", qual=b"")),
    "an odd number of bases": bam(bam_record(bases=3, seq=b"\x12\x40", qual=b"\0\0\0", cigar=((3, "M"),))),
    "unmapped": bam(bam_record(flag=4, contig=-1, position0=-1, bin_=4680, cigar=())),
    "tags of every type": bam(
        bam_record(
            tags=b"X0A!X1c\xffX2C\xffX3s\0\x80X4S\0\0X5i\0\0\0\x80X6I\xff\xff\xff\xffX7f\0\0\xc0\x7fX8Z\0X9HAF\0"
            b"XaBs\x02\0\0\0\1\0\2\0XbBC\0\0\0\0RGZg\0NMC\1"
        )
    ),
    "a CIGAR kept in CG": bam(bam_record(cigar=((4, "S"), (3, "N")), tags=LONG_CIGAR)),
    "a read over two bins": bam(bam_record(position0=9, bin_=4681, cigar=((2, "M"), (900, "N"), (2, "M")))),
}


@pytest.mark.parametrize("head", ALLOWED_HEADS.values(), ids=ALLOWED_HEADS)
def test_a_header_that_is_allowed_has_no_finding(head):
    _, log = check(sam(header=head or "@HD\tVN:1.6\n"))
    assert codes(log) == set()


@pytest.mark.parametrize("text", ALLOWED_RECORDS.values(), ids=ALLOWED_RECORDS)
def test_a_record_that_is_allowed_has_no_finding_but_for_letters_that_bam_lacks(text):
    summary, log = check(sam(text))
    assert codes(log) <= {"sam_seq_not_in_bam"}
    assert summary.record_count == text.count("\n")


@pytest.mark.parametrize(("text", "code"), WARNED_RECORDS.values(), ids=WARNED_RECORDS)
def test_a_record_that_is_unwise_is_let_in_with_a_warning(text, code):
    _, log = check(sam(text))
    assert (codes(log), errors(log)) == ({code}, set())


@pytest.mark.parametrize(("head", "code"), WARNED_HEADS.values(), ids=WARNED_HEADS)
def test_a_header_that_is_unwise_is_let_in_with_a_warning(head, code):
    _, log = check(sam(header=head))
    assert (codes(log), errors(log)) == ({code}, set())


@pytest.mark.parametrize("body", ALLOWED_BAMS.values(), ids=ALLOWED_BAMS)
def test_a_bam_that_is_allowed_has_no_error(body):
    for step in (1 << 20, 11):
        assert codes(check(body, "a.bam", step=step)[1]) <= {"sam_hd_missing", "sam_read_group_undeclared"}


def test_records_without_any_header_may_name_any_contig():
    summary, log = check(line(contig="x").encode() + line(contig="a", position="5").encode())
    assert (codes(log), summary.record_count, summary.mapped_count) == ({"sam_hd_missing"}, 2, 2)


def test_a_read_group_without_any_in_the_header_is_told_and_let_in():
    _, log = check(sam(line("RG:Z:x"), header="@HD\tVN:1.6\n@SQ\tSN:c1\tLN:1000\n"))
    assert (codes(log), errors(log)) == ({"sam_read_group_undeclared"}, set())


def test_a_circular_contig_may_be_run_over():
    head = "@HD\tVN:1.6\n@SQ\tSN:c1\tLN:1000\tTP:circular\n"
    assert codes(check(sam(line(position="999"), header=head))[1]) == set()


def test_the_specifications_own_example_is_right():
    """SAM 1, 1.1, with tabs for spaces."""
    text = (
        "@HD VN:1.6 SO:coordinate\n@SQ SN:ref LN:45\n"
        "r001 99 ref 7 30 8M2I4M1D3M = 37 39 TTAGATAAAGGATACTG *\n"
        "r002 0 ref 9 30 3S6M1P1I4M * 0 0 AAAAGATAAGGATA *\n"
        "r003 0 ref 9 30 5S6M * 0 0 GCCTAAGCTAA * SA:Z:ref,29,-,6H5M,17,0;\n"
        "r004 0 ref 16 30 6M14N5M * 0 0 ATAGCTTCAGC *\n"
        "r003 2064 ref 29 17 6H5M * 0 0 TAGGC * SA:Z:ref,9,+,5S6M,30,1;\n"
        "r001 147 ref 37 30 9M = 7 -39 CAGCGGCAT * NM:i:1\n"
    )
    summary, log = check(text.replace(" ", "\t").encode())
    assert (summary.record_count, summary.sort_order, codes(log)) == (6, "coordinate", set())


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["r1", "r2", "r10"], set()),  # natural
        (["r1", "r10", "r2"], set()),  # lexicographical
        (["r1", "r1", "r1"], set()),
        (["r2", "r10", "r1"], {"sam_names_not_sorted"}),
        (["abc03", "abc5", "abc008", "abc08", "abc8", "abc17", "abc17.+", "abc17.2", "abc59", "abcd"], set()),  # 1.3.1
    ],
)
def test_names_may_be_in_either_order(names, found):
    assert codes(check(sam(*(line(name=name) for name in names), header=NAMED))[1]) == found


@pytest.mark.parametrize(
    ("sub_sort", "names", "found"),
    [
        ("natural", ["r2", "r10"], set()),
        ("natural", ["r10", "r2"], {"sam_not_sorted"}),
        ("lexicographical", ["r10", "r2"], set()),
        ("umi", ["r9", "r1", "r5"], set()),
    ],
)
def test_names_are_held_to_the_order_that_is_declared(sub_sort, names, found):
    head = NAMED.replace("queryname", f"queryname\tSS:queryname:{sub_sort}")
    records = [bam_record(name=name.encode() + b"\0") for name in names]
    assert codes(check(sam(*(line(name=name) for name in names), header=head))[1]) == found
    assert codes(check(bam(*records, head=bam_head(head)), "a.bam")[1]) == found


def test_sorted_records_are_right_across_contigs_and_the_unplaced_come_last():
    texts = [line(position="5"), line(position="5"), line(contig="c2", position="1")]
    unplaced = [line(flag="4", contig="*", position="0", cigar="*")] * 2
    assert codes(check(sam(*texts, *unplaced, header=SORTED))[1]) == set()


def test_a_last_line_without_a_line_feed_is_told_and_let_in():
    summary, log = check(sam(line(), line("NM:i:1"))[:-1])
    assert (codes(log), errors(log), summary.record_count) == ({"sam_line_open"}, set(), 2)


def test_compressed_text_is_read():
    for body in (gzip.compress(sam(line())), bgzf(sam(line()))):
        summary, log = check(body, "a.sam.gz")
        assert (summary.format, summary.record_count, codes(log)) == ("SAM", 1, set())


def test_a_name_that_says_another_format_is_told():
    assert codes(check(sam(line()), "a.bam")[1]) == {"alignment_name_differs"}
    assert codes(check(bam(bam_record()), "a.sam")[1]) == {"alignment_name_differs"}


def test_findings_say_the_line_and_the_record_and_the_field():
    _, log = check(sam(line(), line(mapq="256")))
    (finding,) = log.findings
    assert (finding.line, finding.record, finding.field, finding.kind) == (7, 2, "MAPQ", "over 255")
    _, log = check(bam(bam_record(), bam_record(mapq=60, flag=1, next_contig=7)), "a.bam")
    (finding,) = log.findings
    assert (finding.line, finding.record, finding.field) == (None, 2, "RNEXT")


def test_a_broken_record_does_not_hide_those_after_it():
    for name, body in (
        ("a.sam", sam(line(), line(flag="x"), line(mapq="256"))),
        ("a.bam", bam(bam_record(), bam_record(bases=1 << 20), bam_record(contig=9))),
    ):
        _, log = check(body, name)
        assert [finding.record for finding in log.findings] == [2, 3]
