"""ConcludeFailure: say why a submission stopped, quarantine or fail it, and alert."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.conclusions import Alerts, conclude
from strandline.aws.objects import S3Objects
from strandline.aws.settings import ConclusionSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.causes import TOO_MANY_PARTS_FAILED, CaughtError, Conclusion, GivenCause, explain_failure


class Failure(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine hands over; `part_of` is the step that this one is a part of."""

    submission_id: str
    step: str
    part_of: str | None = None
    error: CaughtError


@cache
def settings() -> ConclusionSettings:
    """Return the settings; read on the first call."""
    return ConclusionSettings.from_env()


@cache
def submissions() -> SubmissionsTable:
    """Return the table; made on the first call."""
    return SubmissionsTable(boto3.client("dynamodb"), settings().submissions_table)


@cache
def bucket(name: str) -> S3Objects:
    """Return a bucket; made on the first call."""
    return S3Objects(boto3.client("s3"), name)


@cache
def alerts() -> Alerts:
    """Return the alerts topic; made on the first call."""
    return Alerts(boto3.client("sns"), settings().alerts_topic_arn)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=Failure)
def lambda_handler(event: Failure, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="PartsStopped" if event.part_of else "SubmissionsStopped", unit=MetricUnit.Count, value=1)
    conclusion = _explain(event)
    if event.part_of:
        submissions().record_part_failure(event.submission_id, event.part_of, conclusion)
        return asdict(conclusion)
    conclude(
        event.submission_id,
        event.step,
        conclusion,
        table=submissions(),
        landing=bucket(settings().landing_bucket),
        quarantine=bucket(settings().quarantine_bucket),
        alerts=alerts(),
        now=datetime.now(UTC),
    )
    metrics.add_metric(name=f"Submissions{conclusion.verdict.title()}", unit=MetricUnit.Count, value=1)
    return asdict(conclusion)


def _explain(event: Failure) -> Conclusion:
    of_part = submissions().part_failure(event.submission_id, event.step)
    if of_part and event.error.error == TOO_MANY_PARTS_FAILED:
        return of_part
    recorded = submissions().failure(event.submission_id, event.step)
    given = GivenCause(recorded.code, recorded.message) if recorded else None
    return explain_failure(event.step, event.error.error, event.error.cause, given)
