"""Statements about tables, databases and their partitions.

Source: https://docs.aws.amazon.com/athena/latest/ug/ddl-reference.html and querying-iceberg-creating-tables.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform

from local_stage.athena.catalog import read_table
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.file_io import split_uri
from local_stage.athena.iceberg import create_from_arrow
from local_stage.athena.jobs import Job, Outcome
from local_stage.athena.storing import NULL_PARTITION, stored_type
from local_stage.athena.types import TrinoType, glue_type, parse_glue_type
from local_stage.context import StageContext

_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_PROPERTY = re.compile(
    r"\s*'?([\w.-]+)'?\s*=\s*('(?:[^']|'')*'|ARRAY\s*\[[^\]]*\]|true|false|\d+)\s*(?:,|\Z)", re.IGNORECASE
)
_COLUMN = re.compile(r"\s*[`\"]?(\w+)[`\"]?\s+(.+?)(?:\s+COMMENT\s+'((?:[^']|'')*)')?\s*\Z", re.IGNORECASE | re.DOTALL)
_TRANSFORM = re.compile(r"(\w+)\s*\(\s*(?:(\d+)\s*,\s*)?(\w+)\s*(?:,\s*(\d+)\s*)?\)")
_TRANSFORMS = {"day": "day", "days": "day", "hour": "hour", "hours": "hour", "month": "month", "months": "month",
               "year": "year", "years": "year"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to be created. `partitions` are columns, or in Iceberg also transforms of columns, to partition by."""

    database: str
    name: str
    columns: Mapping[str, TrinoType]
    partitions: Sequence[str]
    location: str
    options: Mapping[str, str] = field(default_factory=dict)


def read_properties(text: str, known: set[str]) -> dict[str, Any]:
    """Return the properties of a table, those of `ARRAY[...]` as lists.

    Raises:
        AthenaFailure: the text is no list of properties, or names one that is not known.
    """
    found: dict[str, Any] = {}
    place = 0
    while place < len(text.rstrip()):
        item = _PROPERTY.match(text, place)
        if item is None:
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input in the properties: {text[place:].strip()}")
        name = item[1].lower()
        if known and name not in known:
            raise unsupported(f"the table property {name}")
        found[name] = _property_value(item[2])
        place = item.end()
    return found


def _property_value(text: str) -> object:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.upper().startswith("ARRAY"):
        return [part.replace("''", "'") for part in re.findall(r"'((?:[^']|'')*)'", text)]
    return text.lower()


