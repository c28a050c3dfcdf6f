"""Each rule by a file that breaks it, and what the specification allows. Cock et al. 2010, doi:10.1093/nar/gkp1137."""

import gzip
from collections.abc import Callable

import pytest

from strandline.errors import RejectedInputError
from strandline.landing import decompression
from strandline.landing.fastq import FastqSource, check_fastq, check_fastq_pair, validate_fastq
from strandline.landing.fastq_rules import EXPANSION_LIMIT, FASTQ_RULES
from strandline.landing.findings import FindingLog, Level, rules_by_code

NAME = b"PT98765"  # as a careless lab names reads
TEXT = b"@PT98765.1 first\nGATTACA\n+\nIIIIIII\n@PT98765.2\nCCC\n+\n###\n"


def said_of(body: bytes, chunk: int = 1 << 16) -> FindingLog:
    log = FindingLog("R1.fastq")
    check_fastq(FastqSource("R1.fastq", [body[i : i + chunk] for i in range(0, len(body), chunk)]), log)
    return log


def said_of_pair(first: bytes, second: bytes) -> FindingLog:
    logs = FindingLog("R1.fastq"), FindingLog("R2.fastq")
    check_fastq_pair(FastqSource("R1.fastq", [first]), FastqSource("R2.fastq", [second]), *logs)
    return logs[0]


SINGLE = {
    "fastq_empty": b"",
    "not_fastq": TEXT.replace(b"+", b"=", 1),
    "fastq_truncated": TEXT[: TEXT.rindex(b"+")],
    "line_too_long": TEXT + b"@" + b"x" * (9 << 20),
    "carriage_return": TEXT.replace(b"\n", b"\r\n"),
    "control_character": TEXT.replace(b"fir", b"f\0r"),
    "empty_read": TEXT + b"@PT98765.3\n\n+\n\n",
    "bad_base": TEXT.replace(b"TTA", b"T-A"),
    "rna_bases": TEXT.replace(b"T", b"U").replace(b"PU", b"PT"),
    "separator_disagrees": TEXT.replace(b"+\n#", b"+PT98765.1\n#"),
    "quality_length": TEXT.replace(b"III\n", b"II\n"),
    "bad_quality": TEXT.replace(b"##\n", b"# \n"),
    "quality_offset": TEXT.replace(b"I", b"h").replace(b"#", b"B"),
    "lines_wrapped": TEXT.replace(b"GATTACA", b"GATT\nACA").replace(b"IIIIIII", b"@III\n+II"),
    "blank_lines": TEXT + b"\n\r\n",
    "empty_name": TEXT.replace(b"@PT98765.2", b"@"),
    "long_name": TEXT.replace(b".2", b"." + b"2" * 254),
    "gzip_truncated": gzip.compress(TEXT)[:-1],
    "gzip_corrupt": gzip.compress(TEXT, mtime=0)[:-6] + b"\0\0" + gzip.compress(TEXT, mtime=0)[-4:],
    "gzip_trailing_bytes": gzip.compress(TEXT) + b"PT98765",
}
PAIRED = {
    "mates_disagree": (TEXT, TEXT.replace(b".2", b".3")),
    "mates_swapped": (TEXT.replace(b" first", b" 2:N:0"), TEXT.replace(b" first", b" 1:N:0")),
    "mate_counts_differ": (TEXT, TEXT[: TEXT.index(b"@PT98765.2")]),
}


@pytest.mark.parametrize("code", SINGLE)
@pytest.mark.parametrize("chunk", [1 << 20, 5])
def test_a_file_that_breaks_one_rule_is_said_to_break_that_one(code, chunk):
    if chunk == 5 and code == "line_too_long":
        chunk = 100_000
    log = said_of(SINGLE[code], chunk)
    assert dict(log.count_by_code).keys() == {code}
    assert all("98765" not in finding.message for finding in log.findings)


@pytest.mark.parametrize("code", PAIRED)
def test_a_pair_that_breaks_one_rule_is_said_to_break_that_one(code):
    log = said_of_pair(*PAIRED[code])
    assert dict(log.count_by_code).keys() == {code}
    assert all("98765" not in finding.message for finding in log.findings)


def test_every_rule_has_a_code_of_its_own_and_a_file_that_breaks_it():
    assert rules_by_code(FASTQ_RULES).keys() == SINGLE.keys() | PAIRED.keys() | {"gzip_expansion"}


def test_an_expansion_that_no_reads_have_is_said_to_be_one(monkeypatch):
    monkeypatch.setattr(decompression, "_FREE_BYTES", 1000)
    body = gzip.compress(b"@r\n%s\n+\n%s\n" % (b"A" * 9999, b"I" * 9999) * 50)
    assert len(body) * EXPANSION_LIMIT < 50 * 20_000
    assert dict(said_of(body).count_by_code) == {"gzip_expansion": 1}


