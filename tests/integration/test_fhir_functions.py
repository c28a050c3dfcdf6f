"""`index_release` and `serve_fhir`: from a delivered folder to an answer, and who gets none. CLN-02, SEC-02."""

import json
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import orjson
import pytest
from botocore.exceptions import ClientError

from strandline.aws import fhir_indexing
from strandline.aws.audit_entries import queue_beside
from strandline.aws.fhir_callers import caller_of
from strandline.errors import RejectedInputError
from strandline.fhir.served.access import SEE_EVERY_SITE
from strandline.trust.access import access_matrix
from strandline.trust.delivery import RELEASED, make_delivery
from strandline.trust.people import people
from tests.integration.conftest import Aws, Handler
from tests.integration.test_fhir_store import index
from tests.unit.released_bundles import signed_bundle
from tests.unit.test_release import DRAFTS, PUBLIC, record, signed

assert index  # the fixture makes the table
PERSON = {
    "sub": "u-7",
    "username": "a.person",
    "token_use": "access",
    "scope": "aws.cognito.signin.user.admin",
    "cognito:groups": "[clinician site-north]",
}
KEY = "releases/s-1/1/released.json"


@pytest.fixture
def served(aws: Aws, index, handler, monkeypatch):
    aws.s3.create_bucket(Bucket="delivery")
    for name, value in (
        ("DELIVERY_BUCKET", "delivery"),
        ("FHIR_TABLE", "fhir"),
        ("SUBMISSIONS_TABLE", "submissions"),
        ("FHIR_BASE_URL", "https://fhir.example/fhir"),
        ("ANALYSIS_BUCKET", "analysis"),
        ("EXPORT_FUNCTION", "export-fhir"),
    ):
        monkeypatch.setenv(name, value)
    return aws


def deliver(aws: Aws, submission_id: str, version: int = 1, *, kind: str = "release", spoilt: bool = False, **of: Any):
    """Write a delivery's files as a release does, the note last, and return the event that S3 sends of it."""
    folder = f"releases/{submission_id}/{version}/"
    files = {}
    if kind == "release":
        body = orjson.dumps(signed_bundle(submission_id, **of))
        files["bundle.json"] = sha256(body).hexdigest()
        aws.s3.put_object(Bucket="delivery", Key=f"{folder}bundle.json", Body=body + (b" " if spoilt else b""))
    amends = version - 1 if version > 1 else None
    note = {"submission_id": submission_id, "version": version, "kind": kind, "amends": amends, "files": files}
    note |= {"reason": "r", "record_sha256": "0" * 64, "making": 1}
    aws.s3.put_object(Bucket="delivery", Key=f"{folder}released.json", Body=json.dumps(note).encode())
    return {"detail": {"bucket": {"name": "delivery"}, "object": {"key": f"{folder}released.json"}}}


def ask(handler: Handler, path: str, query: str = "", *, claims: dict[str, str] | None = None, **also: Any) -> Any:
    event = {
        "rawPath": f"/fhir/{path}",
        "rawQueryString": query,
        "headers": {"accept": "application/fhir+json"},
        "requestContext": {"http": {"method": "GET"}, "authorizer": {"jwt": {"claims": claims, "scopes": None}}},
        **also,
    }
    if claims is None:
        del event["requestContext"]["authorizer"]
    answer = handler("serve_fhir")(event)
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None, answer["headers"]


def reports(handler: Handler, claims: dict[str, str] = PERSON) -> list[tuple[str, str]]:
    status, body, _ = ask(handler, "DiagnosticReport", claims=claims)
    assert status == 200, body
    return [(e["resource"]["status"], e["resource"]["meta"]["versionId"]) for e in body.get("entry", [])]


def waiting(aws: Aws, what: str) -> list[dict[str, str]]:
    return [entry for entry in aws.waiting() if entry["what"] == what]


def test_a_release_is_served_amended_and_withdrawn_as_it_is_delivered(served, handler):
    assert reports(handler) == []
    handler("index_release")(deliver(served, "s-1"))
    assert reports(handler) == [("final", "1")]
    amended = deliver(served, "s-1", 2, variants=2)
    handler("index_release")(amended)
    handler("index_release")(amended)
    assert reports(handler) == [("final", "2")]
    handler("index_release")(deliver(served, "s-1", 3, kind="withdrawal"))
    assert reports(handler) == [("entered-in-error", "3")]
    assert {item["who"] for item in waiting(served, "READ")} == {"u-7"}
    assert {item["role"] for item in waiting(served, "READ")} == {"clinician"}


