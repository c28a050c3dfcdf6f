"""A file landed: note it, and start the workflow once everything that the manifest names is there."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from strandline.aws.executions import ValidationAhead, Workflow
from strandline.aws.intake import Intake, Registered
from strandline.aws.intake_queue import IntakeQueue
from strandline.aws.objects import S3Objects
from strandline.aws.settings import RegistrationSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.journey import split_landing_key

# a batch that fails as a whole is answered like any other, so that its messages too come again soon
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def intake() -> Intake:
    """Return the door that this function guards; made on the first call."""
    settings = RegistrationSettings.from_env()
    return Intake(
        SubmissionsTable(boto3.client("dynamodb"), settings.submissions_table),
        S3Objects(boto3.client("s3"), settings.landing_bucket),
        Workflow(boto3.client("stepfunctions"), settings.state_machine_arn),
        ValidationAhead(boto3.client("stepfunctions"), settings.validate_ahead_arn),
    )


@cache
def queue() -> IntakeQueue:
    """Return the queue that this function is fed from; made on the first call."""
    return IntakeQueue(boto3.client("sqs"), RegistrationSettings.from_env().intake_queue_url)


def register_aloud(record: SQSRecord) -> None:
    """Register one event; the batch processor keeps a failure to itself, so its kind is told here, never its words."""
    logger.remove_keys(["submission_id"])  # of the record before
    try:
        register(record)
    except Exception as error:
        kind = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        metrics.add_metric(name="RegistrationsFailed", unit=MetricUnit.Count, value=1)
        logger.error("a landing event was not registered: it comes again", extra={"kind": kind})
        raise


def register(record: SQSRecord) -> None:
    """Register the object of one EventBridge event `Object Created`."""
    event = json.loads(record.body)
    landed = event["detail"]["object"]
    parts = split_landing_key(landed["key"])  # EventBridge does not URL-encode keys
    if parts is None:
        metrics.add_metric(name="ObjectsIgnored", unit=MetricUnit.Count, value=1)
        return
    submission_id, name = parts
    logger.append_keys(submission_id=submission_id)
    metrics.add_metric(name="ObjectsRegistered", unit=MetricUnit.Count, value=1)
    sequencer = landed.get("sequencer") or event["time"]
    outcome = intake().register(submission_id, name, sequencer=sequencer, now=datetime.now(UTC))
    if outcome is Registered.STARTED:
        metrics.add_metric(name="SubmissionsStarted", unit=MetricUnit.Count, value=1)
        logger.info("workflow started")
    elif outcome is Registered.AHEAD:
        metrics.add_metric(name="ValidationsStartedAhead", unit=MetricUnit.Count, value=1)
        logger.info("validation of complete files started while others are still to come")
    elif outcome is Registered.LATE:
        metrics.add_metric(name="LateObjects", unit=MetricUnit.Count, value=1)
        logger.warning("a file came after the start: it is kept and not analysed")


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    metrics.add_metric(name="LandingEventsReceived", unit=MetricUnit.Count, value=len(event["Records"]))
    answer = process_partial_response(event=event, record_handler=register_aloud, processor=processor, context=context)
    failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    if queue().retry_soon(record for record in event["Records"] if record["messageId"] in failed):
        logger.warning("failed messages wait for the visibility timeout")
    return dict(answer)
