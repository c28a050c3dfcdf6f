"""BGZF, block after block: each header, checksum and length is verified, and no block is let grow over 64 KiB.

Source: SAM 1, 4.1.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, cast

from isal import isal_zlib

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules

MAGIC: Final = b"\x1f\x8b"
END: Final = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # 4.1.2
LARGEST_BLOCK: Final = 1 << 16
_USUAL_HEAD: Final = struct.Struct("<4s6xH4sH")
_TRAILER: Final = struct.Struct("<II")
_HEAD_BYTES: Final = 18
_FIXED_BYTES: Final = 12  # of a gzip header with an extra field, up to the field's own length
_IsalError = cast("type[Exception]", isal_zlib.error)  # its stub declares an object


class BgzfBlocks:
    """The blocks of a file, decompressed.

    Attributes:
        stored_bytes: of the blocks read so far.
        starts: where each block begins in the file, kept where an index is to be checked.
        is_intact: False once the file broke off or a block was not one; what follows is not read.
    """

    def __init__(self, chunks: Iterable[bytes], log: FindingLog, *, keep_starts: bool = False) -> None:
        self.stored_bytes = 0
        self.block_count = 0
        self.starts = array("q")
        self.is_intact = True
        self._source = iter(chunks)
        self._log = log
        self._keep_starts = keep_starts
        self._pending = b""
        self._at = 0
        self._is_ended = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield each block's content, of 64 KiB at most; empty blocks are not yielded."""
        while self._has(1):
            head = self._head()
            if head is None:
                return
            size, body_start = head
            if not self._has(size):
                self._stop(rules.BAM_TRUNCATED, "within a block")
                return
            body = self._inflate(size, body_start)
            if body is None:
                return
            if self._keep_starts:
                self.starts.append(self.stored_bytes)
            self._is_ended = not body and self._pending.startswith(END, self._at)
            self._at += size
            self.stored_bytes += size
            self.block_count += 1
            if body:
                yield body
        if not self._is_ended:
            self._stop(rules.BAM_TRUNCATED, "after a block")

    def _has(self, count: int) -> bool:
        """Whether `count` more bytes are there, read if need be."""
        if len(self._pending) - self._at >= count:
            return True
        gathered = bytearray(memoryview(self._pending)[self._at :])
        for chunk in self._source:
            gathered += chunk
            if len(gathered) >= count:
                break
        self._pending, self._at = bytes(gathered), 0
        return len(gathered) >= count

    def _head(self) -> tuple[int, int] | None:
        """Return the block's size and where its compressed data begins within it."""
        if not self._has(_HEAD_BYTES):
            if self._pending[self._at :].startswith(MAGIC) or MAGIC.startswith(self._pending[self._at :]):
                self._stop(rules.BAM_TRUNCATED, "within a block")
            else:
                self._refuse_head()
            return None
        magic, extra_length, subfield, size = _USUAL_HEAD.unpack_from(self._pending, self._at)
        if magic != b"\x1f\x8b\x08\x04":
            self._refuse_head()
            return None
        if extra_length == 6 and subfield == b"BC\x02\x00":
            return size + 1, _HEAD_BYTES
        if not self._has(_FIXED_BYTES + extra_length):
            self._stop(rules.BAM_TRUNCATED, "within a block")
            return None
        start = self._at + _FIXED_BYTES
        found = _find_block_size(self._pending[start : start + extra_length])
        if found is None:
            self._refuse_head()
            return None
        return found + 1, _FIXED_BYTES + extra_length

    def _refuse_head(self) -> None:
        if self.block_count == 0:
            self._stop(rules.NOT_BGZF, None)
        else:
            self._stop(rules.BGZF_TRAILING if self._is_ended else rules.BGZF_HEADER, None)

    def _inflate(self, size: int, body_start: int) -> bytes | None:
        start, end = self._at + body_start, self._at + size - _TRAILER.size
        if end <= start:
            self._stop(rules.BGZF_HEADER, "shorter than its header and trailer")
            return None
        checksum, length = _TRAILER.unpack_from(self._pending, end)
        if length > LARGEST_BLOCK:
            self._stop(rules.BGZF_BODY, "ISIZE over 64 KiB")
            return None
        stream = isal_zlib.decompressobj(wbits=-15)
        try:
            body = stream.decompress(memoryview(self._pending)[start:end], length + 1)
        except _IsalError:
            self._stop(rules.BGZF_BODY, "not deflate")
            return None
        if not stream.eof or stream.unused_data or len(body) != length:
            self._stop(rules.BGZF_BODY, "ISIZE")
            return None
        if isal_zlib.crc32(body) != checksum:
            self._stop(rules.BGZF_BODY, "CRC32")
            return None
        return body

    def _stop(self, rule: Rule, kind: str | None) -> None:
        self.is_intact = False
        place = f"block {self.block_count + 1}" + (f", {kind}" if kind else "")
        self._log.add(rule, field="BGZF", kind=place)


def _find_block_size(extra: bytes) -> int | None:
    """Return BSIZE from a gzip header's extra field, which may hold other subfields beside it."""
    at = 0
    while at + 4 <= len(extra):
        (length,) = struct.unpack_from("<H", extra, at + 2)
        if extra[at : at + 2] == b"BC" and length == 2 and at + 6 <= len(extra):
            return int(struct.unpack_from("<H", extra, at + 4)[0])
        at += 4 + length
    return None
