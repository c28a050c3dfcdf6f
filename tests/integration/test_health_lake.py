"""An export is loaded into HealthLake by the request that its own service model describes. CLN-02."""

import boto3
import pytest
from botocore.stub import Stubber

from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_exports import FhirExports
from strandline.aws.health_lake import DataStore, HealthLakeImports
from strandline.errors import RejectedInputError
from strandline.fhir.served.access import Caller
from strandline.fhir.served.bulk import ExportJob
from tests.integration.test_fhir_store import index
from tests.unit.released_bundles import NOW

assert index  # the fixture makes the table
EXPORT = "0" * 31 + "1"
STORE = DataStore("a" * 32, "arn:aws:iam::123456789012:role/reader", "arn:aws:kms:us-east-1:123456789012:key/k")


@pytest.fixture
def lake(index, aws):
    """What starts imports, and the stand-in for HealthLake, which holds requests to the service model."""
    client = boto3.client("healthlake", region_name="us-east-1")
    desk = FhirExports(aws.dynamodb, "fhir", lambda: NOW, s3=aws.s3, bucket="analysis", function=(Starts(), "f"))
    audit = FhirAudit(aws.dynamodb, "submissions", lambda: NOW)
    with Stubber(client) as stub:
        yield HealthLakeImports(client, "analysis", desk, audit, Caller("a", "operator", ())), stub, desk


class Starts:
    def invoke(self, **_):
        pass


def job(state):
    return ExportJob(EXPORT, "u-7", "clinician", None, ("Patient",), None, "https://x", NOW, state)


def test_a_finished_export_is_loaded_once_and_told_to_the_log(lake, aws):
    imports, stub, desk = lake
    desk.open(job("complete"))
    asked = {
        "JobName": f"strandline-{EXPORT}",
        "InputDataConfig": {"S3Uri": f"s3://analysis/exports/{EXPORT}/"},
        "JobOutputDataConfig": {
            "S3Configuration": {"S3Uri": f"s3://analysis/exports/{EXPORT}-log/", "KmsKeyId": STORE.key_arn}
        },
        "DatastoreId": STORE.datastore_id,
        "DataAccessRoleArn": STORE.role_arn,
        "ClientToken": EXPORT,  # what makes a second request the first one's job
    }
    stub.add_response("start_fhir_import_job", {"JobId": "b" * 32, "JobStatus": "SUBMITTED"}, asked)
    assert imports.start(EXPORT, STORE).status == "SUBMITTED"
    stub.assert_no_pending_responses()
    assert [entry["why"] for entry in aws.waiting()] == ["loads an export of Patient into HealthLake"]


@pytest.mark.parametrize("state", ["accepted", "failed", "cancelled", None])
def test_an_export_that_is_not_whole_is_not_loaded(lake, state):
    imports, _, desk = lake
    if state:
        desk.open(job(state))
    with pytest.raises(RejectedInputError, match="export_unfinished"):
        imports.start(EXPORT, STORE)
