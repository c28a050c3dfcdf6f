"""`register_object`: events of the landing bucket, in any order and any number, start each submission exactly once."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from moto.sqs.models import sqs_backends

from strandline.aws.executions import ValidationAhead, Workflow
from strandline.aws.intake import Intake
from strandline.aws.intake_queue import IntakeQueue
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


@pytest.mark.parametrize("last", [MANIFEST_NAME, "R2.fastq.gz"])
def test_a_file_that_was_replaced_without_an_event_is_taken_as_it_is_when_the_rest_is_there(aws, register, last):
    """The lab sent R1 again before the start; the event of the second version is lost. Likewise of a manifest."""
    wrong = aws.land("s-1", "R1.fastq.gz", b"@wrong\n")
    register(batch(event_of("s-1", wrong)))
    events = land_all(aws)
    if last != MANIFEST_NAME:
        register(batch(events[MANIFEST_NAME]))
        corrected = manifest_of(READS).model_copy(update={"sample": SAMPLE.model_copy(update={"site": "north"})})
        aws.land("s-1", MANIFEST_NAME, corrected.to_json())
    for name in {*READS, MANIFEST_NAME} - {"R1.fastq.gz", last}:
        register(batch(events[name]))
    assert aws.executions() == []
    register(batch(events[last]))
    assert aws.executions() == ["s-1"]
    registered = {file.name: file.version_id for file in aws.table.landed_files("s-1")}
    for name, version_id in registered.items():
        assert version_id == aws.bucket("landing").current(landing_key("s-1", name)).version_id
    assert aws.table.manifest("s-1").sample.site == (None if last == MANIFEST_NAME else "north")


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


def test_a_late_file_is_kept_in_mind_and_one_event_too_many_is_not(aws, register):
    events = land_all(aws)
    register(batch(*events.values()))
    aws.table.move("s-1", SubmissionState.VALIDATING, who="t", why="t", now=NOW)
    register(batch(events["R1.fastq.gz"]))
    assert aws.table.late_files("s-1") == []
    late = aws.land("s-1", "R1.fastq.gz", b"other bytes")
    register(batch(event_of("s-1", late)))
    assert aws.table.late_files("s-1") == [late]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_a_file_that_was_replaced_before_the_start_the_later_version_stays(aws, register, reverse):
    first, second = (event_of("s-1", aws.land("s-1", "R1.fastq.gz", body)) for body in (b"first", b"second"))
    for event in [second, first] if reverse else [first, second]:
        register(batch(event))
    (kept,) = aws.table.landed_files("s-1")
    assert kept.version_id == second["detail"]["object"]["version-id"]


def test_an_event_of_a_file_that_is_gone_is_passed_over(aws, register):
    event = event_of("s-1", LandedFile("R1.fastq.gz", "v", 1))
    assert register(batch(event)) == {"batchItemFailures": []}
    assert aws.table.list_all() == []


def sweep(aws: Aws, later: timedelta) -> int:
    landing = aws.bucket("landing")
    door = Intake(
        aws.table,
        landing,
        Workflow(aws.stepfunctions, aws.state_machine_arn),
        ValidationAhead(aws.stepfunctions, aws.validate_ahead_arn),
    )
    return door.sweep(datetime.now(UTC) + later, settled=timedelta(minutes=5), window=timedelta(days=1))


def test_what_landed_without_any_event_is_found_by_the_sweep(aws):
    """ING-03, OPS-08."""
    land_all(aws)
    assert sweep(aws, timedelta(minutes=10)) == 1
    assert sweep(aws, timedelta(minutes=20)) in {0, 1}  # asking twice for a running execution is one execution
    assert aws.executions() == ["s-1"]


@pytest.mark.parametrize("lost", [MANIFEST_NAME, *READS])
def test_a_single_lost_event_is_made_up_for_by_the_sweep(aws, register, lost):
    events = land_all(aws)
    register(batch(*(event for name, event in events.items() if name != lost)))
    assert aws.executions() == []
    assert sweep(aws, timedelta(minutes=10)) == 1
    assert aws.executions() == ["s-1"]


def test_the_sweep_takes_the_version_that_replaced_a_registered_one(aws, register):
    register(batch(event_of("s-1", aws.land("s-1", "R1.fastq.gz", b"first"))))
    second = aws.land("s-1", "R1.fastq.gz", b"second")
    sweep(aws, timedelta(minutes=10))
    assert aws.table.landed_files("s-1") == [second]


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(days=2)])
def test_the_sweep_leaves_alone_what_is_still_landing_or_long_past(aws, later):
    land_all(aws)
    assert sweep(aws, later) == 0
    assert aws.table.list_all() == []


def test_an_event_that_comes_after_the_sweep_changes_nothing(aws, register):
    events = land_all(aws)
    sweep(aws, timedelta(minutes=10))
    before = aws.table.landed_files("s-1")
    register(batch(*events.values()))
    assert aws.table.landed_files("s-1") == before
    assert aws.executions() == ["s-1"]


def test_a_failed_message_comes_again_soon_instead_of_after_the_visibility_timeout(aws, register):
    queue = aws.environment["INTAKE_QUEUE_URL"]
    aws.sqs.send_message(QueueUrl=queue, MessageBody="not JSON")
    (message,) = aws.sqs.receive_message(QueueUrl=queue, VisibilityTimeout=3600)["Messages"]
    records = batch("not JSON")
    records["Records"][0] |= {
        "receiptHandle": message["ReceiptHandle"],
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    assert register(records)["batchItemFailures"] == [{"itemIdentifier": "m0"}]
    (held,) = sqs_backends["123456789012"]["us-east-1"].queues["intake"]._messages
    assert 0 < held.visible_at / 1000 - time.time() <= 2.1


def test_dead_letters_about_objects_are_replayed_and_others_stay(aws, register):
    queue = IntakeQueue(aws.sqs, aws.environment["INTAKE_QUEUE_URL"])
    dead_url = aws.sqs.create_queue(QueueName="dead")["QueueUrl"]
    for event in land_all(aws).values():
        aws.sqs.send_message(QueueUrl=dead_url, MessageBody=json.dumps(event))
    aws.sqs.send_message(QueueUrl=dead_url, MessageBody='{"requestContext": {"condition": "RetriesExhausted"}}')
    assert queue.replay_from(IntakeQueue(aws.sqs, dead_url)) == 3
    assert queue.depth() == 3
    messages = aws.sqs.receive_message(QueueUrl=aws.environment["INTAKE_QUEUE_URL"], MaxNumberOfMessages=10)["Messages"]
    register(batch(*(message["Body"] for message in messages)))
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


def test_an_event_that_fails_is_told_by_its_kind_and_under_no_other_submission(aws, register, said):
    events = land_all(aws)
    register(batch(events["R1.fastq.gz"], f"{{ no JSON of {SAMPLE.sample_id}"))
    text = said()
    (line,) = [line for line in text.splitlines() if "was not registered" in line and line.startswith("{")]
    assert '"kind":"JSONDecodeError"' in line
    assert "s-1" not in line
    assert '"RegistrationsFailed":[1.0]' in text
    assert names_nobody(text)


def test_no_line_names_the_sample_or_the_subject(aws, register, said):
    """House rule: no patient identifier in any log, metric or error."""
    register(batch(*land_all(aws).values(), "not JSON"))
    text = said()
    assert "SubmissionsStarted" in text
    assert '"submission_id":"s-1"' in text
    assert names_nobody(text)
    assert not names_nobody(f"... {SAMPLE.sample_id} ...")
    assert not names_nobody(str(replace(LandedFile("x", "v", 1), name=str(SAMPLE.subject_id))))
