"""Lines of a block as records: where their columns are, and what repeats among them numbered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strandline.errors import RejectedInputError
from strandline.lake import arrow_columns as arrow
from strandline.lake import vcf_lines as lines
from strandline.lake.text_scan import INEXACT, MISSING, OK, Bytes, Numbers, Places, empty_slots
from strandline.lake.vcf_source import VcfText

MOST_ALTS: Final = 1000
ROWS_PER_BATCH: Final = 1 << 17
BYTES_PER_BATCH: Final = 256 << 20  # of text once split; no column of a batch may reach 2 GiB
_MOST_ROWS: Final = 128 * ROWS_PER_BATCH  # of one record
_REFUSALS: Final = {
    lines.FEW_COLUMNS: ("vcf_columns", "the line has too few columns, or begins with # behind the header"),
    lines.BAD_POSITION: ("vcf_position", "POS is not a number"),
    lines.BAD_QUALITY: ("vcf_quality", "QUAL is not a number"),
}


@dataclass(frozen=True, slots=True)
class Records:
    """Some records of one block.

    Attributes:
        text, ends, columns, positions, alt_counts: as `find_columns` takes and fills them.
        file, first_line: where they stand, for messages; 1-based.
    """

    text: Bytes
    ends: Places
    columns: Places
    positions: Places
    alt_counts: Numbers
    file: str
    first_line: int

    def __len__(self) -> int:
        return len(self.ends)

    def cut(self, first: int, end: int) -> "Records":
        """Return some of them."""
        width = lines.COLUMN_COUNT
        columns = self.columns[first * width : end * width]
        parts = self.ends[first:end], columns, self.positions[first:end], self.alt_counts[first:end]
        return Records(self.text, *parts, self.file, self.first_line + first)

    def bounds(self, column: int) -> tuple[Places, Places]:
        """Return where a column starts and ends in each of them."""
        width = lines.COLUMN_COUNT
        return self.columns[column::width], self.columns[column + 1 :: width] - 1

    def numbered(self, first_column: int, end_column: int) -> tuple[Numbers, pa.Array]:
        """Number what stands from one column to before another; return the numbers and the texts."""
        slots, known = empty_slots(len(self))
        found = np.empty(len(self), np.int32)
        count = lines.number_texts(self.text, self.columns, first_column, end_column, slots, known, found)
        return found, arrow.known_texts(self.text, known, count)

    def qualities(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return QUAL, and whether there is one."""
        values, states = np.empty(len(self), np.float64), np.empty(len(self), np.uint8)
        state, record = lines.read_qualities(self.text, self.columns, values, states)
        if state != OK:
            raise self.refusal(*_REFUSALS[state], record)
        starts, ends = self.bounds(lines.QUAL)
        for inexact in np.flatnonzero(states == INEXACT):
            try:
                values[inexact] = float(self.text[starts[inexact] : ends[inexact]].tobytes())
            except ValueError:
                raise self.refusal(*_REFUSALS[lines.BAD_QUALITY], int(inexact)) from None
        return values, states != MISSING

    def refusal(self, code: str, says: str, record: int, field: str = "") -> RejectedInputError:
        """Return the error that a record is refused with."""
        place = f", {field}" if field else ""
        return RejectedInputError(
            code,
            f"{self.file}, line {self.first_line + int(record)}{place}: {says}; correct the file and load it again",
        )


def find_records(block: VcfText, file: str) -> Records:
    """Return the records of a block.

    Raises:
        RejectedInputError: `vcf_columns`, `vcf_position`, `vcf_alleles_over`.
    """
    count = len(block.starts)
    columns = np.empty(count * lines.COLUMN_COUNT, np.int64)
    found = Records(
        block.text, block.ends, columns, np.empty(count, np.int64), np.empty(count, np.int32), file, block.first_line
    )
    state, record = lines.find_columns(block.text, block.starts, block.ends, columns, found.positions, found.alt_counts)
    if state != OK:
        raise found.refusal(*_REFUSALS[state], record)
    over = np.flatnonzero(found.alt_counts > MOST_ALTS)
    if len(over):
        raise found.refusal("vcf_alleles_over", f"the record has over {MOST_ALTS} ALT alleles", over[0], "ALT")
    return found


def batches_of(records: Records, sample_count: int) -> Iterator[Records]:
    """Yield records in stretches that stay small once each sample and ALT allele is a row, one of them at least.

    Raises:
        RejectedInputError: `vcf_too_wide`, where one alone does not.
    """
    copies = np.maximum(records.alt_counts, 1).astype(np.int64)
    rows = np.cumsum(copies * max(sample_count, 1))
    sizes = np.cumsum((records.ends - records.columns[:: lines.COLUMN_COUNT] + 1) * copies)
    first = 0
    while first < len(records):
        rows_before, size_before = (rows[first - 1], sizes[first - 1]) if first else (0, 0)
        end = min(
            np.searchsorted(rows, rows_before + ROWS_PER_BATCH, side="right"),
            np.searchsorted(sizes, size_before + BYTES_PER_BATCH, side="right"),
        )
        if end <= first:
            if sizes[first] - size_before > 4 * BYTES_PER_BATCH or rows[first] - rows_before > _MOST_ROWS:
                raise records.refusal("vcf_too_wide", "the record is too large once its ALT alleles stand apart", first)
            end = first + 1
        yield records.cut(first, int(end))
        first = int(end)
