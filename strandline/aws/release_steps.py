"""The steps of the release workflow: freeze what is to be signed, wait for signatures, deliver.

None trusts what it is told beyond the submission and the version: what counts stands in the table, in the versions of
the files, and in the signatures.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field

from strandline.aws.audit_trail import SigningKey
from strandline.aws.consents import Consents
from strandline.aws.objects import S3Objects
from strandline.aws.release_desk import start_release, suppress_codes
from strandline.aws.releases import Releases, ReleaseStatus, ReleaseVersion
from strandline.aws.submissions import Cause, SubmissionRecord, SubmissionsTable
from strandline.causes import CaughtError, GivenCause, explain_failure
from strandline.errors import RejectedInputError
from strandline.journey import ALLOWED_MOVES, Artifact, SubmissionState, artifact_key, release_prefix
from strandline.trust.delivery import RELEASED, check_drafts_agree, make_delivery, verify_delivery
from strandline.trust.entries import Action
from strandline.trust.release import FrozenFile, ReleaseRecord, policy_named
from strandline.trust.signatures import Signature, next_meaning, verify_release

_T = TypeVar("_T")
WHO: Final = "release"
_FIRST_REASON: Final = "First release"
_DELIVERED: Final = (Artifact.BUNDLE, Artifact.REPORT, Artifact.REPORT_PDF, Artifact.PLAIN_REPORT)
"""What is released, each of it."""
_FILE_LIMIT_BYTES: Final = 64 << 20
_CONTENT_TYPES: Final = {"json": "application/json", "html": "text/html; charset=utf-8", "pdf": "application/pdf"}


class ReleaseRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the workflow says, or whoever imitates it."""

    submission_id: str = Field(max_length=64, pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1, lt=10_000)


