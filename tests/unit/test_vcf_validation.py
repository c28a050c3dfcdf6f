"""VCF files against VCF 4.1 to 4.5 (samtools/hts-specs). Requirements: ING-04, SEC-06."""

import gzip
from pathlib import Path

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.landing.findings import FindingLog, Level
from strandline.landing.vcf import VCF_RULES, VcfSummary, validate_vcf
from tests.unit.vcf_corpus import BROKEN, META, SITE, UNUSUAL, Case, tabs, vcf, with_info, with_sample


def check(body: bytes, piece: int = 1 << 20, **given: object) -> tuple[FindingLog, VcfSummary]:
    log = FindingLog("a.vcf")
    return log, validate_vcf((body[i : i + piece] for i in range(0, len(body), piece)), log, **given)


def errors(log: FindingLog) -> list[str]:
    return [finding.rule.code for finding in log.findings if finding.rule.level is Level.ERROR]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_broken_file_is_kept_out_by_the_rule_it_breaks(case: Case):
    log, _ = check(case.body)
    assert errors(log)[:1] == [case.code]


@pytest.mark.parametrize("case", UNUSUAL, ids=lambda case: case.name)
def test_what_the_standard_allows_is_let_in(case: Case):
    log, summary = check(case.body)
    assert errors(log) == []
    assert summary.record_count == len([line for line in case.body.split(b"\n") if line.strip() and line[:1] != b"#"])


def test_the_corpus_is_as_large_as_promised_and_reaches_nearly_every_rule():
    assert len(BROKEN) >= 60
    assert len(UNUSUAL) >= 25
    reached = {code for case in (*BROKEN, *UNUSUAL) for code in check(case.body)[0].count_by_code}
    own_tests = {  # below
        "vcf_not_bgzf", "vcf_truncated", "vcf_line_too_long", "vcf_ref_differs", "vcf_contig_not_in_reference",
        "vcf_contig_length_differs",
    }  # fmt: skip
    missed = {rule.code for rule in VCF_RULES if "_before_4_" not in rule.code} - reached - own_tests
    assert missed <= {
        "vcf_contig_md5", "vcf_meta_flag_number", "vcf_meta_number_later", "vcf_meta_unquoted_optional",
        "vcf_reserved_definition", "vcf_contig_colon", "vcf_alt_missing_among", "vcf_alt_repeated", "vcf_id_repeated",
        "vcf_frequency_range", "vcf_percent_case", "vcf_block_overlap", "vcf_info_text_count",
    }  # fmt: skip


def test_pysam_lets_most_of_the_broken_files_in(tmp_path: Path):
    def is_read(case: Case) -> bool:
        path = tmp_path / "a.vcf"
        path.write_bytes(case.body)
        before = pysam.set_verbosity(0)
        try:
            with pysam.VariantFile(str(path)) as records:
                return sum(1 for _ in records) >= 0
        except (OSError, ValueError, NotImplementedError):
            return False
        finally:
            pysam.set_verbosity(before)

    accepted = sum(is_read(case) for case in BROKEN)
    assert accepted > len(BROKEN) / 2
    assert not [case.name for case in BROKEN if not errors(check(case.body)[0])]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (vcf(SITE, meta=("##contig=<ID=x,md5=ABC>",)), "vcf_contig_md5"),
        (vcf(SITE, meta=('##INFO=<ID=X,Number=1,Type=Flag,Description="d">',)), "vcf_meta_flag_number"),
        (vcf(SITE, meta=('##FORMAT=<ID=X,Number=P,Type=Float,Description="d">',)), "vcf_meta_number_later"),
        (vcf(SITE, version="4.5", meta=('##FILTER=<ID=x,Description="d",A=b>',)), "vcf_meta_unquoted_optional"),
        (vcf(SITE, meta=('##INFO=<ID=AN,Number=2,Type=Float,Description="d">',)), "vcf_reserved_definition"),
        (vcf("HLA:1 5 . A C . . .", version="4.2"), "vcf_contig_colon"),
        (vcf("c 10 . A C,. . . ."), "vcf_alt_missing_among"),
        (vcf("c 10 . A C,c . . ."), "vcf_alt_repeated"),
        (vcf("c 10 i A C . . .", "c 10 i A G . . ."), "vcf_id_repeated"),
        (vcf(SITE, SITE), "vcf_duplicate_record"),
        (with_info("NOTE=a=b"), "vcf_info_equals"),
        (with_info("AA=a,b"), "vcf_info_text_count"),
        (vcf("c 10 . A * . . .", version="4.1"), "vcf_alt_star_version"),
        (with_info("AF=1.5"), "vcf_frequency_range"),
        (with_sample("GT:GP", "0/1:0.2,1.7,0"), "vcf_frequency_range"),
        (with_info("NOTE=%2c"), "vcf_percent_case"),
        (vcf("c 1 . A <*> . . END=9", "c 9 . A <*> . . END=12"), "vcf_block_overlap"),
        (vcf("x 1 . A C . . ."), "vcf_contig_undeclared"),
        (vcf("c 1 . A C . f .", "c 2 . A C . f ."), "vcf_filter_undeclared"),
        (vcf(SITE, version="4.2", meta=(META[1],)), "vcf_meta_id_repeated_before_4_3"),
        (with_info("DP=9;", version="4.2"), "vcf_info_empty_part_before_4_3"),
    ],
)
def test_what_the_standard_only_advises_is_told_once_and_lets_the_file_in(body, code):
    log, _ = check(body)
    assert errors(log) == []
    assert log.count_by_code[code] == 1


