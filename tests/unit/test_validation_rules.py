"""The list of rules is what the documentation says. Requirement: ING-04."""

import csv
import io
import json
from pathlib import Path

import pytest

from strandline.cli.main import invoke
from strandline.cli.rule_page import rule_page
from strandline.landing.formats import RULE_BY_CODE, RULES_BY_FORMAT

PAGE = Path(__file__).resolve().parents[2] / "docs/validation_rules.md"
BAD_VCF = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t5\t.\tA\tA\t.\t.\tX\n"


def test_the_page_is_the_list_of_rules():
    assert PAGE.read_text() == rule_page(RULES_BY_FORMAT), (
        "python -m strandline.cli.rule_page > docs/validation_rules.md"
    )


def test_every_rule_says_where_it_comes_from_and_what_to_do():
    for rule in RULE_BY_CODE.values():
        assert all((rule.code.isidentifier(), rule.section, rule.says, rule.advice)), rule.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.vcf").write_text(BAD_VCF)
    (tmp_path / "b.bed").write_text("c\t0\t10\n")
    return tmp_path


def test_each_file_is_one_json_object_with_its_findings(folder, capsys):
    assert invoke(["validate", "a.vcf", "b.bed", "--format", "json"]) == 65
    bad, good = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert list(bad) == ["file", "format", "verdict", "code", "message", "summary", "findings", "counts"]
    assert (bad["verdict"], bad["code"], bad["summary"]) == ("REJECTED", "vcf_alt_is_ref", None)
    assert [finding["code"] for finding in bad["findings"]] == list(bad["counts"])
    assert bad["findings"][0] == {
        "code": "vcf_alt_is_ref",
        "level": "error",
        "line": 3,
        "record": None,
        "field": "ALT",
        "kind": None,
        "message": bad["message"],
        "section": "VCF 4.5, 1.6.1 (5)",
    }
    assert (good["verdict"], good["code"], good["findings"]) == ("ACCEPTED", None, [])


def test_each_finding_is_one_csv_row_and_a_faultless_file_has_one_too(folder, capsys):
    invoke(["validate", "a.vcf", "b.bed", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["file"], row["code"]) for row in rows] == [
        ("a.vcf", "vcf_alt_is_ref"),
        ("a.vcf", "vcf_info_undeclared"),
        ("a.vcf", "vcf_contig_undeclared"),
        ("b.bed", ""),
    ]


def test_the_rules_are_listed_on_demand_and_a_file_is_asked_for_else(capsys):
    assert invoke(["validate", "--rules", "--format", "json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [rule["code"] for rule in listed] == list(RULE_BY_CODE)
    assert invoke(["validate"]) == 2
