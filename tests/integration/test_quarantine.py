"""The way out of quarantine: by a named person, with a reason, once. Requirements: ING-07, ING-08."""

import json
from datetime import timedelta

import pytest

from strandline.aws.conclusions import Alerts, conclude
from strandline.aws.executions import Workflow
from strandline.aws.quarantine import Quarantine
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.validation import Validation
from strandline.aws.verdicts import FileVerdict
from strandline.causes import Conclusion, Verdict
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState
from strandline.landing.manifest import Consent, SampleDeclaration
from tests.integration.conftest import NOW, READS, SAMPLE, manifest_of, register_reference_bundle

S = SubmissionState
REASON = "the reference was registered this morning"


@pytest.fixture
def quarantine(aws):
    return Quarantine(aws.table, aws.bucket("quarantine"), Workflow(aws.stepfunctions, aws.state_machine_arn))


def stop(aws, submission_id="s-1", code="reference_unknown", verdict=Verdict.QUARANTINED, findings=()):
    """Take a submission to where its validation refused it, with findings in its first file."""
    aws.submit(submission_id, READS, manifest_of(READS))
    versions = {file.name: file.version_id for file in aws.table.landed_files(submission_id)}
    said = FileVerdict("R1.fastq.gz", "REJECTED", findings=findings, version_id=versions["R1.fastq.gz"])
    assert aws.table.record_verdicts(submission_id, [said], manifest_version=versions[MANIFEST_NAME])
    aws.table.move(submission_id, S.VALIDATING, who="t", why="t", now=NOW)
    conclude(
        submission_id,
        "ValidateFiles",
        Conclusion(verdict, code, "what happened: what to do"),
        table=aws.table,
        landing=aws.bucket("landing"),
        quarantine=aws.bucket("quarantine"),
        alerts=Alerts(_Silent(), "topic"),
        now=NOW,
    )


class _Silent:
    def publish(self, **_: str) -> None:
        """Tell nobody."""


def validate(aws, submission_id, manifest):
    return Validation(
        submission_id,
        manifest,
        {file.name: file for file in aws.table.landed_files(submission_id)},
        table=aws.table,
        landing=aws.bucket("landing"),
        references=aws.bucket("references"),
    ).validate()


def test_a_release_is_a_new_attempt_with_a_name_and_a_reason_in_the_history(aws, quarantine):
    stop(aws)
    record = quarantine.release("s-1", who="m.curie", reason=REASON, now=NOW)
    assert (record.state, record.attempt, record.cause) == (S.VALIDATING, 2, None)
    last = aws.table.changes("s-1")[-1]
    assert (last.before, last.after, last.who, last.why) == (
        S.QUARANTINED,
        S.VALIDATING,
        "m.curie",
        f"Released: {REASON}",
    )
    assert aws.executions() == ["s-1.2"]


def test_releasing_twice_is_one_attempt(aws, quarantine):
    stop(aws)
    for _ in range(2):
        quarantine.release("s-1", who="m.curie", reason=REASON, now=NOW)
    assert aws.executions() == ["s-1.2"]
    assert aws.table.get("s-1").attempt == 2


def test_what_is_rejected_is_withdrawn_for_good(aws, quarantine):
    stop(aws)
    quarantine.reject("s-1", who="m.curie", reason="the wrong patient was sampled", now=NOW)
    assert aws.table.get("s-1").state is S.WITHDRAWN
    with pytest.raises(RejectedInputError, match=r"^not_quarantined: submission s-1 is WITHDRAWN"):
        quarantine.release("s-1", who="m.curie", reason=REASON, now=NOW)


@pytest.mark.parametrize("reason", ["", "   ", "because", "x" * 501])
def test_nothing_leaves_quarantine_without_a_reason(aws, quarantine, reason):
    stop(aws)
    for act in (quarantine.release, quarantine.reject):
        with pytest.raises(RejectedInputError, match=r"^reason_missing: "):
            act("s-1", who="m.curie", reason=reason, now=NOW)
    assert aws.table.get("s-1").state is S.QUARANTINED


def test_a_changed_byte_cannot_be_accepted_by_anybody(aws, quarantine):
    stop(aws, code="checksum_mismatch")
    with pytest.raises(RejectedInputError, match=r"^finding_not_acceptable: nobody can let checksum_mismatch pass"):
        quarantine.release("s-1", who="m.curie", reason=REASON, now=NOW, accept=["checksum_mismatch"])


