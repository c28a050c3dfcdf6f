"""Data files of the lake: written in its layout, read in pieces, and what each of them holds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.io.pyarrow import (
    ArrowScan,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, StringType

from strandline.lake.layout import ROWS_PER_FILE, ROWS_PER_GROUP, FileRange, bloom_filters, conform
from strandline.lake.tables import LakeTable

if TYPE_CHECKING:
    from typing import IO, Any

    from pyiceberg.io import OutputStream
    from pyiceberg.table import FileScanTask, Table

COMPRESSION: Final = "zstd"


class DataFileWriter:
    """Writes rows, in the order in which they come, into files of one partition and a bounded number of rows.

    What is written belongs to the table only when a commit names it.
    """

    def __init__(self, table: "Table", definition: LakeTable) -> None:
        self._table = table
        self._partition_columns = partition_columns(table)
        names = {field.name for field in table.schema().fields}
        self._schema = schema_to_pyarrow(table.schema(), include_field_ids=True)
        self._blooms = {name: options for name, options in bloom_filters(definition).items() if name in names}
        self._partition: tuple[object, ...] | None = None
        self._uri = ""
        self._stream: OutputStream | None = None
        self._writer: pq.ParquetWriter | None = None
        self._rows_in_file = 0
        self._waiting: list[pa.Table] = []
        self._finished: list[DataFile] = []
        self.rows = 0

    def write(self, rows: pa.Table) -> None:
        """Take rows; they need not be of one partition, but those of one partition should follow one another.

        A file ends only between what is taken at once: rows of one position that come together stay together.
        """
        for partition, part in self._parts(rows):
            is_full = self._rows_in_file + sum(table.num_rows for table in self._waiting) >= ROWS_PER_FILE
            if partition != self._partition or is_full:
                self._finish_file()
                self._partition = partition
            self._take(part)
        self.rows += rows.num_rows

    def close(self) -> list[DataFile]:
        """Finish, and return what a commit has to name."""
        self._finish_file()
        return self._finished

    def _parts(self, rows: pa.Table) -> Iterator[tuple[tuple[object, ...], pa.Table]]:
        """Cut rows where the value of a partition column changes."""
        columns = [rows[name].combine_chunks() for name in self._partition_columns]
        start = 0
        for end in [*_ends_of_equal(columns, rows.num_rows), rows.num_rows]:
            if end > start:
                yield tuple(column[start].as_py() for column in columns), rows.slice(start, end - start)
                start = end

    def _take(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        while (held := sum(table.num_rows for table in self._waiting)) >= ROWS_PER_GROUP:
            together = pa.concat_tables(self._waiting)
            self._write_group(together.slice(0, ROWS_PER_GROUP))
            self._waiting = [together.slice(ROWS_PER_GROUP)] if held > ROWS_PER_GROUP else []

    def _write_group(self, rows: pa.Table) -> None:
        if self._writer is None:
            name = f"{uuid4()}.parquet"
            self._uri = self._table.location_provider().new_data_location(data_file_name=name)
            self._stream = self._table.io.new_output(self._uri).create()
            self._writer = pq.ParquetWriter(
                cast("IO[Any]", self._stream),
                self._schema,
                compression=COMPRESSION,
                bloom_filter_options=self._blooms or None,
                store_decimal_as_integer=True,
            )
        self._writer.write_table(conform(rows, self._schema), row_group_size=ROWS_PER_GROUP)
        self._rows_in_file += rows.num_rows

    def _finish_file(self) -> None:
        if self._waiting:
            self._write_group(pa.concat_tables(self._waiting))
            self._waiting = []
        if self._writer is None or self._stream is None:
            return
        with self._stream:
            self._writer.close()
        self._finished.append(self._describe(self._writer))
        self._writer, self._stream, self._rows_in_file = None, None, 0

    def _describe(self, writer: pq.ParquetWriter) -> DataFile:
        schema = self._table.schema()
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=writer.writer.metadata,
            stats_columns=compute_statistics_plan(schema, self._table.metadata.properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self._uri,
            file_format=FileFormat.PARQUET,
            partition=Record(*(self._partition or ())),
            file_size_in_bytes=len(self._table.io.new_input(self._uri)),
            sort_order_id=None,
            spec_id=self._table.metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )


def read_rows(
    table: "Table", task: "FileScanTask", rows_per_batch: int, *, columns: "Sequence[str] | None" = None
) -> Iterator[pa.Table]:
    """Yield a file's rows, without what a later commit deleted, some at a time.

    They have the table's columns of today, or those that are named.
    """
    schema = table.schema().select(*columns) if columns else table.schema()
    arrow = schema_to_pyarrow(schema, include_field_ids=False)
    if task.delete_files:
        scan = ArrowScan(table.metadata, table.io, schema, task.residual)
        yield from _cut(conform(scan.to_table([task]), arrow), rows_per_batch)
        return
    with table.io.new_input(task.file.file_path).open() as source:
        file = pq.ParquetFile(source)
        present = [field.name for field in file.schema_arrow if field.name in set(arrow.names)]
        for batch in file.iter_batches(batch_size=rows_per_batch, columns=present):
            yield conform(pa.Table.from_batches([batch]), arrow)


def read_in_order(
    table: "Table", task: "FileScanTask", key: str, rows_per_batch: int, *, columns: "Sequence[str] | None" = None
) -> Iterator[pa.Table]:
    """Yield a file's rows in the order of a column; a file that another writer left in another order comes at once."""
    values = read_column(table, task, key).to_numpy()
    pieces = read_rows(table, task, rows_per_batch, columns=columns)
    if (values[1:] >= values[:-1]).all():
        yield from pieces
    else:
        yield pa.concat_tables(pieces).sort_by(key)


def read_column(table: "Table", task: "FileScanTask", column: str) -> pa.ChunkedArray:
    """Return one column of a file as it was written."""
    with table.io.new_input(task.file.file_path).open() as source:
        return pq.ParquetFile(source).read(columns=[column])[column]


def range_of(table: "Table", task: "FileScanTask", column: str) -> FileRange:
    """Return the first and last value of a column of `long`, or of `string`, from the file's statistics."""
    field = table.schema().find_field(column)
    kind = LongType() if isinstance(field.field_type, LongType) else StringType()
    low, high = (bounds[field.field_id] for bounds in (task.file.lower_bounds, task.file.upper_bounds))
    return FileRange(from_bytes(kind, low), from_bytes(kind, high), task)


def partition_columns(table: "Table") -> list[str]:
    """Return the columns of which each of the table's files has one value.

    Raises:
        NotImplementedError: the table is partitioned by something that is computed from a column.
    """
    fields = table.spec().fields
    if any(not isinstance(field.transform, IdentityTransform) for field in fields):
        raise NotImplementedError(f"partitions of {table.name()[-1]} other than by values of a column")
    return [table.schema().find_field(field.source_id).name for field in fields]


def _cut(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def _ends_of_equal(columns: "Iterable[pa.Array]", count: int) -> list[int]:
    """Return, in order, the places before which some column's value changes."""
    ends: set[int] = set()
    for column in columns:
        if count and column[0] == column[count - 1] and len(column.unique()) == 1:
            continue
        runs = pa.compute.run_end_encode(column)
        ends.update(int(end) for end in runs.run_ends.to_pylist()[:-1])
    return sorted(ends)