def test_a_finding_points_at_line_and_field_and_names_the_kind_and_never_the_value():
    log, _ = check(with_info("DP=secret"))
    (finding,) = log.findings
    assert (finding.line, finding.field, finding.kind) == (len(META) + 3, "DP", "letters")
    every = " ".join(f.message for case in BROKEN for f in check(case.body.replace(b"PASS", b"secret"))[0].findings)
    assert "secret" not in every


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_the_verdict_does_not_depend_on_how_the_bytes_arrive(piece):
    for case in (*BROKEN[::9], *UNUSUAL[::9]):
        assert [f.message for f in check(case.body, piece)[0].findings] == [
            f.message for f in check(case.body)[0].findings
        ]


def test_records_are_counted_by_what_they_are():
    records = [
        "c 1 . A C . . .",
        "c 2 . A C,CT . . .",
        "c 3 . A <DEL> . . .",
        "c 4 . A <*> . . END=9",
        "c 20 . A . . . .",
    ]
    _, summary = check(vcf(*records, version="4.2"))
    assert summary == VcfSummary("4.2", 5, 0, snv_count=2, indel_count=1, symbolic_count=1, block_count=1)
    assert summary.is_gvcf


def test_plain_gzip_and_a_cut_file_are_told(tmp_path: Path):
    body = vcf(*(f"c {i} . A C . . ." for i in range(1, 900)))
    plain = tmp_path / "a.vcf"
    plain.write_bytes(body)
    pysam.tabix_compress(str(plain), str(tmp_path / "a.vcf.gz"), force=True)
    packed = (tmp_path / "a.vcf.gz").read_bytes()
    assert errors(check(packed)[0]) == []
    assert errors(check(packed, piece=5)[0]) == []
    assert errors(check(gzip.compress(body))[0]) == ["vcf_not_bgzf"]
    assert errors(check(packed[:-28])[0]) == ["vcf_truncated"]
    with pytest.raises(RejectedInputError, match="gzip_truncated"):
        check(packed[:-40])


def test_a_record_must_agree_with_the_reference_that_is_given():
    class Bases:
        def fetch(self, contig: str, start0: int, end0: int) -> str:
            return {"c": "ACGTR" * 200, "d": "C" * 500}[contig][start0:end0]

    lengths = {"c": 1000, "d": 400}
    good = vcf("c 1 . ACGTA C . . .", "c 10 . A C . . .", "d 5 . CCC C . . .")
    assert errors(check(good, reference=Bases())[0]) == []
    assert errors(check(vcf("c 2 . A C . . .", "c 996 . ACGTA C . . ."), reference=Bases())[0]) == ["vcf_ref_differs"]
    assert errors(check(good, length_by_contig=lengths)[0]) == ["vcf_contig_length_differs"]
    assert errors(check(vcf("x 1 . A C . . ."), length_by_contig=lengths)[0]) == ["vcf_contig_not_in_reference"]


def test_a_line_without_end_is_refused_in_little_memory():
    def endless():
        yield b"##fileformat=VCFv4.3\n##x="
        for _ in range(60):
            yield b"A" * (1 << 20)

    log = FindingLog("a.vcf")
    validate_vcf(endless(), log)
    assert "vcf_line_too_long" in errors(log)


def test_many_samples_are_compared_by_name():
    names = [f"S{i}" for i in range(200_000)]
    header = vcf(columns="#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT " + " ".join(names))
    assert errors(check(header)[0]) == []
    again = header[:-1] + tabs(" S77\n").encode()
    log, summary = check(again)
    assert errors(log) == ["vcf_sample_name_repeated"]
    assert summary.sample_count == 200_001
