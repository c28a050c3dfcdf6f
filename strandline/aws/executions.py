"""Executions of the state machines, each named so that starting it twice starts it once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_DIGITS_OF_UNIT: Final = 15  # a name has at most 80 characters, of which a submission id takes 64


@dataclass(frozen=True, slots=True)
class ExecutionStatus:
    """What Step Functions says of one execution: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""

    status: str
    error: str | None
    cause: str | None


class Workflow:
    """Starts and follows executions of `sample_to_release`, or of another workflow that is told one id as `told`."""

    def __init__(self, client: "SFNClient", state_machine_arn: str, *, told: str = "submission_id") -> None:
        self._client = client
        self._arn = state_machine_arn
        self._told = told

    def start(self, submission_id: str, attempt: int = 1) -> bool:
        """Start an attempt at a submission, counted from 1; False where it was started before."""
        name = execution_name(submission_id, attempt)
        return _start(self._client, self._arn, name, {self._told: submission_id})

    def status(self, submission_id: str, attempt: int = 1) -> ExecutionStatus | None:
        """Return where the execution stands, or None where it never started."""
        try:
            found = self._client.describe_execution(executionArn=self._execution_arn(submission_id, attempt))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        return ExecutionStatus(found["status"], found.get("error"), found.get("cause"))

    def history(self, submission_id: str, attempt: int = 1) -> list[dict[str, Any]]:
        """Return every event of the execution in order, times as datetime."""
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self._execution_arn(submission_id, attempt)
        )
        return [dict(event) for page in pages for event in page["events"]]

    def _execution_arn(self, submission_id: str, attempt: int) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{execution_name(submission_id, attempt)}"


class ValidationAhead:
    """Starts executions of `validate_ahead`."""

    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def start(self, submission_id: str, unit: str) -> bool:
        """Start to validate a unit, given by its digest; False where that was started before."""
        name = f"{submission_id}.{unit[:_DIGITS_OF_UNIT]}"
        return _start(self._client, self._arn, name, {"submission_id": submission_id, "unit": unit})


def execution_name(submission_id: str, attempt: int = 1) -> str:
    """Return the name that makes starting the same attempt twice start it once.

    >>> execution_name("s-1"), execution_name("s-1", 2)
    ('s-1', 's-1.2')
    """
    return submission_id if attempt == 1 else f"{submission_id}.{attempt}"


def _start(client: "SFNClient", state_machine_arn: str, name: str, told: Mapping[str, str]) -> bool:
    try:
        client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(told))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
            return False
        raise
    return True
