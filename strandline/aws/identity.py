"""CheckIdentity: a sample beside the others of its subject, and what is kept of that."""

from typing import Final

from pydantic import TypeAdapter

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionsTable
from strandline.journey import Artifact, SubmissionState, artifact_key
from strandline.reads.fingerprint import Fingerprint, parse_fingerprint
from strandline.reads.gates import CheckOutcome, GateThresholds, refuse_stopped
from strandline.reads.identity import check_identity

OUTCOME: Final = TypeAdapter(CheckOutcome)
_FINGERPRINT_LIMIT_BYTES: Final = 8 << 20
_MOST_COMPARED: Final = 50
_NOT_COMPARED: Final = frozenset({SubmissionState.QUARANTINED, SubmissionState.FAILED, SubmissionState.WITHDRAWN})


def compare_with_own(
    submission_id: str, *, table: SubmissionsTable, analysis: S3Objects, limits: GateThresholds
) -> CheckOutcome:
    """Compare a sample with its subject's others, keep the outcome beside it, and file it under its subject.

    Others that were stopped, failed or withdrawn are passed over: withdrawing the wrong one of two lets the right one
    pass. The newest 50 are compared. A sample that is stopped is not filed.

    Raises:
        RejectedInputError: `identity_mismatch`, where the stage stops such samples; `object_missing`, where
            MeasureQuality left no fingerprint.
    """
    subject_id = table.manifest(submission_id).sample.subject_id
    own = _read(submission_id, analysis)
    earlier = {}
    for other in table.submissions_of_subject(subject_id)[-_MOST_COMPARED:] if subject_id else []:
        if other.submission_id != submission_id and other.state not in _NOT_COMPARED:
            earlier[other.submission_id] = _read(other.submission_id, analysis)
    outcome = check_identity(own, earlier, subject_id is not None, limits)
    analysis.write(
        artifact_key(submission_id, Artifact.IDENTITY), OUTCOME.dump_json(outcome), content_type="application/json"
    )
    refuse_stopped([outcome])
    if subject_id:
        table.file_under_subject(subject_id, submission_id)
    return outcome


def _read(submission_id: str, analysis: S3Objects) -> Fingerprint:
    key = artifact_key(submission_id, Artifact.FINGERPRINT)
    return parse_fingerprint(analysis.read(key, limit_bytes=_FINGERPRINT_LIMIT_BYTES), Artifact.FINGERPRINT)
