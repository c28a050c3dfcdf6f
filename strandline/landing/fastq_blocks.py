"""FASTQ bytes to blocks of whole records, whose lines are found but not looked at.

Blocks are cut by the bytes of the file alone: how they arrived changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from strandline.errors import RejectedInputError

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]

LINES_PER_RECORD: Final = 4
_BLOCK_BYTES: Final = 1 << 20  # smaller: mates wait for each other; larger: memory (docs/decisions/0017)
_NEWLINE, _SPACE = b"\n "


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, four lines each; valid until the next block is asked for.

    Attributes:
        buffer: holds the block, and as much room behind it as the block is long.
        starts: where each line begins in `buffer`, four a record.
        ends: where its newline stands.
        blanks: where bytes up to the space stand in `buffer`; newlines are among them.
        ranks: for each line where its newline stands in `blanks`.
        first_blank: where the first blank of the block stands in `blanks`.
        first_record: how many records stand before the block.
    """

    buffer: Bytes
    starts: Places
    ends: Places
    blanks: Places
    ranks: Places
    first_blank: int
    first_record: int

    @property
    def record_count(self) -> int:
        """Return the number of records."""
        return len(self.ends) // LINES_PER_RECORD

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all lines with their ends."""
        return int(self.ends[-1]) + 1 - int(self.starts[0])

    @property
    def own_blanks(self) -> Places:
        """Return `blanks` of the block's own lines."""
        return self.blanks[self.first_blank : int(self.ranks[-1]) + 1]

    def first(self, count: int) -> "Block":
        """Return the first records."""
        lines = LINES_PER_RECORD * count
        return replace(self, starts=self.starts[:lines], ends=self.ends[:lines], ranks=self.ranks[:lines])

    def after(self, count: int) -> "Block":
        """Return what follows the first records."""
        lines = LINES_PER_RECORD * count
        return replace(
            self,
            starts=self.starts[lines:],
            ends=self.ends[lines:],
            ranks=self.ranks[lines:],
            first_blank=int(self.ranks[lines - 1]) + 1 if count else self.first_blank,
            first_record=self.first_record + count,
        )

    def bytes_of_first(self) -> bytes:
        """Return the first record with its line ends."""
        return self.buffer[int(self.starts[0]) : int(self.ends[LINES_PER_RECORD - 1]) + 1].tobytes()


class BlockReader:
    """Cut a stream of bytes into blocks.

    After the last block, `rest` is what follows the last whole record, with a newline at its end.
    A reader stops early where a line is over `line_limit_bytes`: `long_line` counts the lines between the last block
    and that line. Where the stream ends in a refusal, the whole records before it come first.
    """

    def __init__(self, pieces: Iterable[bytes], line_limit_bytes: int, first_record: int = 0) -> None:
        self.record_count = first_record
        self.long_line: int | None = None
        self._pieces = iter(pieces)
        self._limit = line_limit_bytes
        self._buffer = np.empty(2 * _BLOCK_BYTES, dtype=np.uint8)
        self._filled = 0
        self._waiting: memoryview = memoryview(b"")
        self._refusal: RejectedInputError | None = None

    @property
    def rest(self) -> Bytes:
        """What is left over, with a newline at its end."""
        return self._buffer[: self._filled]

    def pieces_from(self, block: Block) -> Iterator[bytes]:
        """Yield the bytes from the beginning of a block of this reader on, to its stream's end."""
        yield self._buffer[int(block.starts[0]) : self._filled].tobytes()
        if self._waiting:
            yield bytes(self._waiting)
        yield from self._pieces

    def __iter__(self) -> Iterator[Block]:
        size = _BLOCK_BYTES
        is_end = False
        while not is_end:
            is_end = not self._fill(size)
            blanks = self._find_blanks()
            ranks = np.flatnonzero(self._buffer[blanks] == _NEWLINE)
            newlines = blanks[ranks]
            self.long_line = self._find_long_line(newlines)
            if self.long_line is not None:
                return
            records = len(newlines) // LINES_PER_RECORD
            if records:
                ends = newlines[: LINES_PER_RECORD * records]
                starts = np.empty_like(ends)
                starts[0] = 0
                np.add(ends[:-1], 1, out=starts[1:])
                yield Block(self._buffer, starts, ends, blanks, ranks[: len(ends)], 0, self.record_count)
                self.record_count += records
                self._keep_from(int(ends[-1]) + 1)
            elif not is_end:
                size = self._grow(size)
        if self._refusal is not None:
            raise self._refusal

    def _fill(self, size: int) -> bool:
        """Bring the buffer to `size` bytes; False where the stream ends before, after ending the last line."""
        while self._filled < size:
            if not self._waiting:
                try:
                    self._waiting = memoryview(next(self._pieces))
                except StopIteration:
                    self._end_line()
                    return False
                except RejectedInputError as refusal:
                    self._refusal = refusal
                    return False
            taken = self._waiting[: size - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = np.frombuffer(taken, dtype=np.uint8)
            self._filled += len(taken)
            self._waiting = self._waiting[len(taken) :]
        return True

    def _end_line(self) -> None:
        if self._filled and self._buffer[self._filled - 1] != _NEWLINE:
            self._buffer[self._filled] = _NEWLINE
            self._filled += 1

    def _keep_from(self, place: int) -> None:
        left = self._filled - place
        self._buffer[:left] = self._buffer[place : self._filled]
        self._filled = left

    def _grow(self, size: int) -> int:
        larger = np.empty(4 * size, dtype=np.uint8)
        larger[: self._filled] = self._buffer[: self._filled]
        self._buffer = larger
        return 2 * size

    def _find_blanks(self) -> Places:
        """Find bytes up to the space; newlines alone, where no record ends: a long line may be nothing but blanks."""
        held = self._buffer[: self._filled]
        if self._filled > _BLOCK_BYTES and np.count_nonzero(held == _NEWLINE) < LINES_PER_RECORD:
            return np.flatnonzero(held == _NEWLINE)
        return np.flatnonzero(held <= _SPACE)

    def _find_long_line(self, newlines: Places) -> int | None:
        if self._filled <= self._limit:
            return None
        lengths = np.diff(newlines, prepend=-1, append=self._filled)
        return int((lengths > self._limit).argmax()) if (lengths > self._limit).any() else None
