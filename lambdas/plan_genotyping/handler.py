"""PlanGenotyping: what genotypes a cohort, on how much of a machine, or in which parts of about as many reads each."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from strandline.aws.cohort_planning import chosen_joint, make_genotyping_plan, plan_joint_machine
from strandline.aws.cohorts import CohortsTable, CohortState
from strandline.aws.objects import S3Objects
from strandline.aws.settings import CohortPlanningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.variants.callers.resources import Resources


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


@cache
def most_by_joint() -> dict[str, Resources]:
    """Return what the stage gives a cohort of genomes, by tool; read on the first call."""
    return {joint: Resources(**most) for joint, most in json.loads(settings().joint_resources).items()}


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=CohortPlanningRequest)
def lambda_handler(event: CohortPlanningRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(cohort_id=event.cohort_id)
    metrics.add_metric(name="GenotypingPlansMade", unit=MetricUnit.Count, value=1)
    cohort_id, submissions, analysis = (
        event.cohort_id,
        SubmissionsTable(*cohorts().place),
        bucket(settings().analysis_bucket),
    )
    joint = chosen_joint(cohort_id, cohorts=cohorts(), submissions=submissions, in_images=settings().jobs_run_in_images)
    machine = plan_joint_machine(cohort_id, joint, cohorts=cohorts(), analysis=analysis, most_by_joint=most_by_joint())
    if machine:
        begin(cohort_id, f"Genotyping begins, by {joint}")
        return {"joint": joint.value, "part_count": 1, "parts": [1], "machine": machine.as_asked}
    plan = make_genotyping_plan(
        cohort_id,
        cohorts=cohorts(),
        submissions=submissions,
        analysis=analysis,
        references=bucket(settings().references_bucket),
        part_bytes=settings().calling_part_bytes,
    )
    begin(cohort_id, f"Genotyping begins, in parts: {len(plan.parts)}")
    parts = list(range(1, len(plan.parts) + 1))
    return {"joint": joint.value, "part_count": len(parts), "parts": parts, "machine": {}}


def begin(cohort_id: str, why: str) -> None:
    """Record that the cohort is on its way."""
    cohorts().move(cohort_id, CohortState.GENOTYPING, who="joint_genotype", why=why, now=datetime.now(UTC))
