"""PrepareRelease: freeze what is to be signed, by object version and SHA-256, or say why there is nothing to freeze."""

from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.objects import S3Objects
from strandline.aws.release_steps import PreparingRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.aws.settings import ReleaseSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer


@cache
def steps() -> ReleaseSteps:
    """Return what the step needs; made on the first call."""
    settings = ReleaseSettings.from_env()
    place = (boto3.client("dynamodb"), settings.submissions_table)
    analysis = S3Objects(boto3.client("s3"), settings.analysis_bucket)
    return ReleaseSteps(Releases(*place), SubmissionsTable(*place), settings.release_policy, analysis)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=PreparingRequest)
def lambda_handler(event: PreparingRequest, context: LambdaContext) -> dict[str, str]:
    logger.append_keys(submission_id=event.submission_id)
    if event.failed:
        metrics.add_metric(name="ReleasesStopped", unit=MetricUnit.Count, value=1)
        return {"code": steps().note_failure(event, event.failed, datetime.now(UTC))}
    metrics.add_metric(name="ReleasesPrepared", unit=MetricUnit.Count, value=1)
    return {"record_sha256": steps().prepare(event, datetime.now(UTC))}
