"""Takes queries, runs a few at a time, and keeps what came of them."""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.file_io import split_uri
from local_stage.athena.jobs import Job
from local_stage.athena.results import Column, Result, ResultWriter, as_text
from local_stage.athena.session import ScanLimitError, Session
from local_stage.athena.statements import is_query, run_statement, statement_type, strip_comments
from local_stage.athena.types import AthenaType
from local_stage.callers import Caller
from local_stage.context import StageContext

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_STRING = AthenaType("string", 0)


class QueryState(StrEnum):
    """The states of a query. Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecutionStatus.html"""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (QueryState.QUEUED, QueryState.RUNNING)


@dataclass(eq=False, slots=True)
class Query:
    """One query. Times are seconds since the epoch; `output_uri` is where its CSV goes.

    `text` is what was asked; `sql` what that means, where it names a prepared statement; `caller` the role that asks,
    None for whoever runs the stage.
    """

    text: str
    sql: str
    database: str
    workgroup: str
    output_location: str
    parameters: Sequence[str] = ()
    scan_limit_bytes: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: QueryState = QueryState.QUEUED
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    failure: AthenaFailure | None = None
    result: Result | None = None
    scanned_bytes: int = 0
    update_count: int = 0
    manifest_uri: str | None = None
    session: Session | None = None
    caller: Caller | None = None

    @property
    def is_query(self) -> bool:
        """Whether it is a query, and not a statement about the catalog."""
        return is_query(strip_comments(self.sql))

    @property
    def output_uri(self) -> str:
        """Where the result goes."""
        return f"{self.output_location.rstrip('/')}/{self.id}.{'csv' if self.is_query else 'txt'}"

    def describe(self) -> dict[str, Any]:
        """Return the query as GetQueryExecution shows it."""
        now = time.time()
        ended = self.completed or now
        started = self.started or ended
        status: dict[str, Any] = {"State": str(self.state), "SubmissionDateTime": self.submitted}
        if self.completed is not None:
            status["CompletionDateTime"] = self.completed
        if self.failure is not None:
            status["StateChangeReason"] = str(self.failure)
            if self.state is QueryState.FAILED:
                status["AthenaError"] = {
                    "ErrorCategory": 1 if self.failure.system else 2,
                    "ErrorType": 100 if self.failure.system else 1000,
                    "Retryable": False,
                    "ErrorMessage": str(self.failure),
                }
        described: dict[str, Any] = {
            "QueryExecutionId": self.id,
            "Query": self.text,
            "StatementType": statement_type(strip_comments(self.sql)),
            "ResultConfiguration": {"OutputLocation": self.output_uri},
            "QueryExecutionContext": {"Database": self.database, "Catalog": "awsdatacatalog"},
            "Status": status,
            "Statistics": {
                "EngineExecutionTimeInMillis": int((ended - started) * 1000),
                "DataScannedInBytes": self.scanned_bytes,
                "TotalExecutionTimeInMillis": int((ended - self.submitted) * 1000),
                "QueryQueueTimeInMillis": int((started - self.submitted) * 1000),
                "ServiceProcessingTimeInMillis": 0,
                "ResultReuseInformation": {"ReusedPreviousResult": False},
            },
            "WorkGroup": self.workgroup,
            "EngineVersion": {
                "SelectedEngineVersion": "Athena engine version 3",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        }
        if self.manifest_uri is not None:
            described["Statistics"]["DataManifestLocation"] = self.manifest_uri
        if self.parameters:
            described["ExecutionParameters"] = list(self.parameters)
        return described


class QueryRunner:
    """Runs queries in the background. Safe to use from several threads."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._folder = context.state_dir / "athena" / "results"
        shutil.rmtree(self._folder, ignore_errors=True)  # of a stage that ran before
        self._lock = threading.Lock()
        self._queries: dict[str, Query] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="athena")

    def start(self, query: Query) -> None:
        """Queue a query."""
        with self._lock:
            self._queries[query.id] = query
        self._threads.submit(self._run, query)

    def find(self, query_id: str) -> Query | None:
        """Return a query by id."""
        return self._queries.get(query_id)

    def queries(self) -> list[Query]:
        """Return all queries, the latest first."""
        with self._lock:
            return list(reversed(self._queries.values()))

    def cancel(self, query: Query) -> None:
        """End a query. One that has ended stays as it is."""
        with self._lock:
            if query.state.ended:
                return
            self._end(query, QueryState.CANCELLED, AthenaFailure("USER_CANCELED", "Query was canceled"))
            session = query.session
        if session is not None:
            session.cancel()

    def stop(self) -> None:
        """End every query and take no more."""
        for query in self.queries():
            self.cancel(query)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, query: Query) -> None:
        with self._lock:
            if query.state.ended:
                return
            query.state, query.started = QueryState.RUNNING, time.time()
        try:
            self._answer(query)
        except AthenaFailure as failure:
            self._finish(query, QueryState.FAILED, failure)
        except ScanLimitError as limit:
            self._finish(query, QueryState.CANCELLED, AthenaFailure("", str(limit)))
        except Exception as error:
            _log.exception("query %s", query.id)
            defect = AthenaFailure("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", system=True)
            self._finish(query, QueryState.FAILED, defect)
        else:
            self._finish(query, QueryState.SUCCEEDED, None)

    def _answer(self, query: Query) -> None:
        sql = strip_comments(query.sql)
        job = Job(
            self._context,
            query.id,
            query.database,
            query.output_location,
            query.parameters,
            query.scan_limit_bytes,
            lambda session: self._attach(query, session),
            query.caller,
        )
        if not query.is_query:
            outcome = run_statement(job, sql)
            query.scanned_bytes, query.update_count = outcome.scanned_bytes, outcome.row_count
            columns = [Column(name, _STRING) for name in outcome.columns]
            self._store(query, columns, [list(outcome.rows)], is_listing=True)
            if outcome.written is not None:
                self._write_manifest(query, outcome.written)
            return
        session = job.open_session()
        try:
            try:
                columns, batches = session.run(sql, query.parameters)
            finally:
                query.scanned_bytes = session.scanned_bytes
            kinds = [column.kind for column in columns]
            texts = ([[*map(as_text, row, kinds)] for row in batch] for batch in batches)
            self._store(query, columns, texts, is_listing=False)
        finally:
            job.close_session(session)

    def _attach(self, query: Query, session: Session | None) -> None:
        """Note the session that a query uses; a query that was cancelled gets none."""
        with self._lock:
            query.session = session
            if session is not None and query.state.ended:
                session.cancel()

    def _write_manifest(self, query: Query, written: Sequence[str]) -> None:
        uri = f"{query.output_location.rstrip('/')}/{query.id}-manifest.csv"
        bucket, key = split_uri(uri)
        body = "".join(f"{address}\n" for address in written)
        self._context.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
        query.manifest_uri = uri

    def _store(
        self,
        query: Query,
        columns: Sequence[Column],
        batches: Iterable[Iterable[Sequence[str | None]]],
        *,
        is_listing: bool,
    ) -> None:
        writer = ResultWriter(self._folder, columns, with_header=not is_listing, delimited=not is_listing)
        try:
            for batch in batches:
                writer.add(batch)
        finally:
            writer.close()
        query.result = writer.result
        self._upload(query.output_uri, writer)
        writer.csv_path.unlink()

    def _upload(self, uri: str, writer: ResultWriter) -> None:
        bucket, key = split_uri(uri)
        client = self._context.client("s3")
        try:
            with writer.csv_path.open("rb") as body:
                client.put_object(Bucket=bucket, Key=key, Body=body)
            client.put_object(Bucket=bucket, Key=f"{key}.metadata", Body=b"")
        except ClientError as error:
            message = error.response["Error"].get("Message") or str(error)
            raise AthenaFailure("INVALID_OUTPUT_LOCATION", f"Unable to write to {uri}: {message}") from None

    def _finish(self, query: Query, state: QueryState, failure: AthenaFailure | None) -> None:
        with self._lock:
            if not query.state.ended:
                self._end(query, state, failure)

    @staticmethod
    def _end(query: Query, state: QueryState, failure: AthenaFailure | None) -> None:
        query.failure, query.completed = failure, time.time()
        query.state = state


def describe_page(result: Result, token: str | None, limit: int, update_count: int) -> Mapping[str, Any]:
    """Return one page of a result as GetQueryResults shows it."""
    rows, following = result.page(token, limit)
    answer: dict[str, Any] = {
        "UpdateCount": update_count,
        "ResultSet": {
            "Rows": [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows],
            "ResultSetMetadata": {"ColumnInfo": [column.describe() for column in result.columns]},
        },
    }
    if following is not None:
        answer["NextToken"] = following
    return answer
