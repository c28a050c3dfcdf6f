"""Submissions that never became complete."""

from datetime import datetime, timedelta

from strandline.aws.conclusions import Alerts, conclude
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.causes import Conclusion, Verdict
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState


class Expiry:
    """Sweeps submissions that have waited longer than `patience` for their files."""

    def __init__(
        self,
        table: SubmissionsTable,
        landing: S3Objects,
        quarantine: S3Objects,
        alerts: Alerts,
        patience: timedelta,
    ) -> None:
        self._table = table
        self._landing = landing
        self._quarantine = quarantine
        self._alerts = alerts
        self._patience = patience

    def sweep(self, now: datetime) -> int:
        """Quarantine what is overdue at `now` and return how many that were.

        The index that lists them may lag behind, so each is read again: one that has started is left alone.
        """
        overdue = [
            record
            for listed in self._table.list_by_state(SubmissionState.RECEIVED)
            if now - datetime.fromisoformat(listed.created_at) > self._patience
            and now - self._table.last_landing(listed.submission_id, since=listed.created_at) > self._patience
            and (record := self._table.get(listed.submission_id))
            and record.state is SubmissionState.RECEIVED
        ]
        for record in overdue:
            conclude(
                record.submission_id,
                "RegisterObject",
                Conclusion(Verdict.QUARANTINED, "incomplete_submission", self._what_is_missing(record)),
                table=self._table,
                landing=self._landing,
                quarantine=self._quarantine,
                alerts=self._alerts,
                now=now,
            )
        return len(overdue)

    def _what_is_missing(self, record: SubmissionRecord) -> str:
        landed = {file.name for file in self._table.landed_files(record.submission_id)}
        hours = self._patience.total_seconds() / 3600
        if MANIFEST_NAME not in landed:
            return f"{MANIFEST_NAME} did not come within {hours:g} h: submit again, and upload the manifest last"
        try:
            declared = {file.name for file in self._table.manifest(record.submission_id).files}
        except RejectedInputError as error:
            return error.message
        missing = ", ".join(sorted(declared - landed)) or "nothing, yet it did not start"
        return f"missing after {hours:g} h: {missing}. Submit again with every file that the manifest names"
