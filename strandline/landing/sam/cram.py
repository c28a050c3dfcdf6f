"""CRAM: file definition, containers, blocks and their checksums; what the blocks of data hold is htslib's to decode.

Source: CRAM 3.1, 6 to 9. Bytes stream through; held are headers, and no block of data.
"""

import bz2
import lzma
import struct
import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.header import HEADER_LIMIT_BYTES, Header, HeaderReader

MAGIC: Final = b"CRAM"
_DEFINITION_BYTES: Final = 26
_KNOWN_VERSIONS: Final = {(2, 0), (2, 1), (3, 0), (3, 1)}
_END_START: Final = 4542278  # `EOF` in ASCII
_HELD_BYTES: Final = 64 << 20  # of a block whose content is looked at
_LONGEST_HEAD: Final = 1 << 24  # of a container: its landmarks are few
_RAW, _GZIP, _BZIP2, _LZMA = 0, 1, 2, 3
_LAST_METHOD: Final = {2: 3, 3: 4}  # by major version; 3.1 adds those up to 8
_LAST_METHOD_31: Final = 8
_FILE_HEADER, _COMPRESSION_HEADER, _SLICE_HEADER, _EXTERNAL, _CORE = 0, 1, 2, 4, 5
_UNMAPPED, _SEVERAL = -1, -2


@dataclass(slots=True)
class CramStructure:
    """What the containers say.

    Attributes:
        version: as `3.0`.
        starts: where each container begins in the file.
        used_contigs: numbers of the contigs that slices lie on.
        needs_reference: whether a slice can be decoded only with bases that the file has not.
        is_intact: whether the file was read to its end-of-file container.
    """

    version: str = ""
    header: Header = field(default_factory=Header)
    record_count: int = 0
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    stored_bytes: int = 0
    used_contigs: set[int] = field(default_factory=set)
    has_mixed_slices: bool = False
    needs_reference: bool = False
    is_intact: bool = False


@dataclass(frozen=True, slots=True)
class _Container:
    """A container's header; `landmarks` are offsets into its blocks."""

    length: int
    contig: int
    start: int
    record_count: int
    block_count: int
    landmarks: list[int]


@dataclass(frozen=True, slots=True)
class _Block:
    """A block's header, and its content where that was held."""

    method: int
    kind: int
    raw_size: int
    content: bytes | None


class _BrokenError(Exception):
    """What follows cannot be found: the finding is what the check ends with."""

    def __init__(self, rule: Rule, kind: str) -> None:
        super().__init__(rule.code)
        self.rule = rule
        self.kind = kind


def read_cram(chunks: Iterable[bytes], log: FindingLog) -> CramStructure:
    """Read a CRAM file's structure to its end, or to where it breaks off."""
    found = CramStructure()
    stream = _Stream(chunks)
    container = 0
    try:
        if not _read_definition(stream, found, log):
            return found
        is_ended = False
        while stream.has(1):
            container += 1
            if is_ended:
                raise _BrokenError(rules.CRAM_TRAILING, "bytes after the end")
            found.starts.append(stream.position)
            is_ended = _Containers(stream, found, log).read(container)
        if not is_ended and found.version != "2.0":
            raise _BrokenError(rules.CRAM_TRUNCATED, "after a container")
        found.is_intact = True
    except _BrokenError as error:
        log.add(error.rule, field=f"container {container}" if container else "file definition", kind=error.kind)
    found.stored_bytes = stream.position
    return found


def _read_definition(stream: "_Stream", found: CramStructure, log: FindingLog) -> bool:
    definition = stream.take(_DEFINITION_BYTES)
    if not definition.startswith(MAGIC):
        raise _BrokenError(rules.UNREADABLE, "no CRAM magic")
    version = definition[4], definition[5]
    found.version = f"{version[0]}.{version[1]}"
    if version not in _KNOWN_VERSIONS:
        raise _BrokenError(rules.CRAM_VERSION, f"version {found.version}")
    if version[0] == 2:
        log.add(rules.CRAM_OLD)
    return True


