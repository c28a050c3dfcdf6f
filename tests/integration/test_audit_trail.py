"""State changes reach the audit log or do not happen, once, in order, signed. TRU-01, TRU-02."""

import json

import boto3
import pytest

from strandline.aws.audit_trail import AuditTrail, SigningKey
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState as S
from strandline.trust.entries import parse_entry
from strandline.trust.verification import Fault, verify_log
from tests.integration.conftest import NOW, READS, Aws, manifest_of, names_nobody


@pytest.fixture
def key(aws: Aws) -> SigningKey:
    kms = boto3.client("kms")
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    return SigningKey(kms, made)


@pytest.fixture
def trail(aws: Aws) -> AuditTrail:
    aws.s3.create_bucket(Bucket="audit")
    return AuditTrail(aws.dynamodb, "submissions", aws.bucket("audit"), "strandline-test")


def entries(trail: AuditTrail) -> list:
    return [parse_entry(line) for line in trail.entries()]


def test_every_change_of_state_is_in_the_log_once_and_the_log_is_whole(aws, trail, key):
    aws.submit("s-1", READS, manifest_of(READS))
    aws.table.move("s-1", S.VALIDATING, who="sample_to_release", why="All files landed", now=NOW)
    aws.table.move("s-1", S.VALIDATING, who="sample_to_release", why="All files landed", now=NOW)
    aws.table.move("s-1", S.QUARANTINED, who="sample_to_release", why="line 3:\nno base", now=NOW)
    aws.table.reopen("s-1", who="a.person", why="Released: known lane", now=NOW)
    assert trail.waiting_count() == 4
    assert trail.seal(key, NOW) == 4
    assert trail.seal(key, NOW) == trail.waiting_count() == 0

    found = sorted(entries(trail), key=lambda entry: entry.sequence)
    assert {(entry.who, entry.role, entry.why) for entry in found} == {
        ("register_object", "platform", "First file landed."),
        ("sample_to_release", "platform", "All files landed"),
        ("sample_to_release", "platform", "line 3: no base"),
        ("a.person", "person", "Released: known lane"),
    }
    verified = verify_log(trail.entries(), list(trail.heads()), key.public_key())
    assert (verified.is_whole, verified.size, verified.signed_size) == (True, 4, 4)
    assert all(names_nobody(line.decode()) for line in trail.entries())


def test_each_entry_holds_the_digest_that_the_next_one_begins_with(aws, trail, key):
    aws.submit("s-1", READS, manifest_of(READS))
    for state in (S.VALIDATING, S.ANALYSING):
        aws.table.move("s-1", state, who="sample_to_release", why="It was due", now=NOW)
        trail.seal(key, NOW)
    first, second, third = entries(trail)
    assert first.before is None
    assert (second.before, third.before) == (first.after, second.after)


def test_a_change_that_does_not_happen_is_not_in_the_log(aws, trail, key):
    aws.submit("s-1", READS, manifest_of(READS))
    with pytest.raises(RejectedInputError, match="cannot become"):
        aws.table.move("s-1", S.RELEASED, who="someone", why="Because", now=NOW)
    assert trail.seal(key, NOW) == 1


def test_what_the_log_would_refuse_is_made_fit_for_it_and_holds_up_nothing(aws, trail, key):
    aws.submit("s-1", READS, manifest_of(READS))
    aws.table.move("s-1", S.VALIDATING, who="x" * 3_000, why="\x07 ", now=NOW)
    aws.table.move("s-1", S.ANALYSING, who=" ", why="y" * 5_000, now=NOW)
    assert trail.seal(key, NOW) == 3
    told = [(len(entry.who), len(entry.why)) for entry in entries(trail)][1:]
    assert told == [(256, len("no reason was given")), (len("unknown"), 2_000)]


def test_more_than_one_transaction_holds_goes_into_the_log_in_turns(aws, trail, key):
    for number in range(95):
        aws.register(f"s-{number}", aws.land(f"s-{number}", "a.fastq.gz", b"x"))
    assert trail.seal(key, NOW) == 95
    assert [entry.sequence for entry in entries(trail)] == list(range(95))
    assert verify_log(trail.entries(), list(trail.heads()), key.public_key()).is_whole


def test_two_who_seal_at_once_give_each_entry_one_place(aws, trail, key):
    """The second read the same queue and the same size: its transaction is refused, and its object named by none."""
    aws.submit("s-1", READS, manifest_of(READS))
    waiting = trail._waiting()
    assert trail.seal(key, NOW) == 1
    assert not trail._append(waiting, NOW)
    assert len(entries(trail)) == 1


def test_a_seal_that_is_cut_before_its_transaction_loses_nothing(aws, trail, key, monkeypatch):
    aws.submit("s-1", READS, manifest_of(READS))
    monkeypatch.setattr(AuditTrail, "transact", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        trail.seal(key, NOW)
    monkeypatch.undo()
    assert trail.seal(key, NOW) == 1
    assert verify_log(trail.entries(), list(trail.heads()), key.public_key()).is_whole


def test_a_changed_object_or_a_dropped_chunk_shows(aws, trail, key):
    for number in range(3):
        aws.register(f"s-{number}", aws.land(f"s-{number}", "a.fastq.gz", b"x"))
        trail.seal(key, NOW)
    public = key.public_key()
    chunks = [found.key for found in aws.bucket("audit").list_current("entries/")]
    body = aws.bucket("audit").read(chunks[1], limit_bytes=1 << 20)
    forged = json.loads(body) | {"who": "nobody"}
    aws.bucket("audit").write(chunks[1], json.dumps(forged, sort_keys=True, separators=(",", ":")).encode())
    assert Fault.REWRITTEN in {one.fault for one in verify_log(trail.entries(), list(trail.heads()), public).problems}
    aws.dynamodb.delete_item(TableName="submissions", Key={"pk": {"S": "AUDIT"}, "sk": {"S": f"CHUNK#{2:015d}"}})
    assert Fault.TRUNCATED in {one.fault for one in verify_log(trail.entries(), list(trail.heads()), public).problems}
