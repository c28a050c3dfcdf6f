"""One DuckDB for one query, which sees the files of the tables it names and nothing else."""

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.functions import define_functions
from local_stage.athena.information_schema import information_tables
from local_stage.athena.results import Column
from local_stage.athena.tables import CatalogTable, find_source, read_table
from local_stage.athena.translation import INFORMATION_SCHEMA, TableName, Use, parse, tables_of, translate
from local_stage.athena.types import athena_type
from local_stage.context import StageContext

_MEMORY_LIMIT = "1GB"
_BATCH_ROWS = 10_000
_MAX_VIEW_DEPTH = 16
_DIVISION = "Division by zero"

Schema = dict[str, dict[str, dict[str, str]]]


class Session:
    """Runs one query. `cancel` may be called from another thread."""

    def __init__(self, context: StageContext, database: str) -> None:
        self._context = context
        self._database = database
        self._connection = duckdb.connect(":memory:")
        self._cancelled = threading.Event()
        self._files: set[Path] = set()
        self._defined: dict[TableName, dict[str, str]] = {}
        self.scanned_bytes = 0
        threads = max(1, min(4, (os.cpu_count() or 1)))
        self._connection.execute(f"SET threads = {threads}; SET memory_limit = '{_MEMORY_LIMIT}'; SET TimeZone = 'UTC'")
        self._connection.execute(f"SET temp_directory = '{context.state_dir / 'athena' / 'spill'}'")
        define_functions(self._connection)

    def close(self) -> None:
        """Give everything back."""
        self._connection.close()

    def cancel(self) -> None:
        """Make the query fail now."""
        self._cancelled.set()
        self._connection.interrupt()

    def run(self, sql: str, parameters: list[str]) -> tuple[list[Column], Iterator[list[tuple[Any, ...]]]]:
        """Start a query; return its columns, and its rows in batches.

        Raises:
            AthenaFailure: the query is wrong, or cannot be run here.
        """
        translated = self._prepare(sql, parameters, self._database, depth=0)
        self._lock_up()
        try:
            relation = self._connection.sql(translated)
            columns = [
                Column(name, athena_type(str(kind)))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            ]
            reader = relation.to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise self._explain(error) from error
        return columns, self._batches(reader)

    def view_columns(self, sql: str) -> list[tuple[str, str]]:
        """Return names and DuckDB types of the columns of a query that is to become a view."""
        try:
            relation = self._connection.sql(self._prepare(sql, [], self._database, depth=0))
        except duckdb.Error as error:
            raise self._explain(error) from error
        return [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]

    def _prepare(self, sql: str, parameters: list[str], database: str, depth: int) -> str:
        """Define what a query names, and return the query for DuckDB."""
        if depth > _MAX_VIEW_DEPTH:
            raise AthenaFailure("VIEW_IS_RECURSIVE", "views are nested too deeply")
        tree = parse(sql, parameters)
        tables: dict[TableName, CatalogTable] = {}
        schema: Schema = {}
        for name in tables_of(tree, database):
            if name not in self._defined:
                self._define_view_or_note_table(name, tables, depth)
            columns = self._defined.get(name) or dict(tables[name].columns)
            schema.setdefault(name[0], {})[name[1]] = columns
        translated, uses = translate(tree, database, schema)
        for name, table in tables.items():
            self._define_table(name, table, uses.get(name) or Use(columns=set(table.columns)), top=depth == 0)
        return translated

    def _define_view_or_note_table(self, name: TableName, tables: dict[TableName, CatalogTable], depth: int) -> None:
        if name[0] == INFORMATION_SCHEMA:
            self._define_information(name)
            return
        table = read_table(self._context, *name)
        if table.view_sql is None:
            tables[name] = table
            return
        body = self._prepare(table.view_sql, [], table.database, depth + 1)
        self._create_view(name, body)
        self._defined[name] = dict(table.columns)

    def _define_table(self, name: TableName, table: CatalogTable, use: Use, *, top: bool) -> None:
        # below a view, other queries may read the same table for other rows and columns
        asked = use if top else Use(columns=set(table.columns), references=2)
        source = find_source(self._context, table, asked)
        body = source.sql
        if source.arrow is not None:
            registered = f"arrow_{len(self._defined)}"
            self._connection.register(registered, source.arrow)
            body = body.format(arrow=registered)
        self._files.update(source.files)
        self._create_view(name, body)
        self.scanned_bytes += source.scanned_bytes
        if not top:
            self._defined[name] = dict(table.columns)

    def _define_information(self, name: TableName) -> None:
        found: Mapping[str, pa.Table] = information_tables(self._context)
        if name[1] not in found:
            raise unsupported(f"information_schema.{name[1]}")
        self._connection.register(f"information_{name[1]}", found[name[1]])
        self._create_view(name, f"TABLE information_{name[1]}")
        self._defined[name] = dict.fromkeys(found[name[1]].column_names, "VARCHAR")

    def _create_view(self, name: TableName, body: str) -> None:
        self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{name[0]}"')
        self._connection.execute(f'CREATE OR REPLACE VIEW "{name[0]}"."{name[1]}" AS {body}')

    def _lock_up(self) -> None:
        """Let the query open the files of its tables, and no other."""
        paths = ", ".join("'" + str(file).replace("'", "''") + "'" for file in sorted(self._files))
        self._connection.execute(f"SET allowed_paths = [{paths}]")
        self._connection.execute("SET enable_external_access = false; SET lock_configuration = true")

    def _batches(self, reader: Any) -> Iterator[list[tuple[Any, ...]]]:
        try:
            for batch in reader:
                columns = [column.to_pylist() for column in batch.columns]
                yield list(zip(*columns, strict=True))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> AthenaFailure:
        if self._cancelled.is_set():
            return AthenaFailure("USER_CANCELED", "Query was canceled")
        message = str(error).splitlines()[0]
        for prefix in ("Invalid Input Error: ", "Python exception occurred while executing the UDF: "):
            message = message.removeprefix(prefix)
        if _DIVISION in str(error):
            return AthenaFailure("DIVISION_BY_ZERO", _DIVISION)
        if isinstance(error, duckdb.OutOfMemoryException):
            return AthenaFailure("EXCEEDED_LOCAL_MEMORY_LIMIT", f"the query needs more than {_MEMORY_LIMIT} of memory")
        if isinstance(error, duckdb.CatalogException):
            return AthenaFailure("FUNCTION_NOT_FOUND", message)
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return AthenaFailure("INVALID_CAST_ARGUMENT", message)
        if isinstance(error, duckdb.BinderException):
            return AthenaFailure("TYPE_MISMATCH", message)
        known = isinstance(error, duckdb.InvalidInputException)
        return AthenaFailure("INVALID_FUNCTION_ARGUMENT" if known else "GENERIC_INTERNAL_ERROR", message, not known)
