"""Somebody asked for a bulk export: write its files."""

from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_exports import FhirExports, run_export
from strandline.aws.fhir_store import FhirStore
from strandline.aws.objects import S3Objects
from strandline.aws.settings import FhirExportSettings
from strandline.aws.telemetry import logger, metrics, tracer

_LEFT_MS = 30_000


class ExportRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What `serve_fhir` asks for."""

    job_id: str


@cache
def connect() -> tuple[FhirExports, FhirStore, S3Objects, FhirAudit]:
    """Return the desk, the releases, the bucket and the log; made on the first call."""
    settings, dynamodb, s3 = FhirExportSettings.from_env(), boto3.client("dynamodb"), boto3.client("s3")
    return (
        FhirExports(
            dynamodb,
            settings.fhir_table,
            lambda: datetime.now(UTC),
            s3=s3,
            bucket=settings.analysis_bucket,
            function=None,
        ),
        FhirStore(dynamodb, settings.fhir_table),
        S3Objects(s3, settings.analysis_bucket),
        FhirAudit(dynamodb, settings.submissions_table, lambda: datetime.now(UTC)),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=ExportRequest)
def lambda_handler(event: ExportRequest, context: LambdaContext) -> dict[str, int]:
    metrics.add_metric(name="ExportsBegun", unit=MetricUnit.Count, value=1)
    desk, store, files, audit = connect()
    done = run_export(
        event.job_id,
        desk=desk,
        store=store,
        files=files,
        audit=audit,
        has_time=lambda: context.get_remaining_time_in_millis() > _LEFT_MS,
    )
    return {"releases": done.releases if done else 0}
