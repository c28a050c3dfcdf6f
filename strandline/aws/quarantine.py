"""What was kept out: looked at, let in again by a named person with a reason, or rejected for good."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from strandline.aws.executions import Workflow
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState, exception_record_key

ACCEPTABLE_CODES: Final = frozenset({"duplicate_content"})
"""Findings that a person may let pass; every other one stands until its cause is mended."""
_RECORD_LIMIT_BYTES: Final = 8 << 20
_REASON_LENGTH: Final = range(10, 501)


class Quarantine:
    """The quarantined submissions of one stage."""

    def __init__(self, table: SubmissionsTable, bucket: S3Objects, workflow: Workflow) -> None:
        self._table = table
        self._bucket = bucket
        self._workflow = workflow

    def list(self) -> list[SubmissionRecord]:
        """Return what is in quarantine, longest first."""
        return self._table.list_by_state(SubmissionState.QUARANTINED)

    def record(self, submission_id: str) -> dict[str, Any]:
        """Return the exception record of a submission.

        Raises:
            RejectedInputError: `not_quarantined`.
        """
        self._quarantined(submission_id)
        body = self._bucket.read(exception_record_key(submission_id), limit_bytes=_RECORD_LIMIT_BYTES)
        found: dict[str, Any] = json.loads(body)
        return found

    def release(
        self, submission_id: str, *, who: str, reason: str, now: datetime, accept: Sequence[str] = ()
    ) -> SubmissionRecord:
        """Check a submission anew and let it go on if it passes now. Done twice, it is one attempt.

        Args:
            submission_id: a submission in quarantine.
            who: the person who releases it.
            reason: 10 to 500 characters that stay in the history.
            now: when.
            accept: codes of findings that this person lets pass, of `ACCEPTABLE_CODES`.

        Raises:
            RejectedInputError: `not_quarantined`, `reason_missing` or `finding_not_acceptable`.
        """
        _check_reason(reason)
        refused = sorted(set(accept) - ACCEPTABLE_CODES)
        if refused:
            raise RejectedInputError(
                "finding_not_acceptable",
                f"nobody can let {', '.join(refused)} pass: correct the files and submit them again",
            )
        current = self._table.get(submission_id)
        if current is None or current.attempt == 1 or current.state is not SubmissionState.VALIDATING:
            self._quarantined(submission_id)
        record = self._table.reopen(submission_id, who=who, why=f"Released: {reason}", now=now, accept=accept)
        self._workflow.start(submission_id, record.attempt)
        return record

    def reject(self, submission_id: str, *, who: str, reason: str, now: datetime) -> SubmissionRecord:
        """End a submission for good; its files stay under lock as evidence.

        Raises:
            RejectedInputError: `not_quarantined` or `reason_missing`.
        """
        _check_reason(reason)
        self._quarantined(submission_id)
        return self._table.move(submission_id, SubmissionState.WITHDRAWN, who=who, why=f"Rejected: {reason}", now=now)

    def _quarantined(self, submission_id: str) -> SubmissionRecord:
        record = self._table.get(submission_id)
        if record is None or record.state is not SubmissionState.QUARANTINED:
            stands = f"is {record.state}" if record else "is unknown"
            raise RejectedInputError(
                "not_quarantined", f"submission {submission_id} {stands}: see 'strandline quarantine list'"
            )
        return record


def _check_reason(reason: str) -> None:
    if len(reason.strip()) not in _REASON_LENGTH:
        raise RejectedInputError("reason_missing", "give a reason of 10 to 500 characters: it stays in the history")
