"""One verdict a file. Sources: SAM specification 4.1.2 and CRAM 3 section 9 (end of file), VCF 4.3, BED 1.0. ING-04."""

import gzip
from pathlib import Path

import pysam
import pytest

from strandline.landing.formats import FileFormat, FileVerdict, validate_files

CONTIG = "ACGTACGTAC" * 40
VCF = "##fileformat=VCFv4.3\n##contig=<ID=c,length=400>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
RECORDS = "".join(f"c\t{position}\t.\t{CONTIG[position - 1]}\tN\t.\t.\t.\n" for position in range(1, 300))


def fastq(mate: int, count: int = 3, length: int = 20) -> bytes:
    return b"".join(b"@r%d/%d\n%s\n+\n%s\n" % (i, mate, b"A" * length, b"I" * length) for i in range(count))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ref.fa").write_text(f">c\n{CONTIG}\n")
    pysam.faidx(str(tmp_path / "ref.fa"), catch_stdout=False)
    return tmp_path


def alignment(path: Path, mode: str) -> Path:
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": 400}]}
    with pysam.AlignmentFile(str(path), mode, header=header, reference_filename=str(path.parent / "ref.fa")) as sink:
        for start in range(0, 360, 2):
            segment = pysam.AlignedSegment(sink.header)
            segment.query_name, segment.flag, segment.mapping_quality = f"r{start}", 0, 60
            segment.reference_id, segment.reference_start, segment.cigarstring = 0, start, "20M"
            segment.query_sequence = CONTIG[start : start + 20]
            sink.write(segment)
    return path


def verdict(path: Path) -> FileVerdict:
    (found,) = validate_files([path], reference=path.parent / "ref.fa", length_by_contig={"c": 400})
    return found


