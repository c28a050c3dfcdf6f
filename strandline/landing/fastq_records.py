"""Checks of one block of FASTQ records, each done on all records at once.

Source: Cock et al. 2010, doi:10.1093/nar/gkp1137.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from strandline.landing.fastq_blocks import LINES_PER_RECORD, Block, Bytes, Places
from strandline.landing.fastq_rules import (
    BAD_BASE,
    BAD_QUALITY,
    BASES,
    CARRIAGE_RETURN,
    CONTROL_CHARACTER,
    EMPTY_NAME,
    EMPTY_READ,
    HIGHEST_QUALITY,
    LONG_NAME,
    LOWEST_QUALITY,
    QUALITY_LENGTH,
    RNA_BASES,
    SEPARATOR_DISAGREES,
)
from strandline.landing.fastq_tally import OFFSET_64_CEILING, OFFSET_64_FLOOR, SHORT_READ_CEILING, Tally
from strandline.landing.findings import KEPT_PER_RULE, Rule
from strandline.landing.sam.gather import gather_rows

Flags = npt.NDArray[np.bool_]

LONGEST_SAM_NAME: Final = 254
_IS_BASE: Final = np.isin(np.arange(256), np.frombuffer(BASES, dtype=np.uint8))
_AT, _PLUS, _SLASH, _COLON, _ZERO, _ONE, _TWO = b"@+/:012"
_SPACE, _NEWLINE, _RETURN, _TAB = b" \n\r\t"
_LINE_NAMES: Final = ("title", "sequence", "separator", "quality")
_TITLE, _SEQUENCE, _SEPARATOR, _QUALITY = range(LINES_PER_RECORD)
_PADDING_LIMIT: Final = 4  # bytes gathered for each byte of a block


@dataclass(frozen=True, slots=True)
class Note:
    """A rule that is broken in a record, counted from 0; `line` is 0 to 3 within it."""

    rule: Rule
    record: int
    line: int = 0
    kind: str | None = None
    count: int = 1

    @property
    def field(self) -> str:
        """Return which of the four lines it is."""
        return _LINE_NAMES[self.line]


@dataclass(frozen=True, slots=True)
class Names:
    """What mates are matched by, one row a record.

    Attributes:
        letters: the name without `@` and without `/1` or `/2`, padded with zeros to one width.
        mates: 1 or 2 where the title says which mate it is, else 0.
    """

    letters: Bytes
    mates: Bytes

    @property
    def count(self) -> int:
        """Return the number of records."""
        return len(self.mates)

    def first(self, count: int) -> "Names":
        """Return those of the first records."""
        return Names(self.letters[:count], self.mates[:count])

    def after(self, count: int) -> "Names":
        """Return those of what follows the first records."""
        return Names(self.letters[count:], self.mates[count:])

    def differ_from(self, other: "Names") -> Flags:
        """Return for each of as many records whether the names differ."""
        shared = min(self.letters.shape[1], other.letters.shape[1])
        differ = (self.letters[:, :shared] != other.letters[:, :shared]).any(axis=1)
        for names in (self, other):
            differ |= names.letters[:, shared:].any(axis=1)
        return cast("Flags", differ)


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """What was found in a block."""

    first_record: int
    notes: list[Note]
    names: Names
    tally: Tally


def find_notes(
    broken: Flags, rule: Rule, first: int, line: int = 0, kinds: "Sequence[str] | str | None" = None
) -> list[Note]:
    """Return a note for each of the first few records that break a rule, and one that counts the others.

    Args:
        broken: for each record whether it does.
        rule: that they break.
        first: how many records stand before them.
        line: 0 to 3, of the record.
        kinds: of the value, for all records or for each of the first few that break the rule.
    """
    if not broken.any():
        return []
    records = (np.flatnonzero(broken) + first).tolist()
    each = [kinds] * KEPT_PER_RULE if kinds is None or isinstance(kinds, str) else kinds
    notes = [Note(rule, record, line, kind) for record, kind in zip(records, each, strict=False)]
    if len(records) > KEPT_PER_RULE:
        notes.append(Note(rule, records[KEPT_PER_RULE], line, count=len(records) - KEPT_PER_RULE))
    return notes


def well_formed_count(block: Block) -> int:
    """Return how many records begin as records do before the first that does not: `@`, and `+` on the third line."""
    titles, separators = (block.buffer[block.starts[line::LINES_PER_RECORD]] for line in (_TITLE, _SEPARATOR))
    fine = (titles == _AT) & (separators == _PLUS)
    return int(len(fine) if fine.all() else fine.argmin())


def check_records(block: Block) -> list[CheckedBlock]:
    """Check records that begin as records do; in parts, where lines differ so much in length that padding would cost.

    Args:
        block: at least one record.
    """
    lines = _Lines.of(block)
    count = block.record_count
    if count > 1 and count * int(lines.lengths.max()) > _PADDING_LIMIT * block.size_bytes:
        half = count // 2
        return check_records(block.first(half)) + check_records(block.after(half))
    first = block.first_record
    lengths = lines.lengths[:, _SEQUENCE]
    notes = find_notes(_by_row(lines.has_return), CARRIAGE_RETURN, first) + _check_control_characters(lines)
    notes += find_notes(lengths == 0, EMPTY_READ, first, _SEQUENCE)
    notes += find_notes(lengths != lines.lengths[:, _QUALITY], QUALITY_LENGTH, first, _QUALITY)
    tally = Tally(
        reads=count,
        bases=int(lengths.sum()),
        gc_bases=_check_bases(lines, notes),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
    )
    tally = _check_qualities(lines, tally, notes)
    names = _check_titles(lines, notes)
    notes.sort(key=lambda note: (note.record, note.line))
    return [CheckedBlock(first, notes, names, tally)]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the four lines of each record begin and how long they are, without their ends: one row a record."""

    block: Block
    starts: Places
    lengths: Places
    has_return: Flags

    @classmethod
    def of(cls, block: Block) -> "_Lines":
        lengths = block.ends - block.starts
        has_return = (block.buffer[block.ends - 1] == _RETURN) & (lengths > 0)
        if has_return.any():
            lengths -= has_return
        shape = block.record_count, LINES_PER_RECORD
        return cls(block, block.starts.reshape(shape), lengths.reshape(shape), has_return.reshape(shape))

    def gather(self, line: int, rows: Flags | slice = slice(None), skip: int = 0, fill: int | None = 0) -> Bytes:
        """Return one line of each record as rows of one width, padded with `fill`, or else with its own first byte."""
        return _gather(self.block.buffer, self.starts[rows, line] + skip, self.lengths[rows, line] - skip, fill)

    def name_ends(self) -> Places:
        """Return where the first blank of each title stands."""
        ranks = np.empty(self.block.record_count, dtype=np.intp)
        ranks[0] = self.block.first_blank
        np.add(self.block.ranks[LINES_PER_RECORD - 1 : -1 : LINES_PER_RECORD], 1, out=ranks[1:])
        return self.block.blanks[ranks]


