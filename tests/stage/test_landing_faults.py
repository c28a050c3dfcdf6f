"""Many uploads at once, and everything that can go wrong between the bucket and the table.

Events are duplicated, reordered, delayed and lost, and the registrar is killed again and again; each submission still
ends in its right state, none is lost, none is processed twice. `make bench` sends two hundred, by the variable
FAULTY_UPLOADS. Requirements: ING-02, ING-03, OPS-08.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from local_stage import lifecycle
from strandline.journey import MANIFEST_NAME, SubmissionState, landing_key, manifest_key
from tests.integration.conftest import READS, manifest_of

UPLOADS = int(os.environ.get("FAULTY_UPLOADS", "80"))
KILLS = 12
SEED = 20_261_122
WRONG_READS = dict.fromkeys(READS, b"no reads at all\n")
S = SubmissionState


@dataclass(frozen=True)
class Expected:
    """What becomes of one upload, and how many executions it takes."""

    code: str
    executions: int
    changes: tuple[S, ...]


COMPLETE = Expected("reference_unknown", 1, (S.RECEIVED, S.VALIDATING, S.QUARANTINED))
UNREADABLE = Expected("manifest_not_json", 1, (S.RECEIVED, S.VALIDATING, S.QUARANTINED))
REPLACED = Expected("reference_unknown", 1, (S.RECEIVED, S.VALIDATING, S.QUARANTINED))
INCOMPLETE = Expected("incomplete_submission", 0, (S.RECEIVED, S.QUARANTINED))


class FaultyBus:
    """Takes EventBridge's place: it doubles, mixes, delays and loses events on their way to the queue."""

    def __init__(self, sqs, queue_url: str) -> None:
        self._sqs, self._url = sqs, queue_url
        self._chance = random.Random(SEED)  # noqa: S311 - a seed makes it the same each time
        self._lock = threading.Lock()
        self._sequence = 0
        self.told = Counter()

    def tell(self, key: str, version_id: str, size: int) -> None:
        with self._lock:
            self._sequence += 1
            sequencer = f"{self._sequence:016X}"
            fault = self._chance.choices(["none", "twice", "late", "lost"], [60, 20, 12, 8])[0]
            delays = {"none": [0], "twice": [0, self._chance.randint(0, 3)], "late": [4], "lost": []}[fault]
            self.told[fault] += 1
        described = {"key": key, "size": size, "version-id": version_id, "sequencer": sequencer}
        event = {"time": "2026-11-22T08:00:00Z", "detail": {"object": described}}
        for delay_s in delays:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(event), DelaySeconds=delay_s)


class RegistrarKiller(threading.Thread):
    """Kills a worker of the registering function now and then, whatever it is at."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.killed = 0

    def run(self) -> None:
        server = psutil.Process(lifecycle.current("local").pid)
        chance = random.Random(SEED)  # noqa: S311 - a seed makes it the same each time
        while not self.over.wait(0.5) and self.killed < KILLS:
            with contextlib.suppress(psutil.Error):
                victims = [process for process in server.children(recursive=True) if _registers(process)]
                if victims:
                    chance.choice(victims).kill()
                    self.killed += 1


def _registers(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "").endswith("register-object")
    return False


@pytest.fixture
def faulty(deployed):
    """The stage with its own events switched off and killed registrars made up for within seconds."""
    events, sqs = (deployed._endpoint.client(name) for name in ("events", "sqs"))
    url = deployed.outputs["IntakeQueueUrl"]
    rule = "strandline-local-object-landed"
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    events.disable_rule(Name=rule)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "6"})
    yield FaultyBus(sqs, url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
    events.enable_rule(Name=rule)


def invoke_later(deployed, name: str, later: timedelta) -> None:
    """Let the schedule of a function go off at a time to come."""
    payload = json.dumps({"time": (datetime.now(UTC) + later).isoformat()})
    deployed._endpoint.client("lambda").invoke(FunctionName=f"strandline-local-{name}", Payload=payload)


def upload(deployed, s3, bus: FaultyBus, number: int) -> tuple[str, Expected]:
    """Send one submission in an order of its own; half are incomplete, and of ten uploads one replaces its files."""
    chance = random.Random(SEED + number)  # noqa: S311 - likewise
    submission_id = f"fault-{number}"
    manifest = manifest_of(READS).model_copy(
        update={"sample": manifest_of(READS).sample.model_copy(update={"sample_id": f"F{number}"})}
    )
    bodies = [*READS.items(), (MANIFEST_NAME, manifest.to_json())]
    chance.shuffle(bodies)
    expected = COMPLETE
    if number % 2 == 0:
        bodies = [item for item in bodies if item[0] != "R2.fastq.gz"]
        expected = INCOMPLETE
    elif number % 10 == 1:
        bodies = [(MANIFEST_NAME, b"{ no JSON")]
        expected = UNREADABLE
    elif number % 10 == 3:
        # the manifest comes last here: what landed before the start may be replaced, what landed after it may not
        bodies = [*WRONG_READS.items(), *READS.items(), (MANIFEST_NAME, manifest.to_json())]
        expected = REPLACED
    for name, body in bodies:
        key = landing_key(submission_id, name)
        stored = s3.put_object(Bucket=deployed.landing.bucket, Key=key, Body=body)
        bus.tell(key, stored["VersionId"], len(body))
    return submission_id, expected


def wait_until_the_queue_is_empty(deployed) -> None:
    counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    sqs = deployed._endpoint.client("sqs")
    while True:
        found = sqs.get_queue_attributes(QueueUrl=deployed.outputs["IntakeQueueUrl"], AttributeNames=counts)
        if not any(int(count) for count in found["Attributes"].values()):
            return
        time.sleep(0.2)


def test_many_uploads_at_once_end_in_their_right_state_whatever_happens_to_their_events(deployed, faulty):
    killer = RegistrarKiller()
    killer.start()
    s3 = deployed._endpoint.client("s3")
    with ThreadPoolExecutor(UPLOADS) as pool:
        sent = dict(pool.map(lambda number: upload(deployed, s3, faulty, number), range(UPLOADS)))
    wait_until_the_queue_is_empty(deployed)
    killer.over.set()
    killer.join()
    assert killer.killed >= UPLOADS // 40
    assert min(faulty.told.values()) >= UPLOADS // 10, faulty.told

    invoke_later(deployed, "sweep-landing", timedelta(minutes=10))
    waiting = {submission_id for submission_id, expected in sent.items() if expected is not INCOMPLETE}
    while waiting:
        waiting -= {record.submission_id for record in deployed.submissions.list_by_state(S.QUARANTINED)}
        time.sleep(0.5)
    invoke_later(deployed, "expire-submissions", timedelta(minutes=90))

    stepfunctions = deployed._endpoint.client("stepfunctions")
    pages = stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=deployed.outputs["SampleToReleaseArn"]
    )
    executions = Counter(execution["name"] for page in pages for execution in page["executions"])
    for submission_id, expected in sent.items():
        record = deployed.submissions.get(submission_id)
        assert (record.state, record.cause.code) == (S.QUARANTINED, expected.code), submission_id
        assert tuple(change.after for change in deployed.submissions.changes(submission_id)) == expected.changes
        assert executions[submission_id] == expected.executions, submission_id
        current = deployed.landing.current(manifest_key(submission_id))
        landed = {file.name: file.version_id for file in deployed.submissions.landed_files(submission_id)}
        assert landed[MANIFEST_NAME] == current.version_id
