"""The cells of a sample sheet in bounded memory, with what no sheet may hold noted and left out."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from strandline.landing import sheet_rules as rules
from strandline.landing.findings import FindingLog
from strandline.landing.text_lines import has_control_character, is_formula

LIMIT_BYTES: Final = 8 << 20
_MOST_ROWS: Final = 10_000
_LONGEST_CELL: Final = 4096
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_BREAKS: Final = frozenset("\t\r\n\x0b\x0c\x1c\x1d\x1e\x7f\x85\u2028\u2029")


@dataclass(frozen=True, slots=True)
class Row:
    """The stripped cells of one line; `line` from 1, the last one where cells hold line breaks."""

    line: int
    cells: list[str]


def read_rows(pieces: Iterable[bytes], log: FindingLog) -> list[Row]:
    """Return the lines that hold anything; none where the file as a whole cannot be read."""
    text = _decode(pieces, log)
    if text is None:
        return []
    rows: list[Row] = []
    for row in _split(text, log):
        if len(rows) == _MOST_ROWS + 1:
            log.add(rules.TOO_MANY_ROWS, line=row.line)
            return []
        _check_cells(row, log)
        rows.append(row)
    return rows


def _decode(pieces: Iterable[bytes], log: FindingLog) -> str | None:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > LIMIT_BYTES:
            log.add(rules.TOO_LARGE)
            return None
    if body.startswith(_UTF16):
        log.add(rules.UTF16)
        return None
    if b"\0" in body:
        log.add(rules.NUL, line=body[: body.index(b"\0")].count(b"\n") + 1)
        return None
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        log.add(rules.NOT_TEXT, line=body[: error.start].count(b"\n") + 1)
        return None


def _split(text: str, log: FindingLog) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip(" ") for cell in cells]
            if any(stripped):
                yield Row(reader.line_num, stripped)
    except csv.Error:
        log.add(rules.MALFORMED, line=reader.line_num)


def _check_cells(row: Row, log: FindingLog) -> None:
    for number, cell in enumerate(row.cells, start=1):
        place = f"column {number}"
        if len(cell) > _LONGEST_CELL:
            log.add(rules.CELL_TOO_LONG, line=row.line, field=place)
        encoded = cell.encode()
        if has_control_character(encoded) or not _LINE_BREAKS.isdisjoint(cell):
            log.add(rules.CONTROL, line=row.line, field=place)
        if is_formula(encoded):
            log.add(rules.FORMULA, line=row.line, field=place)
