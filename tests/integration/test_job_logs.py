"""The log of the job that matters: the last try of each step, its last lines, or that it is gone. ANA-13."""

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from strandline.aws.job_logs import JobLogs, jobs_by_step
from strandline.errors import RejectedInputError


def entered(name: str) -> dict[str, Any]:
    return {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}


def submitted(job_id: str) -> dict[str, Any]:
    output = json.dumps({"JobId": job_id, "JobName": "x"})
    return {"type": "TaskSubmitted", "taskSubmittedEventDetails": {"resourceType": "batch", "output": output}}


def test_the_last_try_of_each_step_counts_and_the_order_is_that_of_the_execution():
    lambda_task = {"type": "TaskSubmitted", "taskSubmittedEventDetails": {"resourceType": "lambda", "output": "{}"}}
    history = [
        *(entered("ValidateFiles"), lambda_task, entered("AlignReads"), submitted("j-1")),
        *(entered("CallVariants"), submitted("j-2"), entered("AlignReads"), submitted("j-3")),
    ]
    assert list(jobs_by_step(history).items()) == [("CallVariants", "j-2"), ("AlignReads", "j-3")]


class Batch:
    """Knows one job, whose log is in a stream of its own."""

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        options = {"awslogs-group": "/jobs/call_variants"}
        container = {"logStreamName": "stream", "logConfiguration": {"options": options}}
        return {"jobs": [{"container": container}] if jobs == ["known"] else []}


@pytest.fixture
def logs():
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_log_group(logGroupName="/jobs/call_variants")
        yield client


def test_the_last_lines_are_returned_in_their_order(logs):
    logs.create_log_stream(logGroupName="/jobs/call_variants", logStreamName="stream")
    written = [{"timestamp": 1_795_330_787_000 + number, "message": f"line {number}"} for number in range(50)]
    logs.put_log_events(logGroupName="/jobs/call_variants", logStreamName="stream", logEvents=written)
    assert JobLogs(Batch(), logs).tail("known", 3) == ["line 47", "line 48", "line 49"]


@pytest.mark.parametrize("job_id", ["forgotten", "known"])
def test_a_log_that_is_gone_is_said_to_be(logs, job_id):
    with pytest.raises(RejectedInputError) as refused:
        JobLogs(Batch(), logs).tail(job_id, 3)
    assert refused.value.code == "log_gone"
