"""FASTQ pairs, checked while they stream: constant memory, the first fault named by file and line.

Source: Cock et al. 2010, doi:10.1093/nar/gkp1137 (four-line Sanger FASTQ, quality characters 33 to 126).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NoReturn

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip

LINE_LIMIT_BYTES: Final = 1 << 20
_BASES: Final = b"ACGTNacgtn.RYSWKMBDHVryswkmbdhv"
_QUALITIES: Final = bytes(range(33, 127))
_LINES_PER_RECORD: Final = 4


@dataclass(frozen=True, slots=True)
class ReadsSummary:
    """What a pair of FASTQ files holds; lengths in bases."""

    pair_count: int
    base_count: int
    shortest_read: int
    longest_read: int


@dataclass(frozen=True, slots=True)
class SingleReadsSummary:
    """What one FASTQ file holds; lengths in bases."""

    read_count: int
    shortest_read: int
    longest_read: int


@dataclass(frozen=True, slots=True)
class FastqSource:
    """One FASTQ file: a name for messages, and its bytes as stored."""

    name: str
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Whole records of one file, their lines in order; `first_line` is 1-based."""

    lines: list[bytes]
    first_line: int


def validate_fastq_pair(first: FastqSource, second: FastqSource) -> ReadsSummary:
    """Check two FASTQ files record by record and mate by mate.

    Raises:
        RejectedInputError: with a code of this module or of `decompression`, the file and the 1-based line.
    """
    pairs = bases = longest = 0
    shortest = LINE_LIMIT_BYTES
    for batch1, batch2 in zip_longest(_equal_batches(first), _equal_batches(second)):
        if batch1 is None or batch2 is None:
            _refuse_unequal(first, second)
        _check_records(batch1, first.name)
        _check_records(batch2, second.name)
        matched = min(len(batch1.lines), len(batch2.lines))
        _check_mates(batch1, batch2, matched, first.name, second.name)
        if len(batch1.lines) != len(batch2.lines):
            _refuse_unequal(first, second)
        lengths = [len(line) for batch in (batch1, batch2) for line in batch.lines[1::_LINES_PER_RECORD]]
        pairs += matched // _LINES_PER_RECORD
        bases += sum(lengths)
        longest, shortest = max(longest, *lengths), min(shortest, *lengths)
    if pairs == 0:
        raise RejectedInputError("fastq_empty", f"{first.name} and {second.name} hold no reads: send the right files")
    return ReadsSummary(pairs, bases, shortest, longest)


def validate_fastq(source: FastqSource) -> SingleReadsSummary:
    """Check one FASTQ file record by record.

    Raises:
        RejectedInputError: with a code of this module or of `decompression`, the file and the 1-based line.
    """
    reads = longest = 0
    shortest = LINE_LIMIT_BYTES
    for batch in _equal_batches(source):
        _check_records(batch, source.name)
        lengths = [len(line) for line in batch.lines[1::_LINES_PER_RECORD]]
        reads += len(lengths)
        longest, shortest = max(longest, *lengths), min(shortest, *lengths)
    if reads == 0:
        raise RejectedInputError("fastq_empty", f"{source.name} holds no reads: send the right file")
    return SingleReadsSummary(reads, shortest, longest)


def _refuse_unequal(first: FastqSource, second: FastqSource) -> NoReturn:
    raise RejectedInputError(
        "mate_counts_differ",
        f"{first.name} and {second.name} hold different numbers of reads: one was cut or filtered; send the files "
        "of one demultiplexing run",
    )


def _equal_batches(source: FastqSource, records: int = 8192) -> Iterator[_Batch]:
    """Yield batches of exactly `records` records, the last one shorter."""
    wanted = records * _LINES_PER_RECORD
    waiting: list[bytes] = []
    first_line = 1
    for lines in _lines(source):
        if first_line == 1 and not waiting and lines:
            _check_first_line(lines[0], source.name)
        waiting += lines
        while len(waiting) >= wanted:
            yield _Batch(waiting[:wanted], first_line)
            first_line += wanted
            waiting = waiting[wanted:]
    if len(waiting) % _LINES_PER_RECORD:
        raise RejectedInputError(
            "fastq_truncated",
            f"{source.name} ends within a record at line {first_line + len(waiting) - 1}: it was cut; send it again",
        )
    if waiting:
        yield _Batch(waiting, first_line)


def _lines(source: FastqSource) -> Iterator[list[bytes]]:
    rest = b""
    count = 0
    for plain in decompress_if_gzip(source.chunks, source.name):
        lines = (rest + plain).split(b"\n")
        rest = lines.pop()
        count += len(lines)
        if len(rest) > LINE_LIMIT_BYTES:
            raise RejectedInputError(
                "line_too_long", f"{source.name}, line {count + 1} is over 1 MiB: this is not a FASTQ file"
            )
        yield lines
    if rest:
        yield [rest]


