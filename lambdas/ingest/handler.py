"""The programs' door: POST /ingest and what follows it, for signed callers."""

import re
from dataclasses import asdict
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import ForbiddenError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, ConfigDict, Field

from strandline.aws.settings import IngestSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.aws.upload_desk import OpenUpload, Part, UploadDesk
from strandline.errors import RejectedInputError
from strandline.landing.manifest import Manifest

app = APIGatewayHttpResolver(enable_validation=True)
_STATUS = {
    "already_submitted": HTTPStatus.CONFLICT,
    "upload_unknown": HTTPStatus.NOT_FOUND,
    "file_not_declared": HTTPStatus.NOT_FOUND,
    "upload_expired": HTTPStatus.GONE,
}
SubmissionId = Annotated[str, Path(description="As POST /ingest returned it", pattern=r"^s-[0-9a-f]{16}(-r[0-9]+)?$")]
FileName = Annotated[str, Path(description="A file of the manifest", pattern=r"^[A-Za-z0-9._-]{1,127}$")]
Sha256 = Annotated[str, Field(description="base64 of the SHA-256 of the bytes", pattern=r"^[A-Za-z0-9+/]{43}=$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Declaration(_Body):
    """What is about to be uploaded."""

    manifest: Manifest


class FileUploadView(_Body):
    """How to cut one file into parts; the last part is what remains."""

    name: str
    part_size_bytes: int
    part_count: int


class UploadView(_Body):
    """An upload that was begun."""

    submission_id: str
    files: list[FileUploadView]


class WantedPart(_Body):
    """A part about to be sent."""

    part_number: Annotated[int, Field(ge=1, le=10_000)]
    sha256: Sha256


class WantedParts(_Body):
    """Up to 200 parts about to be sent."""

    parts: Annotated[list[WantedPart], Field(min_length=1, max_length=200)]


class PresignedPartView(_Body):
    """PUT the part's bytes to `url` with `headers`, within the hour."""

    part_number: int
    url: str
    headers: dict[str, str]


class PresignedPartsView(_Body):
    """Where to send the parts."""

    parts: list[PresignedPartView]


class SentPart(WantedPart):
    """A part that S3 has, with the ETag that it answered."""

    etag: Annotated[str, Field(max_length=100)]


class SentParts(_Body):
    """All parts of a file, in order."""

    parts: Annotated[list[SentPart], Field(min_length=1, max_length=10_000)]


class LandedPartsView(_Body):
    """The parts that need not be sent again."""

    part_numbers: list[int]


class StatusView(_Body):
    """Where a submission stands."""

    submission_id: str
    state: str
    since: str | None = None
    code: str | None = None
    message: str | None = None


@cache
def desk() -> UploadDesk:
    """Return the desk; made on the first call."""
    settings = IngestSettings.from_env()
    dynamodb = boto3.client("dynamodb")
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
    table = SubmissionsTable(dynamodb, settings.submissions_table)
    return UploadDesk(dynamodb, settings.submissions_table, s3, settings.landing_bucket, table)


def caller() -> str:
    """Return the ARN of the principal that signed the request."""
    iam = (app.current_event.get("requestContext", {}).get("authorizer") or {}).get("iam") or {}
    if not iam.get("userArn"):
        raise ForbiddenError("sign the request with your AWS credentials")
    return str(iam["userArn"])


def _upload(submission_id: str) -> OpenUpload:
    logger.append_keys(submission_id=submission_id)
    return desk().find(submission_id, caller())


@app.exception_handler(RejectedInputError)
def refuse(error: RejectedInputError) -> Response[dict[str, str]]:
    """Answer with the code and the words of a refusal."""
    metrics.add_metric(name="IngestRequestsRefused", unit=MetricUnit.Count, value=1)
    return Response(
        status_code=_STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY),
        content_type=content_types.APPLICATION_JSON,
        body={"code": error.code, "message": error.message},
    )


@app.exception_handler(RequestValidationError)
def refuse_form(error: RequestValidationError) -> Response[dict[str, str]]:
    """Answer with the field that is wrong; neither its value nor a field's name that the caller made up."""
    first = error.errors()[0]
    known = (str(part) for part in first["loc"] if re.fullmatch(r"[a-z0-9_]{1,32}", str(part)))
    metrics.add_metric(name="IngestRequestsRefused", unit=MetricUnit.Count, value=1)
    return Response(
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY,
        content_type=content_types.APPLICATION_JSON,
        body={"code": "request_invalid", "message": f"{'.'.join(known)}: {first['type']}; see the API's description"},
    )


@app.post("/ingest", summary="Begin an upload", tags=["ingest"])
def begin(body: Declaration) -> UploadView:
    """Declare a submission. The same manifest again returns the same upload, so that a cut upload can go on."""
    upload = desk().open(body.manifest, caller())
    logger.append_keys(submission_id=upload.submission_id)
    files = [
        FileUploadView(name=file.name, part_size_bytes=file.part_size_bytes, part_count=file.part_count)
        for file in upload.files
    ]
    metrics.add_metric(name="UploadsOpened", unit=MetricUnit.Count, value=1)
    return UploadView(submission_id=upload.submission_id, files=files)


@app.get("/ingest/<submission_id>", summary="Where a submission stands", tags=["ingest"])
def show(submission_id: SubmissionId) -> StatusView:
    """Return the state of a submission that the caller uploads; UPLOADING while nothing of it has landed."""
    record = desk().status(_upload(submission_id))
    if record is None:
        return StatusView(submission_id=submission_id, state="UPLOADING")
    return StatusView(
        submission_id=submission_id,
        state=record.state.value,
        since=record.updated_at,
        code=record.cause.code if record.cause else None,
        message=record.cause.message if record.cause else None,
    )


@app.post("/ingest/<submission_id>/files/<name>/parts", summary="Presign parts", tags=["ingest"])
def presign(submission_id: SubmissionId, name: FileName, body: WantedParts) -> PresignedPartsView:
    """Return a URL for each part; S3 refuses other bytes than those of its SHA-256."""
    parts = [Part(part.part_number, part.sha256) for part in body.parts]
    presigned = desk().presign(_upload(submission_id), name, parts)
    return PresignedPartsView(parts=[PresignedPartView(**asdict(part)) for part in presigned])


@app.get("/ingest/<submission_id>/files/<name>/parts", summary="Parts that S3 has", tags=["ingest"])
def list_parts(submission_id: SubmissionId, name: FileName) -> LandedPartsView:
    """Return the numbers of the parts that need not be sent again."""
    return LandedPartsView(part_numbers=desk().landed_parts(_upload(submission_id), name))


@app.post("/ingest/<submission_id>/files/<name>/complete", summary="Complete a file", tags=["ingest"])
def complete_file(submission_id: SubmissionId, name: FileName, body: SentParts) -> LandedPartsView:
    """Put the parts of a file together."""
    parts = [Part(part.part_number, part.sha256, part.etag) for part in body.parts]
    desk().complete_file(_upload(submission_id), name, parts)
    return LandedPartsView(part_numbers=[part.part_number for part in parts])


@app.post("/ingest/<submission_id>/complete", summary="Complete the submission", tags=["ingest"])
def complete(submission_id: SubmissionId) -> StatusView:
    """Say that all files are there: the manifest lands, and the workflow starts."""
    desk().complete(_upload(submission_id))
    metrics.add_metric(name="UploadsCompleted", unit=MetricUnit.Count, value=1)
    return StatusView(submission_id=submission_id, state="RECEIVED")


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    metrics.add_metric(name="IngestRequestsReceived", unit=MetricUnit.Count, value=1)
    return app.resolve(event, context)
