"""A small embedded AWS in this process, with what the tests of its compute parts need beside it."""

import gc
import io
import json
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from moto.batch.models import batch_backends

from local_stage import server
from local_stage.context import StageContext

ROLE = "arn:aws:iam::123456789012:role/anyone"
_numbers = count(1)


@contextmanager
def running_stage(folder: Path) -> Iterator[StageContext]:
    """Start the embedded AWS without any stack, and end it with all its state."""
    aws = server.start(folder)
    try:
        iam = aws.context.client("iam")
        iam.create_role(RoleName="anyone", AssumeRolePolicyDocument="{}")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_role_policy(RoleName="anyone", PolicyName="all", PolicyDocument=json.dumps(everything))
        yield aws.context
    finally:
        reset = Request(f"{aws.context.endpoint_url}/moto-api/reset", method="POST")  # noqa: S310 - on the loopback
        with warnings.catch_warnings():
            # moto gives each object a spooled file and never closes it
            warnings.filterwarnings("ignore", "Unclosed file <tempfile.SpooledTemporaryFile", ResourceWarning)
            urlopen(reset).close()  # noqa: S310 - likewise
            aws.stop()
            gc.collect()


def new_name(kind: str) -> str:
    """Return a name that no other test uses."""
    return f"{kind}-{next(_numbers)}"


def zip_of(files: Mapping[str, str]) -> bytes:
    """Return a stored (not compressed) zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def wait_until(condition: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Return what the condition returns once that is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"nothing came within {timeout_s} s")


def make_function(context: StageContext, source: str, **settings: Any) -> str:
    """Create a function from the text of `handler.py` and return its name."""
    name = new_name("function")
    context.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.lambda_handler",
        Code={"ZipFile": zip_of({"handler.py": source})},
        **{"Role": ROLE, "Timeout": 10, "MemorySize": 256, **settings},
    )
    return name


def invoke(context: StageContext, name: str, payload: Any = None) -> tuple[Any, str | None]:
    """Invoke a function; return its answer and FunctionError."""
    answer = context.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload or {}))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def log_lines(context: StageContext, group: str, stream: str | None = None) -> list[str]:
    """Return what was logged."""
    logs = context.client("logs")
    streams = (
        [stream]
        if stream
        else [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    )
    return [
        event["message"]
        for name in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
    ]


def make_queue(context: StageContext, max_vcpus: int | None = None, shares: list[dict[str, Any]] | None = None) -> str:
    """Create a Batch queue with a compute environment of its own and return the queue's ARN.

    With `shares`, its scheduling policy has this share distribution.
    """
    batch = context.client("batch")
    asked: dict[str, Any] = {"type": "UNMANAGED"}
    name = new_name("environment")
    environment = batch.create_compute_environment(
        computeEnvironmentName=name, state="ENABLED", serviceRole=make_role(context), **asked
    )["computeEnvironmentArn"]
    if max_vcpus is not None:
        # an unmanaged environment takes no limit by the API
        backend = batch_backends[context.account][context.region]
        backend.get_compute_environment_by_arn(environment).compute_resources = {"maxvCpus": max_vcpus}
    policy: dict[str, str] = {}
    if shares is not None:
        made = batch.create_scheduling_policy(name=new_name("policy"), fairsharePolicy={"shareDistribution": shares})
        policy = {"schedulingPolicyArn": made["arn"]}
    return str(
        batch.create_job_queue(
            **policy,
            jobQueueName=new_name("queue"),
            priority=1,
            state="ENABLED",
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
        )["jobQueueArn"]
    )


def make_role(context: StageContext) -> str:
    """Create a role and return its ARN."""
    iam = context.client("iam")
    return str(iam.create_role(RoleName=new_name("role"), AssumeRolePolicyDocument="{}")["Role"]["Arn"])


def make_image(folder: Path, job: str) -> Path:
    """Write an image's folder with the text of `job.py`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("Dockerfile").write_text('FROM scratch\nENTRYPOINT ["python", "/app/job.py"]\n')
    folder.joinpath("job.py").write_text(job)
    return folder


def make_definition(context: StageContext, image: str = "image:tag", **settings: Any) -> str:
    """Register a job definition with one vCPU and 256 MiB and return its ARN."""
    container = {
        "image": image,
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
        **settings.pop("containerProperties", {}),
    }
    return str(
        context.client("batch").register_job_definition(
            jobDefinitionName=new_name("definition"), type="container", containerProperties=container, **settings
        )["jobDefinitionArn"]
    )


def run_machine(context: StageContext, definition: Mapping[str, Any], given: Any = None) -> dict[str, Any]:
    """Run a state machine to its end and return its description."""
    arn = make_machine(context, definition)
    states = context.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn, input=json.dumps(given or {}))["executionArn"]
    return await_execution(context, execution)


def make_machine(context: StageContext, definition: Mapping[str, Any]) -> str:
    """Create a state machine and return its ARN."""
    states = context.client("stepfunctions")
    return str(
        states.create_state_machine(name=new_name("machine"), definition=json.dumps(definition), roleArn=ROLE)[
            "stateMachineArn"
        ]
    )


def await_execution(context: StageContext, arn: str) -> dict[str, Any]:
    """Wait for an execution's end and return its description."""
    states = context.client("stepfunctions")

    def ended() -> Any:
        described = states.describe_execution(executionArn=arn)
        return described if described["status"] != "RUNNING" else None

    described: dict[str, Any] = wait_until(ended)
    return described


def chain(**states: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state machine that starts with the first of these states."""
    return {"StartAt": next(iter(states)), "States": states}


def task(resource: str, parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a state machine of one task."""
    return chain(
        Task={"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True, **more}
    )


def rows_of(
    context: StageContext, sql: str, database: str, output: str, parameters: Sequence[str] = ()
) -> list[list[Any]]:
    """Run a query and return its rows as text, without the names."""
    query = run_query(context, sql, database, output, parameters)
    if query["Status"]["State"] != "SUCCEEDED":
        raise AssertionError(query["Status"]["StateChangeReason"])
    athena = context.client("athena")
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query["QueryExecutionId"])
    rows = [[cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]]
    return rows[1:] if query["StatementType"] == "DML" else rows


def run_query(
    context: StageContext, sql: str, database: str, output: str, parameters: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a query to its end and return its description."""
    athena = context.client("athena")
    more = {"ExecutionParameters": list(parameters)} if parameters else {}
    query_id = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": output},
        **more,
    )["QueryExecutionId"]

    def ended() -> Any:
        query = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return query if query["Status"]["State"] not in {"QUEUED", "RUNNING"} else None

    query: dict[str, Any] = wait_until(ended)
    return query
