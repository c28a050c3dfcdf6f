"""information_schema, from the Glue catalog."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from local_stage.athena.access import Access
from local_stage.athena.catalog import CatalogTable, as_catalog_table
from local_stage.athena.types import TrinoType
from local_stage.context import StageContext

CATALOG = "awsdatacatalog"


def list_databases(context: StageContext) -> list[str]:
    """Return the names of all databases, sorted."""
    pages = context.client("glue").get_paginator("get_databases").paginate()
    return sorted(database["Name"] for page in pages for database in page["DatabaseList"])


def list_tables(context: StageContext, database: str) -> Iterator[Mapping[str, Any]]:
    """Return the tables and views of a database as Glue describes them."""
    for page in context.client("glue").get_paginator("get_tables").paginate(DatabaseName=database):
        yield from page["TableList"]


def list_seen(access: Access, database: str) -> list[Mapping[str, Any]]:
    """Return the tables and views of a database of which the caller sees anything, as Glue describes them."""
    return [table for table in list_tables(access.context, database) if access.sees(table)]


def seen_columns(access: Access, table: CatalogTable) -> dict[str, TrinoType]:
    """Return the columns of a table that the caller sees.

    Raises:
        AthenaFailure: there are none.
    """
    sight = access.sight(table.described)
    return {name: kind for name, kind in table.columns.items() if sight is None or name in sight.columns}


def information_tables(access: Access) -> Mapping[str, pa.Table]:
    """Return the tables of information_schema that exist here, as far as the caller sees what they tell of."""
    databases = list_databases(access.context)
    described = [(name, table) for name in databases for table in list_seen(access, name)]
    tables = [
        {
            "table_catalog": CATALOG,
            "table_schema": database,
            "table_name": table["Name"],
            "table_type": "VIEW" if table.get("TableType") == "VIRTUAL_VIEW" else "BASE TABLE",
        }
        for database, table in described
    ]
    columns = [
        {
            "table_catalog": CATALOG,
            "table_schema": database,
            "table_name": table["Name"],
            "column_name": name,
            "ordinal_position": str(number),
            "data_type": kind.show(),
        }
        for database, table in described
        for number, (name, kind) in enumerate(seen_columns(access, as_catalog_table(database, table)).items(), start=1)
    ]
    schemata = [{"catalog_name": CATALOG, "schema_name": name} for name in databases]
    return {
        "tables": _as_arrow(tables, "table_catalog", "table_schema", "table_name", "table_type"),
        "columns": _as_arrow(
            columns, "table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "data_type"
        ),
        "schemata": _as_arrow(schemata, "catalog_name", "schema_name"),
    }


def _as_arrow(rows: list[dict[str, str]], *names: str) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})
