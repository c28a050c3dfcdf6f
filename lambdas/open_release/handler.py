"""Put what has come to review into the queue of releases; have a version rendered for its signers when it is opened."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.release_opening import Asked, Opening
from strandline.aws.release_steps import ReleaseRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.aws.settings import ReleaseOpeningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


@cache
def settings() -> ReleaseOpeningSettings:
    """Return the settings; read on the first call."""
    return ReleaseOpeningSettings.from_env()


@cache
def steps() -> ReleaseSteps:
    """Return what a step needs; made on the first call."""
    place = (boto3.client("dynamodb"), settings().submissions_table)
    return ReleaseSteps(Releases(*place), SubmissionsTable(*place))


@cache
def workflow() -> Any:
    """Return the client of Step Functions; made on the first call."""
    return boto3.client("stepfunctions")


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=Asked)
def lambda_handler(asked: Asked, context: LambdaContext) -> dict[str, bool]:
    now, event = datetime.now(UTC), asked.root
    if isinstance(event, Opening):
        logger.append_keys(submission_id=event.submission_id)
        metrics.add_metric(name="ReleasesOpened", unit=MetricUnit.Count, value=1)
        request = ReleaseRequest(submission_id=event.submission_id, version=event.version)
        return {"opened": steps().open(request, event.who, workflow(), settings().release_arn, now)}
    submission_id = event.detail.input.submission_id
    logger.append_keys(submission_id=submission_id)
    metrics.add_metric(name="ReleasesAsked", unit=MetricUnit.Count, value=1)
    return {"asked": steps().ask(submission_id, now)}
