"""Signed packages: what a lab without a network makes, carries over, and the landing door verifies.

A package is a folder with `manifest.json`, the files that it names, `SHA256SUMS` and `manifest.sig`, and nothing else.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SIGNATURE_NAME
from strandline.landing.manifest import MANIFEST_LIMIT_BYTES, DeclaredFile, Manifest, parse_manifest
from strandline.landing.signing import (
    SIGNATURE_LIMIT_BYTES,
    Signature,
    checksum_lines,
    parse_signature,
    sign_manifest,
    verify_signature,
)

CHECKSUMS_NAME: Final = "SHA256SUMS"
_OF_EVERY_PACKAGE: Final = frozenset({MANIFEST_NAME, SIGNATURE_NAME, CHECKSUMS_NAME})
_CHUNK_BYTES: Final = 1 << 20

Copied = Callable[[int], None]
"""Is told of each number of bytes that were read."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package on disk. `manifest_body` holds the bytes of the manifest that were signed."""

    folder: Path
    manifest: Manifest
    manifest_body: bytes
    signature: Signature


def write_package(
    folder: Path,
    manifest: Manifest,
    path_by_name: Mapping[str, Path],
    key: Ed25519PrivateKey,
    *,
    copied: Copied = lambda _count: None,
) -> Signature:
    """Write a package to a folder that is not there yet: whole or not at all.

    Raises:
        RejectedInputError: `package_exists`, or `checksum_mismatch` where a file changed since it was described.
    """
    if folder.exists():
        raise RejectedInputError("package_exists", f"{folder} is there already: give another --out, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for file in manifest.files:
            with path_by_name[file.name].open("rb") as source, (partial / file.name).open("wb") as sink:
                digest = hashlib.sha256()
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    sink.write(chunk)
                    copied(len(chunk))
            _check_digest(file, digest.hexdigest())
        body = manifest.to_json()
        signature = sign_manifest(key, manifest, body)
        (partial / CHECKSUMS_NAME).write_bytes(checksum_lines(manifest, body))
        (partial / SIGNATURE_NAME).write_bytes(signature.to_json())
        (partial / MANIFEST_NAME).write_bytes(body)
        partial.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return signature


def open_package(folder: Path) -> Package:
    """Read what a package says of itself; that it is complete is checked, its files are not read.

    Raises:
        RejectedInputError: `package_unreadable`, `package_not_plain`, `file_missing`, `file_not_declared`,
            `signature_missing`, `signature_invalid`, `checksums_differ`, or a code of `parse_manifest`.
    """
    names = _plain_names(folder)
    if MANIFEST_NAME not in names:
        raise RejectedInputError("file_missing", f"{folder} holds no {MANIFEST_NAME}: it is no package, or not whole")
    body = _read(folder / MANIFEST_NAME, MANIFEST_LIMIT_BYTES)
    manifest = parse_manifest(body)
    declared = {file.name for file in manifest.files}
    if declared & _OF_EVERY_PACKAGE:
        raise RejectedInputError("file_not_declared", f"{MANIFEST_NAME} lists a file of the package itself as data")
    if SIGNATURE_NAME not in names:
        raise RejectedInputError("signature_missing", f"{folder} holds no {SIGNATURE_NAME}: make the package again")
    for name in sorted((declared | _OF_EVERY_PACKAGE) - names):
        raise RejectedInputError("file_missing", f"{name} is missing from {folder}: copy the package again")
    for name in sorted(names - declared - _OF_EVERY_PACKAGE):
        shown = ascii(name)[1:-1]
        raise RejectedInputError("file_not_declared", f"{shown} is in {folder} and not in its manifest: remove it")
    signature = parse_signature(_read(folder / SIGNATURE_NAME, SIGNATURE_LIMIT_BYTES))
    lines = checksum_lines(manifest, body)
    if _read(folder / CHECKSUMS_NAME, len(lines)) != lines:
        raise RejectedInputError("checksums_differ", f"{CHECKSUMS_NAME} is not what {MANIFEST_NAME} says")
    return Package(folder, manifest, body, signature)


def verify_package(
    folder: Path, public_key_by_id: Mapping[str, bytes], *, read: Copied = lambda _count: None
) -> Package:
    """Check a package without a network: its parts, its signature, and every byte of its files.

    Args:
        folder: the package.
        public_key_by_id: raw public keys (32 bytes) of the labs that are trusted.
        read: told of each number of bytes that were read.

    Raises:
        RejectedInputError: a code of `open_package`, `signer_unknown`, `signature_invalid`, `size_mismatch` or
            `checksum_mismatch`.
    """
    package = open_package(folder)
    signature = package.signature
    if signature.key_id not in public_key_by_id:
        raise RejectedInputError("signer_unknown", f"key {signature.key_id} signed, which is none of the given ones")
    verify_signature(signature, public_key_by_id[signature.key_id], package.manifest, package.manifest_body)
    check_files(package, read=read)
    return package


def check_files(package: Package, *, read: Copied = lambda _count: None) -> None:
    """Check size and SHA-256 of every file of a package.

    Raises:
        RejectedInputError: `size_mismatch` or `checksum_mismatch`.
    """
    for file in package.manifest.files:
        path = package.folder / file.name
        if path.stat().st_size != file.size_bytes:
            raise RejectedInputError("size_mismatch", f"{file.name} is not as long as the manifest says: copy it again")
        digest = hashlib.sha256()
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                read(len(chunk))
        _check_digest(file, digest.hexdigest())


def _check_digest(file: DeclaredFile, digest: str) -> None:
    if digest != file.sha256:
        raise RejectedInputError(
            "checksum_mismatch", f"the SHA-256 of {file.name} is not the manifest's: it changed; copy it again"
        )


def _plain_names(folder: Path) -> set[str]:
    """Return the names of what lies in a folder: nothing but files, and no link that leads out of it."""
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise RejectedInputError("package_unreadable", f"{folder}: {error.strerror}; check the path") from None
    for entry in entries:
        if not entry.is_file(follow_symlinks=False):
            shown = ascii(entry.name)[1:-1]
            raise RejectedInputError("package_not_plain", f"{shown} in {folder} is a folder or a link: remove it")
    return {entry.name for entry in entries}


def _read(path: Path, limit_bytes: int) -> bytes:
    with path.open("rb") as source:
        return source.read(limit_bytes + 1)
