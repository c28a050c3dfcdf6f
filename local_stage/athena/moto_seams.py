"""Where moto's Athena is replaced: everything about queries. Each name used here is pinned by a contract test.

Workgroups, named queries and prepared statements stay moto's.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from moto.athena.models import AthenaBackend, athena_backends
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from local_stage.athena.queries import Query, QueryRunner, QueryState, describe_page
from local_stage.athena.results import PAGE_LIMIT
from local_stage.athena.statements import strip_comments
from local_stage.callers import caller_of
from local_stage.context import StageContext
from local_stage.replacing import replace

_running: list[tuple[StageContext, QueryRunner]] = []  # none or one
_EXECUTE = re.compile(r"EXECUTE\s+(\w+)(?:\s+USING\s+(.+))?", re.IGNORECASE | re.DOTALL)
_PREPARE = re.compile(r"PREPARE\s+(\w+)\s+FROM\s+(.+)", re.IGNORECASE | re.DOTALL)
_DEALLOCATE = re.compile(r"DEALLOCATE\s+PREPARE\s+(\w+)", re.IGNORECASE)


class InvalidRequestError(JsonRESTError):
    """A request is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


def install(context: StageContext) -> None:
    """Make Athena run its queries."""
    stop()
    _running.append((context, QueryRunner(context)))
    for name, answer in {
        "start_query_execution": _start,
        "get_query_execution": _get,
        "batch_get_query_execution": _batch_get,
        "get_query_results": _results,
        "list_query_executions": _list,
        "stop_query_execution": _stop,
        "delete_named_query": _delete_named,
    }.items():
        if getattr(AthenaResponse, name, None) is not answer:
            _put(name, answer)


def stop() -> None:
    """End every query."""
    while _running:
        _running.pop()[1].stop()


def _put(name: str, answer: Any) -> None:
    if hasattr(AthenaResponse, name):
        replace(AthenaResponse, name, answer)
    else:
        setattr(AthenaResponse, name, answer)  # moto has no such operation


def _runner() -> QueryRunner:
    if not _running:
        raise RuntimeError("Athena of the embedded AWS is not installed")
    return _running[0][1]


def _start(self: AthenaResponse) -> str:
    context, runner = _running[0]
    backend: AthenaBackend = athena_backends[context.account][context.region]
    asked = json.loads(self.body or "{}")
    name = asked.get("WorkGroup") or "primary"
    workgroup = backend.work_groups.get(name)
    if workgroup is None:
        raise InvalidRequestError(f"WorkGroup {name} is not found.")
    if workgroup.state != "ENABLED":
        raise InvalidRequestError(f"WorkGroup {name} is disabled.")
    sql, parameters = _resolve_prepared(backend, name, asked)
    configuration = workgroup.configuration or {}
    enforced = str(configuration.get("EnforceWorkGroupConfiguration", True)).lower() == "true"
    own = (asked.get("ResultConfiguration") or {}).get("OutputLocation")
    given = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    location = (given or own) if enforced else (own or given)
    if not location:
        raise InvalidRequestError("No output location provided. An output location is required.")
    query = Query(
        text=str(asked["QueryString"]),
        sql=sql,
        database=str((asked.get("QueryExecutionContext") or {}).get("Database") or "default").lower(),
        workgroup=name,
        output_location=location,
        parameters=parameters,
        scan_limit_bytes=_scan_limit(configuration),
        caller=caller_of({"HTTP_AUTHORIZATION": str(self.headers.get("Authorization", ""))}),
    )
    runner.start(query)
    return json.dumps({"QueryExecutionId": query.id})


