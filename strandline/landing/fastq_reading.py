"""FASTQ bytes to checked parts: blocks are cut and their records checked, and what is no record is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from strandline.landing.fastq_blocks import LINES_PER_RECORD, BlockReader
from strandline.landing.fastq_foreign import guess_format
from strandline.landing.fastq_records import CheckedBlock, Note, check_records, well_formed_count
from strandline.landing.fastq_rules import (
    BLANK_LINES,
    FASTQ_TRUNCATED,
    LINE_LIMIT_BYTES,
    LINE_TOO_LONG,
    LINES_WRAPPED,
    NOT_FASTQ,
)
from strandline.landing.fastq_unwrapping import is_wrapped, unwrap_records

_HEAD_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a place between records; with `is_end` nothing after it can be read."""

    note: Note
    is_end: bool = True


def read_parts(
    pieces: Iterable[bytes], first_record: int = 0, *, may_unwrap: bool = True
) -> Iterator[CheckedBlock | Remark]:
    """Check a stream of plain FASTQ bytes.

    Args:
        pieces: the bytes in order, in pieces of any size.
        first_record: how many records stand before them.
        may_unwrap: whether records of more than four lines are read; their lines are then no longer the file's.
    """
    reader = BlockReader(pieces, LINE_LIMIT_BYTES, first_record)
    for block in reader:
        fine = well_formed_count(block)
        if fine:
            yield from check_records(block.first(fine))
        if fine == block.record_count:
            continue
        broken = block.after(fine)
        lines = broken.bytes_of_first().split(b"\n")[:LINES_PER_RECORD]
        record = broken.first_record
        if may_unwrap and is_wrapped(*lines[:3]):
            yield Remark(Note(LINES_WRAPPED, record, 1), is_end=False)
            yield from read_parts(unwrap_records(reader.pieces_from(broken)), record, may_unwrap=False)
        elif not lines[0].strip() and not any(piece.strip() for piece in reader.pieces_from(broken)):
            yield Remark(Note(BLANK_LINES, record))
        else:
            yield Remark(_no_record(record, lines))
        return
    if reader.long_line is not None:
        yield Remark(_too_long(reader, reader.long_line))
    else:
        yield from _read_rest(reader)


def _no_record(record: int, lines: list[bytes]) -> Note:
    kind = guess_format(b"\n".join(lines)[:_HEAD_BYTES]) if record == 0 else None
    return Note(NOT_FASTQ, record, 2 if lines[0].startswith(b"@") else 0, kind)


def _too_long(reader: BlockReader, line: int) -> Note:
    """Tell a file of another kind that has no lines from one with a long line."""
    kind = guess_format(reader.rest[:_HEAD_BYTES].tobytes()) if reader.record_count == 0 else None
    if kind:
        return Note(NOT_FASTQ, 0, 0, kind)
    return Note(LINE_TOO_LONG, reader.record_count + line // LINES_PER_RECORD, line % LINES_PER_RECORD)


def _read_rest(reader: BlockReader) -> Iterator[CheckedBlock | Remark]:
    """Judge what follows the last whole record: fewer than four lines."""
    rest = reader.rest.tobytes()
    lines = rest.split(b"\n")[:-1]
    record = reader.record_count
    if not rest:
        return
    if not rest.strip():
        yield Remark(Note(BLANK_LINES, record))
    elif not lines[0].startswith(b"@"):
        yield Remark(_no_record(record, lines))
    elif len(lines) == 3 and not lines[1].strip(b"\r") and lines[2].startswith(b"+"):  # an empty read, no last line end
        yield from read_parts([rest, b"\n"], record)
    else:
        kind = guess_format(rest[:_HEAD_BYTES]) if record == 0 else None
        yield Remark(Note(NOT_FASTQ if kind else FASTQ_TRUNCATED, record, len(lines) - 1, kind))
