"""Checksum files. Source: GNU coreutils manual, "md5sum invocation". Requirement: ING-04."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.landing.checksum_files import DeclaredChecksum, parse_checksums
from strandline.landing.findings import FindingLog, Level

MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(b"").hexdigest()
OTHER = hashlib.sha256(b"x").hexdigest()


def check(text: str | bytes, name: str = "checksums.txt") -> tuple[list[str], list[str], list[DeclaredChecksum]]:
    log = FindingLog(name)
    found = parse_checksums([text.encode() if isinstance(text, str) else text], log)
    levels = {finding.rule.code: finding.rule.level for finding in log.findings}
    errors = [code for code, level in levels.items() if level is Level.ERROR]
    return errors, [code for code in levels if code not in errors], found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{SHA256}  a b.bam\n", "a b.bam"),
        (f"{SHA256} *a b.bam\n", "a b.bam"),
        (f"{SHA256.upper()}  a b.bam", "a b.bam"),
        (f"SHA256 (a b.bam) = {SHA256}\n", "a b.bam"),
        (f"\\{SHA256}  a\\nb\\\\.bam\n", "a\nb\\.bam"),
        (f"{SHA256}\n", None),
    ],
)
def test_every_way_in_which_the_tools_write_is_read(text, name):
    assert check(text, "a.sha256") == ([], [], [DeclaredChecksum("sha256", SHA256, name)])


@pytest.mark.parametrize(
    ("text", "file", "code"),
    [
        ("", "a.md5", "checksum_empty"),
        ("hello world\n", "a.md5", "checksum_form"),
        (f"{MD5} a.bam\n", "a.md5", "checksum_form"),
        (f"{MD5[:-1]}  a.bam\n", "a.md5", "checksum_digits"),
        (f"{SHA256}  a.bam\n", "a.md5", "checksum_algorithm"),
        (f"MD5 (a.bam) = {SHA256}\n", "checksums.txt", "checksum_algorithm"),
        (f"{MD5}  a.bam\r\n", "a.md5", "checksum_carriage_return"),
        (f"{MD5}  a\0.bam\n", "a.md5", "checksum_not_text"),
        (b"\xff\xfe", "a.md5", "checksum_not_text"),
        (f"{SHA256}  a.bam\n{OTHER}  a.bam\n", "a.sha256", "checksum_contradiction"),
        (f"{SHA256}  a.bam\n{OTHER}\n", "a.sha256", "checksum_nameless"),
        ("A" * (2 << 20), "a.md5", "checksum_line_too_long"),
    ],
)
def test_what_is_wrong_is_told_by_its_rule(text, file, code):
    assert check(text, file)[0] == [code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{SHA256}  a.bam\n{SHA256}  a.bam\n", "checksum_repeated"),
        (f"{SHA256}  a.bam\n{MD5}  a.bam\n", "checksum_mixed"),
        (f"{SHA256}  /data/a.bam\n", "checksum_outside"),
        (f"{SHA256}  ../a.bam\n", "checksum_outside"),
    ],
)
def test_what_is_only_odd_is_a_warning(text, code):
    assert check(text)[:2] == ([], [code])


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_printable_name_is_read_back(name):
    _, _, (found,) = check(f"{SHA256}  {name}\n")
    assert found.name == name
