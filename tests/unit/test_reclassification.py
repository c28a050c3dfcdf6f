"""What a new ClinVar changes of what was reported: policy by policy, and nothing where nothing changed. CLN-05."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.interpretation.knowledge import Knowledge, Source, knowledge_to_bytes, parse_knowledge
from strandline.interpretation.panels import panel_named
from strandline.interpretation.reclassification import (
    Difference,
    Known,
    allele_key,
    compare,
    find_changes,
    read_known,
    read_policy,
)
from strandline.interpretation.scope import Scope
from strandline.reporting.findings import select_findings
from tests.unit.made_up import call

POLICY = read_policy()
ALL = Scope()
WHEN = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
OLD = Source(name="slice", version="1", says="ClinVar 2026-10", sha256="a" * 64)
NEW = Source(name="slice", version="2", says="ClinVar 2026-11", sha256="b" * 64)
ONE, TWO, THREE = (
    "criteria_provided,_single_submitter",
    "criteria_provided,_multiple_submitters,_no_conflicts",
    "reviewed_by_expert_panel",
)


def known(significance: str | None, review: str | None = ONE, clinvar_id: str = "7") -> Known:
    return Known(clinvar_id=clinvar_id, significance=significance, review=review)


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (known("Uncertain_significance"), known("Likely_pathogenic"), "became_pathogenic"),
        (None, known("Pathogenic"), "became_pathogenic"),
        (known("Benign"), known("Pathogenic/Likely_pathogenic"), "became_pathogenic"),
        (known("drug_response"), known("Pathogenic|drug_response"), "became_pathogenic"),
        (None, known("Pathogenic", "no_assertion_criteria_provided"), None),  # a claim without criteria: no star
        (known("Pathogenic"), known("Conflicting_classifications_of_pathogenicity"), "no_longer_pathogenic"),
        (known("Likely_pathogenic"), None, "no_longer_pathogenic"),
        (known("Likely_pathogenic"), known("Pathogenic"), None),  # within what is acted on
        (known("Uncertain_significance"), known("Benign", TWO), "became_benign"),
        (known("Uncertain_significance"), known("Benign", ONE), None),
        (known("Likely_benign"), known("Uncertain_significance", TWO), "benign_no_longer"),
        (known("Pathogenic", ONE), known("Pathogenic", TWO), None),
        (known("Pathogenic", TWO), known("Pathogenic", THREE), "review_changed"),
        (known("Pathogenic", ONE), known("Pathogenic", "no_assertion_criteria_provided"), "review_changed"),
        (known("Benign", ONE), known("Benign", THREE), None),
        (known("Pathogenic", clinvar_id="7"), known("Pathogenic", clinvar_id="8"), None),
        (None, known("Uncertain_significance"), None),
    ],
)
def test_the_policy_says_which_changes_matter(before, after, rule):
    """Stars: "Review status in ClinVar". Moves: by hand from the policy's own words."""
    assert POLICY.matters(before, after) == rule


KEYS = [allele_key("c", position, "A", "G") for position in range(1, 9)]
KNOWN = st.builds(
    Known,
    clinvar_id=st.sampled_from(["1", "2", "30"]),
    significance=st.sampled_from(["Pathogenic", "Benign", "Uncertain_significance", None, "other"]),
    review=st.sampled_from([ONE, TWO, THREE, None]),
)
VERSION = st.lists(st.tuples(st.sampled_from(KEYS), KNOWN), max_size=20)
CALLS = [call(contig="c", position=position, ref="A", alt="G") for position in range(1, 9)]


@settings(max_examples=100, deadline=None)
@given(version=VERSION, seed=st.integers(0, 99))
def test_a_version_compared_with_itself_in_any_order_affects_nothing(version, seed):
    shuffled = random.Random(seed).sample(version, len(version))  # noqa: S311 - an order, no secret
    difference = compare(version, shuffled)
    assert difference == Difference({}, {})
    assert find_changes(lambda: CALLS, difference, ALL, POLICY) == ()


