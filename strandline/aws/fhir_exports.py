"""Bulk exports: jobs in the table of releases, begun by an event to a function, their files linked for a while."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from strandline.aws.objects import S3Objects
from strandline.errors import TemporaryError
from strandline.fhir.served.access import Caller
from strandline.fhir.served.bulk import LASTS, ExportJob, State, write_export
from strandline.fhir.served.releases import Release
from strandline.fhir.served.service import Audit, Read
from strandline.fhir.served.store import ReleaseStore
from strandline.journey import export_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_JOB: Final = TypeAdapter(ExportJob)
_LINK_S: Final = 900


class FhirExports:
    """`ExportDesk` in the table. `function` makes the files; None for whoever only makes them."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        clock: Callable[[], datetime],
        *,
        s3: Any,
        bucket: str,
        function: tuple[Any, str] | None,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._s3 = s3
        self._bucket = bucket
        self._function = function

    def open(self, job: ExportJob) -> None:
        self._client.put_item(TableName=self._table, Item=_item(job))
        if self._function is None:
            raise RuntimeError("who only makes exports begins none")
        client, name = self._function
        client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"job_id": job.job_id}).encode())

    def find(self, job_id: str) -> ExportJob | None:
        item = self._client.get_item(TableName=self._table, Key=_key(job_id), ConsistentRead=True).get("Item")
        job = _JOB.validate_json(item["job"]["S"]) if item else None
        return job if job is not None and self._clock() < job.requested + LASTS else None

    def cancel(self, job_id: str) -> None:
        job = self.find(job_id)
        if job is not None:
            self._client.put_item(TableName=self._table, Item=_item(replace(job, state="cancelled", files=())))

    def link(self, key: str) -> str:
        asked = {"Bucket": self._bucket, "Key": key}
        return str(self._s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=_LINK_S))

    def note(self, job: ExportJob) -> bool:
        """Keep how far a job is; False where it was cancelled, or ended otherwise."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_item(job),
                ConditionExpression="#state = :running",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":running": {"S": "accepted"}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def run_export(
    job_id: str,
    *,
    desk: FhirExports,
    store: ReleaseStore,
    files: S3Objects,
    audit: Audit,
    has_time: Callable[[], bool],
) -> ExportJob | None:
    """Make the files of a job that waits; None where there is none. A job that ended is not begun again.

    Raises:
        TemporaryError: `export_out_of_time`; whatever is raised, the job has failed then.
    """
    job = desk.find(job_id)
    if job is None or job.state != "accepted":
        return job
    caller, numbers = Caller(job.caller, job.role, ()), count(1)

    def write(kind: str, body: bytes) -> str:
        key = export_key(job_id, kind, next(numbers))
        files.write(key, body, content_type="application/fhir+ndjson")
        return key

    def read(release: Release, resources: int) -> None:
        audit(caller, [Read(release.submission_id, f"exported {resources} resources")])

    def progress(now: ExportJob) -> bool:
        if not has_time():
            raise TemporaryError("export_out_of_time", "the export is too long for one run: ask for less")
        return desk.note(now)

    try:
        done = write_export(job, store, write, read, progress)
    except BaseException:
        desk.note(replace(job, state="failed"))
        raise
    desk.note(done)
    return done


def _item(job: ExportJob) -> dict[str, Any]:
    state: State = job.state
    expires_at = int((job.requested + LASTS).timestamp())
    body = {"job": {"S": _JOB.dump_json(job).decode()}, "state": {"S": state}}
    return {**_key(job.job_id), **body, "expires_at": {"N": str(expires_at)}}


def _key(job_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"EXPORT#{job_id}"}, "sk": {"S": "JOB"}}
