"""Give the audit entries that wait their places in the log, and sign what the log is then."""

from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, BaseModel

from strandline.aws.audit_trail import AuditTrail, SigningKey
from strandline.aws.objects import S3Objects
from strandline.aws.settings import AuditSettings
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.trust.log import now_utc


class Tick(BaseModel, frozen=True, hide_input_in_errors=True):
    """A scheduled event of EventBridge."""

    time: AwareDatetime


@cache
def settings() -> AuditSettings:
    """Return the settings; read on the first call."""
    return AuditSettings.from_env()


@cache
def trail() -> AuditTrail:
    """Return the log; made on the first call."""
    bucket, tables = S3Objects(boto3.client("s3"), settings().audit_bucket), boto3.client("dynamodb")
    return AuditTrail(tables, settings().audit_queue_table, settings().audit_log_table, bucket, settings().audit_log)


@cache
def key() -> SigningKey:
    """Return the signing key; made on the first call."""
    return SigningKey(boto3.client("kms"), settings().audit_signing_key)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
@event_parser(model=Tick)
def lambda_handler(event: Tick, context: LambdaContext) -> dict[str, int]:
    waited = trail().oldest_waits_s(now_utc())
    metrics.add_metric(name="OldestAuditEntryWaited", unit=MetricUnit.Seconds, value=waited)  # also where sealing fails
    sealed = trail().seal(key(), now_utc())
    metrics.add_metric(name="AuditEntriesSealed", unit=MetricUnit.Count, value=sealed)
    return {"sealed": sealed}
