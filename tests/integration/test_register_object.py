"""`register_object`: events of the landing bucket, in any order and any number, start each submission exactly once."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from strandline.aws.submissions import LandedFile
from strandline.journey import MANIFEST_NAME, SubmissionState, landing_key
from tests.integration.conftest import NOW, READS, SAMPLE, Aws, Handler, manifest_of, names_nobody

MANIFEST = manifest_of(READS)
_sequencers = count(1)


def event_of(submission_id: str, file: LandedFile) -> dict[str, Any]:
    """The event that EventBridge sends for an object (S3 user guide, "Object Created" events)."""
    return {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-11-22T08:00:00Z",
        "detail": {
            "bucket": {"name": "landing"},
            "object": {
                "key": landing_key(submission_id, file.name),
                "size": file.size_bytes,
                "version-id": file.version_id,
                "sequencer": f"{next(_sequencers):016X}",
            },
        },
    }


def batch(*bodies: Any) -> dict[str, Any]:
    """SQS's event for Lambda; message ids are m0, m1, and so on."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "x",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:intake",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


@pytest.fixture
def register(handler: Callable[[str], Handler]) -> Handler:
    return handler("register_object")


def land_all(aws: Aws, submission_id: str = "s-1", manifest: bytes | None = None) -> dict[str, dict[str, Any]]:
    """Upload a whole submission and return its events by file name."""
    bodies = {**READS, MANIFEST_NAME: manifest or MANIFEST.to_json()}
    return {name: event_of(submission_id, aws.land(submission_id, name, body)) for name, body in bodies.items()}


def state(aws: Aws, submission_id: str = "s-1") -> SubmissionState | None:
    record = aws.table.get(submission_id)
    return record.state if record else None


@pytest.mark.parametrize(
    "order", [[MANIFEST_NAME, *READS], [*READS, MANIFEST_NAME], ["R1.fastq.gz", MANIFEST_NAME, "R2.fastq.gz"]]
)
def test_the_last_file_of_the_manifest_starts_the_workflow_whichever_it_is(aws, register, order):
    """ING-03."""
    events = land_all(aws)
    for name in order:
        assert aws.executions() == []
        assert register(batch(events[name])) == {"batchItemFailures": []}
    assert aws.executions() == ["s-1"]
    assert aws.table.manifest("s-1") == MANIFEST


def test_all_in_one_batch_and_twice_is_one_start(aws, register):
    events = [*land_all(aws).values()]
    assert register(batch(*events, *events)) == {"batchItemFailures": []}
    register(batch(*events))
    assert aws.executions() == ["s-1"]
    assert len(aws.table.changes("s-1")) == 1


def test_a_manifest_that_cannot_be_read_starts_the_workflow_whose_first_step_says_why(aws, register):
    events = land_all(aws, manifest=b"{ not JSON")
    register(batch(events[MANIFEST_NAME]))
    assert aws.executions() == ["s-1"]


def test_a_manifest_that_names_more_than_landed_waits(aws, register):
    events = land_all(aws)
    register(batch(events[MANIFEST_NAME], events["R1.fastq.gz"]))
    assert aws.executions() == []
    assert state(aws) is SubmissionState.RECEIVED


@pytest.mark.parametrize("key", ["elsewhere/s-1/R1", "submissions/s-1/deep/R1", "submissions/S 1/R1", "submissions/"])
def test_an_object_that_belongs_to_no_submission_is_passed_over(aws, register, key):
    event = event_of("s-1", LandedFile("R1", "v", 1))
    event["detail"]["object"]["key"] = key
    assert register(batch(event)) == {"batchItemFailures": []}
    assert aws.table.list_all() == []


def test_one_bad_record_fails_alone(aws, register):
    events = land_all(aws)
    answer = register(batch("not JSON", events["R1.fastq.gz"], {"detail": {}}))
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["m0", "m2"]
    assert [file.name for file in aws.table.landed_files("s-1")] == ["R1.fastq.gz"]


def test_a_late_file_after_the_start_changes_nothing(aws, register):
    events = land_all(aws)
    register(batch(*events.values()))
    aws.table.move("s-1", SubmissionState.VALIDATING, who="t", why="t", now=NOW)
    before = aws.table.landed_files("s-1")
    late = aws.land("s-1", "R1.fastq.gz", b"other bytes")
    assert register(batch(event_of("s-1", late))) == {"batchItemFailures": []}
    assert aws.table.landed_files("s-1") == before
    assert aws.executions() == ["s-1"]


def test_a_bucket_without_versions_is_read_as_it_is(aws, register):
    aws.s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Suspended"})
    events = land_all(aws)
    for event in events.values():
        event["detail"]["object"].pop("version-id")
    register(batch(*events.values()))
    assert aws.executions() == ["s-1"]


def test_a_worker_killed_before_the_start_is_made_up_for_when_its_event_comes_again(aws, register, monkeypatch):
    """OPS-08."""
    events = land_all(aws)
    register(batch(events[MANIFEST_NAME], events["R1.fastq.gz"]))
    last = json.loads(batch(events["R2.fastq.gz"])["Records"][0]["body"])["detail"]["object"]
    file = LandedFile("R2.fastq.gz", last["version-id"], last["size"])
    assert aws.table.register_file("s-1", file, sequencer=last["sequencer"], now=NOW)  # and killed here
    register(batch(events["R2.fastq.gz"]))
    assert aws.executions() == ["s-1"]


def test_thirty_submissions_in_any_order_with_every_event_doubled_start_once_each(aws, register):
    """ING-03: events are duplicated, reordered and cut into batches at random; a few submissions never complete."""
    chance = random.Random(20_261_122)  # noqa: S311 - a seed makes it the same each time
    complete = [f"s-{number}" for number in range(27)]
    events = []
    for number in range(30):
        of_one = land_all(aws, f"s-{number}")
        if number >= 27:
            of_one.pop(chance.choice([*of_one]))
        events += list(of_one.values()) * chance.randint(1, 2)
    chance.shuffle(events)
    while events:
        size = chance.randint(1, 10)
        assert register(batch(*events[:size])) == {"batchItemFailures": []}
        events = events[size:]
    assert aws.executions() == sorted(complete)
    assert {len(aws.table.changes(f"s-{number}")) for number in range(30)} == {1}
    waiting = {record.submission_id for record in aws.table.list_by_state(SubmissionState.RECEIVED)}
    assert waiting == {f"s-{number}" for number in range(30)}  # the workflow itself moves them on


def test_no_line_names_the_sample_or_the_subject(aws, register, said):
    """House rule: no patient identifier in any log, metric or error."""
    register(batch(*land_all(aws).values(), "not JSON"))
    text = said()
    assert "SubmissionsStarted" in text
    assert '"submission_id":"s-1"' in text
    assert names_nobody(text)
    assert not names_nobody(f"... {SAMPLE.sample_id} ...")
    assert not names_nobody(str(replace(LandedFile("x", "v", 1), name=str(SAMPLE.subject_id))))
