"""The audit log of a stage: what waits gets its place, is stored under lock, and is signed; and the way out of it.

In the table, under partition key `AUDIT`: `LOG` holds the size, the tree's frontier and the last time, `CHUNK#{first}`
the key of the object with the entries from `first` on. In the bucket: `entries/` and `heads/`. One transaction gives
entries their places: it names their chunk, moves `LOG` on from the size before, and takes them out of the queue; of two
who seal at once one is refused. An object that was written for a transaction that failed is named by nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.aws.audit_entries import WAITING
from strandline.aws.objects import S3Objects
from strandline.aws.submission_items import SubmissionItems
from strandline.trust.entries import Action
from strandline.trust.heads import SignedHead, parse_head
from strandline.trust.log import AuditLog
from strandline.trust.merkle import HASH_BYTES, Frontier

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_LOG: Final = {"pk": {"S": "AUDIT"}, "sk": {"S": "LOG"}}
_MOST_AT_ONCE: Final = 90  # a transaction may have 100 items
_CHUNK_LIMIT_BYTES: Final = 1 << 22
_HEAD_LIMIT_BYTES: Final = 1 << 14
_ALGORITHM: Final = "ECDSA_SHA_256"


@dataclass(frozen=True, slots=True)
class _LogState:
    size: int
    frontier: bytes
    last_logged: str
    signed_size: int

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
    """Reads and grows one stage's log."""

    def __init__(self, client: "DynamoDBClient", table_name: str, bucket: S3Objects, name: str) -> None:
        super().__init__(client, table_name)
        self._bucket = bucket
        self._name = name

    def seal(self, key: SigningKey, now: datetime) -> int:
        """Give every waiting entry its place and sign a head over them; return how many there were."""
        sealed = 0
        while some := self._waiting():
            if not self._append(some, now):
                break  # another is at it
            sealed += len(some)
            if len(some) < _MOST_AT_ONCE:
                break
        self._sign(key, now)
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
        """Return how many entries have no place yet."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def _append(self, waiting: list[dict[str, Any]], now: datetime) -> bool:
        state = self._state()
        lines: list[bytes] = []
        log = AuditLog(
            self._name, lines.append, frontier=state.grow(), last_logged=state.last_logged, clock=lambda: now
        )
        for item in waiting:
            told = {name: value["S"] for name, value in item.items() if name not in {"pk", "sk", "what"}}
            log.append(Action(item["what"]["S"]), **told)
        root = log.frontier.root().hex()
        object_key = f"entries/{state.size:015d}-{root[:16]}.ndjson"
        self._bucket.write(object_key, b"".join(line + b"\n" for line in lines), content_type="application/x-ndjson")
        chunk = {"pk": {"S": "AUDIT"}, "sk": {"S": f"CHUNK#{state.size:015d}"}, "key": {"S": object_key}}
        deletions: list[TransactWriteItemTypeDef] = [
            {
                "Delete": {
                    "TableName": self._table,
                    "Key": {"pk": item["pk"], "sk": item["sk"]},
                    "ConditionExpression": "attribute_exists(pk)",
                }
            }
            for item in waiting
        ]
        is_new = "attribute_not_exists(pk)"
        put: TransactWriteItemTypeDef = {
            "Put": {"TableName": self._table, "Item": chunk, "ConditionExpression": is_new}
        }
        return self.transact([self._move_on(state, log), put, *deletions])

    def _move_on(self, state: _LogState, log: AuditLog) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            **_LOG,
            "size": {"N": str(log.size)},
            "frontier": {"B": b"".join(log.frontier.hashes)},
            "last_logged": {"S": log.last_logged},
            "signed_size": {"N": str(state.signed_size)},
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

    def _sign(self, key: SigningKey, now: datetime) -> None:
        """Sign what the log is now, unless that was signed already."""
        state = self._state()
        if state.size == state.signed_size:
            return
        log = AuditLog(
            self._name, lambda _: None, frontier=state.grow(), last_logged=state.last_logged, clock=lambda: now
        )
        signed = log.sign_head(key.public_key(), key.sign)
        self._bucket.write(f"heads/{signed.head.size:015d}.json", signed.to_json(), content_type="application/json")
        self._client.update_item(
            TableName=self._table,
            Key=_LOG,
            UpdateExpression="SET signed_size = :signed",
            ConditionExpression="signed_size < :signed",
            ExpressionAttributeValues={":signed": {"N": str(signed.head.size)}},
        )

    def _state(self) -> _LogState:
        item = self._client.get_item(TableName=self._table, Key=_LOG, ConsistentRead=True).get("Item")
        if item is None:
            return _LogState(0, b"", "", 0)
        return _LogState(
            int(item["size"]["N"]),
            bytes(item["frontier"]["B"]),
            item["last_logged"]["S"],
            int(item["signed_size"]["N"]),
        )

    def _waiting(self) -> list[dict[str, Any]]:
        """Return the entries that waited longest."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
            ConsistentRead=True,
            Limit=_MOST_AT_ONCE,
        )
        return list(found["Items"])

    def _items_of(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": {"S": "AUDIT"}, ":s": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]
