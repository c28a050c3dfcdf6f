"""Tables and views of the Glue catalog, and the files behind them."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyiceberg import expressions
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression
from pyiceberg.table import Table
from pyiceberg.types import IcebergType
from sqlglot import exp

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.file_io import object_file
from local_stage.athena.iceberg import DataFiles, find_files, open_table
from local_stage.athena.translation import Use
from local_stage.context import StageContext

_VIEW_MARK = "/* Presto View: "
_predicates: Any = expressions  # the constructors take more than their types tell


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """One entry of the Glue catalog. `columns` maps names to Trino types; `partition_keys` are the last of them."""

    database: str
    name: str
    columns: Mapping[str, str]
    partition_keys: Sequence[str]
    view_sql: str | None
    described: Mapping[str, Any]

    @property
    def metadata_uri(self) -> str | None:
        """Where the current metadata of an Iceberg table lies; None for other tables."""
        parameters = self.described.get("Parameters") or {}
        if str(parameters.get("table_type", "")).upper() != "ICEBERG":
            return None
        return str(parameters["metadata_location"])


def read_table(context: StageContext, database: str, name: str) -> CatalogTable:
    """Look a table or view up.

    Raises:
        AthenaFailure: there is no such database or table.
    """
    glue = context.client("glue")
    try:
        described = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        try:
            glue.get_database(Name=database)
        except glue.exceptions.EntityNotFoundException:
            raise AthenaFailure("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist") from None
        raise AthenaFailure("TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{database}.{name}' does not exist") from None
    return as_catalog_table(database, described)


def as_catalog_table(database: str, described: Mapping[str, Any]) -> CatalogTable:
    """Return a table as Glue describes it in the form used here."""
    storage = described.get("StorageDescriptor") or {}
    current = [column for column in storage.get("Columns") or [] if _is_current(column)]
    keys = list(described.get("PartitionKeys") or [])
    columns = {column["Name"].lower(): _trino_type(column["Type"]) for column in [*current, *keys]}
    view_sql = None
    if described.get("TableType") == "VIRTUAL_VIEW":
        view_sql = decode_view(str(described.get("ViewOriginalText") or ""))
    return CatalogTable(
        database, described["Name"], columns, [key["Name"].lower() for key in keys], view_sql, described
    )


def decode_view(text: str) -> str:
    """Return the query of a view as Athena keeps it in Glue."""
    if not text.startswith(_VIEW_MARK):
        raise unsupported("views that Athena has not made")
    document = json.loads(base64.b64decode(text[len(_VIEW_MARK) :].removesuffix(" */")))
    return str(document["originalSql"])


def encode_view(sql: str, database: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return what Athena keeps in Glue of a view."""
    document = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in columns],
    }
    return f"{_VIEW_MARK}{base64.b64encode(json.dumps(document).encode()).decode()} */"


@dataclass(frozen=True, slots=True)
class Source:
    """What DuckDB reads for a table: a SELECT over files, or an Arrow table where files alone do not tell."""

    sql: str
    files: Sequence[Path]
    scanned_bytes: int
    arrow: Any = None


def find_source(context: StageContext, table: CatalogTable, use: Use) -> Source:
    """Return what a query has to read of a table that is no view.

    Raises:
        AthenaFailure: the table is neither Iceberg nor Parquet.
    """
    if table.metadata_uri is not None:
        return _iceberg_source(context, table, use)
    library = ((table.described.get("StorageDescriptor") or {}).get("SerdeInfo") or {}).get("SerializationLibrary", "")
    if "parquet" not in str(library).lower():
        raise unsupported(
            f"queries over {table.name}: only Iceberg tables and Parquet files, not {library or 'others'}"
        )
    parts = list(_hive_parts(context, table))
    selects = []
    for files, values in parts:
        keys = "".join(
            f', CAST({_quote(value)} AS {_duckdb_type(table.columns[key])}) AS "{key}"'
            for key, value in zip(table.partition_keys, values, strict=True)
        )
        selects.append(f"SELECT *{keys} FROM {_read(files)}")  # noqa: S608 - names from the catalog, values quoted
    columns = ", ".join(f'CAST("{name}" AS {_duckdb_type(kind)}) AS "{name}"' for name, kind in table.columns.items())
    if not selects:
        return Source(_empty(table), [], 0)
    files = [file for files, _ in parts for file in files]
    sql = f"SELECT {columns} FROM ({' UNION ALL BY NAME '.join(selects)})"  # noqa: S608 - likewise
    return Source(sql, files, _scanned_bytes(files, use.columns))


def _iceberg_source(context: StageContext, table: CatalogTable, use: Use) -> Source:
    opened = open_table(context, str(table.metadata_uri))
    found = find_files(opened, _row_filter(opened, use))
    files = [object_file(context, uri) for uri in found.uris]
    scanned = _scanned_bytes(files, use.columns)
    if not files:
        return Source(_empty(table), [], 0)
    if not found.exact:
        return Source("SELECT * FROM {arrow}", [], scanned, arrow=_read_exactly(found))
    columns = ", ".join(f'"{name}"' for name in table.columns)
    sql = f"SELECT {columns} FROM {_read(files)}"  # noqa: S608 - names from the catalog, files quoted
    return Source(sql, files, scanned)


