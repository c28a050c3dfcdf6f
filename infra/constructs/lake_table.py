"""Iceberg tables of the lake, from the one file that also tells the loader its columns."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import aws_glue as glue
from constructs import Construct

LAKE_TABLES = Path(__file__).resolve().parents[2] / "strandline" / "lake" / "tables.json"
_FIRST_PARTITION_FIELD_ID = 1000  # Iceberg's specification keeps the ids below for columns
_NESTED = ("map<", "list<", "struct<")


def lake_tables() -> Mapping[str, Mapping[str, Any]]:
    """The tables' definitions by name; a copy of another table has its columns."""
    tables: Mapping[str, Mapping[str, Any]] = json.loads(LAKE_TABLES.read_text(encoding="utf-8"))
    return {name: {**table, "columns": tables[table.get("copy_of", name)]["columns"]} for name, table in tables.items()}


class LakeTable(Construct):
    """An empty Iceberg v2 table in Glue: field ids are the columns' places in the file, so columns are only appended.

    A template can tell only columns without an inner structure; the first write to the table adds the others.

    Source: Apache Iceberg table specification, sections on schemas, partition specs and sort orders.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        definition: Mapping[str, Any],
        catalog_id: str,
        database: str,
        location: str,
    ) -> None:
        super().__init__(scope, construct_id)
        flat = [column for column in definition["columns"] if not column["type"].startswith(_NESTED)]
        field_ids = {column["name"]: number for number, column in enumerate(flat, start=1)}
        self.table = glue.CfnTable(
            self,
            "Table",
            catalog_id=catalog_id,
            database_name=database,
            name=name,
            open_table_format_input=glue.CfnTable.OpenTableFormatInputProperty(
                iceberg_input=glue.CfnTable.IcebergInputProperty(
                    metadata_operation="CREATE",
                    version="2",
                    iceberg_table_input=glue.CfnTable.IcebergTableInputProperty(
                        location=location,
                        schema=_schema(flat, field_ids),
                        partition_spec=_partition_spec(definition, field_ids) if definition["partition"] else None,
                        write_order=_write_order(definition, field_ids),
                        properties={"comment": definition["description"], "write.format.default": "parquet"},
                    ),
                )
            ),
        )


def _schema(columns: Sequence[Mapping[str, Any]], field_ids: Mapping[str, int]) -> glue.CfnTable.IcebergSchemaProperty:
    return glue.CfnTable.IcebergSchemaProperty(
        type="struct",
        schema_id=0,
        fields=[
            glue.CfnTable.IcebergStructFieldProperty(
                id=field_ids[column["name"]],
                name=column["name"],
                type=column["type"],
                required=column["required"],
                doc=column["doc"],
            )
            for column in columns
        ],
    )


def _partition_spec(
    definition: Mapping[str, Any], field_ids: Mapping[str, int]
) -> glue.CfnTable.IcebergPartitionSpecProperty:
    return glue.CfnTable.IcebergPartitionSpecProperty(
        spec_id=0,
        fields=[
            glue.CfnTable.IcebergPartitionFieldProperty(
                field_id=_FIRST_PARTITION_FIELD_ID + number,
                name=_partition_name(part),
                source_id=field_ids[part["source"]],
                transform=part["transform"],
            )
            for number, part in enumerate(definition["partition"])
        ],
    )


def _partition_name(part: Mapping[str, str]) -> str:
    transform = part["transform"].partition("[")[0]
    return part["source"] if transform == "identity" else f"{part['source']}_{transform}"


def _write_order(definition: Mapping[str, Any], field_ids: Mapping[str, int]) -> glue.CfnTable.IcebergSortOrderProperty:
    return glue.CfnTable.IcebergSortOrderProperty(
        order_id=1,
        fields=[
            glue.CfnTable.IcebergSortFieldProperty(
                source_id=field_ids[name], transform="identity", direction="asc", null_order="nulls-first"
            )
            for name in definition["sort"]
        ],
    )
