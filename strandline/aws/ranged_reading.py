"""One version of an object read from front to end in ranges, so that a cut connection repeats its range alone."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError

from strandline.errors import RejectedInputError, TemporaryError
from strandline.landing.read_ahead import ReadAhead

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES: Final = 1 << 20
PART_BYTES: Final = 16 << 20
_PARTS_AHEAD: Final = 1
_TRIES: Final = 4
_PAUSE_S: Final = 0.1  # longer after each try
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_CUT: Final = (HTTPClientError, IncompleteReadError, FlexibleChecksumError)


@dataclass(frozen=True, slots=True)
class Part:
    """A range of an object: its bytes in chunks of at most 1 MiB, the object's size, and what pins its version."""

    chunks: tuple[bytes, ...]
    object_bytes: int
    pin: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.chunks))


class RangedReader:
    """Reads ranges of one object. The first answer settles the version; every later range is of that one."""

    def __init__(self, client: "S3Client", bucket: str, key: str, version_id: str | None) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._pin: Mapping[str, str] = {"VersionId": version_id} if version_id is not None else {}

    def chunks(self, part_bytes: int = PART_BYTES) -> Iterator[bytes]:
        """Yield the object in chunks of at most 1 MiB, holding at most two parts.

        An object of one part is one request. Of a larger one, the next part is fetched in a thread while this one is
        worked on.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: `stream_cut`, `object_replaced`.
        """
        first = self.read_part(0, part_bytes)
        size = first.object_bytes
        if first.size_bytes == size:
            yield from first.chunks
            return
        starts = range(first.size_bytes, size, part_bytes)
        later = (self.read_part(start, min(part_bytes, size - start)) for start in starts)
        with ReadAhead(later, _PARTS_AHEAD) as parts:
            yield from first.chunks
            del first  # else it would stay beside the two
            for part in parts:
                yield from part.chunks

    def read_part(self, start0: int, size_bytes: int) -> Part:
        """Return `size_bytes` bytes from `start0` (0-based) on, fewer where the object ends before.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: `stream_cut`, where the connection was lost on every try; `object_replaced`, where there is
                no version to hold on to and another object stands there now.
        """
        for attempt in range(_TRIES):
            time.sleep(_PAUSE_S * attempt)
            try:
                part = self._get(start0, size_bytes)
            except _CUT:
                continue
            if part.size_bytes == max(0, min(size_bytes, part.object_bytes - start0)):
                self._pin = part.pin
                return part
        raise TemporaryError("stream_cut", f"the connection was lost while reading {self._key}")

    def _get(self, start0: int, size_bytes: int) -> Part:
        try:
            answer = self._client.get_object(
                Bucket=self._bucket,
                Key=self._key,
                Range=f"bytes={start0}-{start0 + size_bytes - 1}",
                **self._pin,  # type: ignore[arg-type]  # VersionId or IfMatch
            )
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "InvalidRange" if start0 == 0:  # what has no first byte is empty
                    return Part((), 0, self._pin)
                case "NoSuchKey" | "NoSuchVersion":
                    message = f"{self._key} is not in its bucket: upload it"
                    raise RejectedInputError("object_missing", message) from None
                case "PreconditionFailed":
                    message = f"{self._key} was replaced while it was read: read it again"
                    raise TemporaryError("object_replaced", message) from None
            raise
        chunks = tuple(answer["Body"].iter_chunks(CHUNK_BYTES))
        return Part(chunks, _object_bytes(answer["ContentRange"]), self._pin or _pin(answer))


def _object_bytes(content_range: str) -> int:
    """Return the size of the whole object.

    >>> _object_bytes("bytes 0-7/20")
    20
    """
    found = _CONTENT_RANGE.fullmatch(content_range)
    if found is None:
        raise RuntimeError("S3 answered a range without saying which")
    return int(found[3])


def _pin(answer: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what makes later requests be of the object that was answered with."""
    if "VersionId" in answer:
        return {"VersionId": answer["VersionId"]}
    return {"IfMatch": answer["ETag"]}
