"""Sign, amend or withdraw a release for the person whom a fresh token names, asked by a program or over HTTP."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline.aws.audit_trail import SigningKey
from strandline.aws.release_desk import DeskRequest, ReleaseDesk
from strandline.aws.release_http import is_http, read_request, show_answer, show_refusal
from strandline.aws.releases import Releases
from strandline.aws.settings import SigningSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.aws.tokens import UserPool
from strandline.errors import RejectedInputError, TemporaryError


@cache
def desk() -> ReleaseDesk:
    """Return the desk; made on the first call."""
    settings = SigningSettings.from_env()
    place = (boto3.client("dynamodb"), settings.submissions_table)
    clients = frozenset(settings.user_pool_clients.split(","))
    return ReleaseDesk(
        Releases(*place),
        SubmissionsTable(*place),
        UserPool(boto3.client("cognito-idp"), settings.user_pool_id, clients),
        SigningKey(boto3.client("kms"), settings.release_signing_key),
        boto3.client("stepfunctions"),
        settings.release_arn,
        settings.release_policy,
        timedelta(seconds=settings.sign_in_lasts_s),
    )


@logger.inject_lambda_context(clear_state=True)  # never the event: it holds a token
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    metrics.add_metric(name="ReleaseActsAsked", unit=MetricUnit.Count, value=1)
    if not is_http(event):
        return desk().act(DeskRequest.model_validate(event), datetime.now(UTC)).as_json()
    try:
        return show_answer(desk().act(read_request(event), datetime.now(UTC)))
    except (RejectedInputError, TemporaryError) as refused:
        return show_refusal(refused)
