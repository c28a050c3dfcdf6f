"""PED files. Source: PLINK 1.9 file formats, .fam. Requirement: ING-04."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.landing.findings import FindingLog
from strandline.landing.pedigree import PED_RULES, PedigreeSummary, validate_pedigree

TRIO = b"F1\tFA\t0\t0\t1\t1\nF1\tMO\t0\t0\t2\t1\nF1\tCH\tFA\tMO\t2\t2\n"


def check(body: bytes) -> tuple[list[str], PedigreeSummary]:
    log = FindingLog("a.ped")
    summary = validate_pedigree([body[i : i + 100] for i in range(0, len(body), 100)], log)
    return list(log.count_by_code), summary


@pytest.mark.parametrize(
    "body",
    [
        TRIO,
        TRIO.replace(b"\t", b" "),
        TRIO.replace(b"\n", b"\r\n"),
        TRIO[:-1],
        b"# comment\n\n" + TRIO,
        TRIO.replace(b"\t1\n", b"\t-9\n"),
        TRIO.replace(b"\t1\n", b"\t-1.25e2\n"),
        b"\n".join(TRIO.splitlines()[::-1]),
    ],
)
def test_a_trio_is_counted_however_it_is_written(body):
    assert check(body) == ([], PedigreeSummary(family_count=1, individual_count=3, trio_count=1))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "ped_empty"),
        (b"# nobody\n", "ped_empty"),
        (b"\xef\xbb\xbf" + TRIO, "ped_byte_order_mark"),
        (TRIO.replace(b"CH", b"C\0"), "ped_control_character"),
        (TRIO.replace(b"CH", b"C\xff"), "ped_not_text"),
        (TRIO.replace(b"CH", b"=1+1"), "ped_formula"),
        (TRIO.replace(b"\t2\t2\n", b"\t2\n"), "ped_columns"),
        (TRIO.replace(b"\t2\t2\n", b"\t2\t2\tA\tC\n"), "ped_columns_differ"),
        (TRIO.replace(b"\n", b"\tA\tC\n"), "ped_extra_columns"),
        (TRIO.replace(b"\tCH\t", b"\t0\t"), "ped_id_missing"),
        (TRIO + TRIO.splitlines()[2], "ped_id_repeated"),
        (TRIO + b"F2\tCH\t0\t0\t1\t1\n", "ped_id_in_two_families"),
        (TRIO.replace(b"\t2\t2\n", b"\tF\t2\n"), "ped_sex"),
        (TRIO.replace(b"\t2\t2\n", b"\t2\tsick\n"), "ped_phenotype"),
        (TRIO.replace(b"CH\tFA", b"CH\tCH"), "ped_own_parent"),
        (TRIO.replace(b"CH\tFA", b"CH\tMO"), "ped_same_parent"),
        (TRIO.replace(b"CH\tFA", b"CH\t0"), "ped_one_parent"),
        (TRIO.replace(b"CH\tFA", b"CH\tXX"), "ped_parent_unknown"),
        (TRIO.replace(b"FA\tMO\t2", b"MO\tFA\t2"), "ped_father_sex"),
        (TRIO.replace(b"FA\tMO\t2", b"MO\tFA\t2"), "ped_mother_sex"),
        (TRIO.replace(b"FA\t0\t0\t1", b"FA\t0\t0\t0"), "ped_parent_sex_unknown"),
        (TRIO.replace(b"MO\t0\t0", b"MO\tFA\tCH"), "ped_loop"),
    ],
)
def test_what_is_wrong_is_told_by_its_rule(body, code):
    assert code in check(body)[0]


def test_every_rule_of_small_files_has_a_test_above():
    (mark,) = test_what_is_wrong_is_told_by_its_rule.pytestmark
    tested = {code for _, code in mark.args[1]}
    assert {rule.code for rule in PED_RULES} - tested == {"ped_too_large", "ped_line_too_long"}


@given(st.integers(2, 300), st.booleans())
def test_a_line_of_descent_has_a_loop_only_where_it_is_closed(depth, closed):
    father = f"I{depth}" if closed else "0"
    lines = [f"F I1 {father} 0 1 1"] + [f"F I{n} I{n - 1} 0 1 1" for n in range(2, depth + 1)]
    assert ("ped_loop" in check("\n".join(lines).encode())[0]) == closed
