"""How rows lie in the lake's files: sorted, in groups and files of a size that was measured; docs/decisions/0025.

Rows of many samples that lie at one position stand beside each other, so that a question about a place reads one group
of rows whatever the number of samples, and what they have in common is stored once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from strandline.lake.tables import LakeTable

ROWS_PER_GROUP: Final = 1 << 16
ROWS_PER_FILE: Final = 1 << 20
MOST_STREAMS: Final = 256
"""Files that are open at a time while they are merged."""
FALSE_POSITIVES: Final = 0.01
_ROWS_IN_MEMORY: Final = 1 << 20
_VALUES_PER_GROUP: Final = {"gene": 64}
_MOST_DISTINCT: Final = ROWS_PER_GROUP // 8


def bloom_filters(table: LakeTable) -> dict[str, dict[str, float]]:
    """Return what pyarrow's Parquet writer asks for: a Bloom filter's expected values of a row group, by column.

    Source: Apache Parquet format, BloomFilter.md.
    """
    return {
        column: {"ndv": _VALUES_PER_GROUP.get(column, _MOST_DISTINCT), "fpp": FALSE_POSITIVES} for column in table.bloom
    }


@dataclass(frozen=True, slots=True)
class FileRange:
    """Where the rows of one file lie: first and last position or name, both included; `file` is the caller's."""

    first: Any
    last: Any
    file: Any


def runs_of(files: Iterable[FileRange]) -> list[list[FileRange]]:
    """Return as few runs as there can be, each of files that follow one another without an overlap.

    The number of runs is how many files a question about one position may have to open.

    >>> a, b, c = FileRange(1, 10, "a"), FileRange(5, 20, "b"), FileRange(11, 30, "c")
    >>> [[file.file for file in run] for run in runs_of([a, b, c])]
    [['a', 'c'], ['b']]
    """
    runs: list[list[FileRange]] = []
    for file in sorted(files, key=lambda file: (file.first, file.last)):
        free = next((run for run in runs if run[-1].last < file.first), None)
        if free is None:
            runs.append([file])
        else:
            free.append(file)
    return runs


def rows_per_batch(streams: int) -> int:
    """Return how many rows of each stream are read at a time, so that all of them together stay in memory."""
    return max(1024, _ROWS_IN_MEMORY // max(1, streams))


def merge_sorted(streams: Sequence[Iterator[pa.Table]], keys: Sequence[str]) -> Iterator[pa.Table]:
    """Merge streams into one that is sorted by all keys; each stream has to be sorted by the first key.

    What comes at once holds every row of each value of the first key.

    Only as much of each stream is held as is needed to know what comes next.

    Raises:
        ValueError: a stream is not in order.
    """
    first, order = keys[0], [(key, "ascending") for key in keys]
    held: list[pa.Table | None] = [next(stream, None) for stream in streams]
    while any(table is not None for table in held):
        # what is not read yet is at or beyond the last position that is held of its stream
        horizon = min(_last(table, first) for table in held if table is not None)
        ready = []
        for number, stream in enumerate(streams):
            table = held[number]
            while table is not None and _last(table, first) <= horizon:
                ready.append(table)
                table = _next_in_order(stream, first, horizon)
            if table is not None:
                count = _count_up_to(table, first, horizon)
                ready.append(table.slice(0, count))
                table = table.slice(count)
            held[number] = table
        yield pa.concat_tables(ready).sort_by(order)


def sort_pieces(batches: Iterable[pa.Table], keys: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield rows sorted by keys, a file's worth at a time; batches with one value of the first key pass as they are.

    What is sorted has the columns of `schema`: maps of texts that repeat do not bear being sorted.
    """
    waiting: list[pa.Table] = []
    for batch in batches:
        if not waiting and pc.count_distinct(batch[keys[0]]).as_py() <= 1:
            yield batch
            continue
        waiting.append(conform(batch, schema))
        if sum(table.num_rows for table in waiting) >= ROWS_PER_FILE:
            yield _sort(waiting, keys)
            waiting = []
    if waiting:
        yield _sort(waiting, keys)


def _sort(tables: Sequence[pa.Table], keys: Sequence[str]) -> pa.Table:
    return pa.concat_tables(tables).sort_by([(key, "ascending") for key in keys])


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the columns of a schema, in its order; one that they have not is null."""
    present = set(rows.column_names)
    columns = [
        _cast(rows[field.name], field.type) if field.name in present else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column with another form of its type. Arrow's own cast takes keys of maps that were sorted for nulls."""
    if not pa.types.is_map(kind) or column.type == kind:
        return column.cast(kind)
    return pa.chunked_array([_cast_map(chunk, kind) for chunk in column.chunks], kind)


def _cast_map(maps: pa.MapArray, kind: pa.MapType) -> pa.MapArray:
    offsets = maps.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    keys, items = maps.keys[first:last].cast(kind.key_type), maps.items[first:last].cast(kind.item_type)
    shifted = pa.array(offsets - first, pa.int32())
    return pa.MapArray.from_arrays(shifted, keys, items, type=kind, mask=maps.is_null() if maps.null_count else None)


def _next_in_order(stream: Iterator[pa.Table], key: str, reached: Any) -> pa.Table | None:
    table = next((table for table in stream if table.num_rows), None)
    if table is not None and table[key][0].as_py() < reached:
        raise ValueError(f"rows are not in the order of {key}")
    return table


def _last(table: pa.Table, key: str) -> Any:
    return table[key][table.num_rows - 1].as_py()


def _count_up_to(table: pa.Table, key: str, bound: Any) -> int:
    return int(pc.sum(pc.less_equal(table[key], bound)).as_py() or 0)
