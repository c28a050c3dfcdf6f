"""Signatures of manifests: Ed25519 over the SHA-256 of the manifest and of every file that it names.

What is signed is text, so that it can be checked with other tools: a line that says what it is, a line with the key's
id, and the lines of `SHA256SUMS`. Sources: RFC 8032 (Ed25519), RFC 8410 (keys in PEM), FIPS 180-4 (SHA-256), GNU
coreutils (`sha256sum`).
"""

import hashlib
from base64 import b64decode, b64encode
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SIGNATURE_NAME
from strandline.landing.manifest import Manifest

SIGNATURE_LIMIT_BYTES: Final = 4096
_SIGNED_AS: Final = "strandline signed package 1"


class Signature(BaseModel):
    """What `manifest.sig` says: which key signed, and its 64 bytes in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    algorithm: Literal["Ed25519"] = "Ed25519"
    key_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]

    def to_json(self) -> bytes:
        """Return the bytes of `manifest.sig`."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def checksum_lines(manifest: Manifest, manifest_body: bytes) -> bytes:
    """Return what `SHA256SUMS` holds: a line for the manifest as it is written and one for each file, by name."""
    digest_by_name = {file.name: file.sha256 for file in manifest.files}
    digest_by_name[MANIFEST_NAME] = hashlib.sha256(manifest_body).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digest_by_name.items())).encode()


def sign_manifest(key: Ed25519PrivateKey, manifest: Manifest, manifest_body: bytes) -> Signature:
    """Sign a manifest, and with it the content of every file that it names."""
    key_id = name_key(public_bytes(key.public_key()))
    signed = key.sign(_signed_bytes(key_id, manifest, manifest_body))
    return Signature(key_id=key_id, signature=b64encode(signed).decode())


def verify_signature(signature: Signature, public_key: bytes, manifest: Manifest, manifest_body: bytes) -> None:
    """Check a signature against the raw public key (32 bytes) that `signature.key_id` names.

    Raises:
        RejectedInputError: `signature_invalid`.
    """
    try:
        if name_key(public_key) != signature.key_id:
            raise InvalidSignature
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(b64decode(signature.signature), _signed_bytes(signature.key_id, manifest, manifest_body))
    except InvalidSignature:
        raise RejectedInputError(
            "signature_invalid",
            f"{SIGNATURE_NAME} does not fit {MANIFEST_NAME}: one of them was changed; make the package again",
        ) from None


def parse_signature(body: bytes) -> Signature:
    """Parse `manifest.sig` as it landed; one signature has one way to be written.

    Raises:
        RejectedInputError: `signature_invalid`.
    """
    try:
        if len(body) <= SIGNATURE_LIMIT_BYTES:
            found = Signature.model_validate_json(body)
            if found.to_json() == body and b64encode(b64decode(found.signature)).decode() == found.signature:
                return found
    except ValidationError:
        pass
    raise RejectedInputError(
        "signature_invalid", f"{SIGNATURE_NAME} is not what 'strandline package make' writes: make the package again"
    )


def name_key(public_key: bytes) -> str:
    """Return the id of a raw public key: the first half of its SHA-256 in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def make_key(passphrase: str | None) -> tuple[bytes, bytes]:
    """Make a key pair; return the private key in PEM, encrypted where there is a passphrase, and the public one."""
    key = Ed25519PrivateKey.generate()
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def read_private_key(pem: bytes, passphrase: str | None) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        RejectedInputError: `passphrase_missing`, `passphrase_wrong` or `key_unreadable`.
    """
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:  # with a passphrase where none is needed, or without one
        if passphrase:
            return read_private_key(pem, None)
        raise RejectedInputError("passphrase_missing", "the private key is encrypted: give its passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        code = "passphrase_wrong" if passphrase else "key_unreadable"
        raise RejectedInputError(code, "the private key cannot be read: check the file and the passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise RejectedInputError("key_unreadable", "the private key is not of Ed25519: make one with keygen")
    return key


def read_public_key(pem: bytes) -> bytes:
    """Return the 32 bytes of a public key in PEM.

    Raises:
        RejectedInputError: `key_unreadable`.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise RejectedInputError("key_unreadable", "the file holds no public key of Ed25519 in PEM: give lab.pub")
    return public_bytes(key)


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _signed_bytes(key_id: str, manifest: Manifest, manifest_body: bytes) -> bytes:
    return f"{_SIGNED_AS}\nkey {key_id}\n".encode() + checksum_lines(manifest, manifest_body)