def find_workgroup(operation: str, asked: Mapping[str, Any]) -> str | None:
    """Return the workgroup that a request to Athena is about, None where it is about none that exists."""
    context, runner = _running[0]
    backend: AthenaBackend = athena_backends[context.account][context.region]
    if "QueryExecutionId" in asked:
        query = runner.find(str(asked["QueryExecutionId"]))
        return None if query is None else query.workgroup
    if "NamedQueryId" in asked:
        named = backend.named_queries.get(str(asked["NamedQueryId"]))
        return None if named is None else str(named.workgroup.name)
    several = operation.startswith(("Batch", "ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"))
    return None if several else str(asked.get("WorkGroup") or asked.get("Name") or "primary")


def _scan_limit(configuration: dict[str, Any]) -> int | None:
    limit = configuration.get("BytesScannedCutoffPerQuery")
    return None if limit is None else int(limit)


def _resolve_prepared(backend: AthenaBackend, workgroup: str, asked: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the query that is meant, and its parameters."""
    sql = str(asked["QueryString"])
    parameters = [str(value) for value in asked.get("ExecutionParameters") or []]
    bare = strip_comments(sql)
    if prepared := _PREPARE.fullmatch(bare):
        backend.create_prepared_statement(prepared[1], workgroup, prepared[2], "")  # type: ignore[arg-type]  # a name, as its own requests give
        return sql, parameters
    if given_up := _DEALLOCATE.fullmatch(bare):
        _prepared(backend, workgroup, given_up[1])
        del backend.prepared_statements[given_up[1]]
        return sql, parameters
    found = _EXECUTE.fullmatch(bare)
    if found is None:
        return sql, parameters
    statement = _prepared(backend, workgroup, found[1])
    if found[2]:
        parameters = [part.strip() for part in re.split(r",(?=(?:[^']*'[^']*')*[^']*$)", found[2])]
    return statement.query_statement, parameters


def _prepared(backend: AthenaBackend, workgroup: str, name: str) -> Any:
    statement = backend.prepared_statements.get(name)
    if statement is None or str(getattr(statement.workgroup, "name", statement.workgroup)) != workgroup:
        raise InvalidRequestError(f"PreparedStatement {name} was not found in workGroup {workgroup}")
    return statement


def _find(query_id: str | None) -> Query:
    query = _runner().find(query_id or "")
    if query is None:
        raise InvalidRequestError(f"QueryExecution {query_id} was not found")
    return query


def _get(self: AthenaResponse) -> str:
    return json.dumps({"QueryExecution": _find(self._get_param("QueryExecutionId")).describe()})


def _batch_get(self: AthenaResponse) -> str:
    runner = _runner()
    asked = self._get_param("QueryExecutionIds") or []
    found = {query_id: runner.find(query_id) for query_id in asked}
    missing = [{"QueryExecutionId": query_id} for query_id, query in found.items() if query is None]
    described = [query.describe() for query in found.values() if query is not None]
    return json.dumps({"QueryExecutions": described, "UnprocessedQueryExecutionIds": missing})


def _results(self: AthenaResponse) -> str:
    query = _find(self._get_param("QueryExecutionId"))
    if query.state is not QueryState.SUCCEEDED or query.result is None:
        raise InvalidRequestError(f"Query has not yet finished. Current state: {query.state}")
    limit = min(int(self._get_param("MaxResults") or PAGE_LIMIT), PAGE_LIMIT)
    return json.dumps(describe_page(query.result, self._get_param("NextToken"), limit, query.update_count))


def _list(self: AthenaResponse) -> str:
    workgroup = self._get_param("WorkGroup") or "primary"
    found = [query.id for query in _runner().queries() if query.workgroup == workgroup]
    return json.dumps({"QueryExecutionIds": found})


def _stop(self: AthenaResponse) -> str:
    _runner().cancel(_find(self._get_param("QueryExecutionId")))
    return "{}"


def _delete_named(self: AthenaResponse) -> str:
    """Forget a named query; one that is not there is no fault, as on AWS. moto keeps them for good."""
    context, _ = _running[0]
    backend: AthenaBackend = athena_backends[context.account][context.region]
    backend.named_queries.pop(self._get_param("NamedQueryId"), None)
    return "{}"