@pytest.mark.parametrize("submission_id", ["s-1", "s-unknown"])
def test_what_is_not_in_quarantine_is_neither_released_nor_rejected(aws, quarantine, submission_id):
    stop(aws, verdict=Verdict.FAILED)
    for act in (quarantine.release, quarantine.reject):
        with pytest.raises(RejectedInputError, match=r"^not_quarantined: "):
            act(submission_id, who="m.curie", reason=REASON, now=NOW)


def test_the_record_shows_what_validation_found(aws, quarantine):
    stop(aws, findings=[{"code": "bad_base", "line": 2}])
    record = quarantine.record("s-1")
    assert record["verdicts"][0]["findings"] == [{"code": "bad_base", "line": 2}]
    assert [found.submission_id for found in quarantine.list()] == ["s-1"]
    assert json.dumps(record)


def test_a_control_that_many_samples_are_sent_with_is_not_looked_up_for_each_of_them(aws):
    """With a look at each, the hundredth submission of the same bytes would take a hundred calls."""
    for number in range(3):
        sample = SAMPLE.model_copy(update={"sample_id": f"other-{number}"})
        aws.submit(f"s-{number}", READS, manifest_of(READS, sample=sample))
    aws.submit("s-here", READS, manifest_of(READS))
    for number, site in enumerate(("north", "south")):
        sample = SAMPLE.model_copy(update={"site": site})
        aws.submit(f"s-there-{number}", READS, manifest_of(READS, sample=sample))
    looked_up = []

    class Watched(SubmissionsTable):
        def get(self, submission_id: str):
            looked_up.append(submission_id)
            return super().get(submission_id)

    found = Watched(*aws.table.place).with_same_content(manifest_of(READS))
    assert [record.submission_id for record in found] == looked_up == ["s-here"]


def test_the_same_files_of_the_same_sample_are_not_analysed_twice(aws, quarantine):
    """ING-03."""
    register_reference_bundle(aws)
    manifest = manifest_of(READS)
    for submission_id in ("s-1", "s-2"):
        aws.submit(submission_id, READS, manifest)
        aws.table.move(submission_id, S.VALIDATING, who="t", why="t", now=NOW)
    validate(aws, "s-1", manifest)
    with pytest.raises(RejectedInputError, match=r"^duplicate_content: submission s-1 holds the same files"):
        validate(aws, "s-2", manifest)
    aws.table.move("s-2", S.QUARANTINED, who="t", why="t", now=NOW)
    quarantine.release("s-2", who="m.curie", reason="wanted for a comparison", now=NOW, accept=["duplicate_content"])
    validate(aws, "s-2", manifest)


@pytest.mark.parametrize("state", [S.QUARANTINED, S.FAILED])
def test_the_same_files_come_in_again_where_the_first_were_stopped(aws, state):
    register_reference_bundle(aws)
    manifest = manifest_of(READS)
    for submission_id in ("s-1", "s-2"):
        aws.submit(submission_id, READS, manifest)
        aws.table.move(submission_id, S.VALIDATING, who="t", why="t", now=NOW)
    aws.table.move("s-1", state, who="t", why="t", now=NOW)
    validate(aws, "s-2", manifest)


def test_two_labs_with_the_same_sample_name_do_not_meet(aws):
    """ING-02."""
    register_reference_bundle(aws)
    for site in ("north", "south"):
        manifest = manifest_of(READS, sample=SAMPLE.model_copy(update={"site": site}))
        aws.submit(f"s-{site}", READS, manifest)
        aws.table.move(f"s-{site}", S.VALIDATING, who="t", why="t", now=NOW)
        validate(aws, f"s-{site}", manifest)


def test_submissions_are_found_by_sample_site_state_and_day(aws):
    """ING-08."""
    manifest = manifest_of(READS, sample=SAMPLE.model_copy(update={"site": "north"}))
    aws.submit("s-1", READS, manifest)
    aws.submit("s-2", READS, manifest_of(READS, sample=SampleDeclaration(sample_id="OTHER")))
    ids = [
        [record.submission_id for record in found]
        for found in (
            aws.table.list_by_sample(SAMPLE.sample_id),
            aws.table.list_by_site("north"),
            aws.table.list_by_day(NOW.date()),
            aws.table.list_by_day(NOW.date() - timedelta(days=1)),
            aws.table.list_by_state(S.RECEIVED),
        )
    ]
    assert ids == [["s-1"], ["s-1"], ["s-1", "s-2"], [], ["s-1", "s-2"]]


def test_a_subject_who_withdrew_consent_is_not_taken_in():
    with pytest.raises(RejectedInputError, match=r"^consent_withdrawn: "):
        SampleDeclaration(sample_id="A", consent=Consent.WITHDRAWN)