def create_table(job: Job, found: re.Match[str]) -> Outcome:
    """Run CREATE TABLE with columns: of Iceberg, or CREATE EXTERNAL TABLE of Parquet files."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    properties = read_properties(found["properties"] or "", set())
    columns = _read_columns(found["columns"])
    parts = _split(found["partitions"] or "")
    location = found["location"]
    if location is None:
        raise AthenaFailure("INVALID_TABLE_PROPERTY", "CREATE TABLE needs a LOCATION")
    if _exists(job.context, database, name):
        if found["lenient"]:
            return Outcome()
        raise AthenaFailure("ALREADY_EXISTS", f"Table {name} already exists")
    job.access.require("CREATE_TABLE", database)
    job.access.require_writable(location)
    if str(properties.get("table_type", "")).upper() == "ICEBERG":
        if found["external"] or found["stored"]:
            raise AthenaFailure("SYNTAX_ERROR", "an Iceberg table is neither EXTERNAL nor STORED AS anything")
        options = {key: str(value) for key, value in properties.items() if key not in {"table_type", "format"}}
        create_iceberg_table(job.context, NewTable(database, name, columns, parts, location, options))
        return Outcome()
    if not found["external"]:
        raise AthenaFailure(
            "SYNTAX_ERROR", "CREATE TABLE needs EXTERNAL, or 'table_type'='ICEBERG' among its properties"
        )
    if (found["stored"] or "").upper() != "PARQUET":
        raise unsupported(f"tables stored as {found['stored'] or 'text'}")
    keys = _read_columns(found["partitions"] or "")
    create_parquet_table(job.context, NewTable(database, name, {**columns, **keys}, list(keys), location))
    return Outcome()


def create_iceberg_table(context: StageContext, table: NewTable) -> None:
    """Create an Iceberg table."""
    fields = [pa.field(column, stored_type(kind)) for column, kind in table.columns.items()]

    def spec(schema: Schema) -> PartitionSpec:
        made = []
        for number, part in enumerate(table.partitions):
            column, transform = _transform(part)
            if column not in table.columns:
                raise AthenaFailure("COLUMN_NOT_FOUND", f"no such column to partition by: {column}")
            label = column if transform == "identity" else f"{column}_{transform.partition('[')[0]}"
            made.append(
                PartitionField(schema.find_field(column).field_id, 1000 + number, parse_transform(transform), label)
            )
        return PartitionSpec(*made)

    identifier = (table.database, table.name)
    create_from_arrow(context, identifier, pa.schema(fields), table.location, partitions=spec, options=table.options)


def _transform(text: str) -> tuple[str, str]:
    text = text.strip().strip('`"').lower()
    found = _TRANSFORM.fullmatch(text)
    if found is None:
        return text, "identity"
    name, before, column, after = found.groups()
    if name in _TRANSFORMS:
        return column, _TRANSFORMS[name]
    if name in {"bucket", "truncate"} and (before or after):
        return column, f"{name}[{before or after}]"
    raise unsupported(f"partitioning by {text}")


def create_parquet_table(context: StageContext, table: NewTable) -> None:
    """Create a table of Parquet files in the catalog."""
    columns, keys = table.columns, table.partitions
    described = {
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": key, "Type": glue_type(columns[key])} for key in keys],
        "StorageDescriptor": {
            "Columns": [
                {"Name": column, "Type": glue_type(kind)} for column, kind in columns.items() if column not in keys
            ],
            "Location": table.location,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": _SERDE},
        },
    }
    context.client("glue").create_table(DatabaseName=table.database, TableInput=described)


def register_partitions(context: StageContext, database: str, name: str, values: Sequence[Sequence[str]]) -> list[str]:
    """Tell the catalog of partitions that lie where Hive would put them; return the folders of those that are new."""
    glue = context.client("glue")
    table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    keys = [key["Name"] for key in table.get("PartitionKeys") or []]
    known = {tuple(partition["Values"]) for partition in _partitions(context, database, name)}
    added = []
    for one in values:
        if tuple(one) in known:
            continue
        folder = "/".join(f"{key}={value}" for key, value in zip(keys, one, strict=True))
        storage = {
            **table["StorageDescriptor"],
            "Location": f"{table['StorageDescriptor']['Location'].rstrip('/')}/{folder}/",
        }
        glue.create_partition(
            DatabaseName=database, TableName=name, PartitionInput={"Values": list(one), "StorageDescriptor": storage}
        )
        added.append(folder)
    return added


def repair(job: Job, found: re.Match[str]) -> Outcome:
    """Run MSCK REPAIR TABLE: folders below the table's become partitions."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = read_table(job.context, database, name)
    if table.metadata_uri is not None or not table.partition_keys:
        raise AthenaFailure("FAILED_EXECUTION", f"Table {name} is not a partitioned table")
    job.access.require("ALTER", database, table.described)
    pattern = re.compile("/".join(rf"{re.escape(key)}=([^/]+)" for key in table.partition_keys) + "/")
    bucket, prefix = split_uri(table.location.rstrip("/") + "/")
    values = set()
    for page in job.context.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents") or []:
            match = pattern.match(item["Key"].removeprefix(prefix))
            if match is not None:
                values.add(match.groups())
    added = register_partitions(job.context, database, name, sorted(values))
    lines = []
    if added:
        lines = [[f"Partitions not in metastore: {' '.join(f'{name}:{folder}' for folder in added)}"]]
        lines += [[f"Repair: Added partition to metastore {name}:{folder}"] for folder in added]
    return Outcome(["result"], lines)


