"""The audit log of a stage: what waits gets its place, is stored under lock, and is signed; and the way out of it.

In the log's table, under partition key `AUDIT`: `LOG` holds the size, the tree's frontier, the last time, and the keys
of the queue whose entries got the last places; `CHUNK#{first}` the key of the object with the entries from `first` on.
In the bucket: `entries/` and `heads/`. One transaction gives entries their places: it names their chunk and moves `LOG`
on from the size before; of two who seal at once one is refused. Then their items leave the queue. Whoever seals next
takes out first what `LOG` names, so that a function that was ended in between leaves nothing lost and nothing in the
log twice. An object that was written for a transaction that failed is named by nothing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.aws.audit_entries import WAITING, digest_of, read_told, time_of
from strandline.aws.objects import S3Objects
from strandline.aws.submission_items import SubmissionItems
from strandline.errors import RejectedInputError, TemporaryError
from strandline.trust.entries import Action
from strandline.trust.heads import SignedHead, parse_head
from strandline.trust.log import AuditLog
from strandline.trust.merkle import HASH_BYTES, Frontier

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_LOG: Final = {"pk": {"S": "AUDIT"}, "sk": {"S": "LOG"}}
_MOST_AT_ONCE: Final = 500
"""Items of the queue that go into one chunk. A page of a query ends before it at 1 MB."""
_MOST_DELETED: Final = 25
_DELETE_ATTEMPTS: Final = 6
_DELETE_PAUSE_S: Final = 0.1
_CHUNK_LIMIT_BYTES: Final = 1 << 22
_HEAD_LIMIT_BYTES: Final = 1 << 14
_ALGORITHM: Final = "ECDSA_SHA_256"


@dataclass(frozen=True, slots=True)
class _LogState:
    size: int
    frontier: bytes
    last_logged: str
    signed_size: int
    placed: tuple[str, ...]
    """Sort keys of the queue that got the last places; they may still be in the queue."""

    def grow(self) -> Frontier:
        hashes = [self.frontier[at : at + HASH_BYTES] for at in range(0, len(self.frontier), HASH_BYTES)]
        return Frontier(self.size, hashes)


class SigningKey:
    """A KMS key of `ECC_NIST_P256`."""

    def __init__(self, client: Any, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def sign(self, message: bytes) -> bytes:
        """Sign as `trust.heads.Sign` says."""
        answer = self._client.sign(KeyId=self._key_id, Message=message, MessageType="RAW", SigningAlgorithm=_ALGORITHM)
        return bytes(answer["Signature"])

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public part."""
        der = self._client.get_public_key(KeyId=self._key_id)["PublicKey"]
        key = serialization.load_der_public_key(der)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TypeError("the audit log's key is not one of elliptic curves")
        return key


