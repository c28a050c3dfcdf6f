"""ConcludeCohort: note that a cohort is genotyped, or why it is not, and alert where an operator has to look."""

from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.cohorts import CohortsTable, CohortState
from strandline.aws.conclusions import Alerts
from strandline.aws.settings import CohortConclusionSettings
from strandline.aws.submissions import Cause
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.causes import TOO_MANY_PARTS_FAILED, CaughtError, Conclusion, GivenCause, Verdict, explain_failure


class CohortEnd(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine hands over; no error where all went well.

    `part_of` is the step that a part which failed belongs to: its cause is kept, and the cohort goes on to fail.
    """

    cohort_id: str
    step: str
    part_of: str | None = None
    error: CaughtError | None = None


@cache
def settings() -> CohortConclusionSettings:
    """Return the settings; read on the first call."""
    return CohortConclusionSettings.from_env()


@cache
def cohorts() -> CohortsTable:
    """Return the table; made on the first call."""
    return CohortsTable(boto3.client("dynamodb"), settings().submissions_table)


@cache
def alerts() -> Alerts:
    """Return the alerts topic; made on the first call."""
    return Alerts(boto3.client("sns"), settings().alerts_topic_arn)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=CohortEnd)
def lambda_handler(event: CohortEnd, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(cohort_id=event.cohort_id)
    metrics.add_metric(name="CohortsConcluded", unit=MetricUnit.Count, value=1)
    if event.error is None:
        move(event, CohortState.GENOTYPED, "Every member is genotyped")
        return {"state": CohortState.GENOTYPED, "code": "", "message": ""}
    found = explain(event, event.error)
    if event.part_of:
        cohorts().record_part_failure(event.cohort_id, event.part_of, found)
        return {"state": CohortState.GENOTYPING, "code": found.code, "message": found.message}
    state = CohortState.REFUSED if found.verdict is Verdict.QUARANTINED else CohortState.FAILED
    move(event, state, found.message, Cause(found.code, found.message, event.step))
    if state is CohortState.FAILED:
        alerts().send(f"Cohort failed: {found.code}", f"cohort {event.cohort_id}, {event.step}: {found.message}")
    return {"state": state, "code": found.code, "message": found.message}


def explain(event: CohortEnd, error: CaughtError) -> Conclusion:
    """Say why, as the step did where it could."""
    of_part = cohorts().part_failure(event.cohort_id, event.step)
    if of_part and error.error == TOO_MANY_PARTS_FAILED:
        return of_part
    recorded = cohorts().failure(event.cohort_id, event.step)
    given = GivenCause(recorded.code, recorded.message) if recorded else None
    return explain_failure(event.step, error.error, error.cause, given)


def move(event: CohortEnd, state: CohortState, why: str, cause: Cause | None = None) -> None:
    """Record the end."""
    cohorts().move(event.cohort_id, state, who="joint_genotype", why=why, now=datetime.now(UTC), cause=cause)
