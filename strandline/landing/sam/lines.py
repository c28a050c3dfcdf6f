"""Lines of text that comes in pieces, in bounded memory and in time that grows with the text alone."""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

LINE_LIMIT_BYTES: Final = 64 << 20
_BEGINNING_BYTES: Final = 1 << 16


class Ending(Enum):
    """How a line ends."""

    FEED = auto()
    FILE = auto()
    TOO_FAR = auto()  # only its beginning was kept


def read_lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, Ending]]:
    """Yield lines without their line feeds, and how each ends: of an endless one only the beginning comes."""
    carried: list[bytes] = []
    size = 0
    is_cut = False
    for piece in pieces:
        first, *others = piece.split(b"\n")
        if not is_cut:
            carried.append(first)
            size += len(first)
        if size > LINE_LIMIT_BYTES and not is_cut:
            carried, is_cut = [b"".join(carried)[:_BEGINNING_BYTES]], True
        if others:
            yield b"".join(carried), Ending.TOO_FAR if is_cut else Ending.FEED
            for line in others[:-1]:
                yield line, Ending.FEED
            carried, size, is_cut = [others[-1]], len(others[-1]), False
    if carried and (size or is_cut):
        yield b"".join(carried), Ending.TOO_FAR if is_cut else Ending.FILE
