"""What the jobs of a submission wrote: from the history of its execution to Batch, and on to CloudWatch Logs."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from strandline.errors import RejectedInputError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient


def jobs_by_step(history: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the id of the last job of each step that ran one, in the order of the execution.

    >>> entered = {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "AlignReads"}}
    >>> details = {"resourceType": "batch", "output": '{"JobId": "j-1"}'}
    >>> jobs_by_step([entered, {"type": "TaskSubmitted", "taskSubmittedEventDetails": details}])
    {'AlignReads': 'j-1'}
    """
    found: dict[str, str] = {}
    step = ""
    for event in history:
        if event["type"].endswith("StateEntered"):
            step = event["stateEnteredEventDetails"]["name"]
        details = event.get("taskSubmittedEventDetails", {})
        if details.get("resourceType") == "batch":
            found.pop(step, None)  # a later try stands where it ran
            found[step] = json.loads(details["output"])["JobId"]
    return found


class JobLogs:
    """Reads the log of a job."""

    def __init__(self, batch: "BatchClient", logs: "CloudWatchLogsClient") -> None:
        self._batch = batch
        self._logs = logs

    def tail(self, job_id: str, most: int) -> list[str]:
        """Return the last lines of a job's last attempt, at most so many.

        Raises:
            RejectedInputError: `log_gone`, where Batch or CloudWatch no longer keeps it.
        """
        jobs = self._batch.describe_jobs(jobs=[job_id])["jobs"]
        container = jobs[0]["container"] if jobs else {}
        stream = container.get("logStreamName")
        if not stream:
            raise RejectedInputError("log_gone", f"Batch keeps nothing of job {job_id}: it forgets jobs after a week")
        try:
            found = self._logs.get_log_events(
                logGroupName=container["logConfiguration"]["options"]["awslogs-group"],
                logStreamName=stream,
                limit=most,
                startFromHead=False,
            )
        except self._logs.exceptions.ResourceNotFoundException:
            raise RejectedInputError("log_gone", f"job {job_id} wrote nothing, or its log has expired") from None
        return [event["message"] for event in found["events"]]
