"""Releases in the submissions table: each version's record, who signed it, and what became of it.

In the item collection of the submission: `RELEASE#{version}` holds why there is the version, who asked for it, its
status, why it could not be made ready where it could not, the canonical record once it is frozen, and the task token of
the workflow that waits;
`SIGNED#{version}#{place}` holds one signature. Under partition key `SIGN_IN#{id}` stands that a sign-in was used, under
`SIGNER#{sub}` how often somebody was refused. Each change has an entry of the audit log in its transaction.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.submission_items import SubmissionItems, iso_time, item_key
from strandline.aws.submission_states import Cause
from strandline.errors import RejectedInputError
from strandline.trust.entries import Action
from strandline.trust.release import Kind, ReleaseRecord, parse_record
from strandline.trust.signatures import Signature, parse_signatures, signatures_to_bytes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

FREE_REFUSALS: Final = 5
LOCK: Final = timedelta(minutes=15)
_KEPT: Final = timedelta(days=1)
"""How long a used sign-in is remembered: longer than any token of it lasts."""


class ReleaseStatus(StrEnum):
    """Where one version stands."""

    ASKED = "ASKED"
    PREPARED = "PREPARED"
    DELIVERED = "DELIVERED"


@dataclass(frozen=True, slots=True)
class ReleaseVersion:
    """One version: `record` is None until it is frozen, `task_token` until the workflow waits.

    `stopped` says why it could not be made ready for review the last time that somebody opened it.
    """

    submission_id: str
    version: int
    kind: Kind
    status: ReleaseStatus
    reason: str
    asked_by: str
    asked_at: str
    record: ReleaseRecord | None
    task_token: str | None
    stopped: Cause | None = None

    @property
    def frozen(self) -> ReleaseRecord:
        """The record.

        Raises:
            RejectedInputError: `release_not_prepared`.
        """
        if self.record is None:
            raise RejectedInputError(
                "release_not_prepared",
                f"version {self.version} is not ready for review yet: see 'strandline release open'",
            )
        return self.record


class Releases(SubmissionItems):
    """Reads and writes releases. Whoever writes gives the entry of the audit log with it."""

    def versions(self, submission_id: str) -> list[ReleaseVersion]:
        """Return every version of a submission, the first first."""
        return [_version(submission_id, item) for item in self.items(submission_id, "RELEASE#")]

    def version(self, submission_id: str, number: int) -> ReleaseVersion:
        """Return one version.

        Raises:
            RejectedInputError: `release_unknown`.
        """
        found = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, f"RELEASE#{number:04d}"), ConsistentRead=True
        )
        if "Item" not in found:
            raise RejectedInputError("release_unknown", f"nobody asked for version {number} of {submission_id}")
        return _version(submission_id, found["Item"])

    def signatures(self, submission_id: str, number: int) -> list[Signature]:
        """Return the signatures of a version in order."""
        found = self.items(submission_id, f"SIGNED#{number:04d}#")
        return [one for item in found for one in parse_signatures(item["body"]["S"].encode())]

    def asking(
        self, submission_id: str, number: int, kind: Kind, *, who: str, why: str, now: datetime
    ) -> "TransactWriteItemTypeDef":
        """Return what makes a version that somebody asked for; refused where it is there."""
        item = {
            **item_key(submission_id, f"RELEASE#{number:04d}"),
            "kind": {"S": kind},
            "status": {"S": ReleaseStatus.ASKED},
            "reason": {"S": why},
            "asked_by": {"S": who},
            "asked_at": {"S": iso_time(now)},
        }
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}

    def asking_again(
        self, submission_id: str, number: int, kind: Kind, *, who: str, why: str, now: datetime
    ) -> "TransactWriteItemTypeDef":
        """Return what gives a version that nobody opened another reason; refused where it was frozen."""
        item = self.asking(submission_id, number, kind, who=who, why=why, now=now)
        item["Put"]["ConditionExpression"] = "#status = :asked AND attribute_not_exists(#record)"
        item["Put"]["ExpressionAttributeNames"] = {"#status": "status", "#record": "record"}
        item["Put"]["ExpressionAttributeValues"] = {":asked": {"S": ReleaseStatus.ASKED}}
        return item

    def beginning(self, submission_id: str, number: int) -> "TransactWriteItemTypeDef":
        """Return what forgets why a version could not be made ready, since somebody opens it anew."""
        return self._of_unfrozen(submission_id, number, "REMOVE stopped")

    def stopping(self, submission_id: str, number: int, cause: Cause) -> "TransactWriteItemTypeDef":
        """Return what keeps why a version could not be made ready; refused where it is frozen or not there."""
        told = {name: {"S": words} for name, words in asdict(cause).items()}
        change = self._of_unfrozen(submission_id, number, "SET stopped = :cause")
        change["Update"]["ExpressionAttributeValues"] = {":cause": {"M": told}}
        return change

    def _of_unfrozen(self, submission_id: str, number: int, change: str) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": item_key(submission_id, f"RELEASE#{number:04d}"),
                "UpdateExpression": change,
                "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#record)",
                "ExpressionAttributeNames": {"#record": "record"},
            }
        }

    def freezing(self, record: ReleaseRecord) -> "TransactWriteItemTypeDef":
        """Return what freezes a version's record; refused where that was done."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": item_key(record.submission_id, f"RELEASE#{record.version:04d}"),
                "UpdateExpression": "SET #status = :prepared, #record = :record REMOVE stopped",
                "ConditionExpression": "#status = :asked AND attribute_not_exists(#record)",
                "ExpressionAttributeNames": {"#status": "status", "#record": "record"},
                "ExpressionAttributeValues": {
                    ":prepared": {"S": ReleaseStatus.PREPARED},
                    ":asked": {"S": ReleaseStatus.ASKED},
                    ":record": {"S": record.to_bytes().decode()},
                },
            }
        }

    def signing(self, signature: Signature, place: int, now: datetime) -> "list[TransactWriteItemTypeDef]":
        """Return what keeps a signature, and its sign-in as used; refused where the place or the sign-in is taken."""
        said = signature.statement
        item = item_key(said.submission_id, f"SIGNED#{said.version:04d}#{place}")
        body = signatures_to_bytes([signature])
        return [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": item | {"body": {"S": body.decode()}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
            self.using(said.sign_in, now),
        ]

    def using(self, sign_in_id: str, now: datetime) -> "TransactWriteItemTypeDef":
        """Return what marks a sign-in as used; refused where it was."""
        item = {
            "pk": {"S": f"SIGN_IN#{sign_in_id}"},
            "sk": {"S": "USED"},
            "expires_at": {"N": str(int((now + _KEPT).timestamp()))},
        }
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}

    def unmoved(self, submission_id: str, version: int) -> "TransactWriteItemTypeDef":
        """Return what lets a transaction pass only where the submission's state is the one that was seen."""
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": item_key(submission_id, "STATE"),
                "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":seen": {"N": str(version)}},
            }
        }

    def delivering(self, record: ReleaseRecord) -> "TransactWriteItemTypeDef":
        """Return what marks a version as delivered; refused where it was."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": item_key(record.submission_id, f"RELEASE#{record.version:04d}"),
                "UpdateExpression": "SET #status = :delivered",
                "ConditionExpression": "#status = :prepared",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {
                    ":delivered": {"S": ReleaseStatus.DELIVERED},
                    ":prepared": {"S": ReleaseStatus.PREPARED},
                },
            }
        }

    def telling(
        self,
        what: Action,
        submission_id: str,
        number: int,
        *,
        who: str,
        role: str,
        why: str,
        now: datetime,
        turn: int = 0,
        before: str | None = None,
        after: str | None = None,
    ) -> "TransactWriteItemTypeDef":
        """Return an entry of the audit log about a version; of one moment the lower `turn` comes first."""
        return waiting_entry(
            self._table,
            what,
            f"release/{submission_id}/{number:04d}",
            who=who,
            role=role,
            why=why,
            now=now,
            turn=turn,
            before=before,
            after=after,
        )

    def refuse(self, submission_id: str, number: int, *, who: str, role: str, why: str, now: datetime) -> None:
        """Put a try that was refused into the audit log."""
        self.transact([self.telling(Action.REFUSED, submission_id, number, who=who, role=role, why=why, now=now)])

    def wait(self, submission_id: str, number: int, task_token: str) -> None:
        """Keep the token of the workflow that waits for signatures; a later one takes its place.

        Raises:
            RejectedInputError: `release_unknown`.
        """
        self.version(submission_id, number)
        self._client.update_item(
            TableName=self._table,
            Key=item_key(submission_id, f"RELEASE#{number:04d}"),
            UpdateExpression="SET task_token = :token",
            ExpressionAttributeValues={":token": {"S": task_token}},
        )

    def locked_until(self, sub: str) -> str:
        """Return until when a signer is refused unheard, as `iso_time` writes it; empty where they are not."""
        found = self._client.get_item(TableName=self._table, Key=_signer_key(sub), ConsistentRead=True)
        return str(found["Item"].get("locked_until", {}).get("S", "")) if "Item" in found else ""

    def count_refusal(self, sub: str, now: datetime) -> int:
        """Count a refusal of a signer, who is locked out at the fifth; return how many there are."""
        changed = self._client.update_item(
            TableName=self._table,
            Key=_signer_key(sub),
            UpdateExpression="ADD refusals :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        count = int(changed["Attributes"]["refusals"]["N"])
        if count >= FREE_REFUSALS:
            self._client.update_item(
                TableName=self._table,
                Key=_signer_key(sub),
                UpdateExpression="SET locked_until = :until, refusals = :none",
                ExpressionAttributeValues={":until": {"S": iso_time(now + LOCK)}, ":none": {"N": "0"}},
            )
        return count

    def forgiving(self, sub: str) -> "TransactWriteItemTypeDef":
        """Return what forgets a signer's refusals, for the transaction of a signature."""
        return {"Put": {"TableName": self._table, "Item": _signer_key(sub) | {"refusals": {"N": "0"}}}}


def _signer_key(sub: str) -> dict[str, Any]:
    return {"pk": {"S": f"SIGNER#{sub}"}, "sk": {"S": "REFUSALS"}}


def _version(submission_id: str, item: dict[str, Any]) -> ReleaseVersion:
    record = item.get("record", {}).get("S")
    stopped = item.get("stopped", {}).get("M")
    kind: Kind = "withdrawal" if item["kind"]["S"] == "withdrawal" else "release"
    return ReleaseVersion(
        submission_id,
        int(item["sk"]["S"].removeprefix("RELEASE#")),
        kind,
        ReleaseStatus(item["status"]["S"]),
        item["reason"]["S"],
        item["asked_by"]["S"],
        item["asked_at"]["S"],
        parse_record(record.encode()) if record else None,
        item.get("task_token", {}).get("S"),
        Cause(**{name: words["S"] for name, words in stopped.items()}) if stopped else None,
    )
