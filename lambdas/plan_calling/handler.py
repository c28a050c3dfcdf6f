"""PlanCalling: what calls a sample, and the parts it is called in, each with about as many reads as the others."""

import json
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.objects import S3Objects
from strandline.aws.planning import chosen_caller, make_calling_plan, plan_machine
from strandline.aws.settings import PlanningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.variants.callers.resources import Resources


class PlanningRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks for."""

    submission_id: str


@cache
def settings() -> PlanningSettings:
    """Return the settings; read on the first call."""
    return PlanningSettings.from_env()


@cache
def submissions() -> SubmissionsTable:
    """Return the table; made on the first call."""
    return SubmissionsTable(boto3.client("dynamodb"), settings().submissions_table)


@cache
def bucket(name: str) -> S3Objects:
    """Return a bucket; made on the first call."""
    return S3Objects(boto3.client("s3"), name)


@cache
def most_by_caller() -> dict[str, Resources]:
    """Return what the stage gives a genome, by caller; read on the first call."""
    given = json.loads(settings().whole_call_resources)
    return {caller: Resources(**most) for caller, most in given.items()}


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=PlanningRequest)
def lambda_handler(event: PlanningRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="CallingPlansMade", unit=MetricUnit.Count, value=1)
    analysis = bucket(settings().analysis_bucket)
    caller = chosen_caller(event.submission_id, submissions(), in_images=settings().jobs_run_in_images)
    machine = plan_machine(event.submission_id, caller, analysis=analysis, most_by_caller=most_by_caller())
    if machine:
        return {"caller": caller.value, "part_count": 1, "parts": [1], "machine": machine.as_asked}
    plan = make_calling_plan(
        event.submission_id,
        table=submissions(),
        analysis=analysis,
        references=bucket(settings().references_bucket),
        part_bytes=settings().calling_part_bytes,
        side_by_side=settings().calling_side_by_side,
    )
    parts = list(range(1, len(plan.parts) + 1))
    return {"caller": caller.value, "part_count": len(parts), "parts": parts, "machine": {}}
