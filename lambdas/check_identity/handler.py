"""CheckIdentity: a sample whose reads are of another person than its subject's others ends before it is called."""

from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.identity import compare_with_own
from strandline.aws.objects import S3Objects
from strandline.aws.settings import IdentitySettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.reads.gates import GateThresholds, parse_thresholds


class IdentityRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks for."""

    submission_id: str


@cache
def settings() -> IdentitySettings:
    """Return the settings; read on the first call."""
    return IdentitySettings.from_env()


@cache
def submissions() -> SubmissionsTable:
    """Return the table; made on the first call."""
    return SubmissionsTable(boto3.client("dynamodb"), settings().submissions_table)


@cache
def analysis() -> S3Objects:
    """Return the analysis bucket; made on the first call."""
    return S3Objects(boto3.client("s3"), settings().analysis_bucket)


@cache
def limits() -> GateThresholds:
    """Return the stage's limits; read on the first call."""
    return parse_thresholds(settings().quality_gates)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=IdentityRequest)
def lambda_handler(event: IdentityRequest, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="IdentitiesChecked", unit=MetricUnit.Count, value=1)
    outcome = compare_with_own(event.submission_id, table=submissions(), analysis=analysis(), limits=limits())
    return {"verdict": outcome.verdict.value}
