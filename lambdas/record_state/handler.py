"""Move a submission to its next state, with the change and its reason in the same transaction.

What is released, amended or withdrawn is none of its business: `deliver_release` moves that, with signatures verified.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Literal

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.settings import StateSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.journey import SubmissionState, share_of


class StateMove(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks for."""

    submission_id: str
    state: Literal[
        SubmissionState.VALIDATING, SubmissionState.ANALYSING, SubmissionState.LOADED, SubmissionState.IN_REVIEW
    ]
    reason: str


@cache
def submissions() -> SubmissionsTable:
    """Return the table; made on the first call."""
    return SubmissionsTable(boto3.client("dynamodb"), StateSettings.from_env().submissions_table)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=StateMove)
def lambda_handler(event: StateMove, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="StatesRecorded", unit=MetricUnit.Count, value=1)
    record = submissions().move(
        event.submission_id, event.state, who="sample_to_release", why=event.reason, now=datetime.now(UTC)
    )
    return {"state": record.state, "share": share_of(record.site)}
