"""Legal holds reach every version of what was sent and released, and say who, when and why. TRU-06.

Source: S3 user guide, "Object Lock legal hold": a held version cannot be deleted, and a hold has no end of its own.
"""

from datetime import UTC, datetime

import boto3
import pytest

from strandline.aws.audit_entries import WAITING, queue_beside, read_told
from strandline.aws.holds import Holds
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import LandedFile
from strandline.errors import RejectedInputError
from strandline.trust.retention import held_classes, record_classes

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
REASON = "Case 17/2026: do not destroy"


@pytest.fixture
def buckets(aws):
    s3 = aws.s3
    for name in ("held-landing", "held-delivery"):
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    for body in (b"one", b"two"):
        s3.put_object(Bucket="held-landing", Key="submissions/s-1/a.fastq.gz", Body=body)
    s3.put_object(Bucket="held-landing", Key="submissions/s-12/b.fastq.gz", Body=b"of another")
    s3.put_object(Bucket="held-delivery", Key="releases/s-1/0001/bundle.json", Body=b"{}")
    return {purpose: S3Objects(s3, f"held-{purpose}") for purpose in ("landing", "delivery")}


@pytest.fixture
def holds(aws, buckets):
    aws.register("s-1", LandedFile("a.fastq.gz", "v1", 3))
    return Holds(*aws.table.place, buckets)


def statuses(bucket, prefix):
    s3 = boto3.client("s3")
    versions = s3.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    found = []
    for one in versions:
        told = s3.get_object_legal_hold(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        found.append(told["LegalHold"].get("Status"))
    return found


def entries(holds):
    client, table = holds.place
    items = client.query(
        TableName=queue_beside(table),
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": WAITING}},
    )["Items"]
    found = [entry for item in items for entry in read_told(item)]
    return [(one["what"], one["record"], one["why"]) for one in found if "hold/" in one["record"]]


def test_a_hold_reaches_every_version_of_the_submission_and_of_no_other(holds):
    assert holds.hold("s-1", who="ann", why=REASON, now=NOW) == {"reads": 2, "releases": 1}
    assert statuses("held-landing", "submissions/s-1/") == ["ON", "ON"]
    assert statuses("held-delivery", "releases/s-1/") == ["ON"]
    assert "ON" not in statuses("held-landing", "submissions/s-12/")
    found = holds.find("s-1")
    assert (found.who, found.why) == ("ann", REASON)
    assert entries(holds) == [("CONFIGURED", "hold/s-1", REASON)]


def test_placed_again_it_reaches_what_came_since_and_keeps_who_was_first(holds):
    holds.hold("s-1", who="ann", why=REASON, now=NOW)
    boto3.client("s3").put_object(Bucket="held-delivery", Key="releases/s-1/0002/bundle.json", Body=b"{}")
    assert holds.hold("s-1", who="bob", why="another case", now=NOW) == {"reads": 2, "releases": 2}
    assert holds.find("s-1").who == "ann"
    assert statuses("held-delivery", "releases/s-1/") == ["ON", "ON"]


def test_lifted_everything_is_free_and_both_reasons_are_told(holds):
    holds.hold("s-1", who="ann", why=REASON, now=NOW)
    assert holds.lift("s-1", who="ann", why="The case is closed", now=NOW) == {"reads": 2, "releases": 1}
    assert statuses("held-landing", "submissions/s-1/") == ["OFF", "OFF"]
    assert holds.find("s-1") is None
    assert sorted(why for _, _, why in entries(holds)) == [REASON, "The case is closed"]


@pytest.mark.parametrize(
    ("act", "submission_id", "why", "code"),
    [
        ("hold", "s-none", REASON, "submission_unknown"),
        ("hold", "s-1", "  ", "reason_missing"),
        ("lift", "s-1", REASON, "hold_unknown"),
    ],
)
def test_what_cannot_be_held_or_lifted_changes_nothing(holds, act, submission_id, why, code):
    with pytest.raises(RejectedInputError) as refused:
        getattr(holds, act)(submission_id, who="ann", why=why, now=NOW)
    assert refused.value.code == code
    assert entries(holds) == []
    assert "ON" not in statuses("held-landing", "submissions/s-1/")


def test_a_class_whose_bucket_locks_nothing_is_not_one_that_can_be_held():
    assert {name for name, one in record_classes().items() if one.locked_for} >= set(held_classes())
    assert {one.bucket for one in held_classes().values()} == {"landing", "delivery"}
