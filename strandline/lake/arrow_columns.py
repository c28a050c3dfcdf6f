"""Arrow columns from numpy ones without a Python object a value."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strandline.lake.text_scan import Bytes, Numbers, Places, copy_texts


def numbers(values: NDArray[np.generic], is_there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of numbers, null where `is_there` is not."""
    kept = np.ascontiguousarray(values)
    return _array(pa.from_numpy_dtype(kept.dtype), len(kept), is_there, [pa.py_buffer(kept)])


def booleans(values: NDArray[np.bool_]) -> pa.Array:
    """Return a column of booleans."""
    return _array(pa.bool_(), len(values), None, [pa.py_buffer(np.packbits(values, bitorder="little"))])


def coded(codes: NDArray[np.int32], known: pa.Array, is_there: NDArray[np.bool_] | None = None) -> pa.DictionaryArray:
    """Return a column of texts by their places in `known`."""
    return pa.DictionaryArray.from_arrays(numbers(codes, is_there), known, safe=False)


def strings(text: Bytes, starts: Places, ends: Places, is_there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of texts that stand in a block of UTF-8."""
    offsets = np.empty(len(starts) + 1, np.int32)
    data = np.empty(int((ends - starts).sum()), np.uint8)
    copy_texts(text, np.ascontiguousarray(starts), np.ascontiguousarray(ends), offsets, data)
    return string_column(offsets, data, is_there)


def string_column(offsets: Numbers, data: Bytes, is_there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of texts from where each begins in `data`."""
    return _array(pa.string(), len(offsets) - 1, is_there, [pa.py_buffer(offsets), pa.py_buffer(data)])


def known_texts(text: Bytes, known: Places, count: int) -> pa.Array:
    """Return the texts that `intern_text` numbered."""
    return strings(text, known[: 2 * count : 2], known[1 : 2 * count : 2])


def lists(offsets: Numbers, values: pa.Array, is_there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of lists from where each begins in `values`."""
    kind = pa.list_(pa.field("element", values.type, nullable=False))
    return _array(kind, len(offsets) - 1, is_there, [pa.py_buffer(offsets)], children=[values])


def maps(offsets: Numbers, keys: pa.Array, values: pa.Array, is_there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of maps from where the entries of each begin."""
    kind = pa.map_(keys.type, pa.field("value", values.type, nullable=False))
    entries = pa.StructArray.from_arrays([keys, values], fields=[kind.key_field, kind.item_field])
    return _array(kind, len(offsets) - 1, is_there, [pa.py_buffer(offsets)], children=[entries])


def with_plain_keys(column: pa.MapArray) -> pa.MapArray:
    """Return maps whose keys are dictionary-encoded with plain ones.

    They get no bitmap of nulls, which a cast of a part of the maps would take for nulls.
    """
    decoded = column.keys.dictionary_decode()
    _, offsets, data = decoded.buffers()
    keys = pa.Array.from_buffers(decoded.type, len(decoded), [None, offsets, data], null_count=0, offset=decoded.offset)
    kind = pa.map_(keys.type, column.type.item_field)
    entries = pa.StructArray.from_arrays([keys, column.items], fields=[kind.key_field, kind.item_field])
    return pa.Array.from_buffers(
        kind, len(column), column.buffers()[:2], null_count=column.null_count, offset=column.offset, children=[entries]
    )


def texts(values: Sequence[str]) -> pa.Array:
    """Return a column of texts; `pa.array` would load pandas to see whether they are of it."""
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    return string_column(offsets, np.frombuffer(b"".join(encoded), np.uint8))


def _array(
    kind: pa.DataType,
    length: int,
    is_there: NDArray[np.bool_] | None,
    buffers: list[pa.Buffer],
    children: list[pa.Array] | None = None,
) -> pa.Array:
    """Return an array whose number of nulls is told: casts of maps take an unknown one for some."""
    bitmap, nulls = None, 0
    if is_there is not None and not is_there.all():
        bitmap = pa.py_buffer(np.packbits(is_there, bitorder="little"))
        nulls = length - int(np.count_nonzero(is_there))
    return pa.Array.from_buffers(kind, length, [bitmap, *buffers], null_count=nulls, children=children)
