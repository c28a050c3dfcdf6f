"""Files go up in parts, several at a time, each checked by S3; an upload that was cut goes on where it stopped.

Source: Amazon S3 user guide, "Multipart upload limits" (10,000 parts of 5 MiB to 5 GiB) and "Checking object
integrity": the SHA-256 of an object in parts is that of its parts' digests, written with the number of parts behind it.
"""

import hashlib
import io
import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from strandline.errors import RejectedInputError, TemporaryError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 16 << 20
MOST_PARTS: Final = 10_000
THREADS: Final = 4
_MIB: Final = 1 << 20
_MAY_NOT_LIST: Final = frozenset({"AccessDenied", "NotImplemented"})

Watch = Callable[[str, int, int], None]
"""Is told a file's name, how many of its bytes S3 has, and its size: once at the beginning and then on each part."""


@dataclass(frozen=True, slots=True)
class FileToSend:
    """A file, the key that it goes to, and what it is called where its progress is told."""

    path: Path
    key: str
    name: str


class Uploader:
    """Sends files to one bucket. It holds at most one part a thread in memory."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        *,
        watch: Watch = lambda _name, _there, _size: None,
        part_bytes: int = PART_BYTES,
        threads: int = THREADS,
    ) -> None:
        self._client, self._bucket = client, bucket
        self._watch, self._part_bytes, self._threads = watch, part_bytes, threads

    def send(self, files: Sequence[FileToSend]) -> None:
        """Send files one after the other, the parts of each side by side; one that is there already is left.

        What was sent stays when this is interrupted or fails: sending the same again sends the rest.

        Raises:
            RejectedInputError: `file_not_found`.
            TemporaryError: `upload_cut`.
        """
        for file in files:
            try:
                self._send(file)
            except (BotoConnectionError, HTTPClientError):
                raise TemporaryError(
                    "upload_cut", f"the connection was lost while sending {file.name}: run the same again to go on"
                ) from None
            except OSError as error:
                raise RejectedInputError("file_not_found", f"{file.path}: {error.strerror}; check the path") from None

    def _send(self, file: FileToSend) -> None:
        parts = _Parts(file.path, self._part_bytes)
        told = _Told(file.name, parts.size_bytes, self._watch)
        if self._is_there(file.key, parts):
            told.add(parts.size_bytes)
        elif parts.count == 1:
            told.add(0)
            body = parts.read(1)
            self._client.put_object(
                Bucket=self._bucket,
                Key=file.key,
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_base64(hashlib.sha256(body).digest()),
            )
            told.add(len(body))
        else:
            self._send_parts(file, parts, told)

    def _send_parts(self, file: FileToSend, parts: "_Parts", told: "_Told") -> None:
        upload_id, there = self._unfinished(file.key, parts) or (self._begin(file.key), {})
        told.add(0)
        stop = Event()

        def send_part(number: int) -> "CompletedPartTypeDef":
            if stop.is_set():
                raise KeyboardInterrupt
            body = parts.read(number)
            checksum = _base64(hashlib.sha256(body).digest())
            etag = _etag_if_same(there.get(number), body, checksum)
            if etag is None:
                etag = self._client.upload_part(
                    Bucket=self._bucket,
                    Key=file.key,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=_StoppableBody(body, stop),
                    ChecksumSHA256=checksum,
                )["ETag"]
            told.add(len(body))
            return {"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum}

        with ThreadPoolExecutor(self._threads) as pool:
            try:
                sent = list(pool.map(send_part, range(1, parts.count + 1)))
            except BaseException as error:
                if not isinstance(error, Exception):
                    stop.set()  # what is under way ends at its next block, so that an interrupt is one
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._complete(file, upload_id, parts, sent)

    def _begin(self, key: str) -> str:
        began = self._client.create_multipart_upload(
            Bucket=self._bucket, Key=key, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
        )
        return began["UploadId"]

    def _complete(
        self, file: FileToSend, upload_id: str, parts: "_Parts", sent: "Sequence[CompletedPartTypeDef]"
    ) -> None:
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=file.key, UploadId=upload_id, MultipartUpload={"Parts": sent}
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchUpload", "InvalidPart"}:
                raise
            if not self._is_there(file.key, parts):  # another who sent the same may have been quicker
                raise TemporaryError(
                    "upload_cut", f"somebody else ended the upload of {file.name}: run the same again"
                ) from None

    def _is_there(self, key: str, parts: "_Parts") -> bool:
        """Tell whether the same bytes lie there. The file is read only where size and number of parts agree."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404}:
                return False
            raise
        checksum = found.get("ChecksumSHA256", "").partition("-")[
            0
        ]  # of an object in parts, their number stands behind
        part_count = int(found["ETag"].strip('"').partition("-")[2] or 1)
        if found["ContentLength"] != parts.size_bytes or part_count != parts.count or not checksum:
            return False
        return checksum == parts.checksum()

    def _unfinished(self, key: str, parts: "_Parts") -> tuple[str, dict[int, Any]] | None:
        """Return the upload of this key that got farthest, with its parts by number; None where none fits."""
        try:
            found = [(upload_id, self._listed(key, upload_id)) for upload_id in self._upload_ids(key)]
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MAY_NOT_LIST:
                raise
            return None  # who may only put begins anew
        fitting = [(upload_id, there) for upload_id, there in found if there and parts.fit(there)]
        return max(fitting, key=lambda upload: len(upload[1]), default=None)

    def _upload_ids(self, key: str) -> Iterator[str]:
        for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=key):
            for upload in page.get("Uploads", []):
                if upload["Key"] == key and upload.get("ChecksumAlgorithm") == "SHA256":
                    yield upload["UploadId"]

    def _listed(self, key: str, upload_id: str) -> dict[int, Any]:
        pages = self._client.get_paginator("list_parts").paginate(Bucket=self._bucket, Key=key, UploadId=upload_id)
        try:
            return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
            return {}  # it was completed or given up since it was listed


