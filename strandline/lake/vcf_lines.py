"""Where the columns of VCF records stand in a block of text, and what the eight fixed ones say; compiled.

Source: VCF 4.5, section 1.6.1.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strandline.lake.compiled import compiled
from strandline.lake.text_scan import INEXACT, MISSING, OK, Bytes, Numbers, Places, intern_text, parse_float

CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO, FORMAT, SAMPLES = range(10)
COLUMN_COUNT: Final = 10  # starts of the nine columns above and of the first sample

FEW_COLUMNS: Final = 1
BAD_POSITION: Final = 2
BAD_QUALITY: Final = 3

_TAB, _COMMA, _DOT, _HASH = 9, 44, 46, 35
_MOST_POSITION_DIGITS: Final = 12


@compiled
def find_columns(
    text: Bytes, starts: Places, ends: Places, columns: Places, positions: Places, alt_counts: Numbers
) -> tuple[int, int]:
    """Find the columns of lines; return OK or what is wrong, and in which line.

    Args:
        text: the block.
        starts, ends: of each line, without its line end.
        columns: out, ten places a line: where each column starts, `end + 1` for one that is not there. A column ends
            one before the next begins.
        positions: out, POS, 1-based.
        alt_counts: out, ALT alleles; 0 for `.`.
    """
    for line in range(starts.shape[0]):
        end = ends[line]
        base = line * COLUMN_COUNT
        columns[base] = starts[line]
        column = 1
        place = starts[line]
        while place < end and column <= SAMPLES:
            if text[place] == _TAB:
                columns[base + column] = place + 1
                column += 1
            place += 1
        if column < FORMAT or text[starts[line]] == _HASH:
            return FEW_COLUMNS, line
        while column <= SAMPLES:
            columns[base + column] = end + 1
            column += 1
        first, last = columns[base + POS], columns[base + ID] - 1
        if last <= first or last - first > _MOST_POSITION_DIGITS:
            return BAD_POSITION, line
        position = 0
        for place in range(first, last):
            digit = int(text[place]) - 48
            if digit < 0 or digit > 9:
                return BAD_POSITION, line
            position = position * 10 + digit
        positions[line] = position
        first, last = columns[base + ALT], columns[base + QUAL] - 1
        count = 1
        for place in range(first, last):
            if text[place] == _COMMA:
                count += 1
        alt_counts[line] = 0 if last - first == 1 and text[first] == _DOT else count
    return OK, 0


@compiled
def number_texts(
    text: Bytes,
    columns: Places,
    first_column: int,
    end_column: int,
    slots: Numbers,
    known: Places,
    numbers: Numbers,
) -> int:
    """Number what stands from one column to before another, equal texts alike; return how many differ.

    Lines often repeat the text of the line before, which is looked at first. `slots` and `known` are as `intern_text`
    wants them, with room for a text a line.
    """
    count = 0
    for line in range(numbers.shape[0]):
        start = columns[line * COLUMN_COUNT + first_column]
        end = max(start, columns[line * COLUMN_COUNT + end_column] - 1)
        if line:
            number = int(numbers[line - 1])
            first = known[2 * number]
            if known[2 * number + 1] - first == end - start:
                same = True
                for offset in range(end - start):
                    if text[first + offset] != text[start + offset]:
                        same = False
                        break
                if same:
                    numbers[line] = number
                    continue
        number = intern_text(text, start, end, slots, known, count)
        count = max(count, number + 1)
        numbers[line] = number
    return count


@compiled
def read_qualities(
    text: Bytes, columns: Places, qualities: NDArray[np.float64], states: NDArray[np.uint8]
) -> tuple[int, int]:
    """Read QUAL into `qualities`, and into `states` whether it is OK, MISSING or INEXACT; BAD_QUALITY stops."""
    for line in range(qualities.shape[0]):
        base = line * COLUMN_COUNT
        state, value = parse_float(text, columns[base + QUAL], columns[base + FILTER] - 1)
        if state not in (OK, MISSING, INEXACT):
            return BAD_QUALITY, line
        states[line] = state
        qualities[line] = value
    return OK, 0
