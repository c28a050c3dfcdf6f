"""Alignment files put together byte by byte, so that each can be wrong in one place. Layouts: SAM 1, 1.4, 4.1, 4.2."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from strandline.landing.findings import FindingLog, Level
from strandline.landing.sam import AlignmentSource, AlignmentSummary, validate_alignment

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
HEADER = "@HD\tVN:1.6\tSO:unsorted\n@SQ\tSN:c1\tLN:1000\n@SQ\tSN:c2\tLN:500\n@RG\tID:g\tSM:s\n@PG\tID:p\n"
CONTIGS = (("c1", 1000), ("c2", 500))
FIELDS = {
    "name": "r1",
    "flag": "0",
    "contig": "c1",
    "position": "10",
    "mapq": "60",
    "cigar": "4M",
    "next_contig": "*",
    "next_position": "0",
    "template": "0",
    "seq": "ACGT",
    "qual": "IIII",
}


def line(*tags: str, **fields: str) -> str:
    """Return a record of SAM text that is right but for what is given."""
    return "\t".join([*({**FIELDS, **fields}).values(), *tags]) + "\n"


def sam(*lines: str, header: str = HEADER) -> bytes:
    return (header + "".join(lines)).encode("utf-8", "surrogateescape")


def block(body: bytes, *, extra: bytes = b"", checksum: int | None = None, size: int | None = None) -> bytes:
    """Return one BGZF block; `checksum` and `size` stand in for CRC32 and ISIZE."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = deflate.compress(body) + deflate.flush()
    head = struct.pack("<4sIBBH", b"\x1f\x8b\x08\x04", 0, 0, 255, 6 + len(extra))
    total = len(head) + len(extra) + 6 + len(data) + 8
    trailer = struct.pack(
        "<II", zlib.crc32(body) if checksum is None else checksum, len(body) if size is None else size
    )
    return head + extra + struct.pack("<2sHH", b"BC", 2, total - 1) + data + trailer


def bgzf(body: bytes, *, block_bytes: int = 0xFF00, end: bytes = BGZF_END) -> bytes:
    return b"".join(block(body[at : at + block_bytes]) for at in range(0, len(body), block_bytes)) + end


def bam_head(text: str = HEADER, contigs: Sequence[tuple[str, int]] = CONTIGS) -> bytes:
    head = b"BAM\x01" + struct.pack("<i", len(text)) + text.encode() + struct.pack("<i", len(contigs))
    entries = (
        struct.pack("<i", len(name) + 1) + name.encode() + b"\0" + struct.pack("<i", length) for name, length in contigs
    )
    return head + b"".join(entries)


def bam_record(
    *,
    name: bytes = b"r1\0",
    flag: int = 0,
    contig: int = 0,
    position0: int = 9,
    mapq: int = 60,
    bin_: int = 4681,
    cigar: Sequence[tuple[int, str]] = ((4, "M"),),
    bases: int = 4,
    seq: bytes = b"\x12\x48",
    qual: bytes = b"\x28" * 4,
    next_contig: int = -1,
    next_position0: int = -1,
    template: int = 0,
    tags: bytes = b"",
    size: int | None = None,
    operations: int | None = None,
) -> bytes:
    """Return a record of BAM that is right but for what is given."""
    packed = b"".join(struct.pack("<I", length << 4 | "MIDNSHP=X???????".index(kind)) for length, kind in cigar)
    count = len(cigar) if operations is None else operations
    numbers = (contig, position0, len(name), mapq, bin_, count, flag, bases, next_contig, next_position0, template)
    body = struct.pack("<iiBBHHHiiii", *numbers) + name + packed + seq + qual + tags
    return struct.pack("<i", len(body) if size is None else size) + body


def bam(*records: bytes, head: bytes | None = None) -> bytes:
    return bgzf((bam_head() if head is None else head) + b"".join(records))


def check(
    body: bytes, name: str = "a.sam", *, path: Path | None = None, reference: Path | None = None, step: int = 1 << 20
) -> tuple[AlignmentSummary, FindingLog]:
    """Validate bytes that come in pieces of `step`."""
    log = FindingLog(name)
    pieces = (body[at : at + step] for at in range(0, len(body), step))
    return validate_alignment(AlignmentSource(name, pieces), log, path=path, reference=reference), log


def codes(log: FindingLog) -> set[str]:
    return set(log.count_by_code)


def errors(log: FindingLog) -> set[str]:
    return {finding.rule.code for finding in log.findings if finding.rule.level is Level.ERROR}
