"""Gzip and BGZF to bytes, streaming: bounded output a step, truncation and trailing rubbish told apart.

Source: RFC 1952 (members may follow one another); SAM specification section 4.1 (BGZF is a series of members).
"""

from collections.abc import Iterable, Iterator
from typing import Final, cast

from isal import isal_zlib

from strandline.errors import RejectedInputError

GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_STEP_BYTES: Final = 1 << 20
_INPUT_BYTES: Final = 1 << 16  # what follows a member is copied at its end: small, for BGZF has a member each 20 KB
_FREE_BYTES: Final = 1 << 30  # what may come out before the expansion is looked at
_IsalError = cast("type[Exception]", isal_zlib.error)  # its stub declares an object


def decompress_if_gzip(chunks: Iterable[bytes], name: str, *, expansion_limit: int | None = None) -> Iterator[bytes]:
    """Yield plain bytes in pieces of at most 1 MiB, whether the input is gzip, BGZF or plain.

    Args:
        chunks: the file's bytes in order, in pieces of any size.
        name: the file's name, for messages.
        expansion_limit: bytes out for each byte in, past 1 GiB out; deflate can reach 1032 (RFC 1951, 3.2.5).

    Raises:
        RejectedInputError: `gzip_truncated`, `gzip_corrupt`, `gzip_trailing_bytes` or `gzip_expansion`.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= len(GZIP_MAGIC):
            break
    if not head.startswith(GZIP_MAGIC):
        yield from _in_steps(head)
        for chunk in source:
            yield from _in_steps(chunk)
        return
    packed = _Packed(head, source)
    plain_bytes = 0
    for plain in _members(packed, name):
        plain_bytes += len(plain)
        if expansion_limit and plain_bytes > max(_FREE_BYTES, expansion_limit * packed.taken_bytes):
            raise RejectedInputError(
                "gzip_expansion",
                f"{name} holds over {expansion_limit} times its own size, as no real file does: send it uncompressed",
            )
        yield plain


class _Packed:
    """The compressed bytes in small pieces; `taken_bytes` counts those handed out."""

    def __init__(self, head: bytes, source: Iterator[bytes]) -> None:
        self.taken_bytes = 0
        self._pieces = self._cut(head, source)

    def next(self) -> bytes | memoryview:
        """Return the next piece, empty at the end."""
        piece = next(self._pieces, b"")
        self.taken_bytes += len(piece)
        return piece

    @staticmethod
    def _cut(head: bytes, source: Iterator[bytes]) -> Iterator[memoryview]:
        yield from _in_pieces(head, _INPUT_BYTES)
        for chunk in source:
            yield from _in_pieces(chunk, _INPUT_BYTES)


def _in_pieces(chunk: bytes, size_bytes: int) -> Iterator[memoryview]:
    view = memoryview(chunk)
    for start in range(0, len(view), size_bytes):
        yield view[start : start + size_bytes]


def _in_steps(chunk: bytes) -> Iterator[bytes]:
    if len(chunk) <= _STEP_BYTES:
        if chunk:
            yield chunk
        return
    for piece in _in_pieces(chunk, _STEP_BYTES):
        yield bytes(piece)


def _members(packed: _Packed, name: str) -> Iterator[bytes]:
    member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
    pending: bytes | memoryview = b""
    while True:
        if not pending and not member.eof:
            pending = packed.next()
            if not pending:
                raise RejectedInputError(
                    "gzip_truncated", f"{name} ends within its gzip data: the upload or the copy was cut; send it again"
                )
        if member.eof:
            pending = _begin_member(bytes(pending), packed)
            if not pending:
                return
            if not pending.startswith(GZIP_MAGIC):
                raise RejectedInputError(
                    "gzip_trailing_bytes", f"{name} has bytes after its last gzip member: compress it again"
                )
            member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
        try:
            plain = member.decompress(pending, _STEP_BYTES)
        except _IsalError:
            raise RejectedInputError(
                "gzip_corrupt", f"{name} is not valid gzip: a byte was changed after compression; send it again"
            ) from None
        pending = member.unused_data if member.eof else member.unconsumed_tail
        if plain:
            yield plain


def _begin_member(pending: bytes, packed: _Packed) -> bytes:
    """Return what follows a member, long enough to tell another one; empty where zeros alone follow, as tapes pad."""
    while len(pending) < len(GZIP_MAGIC) or not pending.rstrip(b"\0"):
        more = packed.next()
        if not more:
            return pending.rstrip(b"\0")
        pending = pending[:1] + bytes(more)
    return pending
