"""The programs' door: a manifest is declared, its files come in parts that S3 checks, and the manifest lands last.

Nothing is in the way of the bytes: they go to S3 by presigned URLs, each for one part with one SHA-256.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState, landing_key, manifest_key
from strandline.landing.manifest import DeclaredFile, Manifest, derive_submission_id, parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

URL_LASTS_S: Final = 3600
PARTS_A_CALL: Final = 200
_KEPT_S: Final = 7 * 86_400  # as long as the bucket keeps the parts of an unfinished upload
_PART_BYTES: Final = 64 << 20
_MOST_PARTS: Final = 10_000
_MIB: Final = 1 << 20
_STOPPED: Final = frozenset({SubmissionState.FAILED, SubmissionState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class FileUpload:
    """One file under way. Every part has `part_size_bytes` but the last."""

    name: str
    upload_id: str
    part_size_bytes: int
    part_count: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its number from 1, the base64 SHA-256 of its bytes, and the ETag that S3 gave it."""

    part_number: int
    sha256: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class PresignedPart:
    """Where to PUT one part, and the headers that must go with it."""

    part_number: int
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """A declared submission that is being uploaded by `owner`, the ARN of a principal."""

    submission_id: str
    owner: str
    manifest: Manifest
    files: tuple[FileUpload, ...]

    def file(self, name: str) -> FileUpload:
        """Return one file.

        Raises:
            RejectedInputError: `file_not_declared`.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise RejectedInputError("file_not_declared", "no file of that name is in the manifest: declare it first")


class UploadDesk:
    """Opens, continues and closes uploads of programs. Every step may be repeated."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table_name: str, s3: "S3Client", landing_bucket: str, table: SubmissionsTable
    ) -> None:
        self._dynamodb, self._table_name = dynamodb, table_name
        self._s3, self._bucket = s3, landing_bucket
        self._landing = S3Objects(s3, landing_bucket)
        self._table = table

    def open(self, manifest: Manifest, owner: str) -> OpenUpload:
        """Begin the upload of a submission, or return the one that `owner` began with the same manifest.

        Raises:
            RejectedInputError: `already_submitted`, where the same content was uploaded before or is by another.
        """
        submission_id = self._free_name(manifest)
        known = self._read(submission_id)
        if known is None:
            files = tuple(self._begin(submission_id, file) for file in manifest.files)
            known = OpenUpload(submission_id, owner, manifest, files)
            if not self._keep(known):
                known = self._read(submission_id)  # another call was quicker; S3 drops what this one began
        if known is None or known.owner != owner:
            raise RejectedInputError("already_submitted", "the same content is being uploaded by somebody else")
        return known

    def find(self, submission_id: str, owner: str) -> OpenUpload:
        """Return an upload of `owner`.

        Raises:
            RejectedInputError: `upload_unknown`; another owner's upload is as unknown as one that never was.
        """
        known = self._read(submission_id)
        if known is None or known.owner != owner:
            raise RejectedInputError("upload_unknown", "you began no upload of that id: begin with POST /ingest")
        return known

    def presign(self, upload: OpenUpload, name: str, parts: Sequence[Part]) -> list[PresignedPart]:
        """Return a URL for each part, valid for an hour and for these bytes alone.

        Raises:
            RejectedInputError: `file_not_declared`, `too_many_parts` or `part_out_of_range`.
        """
        file = upload.file(name)
        if len(parts) > PARTS_A_CALL:
            raise RejectedInputError("too_many_parts", f"ask for at most {PARTS_A_CALL} parts at a time")
        if any(not 1 <= part.part_number <= file.part_count for part in parts):
            raise RejectedInputError("part_out_of_range", f"parts of this file are numbered 1 to {file.part_count}")
        return [
            PresignedPart(
                part.part_number,
                self._s3.generate_presigned_url(
                    "upload_part",
                    Params={
                        "Bucket": self._bucket,
                        "Key": landing_key(upload.submission_id, name),
                        "UploadId": file.upload_id,
                        "PartNumber": part.part_number,
                        "ChecksumSHA256": part.sha256,
                    },
                    ExpiresIn=URL_LASTS_S,
                ),
                {"x-amz-checksum-sha256": part.sha256},
            )
            for part in parts
        ]

    def landed_parts(self, upload: OpenUpload, name: str) -> list[int]:
        """Return the numbers of the parts that S3 has, for an upload that was cut; all of them once it is complete."""
        file = upload.file(name)
        pages = self._s3.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=landing_key(upload.submission_id, name), UploadId=file.upload_id
        )
        try:
            return [int(part["PartNumber"]) for page in pages for part in page.get("Parts", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
            return list(range(1, file.part_count + 1)) if self._has_landed(upload, name) else []

    def complete_file(self, upload: OpenUpload, name: str, parts: Sequence[Part]) -> None:
        """Put the parts of one file together.

        Raises:
            RejectedInputError: `parts_missing` or `part_wrong`; nothing is put together then.
        """
        file = upload.file(name)
        numbers = [part.part_number for part in parts]
        if numbers != list(range(1, file.part_count + 1)):
            raise RejectedInputError(
                "parts_missing", f"give the parts 1 to {file.part_count} in order; {len(numbers)} were given"
            )
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part.part_number, "ETag": part.etag, "ChecksumSHA256": part.sha256} for part in parts
        ]
        try:
            self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=landing_key(upload.submission_id, name),
                UploadId=file.upload_id,
                MultipartUpload={"Parts": listed},
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchUpload" and self._has_landed(upload, name):
                return
            if code in {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest", "InvalidRequest"}:
                raise RejectedInputError(
                    "part_wrong", "S3 has other bytes for one of these parts: upload that part again"
                ) from None
            if code == "NoSuchUpload":
                raise RejectedInputError(
                    "upload_expired", "parts are kept for seven days: begin again with POST /ingest"
                ) from None
            raise

    def complete(self, upload: OpenUpload) -> str:
        """Land the manifest, which says that all is there; return the submission's id.

        Raises:
            RejectedInputError: `files_missing`, naming them.
        """
        missing = [file.name for file in upload.files if not self._has_landed(upload, file.name)]
        if missing:
            raise RejectedInputError("files_missing", f"these files are not complete: {', '.join(missing)}")
        key = manifest_key(upload.submission_id)
        if not self._landing.exists(key):
            self._landing.write(key, upload.manifest.to_json(), content_type="application/json")
        return upload.submission_id

    def status(self, upload: OpenUpload) -> SubmissionRecord | None:
        """Return where the submission stands, or None while nothing of it has landed."""
        return self._table.get(upload.submission_id)

    def _has_landed(self, upload: OpenUpload, name: str) -> bool:
        return self._landing.exists(landing_key(upload.submission_id, name))

    def _free_name(self, manifest: Manifest) -> str:
        attempt = 1
        while True:
            submission_id = derive_submission_id(manifest, attempt)
            record = self._table.get(submission_id)
            if record is None or record.state is SubmissionState.RECEIVED:
                return submission_id
            if record.state not in _STOPPED:
                raise RejectedInputError(
                    "already_submitted", f"submission {submission_id} holds the same content and is {record.state}"
                )
            attempt += 1

    def _begin(self, submission_id: str, file: DeclaredFile) -> FileUpload:
        size = max(_PART_BYTES, math.ceil(file.size_bytes / _MOST_PARTS / _MIB) * _MIB)
        began = self._s3.create_multipart_upload(
            Bucket=self._bucket, Key=landing_key(submission_id, file.name), ChecksumAlgorithm="SHA256"
        )
        return FileUpload(file.name, began["UploadId"], size, max(1, math.ceil(file.size_bytes / size)))

    def _keep(self, upload: OpenUpload) -> bool:
        try:
            self._dynamodb.put_item(
                TableName=self._table_name,
                Item={
                    **_key(upload.submission_id),
                    "owner": {"S": upload.owner},
                    "manifest": {"S": upload.manifest.to_json().decode()},
                    "files": {"S": json.dumps([asdict(file) for file in upload.files])},
                    "expires_at": {"N": str(int(time.time()) + _KEPT_S)},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _read(self, submission_id: str) -> OpenUpload | None:
        found = self._dynamodb.get_item(TableName=self._table_name, Key=_key(submission_id), ConsistentRead=True)
        item: Any = found.get("Item")
        if item is None or int(item["expires_at"]["N"]) < time.time():
            return None
        files = tuple(FileUpload(**file) for file in json.loads(item["files"]["S"]))
        return OpenUpload(submission_id, item["owner"]["S"], parse_manifest(item["manifest"]["S"].encode()), files)


def _key(submission_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"UPLOAD#{submission_id}"}, "sk": {"S": "UPLOAD"}}
