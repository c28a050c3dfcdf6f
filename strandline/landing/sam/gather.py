"""Slices of many records at once: bytes gathered by start and length, and sums a record."""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def gather(buffer: Bytes, starts: Integers, lengths: Integers) -> Bytes:
    """Return the bytes of all slices, one after another.

    >>> gather(np.frombuffer(b"abcdef", dtype=np.uint8), np.array([4, 0]), np.array([2, 1])).tobytes()
    b'efa'
    """
    if len(lengths) and (width := int(lengths[0])) and (lengths == width).all():
        return gather_rows(buffer, starts, width).reshape(-1)  # whole reads of one length: no place for every base
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    places: Integers = np.arange(total) + np.repeat(starts - before, lengths)
    found: Bytes = buffer[places]
    return found


def gather_rows(buffer: Bytes, starts: Integers, width: int) -> Bytes:
    """Return slices of one width as the rows of a matrix; `width` is at least 1, and each slice lies in the buffer.

    >>> gather_rows(np.frombuffer(b"abcdef", dtype=np.uint8), np.array([4, 0]), 2).tolist()
    [[101, 102], [97, 98]]
    """
    windows = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, strides=(1,))  # rows are copied whole
    rows: Bytes = windows[starts].view(np.uint8).reshape(len(starts), width)
    return rows


def spans(values: Integers, counts: Integers) -> Integers:
    """Return the sum of each record's values, of which it has `counts`, 0 where it has none.

    >>> spans(np.array([5, 1, 2]), np.array([1, 0, 2])).tolist()
    [5, 0, 3]
    """
    total = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
    ends = np.cumsum(counts)
    found: Integers = total[ends] - total[ends - counts]
    return found


def owners_of(marked: Mask, counts: Integers) -> Mask:
    """Mark the records that own a marked value.

    >>> owners_of(np.array([False, True, False]), np.array([1, 0, 2])).tolist()
    [False, False, True]
    """
    owners = np.zeros(len(counts), dtype=np.bool_)
    owners[np.repeat(np.arange(len(counts)), counts)[marked]] = True
    return owners
