"""BAM: the binary header, and records in batches of some megabytes of decompressed bytes.

Source: SAM 1, 4.2. A batch is one array of bytes; fields are gathered by offset for all of its records at once.
"""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.bam_tags import TagChecks
from strandline.landing.sam.gather import Bytes, gather, owners_of, spans
from strandline.landing.sam.header import LONGEST_CONTIG, Header, HeaderReader
from strandline.landing.sam.lines import Ending, read_lines
from strandline.landing.sam.records import UNMAPPED, Integers, RecordChecks, RecordColumns, RecordPlaces

MAGIC: Final = b"BAM\x01"
RECORD_LIMIT_BYTES: Final = 64 << 20
_BATCH_BYTES: Final = 2 << 20
_LONGEST_NAME: Final = 1 << 16  # of a contig; BAM itself allows 2^31
FIXED_FIELDS: Final = np.dtype(
    [
        ("size", "<i4"),
        ("contig", "<i4"),
        ("position0", "<i4"),
        ("name_length", "u1"),
        ("quality", "u1"),
        ("bin", "<u2"),
        ("operation_count", "<u2"),
        ("flag", "<u2"),
        ("base_count", "<i4"),
        ("next_contig", "<i4"),
        ("next_position0", "<i4"),
        ("template_length", "<i4"),
    ]
)
FIXED_AT: Final = np.arange(FIXED_FIELDS.itemsize)
_SMALLEST_RECORD: Final = FIXED_FIELDS.itemsize - 4
_INT: Final = struct.Struct("<i")

_TAKES_QUERY: Final = np.array([1, 1, 0, 0, 1, 0, 0, 1, 1] + [0] * 7)  # of MIDNSHP=X
_TAKES_REFERENCE: Final = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1] + [0] * 7)
_SKIPPED, _SOFT_CLIP, _HARD_CLIP, _LAST_OPERATION = 3, 4, 5, 8
_HIGHEST_QUALITY: Final = 93
_NO_QUALITIES: Final = 0xFF
_BINNED_BASES: Final = 1 << 29

_NAME_BYTE: Final = np.zeros(256, dtype=np.bool_)
_NAME_BYTE[0x21:0x7F] = True
_NAME_BYTE[0x40] = False


