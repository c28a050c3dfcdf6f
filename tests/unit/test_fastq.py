"""FASTQ pairs. The alphabet and the four lines are those of Cock et al. 2010, doi:10.1093/nar/gkp1137. ING-04."""

import gzip
import re
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise, repeat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing import decompression, fastq_blocks
from strandline.landing.fastq import (
    FastqSource,
    ReadsSummary,
    check_fastq,
    check_fastq_pair,
    validate_fastq,
    validate_fastq_pair,
)
from strandline.landing.findings import FindingLog
from strandline.landing.read_ahead import ReadAhead
from strandline.synthetic.family import Person
from strandline.synthetic.genome import Genome
from strandline.synthetic.reads import write_reads


def fastq(mate: int, count: int = 20, length: int = 50) -> bytes:
    return b"".join(b"@r%d/%d\n%s\n+\n%s\n" % (i, mate, b"ACGTN" * (length // 5), b"I" * length) for i in range(count))


def check(first: bytes, second: bytes, chunk: int = 1000) -> ReadsSummary:
    def source(name: str, body: bytes) -> FastqSource:
        return FastqSource(name, [body[i : i + chunk] for i in range(0, len(body), chunk)])

    return validate_fastq_pair(source("R1", first), source("R2", second))


def code_of(first: bytes, second: bytes) -> str:
    with pytest.raises(RejectedInputError) as caught:
        check(first, second)
    return caught.value.code


def test_a_pair_is_counted():
    assert check(fastq(1), fastq(2)) == ReadsSummary(
        pair_count=20,
        base_count=2000,
        shortest_read=50,
        longest_read=50,
        lowest_quality=40,
        highest_quality=40,
        gc_base_count=800,
    )


@pytest.mark.parametrize("chunk", [1, 2, 7, 65_536])
def test_the_verdict_does_not_depend_on_how_the_bytes_arrive(chunk):
    assert check(gzip.compress(fastq(1)), gzip.compress(fastq(2)), chunk) == check(fastq(1), fastq(2))


def test_gzip_members_may_follow_one_another():
    body = fastq(1)
    assert check(gzip.compress(body[:500]) + gzip.compress(body[500:]), fastq(2)).pair_count == 20


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda body: gzip.compress(body)[:-9], "gzip_truncated"),
        (lambda body: gzip.compress(body)[:1], "not_fastq"),
        (lambda body: gzip.compress(body) + b"rubbish", "gzip_trailing_bytes"),
        (lambda body: body[:-30], "quality_length"),
        (lambda body: b"".join(body.splitlines(keepends=True)[:-2]), "fastq_truncated"),
        (lambda body: body.replace(b"ACGTN", b"ACG-N", 1), "bad_base"),
        (lambda body: body.replace(b"IIII\n", b"III\x1f\n", 1), "bad_quality"),
        (lambda body: body.replace(b"\n", b"\r\n"), "carriage_return"),
        (lambda body: body.replace(b"@r3/", b"r3/", 1), "not_fastq"),
        (lambda body: body.replace(b"@r3/1", b"@x3/1", 1), "mates_disagree"),
        (lambda body: body[:0], "mate_counts_differ"),
        (lambda body: b"\n".join(body.split(b"\n")[:40]) + b"\n", "mate_counts_differ"),
        (lambda _: b"##fileformat=VCFv4.3\n#CHROM\nchr1\nchr2\n", "not_fastq"),
        (lambda body: body.replace(b"/1\n", b"/2\n"), "mates_swapped"),
        (lambda body: body.replace(b"+\n", b"-\n", 1), "not_fastq"),
        (lambda _: b"@" + b"A" * (9 << 20), "line_too_long"),
    ],
)
def test_damage_is_told_by_its_kind(damage, code):
    assert code_of(damage(fastq(1)), fastq(2)) == code


def test_empty_files_hold_no_reads():
    assert code_of(b"", b"") == "fastq_empty"
    assert code_of(gzip.compress(b""), gzip.compress(b"")) == "fastq_empty"


def test_a_fault_is_named_by_file_and_line_and_no_base_is_repeated():
    body = fastq(1).splitlines(keepends=True)
    body[13] = b"ACGTX" * 10 + b"\n"
    with pytest.raises(RejectedInputError) as caught:
        check(b"".join(body), fastq(2))
    assert caught.value.message.startswith("R1, line 14, sequence: ")
    assert "ACGT" not in caught.value.message