def show_partitions(job: Job, found: re.Match[str]) -> Outcome:
    """Run SHOW PARTITIONS."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = read_table(job.context, database, name)
    if table.metadata_uri is not None:
        raise unsupported('SHOW PARTITIONS of an Iceberg table: query its "$partitions"')
    job.access.require_whole(table.described, "SHOW PARTITIONS")
    if not table.partition_keys:
        raise AthenaFailure("FAILED_EXECUTION", f"Table {name} is not a partitioned table")
    rows = [
        "/".join(f"{key}={value}" for key, value in zip(table.partition_keys, partition["Values"], strict=True))
        for partition in _partitions(job.context, database, name)
    ]
    return Outcome(["partition"], [[row] for row in sorted(rows)])


def add_partition(job: Job, found: re.Match[str]) -> Outcome:
    """Run ALTER TABLE ... ADD PARTITION, where the partition lies in its own folder or at a LOCATION."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = read_table(job.context, database, name)
    job.access.require("ALTER", database, table.described)
    given = {
        key.lower(): value.replace("''", "'")
        for key, value in re.findall(r"(\w+)\s*=\s*'((?:[^']|'')*)'", found["values"])
    }
    if list(given) != list(table.partition_keys):
        raise AthenaFailure("FAILED_EXECUTION", f"partition columns are {', '.join(table.partition_keys) or 'none'}")
    values = [value or NULL_PARTITION for value in given.values()]
    if any(partition["Values"] == values for partition in _partitions(job.context, database, name)):
        if found["lenient"]:
            return Outcome()
        raise AthenaFailure("ALREADY_EXISTS", "Partition already exists")
    folder = "/".join(f"{key}={value}" for key, value in zip(table.partition_keys, values, strict=True))
    location = found["location"] or f"{table.location.rstrip('/')}/{folder}/"
    storage = {**table.described["StorageDescriptor"], "Location": location}
    job.context.client("glue").create_partition(
        DatabaseName=database, TableName=name, PartitionInput={"Values": values, "StorageDescriptor": storage}
    )
    return Outcome()


def drop_table(job: Job, found: re.Match[str]) -> Outcome:
    """Run DROP TABLE. The files stay, but for those of an Iceberg table's, which Athena deletes and this does not."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    try:
        table = read_table(job.context, database, name)
    except AthenaFailure:
        if found["lenient"]:
            return Outcome()
        raise
    if table.view is not None:
        raise AthenaFailure("TABLE_NOT_FOUND", f"'{database}.{name}' is a view, not a table")
    job.access.require("DROP", database, table.described)
    job.context.client("glue").delete_table(DatabaseName=database, Name=name)
    return Outcome()


def create_database(job: Job, found: re.Match[str]) -> Outcome:
    """Run CREATE DATABASE."""
    _require_deployer(job)
    glue = job.context.client("glue")
    described = {"Name": found["db"].lower(), **({"LocationUri": found["location"]} if found["location"] else {})}
    try:
        glue.create_database(DatabaseInput=described)
    except glue.exceptions.AlreadyExistsException:
        if not found["lenient"]:
            raise AthenaFailure("ALREADY_EXISTS", f"Database {found['db']} already exists") from None
    return Outcome()


def drop_database(job: Job, found: re.Match[str]) -> Outcome:
    """Run DROP DATABASE; one with tables only with CASCADE."""
    _require_deployer(job)
    glue, name = job.context.client("glue"), found["db"].lower()
    try:
        tables = glue.get_tables(DatabaseName=name)["TableList"]
        glue.get_database(Name=name)
    except glue.exceptions.EntityNotFoundException:
        if found["lenient"]:
            return Outcome()
        raise AthenaFailure("SCHEMA_NOT_FOUND", f"Database does not exist: {name}") from None
    if tables and not found["cascade"]:
        raise AthenaFailure("FAILED_EXECUTION", f"Database {name} is not empty. One or more tables exist.")
    for table in tables:
        glue.delete_table(DatabaseName=name, Name=table["Name"])
    glue.delete_database(Name=name)
    return Outcome()


def _require_deployer(job: Job) -> None:
    """Refuse what no group's policies allow: databases come and go with a deployment."""
    if job.caller is not None and not job.caller.may("glue:CreateDatabase", "*"):
        raise AthenaFailure("PERMISSION_DENIED", f"Access Denied: {job.caller.role} may not create or drop databases")


def _partitions(context: StageContext, database: str, name: str) -> list[Mapping[str, Any]]:
    pages = context.client("glue").get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
    return [partition for page in pages for partition in page["Partitions"]]


def _exists(context: StageContext, database: str, name: str) -> bool:
    try:
        read_table(context, database, name)
    except AthenaFailure as failure:
        if failure.code == "TABLE_NOT_FOUND":
            return False
        raise
    except NoSuchTableError:
        return False
    return True


def _read_columns(text: str) -> dict[str, TrinoType]:
    found = {}
    for part in _split(text):
        column = _COLUMN.match(part)
        if column is None:
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input in the columns: {part.strip()}")
        found[column[1].lower()] = parse_glue_type(column[2])
    return found


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"(": 1, "<": 1, ")": -1, ">": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part for part in (*parts, text[start:]) if part.strip()]
