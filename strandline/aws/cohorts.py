"""Cohorts in the submissions table: who is genotyped together, where that stands, and every change of it.

One item collection a cohort, partition key `pk` = `COHORT#{id}`:

| `sk` | holds |
| --- | --- |
| `STATE` | state, version of the state, attempt, cause of a failure |
| `REQUEST` | members with the keys of the steps that their files come from, relations, reference |
| `CHANGE#{version}` | who moved the state when, from what to what, and why; written in the transaction of the move |
| `FAILURE#{step}` | the cause that a step gave before it ended |
| `PARTFAILURE#{step}` | why a part of a step failed, as it was concluded |
| `STEP#{name}` | the key of the outputs that lie in the cohort's folder now |

The id is a digest of the request: the same members, made from the same, with the same pedigree, are one cohort.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from strandline.aws.audit_entries import STATE_CHANGED, digest_of, waiting_entry
from strandline.aws.submission_items import SubmissionItems, iso_time
from strandline.aws.submission_states import Cause
from strandline.causes import Conclusion, Verdict
from strandline.errors import RejectedInputError, TemporaryError
from strandline.landing.manifest import ReferenceName
from strandline.variants.joint_pedigree import Relation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_ID_DIGITS: Final = 24
_PLATFORM: Final = frozenset({"joint_genotype"})
_MOVE_ATTEMPTS: Final = 5


class CohortState(StrEnum):
    """Where a cohort stands. REFUSED: a member or the pedigree is wrong; FAILED: an operator looks."""

    REQUESTED = "REQUESTED"
    GENOTYPING = "GENOTYPING"
    GENOTYPED = "GENOTYPED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


STOPPED: Final = frozenset({CohortState.REFUSED, CohortState.FAILED})
_ALLOWED: Final[Mapping[CohortState, frozenset[CohortState]]] = {
    CohortState.REQUESTED: frozenset({CohortState.GENOTYPING, *STOPPED}),
    CohortState.GENOTYPING: frozenset({CohortState.GENOTYPED, *STOPPED}),
    CohortState.GENOTYPED: frozenset(),
    CohortState.REFUSED: frozenset({CohortState.REQUESTED}),
    CohortState.FAILED: frozenset({CohortState.REQUESTED}),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Member(_Frozen):
    """A submission, and by step the key of what is read of it."""

    submission_id: str
    keys: dict[str, str]


class CohortRequest(_Frozen):
    """Who is genotyped together. Of `relations` only those of members are kept.

    `different_regions` lets members differ in where they were analysed: what is outside of a member's is not tested.
    """

    reference: ReferenceName
    members: tuple[Member, ...]
    relations: tuple[Relation, ...] = ()
    different_regions: bool = False

    @property
    def cohort_id(self) -> str:
        """The name that the content gives: 24 hexadecimal digits."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()
        return hashlib.sha256(canonical).hexdigest()[:_ID_DIGITS]


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """Where one cohort stands. Times are ISO 8601 in UTC; `attempt` counts executions of the workflow from 1."""

    cohort_id: str
    state: CohortState
    version: int
    attempt: int
    created_at: str
    updated_at: str
    cause: Cause | None = None


