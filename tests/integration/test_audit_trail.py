"""State changes reach the audit log or do not happen, once, in order, signed. TRU-01, TRU-02."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from strandline.aws.audit_entries import WAITING, entry_fields, put_waiting, queue_beside, waiting_entries
from strandline.aws.audit_trail import AuditTrail, SigningKey
from strandline.aws.objects import S3Objects
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
    return aws.trail()


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


def test_more_than_one_chunk_holds_goes_into_the_log_in_turns(aws, trail, key, monkeypatch):
    monkeypatch.setattr("strandline.aws.audit_trail._MOST_AT_ONCE", 7)
    for number in range(30):
        aws.register(f"s-{number}", aws.land(f"s-{number}", "a.fastq.gz", b"x"))
    assert trail.seal(key, NOW) == 30
    assert [entry.sequence for entry in entries(trail)] == list(range(30))
    assert len(list(aws.bucket("audit").list_current("entries/"))) == 5
    assert verify_log(trail.entries(), list(trail.heads()), key.public_key()).is_whole


def test_entries_of_one_act_wait_in_one_item_and_stand_in_their_order(aws, trail, key):
    told = [entry_fields("READ", f"s-{n}", who="u-1", role="clinician", why="read", now=NOW) for n in range(3)]
    put_waiting(aws.dynamodb, waiting_entries("submissions", told, NOW))
    assert trail.waiting_count() == 1
    assert trail.seal(key, NOW) == 3
    assert [entry.record for entry in entries(trail)] == ["s-0", "s-1", "s-2"]


def test_two_who_seal_at_once_give_each_entry_one_place(aws, trail, key):
    """The second read the same queue and the same size: its transaction is refused, and its object named by none."""
    aws.submit("s-1", READS, manifest_of(READS))
    state, (waiting, _) = trail._state(), trail._waiting()
    assert trail.seal(key, NOW) == 1
    assert not trail._append(state, waiting, NOW)
    assert len(entries(trail)) == 1


def test_how_long_the_oldest_entry_waited_is_told_each_time_and_is_nothing_where_none_waits(
    aws, trail, key, handler, monkeypatch, said
):
    assert trail.oldest_waits_s(NOW) == 0
    aws.submit("s-1", READS, manifest_of(READS))
    aws.table.move("s-1", S.VALIDATING, who="sample_to_release", why="It was due", now=NOW + timedelta(minutes=5))
    assert trail.oldest_waits_s(NOW + timedelta(minutes=11)) == 660
    assert trail.oldest_waits_s(NOW - timedelta(minutes=1)) == 0  # a clock that runs behind
    long_ago = NOW - timedelta(days=3_000)  # before any clock on which this runs
    told = entry_fields("READ", "s-1", who="u-1", role="clinician", why="read", now=long_ago)
    put_waiting(aws.dynamodb, waiting_entries("submissions", [told], long_ago))
    for name in ("AUDIT_QUEUE_TABLE", "AUDIT_LOG_TABLE", "AUDIT_BUCKET", "AUDIT_LOG", "AUDIT_SIGNING_KEY"):
        monkeypatch.setenv(name, {"AUDIT_QUEUE_TABLE": queue_beside("submissions")}.get(name, "audit-log"))
    monkeypatch.setenv("AUDIT_BUCKET", "audit")
    monkeypatch.setenv("AUDIT_SIGNING_KEY", key._key_id)
    seal = handler("seal_audit_log")
    waited = []
    for sealed in (3, 0):
        assert seal({"time": "2026-11-22T08:00:00Z"}) == {"sealed": sealed}
        lines = [json.loads(line) for line in said().splitlines() if '"OldestAuditEntryWaited":' in line]
        waited.append(lines[-1]["OldestAuditEntryWaited"][0])
    assert waited[0] > 0
    assert waited[1] == 0


def test_where_sealing_fails_how_long_entries_wait_is_told_all_the_same(aws, trail, handler, monkeypatch, said):
    aws.submit("s-1", READS, manifest_of(READS))
    for name in ("AUDIT_LOG_TABLE", "AUDIT_LOG"):
        monkeypatch.setenv(name, "audit-log")
    monkeypatch.setenv("AUDIT_QUEUE_TABLE", queue_beside("submissions"))
    monkeypatch.setenv("AUDIT_BUCKET", "audit")
    monkeypatch.setenv("AUDIT_SIGNING_KEY", "00000000-0000-0000-0000-000000000000")
    with pytest.raises(ClientError):
        handler("seal_audit_log")({"time": "2026-11-22T08:00:00Z"})
    assert '"OldestAuditEntryWaited":' in said()


class KilledError(Exception):
    """What ends a function at once."""


class Dying:
    """A client that is killed at its `last`th call: before it is sent, or after and before the answer comes."""

    def __init__(self, client: Any, count: list[int], last: int, after: bool) -> None:
        self._client, self._count, self._last, self._after = client, count, last, after

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**given: Any) -> Any:
            self._count[0] += 1
            if self._count[0] == self._last and not self._after:
                raise KilledError
            answer = operation(**given)
            if self._count[0] == self._last:
                raise KilledError
            return answer

        return call


def seal_killed_at(aws: Aws, key: SigningKey, last: int, *, after: bool) -> bool:
    """Seal until the `last`th call of DynamoDB, S3 or KMS; return whether it came to that."""
    count = [0]
    tables, bucket = (Dying(client, count, last, after) for client in (aws.dynamodb, aws.s3))
    dying = SigningKey(Dying(key._client, count, last, after), key._key_id)
    trail = AuditTrail(tables, queue_beside("submissions"), "audit-log", S3Objects(bucket, "audit"), "strandline-test")
    try:
        trail.seal(dying, NOW)
    except KilledError:
        return True
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_killed_at_any_call_it_loses_nothing_and_seals_nothing_twice(aws, trail, key, monkeypatch, after):
    """Each round is killed one call later, with new entries beside those that the rounds before left."""
    monkeypatch.setattr("strandline.aws.audit_trail._MOST_AT_ONCE", 3)
    monkeypatch.setattr("strandline.aws.audit_trail._MOST_DELETED", 2)
    wanted, last, killed = [], 0, True
    while killed:
        last += 1
        for turn in range(5):
            record = f"round-{last}/{turn}"
            wanted.append(record)
            told = entry_fields("READ", record, who="u-1", role="clinician", why="read", now=NOW)
            put_waiting(aws.dynamodb, waiting_entries("submissions", [told], NOW, turn=100 * last + turn))
        killed = seal_killed_at(aws, key, last, after=after)
        if last % 2:  # the next round takes up what this one left, too
            trail.seal(key, NOW)
    assert last > 15
    trail.seal(key, NOW)
    assert [entry.record for entry in entries(trail)] == wanted
    assert trail.waiting_count() == 0
    assert verify_log(trail.entries(), list(trail.heads()), key.public_key()).is_whole


def waiting_items(aws: Aws) -> list[dict[str, Any]]:
    return aws.dynamodb.scan(TableName=queue_beside("submissions"))["Items"]


def test_an_entry_that_was_put_anew_with_other_words_shows_in_the_log(aws, trail, key):
    """Whoever may put can put again under the same key. What stands there then does not fit the key."""
    aws.submit("s-1", READS, manifest_of(READS))
    aws.table.move("s-1", S.VALIDATING, who="sample_to_release", why="All files landed", now=NOW)
    (item,) = (one for one in waiting_items(aws) if "All files landed" in one["told"]["S"])
    item["told"]["S"] = item["told"]["S"].replace("sample_to_release", "somebody.else")
    aws.dynamodb.put_item(TableName=queue_beside("submissions"), Item=item)
    assert trail.seal(key, NOW) == 2
    found = [(entry.what, entry.who, entry.record) for entry in entries(trail)]
    assert ("REFUSED", "seal_audit_log", "audit/queue") in found
    assert "somebody.else" not in str(found)


@pytest.mark.parametrize(
    "told", ["", "[]", "{}", '{"entries": 7}', '{"entries": [7]}', '{"entries": [{}]}', '{"entries": [{"what": "X"}]}']
)
def test_what_is_no_entry_holds_up_nothing_behind_it(aws, trail, key, told):
    place = "2026-01-01T00:00:00.000000Z#000000"
    digest = hashlib.sha256(f"{place}\n{told}".encode()).hexdigest()
    item = {"pk": {"S": WAITING}, "sk": {"S": f"{place}#{digest[:32]}"}, "told": {"S": told}}
    aws.dynamodb.put_item(TableName=queue_beside("submissions"), Item=item)
    aws.submit("s-1", READS, manifest_of(READS))
    assert trail.seal(key, NOW) == 2
    assert [entry.what for entry in entries(trail)] == ["REFUSED", "STATE_CHANGED"]


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
    aws.dynamodb.delete_item(TableName="audit-log", Key={"pk": {"S": "AUDIT"}, "sk": {"S": f"CHUNK#{2:015d}"}})
    assert Fault.TRUNCATED in {one.fault for one in verify_log(trail.entries(), list(trail.heads()), public).problems}
