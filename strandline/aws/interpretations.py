"""What persons decided of a sample's variants: kept beside its calls, each version with an entry for the audit log."""

import hashlib
from datetime import datetime

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.consents import Consents
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.interpretation.decisions import DECISIONS_LIMIT_BYTES, Decisions, parse_decisions
from strandline.journey import Artifact, SubmissionState, artifact_key

_DECIDED = "CONFIGURED"
_OPEN = frozenset({SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED})


class Interpretations:
    """Decisions of submissions in the analysis bucket."""

    def __init__(self, table: SubmissionsTable, analysis: S3Objects) -> None:
        self._table, self._analysis = table, analysis

    def read(self, submission_id: str) -> Decisions:
        """Return what was decided; nothing where there is no file.

        Raises:
            RejectedInputError: as `parse_decisions`.
        """
        body = self._body(submission_id)
        return parse_decisions(body) if body is not None else Decisions()

    def replace(self, submission_id: str, body: bytes, *, who: str, why: str, now: datetime) -> Decisions:
        """Keep a new version of the decisions, whole; the entry for the log is written first.

        An entry without its file says what was about to be kept: never the other way round.

        Raises:
            RejectedInputError: as `parse_decisions`; `consent_withdrawn`; `not_in_review`.
        """
        decisions = parse_decisions(body)
        Consents(*self._table.place).require(submission_id)
        record = self._table.get(submission_id)
        if record is None or record.state not in _OPEN:
            raise RejectedInputError("not_in_review", f"submission {submission_id} is not in review or released")
        before = self._body(submission_id)
        name = self._table.place[1]
        entry = waiting_entry(
            name,
            _DECIDED,
            f"interpretation/{submission_id}",
            who=who,
            role="person",
            why=why,
            now=now,
            before=hashlib.sha256(before).hexdigest() if before is not None else None,
            after=hashlib.sha256(body).hexdigest(),
        )
        self._table.transact([entry])
        self._analysis.write(artifact_key(submission_id, Artifact.INTERPRETATION), body)
        return decisions

    def _body(self, submission_id: str) -> bytes | None:
        key = artifact_key(submission_id, Artifact.INTERPRETATION)
        return self._analysis.read(key, limit_bytes=DECISIONS_LIMIT_BYTES) if self._analysis.exists(key) else None
