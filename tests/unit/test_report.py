"""The clinician's report: findings first, limits said, and whatever a file says is text and never markup. CLN-03."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from strandline.landing.manifest import SampleDeclaration
from strandline.reporting.findings import Findings, select_findings
from strandline.reporting.report import LIMITS, ReportInput, build_report
from tests.unit.html_page import Page
from tests.unit.made_up import NAME, NAMED, QUALITY, call, consequence

HOSTILE = "<script>alert('x')</script>\"'&<img src=//evil.example/x onerror=1>"
SOURCE = ReportInput(
    submission_id="s-1",
    sample=SampleDeclaration(sample_id="HG002", subject_id="PT00042"),
    reference_label="slice/0c2b",
    quality=QUALITY,
    findings=select_findings([call(), call(position=7, filters=("LowQual",))], annotated=True),
    sources={"Genes": "Ensembl 110", "ClinVar": "2026-11"},
    issued=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
    platform_version="0.1.0",
)


def page(**changes: object) -> Page:
    return Page(build_report(replace(SOURCE, **changes)))


def findings(*calls: object) -> Findings:
    return select_findings(calls, annotated=True)


def test_findings_come_before_coverage_limits_and_method():
    text = page().text
    places = [text.index(heading) for heading in ("Findings", "Coverage and what", "Limits", "Method and")]
    assert places == sorted(places)
    assert text.index("BRCA2") < text.index("Coverage and what")


def test_a_draft_says_so_before_anything_else():
    """CLN-04."""
    text = page().text
    assert text.index("Draft for review. Not signed, not released: not for clinical use.") < text.index("Findings")
    assert "has not been reviewed" in text


def test_a_finding_is_told_in_words_with_its_evidence():
    text = page().text
    for words in (
        "Known pathogenic or likely pathogenic (1)",
        "chr13:32,316,461",
        "G>A",
        "stop gained",
        "12W>12*",
        "heterozygous",
        "14 of 32",
        "221",
        "Pathogenic (ClinVar 900001)",
        "1 variant is listed",
        "1 failed a filter",
    ):
        assert words in text


def test_limits_coverage_warnings_and_versions_are_said():
    text = page().text
    for words in (
        *LIMITS,
        *QUALITY.warnings,
        "100,000 bases were analysed",
        "95.0%",
        "31.4",
        "samtools 1.23, bcftools 1.23",
        "slice/0c2b",
        "Ensembl 110",
        "2026-11-22 08:30",
    ):
        assert words in text


def test_hostile_text_stays_text():
    """SEC-06."""
    hostile = call(
        contig=HOSTILE,
        ref=HOSTILE[:12],
        consequences=(consequence("stop_gained", gene=HOSTILE, protein_change=HOSTILE[:12]),),
        clinvar_id=HOSTILE,
    )
    attacked = page(
        findings=findings(hostile),
        sources={"Genes": HOSTILE, "ClinVar": HOSTILE},
        reference_label=HOSTILE,
        quality=QUALITY.model_copy(update={"warnings": (HOSTILE,), "programs": (HOSTILE,)}),
    )
    assert set(attacked.tags) == set(page().tags)
    assert not {"script", "img", "iframe", "object", "link"} & set(attacked.tags)
    assert attacked.text.count(HOSTILE) >= 6


def test_the_page_loads_nothing_and_runs_nothing():
    made = page()
    assert not {"script", "link", "img", "iframe", "base", "form"} & set(made.tags)
    assert not [name for name, _ in made.attributes if name in {"src", "href", "srcset", "action"} or name[:2] == "on"]
    text = build_report(SOURCE)
    assert not re.search(r"(https?:)?//|@import|url\(", text)
    policy = next(value for _, value in made.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("length", [17, 5000])
def test_a_long_allele_is_cut_and_its_length_said(length):
    text = page(findings=findings(call(ref="A" * length, alt="A"))).text
    assert f"… ({length} bases)>A" in text
    assert "A" * 17 not in text


def test_the_amino_acids_of_a_frameshift_are_cut():
    effect = consequence("frameshift", protein_change="11" + "R" * 200 + "*>11S*")
    assert "R" * 30 not in page(findings=findings(call(consequences=(effect,)))).text


def test_no_finding_is_said_in_words_and_does_not_mean_none():
    text = page(findings=Findings((), 5, 2, 0)).text
    assert "No variant meets the reporting criteria." in text
    assert "5 more passed the filters" in text
    assert "A variant that is not listed is not excluded" in text


def test_a_list_that_was_cut_says_so():
    assert "3 that meet a criterion are left out" in page(findings=replace(SOURCE.findings, cut=3)).text


def test_without_annotation_nothing_is_ranked_and_the_report_says_so():
    text = page(findings=select_findings([call(consequences=())], annotated=False), sources={}).text
    assert "nothing could be ranked" in text
    assert "chr13:32,316,461" in text
    assert "unknown" in text


def test_missing_evidence_leaves_a_blank_and_no_error():
    bare = call(quality=None, ref_depth=None, alt_depth=None, depth=None, clinvar_id=None, zygosity="HEMI")
    assert "hemizygous" in page(findings=findings(bare)).text


def test_a_subject_without_pseudonym_is_not_invented():
    assert "not given" in page(sample=SampleDeclaration(sample_id="HG002")).text


def test_a_named_call_shows_its_names_the_ground_of_its_transcript_and_its_frequency():
    text = page(findings=findings(call(**NAMED))).text
    for words in (
        "NC_000013.11:g.32316461G>A",
        "ENST00000380152.8:c.36G>A",
        "p.(Trp12Ter)",
        "MANE Select",
        "0.25; most in EUR: 0.5",
    ):
        assert words in text


def test_a_long_name_is_cut():
    inserted = "ACGT" * 50
    long = replace(NAME, coding=f"c.36_37ins{inserted}", protein="p.(Trp12" + "Arg" * 50 + ")")
    text = page(findings=findings(call(genomic_name=f"NC_000013.11:g.1_2ins{inserted}", names=(long,)))).text
    assert "NC_000013.11:g.1_2insACGT" in text
    assert "ENST00000380152.8:c.36_37insACGT" in text
    assert "ACGT" * 12 not in text
    assert "Arg" * 20 not in text


def test_an_effect_that_is_more_severe_on_another_transcript_is_said():
    effects = (consequence("frameshift", transcript="ENST2"), consequence("missense"))
    shown = call(names=(replace(NAME, term="missense"),), consequences=effects)
    text = page(findings=findings(shown)).text
    assert "missense" in text
    assert "frameshift on ENST2" in text
    assert "on ENST" not in page(findings=findings(call(**NAMED))).text
