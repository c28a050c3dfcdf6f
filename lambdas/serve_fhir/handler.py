"""The clinicians' door: FHIR R4 reads and searches of what was released, for people and programs with a token."""

import base64
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
import orjson
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from strandline import __version__
from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_callers import caller_of
from strandline.aws.fhir_exports import FhirExports
from strandline.aws.fhir_store import FhirStore
from strandline.aws.settings import FhirSettings
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.fhir.served.access import Caller
from strandline.fhir.served.answers import SAFE_HEADERS, Answer, refusal
from strandline.fhir.served.outcomes import RefusedRequestError, operation_outcome
from strandline.fhir.served.service import FhirServer, Request

PREFIX = "/fhir/"


@cache
def connect() -> tuple[FhirServer, FhirAudit]:
    """Return the server and the log that it writes to; made on the first call."""
    settings, dynamodb = FhirSettings.from_env(), boto3.client("dynamodb")
    audit = FhirAudit(dynamodb, settings.submissions_table, lambda: datetime.now(UTC))
    store = FhirStore(dynamodb, settings.fhir_table)
    exports = FhirExports(
        dynamodb,
        settings.fhir_table,
        lambda: datetime.now(UTC),
        s3=boto3.client("s3", config=Config(signature_version="s3v4")),
        bucket=settings.analysis_bucket,
        function=(boto3.client("lambda"), settings.export_function),
    )
    return FhirServer(store, settings.fhir_base_url, audit, __version__, exports), audit


def answer(event: dict[str, Any]) -> Answer:
    """Answer one request; whatever goes wrong is said as an OperationOutcome that tells nothing of the inside."""
    caller = caller_of(event.get("requestContext", {}).get("authorizer") or {})
    try:
        server, audit = connect()
        try:
            return server.answer(_request(event, caller), datetime.now(UTC))
        except RefusedRequestError as refused:
            if caller is not None:
                audit.refused(caller, "fhir", refused.says)
            return refusal(refused)
    except Exception as error:
        logger.error("a request was not answered", extra={"kind": type(error).__name__})
        metrics.add_metric(name="FhirRequestsFailed", unit=MetricUnit.Count, value=1)
        says = "the server could not answer, and answered nothing: try again, or tell who runs it"
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, operation_outcome("transient", says))


def _request(event: dict[str, Any], caller: Caller | None) -> Request:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode("utf-8", "replace")
    return Request(
        method=event["requestContext"]["http"]["method"],
        path=unquote(event["rawPath"]).removeprefix(PREFIX),
        query=event.get("rawQueryString", ""),
        headers={name.lower(): value for name, value in event.get("headers", {}).items()},
        body=body,
        caller=caller,
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses name a patient
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    metrics.add_metric(name="FhirRequestsReceived", unit=MetricUnit.Count, value=1)
    answered = answer(event)
    if answered.status >= HTTPStatus.BAD_REQUEST:
        metrics.add_metric(name="FhirRequestsRefused", unit=MetricUnit.Count, value=1)
    return {
        "statusCode": int(answered.status),
        "headers": {**SAFE_HEADERS, **answered.headers},
        "body": "" if answered.body is None else orjson.dumps(answered.body).decode(),
    }