@pytest.mark.parametrize(
    "body",
    [
        TEXT[:-1],
        TEXT.replace(b"+", b"+PT98765.1 first", 1),
        TEXT.replace(b"GATTACA", b"acgtunr").replace(b"CCC", b"BD."),
        TEXT.replace(b"GATTACA", b"RYSWKMV").replace(b"u", b"t"),
        TEXT.replace(b"IIIIIII", b"@+!~#$%"),
        TEXT.replace(b"first", b"fr\xc3\xa4h\tRG:Z:x"),
        TEXT + b"@PT98765.3\n\n+\n\n",
        TEXT + b"@PT98765.3\n\n+\n",
        TEXT.replace(b".2", b"." + b"2" * 5000),
        SINGLE["lines_wrapped"],
        SINGLE["lines_wrapped"][:-1],
        TEXT * 3 + SINGLE["lines_wrapped"] * 2,
        b"@PT98765\n" + b"\n".join([b"ACGT" * 15] * 7) + b"\n+\n" + b"\n".join([b"@+~!" * 15] * 7) + b"\n",
        gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(TEXT) + b"\0" * 600,
    ],
)
def test_what_the_specification_allows_is_not_refused(body):
    for chunk in (1, 1 << 16):
        log = said_of(body, chunk)
        assert log.first_error is None


def test_zeros_between_members_are_no_padding():
    assert said_of(gzip.compress(TEXT) + b"\0" * 600 + gzip.compress(TEXT)).count_by_code == {"gzip_trailing_bytes": 1}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"##fileformat=VCFv4.3\n#CHROM\n", "VCF"),
        (b"BAM\x01" + bytes(range(256)) * 20, "BAM"),
        (gzip.compress(b"BAM\x01" + b"\0" * (9 << 20)), "BAM"),
        (b"CRAM\x03\0" * 50, "CRAM"),
        (b"@HD\tVN:1.6\n@SQ\tSN:c\tLN:4\nr\t4\n", "SAM"),
        (b"@SQ\tSN:c\tLN:4\nr\t4\nr\t4\nr\t4\n", "SAM"),
        (b">c\nACGT\n", "FASTA"),
        (b"PK\x03\x04" + b"\n\0" * 90, "zip archive"),
        (b"%PDF-1.7\n" * 9, "PDF"),
        (b"BZh91AY\n", "bzip2"),
        (gzip.compress(gzip.compress(TEXT * 9)), "gzip within gzip"),
        (b"\xef\xbb\xbf" + TEXT, "UTF-8 text with a byte-order mark"),
        (TEXT.decode().encode("utf-16"), "UTF-16 text"),
        (TEXT.decode().encode("utf-16-le"), "UTF-16 text"),
        (TEXT.decode().encode("utf-16-be"), "UTF-16 text"),
        (gzip.compress(b"R1.fastq".ljust(257, b"\0") + b"ustar\0" + b"\0" * 249 + TEXT), "tar archive"),
        (b"PT98765 is here\n" * 9, None),
    ],
)
def test_another_format_is_told_by_its_beginning(body, kind):
    finding = said_of(body).first_error
    assert finding is not None
    assert (finding.rule.code, finding.line, finding.kind) == ("not_fastq", finding.line, kind)


@pytest.mark.parametrize(
    ("qualities", "kind"),
    [
        ([b"hhhhe", b"BBBBB"], "offset 64"),
        ([b"hhhhe", b"##FFF"], "offsets 33 and 64 mixed"),
        ([b"IIIII", b"JKJKJ"], None),
        ([b"~~~~~", b"hhhhh"], None),
        ([b"#h~5I", b"hhhhh"], None),
        ([b"#####", b"IIIII"], None),
    ],
)
def test_an_offset_of_64_is_doubted_and_long_accurate_reads_are_not(qualities, kind):
    body = b"".join(b"@r%d\nACGTA\n+\n%s\n" % (i, q) for i, q in enumerate(qualities))
    found = said_of(body).findings
    assert [finding.kind for finding in found if finding.rule.level is Level.WARNING] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda body: body.replace(b"@PT98765.2", b"PT98765.2"), ("not_fastq", 5, "title", None)),
        (lambda body: body.replace(b"CCC", b"C\0C"), ("bad_base", 6, "sequence", "NUL")),
        (lambda body: body.replace(b"CCC", b"C*C"), ("bad_base", 6, "sequence", "gap")),
        (lambda body: body.replace(b"CCC", b"C C"), ("bad_base", 6, "sequence", "white space")),
        (lambda body: body.replace(b"###", b"#\xe4#"), ("bad_quality", 8, "quality", "not ASCII")),
        (lambda body: body.replace(b"###", b"####"), ("quality_length", 8, "quality", None)),
        (lambda body: gzip.compress(body)[:-4], ("gzip_truncated", 9, "title", None)),
    ],
)
def test_a_finding_says_where_and_of_what_kind(change: Callable[[bytes], bytes], place: tuple[object, ...]):
    (finding,) = said_of(change(TEXT)).findings
    assert (finding.rule.code, finding.line, finding.field, finding.kind) == place
    assert (finding.line or 0) // 4 + ((finding.line or 0) % 4 > 0) == finding.record


def test_after_unwrapping_a_finding_says_the_record_and_no_line():
    log = said_of(SINGLE["lines_wrapped"] + b"@PT98765.3\nACX\nAC\n+\n#####\n")
    assert [(f.rule.code, f.line, f.record) for f in log.findings] == [("lines_wrapped", 2, 1), ("bad_base", None, 3)]


def test_the_refusal_of_gzip_is_told_in_its_own_words_where_the_first_error_ends_the_check():
    with pytest.raises(RejectedInputError, match=r"^gzip_truncated: R1 ends within its gzip data"):
        validate_fastq(FastqSource("R1", [gzip.compress(TEXT)[:-3]]))