def written(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


def test_mates_are_checked_together_whichever_is_given_first(folder):
    first, second = written(folder / "S_R1.fastq", fastq(1)), written(folder / "S_R2.fastq", fastq(2))
    for paths in ([first, second], [second, first]):
        assert [(v.name, v.format, v.summary, v.accepted) for v in validate_files(paths)] == [
            ("S_R1.fastq", FileFormat.FASTQ, "3 pairs of 20 to 20 bases", True),
            ("S_R2.fastq", FileFormat.FASTQ, "3 pairs of 20 to 20 bases", True),
        ]


def test_mates_that_disagree_are_both_refused(folder):
    first, second = written(folder / "S_R1.fastq", fastq(1)), written(folder / "S_R2.fastq", fastq(2, count=2))
    assert [v.code for v in validate_files([first, second])] == ["mate_counts_differ"] * 2


@pytest.mark.parametrize(
    "names",
    [
        ["S_R1.fq", "S_R2.fq"],
        ["S_1.fastq.gz", "S_2.fastq.gz"],
        ["S1_L001_R1_001.fastq", "S1_L001_R2_001.fastq"],
        ["read1.fq", "read2.fq"],
        ["HG002R1.fq", "HG002R2.fq"],
        ["DR1_1.fq", "DR1_2.fq"],
    ],
)
def test_mates_are_known_by_the_ways_in_which_sequencers_name_them(folder, names):
    bodies = [fastq(1), fastq(2)]
    paths = [
        written(folder / name, gzip.compress(body) if name.endswith(".gz") else body)
        for name, body in zip(names, bodies, strict=True)
    ]
    assert {v.summary for v in validate_files(paths)} == {"3 pairs of 20 to 20 bases"}


def test_lanes_are_no_mates(folder):
    """In the order of `*_R1* *_R2*` the same mate of two lanes stands side by side, and differs in a 1 and a 2 too."""
    names = ["S_L001_R1.fq", "S_L002_R1.fq", "S_L001_R2.fq", "S_L002_R2.fq"]
    counts = {"L001": 3, "L002": 5}
    paths = [written(folder / n, fastq(1 if "R1" in n else 2, count=counts[n[2:6]])) for n in names]
    verdicts = {v.name: v.summary for v in validate_files(paths)}
    assert verdicts == {name: f"{counts[name[2:6]]} pairs of 20 to 20 bases" for name in names}


def test_one_fastq_alone_is_checked_alone(folder):
    assert verdict(written(folder / "S_R1.fq.gz", gzip.compress(fastq(1)))).summary == "3 reads of 20 to 20 bases"


@pytest.mark.parametrize(("mode", "suffix"), [("w", "sam"), ("wb", "bam"), ("wc", "cram")])
def test_whole_alignments_are_accepted_and_cut_ones_are_not(folder, mode, suffix):
    path = alignment(folder / f"a.{suffix}", mode)
    assert (verdict(path).format, verdict(path).summary) == (FileFormat.ALIGNMENT, "180 records")
    cut = verdict(written(folder / f"cut.{suffix}", path.read_bytes()[: path.stat().st_size * 2 // 3]))
    assert cut.code in {f"{suffix}_truncated", "alignment_unreadable"}
    assert cut.summary is None


@pytest.mark.parametrize(("mode", "suffix", "size"), [("wb", "bam", 28), ("wc", "cram", 38)])
def test_an_alignment_cut_between_two_blocks_is_found_by_its_missing_end(folder, mode, suffix, size):
    body = alignment(folder / f"a.{suffix}", mode).read_bytes()
    assert verdict(written(folder / f"cut.{suffix}", body[:-size])).code == f"{suffix}_truncated"


def test_a_whole_vcf_is_accepted_plain_or_bgzipped(folder):
    plain = written(folder / "a.vcf", (VCF + RECORDS).encode())
    pysam.tabix_compress(str(plain), str(folder / "b.vcf.gz"), force=True)
    for path in (plain, folder / "b.vcf.gz"):
        assert (verdict(path).format, verdict(path).summary) == (FileFormat.VCF, "299 records of VCF 4.3, 0 samples")


def test_a_vcf_cut_between_two_blocks_is_found_by_its_missing_end(folder):
    plain = written(folder / "a.vcf", (VCF + RECORDS).encode())
    pysam.tabix_compress(str(plain), str(folder / "b.vcf.gz"), force=True)
    body = (folder / "b.vcf.gz").read_bytes()
    assert verdict(written(folder / "cut.vcf.gz", body[:-28])).code == "vcf_truncated"


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("a.vcf", b"", "vcf_empty"),
        ("a.vcf", b"@r1\nA\n+\nI\n", "not_vcf"),
        ("a.vcf", VCF.replace("v4.3", "v3.3").encode(), "vcf_version_unknown"),
        ("a.vcf", (VCF + "c\tx\t.\tA\tC\t.\t.\t.\n").encode(), "vcf_pos_form"),
        ("a.vcf.gz", gzip.compress((VCF + RECORDS).encode()), "vcf_not_bgzf"),
        ("a.bam", b"", "bam_truncated"),
        ("a.sam", b"no alignment\n", "alignment_unreadable"),
        ("a.fastq", VCF.encode(), "not_fastq"),
        ("a.fastq", b"", "fastq_empty"),
        ("a.bed", b"c\t0\t401\n", "region_outside_contig"),
        ("a.bed", b"x\t0\t1\n", "contig_not_in_reference"),
        ("a.ped", b"F\tC\tP\tM\t1\t2\nF\tP\t0\t0\t2\t1\n", "ped_father_sex"),
        ("a.md5", b"0123  a.bam\n", "checksum_digits"),
        ("a.txt", b"hello", "format_unknown"),
        ("fastq", b"hello", "format_unknown"),
    ],
)
def test_what_a_name_does_not_hold_is_told(folder, name, body, code):
    found = verdict(written(folder / name, body))
    assert (found.code, found.accepted, found.summary) == (code, False, None)
    assert found.message


@pytest.mark.parametrize("name", ["a.fastq", "a.bam", "a.vcf", "a.bed"])
def test_a_file_that_is_not_there_is_named(folder, name):
    assert verdict(folder / name).code == "file_not_found"


def test_a_bed_file_is_counted_and_unchecked_without_a_reference(folder):
    path = written(folder / "a.bed", b"c\t0\t10\nc\t20\t25\n")
    assert verdict(path).summary == "2 intervals, 15 bases"
    (found,) = validate_files([written(folder / "b.bed", b"elsewhere\t0\t10\n")])
    assert found.accepted


def test_one_bad_file_does_not_hide_the_others(folder):
    bad, good = written(folder / "a.vcf", b"x"), written(folder / "b.bed", b"c\t0\t10\n")
    assert [v.accepted for v in validate_files([bad, good])] == [False, True]


def test_a_verdict_carries_every_finding_and_the_first_error_is_its_code(folder):
    body = (VCF + "x\t5\t.\tA\tC\t.\t.\tX=1\nx\t4\t.\tA\tA\t.\t.\t.\n").encode()
    (found,) = validate_files([written(folder / "a.vcf", body)])
    assert found.code == "vcf_alt_is_ref"
    assert found.message == found.findings[2].message
    assert found.count_by_code == {
        "vcf_info_undeclared": 1,
        "vcf_contig_undeclared": 1,
        "vcf_alt_is_ref": 1,
        "vcf_pos_unsorted": 1,
    }


def test_warnings_let_a_file_in_and_are_told(folder):
    (found,) = validate_files([written(folder / "a.vcf", (VCF + "x\t5\t.\tA\tC\t.\t.\t.\n").encode())])
    assert found.accepted
    assert [finding.rule.code for finding in found.findings] == ["vcf_contig_undeclared"]


def test_what_ends_a_check_is_a_finding_too(folder):
    (found,) = validate_files([written(folder / "a.vcf.gz", gzip.compress((VCF + RECORDS).encode())[:-20])])
    assert [finding.rule.code for finding in found.findings] == [found.code] == ["gzip_truncated"]


def test_calls_of_another_reference_are_refused(folder):
    path = written(folder / "a.vcf", (VCF + "c\t5\t.\tC\tG\t.\t.\t.\n").encode())
    assert verdict(path).code == "vcf_ref_differs"


def test_pedigrees_and_checksums_are_known_by_their_names(folder):
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    (found,) = validate_files([written(folder / "reads.fq.gz.md5", f"{digest}  reads.fq.gz\n".encode())])
    assert (found.format, found.summary) == (FileFormat.CHECKSUMS, "1 checksums")
    (found,) = validate_files([written(folder / "a.fam", b"F C 0 0 1 2\n")])
    assert (found.format, found.summary) == (FileFormat.PEDIGREE, "1 individuals, 1 families, 0 trios")
