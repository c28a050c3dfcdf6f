"""ValidateFiles: everything the manifest names is there, whole and readable; or a refusal that says what to do."""

from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.objects import S3Objects
from strandline.aws.settings import ValidationSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.aws.validation import declared_size_bytes, read_landed_manifest, validate_submission


class ValidationRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks for."""

    submission_id: str


@cache
def settings() -> ValidationSettings:
    """Return the settings; read on the first call."""
    return ValidationSettings.from_env()


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
@event_parser(model=ValidationRequest)
def lambda_handler(event: ValidationRequest, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="ValidationsStarted", unit=MetricUnit.Count, value=1)
    landing = bucket(settings().landing_bucket)
    manifest = read_landed_manifest(submissions(), landing, event.submission_id)
    if declared_size_bytes(manifest) > settings().lambda_validation_limit_bytes:
        return {"verdict": "TOO_LARGE"}
    summary = validate_submission(
        event.submission_id,
        manifest,
        table=submissions(),
        landing=landing,
        references=bucket(settings().references_bucket),
    )
    metrics.add_metric(name="ReadPairsValidated", unit=MetricUnit.Count, value=summary.pair_count)
    return {"verdict": "ACCEPTED"}
