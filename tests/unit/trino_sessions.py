"""A session of the embedded Athena without an embedded AWS: queries over VALUES, and over tables held in memory."""

import datetime
from collections.abc import Mapping, Sequence

import pyarrow as pa

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.results import as_text
from local_stage.athena.rows import View
from local_stage.athena.scans import Scan, TableName
from local_stage.athena.session import Session
from local_stage.athena.sources import Source, arrow_source
from local_stage.athena.types import TrinoType

NOW = datetime.datetime(2024, 2, 29, 13, 14, 15, 678901)


class MemoryCatalog:
    """Tables and views by name, in the database `db`."""

    def __init__(
        self,
        tables: Mapping[str, tuple[Mapping[str, TrinoType], pa.Table]] | None = None,
        views: Mapping[str, View] | None = None,
    ) -> None:
        self._tables = tables or {}
        self._views = views or {}
        self.scans: list[Scan] = []

    def find(self, table: TableName) -> Mapping[str, TrinoType] | View:
        """Return the columns of a table, or a view."""
        if table.name in self._views:
            return self._views[table.name]
        if table.name not in self._tables:
            raise AthenaFailure(
                "TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{table.database}.{table.name}' does not exist"
            )
        return self._tables[table.name][0]

    def source(self, scan: Scan) -> Source:
        """Return a scan of a table in memory."""
        self.scans.append(scan)
        return arrow_source(scan, self._tables[scan.table.name][1])


def answer(sql: str, *parameters: str, catalog: MemoryCatalog | None = None) -> list[list[str | None]]:
    """Run a query and return its rows as Athena shows them."""
    session = Session(catalog or MemoryCatalog(), "db", NOW)
    try:
        columns, batches = session.run(sql, parameters)
        return [
            [as_text(value, column.kind) for value, column in zip(row, columns, strict=True)]
            for batch in batches
            for row in batch
        ]
    finally:
        session.close()


def column_names(sql: str) -> Sequence[str]:
    """Return the names of a query's columns."""
    session = Session(MemoryCatalog(), "db", NOW)
    try:
        return [column.name for column in session.describe(sql)]
    finally:
        session.close()
