"""Entries of the audit log before they have their place: written in the transaction of what they tell, or not at all.

They wait in a table of their own beside the one whose changes they tell, under partition key `WAITING`; the sort key is
time, turn and a digest over these and what is told. Whoever writes them may put and nothing else: an item that was put
anew under the same key with other words no longer fits its key.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

WAITING: Final = "WAITING"
STATE_CHANGED: Final = "STATE_CHANGED"
MOST_IN_ONE: Final = 100
"""Entries of one item: at most 300 KB, where an item may have 400."""

_LONGEST_REASON: Final = 2_000
_LONGEST_NAME: Final = 256
_DIGEST_LETTERS: Final = 32


def queue_beside(table: str) -> str:
    """Return the name of the table in which entries about the items of `table` wait.

    >>> queue_beside("strandline-dev-submissions")
    'strandline-dev-submissions-audit-queue'
    """
    return f"{table}-audit-queue"


def waiting_entry(
    table: str,
    what: str,
    record: str,
    *,
    who: str,
    role: str,
    why: str,
    now: datetime,
    turn: int = 0,
    before: str | None = None,
    after: str | None = None,
) -> "TransactWriteItemTypeDef":
    """Return what puts an entry into the queue beside `table`; see `trust.entries.AuditEntry` for its fields.

    Of entries of one moment those with the lower `turn` come first.
    """
    fields = entry_fields(what, record, who=who, role=role, why=why, now=now, before=before, after=after)
    return waiting_entries(table, [fields], now, turn=turn)


def waiting_entries(
    table: str, entries: Sequence[Mapping[str, str]], now: datetime, *, turn: int = 0
) -> "TransactWriteItemTypeDef":
    """Return what puts up to `MOST_IN_ONE` entries of one act, as `entry_fields` makes them, into the queue at once."""
    told = json.dumps({"entries": list(entries), "nonce": uuid.uuid4().hex}, sort_keys=True, separators=(",", ":"))
    place = f"{_stamp(now)}#{turn:06d}"
    key = {"pk": {"S": WAITING}, "sk": {"S": f"{place}#{_digest(place, told)}"}}
    return {
        "Put": {
            "TableName": queue_beside(table),
            "Item": key | {"told": {"S": told}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }


def put_waiting(client: "DynamoDBClient", waiting: "TransactWriteItemTypeDef") -> None:
    """Put into the queue what tells of no other write, as `waiting_entries` makes it.

    No two have one key: where it is there, a try before this one whose answer was lost has put it.
    """
    try:
        client.put_item(**waiting["Put"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def entry_fields(
    what: str,
    record: str,
    *,
    who: str,
    role: str,
    why: str,
    now: datetime,
    before: str | None = None,
    after: str | None = None,
) -> dict[str, str]:
    """Return an entry as it waits.

    What cannot be printed in a name or a reason becomes a space, and what is too long for the log is cut: of an entry
    that the log refused nothing would stand there but that there was one.
    """
    words = _printable(why, _LONGEST_REASON) or "no reason was given"
    fields = {"what": str(what), "record": record, "who": _printable(who, _LONGEST_NAME) or "unknown"}
    fields |= {"role": role, "why": words, "when": _stamp(now)}
    return fields | {name: digest for name, digest in (("before", before), ("after", after)) if digest}


def read_told(item: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the entries of an item of the queue.

    Raises:
        ValueError: it does not fit its key, or holds no entries.
    """
    place, _, digest = str(item["sk"]["S"]).rpartition("#")
    told = str(item.get("told", {}).get("S", ""))
    if digest != _digest(place, told):
        raise ValueError("it does not fit its key")
    try:
        entries: list[dict[str, Any]] = json.loads(told)["entries"]
        return [{str(name): str(value) for name, value in entry.items()} for entry in entries]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it holds no entries") from None


def time_of(item: Mapping[str, Any]) -> datetime | None:
    """Return since when an item of the queue waits, as its key says; None where that is no time."""
    try:
        return datetime.fromisoformat(str(item["sk"]["S"]).partition("#")[0]).astimezone(UTC)
    except ValueError:
        return None


def digest_of(record: Mapping[str, object]) -> str:
    """Return the SHA-256 of a record, hexadecimal, whatever the order of its fields.

    >>> digest_of({"b": 1, "a": None}) == digest_of({"a": None, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest(place: str, told: str) -> str:
    return hashlib.sha256(f"{place}\n{told}".encode()).hexdigest()[:_DIGEST_LETTERS]


def _stamp(now: datetime) -> str:
    """Write a time as `trust.entries.stamp` does, which functions with the small layer cannot import."""
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _printable(text: str, longest: int) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:longest].strip()
