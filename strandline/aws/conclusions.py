"""Ending a submission that cannot go on: the exception record, the state, and the alert, in that order."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import Cause, LandedFile, SubmissionsTable
from strandline.causes import Conclusion, Verdict
from strandline.journey import SubmissionState, exception_record_key, landing_key, quarantined_file_key

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

COPY_LIMIT_BYTES: Final = 50 * 1024**3
"""Above this a submission's files are not copied into quarantine: within S3 that many take minutes, not more."""


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
    landing: S3Objects,
    quarantine: S3Objects,
    alerts: Alerts,
    now: datetime,
) -> None:
    """Record why a submission stopped. Running twice writes the same record and moves the state once.

    The landed files stay where they are, locked and untouched. The quarantine bucket gets a copy of each for whoever
    looks into it, and a record that names them with the versions that were judged and what validation found in them.
    """
    state = SubmissionState(conclusion.verdict)
    files = table.landed_files(submission_id)
    copied = sum(file.size_bytes for file in files) <= COPY_LIMIT_BYTES
    if state is SubmissionState.QUARANTINED:
        record = {
            "submission_id": submission_id,
            "step": step,
            "code": conclusion.code,
            "message": conclusion.message,
            "concluded_at": now.isoformat(timespec="seconds"),
            "files": [asdict(file) for file in files],
            "copies": "files/" if copied else None,
            "verdicts": [verdict.describe() for verdict in table.verdicts(submission_id)],
            "way_back": "Correct the files and submit them again as a new submission; these files stay as evidence. "
            "Where the cause lay elsewhere and is mended: strandline quarantine release, with a reason.",
        }
        body = json.dumps(record, indent=1, sort_keys=True).encode()
        quarantine.write(exception_record_key(submission_id), body, content_type="application/json")
    cause = Cause(conclusion.code, conclusion.message, step)
    why = f"{cause.code}: {cause.message}"
    table.move(submission_id, state, who="sample_to_release", why=why, now=now, cause=cause)
    acts = "the lab" if conclusion.verdict is Verdict.QUARANTINED else "an operator"
    alerts.send(
        f"Strandline: submission {state.value.lower()}",
        f"Submission {submission_id} was {state.value.lower()} in {step}: {conclusion.code}: {conclusion.message}. "
        f"Next: {acts}.",
    )
    if state is SubmissionState.QUARANTINED and copied:
        _copy(submission_id, files, landing, quarantine)


def _copy(submission_id: str, files: Sequence[LandedFile], landing: S3Objects, quarantine: S3Objects) -> None:
    """Copy the versions that were judged; one that is gone is passed over, since the record names it."""
    for file in files:
        found = landing.version(landing_key(submission_id, file.name), file.version_id)
        if found is not None:
            quarantine.copy_from(landing, found, quarantined_file_key(submission_id, file.name))
