"""Legal holds: what was sent and what was released of a submission stays, whatever its days, until the hold is lifted.

A hold is item `HOLD` of the submission, with an entry in the audit log, and S3's legal hold on every version of every
object. Source: S3 user guide, "Object Lock legal hold"; it needs no end, and keeps from deletion in any mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from strandline.aws.audit_entries import digest_of, waiting_entry
from strandline.aws.objects import S3Objects
from strandline.aws.submission_items import SubmissionItems, iso_time, item_key
from strandline.errors import RejectedInputError
from strandline.trust.entries import Action
from strandline.trust.release import check_reason
from strandline.trust.retention import held_classes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: who placed it when, and why."""

    submission_id: str
    who: str
    when: str
    why: str


class Holds(SubmissionItems):
    """Legal holds on submissions; `buckets` are those of the held classes, by purpose."""

    def __init__(self, client: "DynamoDBClient", table: str, buckets: Mapping[str, S3Objects]) -> None:
        super().__init__(client, table)
        self._buckets = buckets

    def find(self, submission_id: str) -> Hold | None:
        """Return the hold on a submission, or None."""
        key = item_key(submission_id, "HOLD")
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return Hold(submission_id, item["who"]["S"], item["when"]["S"], item["why"]["S"]) if item else None

    def hold(self, submission_id: str, *, who: str, why: str, now: datetime) -> dict[str, int]:
        """Hold what there is of a submission, and return how many object versions of each class are held now.

        Again, it reaches what was released since. The record comes first: a run that is broken off is seen, and goes on
        when it is made again.

        Raises:
            RejectedInputError: `submission_unknown`, or what `check_reason` raises.
        """
        reason = check_reason(why)
        if not self.items(submission_id, "STATE"):
            raise RejectedInputError("submission_unknown", f"no submission {submission_id}")
        if self.find(submission_id) is None:
            said = {"who": who, "when": iso_time(now), "why": reason}
            item = item_key(submission_id, "HOLD") | {name: {"S": value} for name, value in said.items()}
            put: TransactWriteItemTypeDef = {
                "Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
            }
            self.transact([put, self._entry(submission_id, who=who, why=reason, now=now, after=digest_of(said))])
        return self._mark(submission_id, held=True)

    def lift(self, submission_id: str, *, who: str, why: str, now: datetime) -> dict[str, int]:
        """Let a submission go, and return how many object versions of each class are free of the hold.

        The record goes last, so that a run that is broken off still shows a hold.

        Raises:
            RejectedInputError: `hold_unknown`, or what `check_reason` raises.
        """
        reason, found = check_reason(why), self.find(submission_id)
        if found is None:
            raise RejectedInputError("hold_unknown", f"there is no hold on {submission_id}")
        freed = self._mark(submission_id, held=False)
        said = {"who": found.who, "when": found.when, "why": found.why}
        gone: TransactWriteItemTypeDef = {
            "Delete": {
                "TableName": self._table,
                "Key": item_key(submission_id, "HOLD"),
                "ConditionExpression": "attribute_exists(pk)",
            }
        }
        self.transact([gone, self._entry(submission_id, who=who, why=reason, now=now, before=digest_of(said))])
        return freed

    def _entry(
        self,
        submission_id: str,
        *,
        who: str,
        why: str,
        now: datetime,
        before: str | None = None,
        after: str | None = None,
    ) -> "TransactWriteItemTypeDef":
        return waiting_entry(
            self._table,
            Action.CONFIGURED,
            f"hold/{submission_id}",
            who=who,
            role="person",
            why=why,
            now=now,
            before=before,
            after=after,
        )

    def _mark(self, submission_id: str, *, held: bool) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name, record_class in held_classes().items():
            bucket = self._buckets[record_class.bucket]
            counts[name] = bucket.hold_versions(record_class.prefix_of(submission_id), held=held)
        return counts