def test_what_three_persons_signed_is_served_with_their_signatures_until_it_is_withdrawn(served, handler):
    first = record()
    second = record(version=2, kind="withdrawal", files=(), amends=1, previous=first.digest, reason="Wrong sample")
    for of, drafts, meanings in ((first, DRAFTS, ("author", "reviewer", "approver")), (second, {}, ("approver",))):
        folder = f"anywhere/s-1/{of.version:04d}/"
        for name, body in make_delivery(of, signed(of, meanings), PUBLIC, drafts).items():
            served.s3.put_object(Bucket="delivery", Key=f"{folder}{name}", Body=body)
        handler("index_release")({"detail": {"object": {"key": f"{folder}{RELEASED}"}}})
        if of is first:
            assert reports(handler) == [("final", "1")]
            _, body, _ = ask(handler, "Provenance", claims=PERSON)
            assert len(body["entry"][0]["resource"]["signature"]) == 3
    assert reports(handler) == [("entered-in-error", "2")]


def test_a_bundle_that_is_not_what_was_released_or_too_large_is_refused_and_told(served, handler, monkeypatch):
    with pytest.raises(RejectedInputError, match="delivery_changed"):
        handler("index_release")(deliver(served, "s-1", spoilt=True))
    monkeypatch.setattr(fhir_indexing, "_LARGEST_BUNDLE_BYTES", 1_000)
    with pytest.raises(RejectedInputError, match="fhir_too_large"):
        handler("index_release")(deliver(served, "s-2"))
    served.s3.put_object(Bucket="delivery", Key=KEY, Body=b"{}")
    with pytest.raises(RejectedInputError, match="delivery_unreadable"):
        handler("index_release")({"detail": {"object": {"key": KEY}}})
    assert reports(handler) == []
    assert len(waiting(served, "REFUSED")) == 3


def test_every_answer_is_json_of_fhir_that_no_cache_keeps(served, handler):
    for path in ("metadata", "Patient", "nonsense", "Patient/x"):
        _, body, headers = ask(handler, path, claims=PERSON)
        assert headers["content-type"].startswith("application/fhir+json")
        assert headers["cache-control"] == "no-store"
        assert body["resourceType"]


RIGHTS = (
    ({}, 200),
    ({"cognito:groups": "[site-north]"}, 403),
    ({"cognito:groups": "[researcher site-north]"}, 403),
    ({"cognito:groups": "[admin]"}, 403),
    ({"cognito:groups": "[compliance]"}, 403),  # who verifies signatures sees Provenance alone
    ({"scope": "user/Patient.rs"}, 403),
    ({"scope": "user/DiagnosticReport.rs"}, 200),
    ({"cognito:groups": "[researcher site-north]", "scope": "user/*.rs"}, 403),  # no scope gives more than a group
    ({"token_use": "id"}, 401),
    ({"sub": ""}, 401),
)


def test_groups_and_scopes_decide_together(served, handler):
    refused = 0
    for changed, status in RIGHTS:
        answered, body, _ = ask(handler, "DiagnosticReport", claims=PERSON | changed)
        assert answered == status, changed
        assert body["resourceType"] == ("Bundle" if status == 200 else "OperationOutcome")
        refused += status == 403
        assert len(waiting(served, "REFUSED")) == refused


def test_a_clinician_of_another_site_finds_and_reads_nothing_and_asking_is_told(served, handler):
    handler("index_release")(deliver(served, "s-1"))
    _, body, _ = ask(handler, "Patient", claims=PERSON)
    name = body["entry"][0]["resource"]["id"]
    stranger = PERSON | {"cognito:groups": "[clinician site-south]", "sub": "u-8"}
    assert reports(handler, stranger) == []
    status, body, _ = ask(handler, f"Patient/{name}", claims=stranger)
    assert (status, "PT00042" in str(body)) == (404, False)
    assert [item["who"] for item in waiting(served, "REFUSED")] == ["u-8"]