@settings(max_examples=100, deadline=None)
@given(before=VERSION, after=VERSION, seed=st.integers(0, 99))
def test_the_order_of_alleles_and_of_calls_does_not_matter(before, after, seed):
    chance = random.Random(seed)  # noqa: S311 - as above
    mixed = [chance.sample(one, len(one)) for one in (before, after, CALLS)]
    found = find_changes(lambda: CALLS, compare(before, after), ALL, POLICY)
    assert find_changes(lambda: mixed[2], compare(mixed[0], mixed[1]), ALL, POLICY) == found
    there, back = compare(before, after), compare(after, before)
    assert (there.before, there.after) == (back.after, back.before)


def difference(after: Known | None, before: Known | None = None) -> Difference:
    key = allele_key("c", 3, "A", "G")
    return Difference({key: before} if before else {}, {key: after} if after else {})


def test_a_call_that_was_reported_by_nothing_and_is_pathogenic_now_is_found():
    silent = replace(CALLS[2], consequences=(), clinvar_id=None, clinvar_significance=None)
    assert not select_findings([silent], annotated=True).named
    (change,) = find_changes(lambda: [silent], difference(known("Pathogenic")), ALL, POLICY)
    assert (change.variant, change.rule, change.before) == ("c:3:A:G", "became_pathogenic", None)


@pytest.mark.parametrize(
    ("changed", "scope"),
    [
        ({"filters": ("LowQual",)}, ALL),
        ({"position": 4}, ALL),
        ({}, Scope(panel_named("lynch"))),  # outside of what was ordered
    ],
)
def test_what_no_report_speaks_of_reopens_nothing(changed, scope):
    one = replace(CALLS[2], **changed)
    found = find_changes(lambda: [one], difference(known("Pathogenic")), scope, POLICY)
    assert [change for change in found if change.rule] == []


def test_alleles_meet_in_their_shortest_form(tmp_path):
    """`CGGA` to `CGA` at 100 is `CG` to `C` at 100: shared bases behind go before those in front."""
    vcf = tmp_path / "clinvar.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.1\n##contig=<ID=c>\n"
        '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">\n'
        '##INFO=<ID=CLNREVSTAT,Number=.,Type=String,Description="x">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"c\t100\t9\tCGGA\tCGA\t.\t.\tCLNSIG=Pathogenic;CLNREVSTAT={TWO}\n"
        "c\t101\t10\tG\t<DEL>\t.\t.\tCLNSIG=Pathogenic\n"
    )
    assert list(read_known(vcf)) == [("c:100:CG:C", known("Pathogenic", TWO, "9"))]


def knowledge(*pairs: tuple[str, Known | None]) -> Knowledge:
    changes = find_changes(lambda: CALLS, difference(known("Pathogenic")), ALL, POLICY)
    return Knowledge(before=OLD, after=NEW, found=WHEN, policy=POLICY.version, release=2, known=pairs, changes=changes)


def test_what_is_known_now_stands_in_place_of_what_the_calls_say_and_nothing_else_changes():
    told = knowledge(("c:3:A:G", known("Pathogenic", clinvar_id="77")), ("c:5:A:G", None))
    calls = [replace(one, clinvar_id="1", clinvar_significance="Benign") for one in CALLS]
    now = list(told.applied_to(calls))
    said = [(one.clinvar_id, one.clinvar_significance) for one in (now[2], now[4])]
    assert said == [("77", "Pathogenic"), (None, None)]
    assert [one for place, one in enumerate(now) if place not in {2, 4}] == [
        one for place, one in enumerate(calls) if place not in {2, 4}
    ]


def test_the_reason_names_both_versions_and_each_change_and_stays_one_line_of_a_record():
    told = knowledge()
    assert told.reason.startswith("ClinVar 2026-11 in place of ClinVar 2026-10: ")
    assert "c:3:A:G became (likely) pathogenic: not in ClinVar, now Pathogenic (7)" in told.reason
    many = told.model_copy(update={"changes": told.changes * 100})
    assert len(many.reason) <= 2_000
    assert many.reason.endswith(" more")
    assert parse_knowledge(knowledge_to_bytes(told)) == told
    with pytest.raises(RejectedInputError, match=r"^knowledge_invalid"):
        parse_knowledge(b"{}")
