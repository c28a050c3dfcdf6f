"""FASTQ files and pairs, checked while they stream, in constant memory, each mate's file in a thread of its own.

Source: Cock et al. 2010, doi:10.1093/nar/gkp1137 (four lines a record, Sanger qualities 33 to 126). How, and how
fast: docs/decisions/0017-fastq-in-numpy.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.fastq_blocks import LINES_PER_RECORD
from strandline.landing.fastq_reading import Remark, read_parts
from strandline.landing.fastq_records import CheckedBlock, Names, Note, find_notes
from strandline.landing.fastq_rules import (
    EXPANSION_LIMIT,
    FASTQ_EMPTY,
    GZIP_RULE_BY_CODE,
    LINES_WRAPPED,
    MATE_COUNTS_DIFFER,
    MATES_DISAGREE,
    MATES_SWAPPED,
    QUALITY_OFFSET,
)
from strandline.landing.fastq_tally import Tally
from strandline.landing.findings import FindingLog, Level
from strandline.landing.read_ahead import ReadAhead

_PARTS_AHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class ReadsSummary:
    """What a pair of FASTQ files holds; lengths in bases, qualities on the Phred scale."""

    pair_count: int
    base_count: int
    shortest_read: int
    longest_read: int
    lowest_quality: int
    highest_quality: int
    gc_base_count: int


@dataclass(frozen=True, slots=True)
class SingleReadsSummary:
    """What one FASTQ file holds; lengths in bases, qualities on the Phred scale."""

    read_count: int
    base_count: int
    shortest_read: int
    longest_read: int
    lowest_quality: int
    highest_quality: int
    gc_base_count: int


@dataclass(frozen=True, slots=True)
class FastqSource:
    """One FASTQ file: a name for messages, and its bytes as stored, which are read in another thread."""

    name: str
    chunks: Iterable[bytes]


def validate_fastq_pair(first: FastqSource, second: FastqSource) -> ReadsSummary:
    """Check two FASTQ files record by record and mate by mate, up to the first error.

    Raises:
        RejectedInputError: with a code of `FASTQ_RULES` or of the sources, the file and the 1-based line.
    """
    return _check_pair(first, second, FindingLog(first.name), FindingLog(second.name), stops_at_error=True)


def validate_fastq(source: FastqSource) -> SingleReadsSummary:
    """Check one FASTQ file record by record, up to the first error.

    Raises:
        RejectedInputError: with a code of `FASTQ_RULES` or of the source, the file and the 1-based line.
    """
    return _check_single(source, FindingLog(source.name), stops_at_error=True)


def check_fastq_pair(
    first: FastqSource, second: FastqSource, first_log: FindingLog, second_log: FindingLog
) -> ReadsSummary:
    """Check two FASTQ files and write all that is wrong into their logs, as far as their records can be told apart.

    Raises:
        RejectedInputError: with a code of the sources.
    """
    return _check_pair(first, second, first_log, second_log, stops_at_error=False)


def check_fastq(source: FastqSource, log: FindingLog) -> SingleReadsSummary:
    """Check one FASTQ file and write all that is wrong into its log, as far as its records can be told apart.

    Raises:
        RejectedInputError: with a code of the source.
    """
    return _check_single(source, log, stops_at_error=False)


def _check_single(source: FastqSource, log: FindingLog, *, stops_at_error: bool) -> SingleReadsSummary:
    with ReadAhead(_plain_pieces(source), _PARTS_AHEAD) as pieces:
        file = _CheckedFile(read_parts(pieces), log, stops_at_error)
        file.finish()
    if file.tally.reads == 0 and not file.is_broken:
        log.add(FASTQ_EMPTY)
    if stops_at_error:
        log.refuse_errors()
    return SingleReadsSummary(file.tally.reads, *_figures(file.tally))


def _check_pair(
    first: FastqSource, second: FastqSource, first_log: FindingLog, second_log: FindingLog, stops_at_error: bool
) -> ReadsSummary:
    with (
        ReadAhead(read_parts(_plain_pieces(first)), _PARTS_AHEAD) as first_parts,
        ReadAhead(read_parts(_plain_pieces(second)), _PARTS_AHEAD) as second_parts,
    ):
        one = _CheckedFile(iter(first_parts), first_log, stops_at_error)
        two = _CheckedFile(iter(second_parts), second_log, stops_at_error)
        _match_mates(one, two, stops_at_error)
        one.finish()
        two.finish()
    if one.tally.reads == two.tally.reads == 0 and not (one.is_broken or two.is_broken):
        one.log.add(FASTQ_EMPTY)
        two.log.add(FASTQ_EMPTY)
    if stops_at_error:
        one.log.refuse_errors()
        two.log.refuse_errors()
    return ReadsSummary(min(one.tally.reads, two.tally.reads), *_figures(one.tally.plus(two.tally)))


def _plain_pieces(source: FastqSource) -> Iterator[bytes]:
    return decompress_if_gzip(source.chunks, source.name, expansion_limit=EXPANSION_LIMIT)


def _figures(tally: Tally) -> tuple[int, int, int, int, int, int]:
    """Return what follows the count in both summaries."""
    shortest = tally.shortest if tally.shortest is not None else 0
    return tally.bases, shortest, tally.longest, tally.lowest_phred, tally.highest_phred, tally.gc_bases


class _CheckedFile:
    """The parts of one file, whose notes go to its log as they are read, and the names that wait for their mates."""

    def __init__(self, parts: Iterator[CheckedBlock | Remark], log: FindingLog, stops_at_error: bool) -> None:
        self.log = log
        self.tally = Tally()
        self.is_broken = False
        self.waiting: Names | None = None
        self.first_waiting = 0
        self._parts = parts
        self._stops_at_error = stops_at_error
        self._has_lines = True

    def has_names(self) -> bool:
        """Read on until names wait; False at the end."""
        while self.waiting is None:
            part = self._next_part()
            if part is None:
                return False
            if isinstance(part, CheckedBlock):
                self.waiting, self.first_waiting = part.names, part.first_record
        return True

    def take_names(self, count: int) -> Names:
        """Return the next names, of which at least `count` wait."""
        if self.waiting is None:
            raise RuntimeError("no names wait")
        taken, left = self.waiting.first(count), self.waiting.after(count)
        self.waiting = left if left.count else None
        self.first_waiting += count
        return taken

    def finish(self) -> None:
        """Read all that is left, and judge the file as a whole."""
        while self._next_part() is not None:
            pass
        kind = self.tally.doubted_offset
        if kind is not None:
            self.note(Note(QUALITY_OFFSET, self.tally.first_high_read or 0, 3, kind))

    def note(self, note: Note) -> None:
        """Write a note into the log; its line too, unless lines are no longer the file's."""
        line = note.record * LINES_PER_RECORD + note.line + 1 if self._has_lines else None
        self.log.add(note.rule, line=line, record=note.record + 1, field=note.field, kind=note.kind, count=note.count)

    def _next_part(self) -> CheckedBlock | Remark | None:
        try:
            part = next(self._parts, None)
        except RejectedInputError as refusal:
            if self._stops_at_error or refusal.code not in GZIP_RULE_BY_CODE:
                raise
            self.is_broken = True
            self.note(Note(GZIP_RULE_BY_CODE[refusal.code], self.tally.reads))
            return None
        if isinstance(part, Remark):
            self.is_broken |= part.note.rule.level is Level.ERROR
            self.note(part.note)
            self._has_lines &= part.note.rule is not LINES_WRAPPED
        elif part is not None:
            self.tally = self.tally.plus(part.tally)
            for note in part.notes:
                self.note(note)
        if self._stops_at_error:
            self.log.refuse_errors()
        return part


def _match_mates(one: _CheckedFile, two: _CheckedFile, stops_at_error: bool) -> None:
    """Compare names and mate numbers as long as both files have reads, and say where one has more than the other."""
    while one.has_names() and two.has_names():
        count = min(file.waiting.count for file in (one, two) if file.waiting)
        starts = one.first_waiting, two.first_waiting
        names = one.take_names(count), two.take_names(count)
        for file, its, start, other in zip((one, two), names, starts, (2, 1), strict=True):
            _note(file, find_notes(its.mates == other, MATES_SWAPPED, start, kinds=f"mate {other}"))
        differ = names[0].differ_from(names[1])
        for file, start in zip((one, two), starts, strict=True):
            _note(file, find_notes(differ, MATES_DISAGREE, start))
        if stops_at_error:
            one.log.refuse_errors()
            two.log.refuse_errors()
    if not (one.is_broken or two.is_broken) and one.has_names() != two.has_names():
        one.log.add(MATE_COUNTS_DIFFER)
        two.log.add(MATE_COUNTS_DIFFER)
        if stops_at_error:
            one.log.refuse_errors()


def _note(file: _CheckedFile, notes: list[Note]) -> None:
    for note in notes:
        file.note(note)
