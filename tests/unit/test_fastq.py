"""FASTQ pairs. The alphabet and the four lines are those of Cock et al. 2010, doi:10.1093/nar/gkp1137."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.fastq import FastqSource, ReadsSummary, validate_fastq_pair


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
        plain = b"".join(decompress_if_gzip([bytes(packed)], "R1"))
    except RejectedInputError:
        return
    assert plain == fastq(1) or not bytes(packed).startswith(b"\x1f\x8b")


def test_a_bomb_is_unpacked_in_small_pieces():
    bomb = zlib.compress(b"\0" * (64 << 20), 9, wbits=31)
    assert max(len(piece) for piece in decompress_if_gzip([bomb], "R1")) <= 1 << 20
    assert code_of(bomb, fastq(2)) == "line_too_long"
