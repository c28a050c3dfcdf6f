"""Iceberg tables of the Glue catalog: creating them as CloudFormation asks, and finding their data files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import StaticTable, Table
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import parse_transform
from pyiceberg.types import NestedField

from local_stage.athena.file_io import file_io_properties
from local_stage.context import StageContext


class DifferentTableError(Exception):
    """A table of this name exists, and is another one."""


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The files of one snapshot of a table. `exact` tells that their columns can be read by name."""

    uris: Sequence[str]
    exact: bool
    table: Table


def create_table(context: StageContext, properties: Mapping[str, Any]) -> str:
    """Create the Iceberg table that an `AWS::Glue::Table` describes, and return its name.

    Creating the same table again changes nothing.

    Raises:
        DifferentTableError: a table of this name has other columns, partitions, order or place.
        ValueError: the properties describe no Iceberg table.
    """
    name = str(properties.get("Name") or (properties.get("TableInput") or {}).get("Name") or "")
    iceberg = (properties.get("OpenTableFormatInput") or {}).get("IcebergInput") or {}
    wanted = iceberg.get("IcebergTableInput")
    if not name or not wanted:
        raise ValueError(f"{name or 'AWS::Glue::Table'}: there is no Name or no IcebergTableInput")
    identifier = (str(properties["DatabaseName"]), name)
    schema = _schema(wanted["Schema"])
    spec = _partition_spec(wanted.get("PartitionSpec"))
    order = _sort_order(wanted.get("WriteOrder"))
    catalog = _catalog(context)
    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        options = {str(key): str(value) for key, value in (wanted.get("Properties") or {}).items()}
        options["format-version"] = str(iceberg.get("Version") or "2")
        catalog.create_table(identifier, schema, str(wanted["Location"]), spec, order, options)
        return name
    same = (
        table.schema().fields == schema.fields
        and table.spec().fields == spec.fields
        and table.sort_order().fields == order.fields
        and table.location() == str(wanted["Location"]).rstrip("/")
    )
    if not same:
        raise DifferentTableError(f"{'.'.join(identifier)}: there is such a table, with other columns, order or place")
    return name


def delete_table(context: StageContext, properties: Mapping[str, Any]) -> None:
    """Take a table out of the catalog. Its files stay, as on AWS."""
    name = str(properties.get("Name") or (properties.get("TableInput") or {}).get("Name") or "")
    context.client("glue").delete_table(DatabaseName=str(properties["DatabaseName"]), Name=name)


def open_table(context: StageContext, metadata_uri: str) -> Table:
    """Return a table as one version of its metadata describes it."""
    return StaticTable.from_metadata(metadata_uri, file_io_properties(context))


def find_files(table: Table, row_filter: BooleanExpression | None = None, snapshot_id: int | None = None) -> DataFiles:
    """Return the data files that can hold rows that pass the filter, of one snapshot or of the current one."""
    scan = table.scan(row_filter=AlwaysTrue() if row_filter is None else row_filter, snapshot_id=snapshot_id)
    tasks = list(scan.plan_files())
    exact = _keeps_names(table) and not any(task.delete_files for task in tasks)
    return DataFiles([task.file.file_path for task in tasks], exact, table)


def _keeps_names(table: Table) -> bool:
    """Return whether every column has had one name and one type, and no name two columns: files may lack the later."""
    current = {field.field_id: (field.name, field.field_type) for field in table.schema().fields}
    names = {name for name, _ in current.values()}
    return all(
        current[field.field_id] == (field.name, field.field_type)
        if field.field_id in current
        else field.name not in names
        for schema in table.metadata.schemas
        for field in schema.fields
    )


def load_table(context: StageContext, database: str, name: str) -> Table:
    """Return a table of the catalog, to be written."""
    return _catalog(context).load_table((database, name))


def create_from_arrow(
    context: StageContext,
    identifier: tuple[str, str],
    columns: pa.Schema,
    location: str,
    *,
    partitions: Callable[[Schema], PartitionSpec],
    options: Mapping[str, str],
) -> Table:
    """Create a table with the columns of an Arrow schema; `partitions` is given the schema with its field ids."""
    catalog = _catalog(context)
    schema = assign_fresh_schema_ids(catalog._convert_schema_if_needed(columns))
    properties = {"format-version": "2", **options}
    return catalog.create_table(identifier, schema, location.rstrip("/"), partitions(schema), properties=properties)


def _catalog(context: StageContext) -> Catalog:
    return GlueCatalog(
        "stage",
        client=context.client("glue"),
        **file_io_properties(context),
    )


def _schema(described: Mapping[str, Any]) -> Schema:
    fields = [
        NestedField(
            field_id=int(field["Id"]),
            name=str(field["Name"]),
            field_type=field["Type"],
            required=str(field["Required"]).lower() == "true",
            doc=field.get("Doc"),
        )
        for field in described["Fields"]
    ]
    identifiers = [int(number) for number in described.get("IdentifierFieldIds") or []]
    return Schema(*fields, schema_id=int(described.get("SchemaId") or 0), identifier_field_ids=identifiers)


def _partition_spec(described: Mapping[str, Any] | None) -> PartitionSpec:
    if not described:
        return PartitionSpec()
    fields = [
        PartitionField(
            source_id=int(field["SourceId"]),
            field_id=int(field.get("FieldId") or 1000 + number),
            transform=parse_transform(field["Transform"]),
            name=str(field["Name"]),
        )
        for number, field in enumerate(described["Fields"])
    ]
    return PartitionSpec(*fields, spec_id=int(described.get("SpecId") or 0))


def _sort_order(described: Mapping[str, Any] | None) -> SortOrder:
    if not described:
        return SortOrder(order_id=0)
    fields = [
        SortField(
            source_id=int(field["SourceId"]),
            transform=parse_transform(field["Transform"]),
            direction=SortDirection(str(field["Direction"]).lower()),
            null_order=NullOrder(str(field["NullOrder"]).lower()),
        )
        for field in described["Fields"]
    ]
    return SortOrder(*fields, order_id=int(described.get("OrderId") or 1))
