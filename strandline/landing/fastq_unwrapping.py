"""Records whose bases and qualities stand on several lines, written anew with four lines.

Cock et al. 2010 (doi:10.1093/nar/gkp1137) allows such lines and advises against them. A quality line may begin with
`@` or `+`, so the number of bases alone tells where the qualities end.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from strandline.landing.fastq_rules import BASES, LINE_LIMIT_BYTES

_STEP_BYTES: Final = 1 << 19


def is_wrapped(title: bytes, second: bytes, third: bytes) -> bool:
    """Whether a record's first three lines are a title and two lines of bases."""
    lines = second.rstrip(b"\r"), third.rstrip(b"\r")
    return title.startswith(b"@") and all(line and not line.translate(None, BASES) for line in lines)


def unwrap_records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield records with four lines; from the first line on that does not begin a record, lines as they are."""
    waiting: list[bytes] = []
    waiting_bytes = 0
    lines = _lines(pieces)
    for title in lines:
        record = _read_record(title, lines) if title.startswith(b"@") else [title, *lines]
        waiting += record
        waiting_bytes += sum(map(len, record))
        if waiting_bytes > _STEP_BYTES:
            yield b"\n".join(waiting) + b"\n"
            waiting, waiting_bytes = [], 0
    if waiting:
        yield b"\n".join(waiting) + b"\n"


def _read_record(title: bytes, lines: Iterator[bytes]) -> list[bytes]:
    """Return four lines, or two where the file ends within the bases or they are over the limit of a line."""
    bases: list[bytes] = []
    base_count = 0
    separator = next(lines, None)
    while separator is not None and not separator.startswith(b"+") and base_count <= LINE_LIMIT_BYTES:
        bases.append(separator.rstrip(b"\r"))
        base_count += len(bases[-1])
        separator = next(lines, None)
    if separator is None or base_count > LINE_LIMIT_BYTES:
        return [title, b"".join(bases)]
    qualities: list[bytes] = []
    missing = base_count
    while missing > 0 and (line := next(lines, None)) is not None:
        qualities.append(line.rstrip(b"\r"))
        missing -= max(1, len(qualities[-1]))
    return [title, b"".join(bases), separator, b"".join(qualities)]


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their ends; one over the limit in parts, which together are over it still."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LINE_LIMIT_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest
