"""Where each submission stands, every change of that, and the causes that steps gave for failing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from strandline.aws.audit_entries import STATE_CHANGED, digest_of, waiting_entry
from strandline.aws.submission_items import SubmissionItems, iso_time, item_key
from strandline.causes import Conclusion, Verdict
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import ALLOWED_MOVES, FINAL_FOR_THE_WORKFLOW, SubmissionState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_MOVE_ATTEMPTS = 5
_PLATFORM = frozenset({"register_object", "sample_to_release", "expire_submissions", "sweep_landing"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something ended: a stable code, words for a person, and the step where it happened."""

    code: str
    message: str
    step: str


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """Where one submission stands. Times are ISO 8601 in UTC; `version` counts state changes from 1.

    `attempt` counts executions of the workflow from 1; `accepted_codes` are findings that a named person let pass.
    """

    submission_id: str
    state: SubmissionState
    version: int
    created_at: str
    updated_at: str
    sample_id: str | None = None
    site: str | None = None
    attempt: int = 1
    accepted_codes: frozenset[str] = frozenset()
    cause: Cause | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the workflow is done with it."""
        return self.state in FINAL_FOR_THE_WORKFLOW


@dataclass(frozen=True, slots=True)
class StateChange:
    """One move: `before` is None for the first."""

    version: int
    before: SubmissionState | None
    after: SubmissionState
    who: str
    when: str
    why: str


class SubmissionStates(SubmissionItems):
    """The states of submissions, found by submission and by index."""

    def get(self, submission_id: str) -> SubmissionRecord | None:
        """Return where the submission stands, or None where nothing of it landed."""
        response = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, "STATE"), ConsistentRead=True
        )
        return _record(response["Item"]) if "Item" in response else None

    def list_by_state(self, state: SubmissionState) -> list[SubmissionRecord]:
        """Return the submissions in one state, longest unchanged first."""
        return self._list("by_state", "gsi1pk", f"STATE#{state}")

    def list_by_sample(self, sample_id: str) -> list[SubmissionRecord]:
        """Return the submissions of one sample id, the oldest first."""
        return self._list("by_sample", "gsi2pk", f"SAMPLE#{sample_id}")

    def list_by_site(self, site: str) -> list[SubmissionRecord]:
        """Return the submissions of one site, the oldest first."""
        return self._list("by_site", "gsi3pk", f"SITE#{site}")

    def list_by_day(self, day: date) -> list[SubmissionRecord]:
        """Return the submissions whose first file landed on one day (UTC), the oldest first."""
        return self._list("by_day", "gsi4pk", f"DAY#{day.isoformat()}")

    def list_all(self) -> list[SubmissionRecord]:
        """Return all submissions, the last changed first."""
        records = [record for state in SubmissionState for record in self.list_by_state(state)]
        return sorted(records, key=lambda record: record.updated_at, reverse=True)

    def _list(self, index: str, key: str, value: str) -> list[SubmissionRecord]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=f"{key} = :p",
            ExpressionAttributeValues={":p": {"S": value}},
        )
        return [_record(item) for page in pages for item in page["Items"]]

    def changes(self, submission_id: str) -> list[StateChange]:
        """Return every state change of the submission in order."""
        return [
            StateChange(
                version=int(item["version"]["N"]),
                before=SubmissionState(item["before"]["S"]) if "before" in item else None,
                after=SubmissionState(item["after"]["S"]),
                who=item["who"]["S"],
                when=item["when"]["S"],
                why=item["why"]["S"],
            )
            for item in self.items(submission_id, "CHANGE#")
        ]

    def move(
        self,
        submission_id: str,
        state: SubmissionState,
        *,
        who: str,
        why: str,
        now: datetime,
        cause: Cause | None = None,
        also: "Sequence[TransactWriteItemTypeDef]" = (),
    ) -> SubmissionRecord:
        """Move a submission to `state` and write the change beside it, and what `also` says, in one transaction.

        Moving to where it stands already changes nothing, so that a step may run twice; a failure for another cause
        than the one before is a change.

        Raises:
            RejectedInputError: `submission_unknown` or `move_not_allowed`.
            TemporaryError: `state_contended`, when other writers won every race.
        """
        for _ in range(_MOVE_ATTEMPTS):
            current = self.get(submission_id)
            if current is None:
                raise RejectedInputError("submission_unknown", f"no submission {submission_id}")
            failed_anew = state is SubmissionState.FAILED and cause is not None and cause != current.cause
            if current.state is state and not failed_anew:
                return current
            if current.state is not state and state not in ALLOWED_MOVES[current.state]:
                raise RejectedInputError(
                    "move_not_allowed", f"submission {submission_id} is {current.state} and cannot become {state}"
                )
            items = self._move_items(current, state, who=who, why=why, now=now, cause=cause)
            if self.transact([*items, *also]):
                moved = self.get(submission_id)
                if moved is not None:
                    return moved
        raise TemporaryError("state_contended", f"the state of {submission_id} changed under every try")

    def reopen(
        self, submission_id: str, *, who: str, why: str, now: datetime, accept: Sequence[str] = ()
    ) -> SubmissionRecord:
        """Let a stopped submission be tried again as the next attempt; one that is being tried again is left so.

        Args:
            submission_id: a submission in QUARANTINED or FAILED.
            who: the person who decides.
            why: the reason that is kept.
            now: when.
            accept: codes of findings that this person lets pass.

        Raises:
            RejectedInputError: `submission_unknown` or `move_not_allowed`.
            TemporaryError: `state_contended`.
        """
        for _ in range(_MOVE_ATTEMPTS):
            current = self.get(submission_id)
            if current is None:
                raise RejectedInputError("submission_unknown", f"no submission {submission_id}")
            if current.state is SubmissionState.VALIDATING and current.attempt > 1:
                return current
            if current.state not in {SubmissionState.QUARANTINED, SubmissionState.FAILED}:
                raise RejectedInputError(
                    "move_not_allowed", f"submission {submission_id} is {current.state}: it was not stopped"
                )
            items = self._move_items(current, SubmissionState.VALIDATING, who=who, why=why, now=now, cause=None)
            update = items[0]["Update"]
            update["UpdateExpression"] = str(update["UpdateExpression"]).replace(
                "SET ", "SET attempt = :attempt, accepted_codes = :accepted, ", 1
            )
            accepted = sorted({*current.accepted_codes, *accept})
            update["ExpressionAttributeValues"] = {
                **update["ExpressionAttributeValues"],
                ":attempt": {"N": str(current.attempt + 1)},
                ":accepted": {"L": [{"S": code} for code in accepted]},
            }
            if self.transact(items) and (moved := self.get(submission_id)):
                return moved
        raise TemporaryError("state_contended", f"the state of {submission_id} changed under every try")

    def record_failure(self, submission_id: str, cause: Cause) -> None:
        """Keep the cause that a step gives before it ends, for `conclude_failure` to read."""
        self._client.put_item(
            TableName=self._table,
            Item={
                **item_key(submission_id, f"FAILURE#{cause.step}"),
                "code": {"S": cause.code},
                "message": {"S": cause.message},
            },
        )

    def failure(self, submission_id: str, step: str) -> Cause | None:
        """Return the cause that this step gave, or None where it ended without a word."""
        response = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, f"FAILURE#{step}"), ConsistentRead=True
        )
        if "Item" not in response:
            return None
        return Cause(response["Item"]["code"]["S"], response["Item"]["message"]["S"], step)

    def record_part_failure(self, submission_id: str, step: str, conclusion: Conclusion) -> None:
        """Keep why a part of a step failed: the workflow is told only that one did. The last one stays."""
        words = {name: {"S": str(value)} for name, value in asdict(conclusion).items()}
        self._client.put_item(TableName=self._table, Item={**item_key(submission_id, f"PARTFAILURE#{step}"), **words})

    def part_failure(self, submission_id: str, step: str) -> Conclusion | None:
        """Return why a part of a step failed, or None where none did."""
        response = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, f"PARTFAILURE#{step}"), ConsistentRead=True
        )
        if "Item" not in response:
            return None
        item = response["Item"]
        return Conclusion(Verdict(item["verdict"]["S"]), item["code"]["S"], item["message"]["S"])

    def forget_failure(self, submission_id: str, step: str) -> None:
        """Drop the cause of an earlier attempt, so that it is not taken for this one's."""
        self._client.delete_item(TableName=self._table, Key=item_key(submission_id, f"FAILURE#{step}"))

    def creation(self, submission_id: str, now: datetime) -> "list[TransactWriteItemTypeDef]":
        """Return what makes a submission whose first file landed at `now`; refused where it is there already."""
        state = SubmissionState.RECEIVED
        stamp = {"S": iso_time(now)}
        first = {**item_key(submission_id, "STATE"), "state": {"S": state}, "version": {"N": "1"}}
        index = {"gsi1pk": {"S": f"STATE#{state}"}, "gsi1sk": stamp}
        index |= {"gsi4pk": {"S": f"DAY#{now.date().isoformat()}"}, "gsi4sk": stamp}
        why = "First file landed."
        change = _change_item(submission_id, 1, None, state, who="register_object", why=why, now=now)
        return [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": {**first, **index, "created_at": stamp, "updated_at": stamp},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
            {"Put": {"TableName": self._table, "Item": change}},
            self._audit(submission_id, None, state, 1, who="register_object", why=why, now=now),
        ]

    def _audit(
        self,
        submission_id: str,
        before: SubmissionState | None,
        after: SubmissionState,
        version: int,
        *,
        who: str,
        why: str,
        now: datetime,
    ) -> "TransactWriteItemTypeDef":
        return waiting_entry(
            self._table,
            STATE_CHANGED,
            f"submission/{submission_id}",
            who=who,
            role="platform" if who in _PLATFORM else "person",
            why=why,
            now=now,
            turn=version,
            before=digest_of({"state": before, "version": version - 1}) if before else None,
            after=digest_of({"state": after, "version": version}),
        )

    def _move_items(
        self,
        current: SubmissionRecord,
        state: SubmissionState,
        *,
        who: str,
        why: str,
        now: datetime,
        cause: Cause | None,
    ) -> "list[TransactWriteItemTypeDef]":
        version = current.version + 1
        sets = ["#s = :state", "version = :next", "gsi1pk = :index", "gsi1sk = :now", "updated_at = :now"]
        values: dict[str, Any] = {
            ":state": {"S": state},
            ":next": {"N": str(version)},
            ":seen": {"N": str(current.version)},
            ":index": {"S": f"STATE#{state}"},
            ":now": {"S": iso_time(now)},
        }
        removes = "" if cause else " REMOVE cause_code, cause_message, cause_step"
        if cause:
            sets += ["cause_code = :code", "cause_message = :message", "cause_step = :step"]
            values |= {":code": {"S": cause.code}, ":message": {"S": cause.message}, ":step": {"S": cause.step}}
        return [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": item_key(current.submission_id, "STATE"),
                    "UpdateExpression": f"SET {', '.join(sets)}{removes}",
                    "ConditionExpression": "version = :seen",
                    "ExpressionAttributeNames": {"#s": "state"},
                    "ExpressionAttributeValues": values,
                }
            },
            {
                "Put": {
                    "TableName": self._table,
                    "Item": _change_item(
                        current.submission_id, version, current.state, state, who=who, why=why, now=now
                    ),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
            self._audit(current.submission_id, current.state, state, version, who=who, why=why, now=now),
        ]


def _change_item(
    submission_id: str,
    version: int,
    before: SubmissionState | None,
    after: SubmissionState,
    *,
    who: str,
    why: str,
    now: datetime,
) -> dict[str, Any]:
    item = {
        **item_key(submission_id, f"CHANGE#{version:06d}"),
        "version": {"N": str(version)},
        "after": {"S": after},
        "who": {"S": who},
        "when": {"S": iso_time(now)},
        "why": {"S": why},
    }
    return item | ({"before": {"S": before}} if before else {})


def _record(item: dict[str, Any]) -> SubmissionRecord:
    cause = None
    if "cause_code" in item:
        cause = Cause(item["cause_code"]["S"], item["cause_message"]["S"], item["cause_step"]["S"])
    return SubmissionRecord(
        submission_id=item["pk"]["S"].removeprefix("SUBMISSION#"),
        state=SubmissionState(item["state"]["S"]),
        version=int(item["version"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
        sample_id=item.get("sample_id", {}).get("S"),
        site=item.get("site", {}).get("S"),
        attempt=int(item.get("attempt", {}).get("N", "1")),
        accepted_codes=frozenset(code["S"] for code in item.get("accepted_codes", {}).get("L", [])),
        cause=cause,
    )
