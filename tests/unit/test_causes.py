"""The words for a failure. Shapes are those of AWS: a function's error payload, and Batch's job detail."""

import json

import pytest

from strandline.causes import GivenCause, Verdict, explain_failure

GIVEN = GivenCause("low_mapping_rate", "3% of the reads align")


def job(exit_code: int | None, *, reason: str = "", status: str = "Essential container in task exited") -> str:
    container = {"Reason": reason} | ({} if exit_code is None else {"ExitCode": exit_code})
    return json.dumps({"JobId": "j", "JobName": "align-reads", "Container": container, "StatusReason": status})


def test_what_a_function_rejects_is_quarantined_with_its_code_and_words():
    cause = json.dumps({"errorMessage": "checksum_mismatch: R1 changed", "errorType": "RejectedInputError"})
    conclusion = explain_failure("ValidateFiles", "RejectedInputError", cause, None)
    assert (conclusion.verdict, conclusion.code) == (Verdict.QUARANTINED, "checksum_mismatch")
    assert conclusion.message == "R1 changed"


def test_what_a_job_rejects_is_quarantined_with_the_cause_that_it_left():
    conclusion = explain_failure("AlignReads", "States.TaskFailed", job(65), GIVEN)
    assert (conclusion.verdict, conclusion.code) == (Verdict.QUARANTINED, "low_mapping_rate")


@pytest.mark.parametrize(
    ("error", "cause", "given", "code"),
    [
        ("States.TaskFailed", job(137, reason="OutOfMemoryError: Container killed"), None, "out_of_memory"),
        ("States.TaskFailed", job(137), None, "worker_killed"),
        ("States.TaskFailed", job(137), GivenCause("tool_killed", "bwa was killed"), "tool_killed"),
        ("States.ExceedToleratedFailureThreshold", "", None, "part_failed"),
        ("States.TaskFailed", job(None, status="Host EC2 (i-1) terminated."), None, "host_reclaimed"),
        ("States.TaskFailed", job(None, status="Job attempt duration exceeded timeout"), None, "step_timed_out"),
        ("States.TaskFailed", job(None, status="no such image"), None, "job_did_not_start"),
        ("States.TaskFailed", job(70), GivenCause("disk_full", "no space"), "disk_full"),
        ("States.TaskFailed", job(75), GivenCause("aws_busy", "slow down"), "aws_busy"),
        ("States.TaskFailed", job(70), None, "tool_failed"),
        ("States.Timeout", "", None, "step_timed_out"),
        ("Sandbox.Timedout", "{}", None, "step_timed_out"),
        ("Runtime.ExitError", "{}", None, "worker_killed"),
        ("TemporaryError", json.dumps({"errorMessage": "state_contended: raced"}), None, "state_contended"),
        ("KeyError", json.dumps({"errorMessage": "'x'"}), None, "internal_error"),
        ("Batch.ServerException", "not JSON", None, "job_not_accepted"),
    ],
)
def test_anything_else_fails_with_its_cause_in_words(error, cause, given, code):
    conclusion = explain_failure("AlignReads", error, cause, given)
    assert (conclusion.verdict, conclusion.code) == (Verdict.FAILED, code)
    assert conclusion.message


def test_a_message_without_a_code_is_kept_whole():
    cause = json.dumps({"errorMessage": "something odd happened"})
    assert explain_failure("ValidateFiles", "RejectedInputError", cause, None).message == "something odd happened"
