"""Statements that write rows: CREATE TABLE AS, INSERT and UNLOAD; DELETE, UPDATE, MERGE, OPTIMIZE, VACUUM of Iceberg.

Source: https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html, insert-into.html, unload.html and
querying-iceberg.html
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table
from sqlglot import exp

from local_stage.athena.catalog import CatalogTable, iceberg_columns, read_table
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.grammar import parse_query, parse_statement
from local_stage.athena.iceberg import load_table
from local_stage.athena.jobs import Job, Outcome
from local_stage.athena.results import Column
from local_stage.athena.rewriting import rewrite, target_of
from local_stage.athena.storing import append_rows, is_empty, replace_rows, write_parquet
from local_stage.athena.table_statements import (
    NewTable,
    create_iceberg_table,
    create_parquet_table,
    read_properties,
    register_partitions,
)
from local_stage.athena.types import TrinoType, athena_type

_CTAS = {
    "external_location",
    "format",
    "is_external",
    "location",
    "parquet_compression",
    "partitioned_by",
    "partitioning",
    "table_type",
    "write_compression",
}
_UNLOAD = {"compression", "format", "partitioned_by"}
_EXPIRED_DAYS = 5  # vacuum_max_snapshot_age_seconds of Athena: 432000


def create_table_as(job: Job, found: re.Match[str]) -> Outcome:
    """Run CREATE TABLE ... AS."""
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    properties = read_properties(found["properties"] or "", _CTAS)
    if _exists(job, database, name):
        if found["lenient"]:
            return Outcome()
        raise AthenaFailure("TABLE_ALREADY_EXISTS", f"Table 'awsdatacatalog.{database}.{name}' already exists")
    job.access.require("CREATE_TABLE", database)
    for place in ("location", "external_location"):
        if properties.get(place):
            job.access.require_writable(str(properties[place]))
    query = parse_query(_without_data_words(found["query"]), job.parameters)
    columns, data, scanned = _read(job, query)
    if any(column.name.startswith("_col") for column in columns):
        raise AthenaFailure(
            "MISSING_COLUMN_NAME", "Column name not specified: every column of CREATE TABLE AS needs a name"
        )
    if str(properties.get("table_type", "HIVE")).upper() == "ICEBERG":
        create_iceberg_table(job.context, _new_iceberg(database, name, properties, columns))
        append_rows(load_table(job.context, database, name), data, columns)
        return Outcome(scanned_bytes=scanned, written=[], row_count=data.num_rows)
    form = str(properties.get("format", "PARQUET")).upper()
    if form != "PARQUET":
        raise unsupported(f"tables with the format {form}")
    keys = _texts(properties.get("partitioned_by", []))
    if keys != [column.name for column in columns][len(columns) - len(keys) :]:
        raise AthenaFailure("HIVE_COLUMN_ORDER_MISMATCH", "Partition keys must be the last columns in the table")
    location = str(properties.get("external_location") or f"{job.output_location.rstrip('/')}/tables/{job.query_id}/")
    if not is_empty(job.context, location):
        raise AthenaFailure(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory for table '{database}.{name}' already exists: {location}"
        )
    compression = str(properties.get("write_compression") or properties.get("parquet_compression") or "GZIP")
    written = write_parquet(job.context, data, columns, location, keys=keys, compression=compression)
    kinds = {column.name: column.kind for column in columns}
    create_parquet_table(job.context, NewTable(database, name, kinds, keys, location))
    register_partitions(job.context, database, name, [values for values in written if values])
    return Outcome(scanned_bytes=scanned, written=list(written.values()), row_count=data.num_rows)


def _new_iceberg(database: str, name: str, properties: Mapping[str, object], columns: Sequence[Column]) -> NewTable:
    if not properties.get("location"):
        raise AthenaFailure("INVALID_TABLE_PROPERTY", "An Iceberg table needs the property location")
    kinds = {column.name: column.kind for column in columns}
    return NewTable(database, name, kinds, _texts(properties.get("partitioning", [])), str(properties["location"]))


def insert(job: Job, found: re.Match[str]) -> Outcome:
    """Run INSERT INTO."""
    tree = parse_statement(found[0], job.parameters)
    if not isinstance(tree, exp.Insert) or not isinstance(tree.expression, exp.Query | exp.Values):
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {found[0]}")
    if tree.args.get("overwrite"):
        raise AthenaFailure("SYNTAX_ERROR", "mismatched input 'OVERWRITE'")
    target = target_of(tree, job.database)
    table = _table(job, target.database, target.name)
    job.access.require("INSERT", target.database, table.described)
    iceberg = None if table.metadata_uri is None else load_table(job.context, target.database, target.name)
    kinds: Mapping[str, TrinoType] = table.columns if iceberg is None else iceberg_columns(iceberg)
    named = [part.name for part in tree.this.expressions] if isinstance(tree.this, exp.Schema) else list(kinds)
    unknown = [name for name in named if name not in kinds]
    if unknown:
        raise AthenaFailure("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {unknown[0]}")
    columns, data, scanned = _read(job, tree.expression, [kinds[name] for name in named])
    data = data.rename_columns(named)
    columns, data = _in_order(kinds, named, columns, data)
    if iceberg is not None:
        append_rows(iceberg, data, columns)
        return Outcome(scanned_bytes=scanned, written=[], row_count=data.num_rows)
    written = write_parquet(job.context, data, columns, table.location, keys=table.partition_keys, compression="GZIP")
    register_partitions(job.context, target.database, target.name, [values for values in written if values])
    return Outcome(scanned_bytes=scanned, written=list(written.values()), row_count=data.num_rows)


def _in_order(
    kinds: Mapping[str, TrinoType], named: Sequence[str], columns: Sequence[Column], data: pa.Table
) -> tuple[list[Column], pa.Table]:
    """Return rows with all columns of a table, those that were not named as NULL."""
    given = dict(zip(named, columns, strict=True))
    found, arrays = [], []
    for name, kind in kinds.items():
        column = given.get(name)
        found.append(Column(name, athena_type(kind), kind))
        arrays.append(pa.chunked_array([pa.nulls(data.num_rows)]) if column is None else data.column(name))
    return found, pa.Table.from_arrays(arrays, names=list(kinds))


def unload(job: Job, found: re.Match[str]) -> Outcome:
    """Run UNLOAD."""
    properties = read_properties(found["properties"] or "", _UNLOAD)
    form = str(properties.get("format", "")).upper()
    if not form:
        raise AthenaFailure("INVALID_TABLE_PROPERTY", "UNLOAD needs the property format")
    if form != "PARQUET":
        raise unsupported(f"UNLOAD with the format {form}")
    location = found["location"]
    job.access.require_writable(location)
    columns, data, scanned = _read(job, parse_query(found["query"], job.parameters))
    if not is_empty(job.context, location):
        raise AthenaFailure("HIVE_PATH_ALREADY_EXISTS", f"Target directory already exists: {location}")
    keys = _texts(properties.get("partitioned_by", []))
    unknown = set(keys) - {column.name for column in columns}
    if unknown:
        raise AthenaFailure("INVALID_TABLE_PROPERTY", f"no such column to partition by: {', '.join(sorted(unknown))}")
    compression = str(properties.get("compression", "GZIP"))
    written = write_parquet(job.context, data, columns, location, keys=keys, compression=compression)
    return Outcome(scanned_bytes=scanned, written=list(written.values()), row_count=data.num_rows)


def change(job: Job, found: re.Match[str]) -> Outcome:
    """Run DELETE, UPDATE or MERGE."""
    tree = parse_statement(found[0], job.parameters)
    target = target_of(tree, job.database)
    table = _table(job, target.database, target.name)
    if table.metadata_uri is None:
        raise AthenaFailure("NOT_SUPPORTED", "Modifying Hive table rows is only supported for Iceberg tables")
    _require_change(job, target.database, table)
    iceberg = load_table(job.context, target.database, target.name)
    kinds = iceberg_columns(iceberg)
    rewriting = rewrite(tree, list(kinds))
    scanned = 0
    if rewriting.conflicts is not None:
        _, conflicts, scanned = _read(job, rewriting.conflicts)
        if conflicts.column(0)[0].as_py():
            raise AthenaFailure(
                "MERGE_TARGET_ROW_MULTIPLE_MATCHES", "One MERGE target table row matched more than one source row"
            )
    columns = [Column(name, athena_type(kind), kind) for name, kind in kinds.items()]
    parts = []
    for query in rewriting.queries:
        _, data, more = _read(job, query, list(kinds.values()))
        parts.append(data.rename_columns(list(kinds)))
        scanned = max(scanned, more)
    replace_rows(iceberg, parts, columns)
    return Outcome(scanned_bytes=scanned, written=[])


def optimize(job: Job, found: re.Match[str]) -> Outcome:
    """Run OPTIMIZE ... REWRITE DATA USING BIN_PACK: the rows stay, in as few files as they fit."""
    if found["where"]:
        raise unsupported("OPTIMIZE of a part of a table")
    iceberg = _iceberg(job, found)
    kinds = iceberg_columns(iceberg)
    columns = [Column(name, athena_type(kind), kind) for name, kind in kinds.items()]
    source = exp.Table(
        this=exp.to_identifier(found["name"].lower()), db=exp.to_identifier((found["db"] or job.database).lower())
    )
    query = exp.Select(expressions=[exp.Star()], from_=exp.From(this=source))
    _, data, scanned = _read(job, query)
    replace_rows(iceberg, [data], columns)
    return Outcome(scanned_bytes=scanned, written=[])


def vacuum(job: Job, found: re.Match[str]) -> Outcome:
    """Run VACUUM: snapshots older than the table's property says are forgotten. Their files stay here."""
    iceberg = _iceberg(job, found)
    seconds = int(iceberg.properties.get("vacuum_max_snapshot_age_seconds", _EXPIRED_DAYS * 86400))
    oldest = datetime.datetime.now() - datetime.timedelta(seconds=seconds)
    iceberg.maintenance.expire_snapshots().older_than(oldest).commit()
    return Outcome(written=[])


