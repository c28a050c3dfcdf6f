"""PlanCalling: what calls a sample, and the parts it is called in, each with about as many reads as the others."""

from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.objects import S3Objects
from strandline.aws.planning import chosen_caller, make_calling_plan
from strandline.aws.settings import PlanningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


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


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=PlanningRequest)
def lambda_handler(event: PlanningRequest, context: LambdaContext) -> dict[str, list[int] | int | str]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="CallingPlansMade", unit=MetricUnit.Count, value=1)
    caller = chosen_caller(event.submission_id, submissions(), in_images=settings().jobs_run_in_images)
    plan = make_calling_plan(
        event.submission_id,
        table=submissions(),
        analysis=bucket(settings().analysis_bucket),
        references=bucket(settings().references_bucket),
        part_bytes=settings().calling_part_bytes,
        side_by_side=settings().calling_side_by_side,
    )
    return {"caller": caller.value, "part_count": len(plan.parts), "parts": list(range(1, len(plan.parts) + 1))}
