"""Tables and views of the Glue catalog as a query sees them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyiceberg import types as iceberg_types
from pyiceberg.table import Table
from pyiceberg.types import IcebergType

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.iceberg import open_table
from local_stage.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    REAL,
    VARBINARY,
    VARCHAR,
    TrinoType,
    array,
    decimal,
    map_of,
    parse_glue_type,
    parse_trino_type,
    row,
    timestamp,
    zoned,
)
from local_stage.context import StageContext

_VIEW_MARK = "/* Presto View: "


@dataclass(frozen=True, slots=True)
class StoredView:
    """A view as Athena keeps it in Glue: its query, and the database and columns that it had when it was made."""

    sql: str
    database: str
    columns: Mapping[str, TrinoType]


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """One entry of the Glue catalog. `partition_keys` are the last of its columns, where files do not hold them."""

    database: str
    name: str
    columns: Mapping[str, TrinoType]
    partition_keys: Sequence[str]
    view: StoredView | None
    described: Mapping[str, Any]

    @property
    def metadata_uri(self) -> str | None:
        """Where the current metadata of an Iceberg table lies; None for other tables."""
        parameters = self.described.get("Parameters") or {}
        if str(parameters.get("table_type", "")).upper() != "ICEBERG":
            return None
        return str(parameters["metadata_location"])

    @property
    def location(self) -> str:
        """Where the files of a table lie that is not Iceberg."""
        return str((self.described.get("StorageDescriptor") or {}).get("Location") or "")


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
    """Return a table as Glue describes it in the form used here.

    The columns of an Iceberg table are those that Glue shows; `iceberg_columns` tells their exact types.
    """
    storage = described.get("StorageDescriptor") or {}
    current = [column for column in storage.get("Columns") or [] if _is_current(column)]
    keys = list(described.get("PartitionKeys") or [])
    is_view = described.get("TableType") == "VIRTUAL_VIEW"
    view = decode_view(str(described.get("ViewOriginalText") or "")) if is_view else None
    columns = {column["Name"].lower(): parse_glue_type(column["Type"]) for column in [*current, *keys]}
    return CatalogTable(
        database,
        described["Name"],
        view.columns if view else columns,
        [key["Name"].lower() for key in keys],
        view,
        described,
    )


def decode_view(text: str) -> StoredView:
    """Return a view from what Athena keeps in Glue of it."""
    if not text.startswith(_VIEW_MARK):
        raise unsupported("views that Athena has not made")
    document = json.loads(base64.b64decode(text[len(_VIEW_MARK) :].removesuffix(" */")))
    columns = {column["name"].lower(): parse_trino_type(column["type"]) for column in document["columns"]}
    return StoredView(str(document["originalSql"]), str(document["schema"]), columns)


def encode_view(view: StoredView) -> str:
    """Return what Athena keeps in Glue of a view."""
    document = {
        "originalSql": view.sql,
        "catalog": "awsdatacatalog",
        "schema": view.database,
        "columns": [{"name": name, "type": kind.show()} for name, kind in view.columns.items()],
    }
    return f"{_VIEW_MARK}{base64.b64encode(json.dumps(document).encode()).decode()} */"


def open_iceberg(context: StageContext, table: CatalogTable) -> Table:
    """Return an Iceberg table as it is now."""
    return open_table(context, str(table.metadata_uri))


def iceberg_columns(table: Table) -> dict[str, TrinoType]:
    """Return the columns of an Iceberg table."""
    return {field.name.lower(): _from_iceberg(field.field_type) for field in table.schema().fields}


_ICEBERG: dict[type[IcebergType], TrinoType] = {
    iceberg_types.BinaryType: VARBINARY,
    iceberg_types.BooleanType: BOOLEAN,
    iceberg_types.DateType: DATE,
    iceberg_types.DoubleType: DOUBLE,
    iceberg_types.FloatType: REAL,
    iceberg_types.IntegerType: INTEGER,
    iceberg_types.LongType: BIGINT,
    iceberg_types.StringType: VARCHAR,
    iceberg_types.TimestampType: timestamp(6),
    iceberg_types.TimestamptzType: zoned(6),
}


def _from_iceberg(kind: IcebergType) -> TrinoType:
    known = _ICEBERG.get(type(kind))
    if known is not None:
        return known
    if isinstance(kind, iceberg_types.DecimalType):
        return decimal(kind.precision, kind.scale)
    if isinstance(kind, iceberg_types.ListType):
        return array(_from_iceberg(kind.element_type))
    if isinstance(kind, iceberg_types.MapType):
        return map_of(_from_iceberg(kind.key_type), _from_iceberg(kind.value_type))
    if isinstance(kind, iceberg_types.StructType):
        parts = [_from_iceberg(field.field_type) for field in kind.fields]
        return row(*parts, fields=[field.name.lower() for field in kind.fields])
    raise unsupported(f"columns of the type {kind}")


def _is_current(column: Mapping[str, Any]) -> bool:
    return str((column.get("Parameters") or {}).get("iceberg.field.current", "true")) == "true"
