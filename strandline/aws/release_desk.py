"""What a person does to a release: sign it, ask for an amendment, withdraw it.

Who does it is who the token says, and nobody else: the sign-in is of the last two minutes, with password and second
factor, and counts for one act. Sources: 21 CFR 11.100(b), 11.200(a)(1)-(3), 11.300(d).
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, Field

from strandline.aws.audit_trail import SigningKey
from strandline.aws.consents import Consents
from strandline.aws.releases import Releases, ReleaseStatus, ReleaseVersion
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.aws.tokens import UserPool
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState, release_execution
from strandline.trust.entries import Action
from strandline.trust.heads import name_key
from strandline.trust.people import Meaning, people
from strandline.trust.release import Kind, ReleaseRecord, check_reason, policy_named
from strandline.trust.signatures import Signature, Statement, check_signature, next_meaning, sign
from strandline.trust.tokens import Identity

_SIGNABLE: Final = frozenset({SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED})
_RELEASED: Final = _SIGNABLE - {SubmissionState.IN_REVIEW}
_ATTEMPTS: Final = 20
_NO_TASK: Final = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


class DeskRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What a person asks for; `record_sha256` and `meaning` with `sign`, `reason` with the others.

    `token` is an ID token of a sign-in just made.
    """

    act: Literal["sign", "amend", "withdraw"]
    token: str = Field(max_length=8_192, repr=False)
    submission_id: str = Field(max_length=64)
    version: int = Field(default=0, ge=0, lt=10_000)
    record_sha256: str = ""
    meaning: Meaning | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: `missing` is the next meaning that has to sign, None where nobody has."""

    submission_id: str
    version: int
    missing: Meaning | None

    def as_json(self) -> dict[str, Any]:
        """Return it as the function answers."""
        return {"submission_id": self.submission_id, "version": self.version, "missing": self.missing}


@dataclass(slots=True)
class _Caller:
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class ReleaseDesk:
    """`workflow` is a client of Step Functions, `release_arn` the state machine of releases."""

    releases: Releases
    submissions: SubmissionsTable
    pool: UserPool
    key: SigningKey
    workflow: Any
    release_arn: str
    policy: str
    sign_in_lasts: timedelta

    def act(self, request: DeskRequest, now: datetime) -> Answer:
        """Do what a person asks for; what is refused is in the audit log, and counts against the person.

        Raises:
            RejectedInputError: with a code that says why.
        """
        caller, now = _Caller(), now.replace(microsecond=now.microsecond // 1000 * 1000)
        try:
            caller.identity = self.pool.verify(request.token, "id", now)
            self._admit(caller.identity, now)
            match request.act:
                case "sign":
                    return self._sign(request, caller.identity, now)
                case "amend":
                    return self._amend(request, caller.identity, now)
                case "withdraw":
                    return self._withdraw(request, caller.identity, now)
        except RejectedInputError as refused:
            self._note_refusal(request, caller.identity, refused, now)
            raise

    def _admit(self, identity: Identity, now: datetime) -> None:
        if self.releases.locked_until(identity.sub) > now.isoformat(timespec="milliseconds"):
            raise RejectedInputError("signer_locked_out", "too many tries were refused: wait for 15 minutes")
        if now - identity.signed_in > self.sign_in_lasts:
            raise RejectedInputError(
                "sign_in_too_old", "password and code are given at the moment of signing: do it anew"
            )
        if not identity.printed_name:
            raise RejectedInputError("signer_without_name", "an administrator has to set the name of this user first")

    def _sign(self, request: DeskRequest, identity: Identity, now: datetime) -> Answer:
        submission = self._submission(request.submission_id, _SIGNABLE, now)
        version = self.releases.version(request.submission_id, request.version)
        record = version.frozen
        if version.status is not ReleaseStatus.PREPARED:
            raise RejectedInputError("release_is_done", f"version {version.version} has been delivered: amend it")
        if record.kind == "release":
            Consents(*self.releases.place).require(record.submission_id)
        if request.record_sha256 != record.digest:
            raise RejectedInputError(
                "signature_of_another_record", "what was shown is not what is to be signed: look anew"
            )
        given = self.releases.signatures(record.submission_id, record.version)
        wanted = next_meaning(record, given, policy_named(record.policy))
        if request.meaning is None or request.meaning != wanted:
            raise RejectedInputError("signature_order", f"the next signature here is that of the {wanted or 'nobody'}")
        signature = self._make(record, given, request.meaning, identity, now)
        self._keep([], signature, len(given), submission, now)
        return self._go_on(version, record, [*given, signature])

    def _amend(self, request: DeskRequest, identity: Identity, now: datetime) -> Answer:
        reason = check_reason(request.reason)
        _require(identity, "author")
        submission = self._submission(request.submission_id, _RELEASED, now)
        last = self.releases.versions(request.submission_id)[-1]
        if last.status is not ReleaseStatus.DELIVERED:
            raise RejectedInputError(
                "release_in_review", f"version {last.version} is still in review: sign or withdraw it"
            )
        number, before = last.version + 1, last.frozen.digest
        self._write(
            [
                self.releases.asking(request.submission_id, number, "release", who=identity.sub, why=reason, now=now),
                self.releases.using(identity.sign_in_id, now),
                self.releases.unmoved(request.submission_id, submission.version),
                self.releases.forgiving(identity.sub),
                self.releases.telling(
                    Action.AMENDED,
                    request.submission_id,
                    number,
                    who=identity.sub,
                    role="author",
                    why=reason,
                    now=now,
                    before=before,
                ),
            ]
        )
        start_release(self.workflow, self.release_arn, request.submission_id, number, "release")
        return Answer(request.submission_id, number, policy_named(self.policy).release[0])

    def _withdraw(self, request: DeskRequest, identity: Identity, now: datetime) -> Answer:
        reason = check_reason(request.reason)
        submission = self._submission(request.submission_id, _SIGNABLE, now)
        earlier = self.releases.versions(request.submission_id)
        if any(one.kind == "withdrawal" for one in earlier):
            raise RejectedInputError("release_withdrawn", "the release is being withdrawn already")
        record = self._withdrawal(request.submission_id, earlier, identity, reason, now)
        meaning = policy_named(record.policy).withdrawal[0]
        signature = self._make(record, [], meaning, identity, now)
        asking = self.releases.asking(
            record.submission_id, record.version, "withdrawal", who=identity.sub, why=reason, now=now
        )
        asking["Put"]["Item"] = dict(asking["Put"]["Item"]) | {
            "status": {"S": ReleaseStatus.PREPARED},
            "record": {"S": record.to_bytes().decode()},
        }
        entry = self.releases.telling(
            Action.WITHDRAWN,
            record.submission_id,
            record.version,
            who=identity.sub,
            role=meaning,
            why=reason,
            now=now,
            turn=1,  # after the signature
            before=record.previous,
            after=record.digest,
        )
        self._keep([asking, entry], signature, 0, submission, now)
        for one in earlier:
            if one.task_token and one.status is not ReleaseStatus.DELIVERED:
                self._answer("send_task_failure", one.task_token, error="Withdrawn", cause="The release was withdrawn.")
        start_release(self.workflow, self.release_arn, record.submission_id, record.version, "withdrawal")
        return Answer(
            record.submission_id, record.version, next_meaning(record, [signature], policy_named(record.policy))
        )

    def _withdrawal(
        self, submission_id: str, earlier: Sequence[ReleaseVersion], identity: Identity, reason: str, now: datetime
    ) -> ReleaseRecord:
        """Return the record of a withdrawal, which has no files; it takes the place of the last that was frozen."""
        if not earlier:
            raise RejectedInputError("release_not_prepared", "nothing waits for review yet: wait a moment")
        frozen = [one for one in earlier if one.record is not None]
        return ReleaseRecord(
            submission_id=submission_id,
            version=earlier[-1].version + 1,
            kind="withdrawal",
            prepared=now,
            policy=self.policy,
            files=(),
            amends=frozen[-1].version if frozen else None,
            previous=frozen[-1].frozen.digest if frozen else None,
            reason=reason,
            asked_by=identity.sub,
        )

    def _submission(self, submission_id: str, states: frozenset[SubmissionState], now: datetime) -> SubmissionRecord:
        found = self.submissions.get(submission_id)
        if found is None:
            raise RejectedInputError("submission_unknown", "there is no such submission")
        if found.state not in states:
            raise RejectedInputError(
                "release_not_allowed", f"the submission is {found.state}: nothing of it can be signed"
            )
        if datetime.fromisoformat(found.updated_at) > now:
            raise RejectedInputError(
                "clock_moved_back", "the submission was changed later than this clock says: set it"
            )
        return found

    def _make(
        self, record: ReleaseRecord, given: Sequence[Signature], meaning: Meaning, identity: Identity, now: datetime
    ) -> Signature:
        """Sign, and check the signature as whoever verifies it will."""
        _require(identity, meaning)
        public_key = self.key.public_key()
        statement = Statement(
            record_sha256=record.digest,
            submission_id=record.submission_id,
            version=record.version,
            sub=identity.sub,
            user_name=identity.user_name,
            printed_name=identity.printed_name,
            meaning=meaning,
            signed_at=now,
            sign_in=identity.sign_in_id,
            previous=given[-1].statement.digest if given else None,
            key_id=name_key(public_key),
        )
        _refuse_second(identity, given)
        signature = sign(statement, self.key.sign)
        check_signature(signature, record, given, policy_named(record.policy), public_key)
        return signature

    def _keep(
        self, also: Sequence[Any], signature: Signature, place: int, submission: SubmissionRecord, now: datetime
    ) -> None:
        said = signature.statement
        self._write(
            [
                *self.releases.signing(signature, place, now),
                self.releases.unmoved(said.submission_id, submission.version),
                self.releases.forgiving(said.sub),
                self.releases.telling(
                    Action.SIGNED,
                    said.submission_id,
                    said.version,
                    who=said.sub,
                    role=said.meaning,
                    why=f"Signed as {said.meaning}",
                    now=now,
                    before=said.previous,
                    after=said.digest,
                ),
                *also,
            ]
        )

    def _write(self, items: Sequence[Any]) -> None:
        refused = self.releases.find_refused(items)
        if not refused:
            return
        keys = [str(items[place].get("Put", {}).get("Item", {}).get("pk", {}).get("S", "")) for place in refused]
        if any(key.startswith("SIGN_IN#") for key in keys):
            raise RejectedInputError("sign_in_used", "this sign-in was used already: give password and a new code")
        raise RejectedInputError("release_moved_on", "somebody else was at this release just now: look at it again")

    def _go_on(self, version: ReleaseVersion, record: ReleaseRecord, given: Sequence[Signature]) -> Answer:
        missing = next_meaning(record, given, policy_named(record.policy))
        if missing is None and version.task_token:
            self._answer("send_task_success", version.task_token, output=json.dumps({"version": record.version}))
        return Answer(record.submission_id, record.version, missing)

    def _answer(self, operation: str, task_token: str, **told: str) -> None:
        with suppress_codes(_NO_TASK):
            getattr(self.workflow, operation)(taskToken=task_token, **told)

    def _note_refusal(
        self, request: DeskRequest, identity: Identity | None, refused: RejectedInputError, now: datetime
    ) -> None:
        who, role = (identity.sub, "person") if identity else ("unknown", "none")
        why = f"{request.act} refused: {refused.code}"
        self.releases.refuse(_plain(request.submission_id), request.version, who=who, role=role, why=why, now=now)
        if identity and refused.code != "signer_locked_out":
            self.releases.count_refusal(identity.sub, now)


def start_release(workflow: Any, release_arn: str, submission_id: str, version: int, kind: Kind) -> None:
    """Start the workflow of one version; where it runs, it goes on, and where it has failed, it begins anew.

    Raises:
        RejectedInputError: `release_tried_too_often`.
    """
    told = json.dumps({"submission_id": submission_id, "version": version, "kind": kind})
    for attempt in range(1, _ATTEMPTS + 1):  # a name whose execution has ended is not taken again
        with suppress_codes({"ExecutionAlreadyExists"}):
            name = release_execution(submission_id, version, attempt)
            workflow.start_execution(stateMachineArn=release_arn, name=name, input=told)
            return
    raise RejectedInputError(
        "release_tried_too_often", f"version {version} has failed {_ATTEMPTS} times: mend what its executions say"
    )


class suppress_codes(suppress):  # noqa: N801 - it reads as `contextlib.suppress`
    """Let errors of AWS with these codes pass."""

    def __init__(self, codes: "frozenset[str] | set[str]") -> None:
        super().__init__(ClientError)
        self._codes = codes

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Tell whether the error is one of them."""
        return isinstance(error, ClientError) and error.response["Error"]["Code"] in self._codes


def _require(identity: Identity, meaning: Meaning) -> None:
    if meaning not in people().meanings_of(identity.groups):
        raise RejectedInputError("signer_without_role", f"only members of the group {meaning} sign as {meaning}")


def _refuse_second(identity: Identity, given: Sequence[Signature]) -> None:
    if identity.sub in {one.statement.sub for one in given}:
        raise RejectedInputError("signature_same_person", "one person signs a version once: another one is needed")


def _plain(submission_id: str) -> str:
    """Return an id that may stand in the log, whatever was asked for."""
    return "".join(letter for letter in submission_id if letter.isascii() and (letter.isalnum() or letter == "-"))
