"""Ending a submission that cannot go on: the exception record, the state, and the alert, in that order."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import Cause, SubmissionsTable
from strandline.causes import Conclusion, Verdict
from strandline.journey import SubmissionState, exception_record_key

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Alerts:
    """Publishes to the alerts topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic = topic_arn

    def send(self, subject: str, message: str) -> None:
        """Send one alert; neither part may name a patient."""
        self._client.publish(TopicArn=self._topic, Subject=subject[:100], Message=message)


def conclude(
    submission_id: str,
    step: str,
    conclusion: Conclusion,
    *,
    table: SubmissionsTable,
    quarantine: S3Objects,
    alerts: Alerts,
    now: datetime,
) -> None:
    """Record why a submission stopped. Running twice writes the same record and moves the state once.

    The landed files stay where they are, locked and untouched; the record in the quarantine bucket names them with the
    versions that were judged.
    """
    state = SubmissionState(conclusion.verdict)
    if state is SubmissionState.QUARANTINED:
        record = {
            "submission_id": submission_id,
            "step": step,
            "code": conclusion.code,
            "message": conclusion.message,
            "concluded_at": now.isoformat(timespec="seconds"),
            "files": [asdict(file) for file in table.landed_files(submission_id)],
            "way_back": "Correct the files and submit them again as a new submission; these files stay as evidence.",
        }
        body = json.dumps(record, indent=1, sort_keys=True).encode()
        quarantine.write(exception_record_key(submission_id), body, content_type="application/json")
    cause = Cause(conclusion.code, conclusion.message, step)
    table.move(submission_id, state, who="sample_to_release", why=conclusion.message, now=now, cause=cause)
    acts = "the lab" if conclusion.verdict is Verdict.QUARANTINED else "an operator"
    alerts.send(
        f"Strandline: submission {state.value.lower()}",
        f"Submission {submission_id} was {state.value.lower()} in {step}: {conclusion.code}: {conclusion.message}. "
        f"Next: {acts}.",
    )