def _check_first_line(line: bytes, name: str) -> None:
    """Tell a file of another format by its first line, before anything else about it looks wrong."""
    if not line.startswith(b"@"):
        guess = f"; it looks like {_guess(line)}" if _guess(line) else ""
        raise RejectedInputError("not_fastq", f"{name}, line 1: a record must begin with '@'{guess}; send FASTQ")


def _check_records(batch: _Batch, name: str) -> None:
    """Check a batch with a few operations on all of its lines; look for the line only where one of them fails."""
    headers, sequences, separators, qualities = (batch.lines[i::_LINES_PER_RECORD] for i in range(_LINES_PER_RECORD))
    fine = (
        all(line.startswith(b"@") for line in headers)
        and all(line.startswith(b"+") for line in separators)
        and list(map(len, sequences)) == list(map(len, qualities))
        and all(sequences)
        and not b"".join(sequences).translate(None, _BASES)
        and not b"".join(qualities).translate(None, _QUALITIES)
    )
    if fine:
        return
    for index in range(len(headers)):
        line = batch.first_line + index * _LINES_PER_RECORD
        _check_record([headers[index], sequences[index], separators[index], qualities[index]], name, line)


def _check_record(record: Sequence[bytes], name: str, line: int) -> None:
    header, sequence, separator, quality = record

    def refuse(code: str, offset: int, what: str) -> NoReturn:
        raise RejectedInputError(code, f"{name}, line {line + offset}: {what}")

    if not header.startswith(b"@"):
        refuse("not_fastq", 0, "a record must begin with '@'; the file was damaged or is not FASTQ")
    if sequence.endswith(b"\r") or header.endswith(b"\r"):
        refuse("carriage_return", 0, "lines end in CR LF; convert the file to Unix line ends")
    if not sequence:
        refuse("empty_read", 1, "the read has no bases; trim with a minimum length")
    if sequence.translate(None, _BASES):
        refuse("bad_base", 1, "a character is no IUPAC base")
    if not separator.startswith(b"+"):
        refuse("not_fastq", 2, "the third line of a record must begin with '+'")
    if len(sequence) != len(quality):
        refuse("quality_length", 3, "bases and qualities differ in number; the file was damaged or cut")
    if quality.translate(None, _QUALITIES):
        refuse("bad_quality", 3, "a quality character is outside 33 to 126")


def _check_mates(batch1: _Batch, batch2: _Batch, lines: int, name1: str, name2: str) -> None:
    names1 = [_read_name(line) for line in batch1.lines[0:lines:_LINES_PER_RECORD]]
    names2 = [_read_name(line) for line in batch2.lines[0:lines:_LINES_PER_RECORD]]
    _check_mate_number(batch1, 1, name1)
    _check_mate_number(batch2, 2, name2)
    if names1 == names2:
        return
    index = next(i for i, (one, two) in enumerate(zip(names1, names2, strict=True)) if one != two)
    line = batch1.first_line + index * _LINES_PER_RECORD
    raise RejectedInputError(
        "mates_disagree",
        f"line {line} of {name1} and of {name2} name different reads: the files are not of one run or not in one "
        "order; send both as the demultiplexer wrote them",
    )


def _check_mate_number(batch: _Batch, expected: int, name: str) -> None:
    """Refuse the other mate's file: the first header of a batch says `/1`, `/2`, ` 1:...` or ` 2:...`, or nothing."""
    parts = batch.lines[0].split(None, 2)
    found = parts[0][-1:] if parts and parts[0].endswith((b"/1", b"/2")) else b""
    if not found and len(parts) > 1 and parts[1].startswith((b"1:", b"2:")):
        found = parts[1][:1]
    if found and int(found) != expected:
        raise RejectedInputError(
            "mates_swapped",
            f"{name}, line {batch.first_line}: expected mate {expected}, found mate {int(found)}; give the first mate "
            "as READS_1 and the second as READS_2",
        )


def _read_name(header: bytes) -> bytes:
    name = header.split(None, 1)[0] if header.strip() else header
    return name[:-2] if name.endswith((b"/1", b"/2")) else name


def _guess(line: bytes) -> str:
    for magic, what in (
        (b"##fileformat=VCF", "a VCF"),
        (b"BAM\x01", "a BAM file"),
        (b"CRAM", "a CRAM file"),
        (b">", "a FASTA file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"%PDF", "a PDF"),
    ):
        if line.startswith(magic):
            return what
    return ""
