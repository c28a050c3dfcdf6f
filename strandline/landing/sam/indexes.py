"""BAI, CSI and CRAI beside a file: whether they are whole, and whether they point into that file.

Sources: SAM 1, 5.2; CSI 1; CRAM 3.1, 12. That an index is older than its file is told by what it says, not by its date.
"""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.records import Integers, RecordChecks

INDEX_LIMIT_BYTES: Final = 512 << 20
_CHUNK_BYTES: Final = 1 << 20
_PSEUDO_BIN: Final = 37450
_CRAI_FIELDS: Final = 6


def find_index(path: Path) -> Path | None:
    """Return the index that lies beside a file under one of the usual names.

    >>> find_index(Path("/nowhere/a.bam")) is None
    True
    """
    names = [path.with_name(f"{path.name}{suffix}") for suffix in (".bai", ".csi", ".crai")]
    names += [path.with_suffix(suffix) for suffix in (".bai", ".csi", ".crai")]
    return next((name for name in names if name.is_file()), None)


@dataclass(slots=True)
class BinIndex:
    """What a BAI or CSI says: block starts in the file that it points to, and counts of records by contig."""

    contig_count: int = 0
    offsets: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    counts_by_contig: dict[int, tuple[int, int]] = field(default_factory=dict)
    unplaced_count: int | None = None


class _CutError(Exception):
    """The index ends before its numbers do, or has numbers that cannot be."""


def check_bin_index(
    index: Path, checks: RecordChecks, starts: "array[int]", stored_bytes: int, log: FindingLog
) -> None:
    """Hold a BAI or CSI against what was read of its BAM: `starts` of the blocks, and counts of records."""
    try:
        found = _read_bins(_read(index))
    except (_CutError, RejectedInputError):
        _say(log, index, rules.INDEX)
        return
    if found.contig_count != len(checks.header.lengths):
        _say(log, index, rules.INDEX_REFERENCES)
        return
    known = np.append(np.array(starts, dtype=np.int64), stored_bytes)
    if not np.isin(found.offsets, known).all():
        _say(log, index, rules.INDEX_OFFSET)
        return
    differs = found.unplaced_count is not None and found.unplaced_count != checks.unplaced_count
    for contig, counts in found.counts_by_contig.items():
        differs |= counts != (int(checks.mapped_by_contig[contig]), int(checks.unmapped_by_contig[contig]))
    if differs:
        _say(log, index, rules.INDEX_COUNTS)


def check_line_index(index: Path, contig_count: int, starts: "array[int]", log: FindingLog) -> None:
    """Hold a CRAI against the `starts` of its CRAM's containers."""
    known = set(starts)
    try:
        lines = _read(index).splitlines()
        rows = [[int(value) for value in line.split(b"\t")] for line in lines]
    except (ValueError, RejectedInputError):
        _say(log, index, rules.INDEX)
        return
    if any(len(row) != _CRAI_FIELDS for row in rows):
        _say(log, index, rules.INDEX)
    elif any(not -2 <= row[0] < contig_count for row in rows):
        _say(log, index, rules.INDEX_REFERENCES)
    elif any(row[3] not in known for row in rows):
        _say(log, index, rules.INDEX_OFFSET)


def _say(log: FindingLog, index: Path, rule: Rule) -> None:
    log.add(rule, field=f"index {index.suffix}")


def _read(index: Path) -> bytes:
    """Return the index, decompressed where it was compressed.

    Raises:
        RejectedInputError: it is no whole gzip.
    """
    body = bytearray()
    for piece in decompress_if_gzip(_chunks(index), index.name):
        body += piece
        if len(body) > INDEX_LIMIT_BYTES:
            raise RejectedInputError("index_too_large", f"{index.name} is over 512 MiB; index again")
    return bytes(body)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk


def _read_bins(body: bytes) -> BinIndex:
    is_csi = body.startswith(b"CSI\x01")
    if not is_csi and not body.startswith(b"BAI\x01"):
        raise _CutError
    at, pseudo_bin = 4, 0
    if is_csi:
        _shift, depth, extra = _unpack("<iii", body, at)
        if extra < 0 or not 0 <= depth <= 20:
            raise _CutError
        at += 12 + extra
        pseudo_bin = ((1 << (depth + 1) * 3) - 1) // 7 + 1
    (count,) = _unpack("<i", body, at)
    found = BinIndex(contig_count=count)
    at += 4
    offsets: list[Integers] = []
    for contig in range(count):
        at, counts = _read_contig(body, at, offsets, None if not is_csi else pseudo_bin)
        if counts is not None:
            found.counts_by_contig[contig] = counts
    if len(body) - at >= 8:
        (found.unplaced_count,) = _unpack("<Q", body, at)
        at += 8
    if at != len(body):
        raise _CutError
    if offsets:
        found.offsets = np.unique(np.concatenate(offsets))
    return found


def _read_contig(
    body: bytes, at: int, offsets: list[Integers], csi_pseudo_bin: int | None
) -> tuple[int, tuple[int, int] | None]:
    """Take a contig's bins, and its linear index where it is a BAI.

    Returns:
        Where the next contig begins, and how many mapped and unmapped records this one has, where that is told.
    """
    is_csi = csi_pseudo_bin is not None
    counts: tuple[int, int] | None = None
    (bin_count,) = _unpack("<i", body, at)
    at += 4
    for _ in range(max(bin_count, 0)):
        (number,) = _unpack("<I", body, at)
        at += 12 if is_csi else 4
        (chunk_count,) = _unpack("<i", body, at)
        at += 4
        if number == (csi_pseudo_bin or _PSEUDO_BIN) and chunk_count == 2:
            _begin, _end, mapped, unmapped = _unpack("<QQQQ", body, at)
            counts = mapped, unmapped
        else:
            offsets.append(_block_starts(body, at, 2 * chunk_count))
        at += 16 * chunk_count
    if is_csi:
        return at, counts
    (interval_count,) = _unpack("<i", body, at)
    intervals = _block_starts(body, at + 4, interval_count)
    offsets.append(intervals[intervals > 0])
    return at + 4 + 8 * interval_count, counts


def _block_starts(body: bytes, at: int, count: int) -> Integers:
    if count < 0 or at + 8 * count > len(body):
        raise _CutError
    return np.unique(np.frombuffer(body, dtype="<u8", count=count, offset=at) >> 16).astype(np.int64)


def _unpack(form: str, body: bytes, at: int) -> tuple[int, ...]:
    if at + struct.calcsize(form) > len(body):
        raise _CutError
    return struct.unpack_from(form, body, at)