class CohortsTable(SubmissionItems):
    """Reads and writes everything that is kept of cohorts."""

    def get(self, cohort_id: str) -> CohortRecord | None:
        """Return where a cohort stands, or None where it was never asked for."""
        item = self._item(cohort_id, "STATE")
        return _record(cohort_id, item) if item else None

    def request(self, cohort_id: str) -> CohortRequest:
        """Return who is genotyped together.

        Raises:
            RejectedInputError: `cohort_unknown`.
        """
        item = self._item(cohort_id, "REQUEST")
        if item is None:
            raise RejectedInputError("cohort_unknown", f"no cohort {cohort_id}: genotype its members again")
        return CohortRequest.model_validate_json(item["request"]["S"])

    def ask(self, request: CohortRequest, *, who: str, now: datetime) -> CohortRecord:
        """Keep a request; one that was asked before stays as it is, unless it was stopped: then it is a new attempt.

        Raises:
            TemporaryError: `state_contended`.
        """
        cohort_id = request.cohort_id
        before = self.get(cohort_id)
        if before is not None and before.state in STOPPED:
            return self.move(cohort_id, CohortState.REQUESTED, who=who, why="Asked for again", now=now)
        if before is None:
            stamp = {"S": iso_time(now)}
            state = {"state": {"S": CohortState.REQUESTED}, "version": {"N": "1"}, "attempt": {"N": "1"}}
            items: list[dict[str, Any]] = [
                {**_key(cohort_id, "STATE"), **state, "created_at": stamp, "updated_at": stamp},
                {**_key(cohort_id, "REQUEST"), "request": {"S": request.model_dump_json()}},
                _change(cohort_id, 1, None, CohortState.REQUESTED, who=who, why="Asked for", now=now),
            ]
            fresh = "attribute_not_exists(pk)"
            puts: list[Any] = [
                {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": fresh}} for item in items
            ]
            told = self._entry(cohort_id, None, CohortState.REQUESTED, 1, who=who, why="Asked for", now=now)
            self.transact([*puts, told])  # where another was first, the same request is kept
        record = self.get(cohort_id)
        if record is None:
            raise TemporaryError("state_contended", "the cohort was asked for and cannot be read: try again")
        return record

    def move(
        self, cohort_id: str, state: CohortState, *, who: str, why: str, now: datetime, cause: Cause | None = None
    ) -> CohortRecord:
        """Move a cohort to `state` and write the change beside it; moving to where it stands changes nothing.

        Raises:
            RejectedInputError: `cohort_unknown` or `move_not_allowed`.
            TemporaryError: `state_contended`.
        """
        for _ in range(_MOVE_ATTEMPTS):
            current = self.get(cohort_id)
            if current is None:
                raise RejectedInputError("cohort_unknown", f"no cohort {cohort_id}: genotype its members again")
            if current.state is state:
                return current
            if state not in _ALLOWED[current.state]:
                raise RejectedInputError(
                    "move_not_allowed", f"cohort {cohort_id} is {current.state}, not to be {state}"
                )
            version = current.version + 1
            change = _change(cohort_id, version, current.state, state, who=who, why=why, now=now)
            moved = self.transact(
                [
                    {"Update": self._update(current, state, now=now, cause=cause)},
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": change,
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    },
                    self._entry(cohort_id, current, state, version, who=who, why=why, now=now),
                ]
            )
            if moved and (record := self.get(cohort_id)):
                return record
        raise TemporaryError("state_contended", f"the state of cohort {cohort_id} changed under every try")

    def record_failure(self, cohort_id: str, cause: Cause) -> None:
        """Keep the cause that a step gives before it ends."""
        words = {"code": {"S": cause.code}, "message": {"S": cause.message}}
        self._client.put_item(TableName=self._table, Item={**_key(cohort_id, f"FAILURE#{cause.step}"), **words})

    def failure(self, cohort_id: str, step: str) -> Cause | None:
        """Return the cause that a step gave, or None where it ended without a word."""
        item = self._item(cohort_id, f"FAILURE#{step}")
        return Cause(item["code"]["S"], item["message"]["S"], step) if item else None

    def forget_failure(self, cohort_id: str, step: str) -> None:
        """Drop the cause of an earlier attempt, so that it is not taken for this one's."""
        self._client.delete_item(TableName=self._table, Key=_key(cohort_id, f"FAILURE#{step}"))

    def record_part_failure(self, cohort_id: str, step: str, conclusion: Conclusion) -> None:
        """Keep why a part of a step failed: the workflow is told only that one did. The last one stays."""
        words = {name: {"S": str(value)} for name, value in asdict(conclusion).items()}
        self._client.put_item(TableName=self._table, Item={**_key(cohort_id, f"PARTFAILURE#{step}"), **words})

    def part_failure(self, cohort_id: str, step: str) -> Conclusion | None:
        """Return why a part of a step failed, or None where none did."""
        item = self._item(cohort_id, f"PARTFAILURE#{step}")
        return Conclusion(Verdict(item["verdict"]["S"]), item["code"]["S"], item["message"]["S"]) if item else None

    def made(self, cohort_id: str, step: str) -> str | None:
        """Return the key of the outputs of a step that lie in the cohort's folder now."""
        item = self._item(cohort_id, f"STEP#{step}")
        return str(item["key"]["S"]) if item else None

    def keep_made(self, cohort_id: str, step: str, key: str) -> None:
        """Note that the outputs of `key` lie in the cohort's folder."""
        self._client.put_item(TableName=self._table, Item={**_key(cohort_id, f"STEP#{step}"), "key": {"S": key}})

    def forget_made(self, cohort_id: str, step: str) -> None:
        """Note that a step's outputs are about to be overwritten."""
        self._client.delete_item(TableName=self._table, Key=_key(cohort_id, f"STEP#{step}"))

    def _entry(
        self,
        cohort_id: str,
        before: CohortRecord | None,
        state: CohortState,
        version: int,
        *,
        who: str,
        why: str,
        now: datetime,
    ) -> "TransactWriteItemTypeDef":
        """Return the change's entry of the audit log: a change that has none does not happen."""
        is_platform = who in _PLATFORM
        return waiting_entry(
            self._table,
            STATE_CHANGED,
            f"cohort/{cohort_id}",
            who=who,
            role="platform" if is_platform else "person",
            why=why,
            now=now,
            turn=version,
            before=digest_of({"state": before.state, "version": before.version}) if before else None,
            after=digest_of({"state": state, "version": version}),
        )

    def _item(self, cohort_id: str, sort_key: str) -> dict[str, Any] | None:
        found = self._client.get_item(TableName=self._table, Key=_key(cohort_id, sort_key), ConsistentRead=True)
        return found.get("Item")

    def _update(self, current: CohortRecord, state: CohortState, *, now: datetime, cause: Cause | None) -> Any:
        again = state is CohortState.REQUESTED
        values: dict[str, Any] = {
            ":state": {"S": state},
            ":next": {"N": str(current.version + 1)},
            ":seen": {"N": str(current.version)},
            ":attempt": {"N": str(current.attempt + int(again))},
            ":now": {"S": iso_time(now)},
        }
        sets = "SET #s = :state, version = :next, attempt = :attempt, updated_at = :now"
        if cause:
            sets += ", cause_code = :code, cause_message = :message, cause_step = :step"
            values |= {":code": {"S": cause.code}, ":message": {"S": cause.message}, ":step": {"S": cause.step}}
        else:
            sets += " REMOVE cause_code, cause_message, cause_step"
        return {
            "TableName": self._table,
            "Key": _key(current.cohort_id, "STATE"),
            "UpdateExpression": sets,
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": values,
        }


def _key(cohort_id: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": f"COHORT#{cohort_id}"}, "sk": {"S": sort_key}}


def _change(
    cohort_id: str,
    version: int,
    before: CohortState | None,
    after: CohortState,
    *,
    who: str,
    why: str,
    now: datetime,
) -> dict[str, Any]:
    item = {
        **_key(cohort_id, f"CHANGE#{version:06d}"),
        "version": {"N": str(version)},
        "after": {"S": after},
        "who": {"S": who},
        "when": {"S": iso_time(now)},
        "why": {"S": why},
    }
    return item | ({"before": {"S": before}} if before else {})


def _record(cohort_id: str, item: Mapping[str, Any]) -> CohortRecord:
    cause = None
    if "cause_code" in item:
        cause = Cause(item["cause_code"]["S"], item["cause_message"]["S"], item["cause_step"]["S"])
    return CohortRecord(
        cohort_id=cohort_id,
        state=CohortState(item["state"]["S"]),
        version=int(item["version"]["N"]),
        attempt=int(item["attempt"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
        cause=cause,
    )
