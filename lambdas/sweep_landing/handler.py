"""Register what landed without an event reaching us."""

from datetime import timedelta
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, BaseModel

from strandline.aws.executions import ValidationAhead, Workflow
from strandline.aws.intake import Intake
from strandline.aws.objects import S3Objects
from strandline.aws.settings import SweepSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


class Tick(BaseModel, frozen=True, hide_input_in_errors=True):
    """A scheduled event of EventBridge; `time` is when the schedule fired."""

    time: AwareDatetime


@cache
def settings() -> SweepSettings:
    """Return the settings; read on the first call."""
    return SweepSettings.from_env()


@cache
def intake() -> Intake:
    """Return the door whose events may be lost; made on the first call."""
    return Intake(
        SubmissionsTable(boto3.client("dynamodb"), settings().submissions_table),
        S3Objects(boto3.client("s3"), settings().landing_bucket),
        Workflow(boto3.client("stepfunctions"), settings().state_machine_arn),
        ValidationAhead(boto3.client("stepfunctions"), settings().validate_ahead_arn),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=Tick)
def lambda_handler(event: Tick, context: LambdaContext) -> dict[str, int]:
    started = intake().sweep(
        event.time,
        settled=timedelta(seconds=settings().sweep_settled_s),
        window=timedelta(seconds=settings().sweep_window_s),
    )
    metrics.add_metric(name="SubmissionsSweptUp", unit=MetricUnit.Count, value=started)
    return {"started": started}
