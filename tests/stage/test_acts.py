"""What people do on the stage beside submissions is in its log: sign-ins, refused ones, queries. TRU-02."""

import json
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from strandline.aws.audit_entries import WAITING, queue_beside, read_told
from strandline.errors import RejectedInputError
from tests.stage.test_release import PASSWORD, Person


def entries(deployed):
    """What the log has, and what waits for it."""
    client, table = deployed.submissions.place
    waiting = client.query(
        TableName=queue_beside(table),
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": WAITING}},
    )["Items"]
    return [*(one for item in waiting for one in read_told(item)), *map(json.loads, deployed.audit.entries())]


def test_sign_ins_those_that_failed_and_queries_are_in_the_log(deployed, capsys, monkeypatch):
    ada = Person(deployed, "acts-ada", "author", capsys, monkeypatch)
    ada.token()
    with pytest.raises(RejectedInputError):
        deployed.user_admin.sign_in("acts-ada", f"{PASSWORD}?", "000000")
    pool = deployed.people.client.admin_get_user(UserPoolId=deployed.outputs["UserPoolId"], Username="acts-ada")
    (sub,) = [one["Value"] for one in pool["UserAttributes"] if one["Name"] == "sub"]
    asked = deployed._endpoint.client("athena").start_query_execution(
        QueryString="SELECT 1", WorkGroup=deployed.outputs["AthenaWorkgroup"]
    )
    wanted = {
        ("SIGNED_IN", f"user/{sub}", "Signed in"),
        ("REFUSED", f"user/{sub}", "Sign-in refused: NotAuthorizedException"),
        ("CONFIGURED", f"user/{sub}", "AdminAddUserToGroup"),
        ("QUERIED", f"query/{asked['QueryExecutionId']}", f"Asked in {deployed.outputs['AthenaWorkgroup']}"),
    }
    for _ in range(600):
        found = {(one["what"], one["record"], one["why"]) for one in entries(deployed)}
        if wanted <= found:
            return
        time.sleep(0.1)
    assert wanted <= found


def test_whom_the_doors_refuse_before_a_function_runs_is_in_the_log(deployed):
    """No token, a token of nobody, a request that nobody signed."""
    doors = (
        ("fhir", f"{deployed.outputs['FhirUrl']}/Patient", {}),
        ("fhir", f"{deployed.outputs['FhirUrl']}/Patient", {"Authorization": "Bearer e30.e30.e30"}),
        ("release", f"{deployed.outputs['ReleaseUrl']}/s-1/open", {}),
        ("ingest", f"{deployed.outputs['IngestUrl']}/ingest/s-1", {}),
    )
    for door, url, headers in doors:
        request = Request(url, headers=headers, method="POST" if door == "release" else "GET")  # noqa: S310 - this machine
        with pytest.raises(HTTPError):
            urlopen(request)  # noqa: S310
    wanted = {("door/fhir", "401"), ("door/release", "401"), ("door/ingest", "403")}
    for _ in range(300):
        told = [one for one in entries(deployed) if one["what"] == "REFUSED" and one["record"].startswith("door/")]
        if wanted <= {(one["record"], one["why"].split()[0]) for one in told}:
            break
        time.sleep(0.1)
    assert wanted <= {(one["record"], one["why"].split()[0]) for one in told}
    assert not any("s-1" in one["why"] or "Patient" in one["why"] for one in told)
