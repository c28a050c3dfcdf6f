"""Objects in one bucket: streamed in, streamed out, told apart by version."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from strandline.aws.ranged_reading import PART_BYTES, RangedReader
from strandline.aws.uploading import FileToSend, Uploader, Watch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

_COPIED_AT_ONCE_BYTES = 5 * 1024**3  # more than that is copied in parts


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """The current version of one object; `size_bytes` as stored."""

    key: str
    version_id: str
    size_bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of one object, current or not, or a mark of deletion; times are in UTC.

    `locked_until` is when Object Lock lets go of it, None where nothing locks it; `is_held` tells of a legal hold.
    """

    key: str
    version_id: str
    size_bytes: int
    modified: datetime
    locked_until: datetime | None
    is_held: bool


class S3Objects:
    """Reads and writes the objects of one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def read(self, key: str, *, limit_bytes: int, version_id: str | None = None) -> bytes:
        """Return a small object's bytes, at most `limit_bytes` + 1 of them: the one more tells that it is larger.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: `stream_cut`.
        """
        reader = RangedReader(self._client, self.bucket, key, version_id)
        return b"".join(reader.read_part(0, limit_bytes + 1).chunks)

    def stream(self, key: str, *, version_id: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes, all of one version, in chunks of at most 1 MiB; it is read in ranges.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: `stream_cut`, where the connection was lost again and again; `object_replaced`, in a bucket
                without versions.
        """
        return RangedReader(self._client, self.bucket, key, version_id).chunks()

    def write(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store a small object, its SHA-256 checked by S3."""
        self._client.put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256"
        )

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> Path:
        """Fetch an object into a file and return its path; the file is there whole or not at all."""
        return _write_whole(path, self.stream(key, version_id=version_id))

    def download_ranges(self, key: str, path: Path, ranges: Sequence[tuple[int, int]]) -> Path:
        """Fetch byte ranges of one version of an object, 0-based and half-open, behind one another into a file.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: as `stream`.
        """
        reader = RangedReader(self._client, self.bucket, key, None)
        pieces = (
            (start0, min(PART_BYTES, end0 - start0))
            for first, end0 in ranges
            for start0 in range(first, end0, PART_BYTES)
        )
        return _write_whole(path, (chunk for piece in pieces for chunk in reader.read_part(*piece).chunks))

    def upload(self, path: Path, key: str, *, content_type: str = "application/octet-stream", tags: str = "") -> None:
        """Store a file of any size, its checksum verified by S3 part by part; `tags` as `key=value&...`."""
        extra = {"ContentType": content_type, "ChecksumAlgorithm": "SHA256"}
        self._client.upload_file(str(path), self.bucket, key, ExtraArgs=extra | ({"Tagging": tags} if tags else {}))

    def send(self, files: Sequence[FileToSend], *, watch: Watch = lambda _name, _there, _size: None) -> None:
        """Store files of any size as `Uploader` does: in parts side by side, going on where an earlier try was cut.

        Raises:
            RejectedInputError: `file_not_found`.
            TemporaryError: `upload_cut`.
        """
        Uploader(self._client, self.bucket, watch=watch).send(files)

    def exists(self, key: str) -> bool:
        """Tell whether the object is there."""
        return self.current(key) is not None

    def current(self, key: str) -> ObjectVersion | None:
        """Return the current version of an object, or None where there is none; S3 answers consistently."""
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return ObjectVersion(key, found.get("VersionId", "null"), found["ContentLength"], found["LastModified"])

    def version(self, key: str, version_id: str) -> ObjectVersion | None:
        """Return one version of an object, or None where it is not there."""
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 404}:
                return None
            raise
        return ObjectVersion(key, version_id, found["ContentLength"], found["LastModified"])

    def list_current(self, prefix: str) -> Iterator[ObjectVersion]:
        """Yield the current version of every object under `prefix`, in the order of the keys."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Versions", []):
                if found["IsLatest"]:
                    yield ObjectVersion(found["Key"], found["VersionId"], found["Size"], found["LastModified"])

    def hold_versions(self, prefix: str, *, held: bool) -> int:
        """Put every version of every object under `prefix` under legal hold, or free it, and return how many there are.

        The bucket has to have Object Lock.
        """
        count = 0
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
            for found in page.get("Versions", []):
                self._client.put_object_legal_hold(
                    Bucket=self.bucket,
                    Key=found["Key"],
                    VersionId=found["VersionId"],
                    LegalHold={"Status": "ON" if held else "OFF"},
                )
                count += 1
        return count

    def kept_versions(self, prefix: str) -> Iterator[KeptVersion]:
        """Yield every version of every object under `prefix`, and every mark of deletion, with what keeps it."""
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
            for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                key, version_id, size = found["Key"], found["VersionId"], int(str(found.get("Size", 0)))
                until, is_held = self._keeping(key, version_id) if "Size" in found else (None, False)
                yield KeptVersion(key, version_id, size, found["LastModified"], until, is_held)

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version for good. S3 refuses where Object Lock keeps it."""
        self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)

    def _keeping(self, key: str, version_id: str) -> tuple[datetime | None, bool]:
        """Return until when Object Lock keeps a version, and whether a legal hold does.

        S3 tells both only to whoever may read them (`s3:GetObjectRetention`, `s3:GetObjectLegalHold`).
        """
        found = self._client.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        return found.get("ObjectLockRetainUntilDate"), found.get("ObjectLockLegalHoldStatus") == "ON"

    def lock_of(self) -> tuple[str, int] | None:
        """Return the mode and the days that a new object of this bucket is locked for; None without Object Lock."""
        try:
            found = self._client.get_object_lock_configuration(Bucket=self.bucket)["ObjectLockConfiguration"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
                return None
            raise
        kept = found.get("Rule", {}).get("DefaultRetention", {})
        return (kept["Mode"], kept.get("Days") or 365 * kept["Years"]) if kept else None

    def copy_from(self, source: "S3Objects", found: ObjectVersion, key: str, *, tags: str = "") -> bool:
        """Copy a version of an object within S3, whatever its size, with `tags` and without the source's.

        False where it is there no more.
        """
        origin: CopySourceTypeDef = {"Bucket": source.bucket, "Key": found.key}
        if found.version_id != "null":
            origin["VersionId"] = found.version_id
        try:
            if found.size_bytes <= _COPIED_AT_ONCE_BYTES:
                self._client.copy_object(
                    CopySource=origin, Bucket=self.bucket, Key=key, TaggingDirective="REPLACE", Tagging=tags
                )
            else:
                extra = {"Tagging": tags} if tags else {}
                self._client.copy(origin, self.bucket, key, SourceClient=source._client, ExtraArgs=extra)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion", "404"}:
                return False
            raise
        return True


def _write_whole(path: Path, chunks: Iterable[bytes]) -> Path:
    """Write a file that is there whole or not at all."""
    partial = path.with_name(f"~{path.name}")  # no lab can name a file so
    try:
        with partial.open("wb") as sink:
            for chunk in chunks:
                sink.write(chunk)
        return partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
