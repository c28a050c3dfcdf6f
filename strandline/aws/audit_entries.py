"""Entries of the audit log before they have their place: written in the transaction of what they tell, or not at all.

They wait in the submissions table under partition key `AUDIT#WAITING`, sort key time, turn and a random id.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

WAITING: Final = "AUDIT#WAITING"
STATE_CHANGED: Final = "STATE_CHANGED"
_LONGEST_REASON: Final = 2_000
_LONGEST_NAME: Final = 256


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
    """Return what puts an entry into the queue of the log; see `trust.entries.AuditEntry` for its fields.

    Of entries of one moment those with the lower `turn` come first. What cannot be printed in a name or a reason
    becomes a space, and what is too long for the log is cut: an entry that it refused would hold up all behind it.
    """
    when = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    words = _printable(why, _LONGEST_REASON) or "no reason was given"
    fields = {"what": what, "record": record, "who": _printable(who, _LONGEST_NAME) or "unknown"}
    fields |= {"role": role, "why": words, "when": when}
    fields |= {name: digest for name, digest in (("before", before), ("after", after)) if digest}
    key = {"pk": {"S": WAITING}, "sk": {"S": f"{when}#{turn:06d}#{uuid.uuid4().hex}"}}
    return {"Put": {"TableName": table, "Item": key | {name: {"S": value} for name, value in fields.items()}}}


def _printable(text: str, longest: int) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:longest].strip()


def digest_of(record: Mapping[str, object]) -> str:
    """Return the SHA-256 of a record, hexadecimal, whatever the order of its fields.

    >>> digest_of({"b": 1, "a": None}) == digest_of({"a": None, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