class _Stream:
    """The file's bytes in order, with a checksum over what was taken since it was last asked for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.position = 0
        self.checksum = 0
        self._source = iter(chunks)
        self._pending = b""
        self._at = 0

    def has(self, count: int) -> bool:
        if len(self._pending) - self._at >= count:
            return True
        gathered = bytearray(memoryview(self._pending)[self._at :])
        for chunk in self._source:
            gathered += chunk
            if len(gathered) >= count:
                break
        self._pending, self._at = bytes(gathered), 0
        return len(gathered) >= count

    def take(self, count: int) -> bytes:
        if not self.has(count):
            raise _BrokenError(rules.CRAM_TRUNCATED, "within a container")
        taken = self._pending[self._at : self._at + count]
        self._move(taken)
        return taken

    def skip(self, count: int) -> None:
        """Pass over bytes, which are counted and summed but not held."""
        while count:
            if not self.has(1):
                raise _BrokenError(rules.CRAM_TRUNCATED, "within a container")
            taken = self._pending[self._at : self._at + count]
            self._move(taken)
            count -= len(taken)

    def _move(self, taken: bytes) -> None:
        self._at += len(taken)
        self.position += len(taken)
        self.checksum = zlib.crc32(taken, self.checksum)

    def take_integer(self) -> int:
        """Return an ITF-8 integer (CRAM 3.1, 2.3)."""
        return read_itf8(self.take)

    def take_long(self) -> int:
        """Return an LTF-8 integer."""
        (first,) = self.take(1)
        more = 8 - (first ^ 0xFF).bit_length()  # ones that the first byte begins with
        value = first & (0x7F >> more) if more < 8 else 0
        for byte in self.take(more):
            value = value << 8 | byte
        return value - (1 << 64) if value >= 1 << 63 else value

    def check_checksum(self, what: str) -> None:
        """Compare the sum so far with the four bytes that follow."""
        expected = self.checksum
        (stored,) = struct.unpack("<I", self.take(4))
        if stored != expected:
            raise _BrokenError(rules.CRAM_CHECKSUM, what)


def read_itf8(take: Callable[[int], bytes]) -> int:
    """Return the ITF-8 integer that `take` gives the bytes of.

    >>> import io
    >>> [read_itf8(io.BytesIO(bytes.fromhex(code)).read) for code in ("05", "80ff", "e0454f46", "ffffffff0f")]
    [5, 255, 4542278, -1]
    """
    first = _first_of(take(1))
    if first < 0x80:
        return first
    if first < 0xC0:
        return (first & 0x3F) << 8 | int.from_bytes(_exactly(take, 1), "big")
    if first < 0xE0:
        return (first & 0x1F) << 16 | int.from_bytes(_exactly(take, 2), "big")
    if first < 0xF0:
        return (first & 0x0F) << 24 | int.from_bytes(_exactly(take, 3), "big")
    rest = _exactly(take, 4)
    value = (first & 0x0F) << 28 | int.from_bytes(rest[:3], "big") << 4 | rest[3] & 0x0F
    return value - (1 << 32) if value >= 1 << 31 else value


def _first_of(taken: bytes) -> int:
    if not taken:
        raise _BrokenError(rules.CRAM_BLOCK, "ends within a number")
    return taken[0]


def _exactly(take: Callable[[int], bytes], count: int) -> bytes:
    taken = take(count)
    if len(taken) < count:
        raise _BrokenError(rules.CRAM_BLOCK, "ends within a number")
    return taken


class _Held:
    """A block's content, read from its beginning."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def take_integer(self) -> int:
        return read_itf8(self.take)


