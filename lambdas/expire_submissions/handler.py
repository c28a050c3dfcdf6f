"""Quarantine submissions whose files never all came."""

from datetime import datetime, timedelta
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, BaseModel

from strandline.aws.conclusions import Alerts
from strandline.aws.expiry import Expiry
from strandline.aws.objects import S3Objects
from strandline.aws.settings import ExpirySettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


class Tick(BaseModel, frozen=True, hide_input_in_errors=True):
    """A scheduled event of EventBridge; `time` is when the schedule fired."""

    time: AwareDatetime


@cache
def expiry() -> Expiry:
    """Return the sweep; made on the first call."""
    settings = ExpirySettings.from_env()
    return Expiry(
        SubmissionsTable(boto3.client("dynamodb"), settings.submissions_table),
        S3Objects(boto3.client("s3"), settings.landing_bucket),
        S3Objects(boto3.client("s3"), settings.quarantine_bucket),
        Alerts(boto3.client("sns"), settings.alerts_topic_arn),
        timedelta(seconds=settings.incomplete_after_s),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=Tick)
def lambda_handler(event: Tick, context: LambdaContext) -> dict[str, int]:
    now: datetime = event.time
    expired = expiry().sweep(now)
    metrics.add_metric(name="SubmissionsExpired", unit=MetricUnit.Count, value=expired)
    return {"expired": expired}
