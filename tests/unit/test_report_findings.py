"""Which calls a report names. The policy is this project's own; the terms are those of bcftools csq and ClinVar."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.reporting.findings import LONGEST_LIST, Tier, clinvar_terms, select_findings
from tests.unit.made_up import call, consequence


def tier_of(term: str | None, significance: str | None) -> Tier | None:
    effects = (consequence(term),) if term else ()
    found = select_findings([call(consequences=effects, clinvar_significance=significance)], annotated=True)
    return found.named[0].tier if found.named else None


@pytest.mark.parametrize(
    ("term", "significance", "tier"),
    [
        ("intron", "Pathogenic", Tier.KNOWN_PATHOGENIC),
        (None, "Likely_pathogenic", Tier.KNOWN_PATHOGENIC),
        ("stop_gained", "Pathogenic/Likely_pathogenic", Tier.KNOWN_PATHOGENIC),
        ("missense", "Pathogenic,_risk_factor", Tier.KNOWN_PATHOGENIC),
        ("stop_gained", None, Tier.LOSS_OF_FUNCTION),
        ("splice_donor", "Uncertain_significance", Tier.LOSS_OF_FUNCTION),
        ("splice_acceptor", None, Tier.LOSS_OF_FUNCTION),
        ("frameshift", "Benign", Tier.LOSS_OF_FUNCTION),
        ("start_lost", None, Tier.LOSS_OF_FUNCTION),
        ("missense", None, Tier.PROTEIN_CHANGING),
        ("inframe_deletion", None, Tier.PROTEIN_CHANGING),
        ("synonymous", None, None),
        ("intron", "Benign", None),
        (None, None, None),
        (None, "Conflicting_interpretations_of_pathogenicity", None),
    ],
)
def test_a_call_is_named_for_its_most_urgent_reason(term, significance, tier):
    assert tier_of(term, significance) is tier


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (None, set()),
        ("", set()),
        ("Pathogenic", {"pathogenic"}),
        ("Pathogenic|risk_factor", {"pathogenic", "risk_factor"}),
        ("Likely_pathogenic,_low_penetrance", {"likely_pathogenic", "low_penetrance"}),
        ("Benign/Likely_benign;other", {"benign", "likely_benign", "other"}),
    ],
)
def test_every_way_in_which_clinvar_joins_terms_is_taken_apart(text, terms):
    assert clinvar_terms(text) == terms


def test_a_mild_effect_on_one_transcript_does_not_hide_a_severe_one_on_another():
    both = call(consequences=(consequence("intron"), consequence("stop_gained")), clinvar_significance=None)
    (finding,) = select_findings([both], annotated=True).named
    assert finding.tier is Tier.LOSS_OF_FUNCTION


def test_a_failed_call_is_counted_and_never_named():
    failed = call(filters=("LowQual",))
    assert select_findings([failed], annotated=True).named == ()
    assert select_findings([failed], annotated=False).failed_filters == 1


def test_the_most_urgent_come_first_and_each_tier_keeps_the_order_of_the_file():
    missense = call(position=1, consequences=(consequence("missense"),), clinvar_significance=None)
    stop = call(position=2, clinvar_significance=None)
    known, known_later = call(position=3), call(position=4)
    named = select_findings([missense, stop, known, known_later], annotated=True).named
    assert [finding.call.position for finding in named] == [3, 4, 2, 1]


def test_without_annotation_every_passed_call_is_named_up_to_a_list_that_a_person_reads():
    calls = [call(position=position, consequences=()) for position in range(1, LONGEST_LIST + 4)]
    found = select_findings(calls, annotated=False)
    assert {finding.tier for finding in found.named} == {Tier.UNANNOTATED}
    assert (len(found.named), found.cut, found.other_passed) == (LONGEST_LIST, 3, 0)


def test_what_is_cut_is_the_least_urgent():
    ordinary = [call(consequences=(consequence("missense"),), clinvar_significance=None)] * LONGEST_LIST
    found = select_findings([*ordinary, call()], annotated=True)
    assert found.named[0].tier is Tier.KNOWN_PATHOGENIC
    assert found.cut == 1


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["missense", "intron", "stop_gained"]), st.booleans(), st.sampled_from([None, "Pathogenic"])
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_every_call_is_accounted_for(drawn, annotated):
    calls = [
        call(filters=("PASS",) if passed else ("LowQual",), consequences=(consequence(term),), clinvar_significance=s)
        for term, passed, s in drawn
    ]
    found = select_findings(calls, annotated=annotated)
    assert len(found.named) + found.cut + found.other_passed + found.failed_filters == len(calls)
