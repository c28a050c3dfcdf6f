"""A release handed to another system: what is sent, when it is sent again, and what counts as taken. CLN-02.

What is expected is that of FHIR R4's transactions and conditional updates; the other system here does them in memory.
"""

import json
import re
from datetime import timedelta

import pytest

from strandline.errors import RejectedInputError, TemporaryError
from strandline.fhir.problems import Severity
from strandline.fhir.push import TRIES, Answered, check_endpoint, push_release, transaction_of
from strandline.fhir.validation import validate_document
from tests.unit.released_bundles import NOW, made_release

ENDPOINT = "https://ehr.example/fhir"


class OtherSystem:
    """Keeps what it is sent by the conditions of its requests; answers `first` before it takes anything."""

    def __init__(self, *first: Answered) -> None:
        self.first = list(first)
        self.held: dict[str, dict] = {}
        self.sent: list[dict] = []

    def send(self, body: bytes) -> Answered:
        self.sent.append(json.loads(body))
        if self.first:
            return self.first.pop(0)
        entries = []
        for entry in self.sent[-1]["entry"]:
            asked = entry["request"]
            key = asked["url"] if asked["method"] == "PUT" else f"{asked['url']}?{asked['ifNoneExist']}"
            entries.append({"response": {"status": "200 OK" if key in self.held else "201 Created"}})
            self.held[key] = entry["resource"]
        answer = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
        return Answered(200, json.dumps(answer).encode())


def push(other, submission_id="s-1", version=1, **of):
    made = made_release(submission_id, version, **of)
    resources = [resource for chunk in made.chunks.values() for resource in chunk]
    pauses: list[float] = []
    receipt = push_release(made.release, resources, ENDPOINT, other.send, clock=lambda: NOW, pause=pauses.append)
    return receipt, pauses, len(resources)


def test_a_release_is_created_once_however_often_it_is_sent():
    other = OtherSystem()
    first, _, count = push(other)
    again, _, _ = push(other)
    assert (first.created, first.updated, first.tries) == (count, 0, 1)
    assert (again.created, again.updated) == (0, count)
    assert len(other.held) == count
    assert first.sent_sha256 == again.sent_sha256


def test_an_amendment_updates_what_the_version_before_created():
    other = OtherSystem()
    _, _, before = push(other)
    amended, _, count = push(other, version=2, variants=2)
    assert amended.updated == count - 1  # all but the Provenance of the new version
    assert amended.created == 1
    assert len(other.held) == before + 1


def test_what_is_sent_is_a_sound_transaction_whose_references_stay_inside():
    made = made_release("s-1")
    resources = [resource for chunk in made.chunks.values() for resource in chunk]
    bundle = transaction_of(made.release, resources)
    found = [finding for finding in validate_document(bundle) if finding.severity is not Severity.INFORMATION]
    assert found == []
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    text = json.dumps(bundle)
    assert len(urls) == len(resources)
    assert '"reference": "urn:uuid:' in text
    assert not re.search(r"s-1\.[0-9a-f]{32}", text)  # no id of this server


def test_what_can_pass_is_tried_again_after_longer_and_longer_pauses():
    other = OtherSystem(Answered(0, b""), Answered(503, b""), Answered(429, b"", 7.0), Answered(500, b""))
    receipt, pauses, _ = push(other)
    assert pauses == [1.0, 2.0, 7.0, 8.0]
    assert receipt.tries == 5
    assert all(sent == other.sent[0] for sent in other.sent)


def test_an_endpoint_that_never_answers_is_given_up_and_one_that_asks_for_years_is_not_waited_for():
    with pytest.raises(TemporaryError, match="endpoint_unreachable"):
        push(OtherSystem(*[Answered(502, b"")] * TRIES))
    _, pauses, _ = push(OtherSystem(Answered(503, b"", timedelta(days=365).total_seconds())))
    assert pauses == [60.0]


def test_a_refusal_is_told_by_its_codes_and_never_by_its_words():
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "invalid", "diagnostics": "PT00042 is unknown"}]}
    with pytest.raises(RejectedInputError) as refused:
        push(OtherSystem(Answered(422, json.dumps(outcome).encode())))
    assert str(refused.value) == "push_refused: the endpoint answered 422: invalid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"resourceType":"Bundle","type":"transaction-response","entry":[]}',
        b'{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"400"}}]}',
        b'{"resourceType":"OperationOutcome"}',
    ],
)
def test_an_answer_that_does_not_say_of_everything_that_it_was_taken_is_no_receipt(body):
    with pytest.raises(RejectedInputError, match="push_unclear"):
        push(OtherSystem(Answered(200, body)))


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/fhir",
        "ehr.example",
        "https://",
        "https://u:p@ehr.example/",
        "https://e.example/?a=1",
        "file:///x",
        "https://[::1",
    ],
)
def test_an_endpoint_that_is_not_https_is_refused(url):
    with pytest.raises(RejectedInputError, match="endpoint_invalid"):
        check_endpoint(url)
    assert check_endpoint(f"{ENDPOINT}/") == ENDPOINT
