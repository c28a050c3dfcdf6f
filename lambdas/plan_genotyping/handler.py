"""PlanGenotyping: the parts that a cohort is genotyped in, each with about as many reads as the others."""

from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.cohort_planning import make_genotyping_plan
from strandline.aws.cohorts import CohortsTable, CohortState
from strandline.aws.objects import S3Objects
from strandline.aws.settings import CohortPlanningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


class CohortPlanningRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks for."""

    cohort_id: str


@cache
def settings() -> CohortPlanningSettings:
    """Return the settings; read on the first call."""
    return CohortPlanningSettings.from_env()


@cache
def cohorts() -> CohortsTable:
    """Return the table; made on the first call."""
    return CohortsTable(boto3.client("dynamodb"), settings().submissions_table)


@cache
def bucket(name: str) -> S3Objects:
    """Return a bucket; made on the first call."""
    return S3Objects(boto3.client("s3"), name)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=CohortPlanningRequest)
def lambda_handler(event: CohortPlanningRequest, context: LambdaContext) -> dict[str, list[int] | int]:
    logger.append_keys(cohort_id=event.cohort_id)
    metrics.add_metric(name="GenotypingPlansMade", unit=MetricUnit.Count, value=1)
    plan = make_genotyping_plan(
        event.cohort_id,
        cohorts=cohorts(),
        submissions=SubmissionsTable(*cohorts().place),
        analysis=bucket(settings().analysis_bucket),
        references=bucket(settings().references_bucket),
        part_bytes=settings().calling_part_bytes,
    )
    why = f"Genotyping begins, in parts: {len(plan.parts)}"
    cohorts().move(event.cohort_id, CohortState.GENOTYPING, who="joint_genotype", why=why, now=datetime.now(UTC))
    return {"part_count": len(plan.parts), "parts": list(range(1, len(plan.parts) + 1))}
