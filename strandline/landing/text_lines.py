"""Lines of small text files in bounded memory, with what no text file may have told apart by the caller's rules."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from strandline.landing.findings import FindingLog, Rule

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NUMBER: Final = re.compile(rb"[-+][0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?")
_FORMULA: Final = frozenset(b"=+-@")


def numbered_lines(
    pieces: Iterable[bytes], log: FindingLog, *, limit_bytes: int, too_long: Rule
) -> Iterator[tuple[int, bytes]]:
    """Yield lines by their 1-based number, without LF; a line over the limit is noted and ends them."""
    waiting: list[bytes] = []  # joined once the line ends, so that a long one is not copied with each piece
    size = number = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            for line in b"".join((*waiting, piece[: cut - 1])).split(b"\n"):
                number += 1
                yield number, line
            waiting, size = [], 0
        if cut < len(piece):
            waiting.append(piece[cut:])
            size += len(piece) - cut
        if size > limit_bytes:
            log.add(too_long, line=number + 1)
            return
    if waiting:
        yield number + 1, b"".join(waiting)


def has_control_character(line: bytes) -> bool:
    """Whether a line holds a control character other than tab and carriage return."""
    return bool(_CONTROL.search(line))


def is_utf8(line: bytes) -> bool:
    """Whether a line is UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_formula(cell: bytes) -> bool:
    """Whether a spreadsheet would run a cell. Source: OWASP, CSV injection; numbers and a lone sign are none.

    >>> [is_formula(cell) for cell in (b"=1+1", b"@x", b"-9", b"+1.5", b"-", b"NA12878")]
    [True, True, False, False, False, False]
    """
    return len(cell) > 1 and cell[0] in _FORMULA and not _NUMBER.fullmatch(cell)