class FailedStep(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """A step before the record is frozen, which failed."""

    step: Literal["RenderReport", "BuildBundle"]
    error: CaughtError


class PreparingRequest(ReleaseRequest, frozen=True):
    """A version to freeze, or, with `failed`, one that could not be made ready."""

    failed: FailedStep | None = None


class AwaitingRequest(ReleaseRequest, frozen=True):
    """The same, with the token to answer."""

    task_token: str = Field(min_length=1, max_length=2_048)


@dataclass(frozen=True, slots=True)
class ReleaseSteps:
    """What each step needs; the buckets and the key are None for those that may not use them."""

    releases: Releases
    submissions: SubmissionsTable
    policy: str = ""
    analysis: S3Objects | None = None
    delivery: S3Objects | None = None
    key: SigningKey | None = None

    def ask(self, submission_id: str, now: datetime) -> bool:
        """Put the first version of a submission in review into the queue; False where it is not in review."""
        found = self.submissions.get(submission_id)
        if found is None or found.state is not SubmissionState.IN_REVIEW:
            return False
        self.releases.transact([self.releases.asking(submission_id, 1, "release", who=WHO, why=_FIRST_REASON, now=now)])
        return True

    def open(self, request: ReleaseRequest, who: str, workflow: Any, release_arn: str, now: datetime) -> bool:
        """Have a version rendered for its signers, because somebody opens it; False where it was opened before.

        Raises:
            RejectedInputError: `release_unknown` or `release_not_allowed`.
        """
        version = self.releases.version(request.submission_id, request.version)
        if version.record is not None:
            return False
        self._check_state(self._submission(request), version)
        entry = self.releases.telling(
            Action.READ,
            request.submission_id,
            request.version,
            who=who,
            role="person",
            why="Opened for review",
            now=now,
        )
        if not self.releases.transact([self.releases.beginning(request.submission_id, request.version), entry]):
            return False  # frozen just now
        start_release(workflow, release_arn, request.submission_id, request.version, version.kind)
        return True

    def prepare(self, request: ReleaseRequest, now: datetime) -> str:
        """Freeze the record of a version that was asked for, and return its SHA-256; doing it twice changes nothing.

        Raises:
            RejectedInputError: `release_unknown`, `release_not_allowed` or `release_file_missing`.
        """
        with _Noting(self, request, now, "PrepareRelease"):
            version = self.releases.version(request.submission_id, request.version)
            if version.record is not None:
                return version.record.digest
            self._check_state(self._submission(request), version)
            record = self._freeze(version, now)
            entry = self.releases.telling(
                Action.JOB_RUN,
                record.submission_id,
                record.version,
                who=WHO,
                role="platform",
                why="Frozen for signing",
                now=now,
                after=record.digest,
            )
            self.releases.transact([self.releases.freezing(record), entry])
            return self.releases.version(request.submission_id, request.version).frozen.digest

    def wait(self, request: AwaitingRequest, workflow: Any) -> None:
        """Keep the task token; where everybody has signed already, the workflow goes on at once."""
        self.releases.wait(request.submission_id, request.version, request.task_token)
        version = self.releases.version(request.submission_id, request.version)
        given = self.releases.signatures(request.submission_id, request.version)
        record = version.frozen
        if next_meaning(record, given, policy_named(record.policy)) is None:
            with suppress_codes({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}):
                workflow.send_task_success(
                    taskToken=request.task_token, output=json.dumps({"version": version.version})
                )

    def deliver(self, request: ReleaseRequest, now: datetime) -> dict[str, Any]:
        """Hand a version over, once everything about it was verified here; doing it twice changes nothing.

        Raises:
            RejectedInputError: `release_unsigned`, and what else speaks against it; the audit log says so too.
        """
        with _Noting(self, request, now):
            version = self.releases.version(request.submission_id, request.version)
            record, key = version.frozen, _granted(self.key).public_key()
            if record.policy != self.policy:
                raise RejectedInputError("release_policy_unknown", "the record was frozen under another policy")
            given = self.releases.signatures(request.submission_id, request.version)
            verify_release(record, given, key, policy_named(self.policy))
            if version.status is ReleaseStatus.DELIVERED:
                return {"version": record.version, "state": self._submission(request).state}
            self._check_state(self._submission(request), version)
            files = make_delivery(record, given, key, self._fetch(record))
            verify_delivery(files, key, policy_named(self.policy))
            self._store(record, files)
            return {"version": record.version, "state": self._record_released(record, given, now)}

    def note_failure(self, request: ReleaseRequest, failed: FailedStep, now: datetime) -> str:
        """Keep why a version could not be made ready, in the audit log and beside it; return the code of the cause."""
        step, caught = failed.step, failed.error
        recorded = self.submissions.failure(request.submission_id, step)  # jobs record it; functions say it
        given = GivenCause(recorded.code, recorded.message) if recorded else None
        found = explain_failure(step, caught.error, caught.cause, given)
        self._note(request, Cause(found.code, found.message, step), f"{step} refused: {found.code}", now)
        return found.code

    def note_refusal(
        self, request: ReleaseRequest, step: str | None, refused: RejectedInputError, now: datetime
    ) -> None:
        """Put a try that was refused into the audit log; with `step`, keep it beside a version that is not frozen."""
        cause = Cause(refused.code, refused.message, step) if step else None
        self._note(request, cause, f"refused: {refused.code}", now)

    def _note(self, request: ReleaseRequest, cause: Cause | None, why: str, now: datetime) -> None:
        asked = (request.submission_id, request.version)
        entry = self.releases.telling(Action.REFUSED, *asked, who=WHO, role="platform", why=why, now=now)
        if cause is None or not self.releases.transact([self.releases.stopping(*asked, cause), entry]):
            self.releases.refuse(*asked, who=WHO, role="platform", why=why, now=now)

    def _submission(self, request: ReleaseRequest) -> SubmissionRecord:
        found = self.submissions.get(request.submission_id)
        if found is None:
            raise RejectedInputError("submission_unknown", "there is no such submission")
        return found

    def _check_state(self, submission: SubmissionRecord, version: ReleaseVersion) -> None:
        if version.kind == "release":
            Consents(*self.releases.place).require(version.submission_id)
        state, wanted = submission.state, _state_of(version.kind, version.version)
        first = version.kind == "release" and version.version == 1
        if (first and state is not SubmissionState.IN_REVIEW) or wanted not in ALLOWED_MOVES[state]:
            raise RejectedInputError("release_not_allowed", f"the submission is {state} and cannot become {wanted}")

    def _freeze(self, version: ReleaseVersion, now: datetime) -> ReleaseRecord:
        earlier = [one for one in self.releases.versions(version.submission_id) if one.version < version.version]
        before = next((one for one in reversed(earlier) if one.status is ReleaseStatus.DELIVERED), None)
        return ReleaseRecord(
            submission_id=version.submission_id,
            version=version.version,
            kind="release",
            prepared=now.replace(microsecond=now.microsecond // 1000 * 1000),
            policy=self.policy,
            files=tuple(self._files(version.submission_id)),
            amends=before.version if before else None,
            previous=before.frozen.digest if before else None,
            reason=version.reason,
            asked_by=version.asked_by,
        )

    def _files(self, submission_id: str) -> Sequence[FrozenFile]:
        bucket, files, drafts = _granted(self.analysis), [], {}
        for artifact in _DELIVERED:
            key = artifact_key(submission_id, artifact)
            found = bucket.current(key)
            if found is None:
                raise RejectedInputError("release_file_missing", f"{key} is not there: run the step that makes it")
            body = bucket.read(key, limit_bytes=_FILE_LIMIT_BYTES, version_id=found.version_id)
            if len(body) > _FILE_LIMIT_BYTES:
                raise RejectedInputError(
                    "release_file_too_large", f"{key} is over {_FILE_LIMIT_BYTES >> 20} MiB: report fewer variants"
                )
            digest = hashlib.sha256(body).hexdigest()
            files.append(FrozenFile(name=artifact, version_id=found.version_id, sha256=digest, size_bytes=len(body)))
            drafts[str(artifact)] = body
        check_drafts_agree(drafts)
        return files

    def _fetch(self, record: ReleaseRecord) -> dict[str, bytes]:
        """Return the files of a record in the versions that were signed; `make_delivery` compares their SHA-256."""
        bucket = _granted(self.analysis)
        return {
            one.name: bucket.read(
                artifact_key(record.submission_id, Artifact(one.name)),
                limit_bytes=_FILE_LIMIT_BYTES,
                version_id=one.version_id,
            )
            for one in record.files
        }

    def _store(self, record: ReleaseRecord, files: Mapping[str, bytes]) -> None:
        """Write what is not there yet, the listing last."""
        bucket, prefix = _granted(self.delivery), release_prefix(record.submission_id, record.version)
        if bucket.exists(prefix + RELEASED):
            return
        for name, body in files.items():
            kind = _CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            bucket.write(prefix + name, body, content_type=kind)

    def _record_released(self, record: ReleaseRecord, given: Sequence[Signature], now: datetime) -> SubmissionState:
        state, last = _state_of(record.kind, record.version), given[-1].statement
        entry = self.releases.telling(
            Action.RELEASED,
            record.submission_id,
            record.version,
            who=last.sub,
            role=last.meaning,
            why=record.reason,
            now=now,
            before=record.previous,
            after=record.digest,
        )
        also = [self.releases.delivering(record), entry]
        found = self.submissions.get(record.submission_id)
        if found is not None and found.state is state:  # an amendment of an amendment
            self.releases.transact([*also, self.releases.unmoved(record.submission_id, found.version)])
            return state
        return self.submissions.move(
            record.submission_id, state, who=last.sub, why=record.reason, now=now, also=also
        ).state


@dataclass(frozen=True, slots=True)
class _Noting:
    """Notes what is refused within."""

    steps: ReleaseSteps
    request: ReleaseRequest
    now: datetime
    step: str | None = None

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Put a refusal into the audit log and let it go on."""
        if isinstance(error, RejectedInputError):
            self.steps.note_refusal(self.request, self.step, error, self.now)


def _state_of(kind: str, version: int) -> SubmissionState:
    if kind == "withdrawal":
        return SubmissionState.WITHDRAWN
    return SubmissionState.RELEASED if version == 1 else SubmissionState.AMENDED


def _granted(part: _T | None) -> _T:
    if part is None:
        raise RuntimeError("this step was not given that")
    return part