reads = st.lists(
    st.integers(1, 80).flatmap(
        lambda n: st.tuples(
            st.text("ACGTNacgtn", min_size=n, max_size=n),
            st.text([chr(c) for c in range(33, 127)], min_size=n, max_size=n),
        )
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40)
@given(reads, st.booleans(), st.booleans())
def test_whatever_the_format_allows_is_accepted(records, packed, ended):
    def write(mate: int) -> bytes:
        text = "".join(f"@q{i} {mate}:N:0\n{bases}\n+q{i}\n{quality}\n" for i, (bases, quality) in enumerate(records))
        body = (text if ended else text[:-1]).encode()
        return gzip.compress(body) if packed else body

    summary = check(write(1), write(2))
    assert summary.pair_count == len(records)
    assert summary.base_count == 2 * sum(len(bases) for bases, _ in records)


@given(st.data())
def test_one_changed_byte_inside_gzip_data_is_found_or_changes_nothing(data):
    packed = bytearray(gzip.compress(fastq(1), mtime=0))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        plain = b"".join(decompression.decompress_if_gzip([bytes(packed)], "R1"))
    except RejectedInputError:
        return
    assert plain == fastq(1) or not bytes(packed).startswith(b"\x1f\x8b")


def test_a_bomb_is_unpacked_in_small_pieces():
    bomb = zlib.compress(b"\0" * (10 << 20), 9, wbits=31)
    assert max(len(piece) for piece in decompression.decompress_if_gzip([bomb], "R1")) <= 1 << 20
    assert code_of(bomb, fastq(2)) == "line_too_long"


def findings_of(first: Iterable[bytes], second: Iterable[bytes]) -> list[tuple[object, ...]]:
    """Return all that is said of a pair, in an order of its own, with the counts."""
    logs = FindingLog("R1"), FindingLog("R2")
    check_fastq_pair(FastqSource("R1", first), FastqSource("R2", second), *logs)
    said = [(f.file, f.rule.code, f.line or 0, f.kind or "") for log in logs for f in log.findings]
    return [*sorted(said), *(sorted(log.count_by_code.items()) for log in logs)]


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    return [body[start:end] for start, end in pairwise([0, *sorted(places), len(body)])]


TITLE = re.compile(rb"@([^\x00-\x20]+)(?:[ \t]([^\x00-\x08\x0a-\x1f]*))?")


def is_allowed(first: bytes, second: bytes) -> bool:
    """Read a pair line by line as the specification has it, four lines a record and '+' alone: slow and plain."""
    files = [body.removesuffix(b"\n").split(b"\n") for body in (first, second)]
    if len(files[0]) != len(files[1]) or len(files[0]) % 4:
        return False
    names: list[list[bytes]] = []
    for mate, lines in enumerate(files, start=1):
        names.append([])
        for title, bases, separator, qualities in zip(*[iter(lines)] * 4, strict=True):
            told = TITLE.fullmatch(title)
            if not told or separator != b"+" or len(bases) != len(qualities):
                return False
            if not re.fullmatch(rb"[ACGTUNRYSWKMBDHV.]*", bases, re.IGNORECASE) or qualities.strip(
                bytes(range(33, 127))
            ):
                return False
            other = b"%d" % (3 - mate)
            if told[1].endswith(b"/" + other) or (
                not told[1].endswith(b"/%d" % mate) and (told[2] or b"").startswith(other + b":")
            ):
                return False
            names[-1].append(re.sub(rb"(?<=.)/[12]$", b"", told[1]))
    return names[0] == names[1]


TITLES = [b"@run:1:%d %d:N:0:AC", b"@r%d/%d", b"@r%d\tx %d"]


def few_records(title: bytes, mate: int) -> bytes:
    bases = b"ACGTN", b"G", b"nacgt.R"
    return b"".join(b"%s\n%s\n+\n%s\n" % (title % (i, mate), b, b"@+I5!~J"[: len(b)]) for i, b in enumerate(bases))


@settings(max_examples=200)
@given(st.sampled_from(TITLES), st.data())
def test_one_changed_byte_is_found_unless_the_specification_allows_the_result(title, data):
    first, second = few_records(title, 1), few_records(title, 2)
    place = data.draw(st.integers(0, len(first) - 1))
    value = data.draw(st.one_of(st.sampled_from(b"\n\r\0 \t@+/12:ACGTN-*I"), st.integers(0, 255)))
    changed = first[:place] + bytes([value]) + first[place + 1 :]
    try:
        validate_fastq_pair(FastqSource("R1", [changed]), FastqSource("R2", [second]))
    except RejectedInputError:
        assert not is_allowed(changed, second)
    else:
        assert is_allowed(changed, second)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TITLES), st.data())
