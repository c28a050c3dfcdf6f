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
_IsalError = cast("type[Exception]", isal_zlib.error)  # its stub declares an object


def decompress_if_gzip(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield plain bytes in pieces of at most 1 MiB, whether the input is gzip, BGZF or plain.

    Args:
        chunks: the file's bytes in order, in pieces of any size.
        name: the file's name, for messages.

    Raises:
        RejectedInputError: `gzip_truncated`, `gzip_corrupt` or `gzip_trailing_bytes`.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= len(GZIP_MAGIC):
            break
    if not head.startswith(GZIP_MAGIC):
        if head:
            yield head
        yield from source
        return
    yield from _members(head, source, name)


def _members(head: bytes, source: Iterator[bytes], name: str) -> Iterator[bytes]:
    member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
    pending = head
    while True:
        if not pending and not member.eof:
            pending = next(source, b"")
            if not pending:
                raise RejectedInputError(
                    "gzip_truncated", f"{name} ends within its gzip data: the upload or the copy was cut; send it again"
                )
        if member.eof:
            pending = (member.unused_data or pending) or next(source, b"")
            while 0 < len(pending) < len(GZIP_MAGIC) and (more := next(source, b"")):
                pending += more
            if not pending.rstrip(b"\0"):
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
        pending = b"" if member.eof else member.unconsumed_tail
        if plain:
            yield plain
