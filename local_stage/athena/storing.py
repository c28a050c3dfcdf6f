"""Rows of a query as files: Parquet in folders, and Iceberg's commits."""

import io
import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import write_file
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey, PartitionSpec, _to_partition_representation
from pyiceberg.schema import Schema
from pyiceberg.table import Table, WriteTask

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.file_io import split_uri
from local_stage.athena.results import Column, as_text
from local_stage.athena.types import UTC, TrinoType
from local_stage.context import StageContext

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_COMPRESSIONS = {
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "ZSTD": "zstd",
    "NONE": "none",
    "UNCOMPRESSED": "none",
    "LZ4": "lz4",
}
_PLAIN: Mapping[str, pa.DataType] = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "double": pa.float64(),
    "integer": pa.int32(),
    "real": pa.float32(),
    "smallint": pa.int16(),
    "tinyint": pa.int8(),
    "varbinary": pa.binary(),
    "varchar": pa.string(),
}


def stored_type(kind: TrinoType) -> pa.DataType:
    """Return the Arrow type in which values are stored.

    Raises:
        AthenaFailure: values of the type cannot be stored.
    """
    known = _PLAIN.get(kind.name)
    if known is not None:
        return known
    if kind.name == "decimal":
        return pa.decimal128(kind.size, kind.scale)
    if kind.name == "timestamp":
        return pa.timestamp("us")
    if kind.name == "timestamp with time zone" and kind.zone == UTC:
        return pa.timestamp("us", tz=UTC)
    if kind.name == "array":
        return pa.list_(stored_type(kind.element))
    if kind.name == "map":
        return pa.map_(*map(stored_type, kind.arguments))
    if kind.name == "row" and all(kind.fields):
        named = zip(kind.fields, kind.arguments, strict=True)
        return pa.struct([pa.field(str(name), stored_type(part)) for name, part in named])
    raise AthenaFailure("NOT_SUPPORTED", f"Unsupported Hive type: {kind.show()}")


def as_stored(data: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Return a query's rows as they are stored, columns by their own names."""
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        raise AthenaFailure("DUPLICATE_COLUMN_NAME", f"Column name specified more than once: {', '.join(names)}")
    arrays = [_stored(data.column(number), column.kind) for number, column in enumerate(columns)]
    return pa.Table.from_arrays(arrays, names=names)


def _stored(values: pa.ChunkedArray, kind: TrinoType) -> pa.ChunkedArray:
    wanted = stored_type(kind)
    if kind.name == "timestamp with time zone":
        return pc.assume_timezone(values.cast(pa.timestamp("us")), UTC)
    if not kind.is_nested:
        return values.cast(wanted)
    return pa.chunked_array([pa.array([_plain(value, kind) for value in values.to_pylist()], wanted)])


def _plain(value: Any, kind: TrinoType) -> Any:
    if value is None or not kind.is_nested:
        return value
    if kind.name == "array":
        return [_plain(part, kind.element) for part in value]
    if kind.name == "map":
        return [(_plain(key, kind.arguments[0]), _plain(part, kind.element)) for key, part in value]
    fields = zip(kind.fields, kind.arguments, value.values(), strict=True)
    return {name: _plain(part, inner) for name, inner, part in fields}


def write_parquet(
    context: StageContext,
    data: pa.Table,
    columns: Sequence[Column],
    location: str,
    *,
    keys: Sequence[str],
    compression: str,
) -> Mapping[tuple[str, ...], str]:
    """Write rows below a location, in a folder for each partition.

    Returns:
        The address of each file written, by the texts of its partition's values, `()` where there are no partitions.
    """
    codec = _COMPRESSIONS.get(compression.upper())
    if codec is None:
        raise unsupported(f"compression {compression}")
    stored = as_stored(data, columns)
    kinds = {column.name: column.kind for column in columns}
    written = {}
    for values, rows in _partitions(stored, keys, kinds).items():
        folder = "".join(f"{key}={value}/" for key, value in zip(keys, values, strict=True))
        uri = f"{location.rstrip('/')}/{folder}{uuid.uuid4()}.parquet"
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression=codec)
        bucket, key = split_uri(uri)
        context.client("s3").put_object(Bucket=bucket, Key=key, Body=buffer.getvalue())
        written[values] = uri
    return written


