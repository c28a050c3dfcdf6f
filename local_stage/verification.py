"""Is everything alive? Level by level, each level resting on the one before it."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local_stage.cloudformation.catalogue import known_types
from local_stage.cloudformation.resources import Made, Request
from local_stage.context import StageContext, stage_client

_DELIVERY_S = 10


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and how it was."""

    level: str
    subject: str
    passed: bool
    detail: str


def check_stage(endpoint_url: str) -> list[Check]:
    """Check an embedded AWS. Stops after a level that failed: what rests on it would fail too."""
    levels: list[Callable[[str], list[Check]]] = [_check_server, _check_stacks, _check_resources, _check_way]
    done: list[Check] = []
    for level in levels:
        found = level(endpoint_url)
        done += found
        if not all(check.passed for check in found):
            break
    return done


def _check_server(url: str) -> list[Check]:
    return [_try("server", url, lambda: str(stage_client("sts", url).get_caller_identity()["Account"]))]


def _check_stacks(url: str) -> list[Check]:
    stacks = stage_client("cloudformation", url).describe_stacks()["Stacks"]
    good = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    checks = [
        Check("stacks", stack["StackName"], stack["StackStatus"] in good, stack["StackStatus"]) for stack in stacks
    ]
    return sorted(checks, key=lambda check: check.subject) or [Check("stacks", "all", False, "there are none")]


def _check_resources(url: str) -> list[Check]:
    """Ask each resource's own service about it."""
    cloudformation = stage_client("cloudformation", url)
    context = StageContext(endpoint_url=url, state_dir=Path())
    checks = []
    for stack in cloudformation.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        body = cloudformation.get_template(StackName=name)["TemplateBody"]
        declared = (json.loads(body) if isinstance(body, str) else body)["Resources"]
        for resource in cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]:
            logical_id, kind = resource["LogicalResourceId"], resource["ResourceType"]
            look = known_types()[kind].look
            if look is None:
                continue
            plain = {key: it for key, it in declared[logical_id].get("Properties", {}).items() if isinstance(it, str)}
            request = Request(context, name, stack["StackId"], logical_id, kind, plain)
            made = Made(resource["PhysicalResourceId"])
            checks.append(_try("resources", f"{name}/{logical_id}", partial(_look, kind, look, request, made)))
    return checks


def _look(kind: str, look: Callable[[Request, Made], object], request: Request, made: Made) -> str:
    look(request, made)
    return kind


def _check_way(url: str) -> list[Check]:
    """Send an object through S3, EventBridge and SQS, in a bucket, a rule and a queue of its own."""
    probe = f"strandline-verify-{uuid.uuid4().hex[:12]}"
    return [_try("way", "S3 to EventBridge to SQS", lambda: _send_object(url, probe))]


def _send_object(url: str, probe: str) -> str:
    s3, sqs, events = (stage_client(name, url) for name in ("s3", "sqs", "events"))
    queue = sqs.create_queue(QueueName=probe)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket=probe)
    try:
        s3.put_bucket_notification_configuration(
            Bucket=probe, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [probe]}}}
        events.put_rule(Name=probe, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=probe, Targets=[{"Id": "probe", "Arn": arn}])
        started = time.monotonic()
        s3.put_object(Bucket=probe, Key="probe", Body=b"probe")
        message = _receive(sqs, queue)
        key = json.loads(message["Body"])["detail"]["object"]["key"]
        return f"{key} arrived after {(time.monotonic() - started) * 1000:.0f} ms"
    finally:
        events.remove_targets(Rule=probe, Ids=["probe"])
        events.delete_rule(Name=probe)
        sqs.delete_queue(QueueUrl=queue)
        s3.delete_object(Bucket=probe, Key="probe")
        s3.delete_bucket(Bucket=probe)


def _receive(sqs: Any, queue: str) -> dict[str, Any]:
    deadline = time.monotonic() + _DELIVERY_S
    while time.monotonic() < deadline:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        if messages:
            found: dict[str, Any] = messages[0]
            return found
    raise TimeoutError(f"no event within {_DELIVERY_S} s")


def _try(level: str, subject: str, act: Callable[[], str]) -> Check:
    try:
        return Check(level, subject, True, act())
    except Exception as error:
        return Check(level, subject, False, str(error) or type(error).__name__)