def test_a_program_sees_the_sites_of_its_scopes(served, handler):
    handler("index_release")(deliver(served, "s-1"))
    program = {"sub": "client-1", "client_id": "client-1", "token_use": "access"}
    assert reports(handler, program | {"scope": "system/*.rs site/north"}) == [("final", "1")]
    assert reports(handler, program | {"scope": "system/*.rs site/*"}) == [("final", "1")]
    assert reports(handler, program | {"scope": "system/*.rs"}) == []
    assert ask(handler, "Patient", claims=program | {"scope": "user/*.rs site/north"})[0] == 403


def test_who_sees_every_site_is_who_sees_all_rows_of_the_lake():
    roles = access_matrix().roles
    granted = {group for group in people().groups if people().scopes_of([group])}
    assert {group for group in granted & roles.keys() if roles[group].rows == "all"} == SEE_EVERY_SITE
    both = caller_of({"jwt": {"claims": PERSON | {"cognito:groups": "[clinician compliance site-north]"}}})
    assert both is not None
    assert both.sites == {"north"}


def test_where_the_table_does_not_answer_nothing_of_it_is_told(served, handler, caplog):
    served.dynamodb.delete_table(TableName="fhir")
    status, body, _ = ask(handler, "Patient", "identifier=PT00042", claims=PERSON)
    assert (status, body["issue"][0]["code"]) == (503, "transient")
    assert "fhir" not in body["issue"][0]["diagnostics"]


def test_without_the_audit_log_nothing_is_answered(served, handler):
    handler("index_release")(deliver(served, "s-1"))
    served.dynamodb.delete_table(TableName=queue_beside("submissions"))
    status, body, _ = ask(handler, "Patient", claims=PERSON)
    assert (status, body["resourceType"]) == (503, "OperationOutcome")


