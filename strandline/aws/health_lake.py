"""Loading a bulk export into AWS HealthLake. There is none in the embedded AWS.

Source: "Importing files to your data store", HealthLake developer guide: files of one resource a line under one S3
prefix, a role that the service takes on to read them, and a place for the job's own log under a KMS key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_exports import FhirExports
from strandline.errors import RejectedInputError
from strandline.fhir.served.access import Caller
from strandline.fhir.served.service import Read
from strandline.journey import EXPORT_PREFIX


@dataclass(frozen=True, slots=True)
class DataStore:
    """Where an export goes: the store's id, the role that reads the files, and the key of the job's log."""

    datastore_id: str
    role_arn: str
    key_arn: str


@dataclass(frozen=True, slots=True)
class Import:
    """An import job as HealthLake tells of it."""

    job_id: str
    status: str


@dataclass(frozen=True, slots=True)
class HealthLakeImports:
    """Starts and follows imports; `client` is HealthLake's."""

    client: Any
    bucket: str
    exports: FhirExports
    audit: FhirAudit
    caller: Caller

    def start(self, export_id: str, store: DataStore) -> Import:
        """Begin to load an export's files. The same export into the same store again is the same job.

        Raises:
            RejectedInputError: `export_unfinished`, where there is no such export, or its files are not all there.
        """
        job = self.exports.find(export_id)
        if job is None or job.state != "complete":
            raise RejectedInputError("export_unfinished", "there is no finished export of that id: begin one, and wait")
        self._tell(job.types)
        folder = f"s3://{self.bucket}/{EXPORT_PREFIX}{export_id}"
        begun = self.client.start_fhir_import_job(
            JobName=f"strandline-{export_id}",
            InputDataConfig={"S3Uri": f"{folder}/"},
            JobOutputDataConfig={"S3Configuration": {"S3Uri": f"{folder}-log/", "KmsKeyId": store.key_arn}},
            DatastoreId=store.datastore_id,
            DataAccessRoleArn=store.role_arn,
            ClientToken=export_id,
        )
        return Import(begun["JobId"], begun["JobStatus"])

    def status(self, job_id: str, datastore_id: str) -> Import:
        """Return how far an import is."""
        found = self.client.describe_fhir_import_job(DatastoreId=datastore_id, JobId=job_id)["ImportJobProperties"]
        return Import(found["JobId"], found["JobStatus"])

    def _tell(self, types: Sequence[str]) -> None:
        self.audit(self.caller, [Read("fhir/$export", f"loads an export of {', '.join(types)} into HealthLake")])