def _read_exactly(found: DataFiles) -> Any:
    """Read a table whose columns were renamed, or of which rows were deleted, by Iceberg's own rules."""
    return found.table.scan().to_arrow()


def _row_filter(table: Table, use: Use) -> BooleanExpression:
    """Return what of a query's conditions can leave files out; a table that is named twice is read as a whole."""
    result: BooleanExpression = AlwaysTrue()
    if use.references > 1:
        return result
    for condition in use.conditions:
        column = condition.find(exp.Column)
        if column is None or column.name not in {field.name for field in table.schema().fields}:
            continue
        kind = table.schema().find_field(column.name).field_type
        converted = _convert(condition, column.name, kind)
        if converted is not None:
            result = And(result, converted)
    return result


def _convert(condition: exp.Expr, name: str, kind: IcebergType) -> BooleanExpression | None:
    if not isinstance(condition.this, exp.Column):
        return None
    if isinstance(condition, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        value = _literal(condition.expression, kind)
        if value is None:
            return None
        if isinstance(condition, exp.EQ):
            return _equal(name, value)
        # a file that holds the bound itself is read too: one condition more or less costs nothing
        from_below = isinstance(condition, exp.GT | exp.GTE)
        return _between(name, value, None) if from_below else _between(name, None, value)
    if isinstance(condition, exp.Between):
        low, high = _literal(condition.args["low"], kind), _literal(condition.args["high"], kind)
        return None if low is None or high is None else _between(name, low, high)
    if isinstance(condition, exp.In) and condition.expressions:
        values = [_literal(item, kind) for item in condition.expressions]
        return None if None in values else _one_of(name, values)
    return None


def _equal(name: str, value: Any) -> BooleanExpression:
    result: BooleanExpression = _predicates.EqualTo(name, value)
    return result


def _one_of(name: str, values: Sequence[Any]) -> BooleanExpression:
    result: BooleanExpression = _predicates.In(name, values)
    return result


def _between(name: str, low: Any | None, high: Any | None) -> BooleanExpression:
    result: BooleanExpression = AlwaysTrue()
    if low is not None:
        result = And(result, _predicates.GreaterThanOrEqual(name, low))
    if high is not None:
        result = And(result, _predicates.LessThanOrEqual(name, high))
    return result


def _literal(node: exp.Expr, kind: IcebergType) -> Any:
    if not isinstance(node, exp.Literal):
        return None
    if str(kind) == "string":
        return node.this if node.is_string else None
    return int(node.this) if str(kind) in {"int", "long"} and node.is_int else None


def _hive_parts(context: StageContext, table: CatalogTable) -> Iterator[tuple[list[Path], Sequence[str]]]:
    if not table.partition_keys:
        files = _list_files(context, str(table.described["StorageDescriptor"]["Location"]))
        if files:
            yield files, ()
        return
    pages = context.client("glue").get_paginator("get_partitions")
    for page in pages.paginate(DatabaseName=table.database, TableName=table.name):
        for partition in page["Partitions"]:
            files = _list_files(context, str(partition["StorageDescriptor"]["Location"]))
            if files:
                yield files, partition["Values"]


def _list_files(context: StageContext, location: str) -> list[Path]:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    files = []
    for page in context.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents") or []:
            hidden = item["Key"].rsplit("/", 1)[-1].startswith(("_", "."))
            if item["Size"] and not hidden:
                files.append(object_file(context, f"s3://{bucket}/{item['Key']}"))
    return files


def _scanned_bytes(files: Sequence[Path], columns: set[str]) -> int:
    """Return the compressed size of the columns that a query reads, as Athena bills them."""
    total = 0
    for file in files:
        metadata = pq.read_metadata(file)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for index in range(group.num_columns):
                chunk = group.column(index)
                if chunk.path_in_schema.split(".")[0].lower() in columns:
                    total += chunk.total_compressed_size
    return total


def _read(files: Sequence[Path]) -> str:
    names = ", ".join(_quote(str(file)) for file in files)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def _empty(table: CatalogTable) -> str:
    columns = ", ".join(f'CAST(NULL AS {_duckdb_type(kind)}) AS "{name}"' for name, kind in table.columns.items())
    return f"SELECT {columns} WHERE false"


def _is_current(column: Mapping[str, Any]) -> bool:
    return str((column.get("Parameters") or {}).get("iceberg.field.current", "true")) == "true"


def _trino_type(hive_type: str) -> str:
    return exp.DataType.build(hive_type, dialect="hive").sql("trino")


def _duckdb_type(trino_type: str) -> str:
    return exp.DataType.build(trino_type, dialect="trino").sql("duckdb")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
