"""From stored bytes to blocks of whole lines, and what any line of text can have wrong. Source: VCF 4.5, 1 and 1.2."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from strandline.landing.decompression import GZIP_MAGIC
from strandline.landing.vcf.rules import (
    CONTROL_CHARACTER,
    LINE_TOO_LONG,
    NOT_BGZF,
    NOT_UTF8,
    NUL_BYTE,
    STRAY_CARRIAGE_RETURN,
    TRUNCATED,
    VcfFindings,
)

LINE_LIMIT_BYTES: Final = 48 << 20
_BGZF_MAGIC: Final = bytes.fromhex("1f8b0804")  # gzip with an extra field, as only BGZF has it here
_BGZF_END: Final = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # SAM, section 4.1.2
_CONTROL: Final = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")


class StoredBytes:
    """The bytes of a file as stored, whose first and last ones are remembered while they pass by."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.head = b""
        self._tail = b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""
        for chunk in self._chunks:
            if len(self.head) < len(_BGZF_MAGIC):
                self.head = (self.head + chunk)[: len(_BGZF_MAGIC)]
            self._tail = (self._tail + chunk[-len(_BGZF_END) :])[-len(_BGZF_END) :]
            yield chunk

    @property
    def is_gzip_alone(self) -> bool:
        """Whether the file is gzip without the blocks that an index needs; known once the first chunk passed."""
        return self.head.startswith(GZIP_MAGIC) and self.head != _BGZF_MAGIC

    def note_container_faults(self, found: VcfFindings) -> None:
        """Note plain gzip, and BGZF without its end; to be called once all chunks passed."""
        if self.is_gzip_alone:
            found.add(NOT_BGZF)
        elif self.head == _BGZF_MAGIC and self._tail != _BGZF_END:
            found.add(TRUNCATED)


def whole_lines(pieces: Iterable[bytes], found: VcfFindings) -> Iterator[bytes]:
    """Yield blocks that end with a line end, but for the last, if the file does not end with one.

    A line over the limit is noted and ends the blocks, so that memory stays bounded.
    """
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join((*waiting, piece[:cut])) if waiting else piece[:cut]
            waiting, size = [], 0
        if cut < len(piece):
            waiting.append(piece[cut:])
            size += len(piece) - cut
        if size > LINE_LIMIT_BYTES:
            found.add(LINE_TOO_LONG)
            return
    if waiting:
        yield b"".join(waiting)


def without_line_end(line: bytes) -> bytes:
    """Return a line without LF or CR LF."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def note_text_faults(line: bytes, number: int, found: VcfFindings) -> None:
    """Note bytes that no line can have; `number` is 1-based and `line` has no line end."""
    if b"\0" in line:
        found.add(NUL_BYTE, line=number)
    if _CONTROL.search(line):
        found.add(CONTROL_CHARACTER, line=number)
    if b"\r" in line:
        found.add(STRAY_CARRIAGE_RETURN, line=number)
    if not line.isascii():
        try:
            line.decode()
        except UnicodeDecodeError:
            found.add(NOT_UTF8, line=number)
