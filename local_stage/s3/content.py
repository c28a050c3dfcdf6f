"""What objects hold, on disk.

An object's bytes are one or more segments of files that never change. A file is removed when nothing refers to it any
more: no object, no part, no copy and no download under way. So completing a multipart upload and copying an object
move no bytes, and deleting one never disturbs a reader.
"""

import contextlib
import hashlib
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from local_stage.s3.checksums import Digest, new_digest

CHUNK = 1 << 20


@dataclass(eq=False)
class StoredFile:
    """A finished file. It is unlinked once the last reference to this object is gone."""

    path: Path

    def __post_init__(self) -> None:
        # not at exit: the folder goes as a whole then, and a restart empties it
        weakref.finalize(self, _unlink, self.path).atexit = False


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes `start0` up to `start0 + size` of a file."""

    file: StoredFile
    start0: int
    size: int


@dataclass(eq=False)
class Content:
    """The bytes of one object or one part, with what was computed while they arrived.

    `digests` maps an S3 checksum name to its bytes. Objects of a multipart upload have `part_sizes` and, in place of
    `md5`, the `etag` that S3 makes of their parts'; a copy keeps it.
    """

    segments: tuple[Segment, ...]
    size: int
    md5: str = ""
    digests: Mapping[str, bytes] = field(default_factory=dict)
    etag: str = ""
    part_sizes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True  # an empty object is still an object

    def __getitem__(self, span: slice) -> "Content":
        start, stop, _ = span.indices(self.size)
        kept = []
        offset = 0
        for segment in self.segments:
            low, high = max(start, offset), min(stop, offset + segment.size)
            if low < high:
                kept.append(Segment(segment.file, segment.start0 + low - offset, high - low))
            offset += segment.size
        return Content(tuple(kept), max(0, stop - start))

    def __iter__(self) -> Iterator[bytes]:
        for segment in self.segments:
            with segment.file.path.open("rb") as stream:
                stream.seek(segment.start0)
                left = segment.size
                while left and (chunk := stream.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
                if left:
                    raise OSError(f"{segment.file.path} is {left} bytes shorter than its object")

    def read(self) -> bytes:
        """Return everything in memory: for small objects only."""
        return b"".join(self)


class ContentStore:
    """The folder that holds the bytes of every object of one embedded AWS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def writer(self, algorithms: Sequence[str] = ()) -> "ContentWriter":
        """Return a writer that computes MD5 and the named checksums on the way; use it in a `with` block."""
        return ContentWriter(self._new_path(), algorithms)

    def put(self, data: bytes) -> Content:
        """Store bytes that are in memory already."""
        with self.writer() as writer:
            writer.write(data)
            return writer.finish()

    def as_one_file(self, content: Content) -> Path:
        """Return a file with exactly these bytes, joining the segments on disk where there are several."""
        if len(content.segments) == 1 and content.segments[0].file.path.stat().st_size == content.size:
            return content.segments[0].file.path
        with self.writer() as writer:
            for chunk in content:
                writer.write(chunk)
            content.segments = writer.finish().segments
        return content.segments[0].file.path

    def _new_path(self) -> Path:
        return self.folder / uuid.uuid4().hex


class ContentWriter:
    """Bytes on their way to disk. Leaving the `with` block before `finish` removes what was written."""

    def __init__(self, path: Path, algorithms: Sequence[str]) -> None:
        self._path = path
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digests: dict[str, Digest] = {name: new_digest(name) for name in algorithms}
        self._size = 0
        self._finished = False
        self._stream: BinaryIO

    def __enter__(self) -> Self:
        self._stream = self._path.open("xb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()
        if not self._finished:
            _unlink(self._path)

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            OSError: the disk is full or broken.
        """
        view = memoryview(data)
        while view:
            view = view[self._stream.write(view) :]
        self._md5.update(data)
        for digest in self._digests.values():
            digest.update(data)
        self._size += len(data)

    def digest(self, algorithm: str) -> bytes:
        """Return a checksum of what was written so far."""
        return self._md5.digest() if algorithm == "MD5" else self._digests[algorithm].digest()

    def finish(self) -> Content:
        """Close the file and hand it over."""
        self._stream.close()
        self._finished = True
        digests = {name: digest.digest() for name, digest in self._digests.items()}
        segment = Segment(StoredFile(self._path), 0, self._size)
        return Content((segment,), self._size, self._md5.hexdigest(), digests)


def join(parts: Sequence[Content], *, etag: str, digests: Mapping[str, bytes]) -> Content:
    """Return the parts, one after the other, as one content; no byte moves."""
    segments = tuple(segment for part in parts for segment in part.segments)
    sizes = tuple(part.size for part in parts)
    return Content(segments, sum(sizes), "", digests, etag, sizes)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