def _gather(buffer: Bytes, starts: Places, lengths: Places, fill: int | None) -> Bytes:
    width = int(lengths.max(initial=0))
    if width == 0:
        return np.empty((len(starts), 0), dtype=np.uint8)
    rows = gather_rows(buffer, starts, width)
    shared = int(lengths.min())
    if shared < width:
        padding = rows[:, :1] if fill is None else np.uint8(fill)
        rows[:, shared:] = np.where(np.arange(shared, width) < lengths[:, None], rows[:, shared:], padding)
    return rows


def _check_control_characters(lines: _Lines) -> list[Note]:
    """Find bytes below a space in titles and separators; in bases and qualities their own rules find them."""
    block = lines.block
    values = block.buffer[block.own_blanks]
    is_odd = (values < _SPACE) & (values != _NEWLINE) & (values != _TAB)
    if not is_odd.any():
        return []
    places, values = block.own_blanks[is_odd], values[is_odd]
    line = np.searchsorted(block.ends, places)
    is_wrong = (places < (lines.starts + lines.lengths).ravel()[line]) & (line % 2 == 0)
    notes = []
    for kind, is_kind in (("NUL", values == 0), ("control character", values != 0)):
        broken = np.zeros(block.record_count, dtype=np.bool_)
        broken[line[is_wrong & is_kind] // LINES_PER_RECORD] = True
        notes += find_notes(broken, CONTROL_CHARACTER, block.first_record, kinds=kind)
    return notes


def _check_bases(lines: _Lines, notes: list[Note]) -> int:
    """Return how many bases are G or C."""
    bases = lines.gather(_SEQUENCE, fill=ord("A"))
    found = {letter: int(np.count_nonzero(bases == letter)) for letter in b"ACGTN"}
    if sum(found.values()) == bases.size:
        return found[ord("G")] + found[ord("C")]
    first = lines.block.first_record
    count_by_letter = np.bincount(bases.ravel(), minlength=256)
    if count_by_letter[~_IS_BASE].any():
        notes += _find_bytes(bases, ~_IS_BASE[bases], BAD_BASE, first, _SEQUENCE)
    if count_by_letter[list(b"Uu")].any():
        notes += find_notes(_by_row(np.isin(bases, list(b"Uu"))), RNA_BASES, first, _SEQUENCE)
    return int(count_by_letter[list(b"GCgc")].sum())


def _by_row(wrong: Flags) -> Flags:
    """Return for each row whether anything in it is wrong."""
    return cast("Flags", wrong.any(axis=1))


def _find_bytes(rows: Bytes, wrong: Flags, rule: Rule, first: int, line: int) -> list[Note]:
    """Return notes of the rows that hold a wrong byte, with the kind of the first in each."""
    broken = _by_row(wrong)
    places = np.flatnonzero(broken)[:KEPT_PER_RULE]
    kinds = [_kind_of(int(rows[place, wrong[place].argmax()])) for place in places]
    return find_notes(broken, rule, first, line, kinds)


def _check_qualities(lines: _Lines, tally: Tally, notes: list[Note]) -> Tally:
    """Return the tally with what the qualities say."""
    qualities = lines.gather(_QUALITY, fill=None)
    is_empty = lines.lengths[:, _QUALITY] == 0
    if is_empty.all():
        return tally
    if is_empty.any():  # they say nothing: let them be like others
        qualities[is_empty] = qualities[is_empty.argmin(), 0]
    lowest, highest = int(qualities.min()), int(qualities.max())
    first = lines.block.first_record
    if lowest < LOWEST_QUALITY or highest > HIGHEST_QUALITY:
        wrong = (qualities < LOWEST_QUALITY) | (qualities > HIGHEST_QUALITY)
        notes += _find_bytes(qualities, wrong & ~is_empty[:, None], BAD_QUALITY, first, _QUALITY)
    if highest <= SHORT_READ_CEILING:
        return replace(tally, lowest=lowest, highest=highest, has_low_read=lowest < OFFSET_64_FLOOR)
    is_low = qualities.min(axis=1) < OFFSET_64_FLOOR
    tops = qualities.max(axis=1)
    is_high = ~is_low & (tops > SHORT_READ_CEILING) & (tops <= OFFSET_64_CEILING)
    is_wide = (is_low & (tops > SHORT_READ_CEILING)) | (tops > OFFSET_64_CEILING)
    return replace(
        tally,
        lowest=lowest,
        highest=highest,
        has_low_read=bool(is_low.any()),
        has_wide_read=bool(is_wide.any()),
        first_high_read=first + int(is_high.argmax()) if is_high.any() else None,
    )


def _check_titles(lines: _Lines, notes: list[Note]) -> Names:
    """Check titles and what repeats them, and return the names."""
    buffer, first = lines.block.buffer, lines.block.first_record
    begins = lines.starts[:, _TITLE] + 1
    ends = lines.name_ends()
    lengths = ends - begins
    notes += _check_separators(lines, lengths)
    notes += find_notes(lengths == 0, EMPTY_NAME, first)
    notes += find_notes(lengths > LONGEST_SAM_NAME, LONG_NAME, first)
    last = buffer[ends - 1]
    is_numbered = (lengths > 2) & (buffer[ends - 2] == _SLASH) & ((last == _ONE) | (last == _TWO))
    told = buffer[ends + 1]
    is_told = (buffer[ends] != _NEWLINE) & (buffer[ends + 2] == _COLON) & ((told == _ONE) | (told == _TWO))
    mates = np.where(is_numbered, last - _ZERO, np.where(is_told, told - _ZERO, 0)).astype(np.uint8)
    return Names(_gather(buffer, begins, lengths - 2 * is_numbered, 0), mates)


def _check_separators(lines: _Lines, name_lengths: Places) -> list[Note]:
    """What follows `+` is the title, or, as some tools write it, its name alone."""
    rows = lines.lengths[:, _SEPARATOR] > 1
    if not rows.any():
        return []
    lengths = lines.lengths[rows, _SEPARATOR] - 1
    repeated = lines.gather(_SEPARATOR, rows, skip=1)
    titles = _gather(lines.block.buffer, lines.starts[rows, _TITLE] + 1, lengths, 0)
    is_whole = (lengths == lines.lengths[rows, _TITLE] - 1) | (lengths == name_lengths[rows])
    broken = np.zeros(len(rows), dtype=np.bool_)
    broken[rows] = ~(is_whole & (repeated == titles).all(axis=1))
    return find_notes(broken, SEPARATOR_DISAGREES, lines.block.first_record, _SEPARATOR)


def _kind_of(byte: int) -> str:
    if byte == 0:
        return "NUL"
    if byte in b" \t":
        return "white space"
    if byte < _SPACE or byte == 127:
        return "control character"
    if byte > 127:
        return "not ASCII"
    if byte in b"-*":
        return "gap"
    return "letter" if chr(byte).isalpha() else "digit" if chr(byte).isdigit() else "punctuation"