def test_a_search_may_come_in_a_body_and_percent_encoded(served, handler):
    handler("index_release")(deliver(served, "s-1"))
    form = {"accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
    context = {"http": {"method": "POST"}, "authorizer": {"jwt": {"claims": PERSON}}}
    status, body, _ = ask(
        handler,
        "Patient/_search",
        claims=PERSON,
        headers=form,
        requestContext=context,
        body="aWRlbnRpZmllcj1QVDAwMDQy",
        isBase64Encoded=True,
    )
    assert (status, body["total"]) == (200, 1)
    name = body["entry"][0]["resource"]["id"]
    assert ask(handler, f"Patient/{name}/%24everything", claims=PERSON)[0] == 200


def test_no_log_line_names_a_patient(served, handler, capsys):
    handler("index_release")(deliver(served, "s-1"))
    ask(handler, "Patient", "identifier=PT00042", claims=PERSON)
    ask(handler, "Patient", "identifier=PT00042&date:above=PT00042", claims=PERSON)
    written = capsys.readouterr()
    assert "FhirRequestsReceived" in written.out
    assert "PT00042" not in written.out + written.err


INJECTED = (
    *("date=%27%20OR%20%271%27%3D%271%27%20PT00042", "date=%7B%24ne%3A1%7D", "_count=PT00042", "_id=..%2FPT00042"),
    *("patient.identifier=%00PT00042", "patient.identifier=PT00042%FF", "code=%27%20OR%20PT00042", "_cursor=PT00042"),
)


def test_a_search_that_cannot_be_meant_finds_nothing_is_in_the_audit_log_and_is_repeated_nowhere(
    served, handler, capsys
):
    """Whether it is refused or finds nothing: who asked is told, and nothing of what they sent."""
    handler("index_release")(deliver(served, "s-1"))
    statuses = []
    for told, query in enumerate(INJECTED, start=1):
        status, body, _ = ask(handler, "Observation", query, claims=PERSON)
        statuses.append(status)
        assert "PT00042" not in json.dumps(body.get("issue", []))
        assert not body.get("entry")
        assert len(waiting(served, "REFUSED")) + len(waiting(served, "READ")) == told
    assert set(statuses) <= {200, 400}
    assert statuses.count(400) == len(waiting(served, "REFUSED")) >= 5
    entries = waiting(served, "REFUSED")
    assert {(entry["who"], entry["role"], entry["record"]) for entry in entries} == {("u-7", "clinician", "fhir")}
    written = capsys.readouterr()
    assert "PT00042" not in json.dumps(entries) + written.out + written.err


class Begun:
    """Takes the place of Lambda's client, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.events: list[dict[str, str]] = []

    def invoke(self, **asked: Any) -> None:
        assert (asked["FunctionName"], asked["InvocationType"]) == ("export-fhir", "Event")
        self.events.append(json.loads(asked["Payload"]))


@pytest.fixture
def begun(served, handler, monkeypatch):
    """Two releases of two sites, and what an export that was begun is told."""
    handler("index_release")(deliver(served, "s-1"))
    handler("index_release")(deliver(served, "s-2", subject="PT00043", site="south"))
    begun, client = Begun(), boto3.client
    monkeypatch.setattr(boto3, "client", lambda name, **how: begun if name == "lambda" else client(name, **how))
    return begun


def kick_off(handler: Handler, path: str = "$export", query: str = "", claims: dict[str, str] = PERSON) -> Any:
    return ask(handler, path, query, claims=claims, headers={"prefer": "respond-async", "accept": "*/*"})


def lines(aws: Aws, url: str) -> list[dict[str, Any]]:
    key = unquote(urlsplit(url).path).partition("/analysis/")[2] or unquote(urlsplit(url).path).lstrip("/")
    body = aws.s3.get_object(Bucket="analysis", Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_an_export_is_begun_made_and_handed_over_to_who_asked(served, handler, begun):
    status, _, headers = kick_off(handler, query="_type=Patient,Observation")
    assert status == 202
    place = headers["content-location"].removeprefix("https://fhir.example/fhir/")
    assert ask(handler, place, claims=PERSON)[0] == 202
    (event,) = begun.events
    assert handler("export_fhir")(event) == {"releases": 1}
    assert handler("export_fhir")(event) == {"releases": 1}  # an event may come twice
    status, manifest, _ = ask(handler, place, claims=PERSON)
    assert (status, manifest["error"], manifest["requiresAccessToken"]) == (200, [], False)
    counts = {output["type"]: output["count"] for output in manifest["output"]}
    (patient,) = lines(served, next(output["url"] for output in manifest["output"] if output["type"] == "Patient"))
    assert patient["identifier"][0]["value"] == "PT00042"  # the site's own subject, and no other's
    expected = sum(entry["resource"]["resourceType"] == "Observation" for entry in signed_bundle("s-1")["entry"])
    assert counts == {"Patient": 1, "Observation": expected}
    assert ask(handler, place, claims=PERSON | {"sub": "u-8"})[0] == 404
    exported = [item for item in waiting(served, "READ") if "exported" in item["why"]]
    assert [item["record"] for item in exported] == ["s-1"]


def test_an_export_of_another_site_without_a_scope_or_not_asynchronous_is_refused(served, handler, begun):
    assert kick_off(handler, "Group/south/$export")[0] == 404
    assert kick_off(handler, claims=PERSON | {"cognito:groups": "[researcher site-north]"})[0] == 403
    assert kick_off(handler, query="_type=Patient", claims=PERSON | {"scope": "user/Observation.rs"})[0] == 403
    assert kick_off(handler, query="_type=Basic")[0] == 400
    assert kick_off(handler, query="_typeFilter=Patient")[0] == 400
    assert ask(handler, "$export", claims=PERSON)[0] == 400
    assert begun.events == []
    assert kick_off(handler, "Group/north/$export")[0] == 202


def test_an_export_that_is_cancelled_is_nobodys_and_one_that_fails_says_so(served, handler, begun):
    _, _, headers = kick_off(handler)
    place = headers["content-location"].removeprefix("https://fhir.example/fhir/")
    context = {"http": {"method": "DELETE"}, "authorizer": {"jwt": {"claims": PERSON}}}
    assert ask(handler, place, claims=PERSON, requestContext=context)[0] == 202
    assert ask(handler, place, claims=PERSON)[0] == 404
    assert handler("export_fhir")(begun.events[-1]) == {"releases": 0}
    _, _, headers = kick_off(handler)
    place = headers["content-location"].removeprefix("https://fhir.example/fhir/")
    served.s3.delete_bucket(Bucket="analysis")
    with pytest.raises(ClientError):
        handler("export_fhir")(begun.events[-1])
    status, body, _ = ask(handler, place, claims=PERSON)
    assert (status, body["resourceType"]) == (500, "OperationOutcome")
