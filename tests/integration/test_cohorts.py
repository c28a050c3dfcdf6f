"""Cohorts: who may be one, where one stands, and what its functions and job record. ANA-03, ANA-13, OPS-08."""

import json
from typing import Any

import pytest

from strandline.aws.cohort_requests import READ_STEPS, make_request
from strandline.aws.cohort_work import run_cohort_job
from strandline.aws.cohorts import CohortRequest, CohortsTable, CohortState
from strandline.aws.settings import CohortJobSettings
from strandline.aws.steps import Step, StepRecords
from strandline.aws.submissions import Cause
from strandline.aws.workspace import Buckets
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import CohortArtifact, SubmissionState, cohort_key
from strandline.landing.manifest import ReferenceName, SampleDeclaration, Sex
from strandline.variants.joint_pedigree import read_pedigree
from strandline.variants.scattering import CallingPlan
from tests.integration.conftest import NOW, READS, Aws, Handler, manifest_of

S = SubmissionState
C = CohortState
TRIO = read_pedigree(b"F KID DAD MUM 1 0\nF DAD 0 0 1 0\nF MUM 0 0 2 0\n", "trio.ped")
JOB_ENDED = {
    "Error": "States.TaskFailed",
    "Cause": json.dumps({"JobId": "j", "Container": {"ExitCode": 65}, "StatusReason": "Essential container exited"}),
}


def add(
    aws: Aws, submission_id: str, sample_id: str, *, state: S = S.IN_REVIEW, sex: str = "UNKNOWN", **more: Any
) -> None:
    """Put a submission where its analysis would have left it, with the keys of its steps."""
    bodies = READS | {name: more.pop(name) for name in ("regions.bed",) if name in more}
    sample = SampleDeclaration(sample_id=sample_id, sex=Sex(sex))
    aws.submit(submission_id, bodies, manifest_of(bodies, sample=sample, **more))
    way = (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW)
    for step in way if state is S.IN_REVIEW else way[:2]:
        aws.table.move(submission_id, step, who="t", why="t", now=NOW)
    if state not in {S.IN_REVIEW, S.ANALYSING}:
        cause = Cause("low_mapping_rate", "3% align", "AlignReads")
        aws.table.move(submission_id, state, who="t", why="t", now=NOW, cause=cause)
    for name in READ_STEPS:
        StepRecords(*aws.table.place).keep(submission_id, Step(name, name, ()), f"{name} of {submission_id}")


@pytest.fixture
def family(aws: Aws) -> Aws:
    for submission_id, sample_id in (("s-k", "KID"), ("s-d", "DAD"), ("s-m", "MUM")):
        add(aws, submission_id, sample_id)
    return aws


@pytest.fixture
def cohorts(aws: Aws) -> CohortsTable:
    return CohortsTable(*aws.table.place)


@pytest.fixture
def asked(family: Aws, cohorts: CohortsTable) -> CohortRequest:
    request = make_request(family.table, [], TRIO)
    cohorts.ask(request, who="t", now=NOW)
    return request


def test_a_cohort_is_its_members_whatever_they_are_called_and_in_whatever_order(family):
    by_pedigree = make_request(family.table, [], TRIO)
    by_hand = make_request(family.table, ["s-m", "KID", "s-d"], TRIO[::-1])
    assert by_pedigree.cohort_id == by_hand.cohort_id
    assert [member.submission_id for member in by_pedigree.members] == ["s-d", "s-k", "s-m"]
    assert make_request(family.table, ["KID", "DAD", "MUM"]).cohort_id != by_pedigree.cohort_id


def test_what_was_made_anew_is_another_cohort(family):
    before = make_request(family.table, ["KID", "DAD"])
    StepRecords(*family.table.place).keep("s-k", Step("CallVariants", "CallVariants", ()), "called anew")
    assert make_request(family.table, ["KID", "DAD"]).cohort_id != before.cohort_id


def test_of_a_sample_the_newest_analysis_counts(family):
    for submission_id, state, made in (("s-k3", S.ANALYSING, "2026-11-24"), ("s-a", S.IN_REVIEW, "2026-11-23")):
        add(family, submission_id, "KID", state=state)
        family.dynamodb.update_item(
            TableName="submissions",
            Key={"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": "STATE"}},
            UpdateExpression="SET gsi2sk = :made",
            ExpressionAttributeValues={":made": {"S": made}},
        )
    members = make_request(family.table, ["KID", "DAD"]).members
    assert [member.submission_id for member in members] == ["s-a", "s-d"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (["KID"], "too_few_members"),
        ([f"S{number}" for number in range(201)], "too_many_members"),
        (["KID", "NOBODY"], "member_unknown"),
        (["KID", "KEPT-OUT"], "member_quarantined"),
        (["KID", "BROKEN"], "member_failed"),
        (["KID", "s-k"], "same_sample_twice"),
        (["KID", "KID"], "same_sample_twice"),
        (["KID", "OTHER-BUILD"], "members_of_different_references"),
        (["KID", "PANEL"], "members_of_different_regions"),
        (["KID", "DAD"], "pedigree_without_trio"),
    ],
)
def test_who_does_not_fit_is_refused_by_name(family, wanted, code):
    add(family, "s-q", "KEPT-OUT", state=S.QUARANTINED)
    add(family, "s-f", "BROKEN", state=S.FAILED)
    add(family, "s-b", "OTHER-BUILD", reference=ReferenceName(name="slice", version="other"))
    add(family, "s-p", "PANEL", **{"regions.bed": b"c\t0\t9\n"})
    with pytest.raises(RejectedInputError) as refused:
        make_request(family.table, wanted, TRIO)
    assert refused.value.code == code


