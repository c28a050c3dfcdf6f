"""Athena: a query, its rows, and what it scanned."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from strandline.errors import RejectedInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_athena import AthenaClient

_POLL_S: Final = 0.05
_SLOWEST_POLL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows as Athena gives them: text, or None for NULL. `scanned_bytes` is what Athena bills."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    scanned_bytes: int


class AthenaQueries:
    """Runs queries in one workgroup against one database."""

    def __init__(self, client: "AthenaClient", workgroup: str, database: str) -> None:
        self._client = client
        self._workgroup = workgroup
        self.database = database

    def run(self, sql: str, parameters: "Sequence[str]" = ()) -> QueryResult:
        """Run a query to its end and return every row; `parameters` are literals for its question marks.

        Raises:
            RejectedInputError: `query_failed`, with Athena's reason.
        """
        given: dict[str, Any] = {"ExecutionParameters": list(parameters)} if parameters else {}
        query_id = self._client.start_query_execution(
            QueryString=sql, WorkGroup=self._workgroup, QueryExecutionContext={"Database": self.database}, **given
        )["QueryExecutionId"]
        execution = self._wait(query_id)
        pages = self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        columns: tuple[str, ...] = ()
        types: tuple[str, ...] = ()
        rows: list[tuple[str | None, ...]] = []
        for page in pages:
            described = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            columns = tuple(column["Name"] for column in described)
            types = tuple(column["Type"] for column in described)
            rows += [tuple(value.get("VarCharValue") for value in row["Data"]) for row in page["ResultSet"]["Rows"]]
        if rows and rows[0] == columns:  # Athena repeats the header as the first row of a SELECT
            rows = rows[1:]
        return QueryResult(columns, types, tuple(rows), execution)

    def _wait(self, query_id: str) -> int:
        """Wait for the end and return the bytes scanned."""
        pause_s = _POLL_S
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return execution.get("Statistics", {}).get("DataScannedInBytes", 0)
            if state in {"FAILED", "CANCELLED"}:
                reason = execution["Status"].get("StateChangeReason", "no reason was given")
                raise RejectedInputError("query_failed", reason)
            time.sleep(pause_s)
            pause_s = min(_SLOWEST_POLL_S, pause_s * 1.5)
