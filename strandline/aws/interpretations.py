"""What persons decided of a sample's variants: kept beside its calls, each version with an entry for the audit log."""

import hashlib
from datetime import datetime

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.cohorts import CohortsTable, CohortState
from strandline.aws.consents import Consents
from strandline.aws.objects import S3Objects
from strandline.aws.releases import Releases, ReleaseStatus, ReleaseVersion
from strandline.aws.submissions import SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.interpretation.decisions import DECISIONS_LIMIT_BYTES, Decisions, parse_decisions
from strandline.interpretation.family import FAMILY_LIMIT_BYTES, Family, family_of
from strandline.journey import Artifact, CohortArtifact, SubmissionState, artifact_key, cohort_key
from strandline.trust.release import check_reason
from strandline.variants.joint_output import CohortReport

_DECIDED = "CONFIGURED"
_DECIDED_WHY = "decided on the variants"
_TAKEN_WHY = "taken over from the trio"
_RELEASED = frozenset({SubmissionState.RELEASED, SubmissionState.AMENDED})
_OPEN = _RELEASED | {SubmissionState.IN_REVIEW}


class Interpretations:
    """Decisions of submissions in the analysis bucket.

    Once a version is released, nothing is kept unless the caller says that it is for an amended one, and why: what a
    clinician holds would otherwise drift from what the lab thinks, and nobody would have been told. Keeping changes no
    version that is out; asking for the amended one is an act of its own, with password and second factor.
    """

    def __init__(self, table: SubmissionsTable, analysis: S3Objects) -> None:
        self._table, self._analysis = table, analysis

    def read(self, submission_id: str) -> Decisions:
        """Return what was decided; nothing where there is no file.

        Raises:
            RejectedInputError: as `parse_decisions`.
        """
        body = self._body(submission_id)
        return parse_decisions(body) if body is not None else Decisions()

    def last_version(self, submission_id: str) -> ReleaseVersion | None:
        """Return the last version of a release, None where there is none."""
        return next(reversed(Releases(*self._table.place).versions(submission_id)), None)

    def replace(
        self, submission_id: str, body: bytes, *, who: str, why: str, now: datetime, amends: bool = False
    ) -> Decisions:
        """Keep a new version of the decisions, whole; the entry for the log is written first.

        An entry without its file says what was about to be kept: never the other way round.

        Raises:
            RejectedInputError: as `parse_decisions`; `consent_withdrawn`; `not_in_review`; `release_is_out`, without
                `amends`; `reason_missing`.
        """
        decisions = parse_decisions(body)
        self._check(submission_id, why, amends=amends)
        self._keep(submission_id, Artifact.INTERPRETATION, body, who=who, why=why or _DECIDED_WHY, now=now)
        return decisions

    def take_family(
        self, submission_id: str, cohort_id: str, *, who: str, why: str, now: datetime, amends: bool = False
    ) -> Family:
        """Keep what a cohort's joint genotyping says of this child, whose parents are in it.

        Raises:
            RejectedInputError: `cohort_unknown`, `not_a_member`, `cohort_not_genotyped`, `no_trio_of_child`,
                `consent_withdrawn`, `not_in_review`, `release_is_out`, `reason_missing`.
        """
        self._check(submission_id, why, amends=amends)
        cohorts = CohortsTable(*self._table.place)
        request, record = cohorts.request(cohort_id), cohorts.get(cohort_id)
        if submission_id not in {one.submission_id for one in request.members}:
            raise RejectedInputError("not_a_member", f"submission {submission_id} is not in cohort {cohort_id}")
        if record is None or record.state is not CohortState.GENOTYPED:
            raise RejectedInputError("cohort_not_genotyped", f"cohort {cohort_id} is not genotyped: see 'cohort show'")
        report = self._analysis.read(cohort_key(cohort_id, CohortArtifact.REPORT), limit_bytes=FAMILY_LIMIT_BYTES)
        child = self._table.manifest(submission_id).sample.sample_id
        digest = hashlib.sha256(report).hexdigest()
        family = family_of(child, cohort_id, CohortReport.model_validate_json(report), digest)
        body = family.model_dump_json().encode()
        self._keep(submission_id, Artifact.FAMILY, body, who=who, why=why or _TAKEN_WHY, now=now)
        return family

    def _check(self, submission_id: str, why: str, *, amends: bool) -> None:
        Consents(*self._table.place).require(submission_id)
        record = self._table.get(submission_id)
        if record is None or record.state not in _OPEN:
            raise RejectedInputError("not_in_review", f"submission {submission_id} is not in review or released")
        if record.state not in _RELEASED:
            return
        if not amends:
            versions = Releases(*self._table.place).versions(submission_id)
            out = max((one.version for one in versions if one.status is ReleaseStatus.DELIVERED), default=1)
            raise RejectedInputError(
                "release_is_out",
                f"version {out} of {submission_id} is released and stays as it is: say --amend and --reason to decide "
                "anew, for an amended version",
            )
        check_reason(why)

    def _keep(self, submission_id: str, what: Artifact, body: bytes, *, who: str, why: str, now: datetime) -> None:
        key, name = artifact_key(submission_id, what), self._table.place[1]
        before = self._analysis.read(key, limit_bytes=FAMILY_LIMIT_BYTES) if self._analysis.exists(key) else None
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
        self._analysis.write(key, body)

    def _body(self, submission_id: str) -> bytes | None:
        key = artifact_key(submission_id, Artifact.INTERPRETATION)
        return self._analysis.read(key, limit_bytes=DECISIONS_LIMIT_BYTES) if self._analysis.exists(key) else None
