"""How many records a CRAM says it holds, by the headers of its containers: nothing is decoded.

Source: CRAM format specification 3.1, sections 2.3 (ITF8, LTF8), 6 (file definition), 7 (container header) and 9 (end
of file container). Versions 3.0 and 3.1 have the same headers.
"""

import struct
from pathlib import Path
from typing import IO, Final

_DEFINITION_BYTES: Final = 26
_END_START: Final = 4_542_278  # where the end of file container says that it begins: "EOF" as a number
_CRC_BYTES: Final = 4


class DamagedCramError(Exception):
    """A CRAM that does not end where its containers say, or is none of version 3."""


def count_records(path: Path) -> int:
    """Return how many records lie in a CRAM, secondary and supplementary ones among them.

    Raises:
        DamagedCramError: it is cut short, or is no CRAM 3.
    """
    with path.open("rb") as file:
        definition = file.read(_DEFINITION_BYTES)
        if len(definition) < _DEFINITION_BYTES or definition[:5] != b"CRAM\x03":
            raise DamagedCramError("this is no CRAM of version 3")
        records = 0
        while True:
            length = struct.unpack("<i", _take(file, 4))[0]
            contig, start = _itf8(file), _itf8(file)
            _itf8(file)  # the stretch of the reference that is covered
            records += _itf8(file)
            _ltf8(file)  # records before this container
            _ltf8(file)  # bases
            _itf8(file)  # blocks
            for _ in range(_itf8(file)):
                _itf8(file)  # where a slice begins
            _take(file, _CRC_BYTES)
            if contig == -1 and start == _END_START:
                return records
            file.seek(length, 1)


def _take(file: IO[bytes], count: int) -> bytes:
    taken = file.read(count)
    if len(taken) < count:
        raise DamagedCramError("it is cut short: there is no end of file container")
    return taken


def _itf8(file: IO[bytes]) -> int:
    """Read a 32-bit number: the leading ones of its first byte tell how many bytes follow, at most four."""
    first = _take(file, 1)[0]
    more = min(_leading_ones(first), 4)
    if more < 4:
        number = int.from_bytes(bytes([first & (0x7F >> more)]) + _take(file, more), "big")
    else:  # of the fifth byte only the lower half counts
        rest = _take(file, 4)
        number = (first & 0x0F) << 28 | int.from_bytes(rest[:3], "big") << 4 | rest[3] & 0x0F
    return number - (1 << 32) if number >= 1 << 31 else number


def _ltf8(file: IO[bytes]) -> int:
    """Read a 64-bit number: as ITF8, with up to eight bytes more."""
    first = _take(file, 1)[0]
    more = _leading_ones(first)
    number = int.from_bytes(bytes([first & (0x7F >> more)]) + _take(file, more), "big")
    return number - (1 << 64) if number >= 1 << 63 else number


def _leading_ones(byte: int) -> int:
    return 8 - (byte ^ 0xFF).bit_length()
