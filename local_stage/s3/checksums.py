"""Checksums as S3 names them, computed while the bytes pass by.

CRC-32C and CRC-64/NVME have no implementation in the standard library. Here many lanes of the data are run through a
16-bit table side by side and then folded together, which numpy does at a few hundred megabytes a second.
Source of the parameters: RFC 3720 appendix B.4 (CRC-32C); NVM Express NVM command set 1.0, section 5.2.1.3.4
(CRC-64/NVME). Joining two CRCs: a CRC is linear over GF(2), so appending n zero bytes is a matrix.
"""

import base64
import hashlib
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

_LANES = 8192
_WORD = 2  # bytes that one table step takes


class Digest(Protocol):
    """A checksum under way."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    def digest(self) -> bytes:
        """Return the checksum of everything taken in, big end first."""


class Crc32:
    """CRC-32 as in gzip, by the standard library."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return four bytes, big end first."""
        return self._value.to_bytes(4, "big")


class ReflectedCrc:
    """A CRC with reflected input and output that starts from and ends with all ones.

    >>> crc = ReflectedCrc(32, 0x82F63B78)
    >>> crc.update(b"123456789")
    >>> crc.digest().hex()
    'e3069283'
    """

    def __init__(self, width: int, polynomial: int) -> None:
        self._width = width
        self._polynomial = polynomial
        self._ones = (1 << width) - 1
        self._register = self._ones

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        lane_words = len(data) // (_LANES * _WORD)
        split = lane_words * _LANES * _WORD
        if lane_words:
            self._register = _run_lanes(data[:split], self._register, self._width, self._polynomial)
        table = _byte_table(self._polynomial)
        register = self._register
        rest = data[split:] if split else data
        if len(rest) > 64 * _WORD:
            register = _run_words(rest[: len(rest) // _WORD * _WORD], register, self._polynomial)
            rest = rest[len(rest) // _WORD * _WORD :]
        for byte in rest:
            register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
        self._register = register

    def digest(self) -> bytes:
        """Return the checksum, big end first."""
        return (self._register ^ self._ones).to_bytes(self._width // 8, "big")


_POLYNOMIALS: Mapping[str, tuple[int, int]] = {
    "CRC32": (32, 0xEDB88320),
    "CRC32C": (32, 0x82F63B78),
    "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
}
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def new_digest(algorithm: str) -> Digest:
    """Start the checksum that S3 calls `algorithm`.

    Raises:
        KeyError: S3 knows no such checksum.
    """
    if algorithm == "CRC32":
        return Crc32()
    if algorithm in _POLYNOMIALS:
        return ReflectedCrc(*_POLYNOMIALS[algorithm])
    if algorithm in {"SHA1", "SHA256"}:
        return hashlib.new(algorithm.lower(), usedforsecurity=False)
    raise KeyError(algorithm)


def join_crcs(algorithm: str, left: bytes, right: bytes, right_size: int) -> bytes:
    """Return the CRC of two pieces put together, from theirs and the size in bytes of the second.

    >>> left, right = Crc32(), Crc32()
    >>> left.update(b"12345"), right.update(b"6789")
    (None, None)
    >>> join_crcs("CRC32", left.digest(), right.digest(), 4).hex()
    'cbf43926'
    """
    width, polynomial = _POLYNOMIALS[algorithm]
    moved = _apply(_zeros_matrix(width, polynomial, right_size), int.from_bytes(left, "big"))
    return (moved ^ int.from_bytes(right, "big")).to_bytes(width // 8, "big")


def encode(digest: bytes) -> str:
    """Return a checksum as S3's headers carry it."""
    return base64.b64encode(digest).decode()


@cache
def _byte_table(polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


@cache
def _word_table(polynomial: int) -> npt.NDArray[np.uint64]:
    byte_table = np.array(_byte_table(polynomial), dtype=np.uint64)
    words = np.arange(1 << 16, dtype=np.uint64)
    low = byte_table[words & np.uint64(0xFF)] ^ (words >> np.uint64(8))
    table: npt.NDArray[np.uint64] = byte_table[low & np.uint64(0xFF)] ^ (low >> np.uint64(8))
    return table


def _run_words(data: bytes, register: int, polynomial: int) -> int:
    table = _word_table(polynomial)
    for word in np.frombuffer(data, dtype="<u2").tolist():
        register = int(table[(register ^ word) & 0xFFFF]) ^ (register >> 16)
    return register


def _run_lanes(data: bytes, register: int, width: int, polynomial: int) -> int:
    table = _word_table(polynomial)
    columns = np.ascontiguousarray(np.frombuffer(data, dtype="<u2").reshape(_LANES, -1).T).astype(np.uint64)
    states = np.zeros(_LANES, dtype=np.uint64)
    states[0] = register
    mask, shift = np.uint64(0xFFFF), np.uint64(16)
    for column in columns:
        states = table[(states ^ column) & mask] ^ (states >> shift)
    lane_size = len(columns) * _WORD
    while len(states) > 1:
        states = _shift_states(states[0::2], width, polynomial, lane_size) ^ states[1::2]
        lane_size *= 2
    return int(states[0])


def _shift_states(states: npt.NDArray[np.uint64], width: int, polynomial: int, size: int) -> npt.NDArray[np.uint64]:
    tables = _shift_tables(width, polynomial, size)
    shifted = np.zeros(len(states), dtype=np.uint64)
    for index, table in enumerate(tables):
        shifted ^= table[(states >> np.uint64(8 * index)) & np.uint64(0xFF)]
    return shifted


@cache
def _shift_tables(width: int, polynomial: int, size: int) -> tuple[npt.NDArray[np.uint64], ...]:
    matrix = _zeros_matrix(width, polynomial, size)
    return tuple(
        np.array([_apply(matrix, byte << (8 * index)) for byte in range(256)], dtype=np.uint64)
        for index in range(width // 8)
    )


def _apply(matrix: tuple[int, ...], value: int) -> int:
    result = 0
    bit = 0
    while value:
        if value & 1:
            result ^= matrix[bit]
        value >>= 1
        bit += 1
    return result


@cache
def _power_matrix(width: int, polynomial: int, exponent: int) -> tuple[int, ...]:
    """Return the matrix that appends 2 ** `exponent` zero bytes."""
    if exponent == 0:
        table = _byte_table(polynomial)
        return tuple(table[(1 << bit) & 0xFF] ^ ((1 << bit) >> 8) for bit in range(width))
    half = _power_matrix(width, polynomial, exponent - 1)
    return tuple(_apply(half, column) for column in half)


def _zeros_matrix(width: int, polynomial: int, size: int) -> tuple[int, ...]:
    matrix = tuple(1 << bit for bit in range(width))
    exponent = 0
    while size:
        if size & 1:
            power = _power_matrix(width, polynomial, exponent)
            matrix = tuple(_apply(power, column) for column in matrix)
        size >>= 1
        exponent += 1
    return matrix