class BamReader:
    """Reads a BAM's content once.

    Attributes:
        header: what `read_header` found.
        is_intact: False where the content contradicts itself, so that what follows cannot be found.
    """

    def __init__(self, blocks: Iterator[bytes], log: FindingLog) -> None:
        self.header = Header()
        self.is_intact = True
        self.ended_within = False
        self._blocks = blocks
        self._log = log
        self._pending = b""
        self._at = 0

    def read_header(self) -> bool:
        """Read up to the first record; False where that failed, with a finding or because the blocks ended."""
        head = self._take(8)
        if head is None:
            return False
        if not head.startswith(MAGIC):
            return self._break(rules.UNREADABLE, "no BAM magic")
        (text_length,) = _INT.unpack_from(head, 4)
        if text_length < 0:
            return self._break(rules.BAM_HEADER, "l_text below 0")
        lines = HeaderReader(self._log)
        if not self._read_text(text_length, lines):
            return False
        self.header = lines.finish()
        counted = self._take(4)
        if counted is None:
            return False
        (count,) = _INT.unpack(counted)
        if count < 0:
            return self._break(rules.BAM_HEADER, "n_ref below 0")
        return self._read_references(count)

    def check_records(self, checks: RecordChecks) -> None:
        """Check every record up to the end of the blocks."""
        batches = _RecordBatches(checks, self._log)
        self._has(_BATCH_BYTES)
        while len(self._pending) > self._at:
            data, at = self._pending, self._at
            starts, after, needed = find_records(data, at)
            if len(starts):
                batches.check(data, starts)
            self._at = after
            if needed < 0:
                record = checks.record_count + 1
                self._log.add(rules.RECORD_SIZE, record=record, field="block_size", kind="below 32")
                self.is_intact = False
                return
            if needed > RECORD_LIMIT_BYTES:
                if not self._skip(needed, checks):
                    return
            elif not self._has(max(needed, _BATCH_BYTES)) and len(self._pending) - self._at < max(needed, 4):
                self.ended_within = len(self._pending) > self._at
                return

    def _skip(self, size: int, checks: RecordChecks) -> bool:
        """Pass over a record that is too large to hold, its first fields checked; False where the file ends within."""
        if not self._has(FIXED_FIELDS.itemsize):
            self.ended_within = True
            return False
        fixed = np.frombuffer(self._pending, dtype=FIXED_FIELDS, count=1, offset=self._at)[0]
        record = checks.record_count + 1
        bases, operations = int(fixed["base_count"]), int(fixed["operation_count"])
        least = _SMALLEST_RECORD + int(fixed["name_length"]) + 4 * operations + (bases + 1) // 2 + bases
        if bases < 0 or least > int(fixed["size"]):
            self._log.add(rules.RECORD_SIZE, record=record, field="l_seq", kind="over block_size")
        else:
            self._log.add(rules.RECORD_UNCHECKED, record=record)
        checks.skip()
        for _ in self._pieces(size):
            pass
        return not self.ended_within

    def _read_text(self, length: int, lines: HeaderReader) -> bool:
        for line, ending in read_lines(self._pieces(length)):
            if self.ended_within:
                break  # and this line was cut
            text = line.rstrip(b"\0") if ending is not Ending.FEED else line  # padding
            if ending is Ending.TOO_FAR and text:
                return self._break(rules.LINE_TOO_LONG, "in the header")
            if text.strip(b"\0") and not lines.add(text):
                self.is_intact = False
                return False
        return not self.ended_within

    def _pieces(self, length: int) -> Iterator[bytes]:
        """Yield the next `length` bytes as they are decompressed."""
        left = length
        while left:
            if not self._has(1):
                self.ended_within = True
                return
            step = min(left, len(self._pending) - self._at)
            yield self._pending[self._at : self._at + step]
            self._at += step
            left -= step

    def _read_references(self, count: int) -> bool:
        header = self.header
        declared = iter(header.number_by_contig.items())
        has_lines = bool(header.number_by_contig)
        lengths = array("q")
        differs = has_lines and len(header.number_by_contig) != count
        for number in range(count):
            found = self._read_reference()
            if found is None:
                return False
            name, length = found
            lengths.append(length)
            if has_lines and not differs:
                line_name, line_number = next(declared)
                differs = line_name != name or header.lengths[line_number] not in {length, -1}
                if differs:
                    self._log.add(rules.BAM_REFERENCES, record=None, field="@SQ", kind=f"reference {number + 1}")
            elif not has_lines and header.number_by_contig.setdefault(name, number) != number:
                self._log.add(rules.CONTIG_REPEATED, field="n_ref", kind=f"reference {number + 1}")
        if has_lines and len(header.number_by_contig) != count:
            self._log.add(rules.BAM_REFERENCES, field="n_ref", kind="another number")
        header.lengths = lengths
        header.circular = {number for number in header.circular if number < count}
        return True

    def _read_reference(self) -> tuple[bytes, int] | None:
        counted = self._take(4)
        if counted is None:
            return None
        (size,) = _INT.unpack(counted)
        if not 1 < size <= _LONGEST_NAME:
            self._break(rules.BAM_HEADER, "l_name")
            return None
        entry = self._take(size + 4)
        if entry is None:
            return None
        (length,) = _INT.unpack_from(entry, size)
        if entry.index(b"\0") != size - 1 if b"\0" in entry[:size] else True:
            self._break(rules.BAM_HEADER, "a contig's name without NUL at its end")
            return None
        if not 0 < length <= LONGEST_CONTIG:
            self._log.add(rules.BAM_HEADER, field="l_ref", kind="below 1")
        return entry[: size - 1], length

    def _break(self, rule: Rule, kind: str) -> bool:
        self._log.add(rule, field="header", kind=kind)
        self.is_intact = False
        return False

    def _has(self, count: int) -> bool:
        """Whether `count` more bytes are there, decompressed if need be."""
        if len(self._pending) - self._at >= count:
            return True
        parts = [self._pending[self._at :]]
        size = len(parts[0])
        while size < count and (block := next(self._blocks, b"")):
            parts.append(block)
            size += len(block)
        self._pending, self._at = b"".join(parts), 0
        return size >= count

    def _take(self, count: int) -> bytes | None:
        if not self._has(count):
            self.ended_within = True
            return None
        self._at += count
        return self._pending[self._at - count : self._at]


