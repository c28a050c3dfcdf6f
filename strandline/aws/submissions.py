"""The submissions table: what landed, where each submission stands, and every change of that.

One item collection a submission, partition key `pk` = `SUBMISSION#{id}`:

| `sk` | holds |
| --- | --- |
| `STATE` | state, version of the state, attempt, sample id, site, cause of a failure; on every index |
| `FILE#{name}` | object version, size and landing time of one file |
| `LATE#{name}#{object version}` | a file that came after the start: kept under lock, not analysed |
| `MANIFEST` | the manifest as it was when the submission started |
| `CHANGE#{version}` | who moved the state when, from what to what, and why; written in the transaction of the move |
| `FAILURE#{step}` | the cause that a step gave before it ended |
| `VERDICT#{name}` | what validation said of one file, findings in it |

`STATE` is found through sparse indexes, newest or oldest first: `by_state` (`STATE#{state}`, time of the last change),
`by_sample` (`SAMPLE#{sample id}`, time made), `by_site` (`SITE#{site}`, time made), `by_day` (`DAY#{date}`, time made).
What holds the same bytes is found under partition key `CONTENT#{fingerprint}`, sort key `SUBMISSION#{id}`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import ALLOWED_MOVES, FINAL_FOR_THE_WORKFLOW, MANIFEST_NAME, SubmissionState
from strandline.landing.manifest import Manifest, parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

_MOVE_ATTEMPTS = 5
_TRANSACTION_ATTEMPTS = 6
_CONFLICT_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One object version in the landing bucket. `size_bytes` is of the object as stored."""

    name: str
    version_id: str
    size_bytes: int


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


