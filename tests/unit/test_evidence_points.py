"""Evidence in points: expected values are those of the published tables, or worked by hand here. CLN-03, CLN-07.

Points and bands: Tavtigian et al. 2020, doi:10.1002/humu.24088, tables 1 and 2. Criteria: Richards et al. 2015,
doi:10.1038/gim.2015.30, tables 3 and 4 (28 criteria). Decay: Abou Tayoun et al. 2018, doi:10.1002/humu.23626, figure 1.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.interpretation.family import family_of, parse_family
from strandline.interpretation.points import (
    Assessment,
    Band,
    Outcome,
    Override,
    Suggestion,
    apply_overrides,
    band_of,
    read_criteria,
)
from strandline.interpretation.rules import DeNovo, Facts, KnownChange, prepare
from strandline.interpretation.truncation import Truncation, truncation_of
from strandline.variants.joint_output import CohortReport, DeNovoFound, TrioReport
from strandline.variants.joint_trios import Confidence, Doubt
from tests.unit.made_up import NAME, call, consequence
from tests.unit.toy_genes import transcript_of

EXONS, INTRONS = ["A" * 100] * 3, ["G" * 20] * 2  # exons at 5, 125 and 245; coding from end to end
TRANSCRIPT = transcript_of(EXONS, INTRONS, leader=0, coded=300)
REVERSE = transcript_of(EXONS, INTRONS, leader=0, coded=300, is_forward=False, contig_length=350)
DECAY = Truncation(8, "Stop gained.")
WHEN = datetime(2026, 11, 22, tzinfo=UTC)


def facts(term: str = "missense", **known: object) -> Facts:
    call_changes = {key: known.pop(key) for key in list(known) if key in {"names", "frequency_by_population"}}
    frequency = known.pop("frequency", None)
    made = call(consequences=(consequence(term),), population_frequency=frequency, **call_changes)
    return Facts(made, **known)


def found(code: str, given: Facts) -> Assessment:
    return next(one for one in prepare(given).assessments if one.criterion == code)


def summed(**points: int) -> Suggestion:
    return Suggestion(tuple(Assessment(code, Outcome.MET, value, "") for code, value in points.items()))


@pytest.mark.parametrize(
    ("points", "band"),
    [
        (20, Band.PATHOGENIC), (10, Band.PATHOGENIC), (9, Band.LIKELY_PATHOGENIC), (6, Band.LIKELY_PATHOGENIC),
        (5, Band.UNCERTAIN), (0, Band.UNCERTAIN), (-1, Band.LIKELY_BENIGN), (-6, Band.LIKELY_BENIGN),
        (-7, Band.BENIGN), (-20, Band.BENIGN),
    ],
)  # fmt: skip
def test_the_bands_are_the_published_ones(points, band):
    assert band_of(points) is band


def test_the_criteria_are_the_28_with_the_published_points():
    """Strong 4, moderate 2, supporting 1; PVS1 is very strong, 8. PM2 is supporting by ClinGen's advice of 2020."""
    usual = {"PVS": 8, "PS": 4, "PM": 2, "PP": 1, "BA": -8, "BS": -4, "BP": -1}
    points = {one.code: one.points for one in read_criteria().criteria}
    assert len(points) == 28
    assert points.pop("PM2") == 1
    assert points == {code: usual[code.rstrip("1234567")] for code in points}


@pytest.mark.parametrize(
    ("points", "band"),
    [
        ({"PVS1": 8, "PM2": 1}, Band.LIKELY_PATHOGENIC),  # 9
        ({"PVS1": 8, "PS2": 4}, Band.PATHOGENIC),  # 12
        ({"PS1": 4, "PM5": 2, "PM2": 1}, Band.LIKELY_PATHOGENIC),  # 7
        ({"PM5": 2, "PM2": 1}, Band.UNCERTAIN),  # 3
        ({"BS1": -4}, Band.LIKELY_BENIGN),
        ({"BS1": -4, "BP3": -1, "BS2": -4}, Band.BENIGN),  # -9
        ({"BA1": -8}, Band.BENIGN),
        ({"BA1": -8, "PVS1": 8}, Band.BENIGN),  # BA1 stands alone
        ({}, Band.UNCERTAIN),
    ],
)
def test_worked_sums_give_the_published_class(points, band):
    assert summed(**points).band is band


def test_evidence_for_both_sides_is_said():
    assert summed(PVS1=8, BS1=-4).is_divided
    assert not summed(PVS1=8, PM2=1).is_divided
    assert not summed().is_divided


@given(st.lists(st.sampled_from(sorted(one.code for one in read_criteria().criteria)), unique=True))
def test_the_sum_does_not_depend_on_the_order(codes):
    points = {code: read_criteria().named(code).points for code in codes}
    assert summed(**points).points == summed(**dict(reversed(points.items()))).points == sum(points.values())


def test_what_another_lab_concluded_is_not_counted():
    known = facts(frequency_source="1000G")
    assert known.call.clinvar_significance == "Pathogenic"
    for code in ("PP5", "BP6"):
        assert found(code, known).outcome is Outcome.NOT_ASSESSED
    assert prepare(known).points == 1  # PM2 alone


