"""Entries of the audit log: who did what to which record when, why, and what the record was before and after.

An entry is kept as the bytes that were hashed: JSON in the canonical form of RFC 8785. Sources: 21 CFR 11.10(e) (audit
trails), ALCOA+ (what a record must tell), RFC 8785 (canonical JSON).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson

from strandline.errors import RejectedInputError

LONGEST_WAIT: Final = timedelta(days=1)
"""Between what was done and its place in the log."""

_LONGEST_TEXT: Final = 2_000
_LONGEST_NAME: Final = 256
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class Action(StrEnum):
    """What was done."""

    STATE_CHANGED = "STATE_CHANGED"
    JOB_RUN = "JOB_RUN"
    READ = "READ"
    QUERIED = "QUERIED"
    CONFIGURED = "CONFIGURED"
    SIGNED_IN = "SIGNED_IN"
    REFUSED = "REFUSED"
    SIGNED = "SIGNED"
    RELEASED = "RELEASED"
    AMENDED = "AMENDED"
    WITHDRAWN = "WITHDRAWN"
    DESTROYED = "DESTROYED"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry.

    Attributes:
        sequence: its place in the log, from 0.
        logged: when it got its place: ISO 8601 in UTC with microseconds, as `stamp` writes it.
        when: when it was done, likewise; at most a day earlier.
        who: unique id of a person or of a service; never shared.
        role: in which the action was allowed.
        what: the action.
        record: what it was done to, by id.
        why: the reason, in words.
        before: SHA-256 of the record as it was, hexadecimal; None where it was not there.
        after: SHA-256 of the record as it is now; None where it is gone or was only read.
    """

    sequence: int
    logged: str
    when: str
    who: str
    role: str
    what: Action
    record: str
    why: str
    before: str | None = None
    after: str | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that is hashed and kept.

        Keys are ASCII, values are text, null and one integer under 2 to the 53: for these sorted JSON of orjson is that
        of RFC 8785 (a property test holds it against another implementation).
        """
        return orjson.dumps(
            {
                "after": self.after,
                "before": self.before,
                "logged": self.logged,
                "record": self.record,
                "role": self.role,
                "sequence": self.sequence,
                "what": self.what,
                "when": self.when,
                "who": self.who,
                "why": self.why,
            }
        )


def stamp(now: datetime) -> str:
    """Return a time as entries hold it: text that sorts as time does.

    >>> stamp(datetime(2026, 11, 22, 8, 30, tzinfo=UTC))
    '2026-11-22T08:30:00.000000Z'
    """
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def day_before(moment: str) -> str:
    """Return the time a day before one that `stamp` wrote; the same where it is no such time.

    >>> day_before("2026-11-22T00:30:00.000000Z")
    '2026-11-21T00:30:00.000000Z'
    """
    try:
        return stamp(datetime.fromisoformat(moment) - LONGEST_WAIT)
    except ValueError:
        return moment


def check_entry(entry: AuditEntry) -> AuditEntry:
    """Return an entry that may be appended.

    Raises:
        RejectedInputError: `audit_entry_invalid`, naming the field: one is missing, too long, or holds what cannot be
            printed.
    """
    _check_text("who", entry.who, _LONGEST_NAME)
    _check_text("role", entry.role, _LONGEST_NAME)
    _check_text("record", entry.record, _LONGEST_NAME)
    _check_text("why", entry.why, _LONGEST_TEXT)
    for field, digest in (("before", entry.before), ("after", entry.after)):
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise _invalid(field, "has to be 64 lower-case hexadecimal digits")
    return entry


def parse_entry(line: bytes) -> AuditEntry:
    """Parse the bytes of an entry, which must be the canonical form of what they say.

    Raises:
        RejectedInputError: `audit_entry_invalid`.
    """
    try:
        told: Mapping[str, Any] = orjson.loads(line)
        entry = AuditEntry(**{**told, "what": Action(told["what"])})
    except (ValueError, TypeError, KeyError):
        raise _invalid("the entry", "is not what an audit log holds") from None
    if type(entry.sequence) is not int or entry.to_bytes() != line:
        raise _invalid("the entry", "is not in canonical form")
    return check_entry(entry)


def _check_text(field: str, value: object, longest: int) -> None:
    if isinstance(value, str) and value.isprintable() and len(value) <= longest and value.strip():
        return
    if not isinstance(value, str) or not value.strip():
        raise _invalid(field, "has to be said")
    if len(value) > longest:
        raise _invalid(field, f"has over {longest} characters")
    raise _invalid(field, "holds characters that cannot be printed")


def _invalid(field: str, why: str) -> RejectedInputError:
    return RejectedInputError("audit_entry_invalid", f"{field} {why}")
