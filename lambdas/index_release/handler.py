"""A release was delivered, amended or withdrawn: make it what the FHIR API serves."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_indexing import index_delivery
from strandline.aws.fhir_store import FhirIndex
from strandline.aws.objects import S3Objects
from strandline.aws.settings import ReleaseIndexSettings
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.errors import RejectedInputError
from strandline.fhir.served.access import Caller

SELF = Caller("index_release", "service", ())


@cache
def connect() -> tuple[S3Objects, FhirIndex, FhirAudit]:
    """Return the bucket, the index and the log; made on the first call."""
    settings, dynamodb = ReleaseIndexSettings.from_env(), boto3.client("dynamodb")
    return (
        S3Objects(boto3.client("s3"), settings.delivery_bucket),
        FhirIndex(dynamodb, settings.fhir_table, settings.submissions_table),
        FhirAudit(dynamodb, settings.submissions_table, lambda: datetime.now(UTC)),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    metrics.add_metric(name="DeliveriesReceived", unit=MetricUnit.Count, value=1)
    delivery, index, audit = connect()
    try:
        note = index_delivery(event["detail"]["object"]["key"], delivery, index, datetime.now(UTC))
    except RejectedInputError as error:
        audit.refused(SELF, "fhir/index", f"{error.code}: {error.message}")
        metrics.add_metric(name="DeliveriesRefused", unit=MetricUnit.Count, value=1)
        raise
    logger.append_keys(submission_id=note.submission_id)
    logger.info("indexed", extra={"version": note.version, "kind": note.kind})
    return {"version": note.version}
