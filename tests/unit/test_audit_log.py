"""The audit log: what an entry must say, what is signed, and that every kind of tampering is found. TRU-01, TRU-02."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError, TemporaryError
from strandline.trust.entries import Action, AuditEntry, check_entry, parse_entry, stamp
from strandline.trust.export import read_entries, read_heads, write_export
from strandline.trust.heads import is_signed_by, parse_head, read_public_key
from strandline.trust.log import AuditLog
from strandline.trust.merkle import Frontier, leaf_hash
from strandline.trust.verification import Fault, verify_log

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key()
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ENTRY = AuditEntry(
    sequence=7,
    logged="2026-11-22T08:00:02.000000Z",
    when="2026-11-22T08:00:00.000000Z",
    who="person-17",
    role="clinician",
    what=Action.SIGNED,
    record="report/r-1",
    why="I reviewed this report",
    after="ab" * 32,
)


def sign(message: bytes) -> bytes:
    return KEY.sign(message, ec.ECDSA(hashes.SHA256()))


class Clock:
    """A second later at every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def log_of(count: int, every: int = 4) -> tuple[list[bytes], list]:
    """A log of so many entries, with a head signed after every few and at its end."""
    lines: list[bytes] = []
    log = AuditLog("test", lines.append, clock=Clock())
    heads = []
    for number in range(count):
        log.append(Action.STATE_CHANGED, f"submission/s-{number}", who="service", role="workflow", why="it was due")
        if number % every == every - 1 or number == count - 1:
            heads.append(log.sign_head(PUBLIC, sign))
    return lines, heads


def faults(lines: list[bytes], heads: list) -> set[Fault]:
    return {problem.fault for problem in verify_log(lines, heads, PUBLIC).problems}


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=80)


@given(TEXT, TEXT, st.integers(0, 2**53 - 1))
def test_an_entry_is_kept_in_the_canonical_form_of_rfc_8785(who, why, sequence):
    entry = replace(ENTRY, who=who, why=why, sequence=sequence)
    fields = {name: getattr(entry, name) for name in AuditEntry.__slots__} | {"what": str(entry.what)}
    assert entry.to_bytes() == rfc8785.dumps(fields)


def test_an_entry_is_read_back_and_another_form_of_it_is_not():
    assert parse_entry(ENTRY.to_bytes()) == ENTRY
    spaced = json.dumps(json.loads(ENTRY.to_bytes())).encode()
    for wrong in (spaced, b"{}", b"no json", ENTRY.to_bytes().replace(b"SIGNED", b"SNEAKED"), b"[1]"):
        with pytest.raises(RejectedInputError, match=r"audit log holds|canonical"):
            parse_entry(wrong)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"who": " "}, "who has to be said"),
        ({"why": ""}, "why has to be said"),
        ({"record": "x" * 257}, "record has over 256"),
        ({"why": "a\nb"}, "cannot be printed"),
        ({"role": "cl\u202einician"}, "cannot be printed"),
        ({"before": "AB" * 32}, "before has to be 64"),
        ({"after": "ab"}, "after has to be 64"),
    ],
)
def test_an_entry_that_does_not_say_all_is_refused_by_field(changes, words):
    with pytest.raises(RejectedInputError, match=words):
        check_entry(replace(ENTRY, **changes))


def test_a_whole_log_is_whole_and_wholly_signed():
    lines, heads = log_of(23)
    found = verify_log(lines, heads, PUBLIC)
    assert found.is_whole
    assert (found.size, found.signed_size, found.head_count) == (23, 23, 6)


def test_entries_after_the_last_head_are_counted_as_not_signed():
    lines, heads = log_of(23)
    found = verify_log(lines, heads[:-1], PUBLIC)
    assert (found.problems, found.size, found.signed_size) == ((), 23, 20)