def find_records(data: bytes, at: int) -> tuple[Integers, int, int]:
    """Return where whole records start, where the next one starts, and how many bytes that one needs (-1: none can)."""
    unpack = _INT.unpack_from
    starts: list[int] = []
    end = len(data)
    needed = 4
    while at + 4 <= end:
        needed = unpack(data, at)[0] + 4
        if needed < FIXED_FIELDS.itemsize:
            needed = -1
            break
        if at + needed > end:
            break
        starts.append(at)
        at += needed
        needed = 4
    return np.array(starts, dtype=np.int64), at, needed


@dataclass(frozen=True, slots=True)
class _Spans:
    """CIGARs of a batch: bases that each takes of the read and of the contig."""

    query: Integers
    reference: Integers


class _RecordBatches:
    """Checks the records of one array of bytes after another."""

    def __init__(self, checks: RecordChecks, log: FindingLog) -> None:
        self._checks = checks
        self._log = log
        self._tags = TagChecks(checks, log)

    def check(self, data: bytes, starts: Integers, numbers: Integers | None = None) -> None:
        """Check the records that begin at `starts`; their 1-based numbers are the next ones where none are given."""
        buffer: Bytes = np.frombuffer(data, dtype=np.uint8)
        fixed = np.ascontiguousarray(buffer[starts[:, None] + FIXED_AT]).view(FIXED_FIELDS)[:, 0]
        names = starts + FIXED_FIELDS.itemsize
        name_length = fixed["name_length"].astype(np.int64)
        operation_count = fixed["operation_count"].astype(np.int64)
        base_count = fixed["base_count"].astype(np.int64)
        cigars = names + name_length
        qualities = cigars + 4 * operation_count + (base_count + 1) // 2
        tags = qualities + base_count
        ends = starts + 4 + fixed["size"]
        fits = (base_count >= 0) & (name_length > 0) & (tags <= ends)
        if numbers is None:
            numbers = self._checks.record_count + 1 + np.arange(len(starts))
        if not fits.all():
            self._say_misfits(numbers[~fits])
            chosen = np.flatnonzero(fits)
            if len(chosen):
                self.check(data, starts[chosen], numbers[chosen])
            self._checks.skip(len(starts) - len(chosen))
            return
        places = RecordPlaces(numbers)
        cigar_spans, broken = self._check_cigars(buffer, cigars, operation_count, places)
        columns = RecordColumns(
            places=places,
            flag=fixed["flag"].astype(np.int64),
            contig=fixed["contig"].astype(np.int64),
            position=fixed["position0"].astype(np.int64) + 1,
            quality=fixed["quality"].astype(np.int64),
            next_contig=fixed["next_contig"].astype(np.int64),
            next_position=fixed["next_position0"].astype(np.int64) + 1,
            template_length=fixed["template_length"].astype(np.int64),
            base_count=base_count,
            has_cigar=(operation_count > 0) & ~broken,
            query_span=cigar_spans.query,
            reference_span=cigar_spans.reference,
        )
        self._check_names(buffer, names, name_length, columns)
        self._check_qualities(buffer, qualities, tags, columns)
        self._check_bins(fixed["bin"].astype(np.int64), columns)
        self._tags.check(data, buffer, tags, ends, columns)
        wanted: list[bytes] = []
        if self._checks.wants_names:
            wanted = [data[at:end] for at, end in zip(names.tolist(), (cigars - 1).tolist(), strict=True)]
        self._checks.check(columns, wanted)

    def _say_misfits(self, numbers: Integers) -> None:
        for number in numbers.tolist():
            self._log.add(rules.RECORD_SIZE, record=number, field="block_size", kind="below its fields' sum")

    def _check_names(self, buffer: Bytes, starts: Integers, length: Integers, columns: RecordColumns) -> None:
        report = self._checks.report
        report(rules.NAME_END, buffer[starts + length - 1] != 0, columns.places, "read_name")
        report(rules.NAME, length == 1, columns.places, "QNAME", "empty")
        wrong = ~_NAME_BYTE[gather(buffer, starts, length - 1)]
        if wrong.any():
            report(rules.NAME, owners_of(wrong, length - 1), columns.places, "QNAME", "other characters")

    def _check_cigars(
        self, buffer: Bytes, starts: Integers, counts: Integers, places: RecordPlaces
    ) -> tuple[_Spans, NDArray[np.bool_]]:
        """Return the spans, and which CIGARs have an operation that does not exist."""
        raw = gather(buffer, starts, 4 * counts).view("<u4")
        operation, length = (raw & 15).astype(np.int64), (raw >> 4).astype(np.int64)
        found = _Spans(
            spans(_TAKES_QUERY[operation] * length, counts), spans(_TAKES_REFERENCE[operation] * length, counts)
        )
        report = self._checks.report
        broken = np.zeros(len(counts), dtype=np.bool_)
        if (operation > _LAST_OPERATION).any():
            broken = owners_of(operation > _LAST_OPERATION, counts)
            report(rules.CIGAR, broken, places, "CIGAR", "an operation over 8")
        clips = (operation == _SOFT_CLIP) | (operation == _HARD_CLIP)
        if clips.any():
            misplaced = _find_misplaced_clips(operation, counts, clips)
            if misplaced.any():
                report(rules.CIGAR_CLIP, owners_of(misplaced, counts), places, "CIGAR")
        if len(operation) > 1:
            same = np.append(operation[1:] == operation[:-1], False)
            last = np.cumsum(counts)[counts > 0] - 1
            same[last] = False
            if same.any():
                report(rules.CIGAR_ADJACENT, owners_of(same, counts), places, "CIGAR")
        return found, broken

    def _check_qualities(self, buffer: Bytes, starts: Integers, ends: Integers, columns: RecordColumns) -> None:
        some = np.flatnonzero(ends > starts)
        if not len(some):
            return
        edges = np.empty(2 * len(some), dtype=np.int64)
        edges[0::2], edges[1::2] = starts[some], ends[some]
        padded = buffer if int(edges[-1]) < len(buffer) else np.append(buffer, np.uint8(0))
        highest = np.maximum.reduceat(padded, edges)[0::2]
        over = highest > _HIGHEST_QUALITY
        if not over.any():
            return
        lowest = np.minimum.reduceat(padded, edges)[0::2]
        wrong = np.zeros(len(starts), dtype=np.bool_)
        wrong[some] = over & (lowest != _NO_QUALITIES)
        self._checks.report(rules.QUAL, wrong, columns.places, "QUAL", "over 93")

    def _check_bins(self, stored: Integers, columns: RecordColumns) -> None:
        start0 = columns.position - 1
        mapped = (columns.flag & UNMAPPED) == 0
        span = np.where(mapped, np.maximum(columns.reference_span, 1), 1)
        last0 = start0 + span - 1
        expected = np.zeros(len(start0), dtype=np.int64)
        open_ = np.ones(len(start0), dtype=np.bool_)
        for shift, offset in ((14, 4681), (17, 585), (20, 73), (23, 9), (26, 1)):
            same = open_ & ((start0 >> shift) == (last0 >> shift))
            expected = np.where(same, offset + (start0 >> shift), expected)
            open_ &= ~same
        binned = (last0 < _BINNED_BASES) & (columns.contig >= 0)
        self._checks.report(rules.BIN, binned & (stored != expected), columns.places, "bin")


def _find_misplaced_clips(operation: Integers, counts: Integers, clips: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark each H that is neither first nor last, and each S that has more than an H between it and an end."""
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    lasts = np.repeat(np.cumsum(counts) - 1, counts)
    at = np.flatnonzero(clips)
    is_first, is_last = at == starts[at], at == lasts[at]
    after_clip = (at - 1 == starts[at]) & (operation[starts[at]] == _HARD_CLIP)
    before_clip = (at + 1 == lasts[at]) & (operation[lasts[at]] == _HARD_CLIP)
    is_soft = operation[at] == _SOFT_CLIP
    misplaced = np.zeros(len(operation), dtype=np.bool_)
    misplaced[at] = ~(is_first | is_last | (is_soft & (after_clip | before_clip)))
    return misplaced
