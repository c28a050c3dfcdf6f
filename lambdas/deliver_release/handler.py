"""Deliver: verify every signature and every byte here, then hand the release over."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.audit_trail import SigningKey
from strandline.aws.objects import S3Objects
from strandline.aws.release_steps import ReleaseRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.aws.settings import DeliveringSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


@cache
def steps() -> ReleaseSteps:
    """Return what the step needs; made on the first call."""
    settings, s3 = DeliveringSettings.from_env(), boto3.client("s3")
    place = (boto3.client("dynamodb"), settings.submissions_table)
    return ReleaseSteps(
        Releases(*place),
        SubmissionsTable(*place),
        settings.release_policy,
        S3Objects(s3, settings.analysis_bucket),
        S3Objects(s3, settings.delivery_bucket),
        SigningKey(boto3.client("kms"), settings.release_signing_key),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=ReleaseRequest)
def lambda_handler(event: ReleaseRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="DeliveriesAsked", unit=MetricUnit.Count, value=1)
    return steps().deliver(event, datetime.now(UTC))
