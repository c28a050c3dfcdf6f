"""Input that claims too much or never ends: a clear finding, in bounded memory, without reading it twice."""

import struct
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import pytest

from strandline.landing.findings import FindingLog
from strandline.landing.sam import AlignmentSource, AlignmentSummary, validate_alignment
from tests.unit.sam_files import BGZF_END, bam, bam_head, bam_record, block, check, codes, errors, line, sam

MEBIBYTE = 1 << 20
ZEROS = block(bytes(0xFF00))
LETTERS = block(b"A" * 0xFF00)


def run(chunks: Iterable[bytes], name: str) -> tuple[AlignmentSummary, FindingLog]:
    log = FindingLog(name)
    return validate_alignment(AlignmentSource(name, chunks), log), log


def long_line(beginning: bytes) -> Iterator[bytes]:
    return chain([sam(), beginning], repeat(b"A" * MEBIBYTE, 100), [b"\n", line().encode()])


def long_blocks(head: bytes, filling: bytes, size_bytes: int) -> Iterator[bytes]:
    """Return blocks that decompress to `head` and then to the same filling, over and over."""
    return chain([block(head)], repeat(filling, size_bytes // 0xFF00 + 1), [BGZF_END])


def record_of(size_bytes: int, bases: int) -> bytes:
    """Return the beginning of a record of BAM, up to its name."""
    return bam_record(size=size_bytes, bases=bases, seq=b"", qual=b"", cigar=())


CASES = {
    "a line of 100 MB that is no record": (long_line(b""), "a.sam", {"sam_line_too_long"}, 2),
    "a record of 100 MB": (long_line(b"r\t0\tc1\t1\t60\t"), "a.sam", set(), 2),
    "a header line of 100 MB": (long_line(b"@CO\t"), "a.sam", {"sam_line_too_long"}, 2),
    "a header text of 2 GB that is NUL": (
        long_blocks(b"BAM\x01" + struct.pack("<i", (1 << 31) - 1), ZEROS, 68 << 20),
        "a.bam",
        {"bam_truncated"},
        0,
    ),
    "a header text of 2 GB in one line": (
        long_blocks(b"BAM\x01" + struct.pack("<i", (1 << 31) - 1) + b"@CO\t", LETTERS, 68 << 20),
        "a.bam",
        {"bam_truncated"},
        0,
    ),
    "a record of 2 GB that is not there": (
        long_blocks(bam_head() + record_of((1 << 31) - 1, 1 << 20), ZEROS, 68 << 20),
        "a.bam",
        {"bam_truncated"},
        1,
    ),
    "a record of 60 MB that is not there": (
        long_blocks(bam_head() + record_of(60 << 20, 1 << 20), ZEROS, 20 << 20),
        "a.bam",
        {"bam_truncated"},
        0,
    ),
    "a read longer than its record": (
        long_blocks(bam_head() + record_of(70 << 20, 1 << 30), ZEROS, 68 << 20),
        "a.bam",
        {"bam_record_size"},
        None,
    ),
}


@pytest.mark.parametrize(("chunks", "name", "found", "count"), CASES.values(), ids=CASES)
def test_a_claim_without_end_is_told_in_bounded_memory(chunks, name, found, count):
    tracemalloc.start()
    try:
        summary, log = run(chunks, name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert errors(log) >= found
    assert count is None or summary.record_count == count
    assert peak < 220 * MEBIBYTE


def test_a_record_too_large_to_be_held_is_passed_over_with_a_warning():
    size = (66 << 20) // 0xFF00 * 0xFF00
    head = bam_head()
    large = record_of(size, 1 << 20)
    filling = size + 4 - len(large)
    blocks = [block(head + large), *repeat(ZEROS, filling // 0xFF00), block(bytes(filling % 0xFF00) + bam_record())]
    summary, log = run([*blocks, BGZF_END], "a.bam")
    assert (codes(log), errors(log), summary.record_count) == ({"sam_record_unchecked"}, set(), 2)


def test_a_record_of_more_fields_than_there_are_tags_is_told_once():
    tags = b"X0C\1" * 100_000
    _, log = check(bam(bam_record(tags=tags)), "a.bam")
    assert dict(log.count_by_code) == {"sam_tag_repeated": 1}
    _, log = check(sam(line(*["X0:i:1"] * 100_000)))
    assert dict(log.count_by_code) == {"sam_tag_repeated": 1}


@pytest.mark.parametrize(
    "tag", ["X0:f:" + "1" * 100_000 + "x", "X0:B:f," + "1" * 100_000 + "x", "X0:i:" + "9" * 100_000]
)
def test_a_number_of_many_digits_is_gone_over_once(tag):
    _, log = check(sam(line(tag)))
    assert codes(log) == {"sam_tag_value"}


def test_many_findings_are_counted_and_few_are_kept():
    _, log = check(sam(*[line(mapq="256")] * 5000))
    assert (len(log.findings), log.count_by_code["sam_mapq"]) == (10, 5000)
    _, log = check(bam(*[bam_record(contig=5)] * 5000), "a.bam")
    assert (len(log.findings), log.count_by_code["sam_contig_unknown"]) == (10, 5000)


def test_programs_in_a_long_chain_are_followed_once():
    chain_of_programs = "".join(f"@PG\tID:{number}\tPP:{number + 1}\n" for number in range(20_000)) + "@PG\tID:20000\n"
    _, log = check(sam(header="@HD\tVN:1.6\n" + chain_of_programs))
    assert codes(log) == set()
