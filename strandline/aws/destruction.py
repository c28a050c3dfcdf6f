"""Destroying what was kept of a submission when its days and every hold are over: planned first, by two persons where
the class asks for it, told to the audit log before the first version is gone.

Item `DESTROY#{class}` of the submission holds who asked for it when and why, the digest of the plan, and how far it is.
S3 itself keeps what is locked: nothing here goes around Object Lock. Sources: ALCOA+ (enduring, available), GDPR
Article 17, 42 CFR 493.1105.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.objects import KeptVersion, S3Objects
from strandline.aws.submission_items import SubmissionItems, iso_time, item_key
from strandline.errors import RejectedInputError
from strandline.trust.entries import Action
from strandline.trust.release import check_reason
from strandline.trust.retention import RecordClass, record_classes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_ASKED: Final = "ASKED"
_BEGUN: Final = "BEGUN"
_DONE: Final = "DONE"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be destroyed: every version under the class's prefix, and what keeps it yet, in words."""

    submission_id: str
    record_class: str
    versions: Sequence[KeptVersion]
    kept_by: Sequence[str]

    @property
    def size_bytes(self) -> int:
        """All versions together."""
        return sum(one.size_bytes for one in self.versions)

    @property
    def digest(self) -> str:
        """SHA-256 over class, keys and versions: what is destroyed is what was shown."""
        lines = [
            self.submission_id,
            self.record_class,
            *sorted(f"{one.key}\t{one.version_id}" for one in self.versions),
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class Destruction(SubmissionItems):
    """Plans and destroys; `buckets` by the purposes that classes name."""

    def __init__(self, client: "DynamoDBClient", table: str, buckets: Mapping[str, S3Objects]) -> None:
        super().__init__(client, table)
        self._buckets = buckets

    def plan(self, submission_id: str, record_class: str, now: datetime) -> Plan:
        """Return what would be destroyed of a submission, and what keeps it. Nothing is changed.

        Raises:
            RejectedInputError: `submission_unknown` or `class_not_destroyed`.
        """
        described = _destroyable(record_class)
        if not self.items(submission_id, "STATE"):
            raise RejectedInputError("submission_unknown", f"no submission {submission_id}")
        versions = list(self._buckets[described.bucket].kept_versions(described.prefix_of(submission_id)))
        kept_by = ["a legal hold on the submission"] if self.items(submission_id, "HOLD") else []
        held = sum(one.is_held for one in versions)
        locked = [one.locked_until for one in versions if one.locked_until is not None and one.locked_until > now]
        kept_by += [f"a legal hold on {held} of its versions"] if held else []
        kept_by += [f"its days, until {max(locked):%Y-%m-%d %H:%M} UTC"] if locked else []
        return Plan(submission_id, record_class, versions, kept_by)

    def destroy(self, plan: Plan, *, digest: str, who: str, why: str, now: datetime) -> int | None:
        """Destroy what a plan shows; return how many versions are gone, None where a second person is waited for.

        What was begun goes on when it is asked for again, by whomever. Each step is in the audit log before it is done.

        Raises:
            RejectedInputError: `records_kept`, `plan_changed`, `second_person_missing`, `already_destroyed`, or what
                `check_reason` raises.
        """
        reason = check_reason(why)
        asked = self._asked(plan)
        state = asked.get("state", "")
        if state == _DONE and not plan.versions:
            raise RejectedInputError("already_destroyed", f"there is nothing left of {plan.record_class}")
        if plan.kept_by:
            raise RejectedInputError("records_kept", f"{plan.record_class} is kept by {'; '.join(plan.kept_by)}")
        if state != _BEGUN:
            if not plan.versions:
                raise RejectedInputError("nothing_to_destroy", f"there is nothing of {plan.record_class}")
            if digest != plan.digest:
                raise RejectedInputError("plan_changed", "there is something else now than was shown: use --dry-run")
            if _destroyable(plan.record_class).two_persons and not self._second(plan, asked, who, reason, now):
                return None
            self._write(plan, _BEGUN, asked.get("who", who), reason, now, self._entry(plan, who, reason, now))
        bucket = self._buckets[_destroyable(plan.record_class).bucket]
        begun = datetime.fromisoformat(self._asked(plan)["when"])
        gone = [one for one in plan.versions if one.modified <= begun]  # not what came since
        for one in gone:
            bucket.delete_version(one.key, one.version_id)
        self._write(plan, _DONE, asked.get("who", who), reason, now)
        return len(gone)

    def _second(self, plan: Plan, asked: Mapping[str, str], who: str, why: str, now: datetime) -> bool:
        """Return whether another person asked for the same before; note that this one does, where nobody did."""
        if asked.get("state") == _ASKED and asked["digest"] == plan.digest:
            if asked["who"] == who:
                raise RejectedInputError(
                    "second_person_missing", "another person than the one who asked has to confirm"
                )
            return True
        told = waiting_entry(
            self._table,
            Action.CONFIGURED,
            f"destruction/{plan.submission_id}/{plan.record_class}",
            who=who,
            role="person",
            why=f"Asked to destroy: {why}",
            now=now,
            before=plan.digest,
        )
        self._write(plan, _ASKED, who, why, now, told)
        return False

    def _entry(self, plan: Plan, who: str, why: str, now: datetime) -> "TransactWriteItemTypeDef":
        return waiting_entry(
            self._table,
            Action.DESTROYED,
            f"destruction/{plan.submission_id}/{plan.record_class}",
            who=who,
            role="person",
            why=why,
            now=now,
            turn=1,  # after what was asked for
            before=plan.digest,
        )

    def _write(
        self,
        plan: Plan,
        state: str,
        who: str,
        why: str,
        now: datetime,
        *told: "TransactWriteItemTypeDef",
    ) -> None:
        said = {"state": state, "digest": plan.digest, "who": who, "why": why, "when": iso_time(now)}
        item = item_key(plan.submission_id, f"DESTROY#{plan.record_class}")
        put: TransactWriteItemTypeDef = {
            "Put": {"TableName": self._table, "Item": item | {name: {"S": value} for name, value in said.items()}}
        }
        unheld: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": item_key(plan.submission_id, "HOLD"),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        if not self.transact([put, unheld, *told]):
            raise RejectedInputError("records_kept", f"{plan.record_class} came under a legal hold just now")

    def _asked(self, plan: Plan) -> dict[str, str]:
        found = self.items(plan.submission_id, f"DESTROY#{plan.record_class}")
        return {name: str(value["S"]) for name, value in found[0].items()} if found else {}


def _destroyable(name: str) -> RecordClass:
    found = record_classes().get(name)
    if found is None or not found.destroyed_by_command:
        known = [one for one, described in record_classes().items() if described.destroyed_by_command]
        raise RejectedInputError("class_not_destroyed", f"of these classes records are destroyed: {', '.join(known)}")
    return found