class _Parts:
    """A file cut into parts of one size, the last one shorter; 16 MiB unless they would be over 10,000."""

    def __init__(self, path: Path, part_bytes: int) -> None:
        self._path = path
        self.size_bytes = path.stat().st_size
        self._each = max(part_bytes, math.ceil(self.size_bytes / MOST_PARTS / _MIB) * _MIB)
        self.count = max(1, math.ceil(self.size_bytes / self._each))

    def read(self, number: int) -> bytes:
        with self._path.open("rb") as source:
            source.seek((number - 1) * self._each)
            return source.read(self._each)

    def fit(self, there: Mapping[int, Any]) -> bool:
        """Tell whether parts that S3 has were cut as this file is."""
        return all(number <= self.count and part["Size"] == self._size(number) for number, part in there.items())

    def checksum(self) -> str:
        """Return what S3 calls the SHA-256 of the whole."""
        digests = [hashlib.sha256(self.read(number)).digest() for number in range(1, self.count + 1)]
        return _base64(digests[0] if self.count == 1 else hashlib.sha256(b"".join(digests)).digest())

    def _size(self, number: int) -> int:
        return self._each if number < self.count else self.size_bytes - (self.count - 1) * self._each


class _Told:
    """How far a file is, counted by several threads."""

    def __init__(self, name: str, size_bytes: int, watch: Watch) -> None:
        self._name, self._size, self._watch = name, size_bytes, watch
        self._there, self._lock = 0, Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._there += count
            self._watch(self._name, self._there, self._size)


class _StoppableBody(io.BytesIO):
    """The bytes of a part, which stop coming once the upload was interrupted."""

    def __init__(self, body: bytes, stop: Event) -> None:
        super().__init__(body)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise KeyboardInterrupt
        return super().read(size)


def _etag_if_same(part: Any, body: bytes, checksum: str) -> str | None:
    """Return the ETag of a part that S3 has where it holds these bytes.

    S3 lists the SHA-256. Where an endpoint does not, the ETag is the MD5, or differs from it because a key encrypts.
    """
    if part is None or part["Size"] != len(body):
        return None
    etag = str(part["ETag"])
    if "ChecksumSHA256" in part:
        return etag if part["ChecksumSHA256"] == checksum else None
    return etag if etag.strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest() else None


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