class _Containers:
    """Reads one container."""

    def __init__(self, stream: _Stream, found: CramStructure, log: FindingLog) -> None:
        self.stream = stream
        self._found = found
        self._log = log
        self.is_old = found.version.startswith("2")

    def read(self, number: int) -> bool:
        """Read the container; True where it marks the end of the file."""
        container = self._read_head()
        begin = self.stream.position
        if (
            container.start == _END_START
            and container.contig == _UNMAPPED
            and not container.record_count
            and number > 1
        ):
            self._read_blocks(container, begin, None)
            return True
        if number == 1:
            self._read_header(container, begin)
        else:
            _Slices(self._found, container, self._log).read(self, begin)
        left = begin + container.length - self.stream.position
        if left < 0 or (left and number > 1):
            raise _BrokenError(rules.CRAM_CONTAINER, "blocks of another length than declared")
        self.stream.skip(left)  # room for a longer header
        return False

    def _read_head(self) -> _Container:
        stream = self.stream
        stream.checksum = 0
        (length,) = struct.unpack("<i", stream.take(4))
        contig, start, _span, records = (stream.take_integer() for _ in range(4))
        _counter = stream.take_integer() if self.is_old else stream.take_long()
        _bases = stream.take_long()
        blocks, landmark_count = stream.take_integer(), stream.take_integer()
        if min(length, records, blocks, landmark_count) < 0 or landmark_count > min(length, _LONGEST_HEAD):
            raise _BrokenError(rules.CRAM_CONTAINER, "a number below 0 or beyond its length")
        landmarks = [stream.take_integer() for _ in range(landmark_count)]
        if not self.is_old:
            stream.check_checksum("of a container's header")
        return _Container(length, contig, start, records, blocks, landmarks)

    def read_block(self, end: int, *, hold: bool) -> _Block:
        """Read a block that lies before `end` in the file."""
        stream = self.stream
        stream.checksum = 0
        method, kind = stream.take(2)
        content_id, size, raw_size = (stream.take_integer() for _ in range(3))
        last = _LAST_METHOD_31 if self._found.version == "3.1" else _LAST_METHOD[2 if self.is_old else 3]
        if method > last:
            raise _BrokenError(rules.CRAM_BLOCK, f"method {method}")
        if kind > _CORE or kind == 3:
            raise _BrokenError(rules.CRAM_BLOCK, f"content type {kind}")
        trailer = 0 if self.is_old else 4
        if size < 0 or raw_size < 0 or stream.position + size + trailer > end:
            raise _BrokenError(rules.CRAM_BLOCK, "a size below 0 or beyond its container")
        if method == _RAW and size != raw_size:
            raise _BrokenError(rules.CRAM_BLOCK, "two sizes of raw data")
        if kind != _EXTERNAL and content_id != 0:
            raise _BrokenError(rules.CRAM_BLOCK, "an id on a block that is not external")
        content = stream.take(size) if hold and size <= _HELD_BYTES else None
        if content is None:
            stream.skip(size)
        if not self.is_old:
            stream.check_checksum("of a block")
        return _Block(method, kind, raw_size, None if content is None else _expand(method, content, raw_size))

    def _read_blocks(self, container: _Container, begin: int, hold: int | None) -> list[_Block]:
        end = begin + container.length
        return [self.read_block(end, hold=hold is not None and at == hold) for at in range(container.block_count)]

    def _read_header(self, container: _Container, begin: int) -> None:
        blocks = self._read_blocks(container, begin, 0)
        if not blocks or blocks[0].kind != _FILE_HEADER or blocks[0].content is None:
            raise _BrokenError(rules.CRAM_HEADER, "no block of it")
        content = blocks[0].content
        size = struct.unpack_from("<i", content)[0] if len(content) >= 4 else -1
        if not 0 <= size <= len(content) - 4:
            raise _BrokenError(rules.CRAM_HEADER, "a length beyond its block")
        reader = HeaderReader(self._log)
        for line in content[4 : 4 + size].rstrip(b"\0").split(b"\n"):
            if line and not reader.add(line):
                raise _BrokenError(rules.CRAM_HEADER, "too large")
        header = reader.finish()
        missing = len(header.number_by_contig) - len(header.checksum_by_contig)
        if missing:
            self._log.add(rules.CRAM_NO_M5, field="@SQ M5", count=missing)
        self._found.header = header


