"""Function packages and layers, extracted once and found by the hash of their zip file.

Their bytes are not kept in memory: a layer may hold 80 MB, and moto would keep every one of them.
"""

import base64
import hashlib
import io
import os
import shutil
import stat
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """One zip file: `digest` is its SHA-256 in hexadecimal, `size_bytes` its size."""

    digest: str
    size_bytes: int

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda's API shows it."""
        return base64.b64encode(bytes.fromhex(self.digest)).decode()


class PackageStore:
    """Folders of extracted packages below `root`, named by digest. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def add(self, content: bytes | BinaryIO) -> Package:
        """Extract a zip file unless the same one was extracted before.

        Raises:
            zipfile.BadZipFile: it is not a zip file, or a name in it leads out of the folder.
        """
        with _as_file(content) as file:
            package = _measure(file)
            with self._lock:
                if not self.folder(package.digest).is_dir():
                    self._extract(file, package.digest)
        return package

    def folder(self, digest: str) -> Path:
        """Return where the package with this digest lies."""
        return self._root / digest

    def _extract(self, file: BinaryIO, digest: str) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self._root))
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    _extract_member(archive, member, unfinished)
            unfinished.chmod(0o755)
            unfinished.replace(self.folder(digest))  # whoever sees the folder sees all of it
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _as_file(content: bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(content, bytes):
        with io.BytesIO(content) as file:
            yield file
    else:
        yield content


def _measure(file: BinaryIO) -> Package:
    digest, size_bytes = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size_bytes += len(chunk)
    file.seek(0)
    return Package(digest.hexdigest(), size_bytes)


def _extract_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = Path(os.path.normpath(folder / member.filename))
    if not target.is_relative_to(folder):
        raise zipfile.BadZipFile(f"{member.filename}: leads out of the package")
    mode = member.external_attr >> 16
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        target.symlink_to(archive.read(member).decode())
        return
    with archive.open(member) as source, target.open("wb") as destination:
        shutil.copyfileobj(source, destination, _CHUNK)
    if mode & 0o111:
        target.chmod(0o755)