def test_where_the_bytes_are_cut_changes_nothing_that_is_said(monkeypatch, title, data):
    """Neither by how they arrive, nor by how they are taken together to be checked."""
    first, second = bytearray(few_records(title, 1) * 4), few_records(title, 2) * 4
    for _ in range(data.draw(st.integers(0, 3))):
        first[data.draw(st.integers(0, len(first) - 1))] = data.draw(st.integers(0, 255))
    whole = findings_of([bytes(first)], [second])
    places = data.draw(st.lists(st.integers(0, len(first)), max_size=8))
    with monkeypatch.context() as patched:
        patched.setattr(fastq_blocks, "_BLOCK_BYTES", data.draw(st.integers(1, 300)))
        assert findings_of(cut(bytes(first), places), cut(second, places)) == whole
        packed = [gzip.compress(part, 0) for part in cut(bytes(first), places)]
        assert findings_of([b"".join(packed)], [second]) == whole


def test_the_reads_that_we_make_up_are_accepted(tmp_path):
    genome = Genome("".join("ACGT"[i] for i in np.random.default_rng(1).integers(0, 4, 9000)), ())
    paths = tmp_path / "R1.fastq.gz", tmp_path / "R2.fastq.gz"
    pairs = write_reads(Person("S", "P", "female", ((), ())), genome, np.random.default_rng(2), *paths, depth=4.0)
    assert check(*(path.read_bytes() for path in paths)).pair_count == pairs


def test_lengths_may_differ_by_orders_of_magnitude():
    lengths = [1, 150, 30_000, 151, 0, 2, 90_000, 1]
    body = b"".join(b"@r%d\n%s\n+\n%s\n" % (i, b"G" * n, b"I" * n) for i, n in enumerate(lengths * 3))
    found = check(body, body, 4096)
    assert (found.base_count, found.shortest_read, found.longest_read) == (6 * sum(lengths), 0, 90_000)
    assert found.gc_base_count == found.base_count


def test_all_that_is_wrong_is_told_and_counted():
    lines = fastq(1, count=40).split(b"\n")
    for record in range(0, 40, 2):
        lines[4 * record + 1] = b"X" + lines[4 * record + 1][1:]
    lines[4 * 7 + 3] = b"I"
    said = findings_of([b"\n".join(lines)], [fastq(2, count=39)])
    assert said[-2] == [("bad_base", 20), ("mate_counts_differ", 1), ("quality_length", 1)]
    assert ("R1", "bad_base", 2, "letter") in said
    assert ("R1", "quality_length", 32, "") in said


def ending(body: bytes, error: Exception) -> Iterator[bytes]:
    yield body
    raise error


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_source_raises_is_raised_and_no_thread_is_left(order):
    sources = [FastqSource("R1", ending(fastq(1), OSError("gone"))), FastqSource("R2", [fastq(2)])][::order]
    with pytest.raises(OSError, match="gone"):
        validate_fastq_pair(*sources)
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_an_error_in_one_file_ends_the_reading_of_the_other():
    taken: list[int] = []
    body = fastq(2, count=2000)

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(len(body))
            yield body

    with pytest.raises(RejectedInputError, match="bad_base"):
        validate_fastq_pair(
            FastqSource("R1", [fastq(1, count=2000).replace(b"ACGTN", b"ACG!N", 1)]), FastqSource("R2", endless())
        )
    assert len(taken) < 100
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_what_is_read_ahead_is_bounded_and_left_alone_after():
    taken: list[int] = []
    with ReadAhead((taken.append(n) or n for n in range(1000)), 3) as items:
        assert next(iter(items)) == 0
    assert len(taken) <= 5


def peak_bytes(read: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal_of(chunks: Iterable[bytes]) -> str:
    with pytest.raises(RejectedInputError) as caught:
        validate_fastq(FastqSource("R1", chunks))
    return caught.value.code


@pytest.mark.parametrize("head", [b"", b"@r\n", b"@r\nAC\nGT\n", b"@r\nAC\nGT\n+\nIIII\n"])
@pytest.mark.parametrize("byte", [b"A", b"\0", b"\n"])
def test_many_megabytes_of_one_byte_take_little_memory(head, byte):
    log = FindingLog("R1")
    chunks = chain([head], repeat(byte * (1 << 20), 100 if byte != b"\n" else 4))
    assert peak_bytes(lambda: check_fastq(FastqSource("R1", chunks), log)) < 80 << 20
    assert log.findings


def test_a_file_takes_less_memory_than_it_holds():
    body = fastq(1, count=3000, length=150)
    packed = gzip.compress(body, 1)
    assert peak_bytes(lambda: validate_fastq(FastqSource("R1", repeat(packed, 48)))) < 24 << 20 < 48 * len(body)


def test_a_bomb_of_well_formed_reads_is_stopped(monkeypatch):
    monkeypatch.setattr(decompression, "_FREE_BYTES", 1 << 20)
    bomb = zlib.compress(b"@r\n%s\n+\n%s\n" % (b"A" * 20_000, b"I" * 20_000) * 100, 9, wbits=31)
    assert refusal_of([bomb]) == "gzip_expansion"
    assert validate_fastq(FastqSource("R1", [gzip.compress(fastq(1, count=2000))])).read_count == 2000
