"""Records are destroyed when nothing keeps them, as planned, by two persons, and the log says so first. TRU-06."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from strandline.aws.destruction import Destruction
from strandline.aws.holds import Holds
from strandline.aws.landed_files import LandedFile
from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError
from strandline.trust.retention import record_classes
from tests.integration.conftest import Aws

UNTIL = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)  # what is made here was locked until then
EARLIER, LATER = UNTIL - timedelta(days=1), UNTIL + timedelta(days=2)
WHY = "Its seven years are over"


@pytest.fixture
def destruction(aws: Aws) -> Destruction:
    for name in ("kept-landing", "kept-delivery"):
        aws.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL}
    for body in (b"one", b"three"):
        aws.s3.put_object(Bucket="kept-landing", Key="submissions/s-1/a.fastq.gz", Body=body, **lock)
    aws.s3.put_object(Bucket="kept-landing", Key="submissions/s-12/b.fastq.gz", Body=b"of another")
    aws.s3.put_bucket_versioning(Bucket="analysis", VersioningConfiguration={"Status": "Enabled"})
    aws.s3.put_object(Bucket="analysis", Key="submissions/s-1/calls.vcf.gz", Body=b"calls")
    aws.register("s-1", LandedFile("a.fastq.gz", "v1", 3))
    buckets = {
        "landing": "kept-landing",
        "delivery": "kept-delivery",
        "analysis": "analysis",
        "quarantine": "quarantine",
    }
    return Destruction(*aws.table.place, {purpose: S3Objects(aws.s3, name) for purpose, name in buckets.items()})


def destroy(destruction: Destruction, who: str, now: datetime = LATER, **changed: Any) -> int | None:
    plan = destruction.plan("s-1", changed.pop("record_class", "reads"), now)
    return destruction.destroy(plan, **{"digest": plan.digest, "who": who, "why": WHY, "now": now} | changed)


def refusal(act: Any) -> str:
    with pytest.raises(RejectedInputError) as refused:
        act()
    return refused.value.code


def left(aws: Aws) -> list[str]:
    return [one["Key"] for one in aws.s3.list_object_versions(Bucket="kept-landing").get("Versions", [])]


def entries(aws: Aws) -> list[tuple[str, str, str]]:
    told = [one for one in aws.waiting() if one["record"].startswith("destruction/")]
    return [(one["what"], one["who"], one["why"]) for one in told]


def test_a_plan_shows_every_version_of_the_submission_and_changes_nothing(aws, destruction):
    plan = destruction.plan("s-1", "reads", LATER)
    assert ([one.key for one in plan.versions], plan.size_bytes) == (["submissions/s-1/a.fastq.gz"] * 2, 8)
    assert plan.kept_by == []
    assert (len(left(aws)), entries(aws)) == (3, [])


def test_two_persons_destroy_what_was_shown_and_the_log_has_both(aws, destruction):
    assert destroy(destruction, "ada") is None
    assert len(left(aws)) == 3
    assert refusal(lambda: destroy(destruction, "ada")) == "second_person_missing"
    assert destroy(destruction, "ann") == 2
    assert left(aws) == ["submissions/s-12/b.fastq.gz"]
    assert entries(aws) == [("CONFIGURED", "ada", f"Asked to destroy: {WHY}"), ("DESTROYED", "ann", WHY)]
    assert refusal(lambda: destroy(destruction, "ann")) == "already_destroyed"


def test_what_its_days_or_a_hold_keep_is_not_destroyed(aws, destruction):
    assert refusal(lambda: destroy(destruction, "ada", EARLIER)) == "records_kept"
    assert destruction.plan("s-1", "reads", EARLIER).kept_by == [f"its days, until {UNTIL:%Y-%m-%d %H:%M} UTC"]
    buckets = {"landing": S3Objects(aws.s3, "kept-landing"), "delivery": S3Objects(aws.s3, "kept-delivery")}
    Holds(*aws.table.place, buckets).hold("s-1", who="law", why="Case 17/2026", now=EARLIER)
    kept_by = destruction.plan("s-1", "reads", LATER).kept_by
    assert kept_by == ["a legal hold on the submission", "a legal hold on 2 of its versions"]
    assert refusal(lambda: destroy(destruction, "ada")) == "records_kept"
    assert (len(left(aws)), entries(aws)) == (3, [])


def test_what_s3_keeps_beyond_what_our_clock_says_stays(aws, destruction):
    """A clock that runs ahead destroys nothing: S3 goes by its own."""
    until = datetime.now(UTC) + timedelta(days=300)
    key = "submissions/s-1/b.fastq.gz"
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    aws.s3.put_object(Bucket="kept-landing", Key=key, Body=b"two", **lock)
    ahead = until + timedelta(days=1)
    assert destroy(destruction, "ada", ahead) is None
    with pytest.raises(ClientError, match="AccessDenied"):
        destroy(destruction, "ann", ahead)
    assert key in left(aws)


def test_another_plan_than_the_one_that_was_shown_destroys_nothing(aws, destruction):
    shown = destruction.plan("s-1", "reads", LATER).digest
    assert destroy(destruction, "ada") is None
    aws.s3.put_object(Bucket="kept-landing", Key="submissions/s-1/late.fastq.gz", Body=b"late")
    assert refusal(lambda: destroy(destruction, "ann", digest=shown)) == "plan_changed"
    assert destroy(destruction, "ann") is None  # who asks for the new plan is its first person
    assert len(left(aws)) == 4
    assert refusal(lambda: destroy(destruction, "ann", why=" ")) == "reason_missing"


def test_a_hold_that_comes_in_between_stops_it(aws, destruction):
    destroy(destruction, "ada")
    plan = destruction.plan("s-1", "reads", LATER)
    buckets = {"landing": S3Objects(aws.s3, "kept-landing"), "delivery": S3Objects(aws.s3, "kept-delivery")}
    Holds(*aws.table.place, buckets).hold("s-1", who="law", why="Case 17/2026", now=LATER)
    assert (
        refusal(lambda: destruction.destroy(plan, digest=plan.digest, who="ann", why=WHY, now=LATER)) == "records_kept"
    )
    assert len(left(aws)) == 3


def test_one_that_was_broken_off_goes_on_and_spares_what_came_since(aws, destruction, monkeypatch):
    destroy(destruction, "ada")
    deleting, calls = S3Objects.delete_version, []

    def broken(self: S3Objects, key: str, version_id: str) -> None:
        calls.append(key)
        if len(calls) == 2:
            raise OSError("killed")
        deleting(self, key, version_id)

    monkeypatch.setattr(S3Objects, "delete_version", broken)
    with pytest.raises(OSError, match="killed"):
        destroy(destruction, "ann")
    monkeypatch.undo()
    assert destroy(destruction, "ann", digest="") == 1
    assert left(aws) == ["submissions/s-12/b.fastq.gz"]
    assert [what for what, _, _ in entries(aws)] == ["CONFIGURED", "DESTROYED"]


def test_one_person_destroys_what_can_be_made_again(aws, destruction):
    assert destroy(destruction, "ada", record_class="analysis") == 1
    assert aws.s3.list_objects_v2(Bucket="analysis").get("KeyCount") == 0
    assert refusal(lambda: destruction.plan("s-1", "audit", LATER)) == "class_not_destroyed"
    assert refusal(lambda: destruction.plan("s-9", "reads", LATER)) == "submission_unknown"
    assert {name for name, one in record_classes().items() if one.two_persons} == {"reads", "releases"}
