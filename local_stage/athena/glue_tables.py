"""The tables of a query: those of the Glue catalog, the metadata of Iceberg tables, and information_schema."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.table import Table
from sqlglot import exp

from local_stage.athena.access import Access
from local_stage.athena.catalog import CatalogTable, iceberg_columns, open_iceberg, read_table
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.guards import guard
from local_stage.athena.information_schema import information_tables
from local_stage.athena.relations import QueryWriter
from local_stage.athena.rows import View
from local_stage.athena.scans import PATH, Scan, TableName
from local_stage.athena.session import Session
from local_stage.athena.sources import Source, arrow_source, hive_source, iceberg_source
from local_stage.athena.types import BIGINT, BOOLEAN, INTEGER, VARCHAR, TrinoType, map_of, zoned
from local_stage.athena.values import Scope

# what a query may ask of an Iceberg table's own records, and how pyiceberg calls it
_METADATA: Mapping[str, Mapping[str, tuple[str, TrinoType]]] = {
    "history": {
        "made_current_at": ("made_current_at", zoned(3)),
        "snapshot_id": ("snapshot_id", BIGINT),
        "parent_id": ("parent_id", BIGINT),
        "is_current_ancestor": ("is_current_ancestor", BOOLEAN),
    },
    "snapshots": {
        "committed_at": ("committed_at", zoned(3)),
        "snapshot_id": ("snapshot_id", BIGINT),
        "parent_id": ("parent_id", BIGINT),
        "operation": ("operation", VARCHAR),
        "manifest_list": ("manifest_list", VARCHAR),
        "summary": ("summary", map_of(VARCHAR, VARCHAR)),
    },
    "files": {
        "content": ("content", INTEGER),
        "file_path": ("file_path", VARCHAR),
        "file_format": ("file_format", VARCHAR),
        "record_count": ("record_count", BIGINT),
        "file_size_in_bytes": ("file_size_in_bytes", BIGINT),
    },
    "partitions": {
        "record_count": ("record_count", BIGINT),
        "file_count": ("file_count", BIGINT),
        "total_size": ("total_data_file_size_in_bytes", BIGINT),
    },
    "refs": {
        "name": ("name", VARCHAR),
        "type": ("type", VARCHAR),
        "snapshot_id": ("snapshot_id", BIGINT),
    },
}


@dataclass(frozen=True, slots=True)
class _Known:
    columns: Mapping[str, TrinoType]
    table: CatalogTable | None = None
    iceberg: Table | None = None
    snapshot_id: int | None = None
    data: Any = None
    row_filter: str | None = None


class GlueTables:
    """Finds tables for one query that begins at `now`, in UTC. A table stays as it was when it was first looked at."""

    def __init__(self, access: Access, now: datetime.datetime) -> None:
        self._access = access
        self._context = access.context
        self._now = now
        self._opened: dict[tuple[str, str], tuple[CatalogTable, Table | None]] = {}
        self._known: dict[int, _Known] = {}
        self._pending: list[tuple[TableName, _Known]] = []

    def find(self, table: TableName) -> Mapping[str, TrinoType] | View:
        """Return the columns of a table, or a view.

        Raises:
            AthenaFailure: there is no such table.
        """
        known = self._look_up(table)
        if isinstance(known, View):
            return known
        self._pending.append((table, known))
        return known.columns

    def source(self, scan: Scan) -> Source:
        """Return the files of a scan."""
        known = next(known for table, known in self._pending if table is scan.table)
        if known.data is not None:
            return arrow_source(scan, known.data)
        if known.row_filter is None or known.table is None:
            return self._files(known, scan)
        columns = known.table.columns if known.iceberg is None else iceberg_columns(known.iceberg)
        guarded = guard(scan, columns, known.row_filter, QueryWriter(self, self._now))
        return replace(self._files(known, guarded.scan), guard=guarded.condition)

    def _files(self, known: _Known, scan: Scan) -> Source:
        if known.iceberg is not None:
            return iceberg_source(self._context, known.iceberg, scan, known.snapshot_id)
        if known.table is None:
            raise RuntimeError(f"{scan.table.name} is no table")
        return hive_source(self._context, known.table, scan)

    def _look_up(self, table: TableName) -> _Known | View:
        if table.database == "information_schema":
            return self._information(table.name)
        base, mark, kind = table.name.partition("$")
        found, iceberg = self._open(table.database, base)
        if found.view is not None:
            self._access.sight(found.described)
            if mark or table.version is not None:
                raise unsupported(f"{table.name}: a view has no history")
            return View(found.view.sql, found.view.database, found.view.columns)
        if mark:
            if iceberg is None:
                raise unsupported(f'"{table.name}": only Iceberg tables have tables of metadata')
            self._access.require_whole(found.described, f'"{table.name}"')
            return _metadata(iceberg, kind)
        if iceberg is not None:
            snapshot_id = None if table.version is None else self._snapshot(iceberg, table.version)
            return self._seen(iceberg_columns(iceberg), _Known({}, found, iceberg, snapshot_id))
        if table.version is not None:
            raise AthenaFailure("NOT_SUPPORTED", "This connector does not support versioned tables")
        return self._seen(found.columns, _Known({}, found))

    def _seen(self, columns: Mapping[str, TrinoType], known: _Known) -> _Known:
        """Return a table with the columns and rows that the caller sees; the path of a file tells of others in it."""
        sight = None if known.table is None else self._access.sight(known.table.described, columns)
        if sight is None:
            return replace(known, columns={**columns, PATH: VARCHAR})
        seen = {name: kind for name, kind in columns.items() if name in sight.columns}
        return replace(known, columns=seen, row_filter=sight.row_filter)

    def _open(self, database: str, name: str) -> tuple[CatalogTable, Table | None]:
        key = (database, name)
        if key not in self._opened:
            found = read_table(self._context, database, name)
            iceberg = None if found.view or found.metadata_uri is None else open_iceberg(self._context, found)
            self._opened[key] = (found, iceberg)
        return self._opened[key]

    def _information(self, name: str) -> _Known:
        tables: Mapping[str, pa.Table] = information_tables(self._access)
        if name not in tables:
            raise unsupported(f"information_schema.{name}")
        data = tables[name]
        kinds = {column: BIGINT if column == "ordinal_position" else VARCHAR for column in data.column_names}
        return _Known(kinds, data=data)

    def _snapshot(self, table: Table, version: exp.Version) -> int:
        wanted = version.args["expression"]
        if str(version.this).upper() == "VERSION":
            if not isinstance(wanted, exp.Literal) or wanted.is_string:
                raise unsupported("a version that is no snapshot's number")
            if table.snapshot_by_id(int(wanted.this)) is None:
                raise AthenaFailure("INVALID_ARGUMENTS", f"Iceberg snapshot ID does not exists: {wanted.this}")
            return int(wanted.this)
        moment = self._moment(wanted)
        found = table.snapshot_as_of_timestamp(int(moment.timestamp() * 1000))
        if found is None:
            raise AthenaFailure(
                "INVALID_ARGUMENTS", f"No version history table {table.name()[-1]} at or before {moment.isoformat()}"
            )
        return int(found.snapshot_id)

    def _moment(self, node: exp.Expr) -> datetime.datetime:
        value = QueryWriter(self, self._now).write_expression(node, Scope())
        if value.type.name != "timestamp with time zone":
            raise AthenaFailure("TYPE_MISMATCH", f"Type {value.type.show()} is not supported for FOR TIMESTAMP AS OF")
        connection = duckdb.connect(":memory:")
        try:
            (found,) = connection.execute(f"SELECT {value.sql}").fetchone() or (None,)
        finally:
            connection.close()
        if not isinstance(found, datetime.datetime):
            raise AthenaFailure("INVALID_ARGUMENTS", "Pointer value cannot be NULL")
        return found.replace(tzinfo=datetime.UTC)


def _metadata(table: Table, kind: str) -> _Known:
    columns = _METADATA.get(kind)
    if columns is None:
        raise unsupported(f'the table of metadata "${kind}"')
    data = getattr(table.inspect, kind)()
    for column in columns:
        name = columns[column][0]
        if name != column:
            data = data.rename_columns([column if one == name else one for one in data.column_names])
    return _Known({column: shown for column, (_, shown) in columns.items()}, data=data)


def open_session(access: Access, database: str, scan_limit_bytes: int | None = None) -> Session:
    """Return a session for one query that begins now."""
    now = datetime.datetime.now(datetime.UTC)
    session = Session(GlueTables(access, now), database, now, access.context.state_dir / "athena" / "spill")
    session.scan_limit_bytes = scan_limit_bytes
    return session
