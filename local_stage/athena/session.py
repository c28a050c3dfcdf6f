"""One DuckDB for one query, which sees the files of the tables it names and nothing else."""

import datetime
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from local_stage.athena.engine import define_functions
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.grammar import parse_query
from local_stage.athena.relations import QueryWriter
from local_stage.athena.results import Column
from local_stage.athena.rows import View, as_wanted
from local_stage.athena.scans import Scan, TableName
from local_stage.athena.sources import Source
from local_stage.athena.types import TrinoType, athena_type
from local_stage.athena.values import name_sql

_MEMORY_LIMIT = "1GB"
_BATCH_ROWS = 10_000
_FAILED = re.compile(r"AthenaFailure: ([A-Z0-9_]+): ([^\n]*)")
_OUT_OF_RANGE = re.compile(r"out of range for the destination type U?INT")


class ScanLimitError(Exception):
    """A query would read more than its workgroup lets it."""

    def __init__(self) -> None:
        super().__init__("Bytes scanned limit was exceeded")


class Catalog(Protocol):
    """Where a session finds its tables."""

    def find(self, table: TableName) -> Mapping[str, TrinoType] | View:
        """Return the columns of a table, or a view."""

    def source(self, scan: Scan) -> Source:
        """Return the files of a scan whose columns and conditions are known."""


