"""Signed tree heads: what the log was at one moment, so that nobody can say later that it was something else.

A head is signed with ECDSA on P-256 and SHA-256, as a KMS key of `ECC_NIST_P256` does. Sources: RFC 6962, section 3.5
(what a head says); FIPS 186-5 (ECDSA).
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.errors import RejectedInputError
from strandline.trust.merkle import HASH_BYTES

Sign = Callable[[bytes], bytes]
"""Signs a message: ECDSA on P-256 over its SHA-256, in DER."""

_SIGNED_AS: Final = "strandline audit tree head 1"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The root of the first `size` entries at a time (as `entries.stamp` writes it), of the log that `log` names."""

    log: str
    size: int
    root: bytes
    when: str

    def to_message(self) -> bytes:
        """Return what is signed."""
        return orjson.dumps(
            {"log": self.log, "root": self.root.hex(), "size": self.size, "type": _SIGNED_AS, "when": self.when}
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head with its signature (DER) and the id of the key, the SHA-256 of its public part."""

    head: TreeHead
    key_id: str
    signature: bytes

    def to_json(self) -> bytes:
        """Return it as it is stored."""
        head = self.head
        return orjson.dumps(
            {
                "key_id": self.key_id,
                "log": head.log,
                "root": head.root.hex(),
                "signature": b64encode(self.signature).decode(),
                "size": head.size,
                "when": head.when,
            }
        )


def sign_head(head: TreeHead, public_key: ec.EllipticCurvePublicKey, sign: Sign) -> SignedHead:
    """Sign a head; `sign` may be KMS."""
    return SignedHead(head, name_key(public_key), sign(head.to_message()))


def is_signed_by(signed: SignedHead, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Return whether a head was signed by the holder of a key."""
    if signed.key_id != name_key(public_key):
        return False
    try:
        public_key.verify(signed.signature, signed.head.to_message(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def parse_head(line: bytes) -> SignedHead:
    """Parse what `SignedHead.to_json` wrote.

    Raises:
        RejectedInputError: `audit_head_invalid`.
    """
    try:
        told = orjson.loads(line)
        root = bytes.fromhex(told["root"])
        head = TreeHead(str(told["log"]), int(told["size"]), root, str(told["when"]))
        signed = SignedHead(head, str(told["key_id"]), b64decode(told["signature"], validate=True))
    except (ValueError, TypeError, KeyError):
        raise RejectedInputError("audit_head_invalid", "this is no tree head: export the log anew") from None
    if len(root) != HASH_BYTES or head.size < 0:
        raise RejectedInputError("audit_head_invalid", "the tree head's root or size cannot be: export the log anew")
    return signed


def name_key(public_key: ec.EllipticCurvePublicKey) -> str:
    """Return the id of a key: the SHA-256 of its SubjectPublicKeyInfo, hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(public_key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def to_pem(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Return what `read_public_key` reads."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(serialization.Encoding.PEM, form)


def read_public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Read a P-256 public key in PEM.

    Raises:
        RejectedInputError: `public_key_invalid`.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError):
        raise RejectedInputError("public_key_invalid", "this is no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RejectedInputError("public_key_invalid", "the log's key is one of the curve P-256")
    return key
