"""The lake's tables as `tables.json` defines them; infra reads the same file to create them."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import pyarrow as pa

_ARROW_TYPES: Final = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is Iceberg's name of it."""

    name: str
    type: str
    required: bool
    doc: str


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One table. `sort` names the columns that each data file is ordered by."""

    name: str
    description: str
    columns: tuple[Column, ...]
    sort: tuple[str, ...]

    def arrow_schema(self) -> pa.Schema:
        """Return the schema that rows must have to be written."""
        return pa.schema(
            [pa.field(column.name, _ARROW_TYPES[column.type], nullable=not column.required) for column in self.columns]
        )


@cache
def lake_tables() -> dict[str, LakeTable]:
    """Return the tables by name."""
    document = json.loads(files("strandline.lake").joinpath("tables.json").read_bytes())
    return {
        name: LakeTable(
            name=name,
            description=table["description"],
            columns=tuple(Column(**column) for column in table["columns"]),
            sort=tuple(table["sort"]),
        )
        for name, table in document.items()
    }