def test_a_cause_of_a_member_is_handed_on(family):
    add(family, "s-q", "KEPT-OUT", state=S.QUARANTINED)
    with pytest.raises(RejectedInputError, match=r"KEPT-OUT is QUARANTINED \(submission s-q\): 3% align"):
        make_request(family.table, ["KID", "KEPT-OUT"])


def test_a_sex_that_two_say_differently_is_refused(family):
    add(family, "s-d2", "DAD2", sex="FEMALE")
    relations = read_pedigree(b"F KID DAD2 MUM 1 0\nF DAD2 0 0 1 0\nF MUM 0 0 2 0\n", "trio.ped")
    with pytest.raises(RejectedInputError, match=r"^sex_conflict: "):
        make_request(family.table, [], relations)


def test_a_member_on_its_way_is_waited_for(family):
    add(family, "s-x", "LATE", state=S.ANALYSING)
    with pytest.raises(TemporaryError, match=r"^member_not_analysed: LATE is ANALYSING"):
        make_request(family.table, ["KID", "LATE"])


def test_different_regions_are_taken_where_that_is_allowed(family):
    add(family, "s-p", "PANEL", **{"regions.bed": b"c\t0\t9\n"})
    assert make_request(family.table, ["KID", "PANEL"], different_regions=True).different_regions


def test_a_cohort_that_is_asked_for_twice_is_one_and_after_a_stop_a_new_attempt(asked, cohorts):
    again = cohorts.ask(asked, who="t", now=NOW)
    assert (again.state, again.attempt, again.version) == (C.REQUESTED, 1, 1)
    assert cohorts.request(asked.cohort_id) == asked
    cause = Cause("x", "y", "JointGenotype")
    cohorts.move(asked.cohort_id, C.FAILED, who="t", why="t", now=NOW, cause=cause)
    assert cohorts.move(asked.cohort_id, C.FAILED, who="t", why="t", now=NOW).cause == cause
    third = cohorts.ask(asked, who="t", now=NOW)
    assert (third.state, third.attempt, third.cause) == (C.REQUESTED, 2, None)
    with pytest.raises(RejectedInputError, match=r"^move_not_allowed: "):
        cohorts.move(asked.cohort_id, C.GENOTYPED, who="t", why="t", now=NOW)


def test_the_end_is_recorded_once_however_often_it_is_told(asked, cohorts, handler, aws):
    conclude: Handler = handler("conclude_cohort")
    cohorts.move(asked.cohort_id, C.GENOTYPING, who="t", why="t", now=NOW)
    event = {"cohort_id": asked.cohort_id, "step": "RecordGenotyped"}
    assert conclude(event) == conclude(event) == {"state": "GENOTYPED", "code": "", "message": ""}
    assert cohorts.get(asked.cohort_id).version == 3
    assert aws.alerts() == []


@pytest.mark.parametrize(
    ("recorded", "state", "alerts"),
    [(Cause("member_changed", "ask again", "JointGenotype"), C.REFUSED, 0), (None, C.FAILED, 1)],
)
def test_a_failure_is_kept_in_words_with_the_cohort(asked, cohorts, handler, aws, recorded, state, alerts):
    if recorded:
        cohorts.record_failure(asked.cohort_id, recorded)
    told = handler("conclude_cohort")({"cohort_id": asked.cohort_id, "step": "JointGenotype", "error": JOB_ENDED})
    found = cohorts.get(asked.cohort_id)
    assert (found.state, told["state"]) == (state, state)
    assert (found.cause.code, found.cause.step) == (recorded.code if recorded else "tool_failed", "JointGenotype")
    assert len(aws.alerts()) == alerts


def test_why_a_part_failed_is_why_its_cohort_did(asked, cohorts, handler):
    conclude, step = handler("conclude_cohort"), "GenotypeParts"
    cohorts.record_failure(asked.cohort_id, Cause("member_changed", "ask again", f"{step}.2"))
    conclude({"cohort_id": asked.cohort_id, "step": f"{step}.2", "part_of": step, "error": JOB_ENDED})
    assert cohorts.get(asked.cohort_id).state is C.REQUESTED
    too_many = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "a part failed"}
    conclude({"cohort_id": asked.cohort_id, "step": step, "error": too_many})
    found = cohorts.get(asked.cohort_id)
    assert (found.state, found.cause.code) == (C.REFUSED, "member_changed")


def test_a_member_that_was_analysed_anew_stops_the_job_in_words(asked, cohorts, aws):
    plan = CallingPlan(parts=()).model_dump_json().encode()
    aws.bucket("analysis").write(cohort_key(asked.cohort_id, CohortArtifact.PLAN), plan)
    StepRecords(*aws.table.place).keep("s-k", Step("AlignReads", "AlignReads", ()), "aligned anew")
    settings = CohortJobSettings(
        cohort_id=asked.cohort_id,
        submissions_table="submissions",
        threads=1,
        code_version="c1",
        references_bucket="references",
        analysis_bucket="analysis",
    )
    assert run_cohort_job(settings, Buckets(aws.bucket("analysis"), aws.bucket("references"))) == 65
    cause = cohorts.failure(asked.cohort_id, "JointGenotype")
    assert cause.code == "member_changed"
    assert "s-k" in cause.message


def test_a_key_is_made_of_a_cohorts_id_alone():
    with pytest.raises(RejectedInputError, match=r"^invalid_cohort_id: "):
        cohort_key("../etc", CohortArtifact.CALLS)
