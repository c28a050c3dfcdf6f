"""AwaitSignatures: keep the token with which the last signature lets the workflow go on."""

from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.release_steps import AwaitingRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.aws.settings import AwaitingSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


@cache
def steps() -> ReleaseSteps:
    """Return what the step needs; made on the first call."""
    place = (boto3.client("dynamodb"), AwaitingSettings.from_env().submissions_table)
    return ReleaseSteps(Releases(*place), SubmissionsTable(*place))


@cache
def workflow() -> Any:
    """Return the client of Step Functions; made on the first call."""
    return boto3.client("stepfunctions")


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=AwaitingRequest)
def lambda_handler(event: AwaitingRequest, context: LambdaContext) -> None:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="SignaturesAwaited", unit=MetricUnit.Count, value=1)
    steps().wait(event, workflow())