class _Slices:
    """Reads a container of records: its compression header, and slices of blocks."""

    def __init__(self, found: CramStructure, container: _Container, log: FindingLog) -> None:
        self._found = found
        self._container = container
        self._log = log
        self._needs_reference = True
        self._left = container.block_count

    def read(self, owner: _Containers, begin: int) -> None:
        container, end = self._container, begin + self._container.length
        if container.block_count == 0:
            raise _BrokenError(rules.CRAM_CONTAINER, "no block")
        stream = owner.stream
        first = self._next(owner, end, hold=True)
        if first.kind != _COMPRESSION_HEADER:
            raise _BrokenError(rules.CRAM_CONTAINER, "no compression header")
        if first.content is not None:
            self._needs_reference = _needs_reference(first.content)
        landmarks, records = [], 0
        while self._left:
            landmarks.append(stream.position - begin)
            head = self._next(owner, end, hold=True)
            if head.kind != _SLICE_HEADER or head.content is None:
                raise _BrokenError(rules.CRAM_CONTAINER, "no slice header where a slice begins")
            record_count, block_count = self._read_slice(_Held(head.content), owner)
            records += record_count
            if block_count > self._left:
                raise _BrokenError(rules.CRAM_CONTAINER, "a slice of more blocks than there are")
            kinds = [self._next(owner, end, hold=False).kind for _ in range(block_count)]
            if any(kind not in {_CORE, _EXTERNAL} for kind in kinds) or kinds.count(_CORE) != 1:
                raise _BrokenError(rules.CRAM_CONTAINER, "a slice without its one core block")
        if container.landmarks != landmarks:
            raise _BrokenError(rules.CRAM_CONTAINER, "landmarks elsewhere than slices")
        if records != container.record_count:
            self._log.add(rules.CRAM_RECORD_COUNT, kind="container and slices")
        self._found.record_count += records

    def _next(self, owner: _Containers, end: int, *, hold: bool) -> _Block:
        self._left -= 1
        return owner.read_block(end, hold=hold)

    def _read_slice(self, held: _Held, owner: _Containers) -> tuple[int, int]:
        """Take a slice's header; return how many records and blocks it has."""
        contig, _start, _span, records = (held.take_integer() for _ in range(4))
        if owner.is_old:
            held.take_integer()
        else:
            first = _first_of(held.take(1))
            held.take(8 - (first ^ 0xFF).bit_length())  # LTF-8
        blocks = held.take_integer()
        for _ in range(min(max(held.take_integer(), 0), self._container.block_count)):
            held.take_integer()
        embedded = held.take_integer()
        if records < 0 or blocks < 0 or contig < _SEVERAL or contig >= len(self._found.header.lengths):
            raise _BrokenError(rules.CRAM_CONTAINER, "a slice's number out of range")
        found = self._found
        if contig >= 0:
            found.used_contigs.add(contig)
        found.has_mixed_slices |= contig == _SEVERAL
        found.needs_reference |= contig != _UNMAPPED and embedded < 0 and self._needs_reference
        return records, blocks


def _needs_reference(content: bytes) -> bool:
    """Return RR of a compression header's preservation map, True where it does not say (CRAM 3.1, 8.4)."""
    held = _Held(content)
    held.take_integer()
    for _ in range(min(max(held.take_integer(), 0), 16)):
        key = held.take(2)
        if key == b"RR":
            return held.take(1) != b"\0"
        if key == b"SM":
            held.take(5)
        elif key == b"TD":
            held.take(max(held.take_integer(), 0))
        else:
            held.take(1)
    return True


def _expand(method: int, content: bytes, raw_size: int) -> bytes | None:
    """Return a held block's content decompressed; None where only htslib has the method."""
    if raw_size > HEADER_LIMIT_BYTES:
        raise _BrokenError(rules.CRAM_BLOCK, "a header of over 256 MiB")
    try:
        match method:
            case 0:
                return content
            case 1:
                plain = zlib.decompressobj(wbits=31).decompress(content, raw_size + 1)
            case 2:
                plain = bz2.BZ2Decompressor().decompress(content, raw_size + 1)
            case 3:
                plain = lzma.LZMADecompressor().decompress(content, raw_size + 1)
            case _:
                return None
    except (zlib.error, OSError, lzma.LZMAError):
        raise _BrokenError(rules.CRAM_BLOCK, "its compressed data") from None
    if len(plain) != raw_size:
        raise _BrokenError(rules.CRAM_BLOCK, "another size than declared")
    return plain
