"""Executions of the release workflow that somebody starts by hand deliver nothing. TRU-05, CLN-04.

Whoever may start executions and write the table still has no key: each try ends at a step that verifies for itself.
"""

import json
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from strandline.aws.releases import Releases
from strandline.journey import SubmissionState as S
from tests.stage.test_release import Person, audited, wait_for
from tests.unit.test_release import record, signed

SUBMISSION = "forged-release"


@pytest.fixture(scope="module")
def in_review(deployed):
    """A submission in review, made in the table by hand."""
    table, now = deployed.submissions, datetime.now(UTC)
    assert table.transact(table.creation(SUBMISSION, now))
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        table.move(SUBMISSION, state, who="by.hand", why="Forged", now=now)
    return SUBMISSION


def start(deployed, name, **told):
    """Start an execution by hand; return what waits for how it ends."""
    steps = deployed._endpoint.client("stepfunctions")
    arn = steps.start_execution(stateMachineArn=deployed.outputs["ReleaseArn"], name=name, input=json.dumps(told))
    return lambda: wait_for(
        lambda: steps.describe_execution(executionArn=arn["executionArn"]), lambda found: found["status"] != "RUNNING"
    )


def forge(deployed, version):
    """Write a version and its signatures into the table as if they had been given, under a key of one's own."""
    releases, now = Releases(*deployed.submissions.place), datetime.now(UTC)
    before = {"amends": 1, "previous": "0" * 64, "reason": "Forged"}
    of = record(submission_id=SUBMISSION, version=version, policy="two_persons", kind="withdrawal", files=(), **before)
    asking = releases.asking(SUBMISSION, version, "withdrawal", who="by.hand", why="Forged", now=now)
    assert releases.transact([asking])
    assert releases.transact([releases.freezing(of)])
    for place, signature in enumerate(signed(of, ("approver",), sign_in=f"forged-{version}")):
        item = releases.signing(signature, place, now)[0]
        assert releases.transact([item])


def test_executions_that_were_started_by_hand_deliver_nothing(deployed, in_review, tmp_path):
    claims = {"signed": True, "signatures": ["made up"], "Next": "DeliverRelease", "kind": "withdrawal"}
    forge(deployed, 3)
    started = [
        start(deployed, "by-hand-1", submission_id=in_review, version=7, **claims),
        start(deployed, "by-hand-2", submission_id="nobody", version=1, **claims),
        start(deployed, "by-hand-3", submission_id=in_review, version=3, **claims),
    ]
    assert [wait()["status"] for wait in started] == ["FAILED"] * 3
    assert deployed.submissions.get(in_review).state is S.IN_REVIEW
    s3, bucket = deployed._endpoint.client("s3"), deployed.outputs["DeliveryBucket"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix=f"releases/{in_review}/").get("KeyCount") == 0
    refused = [why for what, _, why in audited(deployed, tmp_path, in_review) if what == "REFUSED"]
    assert sorted(refused) == ["refused: release_unknown", "refused: signature_key"]


def ask(deployed, token, submission_id):
    body = json.dumps({"version": 1, "record_sha256": "0" * 64, "meaning": "author"}).encode()
    url = f"{deployed.outputs['ReleaseUrl']}/{submission_id}/sign"
    request = Request(url, body, {"Authorization": f"Bearer {token}"})  # noqa: S310 - the stage is on the loopback
    try:
        with urlopen(request) as answer:  # noqa: S310 - likewise
            return answer.status, json.load(answer)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_the_signers_door_lets_tokens_of_the_pool_through_to_the_desk_and_no_other(deployed, capsys, monkeypatch):
    given = Person(deployed, "door-ada", "author", capsys, monkeypatch).token()
    status, told = ask(deployed, given, "nobody")
    assert (status, told["title"]) == (404, "submission_unknown")
    head, body, signature = given.split(".")
    for token in ("", "x", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA"):
        assert ask(deployed, token, "nobody") == (401, {"message": "Unauthorized"})
