"""Why a step ended, in words: what Step Functions hands over when it catches an error, made readable.

Sources: Step Functions developer guide, "Handling errors in workflows" (error names); AWS Batch API, `JobDetail`
(`Container.ExitCode`, `StatusReason`), as `batch:submitJob.sync` puts it into the cause.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, Field

from strandline.errors import RejectedInputError, TemporaryError

TOO_MANY_PARTS_FAILED: Final = "States.ExceedToleratedFailureThreshold"
"""All that Step Functions says of a Distributed Map: why its parts failed is with them."""

_KILLED: Final = 137
_MESSAGE_LIMIT: Final = 1000


class CaughtError(BaseModel, frozen=True, hide_input_in_errors=True):
    """What Step Functions catches and hands on."""

    error: str = Field(alias="Error")
    cause: str = Field(alias="Cause", default="")


class Verdict(StrEnum):
    """Who acts next: the lab (QUARANTINED) or the operator (FAILED)."""

    QUARANTINED = "QUARANTINED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict on a submission whose workflow stopped, with a stable code and words."""

    verdict: Verdict
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class GivenCause:
    """What the step itself said before it ended."""

    code: str
    message: str


def explain_failure(step: str, error: str, cause: str, given: GivenCause | None) -> Conclusion:
    """Tell what stopped a submission.

    Args:
        step: name of the state that failed.
        error: error name that Step Functions caught.
        cause: its cause, often JSON.
        given: the cause that the step recorded, which is better than anything read off an exit code.

    >>> explain_failure("AlignReads", "States.Timeout", "", None).code
    'step_timed_out'
    """
    details = _json_object(cause)
    if error == RejectedInputError.__name__:
        return Conclusion(Verdict.QUARANTINED, *_split(str(details.get("errorMessage", cause))))
    if error == TemporaryError.__name__:
        code, message = _split(str(details.get("errorMessage", cause)))
        return Conclusion(Verdict.FAILED, code, f"{message}; it did not pass by itself: try again later")
    if error == TOO_MANY_PARTS_FAILED:
        return _failed(
            "part_failed", f"a part of {step} failed without a word: look at the failed parts of its Map Run"
        )
    if error == "States.Timeout":
        return _failed("step_timed_out", f"{step} took longer than its time limit: look at its log, then submit again")
    if "Container" in details or "JobId" in details:
        return _explain_job(step, details, given)
    if error == "Sandbox.Timedout" or "timed out" in cause:
        return _failed("step_timed_out", f"{step} took longer than its function may: submit again, or raise the limit")
    if error.startswith(("Runtime.ExitError", "Runtime.OutOfMemory")) or "Runtime exited" in cause:
        return _failed(
            "worker_killed", f"the function of {step} was ended from outside or ran out of memory: submit again"
        )
    if error == "Batch.AWSBatchException" or error.startswith("Batch."):
        return _failed("job_not_accepted", f"AWS Batch did not accept the job of {step}: check its queue and quotas")
    return _failed("internal_error", f"{step} failed with {error}: look at its log; this is a fault of the platform")


def _explain_job(step: str, details: dict[str, Any], given: GivenCause | None) -> Conclusion:
    container = details.get("Container") or {}
    exit_code = container.get("ExitCode")
    reason = f"{container.get('Reason') or ''} {details.get('StatusReason') or ''}".strip()
    if given and exit_code == RejectedInputError.EXIT_CODE:
        return Conclusion(Verdict.QUARANTINED, given.code, given.message)
    if "OutOfMemory" in reason:
        return _failed(
            "out_of_memory",
            f"{step} used more memory than its job may, and again when it was given twice as much: give its job "
            "definition more, then submit again",
        )
    if "Host EC2" in reason:
        return _failed("host_reclaimed", f"{step} lost its host on every attempt: submit again, or use On-Demand hosts")
    if "timeout" in reason.lower():
        return _failed("step_timed_out", f"{step} took longer than its job may: look at its log, then submit again")
    if given:
        return Conclusion(Verdict.FAILED, given.code, given.message)
    if exit_code == _KILLED:
        return _failed("worker_killed", f"the worker of {step} was killed from outside: submit again")
    if exit_code is None:
        return _failed("job_did_not_start", f"{step} did not start: {reason or 'no reason was given'}")
    return _failed("tool_failed", f"{step} ended with exit code {exit_code} and no word: look at its log")


def _failed(code: str, message: str) -> Conclusion:
    return Conclusion(Verdict.FAILED, code, message)


def _split(text: str) -> tuple[str, str]:
    """Undo `code: message`."""
    code, separator, message = text.partition(": ")
    if separator and code.isidentifier():
        return code, message[:_MESSAGE_LIMIT]
    return "rejected_input", text[:_MESSAGE_LIMIT]


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
