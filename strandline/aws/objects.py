"""Objects in one bucket: streamed in, streamed out, told apart by version."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from strandline.errors import RejectedInputError, TemporaryError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20


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
        body = b""
        for chunk in self.stream(key, version_id=version_id):
            body += chunk
            if len(body) > limit_bytes:
                break
        return body[: limit_bytes + 1]

    def stream(self, key: str, *, version_id: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in chunks of at most 1 MiB.

        Raises:
            RejectedInputError: `object_missing`.
            TemporaryError: `stream_cut`, where the connection ended before the object did.
        """
        try:
            yield from self._open(key, version_id).iter_chunks(CHUNK_BYTES)
        except (HTTPClientError, IncompleteReadError):
            raise TemporaryError("stream_cut", f"the connection was lost while reading {key}") from None

    def write(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store a small object, its SHA-256 checked by S3."""
        self._client.put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256"
        )

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> Path:
        """Fetch an object into a file and return its path; the file is there whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as sink:
                for chunk in self.stream(key, version_id=version_id):
                    sink.write(chunk)
            return partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def upload(self, path: Path, key: str, *, content_type: str = "application/octet-stream", tags: str = "") -> None:
        """Store a file of any size, its checksum verified by S3 part by part; `tags` as `key=value&...`."""
        extra = {"ContentType": content_type, "ChecksumAlgorithm": "SHA256"}
        self._client.upload_file(str(path), self.bucket, key, ExtraArgs=extra | ({"Tagging": tags} if tags else {}))

    def exists(self, key: str) -> bool:
        """Tell whether the object is there."""
        try:
            self._client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def _open(self, key: str, version_id: str | None) -> "StreamingBody":
        try:
            if version_id is None:
                return self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            return self._client.get_object(Bucket=self.bucket, Key=key, VersionId=version_id)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion"}:
                raise RejectedInputError("object_missing", f"{key} is not in its bucket: upload it") from None
            raise
