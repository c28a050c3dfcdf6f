"""The lake's tables as `tables.json` defines them; infra reads the same file to create them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

_ARROW_TYPES: Final = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
    "list<int>": pa.list_(pa.int32()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is Iceberg's name of it, `data_class` decides who may see it (`strandline.trust.access`)."""

    name: str
    type: str
    required: bool
    doc: str
    data_class: str


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One table.

    Attributes:
        partition: columns of which a data file has one value.
        sort: columns that each data file is ordered by.
        bloom: columns of which each group of rows has a Bloom filter, where many samples' rows were merged.
        replaced_by: column whose value names what a load replaces as a whole.
        copy_of: table whose rows these are once more, in another order.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    partition: tuple[str, ...]
    sort: tuple[str, ...]
    bloom: tuple[str, ...]
    replaced_by: str
    copy_of: str | None = None

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
            columns=_columns(document[table.get("copy_of", name)]),
            partition=tuple(part["source"] for part in table["partition"]),
            sort=tuple(table["sort"]),
            bloom=tuple(table.get("bloom", ())),
            replaced_by=table.get("replaced_by", "submission_id"),
            copy_of=table.get("copy_of"),
        )
        for name, table in document.items()
    }


def _columns(table: Mapping[str, Any]) -> tuple[Column, ...]:
    return tuple(Column(**{"data_class": table["data_class"], **column}) for column in table["columns"])
