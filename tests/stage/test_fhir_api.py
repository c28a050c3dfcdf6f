"""The clinicians' door of the deployed stage: delivered, indexed, found by who may, refused to all others.

Requirements: CLN-02, SEC-02, TRU-01.
"""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from benchmarks.fhir_search import Client, deliver, sign_up, wait_for
from strandline.aws.audit_entries import WAITING, queue_beside, read_told

SUBJECT = "PT07007"


@pytest.fixture(scope="module")
def reader(deployed):
    """A clinician of the site `north`, after a release of that site was delivered."""
    deliver(deployed, "s-00000000fe11fe11", SUBJECT, 4)
    client = sign_up(deployed, "fhir-reader", "clinician", "site-north")
    wait_for(lambda: found(client, f"Patient?identifier={SUBJECT}"), within_s=60)
    return client


def found(client: Client, query: str) -> list[str]:
    status, body = client.ask(query)
    assert status == 200, body
    return [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in body.get("entry", [])]


def test_what_was_delivered_is_found_page_by_page_and_every_read_is_in_the_audit_log(reader, deployed):
    (patient,) = found(reader, f"Patient?identifier={SUBJECT}")
    (report,) = found(reader, f"DiagnosticReport?subject={patient}")
    assert reader.ask(report)[1]["status"] == "final"
    query, pages = f"Observation?subject={patient}&code=http://loinc.org|69548-6&_count=3", []
    while query:
        _, body = reader.ask(query)
        pages.append(len(body["entry"]))
        links = {link["relation"]: link["url"] for link in body["link"]}
        query = links.get("next", "").removeprefix(f"{reader.url}/")
    assert pages == [3, 1]
    dynamodb, table = deployed.submissions.place
    waiting = dynamodb.query(
        TableName=queue_beside(table),
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": WAITING}},
    )["Items"]
    records = [entry["record"] for item in waiting for entry in read_told(item)]
    entries = [*records, *(json.loads(line)["record"] for line in deployed.audit.entries())]
    assert entries.count("s-00000000fe11fe11") >= 6  # indexed once, read five times


def test_nobody_else_finds_it(reader, deployed):
    (patient,) = found(reader, f"Patient?identifier={SUBJECT}")
    stranger = sign_up(deployed, "fhir-stranger", "clinician", "site-south")
    assert found(stranger, f"Patient?identifier={SUBJECT}") == []
    assert stranger.ask(patient)[0] == 404
    researcher = sign_up(deployed, "fhir-researcher", "researcher", "site-north")
    assert researcher.ask(patient)[0] == 403
    head, body, signature = reader.token.split(".")
    for token in ("", "x", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA"):
        assert Client(reader.url, token).ask(patient)[0] == 401
    assert Client(reader.url, "").ask("metadata")[1]["fhirVersion"] == "4.0.1"


def test_all_that_a_clinician_may_see_is_exported_and_handed_over_by_links_alone(reader):
    asked = Request(  # noqa: S310 - the stage is on the loopback
        f"{reader.url}/$export?_type=Patient",
        headers={"Authorization": f"Bearer {reader.token}", "Prefer": "respond-async"},
    )
    with urlopen(asked) as begun:  # noqa: S310 - likewise
        assert begun.status == 202
        place = begun.headers["content-location"].removeprefix(f"{reader.url}/")
    wait_for(lambda: reader.ask(place)[0] == 200, within_s=60)
    (output,) = reader.ask(place)[1]["output"]
    with urlopen(output["url"]) as file:  # noqa: S310 - likewise
        patients = [json.loads(line) for line in file]
    assert output["count"] == len(patients)
    assert SUBJECT in {patient["identifier"][0]["value"] for patient in patients}
    with pytest.raises(HTTPError):
        urlopen(output["url"].replace("X-Amz-Expires=900", "X-Amz-Expires=9000"))  # noqa: S310 - likewise
