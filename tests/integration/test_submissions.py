"""The submissions table against DynamoDB's API: one truth about each submission, whoever writes at the same time."""

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError

from strandline.aws import submission_items
from strandline.aws.submissions import Cause, LandedFile, SubmissionsTable
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import MANIFEST_NAME, SubmissionState
from tests.integration.conftest import NOW, READS, SAMPLE, Aws, manifest_of

S = SubmissionState
FILE = LandedFile("R1.fastq.gz", "v1", 10)


def move(table: SubmissionsTable, *states: S, cause: Cause | None = None) -> None:
    for state in states:
        table.move("s-1", state, who="test", why="because", now=NOW, cause=cause)


def received(aws: Aws) -> SubmissionsTable:
    aws.register("s-1", FILE)
    return aws.table


def conflict(*codes: str) -> ClientError:
    """What DynamoDB answers when a transaction was cancelled (API reference, TransactWriteItems)."""
    reasons = [{"Code": code} for code in codes]
    return ClientError(
        {"Error": {"Code": "TransactionCanceledException", "Message": "x"}, "CancellationReasons": reasons},
        "TransactWriteItems",
    )


class Contended:
    """A client whose next transactions are cancelled, as when another one holds an item."""

    def __init__(self, client: Any, *errors: ClientError) -> None:
        self._client = client
        self._errors = list(errors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        if self._errors:
            raise self._errors.pop(0)
        return self._client.transact_write_items(**arguments)


class OneAtATime:
    """A client whose transactions are atomic, as DynamoDB's are and moto's, among threads of one process, are not."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        with self._lock:
            return self._client.transact_write_items(**arguments)


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_items, "_CONFLICT_PAUSE_S", 0.0)


def test_the_first_file_makes_the_submission_and_its_first_change(aws):
    table = received(aws)
    record = table.get("s-1")
    assert record is not None
    assert (record.state, record.version, record.sample_id, record.cause) == (S.RECEIVED, 1, None, None)
    (change,) = table.changes("s-1")
    assert (change.version, change.before, change.after, change.who) == (1, None, S.RECEIVED, "register_object")
    assert table.landed_files("s-1") == [FILE]


def test_nothing_is_known_of_a_submission_of_which_nothing_landed(aws):
    assert aws.table.get("s-1") is None
    assert aws.table.landed_files("s-1") == []
    with pytest.raises(RejectedInputError, match=r"^submission_unknown: "):
        move(aws.table, S.VALIDATING)


def test_an_event_that_comes_twice_changes_nothing(aws):
    """ING-03."""
    table = received(aws)
    before = table.get("s-1")
    assert table.register_file("s-1", FILE, sequencer=f"{0:016X}", now=NOW + timedelta(hours=1))
    assert table.get("s-1") == before
    assert len(table.changes("s-1")) == 1


@pytest.mark.parametrize("order", [("A1", "B1"), ("B1", "A1")])
def test_of_two_versions_of_a_file_the_later_one_stays_in_whatever_order_they_are_told(aws, order):
    for sequencer in order:
        assert aws.table.register_file("s-1", LandedFile("R1", sequencer, 1), sequencer=sequencer, now=NOW)
    assert aws.table.landed_files("s-1") == [LandedFile("R1", "B1", 1)]


def test_a_submission_that_has_started_takes_no_more_files(aws):
    table = received(aws)
    move(table, S.VALIDATING)
    assert not table.register_file("s-1", LandedFile("R2", "v", 1), sequencer="F", now=NOW)
    assert not table.register_file("s-1", LandedFile("R1.fastq.gz", "v2", 1), sequencer="F", now=NOW)
    assert table.landed_files("s-1") == [FILE]


def test_the_manifest_is_kept_and_names_the_sample(aws):
    manifest = manifest_of(READS)
    aws.submit("s-1", READS, manifest)
    record = aws.table.get("s-1")
    assert aws.table.manifest("s-1") == manifest
    assert record is not None
    assert record.sample_id == SAMPLE.sample_id


def test_a_manifest_that_was_overtaken_by_a_later_one_is_not_kept(aws):
    """Whoever read the earlier version must not write over what the later one says, such as another sample."""
    aws.submit("s-1", READS, manifest_of(READS))
    later = manifest_of(READS, sample=SAMPLE.model_copy(update={"sample_id": "OTHER"}))
    landed = aws.land("s-1", MANIFEST_NAME, later.to_json())
    assert aws.table.register_file("s-1", landed, sequencer="F", now=NOW)
    assert aws.table.register_manifest("s-1", later, version_id=landed.version_id)
    assert not aws.table.register_manifest("s-1", manifest_of(READS), version_id="an earlier one")
    assert aws.table.manifest("s-1") == later


def test_a_manifest_is_not_exchanged_after_the_start(aws):
    aws.submit("s-1", READS, manifest_of(READS))
    move(aws.table, S.VALIDATING)
    versions = {file.name: file.version_id for file in aws.table.landed_files("s-1")}
    assert not aws.table.register_manifest("s-1", manifest_of(READS), version_id=versions[MANIFEST_NAME])


def test_a_submission_without_a_manifest_says_so(aws):
    with pytest.raises(RejectedInputError, match=r"^manifest_missing: "):
        received(aws).manifest("s-1")


def test_a_legal_move_writes_the_change_with_it(aws):
    table = received(aws)
    move(table, S.VALIDATING, S.ANALYSING)
    record = table.get("s-1")
    assert record is not None
    assert (record.state, record.version) == (S.ANALYSING, 3)
    last = table.changes("s-1")[-1]
    assert (last.version, last.before, last.after, last.who, last.why) == (
        3,
        S.VALIDATING,
        S.ANALYSING,
        "test",
        "because",
    )


def test_a_move_to_where_it_stands_changes_nothing(aws):
    table = received(aws)
    move(table, S.VALIDATING, S.VALIDATING)
    assert [change.after for change in table.changes("s-1")] == [S.RECEIVED, S.VALIDATING]


def test_an_illegal_move_is_refused_and_changes_nothing(aws):
    table = received(aws)
    with pytest.raises(RejectedInputError, match=r"^move_not_allowed: .* is RECEIVED and cannot become LOADED"):
        move(table, S.LOADED)
    assert len(table.changes("s-1")) == 1


def test_a_cause_stays_with_the_failure_and_goes_when_a_redrive_goes_on(aws):
    table = received(aws)
    cause = Cause("worker_killed", "redrive it", "AlignReads")
    move(table, S.VALIDATING, S.ANALYSING)
    move(table, S.FAILED, cause=cause)
    failed = table.get("s-1")
    assert failed is not None
    assert (failed.cause, failed.is_settled) == (cause, True)
    move(table, S.ANALYSING)
    redriven = table.get("s-1")
    assert redriven is not None
    assert (redriven.state, redriven.cause, redriven.is_settled) == (S.ANALYSING, None, False)


def test_failing_again_for_another_cause_is_a_change_and_for_the_same_one_is_none(aws):
    table = received(aws)
    first, second = Cause("worker_killed", "x", "AlignReads"), Cause("disk_full", "y", "CallVariants")
    move(table, S.VALIDATING)
    for cause in (first, first, second):
        move(table, S.FAILED, cause=cause)
    record = table.get("s-1")
    assert record is not None
    assert record.cause == second
    assert [change.after for change in table.changes("s-1")] == [S.RECEIVED, S.VALIDATING, S.FAILED, S.FAILED]


def test_submissions_are_listed_by_state_longest_unchanged_first(aws):
    for number, submission_id in enumerate(("s-b", "s-a", "s-c")):
        aws.table.register_file(submission_id, FILE, sequencer="1", now=NOW + timedelta(minutes=number))
    aws.table.move("s-a", S.VALIDATING, who="t", why="t", now=NOW + timedelta(hours=1))
    assert [record.submission_id for record in aws.table.list_by_state(S.RECEIVED)] == ["s-b", "s-c"]
    assert [record.submission_id for record in aws.table.list_all()] == ["s-a", "s-c", "s-b"]


def test_the_cause_that_a_step_gave_can_be_read_and_forgotten(aws):
    cause = Cause("disk_full", "no space", "AlignReads")
    aws.table.record_failure("s-1", cause)
    assert aws.table.failure("s-1", "AlignReads") == cause
    assert aws.table.failure("s-1", "CallVariants") is None
    aws.table.forget_failure("s-1", "AlignReads")
    assert aws.table.failure("s-1", "AlignReads") is None


def test_many_who_move_at_once_make_one_change_a_version(aws):
    """Some move on, some fail it, some are refused; whatever the order, the changes are one unbroken chain."""
    received(aws)
    table = SubmissionsTable(OneAtATime(aws.dynamodb), "submissions")
    moves = [S.VALIDATING, S.ANALYSING, S.FAILED, S.LOADED, S.ANALYSING, S.IN_REVIEW] * 8
    random.Random(5).shuffle(moves)  # noqa: S311 - a seed makes it the same each time

    def attempt(state: S) -> None:
        with contextlib.suppress(RejectedInputError, TemporaryError):
            table.move("s-1", state, who="t", why="t", now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, moves))
    changes = table.changes("s-1")
    record = table.get("s-1")
    assert record is not None
    assert [change.version for change in changes] == list(range(1, record.version + 1))
    assert [change.before for change in changes[1:]] == [change.after for change in changes[:-1]]
    assert changes[-1].after is record.state


@pytest.mark.usefixtures("_no_pause")
def test_a_file_that_lands_beside_another_is_not_lost(aws):
    """DynamoDB cancels one of two transactions that touch the same item; that says nothing about the conditions."""
    errors = [conflict("TransactionConflict", "None"), conflict("None", "TransactionConflict")]
    table = SubmissionsTable(Contended(aws.dynamodb, *errors), "submissions")
    assert table.register_file("s-1", FILE, sequencer="1", now=NOW)
    assert table.landed_files("s-1") == [FILE]


@pytest.mark.usefixtures("_no_pause")
def test_a_file_that_finds_no_room_is_an_error_so_that_its_event_comes_again(aws):
    received(aws)
    errors = [conflict("TransactionConflict", "None")] * 50
    table = SubmissionsTable(Contended(aws.dynamodb, *errors), "submissions")
    with pytest.raises(TemporaryError, match=r"^table_contended: "):
        table.register_file("s-1", LandedFile("R2", "v", 1), sequencer="1", now=NOW)
    assert aws.table.landed_files("s-1") == [FILE]


@pytest.mark.usefixtures("_no_pause")
def test_any_other_reason_of_a_cancelled_transaction_is_raised(aws):
    table = SubmissionsTable(Contended(aws.dynamodb, conflict("ValidationError", "None")), "submissions")
    with pytest.raises(ClientError):
        table.register_file("s-1", FILE, sequencer="1", now=NOW)


def test_a_file_is_kept_when_another_makes_the_submission_at_the_same_moment(aws):
    """This one finds no submission, and the other's file makes it before this one does."""

    class Overtaken(SubmissionsTable):
        looked = False

        def get(self, submission_id: str):
            found = super().get(submission_id)
            if not self.looked:
                self.looked = True
                assert aws.table.register_file("s-1", LandedFile("b", "v", 1), sequencer="01", now=NOW)
            return found

    overtaken = Overtaken(aws.dynamodb, "submissions")
    assert overtaken.register_file("s-1", LandedFile("a", "v", 1), sequencer="01", now=NOW)
    assert [file.name for file in aws.table.landed_files("s-1")] == ["a", "b"]
    assert len(aws.table.changes("s-1")) == 1