def _iceberg(job: Job, found: re.Match[str]) -> Table:
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = _table(job, database, name)
    if table.metadata_uri is None:
        raise AthenaFailure("NOT_SUPPORTED", f"'{database}.{name}' is no Iceberg table")
    _require_change(job, database, table)
    return load_table(job.context, database, name)


def _require_change(job: Job, database: str, table: CatalogTable) -> None:
    """Refuse to change a table that the caller does not see all of: its files are written anew from what is seen."""
    for permission in ("INSERT", "DELETE"):
        job.access.require(permission, database, table.described)
    job.access.require_whole(table.described, "a change")


def _read(job: Job, query: exp.Expr, wanted: Sequence[TrinoType] | None = None) -> tuple[list[Column], pa.Table, int]:
    session = job.open_session()
    try:
        columns, data = session.read(query, wanted)
        return columns, data, session.scanned_bytes
    finally:
        job.close_session(session)


def _table(job: Job, database: str, name: str) -> CatalogTable:
    table = read_table(job.context, database, name)
    if table.view is not None:
        raise AthenaFailure("NOT_SUPPORTED", f"'{database}.{name}' is a view")
    return table


def _exists(job: Job, database: str, name: str) -> bool:
    try:
        read_table(job.context, database, name)
    except AthenaFailure as failure:
        if failure.code != "TABLE_NOT_FOUND":
            raise
        return False
    return True


def _without_data_words(sql: str) -> str:
    if re.search(r"\sWITH\s+NO\s+DATA\s*\Z", sql, re.IGNORECASE):
        raise unsupported("WITH NO DATA")
    return re.sub(r"\sWITH\s+DATA\s*\Z", "", sql, flags=re.IGNORECASE)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise AthenaFailure("INVALID_TABLE_PROPERTY", f"an ARRAY of texts is expected: {value}")
    return [str(part).lower() for part in value]