class Session:
    """Runs one query. `cancel` may be called from another thread. `now` is the time of the query, in UTC."""

    def __init__(self, catalog: Catalog, database: str, now: datetime.datetime, spill: Path | None = None) -> None:
        self._catalog = catalog
        self._database = database
        self._now = now
        self._spill = spill
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._cancelled = threading.Event()
        self._refusals: list[AthenaFailure] = []
        self.scanned_bytes = 0
        self.scan_limit_bytes: int | None = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """Open DuckDB: not before a query is understood, as many are not."""
        connection = duckdb.connect(":memory:")
        self._connection = connection
        threads = max(1, min(4, (os.cpu_count() or 1)))
        connection.execute(f"SET threads = {threads}; SET memory_limit = '{_MEMORY_LIMIT}'; SET TimeZone = 'UTC'")
        if self._spill is not None:
            connection.execute(f"SET temp_directory = '{self._spill}'")
        if self._cancelled.is_set():
            raise AthenaFailure("USER_CANCELED", "Query was canceled")
        return connection

    def close(self) -> None:
        """Give everything back."""
        if self._connection is not None:
            self._connection.close()

    def cancel(self) -> None:
        """Make the query fail now."""
        self._cancelled.set()
        if self._connection is not None:
            self._connection.interrupt()

    def run(self, sql: str, parameters: Sequence[str] = ()) -> tuple[list[Column], Iterator[list[tuple[Any, ...]]]]:
        """Start a query; return its columns, and its rows in batches. `scanned_bytes` is known from then on.

        Raises:
            AthenaFailure: the query is wrong, or cannot be run here.
            ScanLimitError: it would read more bytes than `scan_limit_bytes` allows.
        """
        columns, relation = self._start(parse_query(sql, parameters), None)
        try:
            reader = relation.to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise self._explain(error) from error
        return columns, self._batches(reader)

    def read(self, query: exp.Expr, wanted: Sequence[TrinoType] | None = None) -> tuple[list[Column], pa.Table]:
        """Run a parsed query to its end; return its columns and all its rows, as values of `wanted` types if given.

        Raises:
            AthenaFailure: it fails, or its columns are not what is wanted.
            ScanLimitError: it would read more bytes than `scan_limit_bytes` allows.
        """
        columns, relation = self._start(query, wanted)
        try:
            data = relation.to_arrow_table()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._explain(error) from error
        if self._refusals:
            raise self._refusals[0]
        return columns, data

    def describe(self, sql: str) -> list[Column]:
        """Return the columns of a query without running it."""
        return self._write(parse_query(sql), None)[1]

    def forecast(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[TableName, int]]:
        """Return the tables that a query would read, one for each place that reads one, and the bytes billed for it.

        Nothing is read but the footers of files. `run` counts the same.

        Raises:
            AthenaFailure: the query is wrong, or cannot be run here.
        """
        scans = self._write(parse_query(sql, parameters), None)[2]
        return [(scan.table, self._catalog.source(scan).scanned_bytes) for scan in scans]

    def _write(self, query: exp.Expr, wanted: Sequence[TrinoType] | None) -> tuple[str, list[Column], Sequence[Scan]]:
        writer = QueryWriter(self._catalog, self._now)
        rows = writer.write(query, self._database)
        if wanted is not None:
            rows = as_wanted(rows, wanted)
        columns = [
            Column(f"_col{number}" if name is None else name, athena_type(value.type), value.type)
            for number, (name, value) in enumerate(zip(rows.names, rows.values, strict=True))
        ]
        return rows.sql, columns, writer.scans

    def _start(
        self, query: exp.Expr, wanted: Sequence[TrinoType] | None
    ) -> tuple[list[Column], duckdb.DuckDBPyRelation]:
        translated, columns, scans = self._write(query, wanted)
        connection = self._connect()
        sources = [self._catalog.source(scan) for scan in scans]
        self.scanned_bytes = sum(source.scanned_bytes for source in sources)
        if self.scan_limit_bytes is not None and self.scanned_bytes > self.scan_limit_bytes:
            raise ScanLimitError
        define_functions(connection, " ".join([translated, *(one.guard or "" for one in sources)]), self._refusals)
        try:
            for scan, source in zip(scans, sources, strict=True):
                _open_scan(connection, scan, source, translated)
            _lock_up(connection, {file for source in sources for file in source.files})
            return columns, connection.sql(translated)
        except duckdb.Error as error:
            raise self._explain(error) from error

    def _batches(self, reader: Any) -> Iterator[list[tuple[Any, ...]]]:
        try:
            for batch in reader:
                columns = [column.to_pylist() for column in batch.columns]
                yield list(zip(*columns, strict=True))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._explain(error) from error
        if self._refusals:  # one that TRY turned into NULL
            raise self._refusals[0]

    def _explain(self, error: Exception) -> AthenaFailure:
        if self._cancelled.is_set():
            return AthenaFailure("USER_CANCELED", "Query was canceled")
        if self._refusals:
            return self._refusals[0]
        whole = str(error)
        message = whole.splitlines()[0].removeprefix("Invalid Input Error: ")
        found = _FAILED.search(whole)
        if found is not None:
            return AthenaFailure(found[1], found[2])
        if "Division by zero" in whole:
            return AthenaFailure("DIVISION_BY_ZERO", "Division by zero")
        if "More than one row returned by a subquery" in whole:
            return AthenaFailure("SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows")
        if isinstance(error, duckdb.OutOfMemoryException):
            return AthenaFailure("EXCEEDED_LOCAL_MEMORY_LIMIT", f"the query needs more than {_MEMORY_LIMIT} of memory")
        if isinstance(error, duckdb.OutOfRangeException) or _OUT_OF_RANGE.search(whole):
            return AthenaFailure("NUMERIC_VALUE_OUT_OF_RANGE", message)
        if isinstance(error, duckdb.ConversionException):
            return AthenaFailure("INVALID_CAST_ARGUMENT", message)
        if isinstance(error, duckdb.BinderException) and "TRY expression" in whole:
            return unsupported("TRY around an aggregate or a window function: compute that in a query within")
        if isinstance(error, duckdb.BinderException) and "GROUP BY" in whole:
            return AthenaFailure("EXPRESSION_NOT_AGGREGATE", message)
        if isinstance(error, duckdb.InvalidInputException):
            return AthenaFailure("INVALID_FUNCTION_ARGUMENT", message)
        return AthenaFailure("GENERIC_INTERNAL_ERROR", message, system=True)


def _open_scan(connection: duckdb.DuckDBPyConnection, scan: Scan, source: Source, query: str) -> None:
    """Let a query name a scan.

    Rows that pass a guard are copied, so that no plan of DuckDB's works anything out over the others.
    """
    body = source.sql
    if source.arrow is not None:
        connection.register(f"arrow_{scan.number}", source.arrow)
        body = body.replace("{arrow}", f"arrow_{scan.number}")
    if source.guard is None:
        connection.execute(f"CREATE VIEW {scan.view} AS {body}")
        return
    named = [name_sql(name) for name in scan.columns if scan.column_sql(name) in query]
    shown = ", ".join(named) or "true AS seen"
    connection.execute(f"CREATE TABLE {scan.view} AS SELECT {shown} FROM ({body}) s WHERE {source.guard}")  # noqa: S608 - texts that were written here


def _lock_up(connection: duckdb.DuckDBPyConnection, files: set[Path]) -> None:
    """Let a query open the files of its tables, and no other."""
    paths = ", ".join("'" + str(file).replace("'", "''") + "'" for file in sorted(files))
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