def test_every_criterion_is_listed_and_says_on_what_it_stands():
    assessments = prepare(facts()).assessments
    assert [one.criterion for one in assessments] == [one.code for one in read_criteria().criteria]
    assert all(one.evidence for one in assessments)
    assert all(bool(one.points) is (one.outcome is Outcome.MET) for one in assessments)


@pytest.mark.parametrize(
    ("causes_disease", "outcome", "points"),
    [(True, Outcome.MET, 8), (False, Outcome.NOT_MET, 0), (None, Outcome.NOT_ASSESSED, 0)],
)
def test_pvs1_asks_whether_losing_the_gene_causes_the_disease(causes_disease, outcome, points):
    one = found("PVS1", facts("stop_gained", truncation=DECAY, loss_of_function=causes_disease))
    assert (one.outcome, one.points) == (outcome, points)


@pytest.mark.parametrize(
    ("highest", "met"),
    [(0.06, {"BA1"}), (0.05, {"BS1"}), (0.02, {"BS1"}), (0.01, set()), (0.0001, {"PM2"}), (0.0, {"PM2"})],
)
def test_frequency_counts_once_and_by_the_highest_population(highest, met):
    known = facts(frequency=highest / 2, frequency_by_population=(("AFR", highest), ("OTH", 0.9)), frequency_source="G")
    assert {one.criterion for one in prepare(known).met} == met


def test_without_frequencies_nothing_is_said_of_them():
    for code in ("PM2", "BA1", "BS1"):
        assert found(code, facts()).outcome is Outcome.NOT_ASSESSED


@pytest.mark.parametrize(
    ("known", "met"),
    [
        ([("p.(Trp12Ter)", "Pathogenic", False)], {"PS1"}),
        ([("p.(Trp12Ter)", "Pathogenic", True)], set()),
        ([("p.(Trp12Arg)", "Likely_pathogenic", False)], {"PM5"}),
        ([("p.(Trp12Ter)", "Pathogenic", False), ("p.(Trp12Arg)", "Pathogenic", False)], {"PS1"}),
        ([("p.(Trp12Arg)", "Benign", False)], set()),
        ([("p.(Trp12Arg)", "Conflicting_interpretations_of_pathogenicity", False)], set()),
        ([], set()),
    ],
)
def test_what_is_known_at_the_residue_counts_once(known, met):
    """The call's own change is p.(Trp12Ter), here of a missense."""
    residue = [KnownChange("1", significance, protein, same) for protein, significance, same in known]
    given_facts = facts(
        names=(NAME.__class__("T", "BRCA2", None, "missense", "c.1", None, NAME.protein),), residue=residue
    )
    assert {one.criterion for one in prepare(given_facts).met} == met


@pytest.mark.parametrize(
    ("de_novo", "met"),
    [
        (None, set()),
        (DeNovo(True, True), {"PS2"}),
        (DeNovo(True, False), {"PM6"}),
        (DeNovo(False, True), set()),
        (DeNovo(True, True, ("few reads in the mother",)), set()),
    ],
)
def test_a_new_variant_counts_by_whether_the_parents_are_confirmed(de_novo, met):
    assert {one.criterion for one in prepare(facts(de_novo=de_novo)).met} == met


TRIO = TrioReport(
    child="CHILD",
    father="FATHER",
    mother="MOTHER",
    alleles=4_000,
    violations=40,
    de_novos=(
        DeNovoFound(contig="c", position=7, ref="A", alt="G", confidence=Confidence.HIGH, posterior=0.998, doubts=()),
        DeNovoFound(
            contig="c",
            position=8,
            ref="A",
            alt="G",
            confidence=Confidence.LOW,
            posterior=0.6,
            doubts=(Doubt.PARENT_DEPTH,),
        ),
    ),
)
COHORT = CohortReport(
    reference="slice/0c2b", samples=("CHILD", "FATHER", "MOTHER"), alleles=4_100, low_quality=0, trios=(TRIO,)
)


@pytest.mark.parametrize(
    ("changes", "position", "outcomes"),
    [
        ({}, 7, ("met", "not met")),
        ({"violations": 41}, 7, ("not met", "met")),  # over one in a hundred: the parents are not confirmed
        ({"alleles": 499, "violations": 0}, 7, ("not met", "met")),  # too few to confirm anybody
        ({}, 8, ("not assessed", "not met")),
        ({}, 9, ("not met", "not met")),
    ],
)
def test_a_trio_speaks_for_ps2_where_its_genotypes_confirm_the_parents_and_for_pm6_where_not(
    changes, position, outcomes
):
    report = COHORT.model_copy(update={"trios": (TRIO.model_copy(update=changes),)})
    family = family_of("CHILD", "a" * 24, report, "b" * 64)
    one = call(contig="c", position=position, ref="A", alt="G")
    suggestion = prepare(Facts(one, de_novo=family.de_novo_of(one)))
    found = {said.criterion: said for said in suggestion.assessments}
    assert (str(found["PS2"].outcome), str(found["PM6"].outcome)) == outcomes
    assert parse_family(family.model_dump_json().encode()) == family
    if position == 7:
        met = found["PS2"] if outcomes[0] == "met" else found["PM6"]
        assert "probability of being new 0.998" in met.evidence
    if position == 8:
        assert "parent depth" in found["PS2"].evidence


