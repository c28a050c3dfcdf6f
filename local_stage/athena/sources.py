"""The files behind a scan: which can hold rows that count, what DuckDB reads of them, and how many bytes that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyiceberg import expressions
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression
from pyiceberg.table import Table

from local_stage.athena.catalog import CatalogTable
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.file_io import object_file
from local_stage.athena.iceberg import find_files
from local_stage.athena.lambdas import each
from local_stage.athena.scans import PATH, Condition, Scan
from local_stage.athena.types import TrinoType, row_sql
from local_stage.athena.values import name_sql, quote
from local_stage.context import StageContext

_predicates: Any = expressions  # the constructors take more than their types tell


@dataclass(frozen=True, slots=True)
class Source:
    """What DuckDB reads for a scan: a SELECT over files, or over an Arrow table where files alone do not tell.

    `guard` is a condition that rows have to meet before anything else of a query is worked out over them.
    """

    sql: str
    files: Sequence[Path]
    scanned_bytes: int
    arrow: Any = None
    guard: str | None = None


@dataclass(frozen=True, slots=True)
class _File:
    uri: str
    path: Path
    keys: Mapping[str, str | None]


def hive_source(context: StageContext, table: CatalogTable, scan: Scan) -> Source:
    """Return what a scan reads of a table of Parquet files in folders.

    Raises:
        AthenaFailure: the files are not Parquet.
    """
    library = ((table.described.get("StorageDescriptor") or {}).get("SerdeInfo") or {}).get("SerializationLibrary", "")
    if "parquet" not in str(library).lower():
        raise unsupported(
            f"queries over {table.name}: only Iceberg tables and Parquet files, not {library or 'others'}"
        )
    files = list(_hive_files(context, table, scan.conditions))
    columns = {name for name in scan.used if name not in table.partition_keys}
    return _files_source(scan, files, scanned_bytes([file.path for file in files], columns, scan.conditions))


def iceberg_source(context: StageContext, table: Table, scan: Scan, snapshot_id: int | None = None) -> Source:
    """Return what a scan reads of an Iceberg table."""
    row_filter = _row_filter(table, scan.conditions)
    found = find_files(table, row_filter, snapshot_id)
    files = [_File(uri, object_file(context, uri), {}) for uri in found.uris]
    scanned = scanned_bytes([file.path for file in files], scan.used, scan.conditions)
    if found.exact:
        return _files_source(scan, files, scanned, None if len(table.metadata.schemas) == 1 else _names_in(files))
    if PATH in scan.used:
        raise unsupported('"$path" of a table with deleted rows or renamed columns')
    data = table.scan(row_filter=row_filter, snapshot_id=snapshot_id).to_arrow()
    return arrow_source(scan, data, scanned)


def arrow_source(scan: Scan, data: Any, scanned: int = 0) -> Source:
    """Return a scan of an Arrow table, `{arrow}` in the place of its name."""
    names = {name.lower(): name for name in data.column_names}
    shown = [
        f"{_from_file(name_sql(names[name]), kind)} AS {name_sql(name)}"
        for name, kind in _read_columns(scan)
        if name in names
    ]
    return Source(f"SELECT {', '.join(shown)} FROM {{arrow}}", [], scanned, data)  # noqa: S608 - names quoted


def _names_in(files: Sequence[_File]) -> set[str]:
    """Return the columns that at least one file has."""
    return {name.lower() for file in files for name in pq.read_schema(file.path).names}


def _files_source(scan: Scan, files: Sequence[_File], scanned: int, there: set[str] | None = None) -> Source:
    """Return what is read of files; `there` names the columns that any of them has, where some may have come later."""
    absent = {name for name in scan.columns if there is not None and name != PATH and name not in there}
    if not files:
        nulls = [f"{_null(kind)} AS {name_sql(name)}" for name, kind in _read_columns(scan)]
        return Source(f"SELECT {', '.join(nulls)} WHERE false", [], 0)
    selects = []
    parts: dict[tuple[tuple[str, str | None], ...], list[_File]] = {}
    for file in files:
        parts.setdefault(tuple(file.keys.items()), []).append(file)
    for keys, members in parts.items():
        values = dict(keys)
        shown = [
            f"{_null(kind) if name in absent else _column(name, kind, values, members)} AS {name_sql(name)}"
            for name, kind in _read_columns(scan)
        ]
        selects.append(f"SELECT {', '.join(shown)} FROM {_read(members, scan)}")  # noqa: S608 - quoted
    return Source(" UNION ALL ".join(selects), [file.path for file in files], scanned)


def _read_columns(scan: Scan) -> list[tuple[str, TrinoType]]:
    """Return the columns that DuckDB may see: all of them, for it reads none in vain; a path only where it is asked."""
    return [(name, kind) for name, kind in scan.columns.items() if name != PATH or name in scan.used]


def _column(name: str, kind: TrinoType, keys: Mapping[str, str | None], files: Sequence[_File]) -> str:
    if name == PATH:
        places = ", ".join(quote(str(file.path)) for file in files)
        uris = ", ".join(quote(file.uri) for file in files)
        return f"list_extract([{uris}], list_position([{places}], filename))"
    if name in keys:
        value = keys[name]
        return f"CAST({'NULL' if value is None else quote(value)} AS {kind.duckdb()})"
    return _from_file(name_sql(name), kind)


def _null(kind: TrinoType) -> str:
    return f"CAST(NULL AS {kind.duckdb()})"


def _read(files: Sequence[_File], scan: Scan) -> str:
    names = ", ".join(quote(str(file.path)) for file in files)
    filename = ", filename = true" if PATH in scan.used else ""
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false{filename})"


def _from_file(sql: str, kind: TrinoType) -> str:
    """Return a value of a file as the engine holds values of its type."""
    if kind.name == "timestamp with time zone":
        return f"timezone('UTC', CAST({sql} AS TIMESTAMPTZ))"
    if kind.name == "row":
        fields = [
            _from_file(f"struct_extract({sql}, {quote(name or '')})", part)
            for name, part in zip(kind.fields, kind.arguments, strict=True)
        ]
        return f"CASE WHEN {sql} IS NOT NULL THEN {row_sql(fields)} END"
    if kind.name == "array" and _differs(kind.element):
        return each(sql, lambda item: _from_file(item, kind.element))
    if kind.name == "map" and any(map(_differs, kind.arguments)):
        keys = each(f"map_keys({sql})", lambda item: _from_file(item, kind.arguments[0]))
        values = each(f"map_values({sql})", lambda item: _from_file(item, kind.element))
        return f"CASE WHEN {sql} IS NOT NULL THEN map({keys}, {values}) END"
    return f"CAST({sql} AS {kind.duckdb()})"


def _differs(kind: TrinoType) -> bool:
    return kind.name in {"row", "timestamp with time zone"} or any(map(_differs, kind.arguments))


def scanned_bytes(files: Sequence[Path], columns: set[str], conditions: Sequence[Condition]) -> int:
    """Return what Athena bills for a scan: the compressed size of the column chunks that are read.

    A row group is left out where the statistics in the file's footer show that no row of it can meet a condition. Bloom
    filters are not looked at.
    """
    total = 0
    for file in files:
        metadata = pq.read_metadata(file)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            chunks = [group.column(index) for index in range(group.num_columns)]
            if _may_match(chunks, conditions):
                total += sum(
                    chunk.total_compressed_size
                    for chunk in chunks
                    if chunk.path_in_schema.split(".")[0].lower() in columns
                )
    return total


def _may_match(chunks: Sequence[Any], conditions: Sequence[Condition]) -> bool:
    by_name = {chunk.path_in_schema.lower(): chunk for chunk in chunks}
    for condition in conditions:
        chunk = by_name.get(condition.column)
        statistics = None if chunk is None else chunk.statistics
        if statistics is None or not statistics.has_min_max:
            continue
        low, high = statistics.min, statistics.max
        if all(type(value) is type(low) is type(high) for value in condition.values) and not _overlaps(
            condition, low, high
        ):
            return False
    return True


def _overlaps(condition: Condition, low: Any, high: Any) -> bool:
    values: Sequence[Any] = condition.values
    if condition.operator in {"=", "IN"}:
        return any(low <= value <= high for value in values)
    if condition.operator == "BETWEEN":
        return bool(low <= values[1] and high >= values[0])
    if condition.operator in {">", ">="}:
        return bool(high > values[0] or (condition.operator == ">=" and high == values[0]))
    return bool(low < values[0] or (condition.operator == "<=" and low == values[0]))


def _row_filter(table: Table, conditions: Sequence[Condition]) -> BooleanExpression:
    """Return what of a scan's conditions can leave files out."""
    result: BooleanExpression = AlwaysTrue()
    kinds = {field.name.lower(): (field.name, str(field.field_type)) for field in table.schema().fields}
    for condition in conditions:
        name, kind = kinds.get(condition.column, ("", ""))
        wanted = {"string": str, "int": int, "long": int}.get(kind)
        if wanted is not None and all(type(value) is wanted for value in condition.values):
            result = And(result, _predicate(name, condition))
    return result


