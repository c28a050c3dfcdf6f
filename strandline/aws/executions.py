"""Executions of the sample_to_release state machine. An execution is named after its submission."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True)
class ExecutionStatus:
    """What Step Functions says of one execution: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""

    status: str
    error: str | None
    cause: str | None


class Workflow:
    """Starts and follows executions of one state machine."""

    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def start(self, submission_id: str) -> bool:
        """Start the workflow of a submission; False where it was started before."""
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=submission_id,
                input=json.dumps({"submission_id": submission_id}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                return False
            raise
        return True

    def status(self, submission_id: str) -> ExecutionStatus | None:
        """Return where the execution stands, or None where it never started."""
        try:
            found = self._client.describe_execution(executionArn=self._execution_arn(submission_id))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        return ExecutionStatus(found["status"], found.get("error"), found.get("cause"))

    def history(self, submission_id: str) -> list[dict[str, Any]]:
        """Return every event of the execution in order, times as datetime."""
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self._execution_arn(submission_id)
        )
        return [dict(event) for page in pages for event in page["events"]]

    def _execution_arn(self, submission_id: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{submission_id}"