@given(st.integers(0, 22), st.data())
def test_one_changed_byte_is_found_and_placed_between_two_heads(place, data):
    lines, heads = log_of(23)
    byte = data.draw(st.integers(0, len(lines[place]) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(lines[place])
    changed[byte] ^= 1 << bit
    lines[place] = bytes(changed)
    found = [one for one in verify_log(lines, heads, PUBLIC).problems if one.fault is Fault.REWRITTEN]
    assert len(found) == 1
    assert found[0].first <= place <= found[0].last
    assert found[0].last - found[0].first < 4


def test_a_dropped_a_swapped_and_an_inserted_entry_are_each_named():
    lines, heads = log_of(23)
    assert faults([*lines[:9], *lines[10:]], heads) >= {Fault.GAP, Fault.REWRITTEN, Fault.TRUNCATED}
    swapped = [*lines[:9], lines[10], lines[9], *lines[11:]]
    assert faults(swapped, heads) >= {Fault.REORDERED, Fault.REWRITTEN}
    assert faults([*lines[:9], lines[9], *lines[9:]], heads) >= {Fault.REORDERED, Fault.REWRITTEN}


def test_a_log_cut_at_its_end_is_truncated():
    lines, heads = log_of(23)
    (problem,) = verify_log(lines[:20], heads, PUBLIC).problems
    assert (problem.fault, problem.first, problem.last) == (Fault.TRUNCATED, 20, 22)


def test_a_backdated_entry_is_found_even_where_everything_after_it_was_made_anew():
    """Whoever holds the entries but not the key cannot make heads; whoever appends late cannot claim to be early."""
    lines, heads = log_of(8)
    for field in ("when", "logged"):
        late = replace(parse_entry(lines[4]), **{field: "2026-11-20T06:00:01.000000Z"}).to_bytes()
        assert faults([*lines[:4], late, *lines[5:]], heads) >= {Fault.BACKDATED, Fault.REWRITTEN}


def test_what_was_done_may_wait_a_day_for_its_place_and_no_longer():
    for waited_s, expected in ((86_400, set()), (86_401, {Fault.BACKDATED}), (-1, {Fault.BACKDATED})):
        lines: list[bytes] = []
        log = AuditLog("test", lines.append, clock=lambda: START)
        done = stamp(START - timedelta(seconds=waited_s))
        log.append(Action.READ, "report/r-1", who="p", role="clinician", why="for the visit", when=done)
        assert faults(lines, [log.sign_head(PUBLIC, sign)]) == expected


def test_an_entry_that_says_it_was_made_after_its_head_is_found():
    lines: list[bytes] = []
    log = AuditLog("test", lines.append, clock=lambda: START + timedelta(hours=1))
    log.append(Action.READ, "report/r-1", who="p", role="clinician", why="for the visit")
    log._last_logged = ""
    log._clock = lambda: START
    assert faults(lines, [log.sign_head(PUBLIC, sign)]) == {Fault.BACKDATED}


def test_a_head_by_another_key_counts_for_nothing():
    lines, heads = log_of(8)
    forger = ec.generate_private_key(ec.SECP256R1())
    forged = replace(heads[-1], signature=forger.sign(heads[-1].head.to_message(), ec.ECDSA(hashes.SHA256())))
    found = verify_log(lines, [heads[0], forged], PUBLIC)
    assert {problem.fault for problem in found.problems} == {Fault.UNSIGNED}
    assert found.signed_size == 4


def test_two_histories_of_one_log_disagree():
    """The holder of the key showed one history to one and another to another."""
    lines, heads = log_of(8)
    other_lines: list[bytes] = []
    other = AuditLog("test", other_lines.append, clock=Clock())
    for _ in range(8):
        other.append(Action.READ, "x", who="p", role="r", why="w")
    assert Fault.HEADS_DISAGREE in faults(lines, [*heads, other.sign_head(PUBLIC, sign)])


def test_no_head_means_that_nothing_is_shown():
    lines, _ = log_of(3)
    assert faults(lines, []) == {Fault.UNSIGNED}


def test_a_clock_that_went_back_stops_the_log_and_a_small_difference_does_not():
    lines: list[bytes] = []
    times = iter([START, START - timedelta(milliseconds=400), START - timedelta(minutes=5)])
    log = AuditLog("test", lines.append, clock=lambda: next(times))

    def append() -> AuditEntry:
        return log.append(Action.READ, "report/r-1", who="p", role="clinician", why="for the visit")

    assert append().logged == append().logged
    with pytest.raises(TemporaryError, match="set the clock"):
        append()
    assert (log.size, len(lines)) == (2, 2)


def test_what_cannot_be_kept_is_not_in_the_log():
    def full(_: bytes) -> None:
        raise OSError("no space left")

    log = AuditLog("test", full)
    with pytest.raises(OSError, match="no space"):
        log.append(Action.READ, "report/r-1", who="p", role="clinician", why="for the visit")
    assert log.size == 0


def test_a_log_is_taken_up_where_it_was_left():
    lines, heads = log_of(10, every=10)
    frontier = Frontier(heads[0].head.size, _frontier_of(lines).hashes)
    log = AuditLog("test", lines.append, frontier=frontier, last_logged=parse_entry(lines[-1]).logged, clock=Clock())
    log._clock.now = START + timedelta(days=1)  # type: ignore[attr-defined]
    log.append(Action.READ, "report/r-1", who="p", role="clinician", why="for the visit")
    assert verify_log(lines, [*heads, log.sign_head(PUBLIC, sign)], PUBLIC).is_whole


def _frontier_of(lines: list[bytes]) -> Frontier:
    frontier = Frontier()
    for line in lines:
        frontier.append(leaf_hash(line))
    return frontier


def test_an_export_is_read_back_byte_for_byte(tmp_path):
    lines, heads = log_of(9)
    write_export(tmp_path / "export", lines, heads)
    assert list(read_entries(tmp_path / "export")) == lines
    assert read_heads(tmp_path / "export") == heads
    assert all(is_signed_by(head, PUBLIC) for head in heads)


def test_a_damaged_export_is_refused_in_words(tmp_path):
    with pytest.raises(RejectedInputError, match="folder of an exported log"):
        list(read_entries(tmp_path))
    (tmp_path / "entries.ndjson").write_bytes(b"x" * (1 << 17))
    with pytest.raises(RejectedInputError, match="line 1, is longer"):
        list(read_entries(tmp_path))
    for wrong in (b"{}", b"no", b'{"root":"zz"}'):
        with pytest.raises(RejectedInputError, match="no tree head"):
            parse_head(wrong)


def test_only_a_key_of_p_256_is_the_logs_key():
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = PUBLIC.public_bytes(serialization.Encoding.PEM, form)
    assert read_public_key(pem) == PUBLIC
    other = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(serialization.Encoding.PEM, form)
    for wrong in (b"", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", other):
        with pytest.raises(RejectedInputError):
            read_public_key(wrong)
