"""Tell the audit log what AWS says was done: jobs, sign-ins, queries, changes of the configuration."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.act_records import ActRecords
from strandline.aws.settings import ActSettings
from strandline.aws.telemetry import logger, metrics, tracer


@cache
def records() -> ActRecords:
    """Return what keeps them; made on the first call."""
    return ActRecords(boto3.client("dynamodb"), ActSettings.from_env().submissions_table)


@logger.inject_lambda_context(clear_state=True)  # never the event: it names callers
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    metrics.add_metric(name="ActsReceived", unit=MetricUnit.Count, value=1)
    records().note(event, datetime.now(UTC))