def test_a_child_without_both_parents_in_the_cohort_has_no_trio():
    with pytest.raises(RejectedInputError, match=r"^no_trio_of_child"):
        family_of("MOTHER", "a" * 24, COHORT, "b" * 64)


@pytest.mark.parametrize(
    ("term", "in_repeat", "met"),
    [
        ("inframe_deletion", False, {"PM4"}), ("inframe_insertion", True, {"BP3"}), ("inframe_deletion", None, set()),
        ("stop_lost", None, {"PM4"}), ("missense", False, set()), ("synonymous", None, set()),
    ],
)  # fmt: skip
def test_a_change_of_length_counts_by_where_it_lies(term, in_repeat, met):
    assert {one.criterion for one in prepare(facts(term, in_repeat=in_repeat)).met} == met


@pytest.mark.parametrize(("transcript", "mirror"), [(TRANSCRIPT, False), (REVERSE, True)], ids=["forward", "reverse"])
@pytest.mark.parametrize(
    ("base0", "points"),
    [
        (174, 8),  # offset 149: 51 bases before the last junction, which is at 200
        (175, 4),  # offset 150: no decay; (300 - 150) / 300 = 50% of the protein is lost
        (245, 4),  # offset 200: a third is lost
        (314, 4),  # offset 269: 31 / 300 = 10.3%
        (315, 2),  # offset 270: 30 / 300 = 10%, not more
    ],
)
def test_a_stop_counts_by_where_it_lies(transcript, mirror, base0, points):
    position = (350 - 1 - base0 if mirror else base0) + 1
    told = truncation_of(call(position=position), transcript)
    assert told is not None
    assert told.points == points


def test_a_frameshift_begins_behind_its_first_base():
    told = truncation_of(call(position=174, ref="AG", alt="A", consequences=(consequence("frameshift"),)), TRANSCRIPT)
    assert told == truncation_of(call(position=175, consequences=(consequence("frameshift"),)), TRANSCRIPT)


@pytest.mark.parametrize(
    ("length", "points"),
    [(100, 8), (99, 4), (12, 2)],
    ids=["the frame shifts at offset 100", "99 of 299 bases in frame", "12 of 212 bases in frame"],
)
def test_a_splice_site_counts_by_the_exon_that_is_lost(length, points):
    exons = ["A" * 100, "A" * length, "A" * 100]
    transcript = transcript_of(exons, INTRONS, leader=0, coded=200 + length)
    donor = call(position=125 + length + 1, consequences=(consequence("splice_donor"),))
    told = truncation_of(donor, transcript)
    assert told is not None
    assert told.points == points
    assert "cryptic" in told.says


def test_what_truncates_nothing_is_not_asked_for():
    assert truncation_of(call(consequences=(consequence("missense"),)), TRANSCRIPT) is None


def test_a_lost_start_and_an_unknown_transcript_carry_little():
    """Figure 1: supporting where nothing is known of the next start."""
    start = truncation_of(call(consequences=(consequence("start_lost"),)), TRANSCRIPT)
    unknown = truncation_of(call(), None)
    assert [told and told.points for told in (start, unknown)] == [1, 1]


def test_a_person_overrides_a_rule_with_a_reason_and_what_the_rule_found_stays():
    override = Override("PM2", 2, "PRACT-7", WHEN, "very rare in our own cohort")
    (one,) = apply_overrides(prepare(facts(frequency_source="G")), [override]).met
    assert (one.points, one.strength, one.override) == (2, "moderate", override)
    assert "very rare in our own cohort" in one.evidence
    assert "found by rule: met" in one.evidence


def test_a_person_takes_a_criterion_away_and_adds_one():
    given_overrides = [Override("PM2", 0, "P", WHEN, "gene is small"), Override("PS3", 4, "P", WHEN, "assay of 2024")]
    told = apply_overrides(prepare(facts(frequency_source="G")), given_overrides)
    assert [(one.criterion, one.points) for one in told.met] == [("PS3", 4)]
    assert told.band is Band.UNCERTAIN


@pytest.mark.parametrize(
    ("override", "code"),
    [
        (Override("PM9", 2, "P", WHEN, "x"), "criterion_unknown"),
        (Override("PM2", 3, "P", WHEN, "x"), "override_wrong_points"),
        (Override("PM2", -1, "P", WHEN, "x"), "override_wrong_points"),
        (Override("BS1", 4, "P", WHEN, "x"), "override_wrong_points"),
        (Override("PM2", 2, "P", WHEN, " "), "override_without_reason"),
        (Override("PM2", 2, "", WHEN, "x"), "override_without_reason"),
    ],
)
def test_a_wrong_override_is_refused(override, code):
    with pytest.raises(RejectedInputError, match=f"^{code}:"):
        apply_overrides(prepare(facts()), [override])
