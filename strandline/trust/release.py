"""What is released: one version of a submission's results, file by file, as people sign it.

A record is kept as the bytes that are signed: JSON in the canonical form of RFC 8785. Any changed byte of it, or of a
file that it names, is another record. Sources: 21 CFR 11.10(e) (a change obscures nothing that was recorded before),
11.70 (a signature is linked to its record), RFC 8785.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, Literal

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from strandline.errors import RejectedInputError
from strandline.trust.people import Meaning

Kind = Literal["release", "withdrawal"]
_DIGEST: Final = r"^[0-9a-f]{64}$"
_LONGEST_REASON: Final = 2_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FrozenFile(_Frozen):
    """One file as it was when the record was made: `version_id` is S3's, `sha256` of its bytes, hexadecimal."""

    name: str = Field(min_length=1, max_length=127, pattern=r"^[A-Za-z0-9_.-]+$")
    version_id: str = Field(min_length=1, max_length=1024)
    sha256: str = Field(pattern=_DIGEST)
    size_bytes: int = Field(ge=0, lt=2**53)


class ReleaseRecord(_Frozen):
    """One version, from 1 on.

    Attributes:
        kind: a withdrawal is a version without files.
        prepared: when it was frozen, in UTC: no signature is earlier.
        policy: the name of what it has to be signed with.
        files: what is released, each name once.
        amends: the version that it takes the place of; None for the first, and where none was ready for review.
        previous: SHA-256 of that version's record.
        reason: why there is this version.
        asked_by: who asked for it; a person's `sub`, or the workflow.
    """

    submission_id: str
    version: int = Field(ge=1, lt=10_000)
    kind: Kind
    prepared: AwareDatetime
    policy: str
    files: tuple[FrozenFile, ...]
    amends: int | None
    previous: str | None = Field(pattern=_DIGEST)
    reason: str = Field(min_length=1, max_length=_LONGEST_REASON)
    asked_by: str = Field(min_length=1)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that is hashed and kept."""
        return canonical(self.model_dump(mode="json") | {"prepared": stamp(self.prepared)})

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hexadecimal: what people sign."""
        return sha256(self.to_bytes()).hexdigest()

    def file(self, name: str) -> FrozenFile | None:
        """Return the file of that name."""
        return next((one for one in self.files if one.name == name), None)


class Policy(_Frozen):
    """Who has to sign, in which order; each meaning by another person."""

    about: str
    release: tuple[Meaning, ...] = Field(min_length=1)
    withdrawal: tuple[Meaning, ...] = Field(min_length=1)

    def meanings(self, kind: Kind) -> tuple[Meaning, ...]:
        """Return what a record of this kind is signed as, in order."""
        return self.release if kind == "release" else self.withdrawal


def parse_record(body: bytes) -> ReleaseRecord:
    """Parse what `ReleaseRecord.to_bytes` wrote.

    Raises:
        RejectedInputError: `release_record_invalid`, also where the bytes are not the canonical ones.
    """
    try:
        record = ReleaseRecord.model_validate_json(body)
    except ValidationError:
        raise RejectedInputError("release_record_invalid", "this is no record of a release") from None
    names = [one.name for one in record.files]
    whole = len(set(names)) == len(names) and _follows(record) and bool(record.files) == (record.kind == "release")
    if not whole or record.to_bytes() != body or (record.amends or 0) >= record.version:
        raise RejectedInputError("release_record_invalid", "the record of the release contradicts itself")
    return record


def _follows(record: ReleaseRecord) -> bool:
    """Tell whether a version names the one before it; a withdrawal of what was never ready for review has none."""
    named = {record.amends is not None, record.previous is not None}
    return named == {record.version > 1} or (record.kind == "withdrawal" and named == {False})


@cache
def policies() -> Mapping[str, Policy]:
    """Return every policy of `release_policies.json`, by name."""
    body = files("strandline.trust").joinpath("release_policies.json").read_bytes()
    return TypeAdapter(dict[str, Policy]).validate_json(body)


def policy_named(name: str) -> Policy:
    """Return one policy.

    Raises:
        RejectedInputError: `release_policy_unknown`.
    """
    if name not in policies():
        raise RejectedInputError(
            "release_policy_unknown", f"there is no release policy of that name: {list(policies())}"
        )
    return policies()[name]


def check_reason(reason: str) -> str:
    """Return why something is changed, without spaces around it.

    Raises:
        RejectedInputError: `reason_missing` or `reason_invalid`. Source: 21 CFR 11.10(e), TRU-07.
    """
    words = reason.strip()
    if not words:
        raise RejectedInputError("reason_missing", "every change of a record has a reason: give one with --reason")
    if len(words) > _LONGEST_REASON or not all(letter.isprintable() for letter in words):
        raise RejectedInputError("reason_invalid", f"a reason is one line of at most {_LONGEST_REASON} letters")
    return words


def canonical(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return JSON as RFC 8785 writes it.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    return rfc8785.dumps(value)


def stamp(moment: datetime) -> str:
    """Return a time as records write it: in UTC, with milliseconds.

    >>> stamp(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00.000Z'
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
