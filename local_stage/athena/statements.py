"""Statements that are no queries: what the catalog holds, and views."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local_stage.athena.catalog import StoredView, encode_view, read_table
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.glue_tables import open_session
from local_stage.athena.information_schema import list_databases, list_tables
from local_stage.athena.types import glue_type
from local_stage.context import StageContext

_NAME = r'[`"]?(?:(?P<db>\w+)[`"]?\.[`"]?)?(?P<name>\w+)[`"]?'
_QUERY = re.compile(r"\s*(SELECT|WITH|VALUES|\()", re.IGNORECASE)
_COMMENT = re.compile(r"\A(\s*(--[^\n]*(\n|\Z)|/\*.*?\*/))*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Listing:
    """The outcome of a statement: lines of cells, without a header."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def strip_comments(sql: str) -> str:
    """Return a statement without the comments before it and the semicolon after it.

    >>> strip_comments("-- why\\nSHOW TABLES;")
    'SHOW TABLES'
    """
    return _COMMENT.sub("", sql, count=1).strip().rstrip(";").rstrip()


def is_query(sql: str) -> bool:
    """Return whether a statement is a query."""
    return _QUERY.match(sql) is not None


def run_statement(context: StageContext, sql: str, database: str) -> Listing:
    """Run a statement that is no query.

    Raises:
        AthenaFailure: it fails, or is of a kind that the embedded Athena does not run.
    """
    for pattern, run in _STATEMENTS:
        found = pattern.fullmatch(sql)
        if found is not None:
            return run(context, found, database)
    first = sql.split(maxsplit=1)[0].upper() if sql else ""
    if first not in _OTHER_STATEMENTS:
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input '{first}'")
    raise unsupported(" ".join(sql.split()[:2]).upper())


def _show_databases(context: StageContext, found: re.Match[str], database: str) -> Listing:
    del found, database
    return Listing(["database_name"], [[name] for name in list_databases(context)])


def _show_tables(context: StageContext, found: re.Match[str], database: str) -> Listing:
    wanted = (found["db"] or database).lower()
    _require_database(context, wanted)
    pattern = re.compile((found["pattern"] or "*").replace("*", ".*"), re.IGNORECASE)
    names = sorted(table["Name"] for table in list_tables(context, wanted))
    return Listing(["tab_name"], [[name] for name in names if pattern.fullmatch(name)])


def _show_views(context: StageContext, found: re.Match[str], database: str) -> Listing:
    wanted = (found["db"] or database).lower()
    _require_database(context, wanted)
    views = [table["Name"] for table in list_tables(context, wanted) if table.get("TableType") == "VIRTUAL_VIEW"]
    return Listing(["views"], [[name] for name in sorted(views)])


def _describe(context: StageContext, found: re.Match[str], database: str) -> Listing:
    table = read_table(context, (found["db"] or database).lower(), found["name"].lower())
    storage = table.described.get("StorageDescriptor") or {}
    listed = [*storage.get("Columns", []), *(table.described.get("PartitionKeys") or [])]
    comments = {column["Name"].lower(): column.get("Comment") or "" for column in listed}
    kinds = {column["Name"].lower(): column["Type"] for column in listed}
    rows = [[f"{name:<20}\t{kinds[name]:<20}\t{comments[name]:<20}"] for name in table.columns]
    return Listing(["col_name"], rows)


def _show_columns(context: StageContext, found: re.Match[str], database: str) -> Listing:
    table = read_table(context, (found["db"] or found["later"] or database).lower(), found["name"].lower())
    return Listing(["field"], [[name] for name in table.columns])


def _create_view(context: StageContext, found: re.Match[str], database: str) -> Listing:
    owner, name, sql = (found["db"] or database).lower(), found["name"].lower(), found["query"].strip()
    _require_database(context, owner)
    session = open_session(context, database)
    try:
        columns = {column.name: column.kind for column in session.describe(sql)}
    finally:
        session.close()
    glue = context.client("glue")
    described: dict[str, Any] = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {
            "Columns": [{"Name": column.lower(), "Type": glue_type(kind)} for column, kind in columns.items()],
            "Location": "",
            "SerdeInfo": {},
        },
        "PartitionKeys": [],
        "ViewOriginalText": encode_view(StoredView(sql, database, columns)),
        "ViewExpandedText": "/* Presto View */",
    }
    try:
        existing = glue.get_table(DatabaseName=owner, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=owner, TableInput=described)
        return Listing([], [])
    if not found["replace"] or existing.get("TableType") != "VIRTUAL_VIEW":
        raise AthenaFailure("ALREADY_EXISTS", f"'{owner}.{name}' exists already")
    glue.update_table(DatabaseName=owner, TableInput=described)
    return Listing([], [])


def _drop_view(context: StageContext, found: re.Match[str], database: str) -> Listing:
    owner, name = (found["db"] or database).lower(), found["name"].lower()
    glue = context.client("glue")
    try:
        existing = glue.get_table(DatabaseName=owner, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        if found["lenient"]:
            return Listing([], [])
        raise AthenaFailure("TABLE_NOT_FOUND", f"View '{owner}.{name}' does not exist") from None
    if existing.get("TableType") != "VIRTUAL_VIEW":
        raise AthenaFailure("TABLE_NOT_FOUND", f"'{owner}.{name}' is a table, not a view")
    glue.delete_table(DatabaseName=owner, Name=name)
    return Listing([], [])


def _require_database(context: StageContext, name: str) -> None:
    if name not in list_databases(context):
        raise AthenaFailure("SCHEMA_NOT_FOUND", f"Schema '{name}' does not exist")


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


# fmt: off
_OTHER_STATEMENTS = frozenset({
    "ALTER", "ANALYZE", "CREATE", "DEALLOCATE", "DELETE", "DESC", "DESCRIBE", "DROP", "EXECUTE", "EXPLAIN",
    "INSERT", "MERGE", "MSCK", "OPTIMIZE", "PREPARE", "REFRESH", "SHOW", "UNLOAD", "UPDATE", "USING",
    "VACUUM",
})
# fmt: on
_IN = r"(?:\s+(?:IN|FROM)\s+[`\"]?(?P<db>\w+)[`\"]?)?"
_STATEMENTS: Sequence[tuple[re.Pattern[str], Callable[[StageContext, re.Match[str], str], Listing]]] = (
    (_compile(r"SHOW\s+(?:DATABASES|SCHEMAS)"), _show_databases),
    (_compile(rf"SHOW\s+TABLES{_IN}(?:\s+(?:LIKE\s+)?'(?P<pattern>[^']*)')?"), _show_tables),
    (_compile(rf"SHOW\s+VIEWS{_IN}"), _show_views),
    (_compile(rf"(?:DESCRIBE|DESC)\s+(?:FORMATTED\s+|EXTENDED\s+)?{_NAME}"), _describe),
    (_compile(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_NAME}(?:\s+(?:IN|FROM)\s+(?P<later>\w+))?"), _show_columns),
    (_compile(rf"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?VIEW\s+{_NAME}\s+AS\s+(?P<query>.+)"), _create_view),
    (_compile(rf"DROP\s+VIEW\s+(?P<lenient>IF\s+EXISTS\s+)?{_NAME}"), _drop_view),
)