class AuditTrail(SubmissionItems):
    """Reads and grows one stage's log; entries wait in the table `queue`, the log's own is `table`."""

    def __init__(self, client: "DynamoDBClient", queue: str, table: str, bucket: S3Objects, name: str) -> None:
        super().__init__(client, table)
        self._queue = queue
        self._bucket = bucket
        self._name = name

    def seal(self, key: SigningKey, now: datetime) -> int:
        """Give every waiting entry its place and sign a head over them; return how many there were."""
        sealed, more = 0, True
        state = self._settled_state()
        while more:
            waiting, more = self._waiting()
            if not waiting:
                break
            placed = self._append(state, waiting, now)
            if not placed:
                return sealed  # another is at it, and signs
            sealed += placed
            state = self._settled_state()
        self._sign(state, key, now)
        return sealed

    def entries(self) -> Iterator[bytes]:
        """Yield the bytes of every entry in order."""
        for item in self._items_of("CHUNK#"):
            body = self._bucket.read(item["key"]["S"], limit_bytes=_CHUNK_LIMIT_BYTES)
            yield from body.splitlines()

    def heads(self) -> Iterator[SignedHead]:
        """Yield every signed head in the order of signing."""
        for found in self._bucket.list_current("heads/"):
            yield parse_head(self._bucket.read(found.key, limit_bytes=_HEAD_LIMIT_BYTES))

    def waiting_count(self) -> int:
        """Return how many items of one or more entries have no place yet."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._queue,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def oldest_waits_s(self, now: datetime) -> float:
        """Return for how many seconds the entry that waits longest has waited, by its own clock; 0 where none waits."""
        found = self._client.query(
            TableName=self._queue,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
            ConsistentRead=True,
            Limit=1,
        )["Items"]
        since = time_of(found[0]) if found else None
        return max(0.0, (now - since).total_seconds()) if since else 0.0

    def _append(self, state: _LogState, waiting: list[dict[str, Any]], now: datetime) -> int:
        """Give what waits the places after `state`; return how many entries there are now more, 0 where refused."""
        lines: list[bytes] = []
        log = AuditLog(
            self._name, lines.append, frontier=state.grow(), last_logged=state.last_logged, clock=lambda: now
        )
        for item in waiting:
            _append_item(log, item)
        root = log.frontier.root().hex()
        object_key = f"entries/{state.size:015d}-{root[:16]}.ndjson"
        self._bucket.write(object_key, b"".join(line + b"\n" for line in lines), content_type="application/x-ndjson")
        chunk = {"pk": {"S": "AUDIT"}, "sk": {"S": f"CHUNK#{state.size:015d}"}, "key": {"S": object_key}}
        put: TransactWriteItemTypeDef = {
            "Put": {"TableName": self._table, "Item": chunk, "ConditionExpression": "attribute_not_exists(pk)"}
        }
        placed = [str(item["sk"]["S"]) for item in waiting]
        return len(lines) if self.transact([self._move_on(state, log, placed), put]) else 0

    def _take_out(self, placed: Sequence[str]) -> None:
        """Take what has its place out of the queue; what is gone already stays gone.

        Raises:
            TemporaryError: `audit_queue_busy`.
        """
        for at in range(0, len(placed), _MOST_DELETED):
            left: Any = {
                self._queue: [
                    {"DeleteRequest": {"Key": {"pk": {"S": WAITING}, "sk": {"S": key}}}}
                    for key in placed[at : at + _MOST_DELETED]
                ]
            }
            for attempt in range(_DELETE_ATTEMPTS):
                time.sleep(_DELETE_PAUSE_S * attempt)
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
                if not left:
                    break
            else:
                raise TemporaryError("audit_queue_busy", "what has its place could not be taken out of the queue")

    def _move_on(self, state: _LogState, log: AuditLog, placed: Sequence[str]) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            **_LOG,
            "size": {"N": str(log.size)},
            "frontier": {"B": b"".join(log.frontier.hashes)},
            "last_logged": {"S": log.last_logged},
            "signed_size": {"N": str(state.signed_size)},
            "placed": {"S": "\n".join(placed)},
        }
        if not state.size:
            is_new = "attribute_not_exists(pk)"
            return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": is_new}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "#size = :seen",
                "ExpressionAttributeNames": {"#size": "size"},
                "ExpressionAttributeValues": {":seen": {"N": str(state.size)}},
            }
        }

    def _sign(self, state: _LogState, key: SigningKey, now: datetime) -> None:
        """Sign what the log was at `state`, whose items have left the queue, unless that was signed already."""
        if state.size == state.signed_size:
            return
        log = AuditLog(
            self._name, lambda _: None, frontier=state.grow(), last_logged=state.last_logged, clock=lambda: now
        )
        signed = log.sign_head(key.public_key(), key.sign)
        self._bucket.write(f"heads/{signed.head.size:015d}.json", signed.to_json(), content_type="application/json")
        signing: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": _LOG,
                "UpdateExpression": "SET signed_size = :signed, placed = :none",
                "ConditionExpression": "#size = :signed",  # where it grew, `placed` names what may still wait
                "ExpressionAttributeNames": {"#size": "size"},
                "ExpressionAttributeValues": {":signed": {"N": str(signed.head.size)}, ":none": {"S": ""}},
            }
        }
        self.transact([signing])

    def _settled_state(self) -> _LogState:
        """Return where the log stands, once all that has its place has left the queue."""
        state = self._state()
        self._take_out(state.placed)
        return state

    def _state(self) -> _LogState:
        item = self._client.get_item(TableName=self._table, Key=_LOG, ConsistentRead=True).get("Item")
        if item is None:
            return _LogState(0, b"", "", 0, ())
        return _LogState(
            int(item["size"]["N"]),
            bytes(item["frontier"]["B"]),
            item["last_logged"]["S"],
            int(item["signed_size"]["N"]),
            tuple(item["placed"]["S"].split()),
        )

    def _waiting(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the items that waited longest, as many as go into one chunk, and whether there are more."""
        found = self._client.query(
            TableName=self._queue,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
            ConsistentRead=True,
            Limit=_MOST_AT_ONCE,
        )
        return list(found["Items"]), bool(found.get("LastEvaluatedKey"))

    def _items_of(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": {"S": "AUDIT"}, ":s": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]


def _append_item(log: AuditLog, item: Mapping[str, Any]) -> None:
    """Append the entries of an item; in the place of what is none stands that it was there."""
    try:
        told = read_told(item)
    except ValueError as wrong:
        _append_unfit(log, item, str(wrong))
        return
    for fields in told:
        try:
            log.append(Action(fields.pop("what", "")), **fields)
        except (ValueError, TypeError, RejectedInputError):
            _append_unfit(log, item, "it is not what an entry holds")


def _append_unfit(log: AuditLog, item: Mapping[str, Any], why: str) -> None:
    found = {"key": item["sk"]["S"], "told": item.get("told", {}).get("S", "")}
    log.append(
        Action.REFUSED,
        "audit/queue",
        who="seal_audit_log",
        role="service",
        why=f"Something in the queue of the log was no entry: {why}",
        after=digest_of(found),
    )