def _predicate(name: str, condition: Condition) -> BooleanExpression:
    values = condition.values
    made: Mapping[str, Any] = {
        "=": _predicates.EqualTo,
        "<": _predicates.LessThan,
        "<=": _predicates.LessThanOrEqual,
        ">": _predicates.GreaterThan,
        ">=": _predicates.GreaterThanOrEqual,
    }
    if condition.operator == "IN":
        found: BooleanExpression = _predicates.In(name, values)
        return found
    if condition.operator == "BETWEEN":
        return And(_predicates.GreaterThanOrEqual(name, values[0]), _predicates.LessThanOrEqual(name, values[1]))
    single: BooleanExpression = made[condition.operator](name, values[0])
    return single


def _hive_files(context: StageContext, table: CatalogTable, conditions: Sequence[Condition]) -> Iterator[_File]:
    if not table.partition_keys:
        yield from _list_files(context, table.location, {})
        return
    pages = context.client("glue").get_paginator("get_partitions")
    for page in pages.paginate(DatabaseName=table.database, TableName=table.name):
        for partition in page["Partitions"]:
            given = (None if value == "__HIVE_DEFAULT_PARTITION__" else value for value in partition["Values"])
            keys = dict(zip(table.partition_keys, given, strict=True))
            if _partition_may_match(table, keys, conditions):
                yield from _list_files(context, str(partition["StorageDescriptor"]["Location"]), keys)


def _partition_may_match(table: CatalogTable, keys: Mapping[str, str | None], conditions: Sequence[Condition]) -> bool:
    for condition in conditions:
        if condition.column not in keys:
            continue
        text = keys[condition.column]
        if text is None:
            return False  # no condition of this kind is true of NULL
        value: object = int(text) if table.columns[condition.column].is_integer else text
        comparable = all(type(one) is type(value) for one in condition.values)
        if comparable and not _overlaps(condition, value, value):
            return False
    return True


def _list_files(context: StageContext, location: str, keys: Mapping[str, str | None]) -> Iterator[_File]:
    scheme, mark, rest = location.partition("://")
    if not mark:
        raise AthenaFailure("HIVE_METASTORE_ERROR", f"a location is no address: {location or 'none'}")
    del scheme
    bucket, _, prefix = rest.partition("/")
    prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    for page in context.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents") or []:
            hidden = item["Key"].rsplit("/", 1)[-1].startswith(("_", "."))
            if item["Size"] and not hidden:
                uri = f"s3://{bucket}/{item['Key']}"
                yield _File(uri, object_file(context, uri), keys)
