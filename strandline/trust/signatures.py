"""Electronic signatures: who signed which record as what, when, and that nobody changed a byte since.

A signature covers the SHA-256 of the record, the signer, the meaning, the time and the signature before it, so that
none can be moved to another record, person, meaning or place. Sources: 21 CFR 11.50 (printed name, time, meaning),
11.70 (linked to the record), 11.100 (of one person), 11.200 (two components), FIPS 186-5 (ECDSA), RFC 8785.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from strandline.errors import RejectedInputError
from strandline.trust.heads import Sign, name_key
from strandline.trust.people import Meaning
from strandline.trust.release import Policy, ReleaseRecord, canonical, stamp

ALGORITHM: Final = "ECDSA_SHA_256"
_SIGNED_AS: Final = "strandline electronic signature 1"
_DIGEST: Final = r"^[0-9a-f]{64}$"
MEANING_WORDS: Final[dict[Meaning, str]] = {
    "author": "Author: I made this report and answer for it",
    "reviewer": "Reviewer: I have reviewed this report",
    "approver": "Approver: I approve its release or withdrawal",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Statement(_Frozen):
    """What is signed.

    Attributes:
        record_sha256: of the canonical record, with the submission and version that it is of.
        sub: the user pool's own id of the signer; `user_name` is what they sign in with, `printed_name` their name.
        meaning: what the signature means.
        signed_at: when, in UTC.
        sign_in: the sign-in with password and second factor that the signature was made with.
        previous: SHA-256 of the statement before this one of the same record; None for the first.
        key_id: SHA-256 of the public key.
    """

    record_sha256: str = Field(pattern=_DIGEST)
    submission_id: str
    version: int
    sub: str = Field(min_length=1, max_length=256)
    user_name: str = Field(min_length=1, max_length=256)
    printed_name: str = Field(min_length=1, max_length=256)
    meaning: Meaning
    signed_at: AwareDatetime
    sign_in: str = Field(min_length=1, max_length=256)
    previous: str | None = Field(pattern=_DIGEST)
    key_id: str = Field(pattern=_DIGEST)
    algorithm: Literal["ECDSA_SHA_256"] = ALGORITHM

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical(self.as_json() | {"type": _SIGNED_AS})

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.model_dump(mode="json") | {"signed_at": stamp(self.signed_at)}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hexadecimal."""
        return sha256(self.to_bytes()).hexdigest()


class Signature(_Frozen):
    """A statement, and what the key's holder made of it: `value` is in DER."""

    statement: Statement
    value: Base64Bytes

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {"statement": self.statement.as_json(), "value": b64encode(self.value).decode()}


def signatures_to_bytes(signatures: Sequence[Signature]) -> bytes:
    """Return the signatures of one record, in order, as they are kept."""
    return canonical([one.as_json() for one in signatures])


def parse_signatures(body: bytes) -> list[Signature]:
    """Parse what `signatures_to_bytes` wrote.

    Raises:
        RejectedInputError: `signatures_invalid`.
    """
    try:
        found = TypeAdapter(list[Signature]).validate_json(body)
    except ValidationError:
        raise RejectedInputError("signatures_invalid", "these are no signatures of a release") from None
    if signatures_to_bytes(found) != body:
        raise RejectedInputError("signatures_invalid", "the signatures are not written as they were signed")
    return found


def next_meaning(record: ReleaseRecord, given: Sequence[Signature], policy: Policy) -> Meaning | None:
    """Return what has to be signed next, None where nothing is missing."""
    wanted = policy.meanings(record.kind)
    return wanted[len(given)] if len(given) < len(wanted) else None


def sign(statement: Statement, make: Sign) -> Signature:
    """Have a statement signed; `make` may be KMS."""
    return Signature(statement=statement, value=b64encode(make(statement.to_bytes())))


def check_signature(
    signature: Signature,
    record: ReleaseRecord,
    given: Sequence[Signature],
    policy: Policy,
    key: ec.EllipticCurvePublicKey,
) -> None:
    """Check that a signature may stand behind those that were given before it.

    Raises:
        RejectedInputError: `signature_of_another_record`, `signature_order`, `signature_same_person`,
            `signature_too_early`, `signature_key` or `signature_broken`.
    """
    said = signature.statement
    if (said.record_sha256, said.submission_id, said.version) != (record.digest, record.submission_id, record.version):
        raise RejectedInputError("signature_of_another_record", "the signature is of another record or version")
    wanted = next_meaning(record, given, policy)
    if said.meaning != wanted or said.previous != (given[-1].statement.digest if given else None):
        raise RejectedInputError("signature_order", f"the next signature here is that of the {wanted or 'nobody'}")
    if said.sub in {one.statement.sub for one in given}:
        raise RejectedInputError("signature_same_person", "one person has signed twice: each meaning needs another one")
    _check_time(said.signed_at, given[-1].statement.signed_at if given else record.prepared)
    if said.key_id != name_key(key):
        raise RejectedInputError("signature_key", "the signature was made with another key")
    try:
        key.verify(signature.value, said.to_bytes(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise RejectedInputError("signature_broken", "what was signed is not what stands there") from None


def verify_release(
    record: ReleaseRecord, signatures: Sequence[Signature], key: ec.EllipticCurvePublicKey, policy: Policy
) -> None:
    """Check that a record was signed by everybody who had to, in order, and nobody else; without a network.

    Raises:
        RejectedInputError: `release_unsigned`, where a signature is missing, and the codes of `check_signature`.
    """
    for count, signature in enumerate(signatures):
        check_signature(signature, record, signatures[:count], policy, key)
    missing = next_meaning(record, signatures, policy)
    if missing is not None:
        raise RejectedInputError("release_unsigned", f"the signature of the {missing} is missing")


def _check_time(signed_at: datetime, last_change: datetime) -> None:
    if signed_at < last_change:
        raise RejectedInputError(
            "signature_too_early", "the signature is earlier than what it signs: a clock was moved"
        )
