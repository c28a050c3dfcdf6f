"""Athena: a query, its rows, and what it scanned."""

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from strandline.errors import RejectedInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_athena import AthenaClient

_POLL_S: Final = 0.05
_SLOWEST_POLL_S: Final = 1.0
_TOO_MUCH: Final = "Bytes scanned limit was exceeded"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows as Athena gives them: text, or None for NULL. `scanned_bytes` is what Athena bills."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    scanned_bytes: int


@dataclass(frozen=True, slots=True)
class QueryForecast:
    """What a query would read: bytes by place in it that reads a table, None where Athena cannot tell.

    `scan_limit_bytes` is what the workgroup lets a query read; None for any amount.
    """

    reads: "tuple[tuple[str, int | None], ...]"
    scan_limit_bytes: int | None

    @property
    def read_bytes(self) -> int | None:
        """Bytes in all; None where a part is not known."""
        known = [size for _, size in self.reads if size is not None]
        return sum(known) if len(known) == len(self.reads) else None


class AthenaQueries:
    """Runs queries in one workgroup against one database."""

    def __init__(self, client: "AthenaClient", workgroup: str, database: str) -> None:
        self._client = client
        self._workgroup = workgroup
        self.database = database

    def run(self, sql: str, parameters: "Sequence[str]" = ()) -> QueryResult:
        """Run a query to its end and return every row; `parameters` are literals for its question marks.

        Raises:
            RejectedInputError: `query_failed`, with Athena's reason; `query_reads_too_much`.
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

    def forecast(self, sql: str, parameters: "Sequence[str]" = ()) -> QueryForecast:
        """Return what a query would read, without running it.

        Source: https://trino.io/docs/current/sql/explain.html, EXPLAIN (TYPE IO). The embedded Athena tells the bytes
        that it would bill; Athena on AWS its planner's estimate.

        Raises:
            RejectedInputError: `query_failed`, with Athena's reason.
        """
        explained = self.run(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}", parameters)
        plan = json.loads("\n".join(row[0] or "" for row in explained.rows))
        reads = [
            (str(one["table"]["schemaTable"]["table"]), _whole(one["estimate"]["outputSizeInBytes"]))
            for one in plan["inputTableColumnInfos"]
        ]
        return QueryForecast(tuple(reads), self._scan_limit())

    def _scan_limit(self) -> int | None:
        group = self._client.get_work_group(WorkGroup=self._workgroup)["WorkGroup"]
        return group.get("Configuration", {}).get("BytesScannedCutoffPerQuery")

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
                if _TOO_MUCH in reason:
                    raise RejectedInputError(
                        "query_reads_too_much",
                        f"{reason}: the workgroup lets a query read {self._scan_limit()} bytes; name fewer columns, "
                        "a contig or a sample, and see with 'strandline query --explain' what it would read",
                    )
                raise RejectedInputError("query_failed", reason)
            time.sleep(pause_s)
            pause_s = min(_SLOWEST_POLL_S, pause_s * 1.5)


def _whole(size: float | str) -> int | None:
    """Return a count of bytes; a planner without statistics says NaN."""
    value = float(size)
    return None if math.isnan(value) else int(value)