class SubmissionsTable:
    """Reads and writes the submissions table through a DynamoDB client."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    @property
    def place(self) -> "tuple[DynamoDBClient, str]":
        """The client and the name of the table, for what else is kept in it."""
        return self._client, self._table

    def register_file(self, submission_id: str, file: LandedFile, *, sequencer: str, now: datetime) -> bool:
        """Note that a file landed; False where the submission has started already and takes no more files.

        An event that comes twice changes nothing; of two versions of a file the one with the later `sequencer`
        (S3's order of events on one key) stays.
        """
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": {
                **_key(submission_id, f"FILE#{file.name}"),
                "version_id": {"S": file.version_id},
                "size_bytes": {"N": str(file.size_bytes)},
                "sequencer": {"S": sequencer},
                "landed_at": {"S": _iso(now)},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR sequencer < :s",
            "ExpressionAttributeValues": {":s": {"S": sequencer}},
        }
        return self._write_while_received(submission_id, {"Put": put}, now)

    def adopt_file(self, submission_id: str, file: LandedFile, *, instead_of: str | None, now: datetime) -> bool:
        """Note a file that no event told of, where the table still holds version `instead_of` of it (None: nothing).

        False where the submission has started. The next event on the file still counts as later than this.
        """
        condition = "attribute_not_exists(pk)" if instead_of is None else "version_id = :seen"
        values: dict[str, Any] = {
            ":v": {"S": file.version_id},
            ":n": {"N": str(file.size_bytes)},
            ":t": {"S": _iso(now)},
            ":before": {"S": ""},
        }
        update: UpdateTypeDef = {
            "TableName": self._table,
            "Key": _key(submission_id, f"FILE#{file.name}"),
            "UpdateExpression": "SET version_id = :v, size_bytes = :n, landed_at = :t, "
            "sequencer = if_not_exists(sequencer, :before)",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values if instead_of is None else values | {":seen": {"S": instead_of}},
        }
        return self._write_while_received(submission_id, {"Update": update}, now)

    def note_late_file(self, submission_id: str, file: LandedFile, now: datetime) -> bool:
        """Keep that a file came after the start; False where it is the version that the submission started with."""
        known = {landed.name: landed.version_id for landed in self.landed_files(submission_id)}
        if known.get(file.name) == file.version_id:
            return False
        self._client.put_item(
            TableName=self._table,
            Item={
                **_key(submission_id, f"LATE#{file.name}#{file.version_id}"),
                "size_bytes": {"N": str(file.size_bytes)},
                "landed_at": {"S": _iso(now)},
            },
        )
        return True

    def late_files(self, submission_id: str) -> list[LandedFile]:
        """Return the files that came after the start."""
        files = []
        for item in self._items(submission_id, "LATE#"):
            _, name, version_id = item["sk"]["S"].split("#", 2)
            files.append(LandedFile(name, version_id, int(item["size_bytes"]["N"])))
        return files

    def register_manifest(self, submission_id: str, manifest: Manifest, *, version_id: str) -> bool:
        """Keep the manifest with the submission; False where the submission has started already.

        False also where `version_id` is not the manifest that landed last: whoever registers that one goes on.
        """
        sample, site = manifest.sample.sample_id, manifest.sample.site
        sets = ["sample_id = :sample", "gsi2pk = :by_sample", "gsi2sk = created_at"]
        values: dict[str, Any] = {
            ":received": {"S": SubmissionState.RECEIVED},
            ":sample": {"S": sample},
            ":by_sample": {"S": f"SAMPLE#{sample}"},
        }
        if site:
            sets += ["site = :site", "gsi3pk = :by_site", "gsi3sk = created_at"]
            values |= {":site": {"S": site}, ":by_site": {"S": f"SITE#{site}"}}
        note_sample: UpdateTypeDef = {
            "TableName": self._table,
            "Key": _key(submission_id, "STATE"),
            "UpdateExpression": f"SET {', '.join(sets)}" + ("" if site else " REMOVE site, gsi3pk, gsi3sk"),
            "ConditionExpression": "#s = :received",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": values,
        }
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": {**_key(submission_id, "MANIFEST"), "body": {"S": manifest.to_json().decode()}},
        }
        content: PutTypeDef = {
            "TableName": self._table,
            "Item": {
                "pk": {"S": f"CONTENT#{manifest.content_fingerprint()}"},
                "sk": {"S": f"SUBMISSION#{submission_id}"},
            },
        }
        read_last: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": _key(submission_id, f"FILE#{MANIFEST_NAME}"),
                "ConditionExpression": "version_id = :version",
                "ExpressionAttributeValues": {":version": {"S": version_id}},
            }
        }
        return self._transact([read_last, {"Update": note_sample}, {"Put": put}, {"Put": content}])

    def with_same_content(self, manifest: Manifest) -> list[SubmissionRecord]:
        """Return the submissions whose manifests name the same bytes in the same roles, the oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"CONTENT#{manifest.content_fingerprint()}"}},
            ConsistentRead=True,
        )
        found = (self.get(item["sk"]["S"].removeprefix("SUBMISSION#")) for page in pages for item in page["Items"])
        return sorted((record for record in found if record), key=lambda r: (r.created_at, r.submission_id))

    def landed_files(self, submission_id: str) -> list[LandedFile]:
        """Return the files that landed so far, the manifest among them, read consistently."""
        return [
            LandedFile(item["sk"]["S"].removeprefix("FILE#"), item["version_id"]["S"], int(item["size_bytes"]["N"]))
            for item in self._items(submission_id, "FILE#")
        ]

    def last_landing(self, submission_id: str, *, since: str) -> datetime:
        """Return when the last file landed, at least `since` (ISO 8601)."""
        times = [item["landed_at"]["S"] for item in self._items(submission_id, "FILE#")]
        return datetime.fromisoformat(max([since, *times]))

    def manifest(self, submission_id: str) -> Manifest:
        """Return the registered manifest.

        Raises:
            RejectedInputError: `manifest_missing`.
        """
        response = self._client.get_item(
            TableName=self._table, Key=_key(submission_id, "MANIFEST"), ConsistentRead=True
        )
        if "Item" not in response:
            raise RejectedInputError("manifest_missing", f"submission {submission_id} has no readable manifest")
        return parse_manifest(response["Item"]["body"]["S"].encode())

    def get(self, submission_id: str) -> SubmissionRecord | None:
        """Return where the submission stands, or None where nothing of it landed."""
        response = self._client.get_item(TableName=self._table, Key=_key(submission_id, "STATE"), ConsistentRead=True)
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
            for item in self._items(submission_id, "CHANGE#")
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
    ) -> SubmissionRecord:
        """Move a submission to `state` and write the change beside it in one transaction.

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
            if self._transact(self._move_items(current, state, who=who, why=why, now=now, cause=cause)):
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
            if self._transact(items) and (moved := self.get(submission_id)):
                return moved
        raise TemporaryError("state_contended", f"the state of {submission_id} changed under every try")

    def record_verdict(self, submission_id: str, name: str, verdict: Mapping[str, Any]) -> None:
        """Keep what validation said of one file, instead of what an earlier attempt said. It holds no cell value."""
        item = {**_key(submission_id, f"VERDICT#{name}"), "verdict": {"S": json.dumps(verdict, sort_keys=True)}}
        self._client.put_item(TableName=self._table, Item=item)

    def verdicts(self, submission_id: str) -> list[dict[str, Any]]:
        """Return what validation said of each file that it looked at."""
        return [json.loads(item["verdict"]["S"]) for item in self._items(submission_id, "VERDICT#")]

    def record_failure(self, submission_id: str, cause: Cause) -> None:
        """Keep the cause that a step gives before it ends, for `conclude_failure` to read."""
        self._client.put_item(
            TableName=self._table,
            Item={
                **_key(submission_id, f"FAILURE#{cause.step}"),
                "code": {"S": cause.code},
                "message": {"S": cause.message},
            },
        )

    def failure(self, submission_id: str, step: str) -> Cause | None:
        """Return the cause that this step gave, or None where it ended without a word."""
        response = self._client.get_item(
            TableName=self._table, Key=_key(submission_id, f"FAILURE#{step}"), ConsistentRead=True
        )
        if "Item" not in response:
            return None
        return Cause(response["Item"]["code"]["S"], response["Item"]["message"]["S"], step)

    def forget_failure(self, submission_id: str, step: str) -> None:
        """Drop the cause of an earlier attempt, so that it is not taken for this one's."""
        self._client.delete_item(TableName=self._table, Key=_key(submission_id, f"FAILURE#{step}"))

    def _create(self, submission_id: str, now: datetime) -> None:
        state = SubmissionState.RECEIVED
        stamp = {"S": _iso(now)}
        first = {**_key(submission_id, "STATE"), "state": {"S": state}, "version": {"N": "1"}}
        index = {"gsi1pk": {"S": f"STATE#{state}"}, "gsi1sk": stamp}
        index |= {"gsi4pk": {"S": f"DAY#{now.date().isoformat()}"}, "gsi4sk": stamp}
        change = _change_item(submission_id, 1, None, state, who="register_object", why="First file landed.", now=now)
        self._transact(
            [
                {
                    "Put": {
                        "TableName": self._table,
                        "Item": {**first, **index, "created_at": stamp, "updated_at": stamp},
                        "ConditionExpression": "attribute_not_exists(pk)",
                    }
                },
                {"Put": {"TableName": self._table, "Item": change}},
            ]
        )

    def _write_while_received(self, submission_id: str, write: "TransactWriteItemTypeDef", now: datetime) -> bool:
        """Write where the submission has not started, and make it where it is not there; False where it has started."""
        guard: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": _key(submission_id, "STATE"),
                "ConditionExpression": "#s = :received",
                "ExpressionAttributeNames": {"#s": "state"},
                "ExpressionAttributeValues": {":received": {"S": SubmissionState.RECEIVED}},
            }
        }
        if self._transact([guard, write]):
            return True
        record = self.get(submission_id)
        if record is None:  # the first file: all others find the submission there
            self._create(submission_id, now)
        elif record.state is not SubmissionState.RECEIVED:
            return False
        # another may have made the submission since the first try: only what is refused now is refused for itself
        if self._transact([guard, write]):
            return True
        record = self.get(submission_id)
        return record is not None and record.state is SubmissionState.RECEIVED

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
            ":now": {"S": _iso(now)},
        }
        removes = "" if cause else " REMOVE cause_code, cause_message, cause_step"
        if cause:
            sets += ["cause_code = :code", "cause_message = :message", "cause_step = :step"]
            values |= {":code": {"S": cause.code}, ":message": {"S": cause.message}, ":step": {"S": cause.step}}
        return [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": _key(current.submission_id, "STATE"),
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
        ]

    def _transact(self, items: "Sequence[TransactWriteItemTypeDef]") -> bool:
        """Write all or nothing; False where a condition did not hold.

        A conflict with another transaction says nothing about the conditions, so the write is tried again.

        Raises:
            TemporaryError: `table_contended`, where others were in the way on every try.
        """
        for attempt in range(_TRANSACTION_ATTEMPTS):
            if attempt:
                time.sleep(_CONFLICT_PAUSE_S * attempt)
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
                if not reasons <= {"None", "ConditionalCheckFailed", "TransactionConflict"}:
                    raise
                if "ConditionalCheckFailed" in reasons:
                    return False
            else:
                return True
        raise TemporaryError("table_contended", "other writers of this submission were in the way on every try")

    def _items(self, submission_id: str, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": _key(submission_id, "")["pk"], ":s": {"S": prefix}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


def _key(submission_id: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": sort_key}}


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
        **_key(submission_id, f"CHANGE#{version:06d}"),
        "version": {"N": str(version)},
        "after": {"S": after},
        "who": {"S": who},
        "when": {"S": _iso(now)},
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


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
