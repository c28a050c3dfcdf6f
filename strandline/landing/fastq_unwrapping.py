"""Records whose bases and qualities stand on several lines, written anew with four lines.

Cock et al. 2010 (doi:10.1093/nar/gkp1137) allows such lines and advises against them. A quality line may begin with
`@` or `+`, so the number of bases alone tells where the qualities end.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from strandline.landing.fastq_rules import BASES, LINE_LIMIT_BYTES

_STEP_BYTES: Final = 1 << 19


def is_wrapped(title: bytes, second: bytes, third: bytes) -> bool:
    """Whether a record's first three lines are a title and two lines of bases."""
    lines = second.rstrip(b"\r"), third.rstrip(b"\r")
    return title.startswith(b"@") and all(line and not line.translate(None, BASES) for line in lines)


def unwrap_records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield records with four lines, and at the end the line that begins no record, or the first after blank ones."""
    waiting: list[bytes] = []
    waiting_bytes = 0
    lines = _lines(pieces)
    for title in lines:
        if not title.startswith(b"@"):
            after_blanks = () if title.strip() else (line for line in lines if line.strip())
            waiting += [line[:_STEP_BYTES] for line in (title, *islice(after_blanks, 1))]
            break
        record = _read_record(title, lines)
        waiting += record
        waiting_bytes += sum(map(len, record))
        if waiting_bytes > _STEP_BYTES:
            yield b"\n".join(waiting) + b"\n"
            waiting, waiting_bytes = [], 0
    if waiting:
        yield b"\n".join(waiting) + b"\n"


def _read_record(title: bytes, lines: Iterator[bytes]) -> list[bytes]:
    """Return four lines, or fewer where the file ends, a line is blank or the bases are over the limit of a line."""
    bases: list[bytes] = []
    base_count = 0
    for line in lines:
        if line.startswith(b"+"):
            return [title, b"".join(bases), line, _read_qualities(base_count, lines)]
        bases.append(line.rstrip(b"\r"))
        base_count += len(bases[-1])
        if not bases[-1] or base_count > LINE_LIMIT_BYTES:
            break
    return [title, b"".join(bases)]


def _read_qualities(base_count: int, lines: Iterator[bytes]) -> bytes:
    """Read on until there is a quality for each base, a line is blank or the file ends."""
    qualities: list[bytes] = []
    missing = base_count
    while missing > 0 and (line := next(lines, b"").rstrip(b"\r")):
        qualities.append(line)
        missing -= len(line)
    return b"".join(qualities)


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
