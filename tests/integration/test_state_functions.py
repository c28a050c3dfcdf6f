"""`record_state`, `conclude_failure` and `expire_submissions`: where a submission stands, and why it stopped."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from strandline.aws.submissions import Cause, LandedFile
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState, exception_record_key, quarantined_file_key
from tests.integration.conftest import (
    NOW,
    READS,
    Aws,
    Handler,
    landing_snapshot,
    manifest_of,
    names_nobody,
)

S = SubmissionState
REJECTED = {
    "Error": "RejectedInputError",
    "Cause": json.dumps(
        {"errorMessage": "checksum_mismatch: R1 changed: upload it again", "errorType": "RejectedInputError"}
    ),
}
TOO_MANY_PARTS_FAILED = {
    "Error": "States.ExceedToleratedFailureThreshold",
    "Cause": "The specified tolerated failure threshold was exceeded",
}
KILLED = {
    "Error": "States.TaskFailed",
    "Cause": json.dumps({"JobId": "j", "Container": {"ExitCode": 137}, "StatusReason": "Essential container exited"}),
}


def job_ended(exit_code: int) -> dict[str, str]:
    cause = {"JobId": "j", "Container": {"ExitCode": exit_code}, "StatusReason": "Essential container exited"}
    return {"Error": "States.TaskFailed", "Cause": json.dumps(cause)}


def failure(error: dict[str, str], step: str = "ValidateFiles") -> dict[str, Any]:
    return {"submission_id": "s-1", "step": step, "error": error}


def started(aws: Aws, *states: S) -> None:
    aws.submit("s-1", READS, manifest_of(READS))
    for state in (S.VALIDATING, *states):
        aws.table.move("s-1", state, who="t", why="t", now=NOW)


def stands(aws: Aws) -> tuple[S, Cause | None]:
    record = aws.table.get("s-1")
    assert record is not None
    return record.state, record.cause


def exception_record(aws: Aws) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(aws.bucket("quarantine").read(exception_record_key("s-1"), limit_bytes=100_000))
    return record


@pytest.fixture
def conclude(handler: Callable[[str], Handler]) -> Handler:
    return handler("conclude_failure")


def test_a_state_is_recorded_once_however_often_it_is_asked_for(aws, handler, said):
    aws.submit("s-1", READS, manifest_of(READS))
    record = handler("record_state")
    event = {"submission_id": "s-1", "state": "VALIDATING", "reason": "All files of the manifest have landed"}
    assert record(event) == record(event) == {"state": "VALIDATING", "share": "unnamed"}
    first, second = aws.table.changes("s-1")
    assert (second.who, second.why, second.before) == ("sample_to_release", event["reason"], first.after)
    assert names_nobody(said())


def test_a_state_that_is_not_reached_from_here_is_refused(aws, handler):
    aws.submit("s-1", READS, manifest_of(READS))
    with pytest.raises(RejectedInputError, match=r"^move_not_allowed: "):
        handler("record_state")({"submission_id": "s-1", "state": "IN_REVIEW", "reason": "x"})


def test_wrong_input_is_quarantined_with_a_record_an_alert_and_its_files_untouched(aws, conclude):
    """ING-07."""
    started(aws)
    before = landing_snapshot(aws)
    assert conclude(failure(REJECTED)) == {
        "verdict": "QUARANTINED",
        "code": "checksum_mismatch",
        "message": "R1 changed: upload it again",
    }
    assert landing_snapshot(aws) == before
    assert stands(aws) == (S.QUARANTINED, Cause("checksum_mismatch", "R1 changed: upload it again", "ValidateFiles"))
    record = exception_record(aws)
    assert (record["submission_id"], record["step"], record["code"]) == ("s-1", "ValidateFiles", "checksum_mismatch")
    assert record["message"] == "R1 changed: upload it again"
    assert {file["name"] for file in record["files"]} == {*READS, MANIFEST_NAME}
    judged = {(file["name"], file["version_id"]) for file in record["files"]}
    assert judged == {(key.rpartition("/")[2], version) for key, version, _ in before}
    assert "submit them again" in record["way_back"]
    (alert,) = aws.alerts()
    assert alert["Subject"] == "Strandline: submission quarantined"
    assert "s-1 was quarantined in ValidateFiles: checksum_mismatch" in alert["Message"]
    assert alert["Message"].endswith("Next: the lab.")


def test_what_stopped_a_part_is_what_stopped_the_sample(aws, conclude):
    """ANA-13. A Distributed Map tells the workflow only that a part failed."""
    started(aws, S.ANALYSING)
    aws.table.record_failure("s-1", Cause("reference_mismatch", "the FASTA changed", "CallParts.2"))
    part = {**failure(job_ended(65), "CallParts.2"), "part_of": "CallParts"}
    assert conclude(part) == conclude(part)
    assert stands(aws)[0] is S.ANALYSING
    assert aws.alerts() == []
    conclude(failure(TOO_MANY_PARTS_FAILED, "CallParts"))
    assert stands(aws) == (S.QUARANTINED, Cause("reference_mismatch", "the FASTA changed", "CallParts"))


def test_a_part_that_left_no_word_fails_the_sample(aws, conclude):
    started(aws, S.ANALYSING)
    conclude(failure(TOO_MANY_PARTS_FAILED, "CallParts"))
    state, cause = stands(aws)
    assert state is S.FAILED
    assert cause is not None
    assert (cause.code, cause.step) == ("part_failed", "CallParts")


def test_quarantine_holds_a_copy_of_what_was_judged_and_not_of_what_came_later(aws, conclude):
    """ING-07."""
    started(aws)
    aws.land("s-1", "R1.fastq.gz", b"came later")
    conclude(failure(REJECTED))
    for name, body in READS.items():
        assert aws.bucket("quarantine").read(quarantined_file_key("s-1", name), limit_bytes=100_000) == body
    assert exception_record(aws)["copies"] == "files/"


def test_what_is_too_large_to_copy_is_quarantined_where_it_lies(aws, conclude, monkeypatch):
    monkeypatch.setattr("strandline.aws.conclusions.COPY_LIMIT_BYTES", 100)
    started(aws)
    conclude(failure(REJECTED))
    assert aws.s3.list_objects_v2(Bucket="quarantine")["KeyCount"] == 1
    assert exception_record(aws)["copies"] is None


def test_a_fault_of_the_platform_fails_without_a_quarantine_record(aws, conclude):
    started(aws, S.ANALYSING)
    answer = conclude(failure(KILLED, "AlignReads"))
    assert (answer["verdict"], answer["code"]) == ("FAILED", "worker_killed")
    assert stands(aws)[0] is S.FAILED
    assert aws.s3.list_objects_v2(Bucket="quarantine")["KeyCount"] == 0
    (alert,) = aws.alerts()
    assert alert["Message"].endswith("Next: an operator.")


def test_the_cause_that_a_job_left_is_better_than_its_exit_code(aws, conclude):
    """ANA-13."""
    started(aws, S.ANALYSING)
    aws.table.record_failure("s-1", Cause("low_mapping_rate", "3% of the reads align", "AlignReads"))
    answer = conclude(failure(job_ended(65), "AlignReads"))
    assert (answer["verdict"], answer["code"]) == ("QUARANTINED", "low_mapping_rate")
    assert exception_record(aws)["message"] == "3% of the reads align"


def test_concluding_twice_moves_once_and_leaves_the_same_record(aws, conclude):
    started(aws)
    assert conclude(failure(REJECTED)) == conclude(failure(REJECTED))
    assert [change.after for change in aws.table.changes("s-1")] == [S.RECEIVED, S.VALIDATING, S.QUARANTINED]
    listed = aws.s3.list_objects_v2(Bucket="quarantine")["Contents"]
    copies = [quarantined_file_key("s-1", name) for name in (*READS, MANIFEST_NAME)]
    assert sorted(item["Key"] for item in listed) == sorted([exception_record_key("s-1"), *copies])
    assert exception_record(aws)["code"] == "checksum_mismatch"


def test_a_redrive_that_fails_elsewhere_says_the_new_cause(aws, conclude):
    started(aws, S.ANALYSING)
    conclude(failure(KILLED, "AlignReads"))
    aws.table.record_failure("s-1", Cause("disk_full", "no space", "CallVariants"))
    conclude(failure(job_ended(70), "CallVariants"))
    assert stands(aws) == (S.FAILED, Cause("disk_full", "no space", "CallVariants"))


def test_no_line_alert_or_record_names_the_sample_or_the_subject(aws, conclude, said):
    started(aws)
    conclude(failure(REJECTED))
    assert names_nobody(f"{said()}{aws.alerts()}{exception_record(aws)}")


@pytest.fixture
def expire(handler: Callable[[str], Handler]) -> Callable[[timedelta], dict[str, Any]]:
    """Let the schedule fire a time after the first file landed; submissions expire after an hour."""
    function = handler("expire_submissions")
    return lambda later: function({"time": (NOW + later).isoformat().replace("+00:00", "Z"), "source": "aws.events"})


@pytest.mark.parametrize(("minutes", "expired"), [(59, 0), (60, 0), (61, 1)])
def test_a_submission_expires_by_the_time_of_the_event(aws, expire, minutes, expired):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    assert expire(timedelta(minutes=minutes)) == {"expired": expired}


def test_a_slow_upload_does_not_expire_while_its_files_keep_coming(aws, expire):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    late = LandedFile("R2.fastq.gz", "v", 1)
    aws.table.register_file("s-1", late, sequencer="2", now=NOW + timedelta(minutes=50))
    assert expire(timedelta(minutes=100)) == {"expired": 0}
    assert expire(timedelta(minutes=111)) == {"expired": 1}


def test_what_is_missing_is_named_and_what_landed_stays(aws, expire, said):
    """ING-07."""
    only_first = {"R1.fastq.gz": READS["R1.fastq.gz"]}
    aws.submit("s-1", only_first, manifest_of(READS))
    before = landing_snapshot(aws)
    expire(timedelta(hours=2))
    state, cause = stands(aws)
    assert (state, cause and cause.code) == (S.QUARANTINED, "incomplete_submission")
    assert exception_record(aws)["message"].startswith("missing after 1 h: R2.fastq.gz. Submit again")
    assert landing_snapshot(aws) == before
    assert len(aws.alerts()) == 1
    assert names_nobody(said())


def test_a_manifest_that_never_came_is_said(aws, expire):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    expire(timedelta(hours=2))
    assert "manifest.json did not come within 1 h" in exception_record(aws)["message"]


def test_expiring_twice_is_expiring_once(aws, expire):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    assert [expire(timedelta(hours=2)), expire(timedelta(hours=3))] == [{"expired": 1}, {"expired": 0}]
    assert len(aws.alerts()) == 1


def test_a_submission_that_has_started_never_expires(aws, expire):
    started(aws)
    assert expire(timedelta(days=9)) == {"expired": 0}
    assert stands(aws) == (S.VALIDATING, None)


def test_an_index_that_lags_behind_expires_nobody(aws, expire, monkeypatch):
    """A global secondary index of DynamoDB is eventually consistent: it may still list what has started since."""
    aws.submit("s-1", READS, manifest_of(READS))
    stale = aws.table.list_by_state(S.RECEIVED)
    aws.table.move("s-1", S.VALIDATING, who="t", why="t", now=NOW)
    monkeypatch.setattr("strandline.aws.submissions.SubmissionsTable.list_by_state", lambda *_: stale)
    assert expire(timedelta(hours=2)) == {"expired": 0}
    assert stands(aws) == (S.VALIDATING, None)
    assert aws.s3.list_objects_v2(Bucket="quarantine")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("field", "code"),
    [("sample_id", "invalid_sample_id"), *((name, "manifest_invalid") for name in ("subject_id", "library", "site"))],
)
def test_markup_in_a_field_of_the_patient_is_refused_quarantined_and_told_without_being_repeated(
    aws, handler, conclude, said, field, code
):
    """SEC-06: through the functions, with what Step Functions makes of the refusal."""
    described = json.loads(manifest_of(READS).model_dump_json())
    described["sample"][field] = "<script>PT98765</script>"
    aws.register("s-1", aws.land("s-1", MANIFEST_NAME, json.dumps(described).encode()))
    aws.table.move("s-1", S.VALIDATING, who="t", why="t", now=NOW)
    with pytest.raises(RejectedInputError) as refused:
        handler("validate_files")({"submission_id": "s-1"})
    told = {"errorMessage": str(refused.value), "errorType": "RejectedInputError"}
    conclude(failure({"Error": "RejectedInputError", "Cause": json.dumps(told)}))
    assert stands(aws)[0] is S.QUARANTINED
    (entry,) = [one for one in aws.waiting() if one["why"].startswith(f"{code}: ")]
    assert (entry["what"], entry["record"]) == ("STATE_CHANGED", "submission/s-1")
    assert "script" not in json.dumps(aws.waiting()) + said()
