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
from strandline.aws.validation import Validation, read_landed_manifest


class ValidationRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What a state machine asks for: the whole submission, or one unit of it while others still arrive."""

    submission_id: str
    unit: str | None = None


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
    landed = {file.name: file for file in submissions().landed_files(event.submission_id)}
    validation = Validation(
        event.submission_id,
        read_landed_manifest(landing, event.submission_id, landed),
        landed,
        table=submissions(),
        landing=landing,
        references=bucket(settings().references_bucket),
    )
    to_read = validation.unread_bytes() if event.unit is None else validation.unit_bytes(event.unit)
    if to_read > settings().lambda_validation_limit_bytes:
        return {"verdict": "TOO_LARGE"}
    if event.unit is not None:
        outcome = validation.validate_ahead(event.unit)
        metrics.add_metric(name="UnitsValidatedAhead", unit=MetricUnit.Count, value=1)
        logger.info("a unit was validated ahead", extra={"verdict": outcome})
        return {"verdict": outcome}
    validated = validation.validate()
    metrics.add_metric(name="ReadPairsValidated", unit=MetricUnit.Count, value=validated.pair_count)
    metrics.add_metric(name="AlignmentRecordsValidated", unit=MetricUnit.Count, value=validated.record_count)
    metrics.add_metric(name="VerdictsTakenOver", unit=MetricUnit.Count, value=validated.taken_over)
    return {"verdict": "ACCEPTED"}