def _partitions(
    stored: pa.Table, keys: Sequence[str], kinds: Mapping[str, TrinoType]
) -> Mapping[tuple[str, ...], pa.Table]:
    if not keys:
        return {(): stored}
    texts = [
        [
            NULL_PARTITION if value is None else as_text(value, kinds[key]) or ""
            for value in stored.column(key).to_pylist()
        ]
        for key in keys
    ]
    places: dict[tuple[str, ...], list[int]] = {}
    for place, values in enumerate(zip(*texts, strict=True)):
        places.setdefault(values, []).append(place)
    rest = stored.drop_columns(list(keys))
    return {values: rest.take(rows) for values, rows in places.items()}


def is_empty(context: StageContext, location: str) -> bool:
    """Tell whether nothing lies below a location."""
    bucket, key = split_uri(location.rstrip("/") + "/")
    found = context.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return not found.get("Contents")


def append_rows(table: Table, data: pa.Table, columns: Sequence[Column]) -> None:
    """Add rows to an Iceberg table in one commit."""
    rows = _for_iceberg(table, data, columns)
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as snapshot:
        for written in _write_files(table, rows, snapshot.commit_uuid):
            snapshot.append_data_file(written)


def replace_rows(table: Table, data: Sequence[pa.Table], columns: Sequence[Column]) -> None:
    """Make these rows all that an Iceberg table holds, in one commit and one snapshot."""
    rows = pa.concat_tables([_for_iceberg(table, one, columns) for one in data])
    files = [task.file for task in table.scan().plan_files()]
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
        for file in files:
            snapshot.delete_data_file(file)
        for written in _write_files(table, rows, snapshot.commit_uuid):
            snapshot.append_data_file(written)


def _write_files(table: Table, rows: pa.Table, commit: uuid.UUID) -> Iterable[DataFile]:
    """Write rows as files, those of each partition apart.

    pyiceberg's own way to find the partitions asks for another library where they are not columns themselves.
    """
    if not rows.num_rows:
        return
    metadata, numbers = table.metadata, count()
    schema, spec = metadata.schema(), metadata.spec()
    tasks = []
    for values, part in _iceberg_partitions(rows, schema, spec).items():
        fields = [PartitionFieldValue(field, value) for field, value in zip(spec.fields, values, strict=True)]
        key = PartitionKey(fields, spec, schema) if fields else None
        tasks.append(WriteTask(commit, next(numbers), schema, part.combine_chunks().to_batches(), partition_key=key))
    yield from write_file(io=table.io, table_metadata=metadata, tasks=iter(tasks))


def _iceberg_partitions(rows: pa.Table, schema: Schema, spec: PartitionSpec) -> Mapping[tuple[Any, ...], pa.Table]:
    keys = []
    for field in spec.fields:
        source = schema.find_field(field.source_id)
        transform = field.transform.transform(source.field_type)
        physical = [
            None if value is None else _to_partition_representation(source.field_type, value)
            for value in rows.column(source.name).to_pylist()
        ]
        keys.append([transform(value) for value in physical])
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, values in enumerate(zip(*keys, strict=True) if keys else [()] * rows.num_rows):
        places.setdefault(values, []).append(place)
    return {values: rows.take(found) for values, found in places.items()}


def _for_iceberg(table: Table, data: pa.Table, columns: Sequence[Column]) -> pa.Table:
    stored = as_stored(data, columns)
    schema = table.schema().as_arrow()
    missing = [field.name for field in schema if not field.nullable and stored.column(field.name).null_count]
    if missing:
        raise AthenaFailure("CONSTRAINT_VIOLATION", f"NULL value not allowed for NOT NULL column: {missing[0]}")
    return pa.Table.from_arrays([stored.column(field.name).cast(field.type) for field in schema], schema=schema)
