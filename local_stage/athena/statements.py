"""Statements that are no queries: which one a text is, what the catalog holds, and views."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from local_stage.athena.catalog import StoredView, encode_view, iceberg_columns, open_iceberg, read_table
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.information_schema import CATALOG, list_databases, list_seen, seen_columns
from local_stage.athena.jobs import Job, Outcome
from local_stage.athena.table_statements import (
    add_partition,
    create_database,
    create_table,
    drop_database,
    drop_table,
    repair,
    show_partitions,
)
from local_stage.athena.types import glue_type
from local_stage.athena.write_statements import change, create_table_as, insert, optimize, unload, vacuum

_NAME = r'(?:[`"]?awsdatacatalog[`"]?\.)?[`"]?(?:(?P<db>\w+)[`"]?\.[`"]?)?(?P<name>\w+)[`"]?'
_QUERY = re.compile(r"\s*(SELECT|WITH|VALUES|TABLE|\()", re.IGNORECASE)
_WRITE = re.compile(r"\s*(INSERT|UNLOAD|DELETE|UPDATE|MERGE|OPTIMIZE|VACUUM)\b", re.IGNORECASE)
_UTILITY = re.compile(r"\s*(SHOW|DESC|DESCRIBE|EXPLAIN|PREPARE|DEALLOCATE)\b", re.IGNORECASE)
_COMMENT = re.compile(r"\A(\s*(--[^\n]*(\n|\Z)|/\*.*?\*/))*", re.DOTALL)
_Run = Callable[[Job, re.Match[str]], Outcome]


def strip_comments(sql: str) -> str:
    """Return a statement without the comments before it and the semicolon after it.

    >>> strip_comments("-- why\\nSHOW TABLES;")
    'SHOW TABLES'
    """
    return _COMMENT.sub("", sql, count=1).strip().rstrip(";").rstrip()


def is_query(sql: str) -> bool:
    """Return whether a statement is a query."""
    return _QUERY.match(sql) is not None


def statement_type(sql: str) -> str:
    """Return what GetQueryExecution calls the kind of a statement: DML, DDL or UTILITY.

    >>> [statement_type(sql) for sql in ("SELECT 1", "DROP TABLE t", "SHOW TABLES")]
    ['DML', 'DDL', 'UTILITY']
    """
    if is_query(sql) or _WRITE.match(sql):
        return "DML"
    return "UTILITY" if _UTILITY.match(sql) else "DDL"


def run_statement(job: Job, sql: str) -> Outcome:
    """Run a statement that is no query.

    Raises:
        AthenaFailure: it fails, or is of a kind that the embedded Athena does not run.
        ScanLimitError: it would read more bytes than its workgroup lets it.
    """
    for pattern, run in _STATEMENTS:
        found = pattern.fullmatch(sql)
        if found is not None:
            return run(job, found)
    first = sql.split(maxsplit=1)[0].upper() if sql else ""
    if first not in _OTHER_STATEMENTS:
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input '{first}'")
    raise unsupported(" ".join(sql.split()[:2]).upper())


def _show_databases(job: Job, found: re.Match[str]) -> Outcome:
    pattern = _wildcard(found["pattern"])
    return Outcome(["database_name"], [[name] for name in list_databases(job.context) if pattern.fullmatch(name)])


def _show_tables(job: Job, found: re.Match[str]) -> Outcome:
    wanted = (found["db"] or job.database).lower()
    _require_database(job, wanted)
    pattern = _wildcard(found["pattern"])
    names = sorted(table["Name"] for table in list_seen(job.access, wanted))
    return Outcome(["tab_name"], [[name] for name in names if pattern.fullmatch(name)])


def _show_views(job: Job, found: re.Match[str]) -> Outcome:
    wanted = (found["db"] or job.database).lower()
    _require_database(job, wanted)
    views = [table["Name"] for table in list_seen(job.access, wanted) if table.get("TableType") == "VIRTUAL_VIEW"]
    return Outcome(["views"], [[name] for name in sorted(views)])


def _describe(job: Job, found: re.Match[str]) -> Outcome:
    table = read_table(job.context, (found["db"] or job.database).lower(), found["name"].lower())
    storage = table.described.get("StorageDescriptor") or {}
    listed = [*storage.get("Columns", []), *(table.described.get("PartitionKeys") or [])]
    comments = {column["Name"].lower(): column.get("Comment") or "" for column in listed}
    seen = seen_columns(job.access, table)
    rows = [f"{name:<20}\t{glue_type(kind):<20}\t{comments.get(name, ''):<20}" for name, kind in seen.items()]
    keys = [key for key in table.partition_keys if key in seen]
    if keys:
        rows += [
            "\t \t ",
            "# Partition Information\t \t ",
            f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}",
            "\t \t ",
        ]
        rows += [f"{key:<20}\t{glue_type(table.columns[key]):<20}\t{comments.get(key, ''):<20}" for key in keys]
    return Outcome(["col_name"], [[row] for row in rows])


def _show_columns(job: Job, found: re.Match[str]) -> Outcome:
    table = read_table(job.context, (found["db"] or found["later"] or job.database).lower(), found["name"].lower())
    return Outcome(["field"], [[name] for name in seen_columns(job.access, table)])


def _show_create_view(job: Job, found: re.Match[str]) -> Outcome:
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = read_table(job.context, database, name)
    if table.view is None:
        raise AthenaFailure("NOT_SUPPORTED", f"Relation '{database}.{name}' is a table, not a view")
    job.access.sight(table.described)
    lines = [f"CREATE VIEW {database}.{name} AS", *table.view.sql.splitlines()]
    return Outcome(["Create View"], [[line] for line in lines])


def _show_create_table(job: Job, found: re.Match[str]) -> Outcome:
    database, name = (found["db"] or job.database).lower(), found["name"].lower()
    table = read_table(job.context, database, name)
    if table.view is not None:
        raise AthenaFailure("NOT_SUPPORTED", f"'{database}.{name}' is a view: ask SHOW CREATE VIEW")
    job.access.require_whole(table.described, "SHOW CREATE TABLE")
    iceberg = None if table.metadata_uri is None else open_iceberg(job.context, table)
    kinds = table.columns if iceberg is None else iceberg_columns(iceberg)
    shown = [f"  `{column}` {glue_type(kind)}" for column, kind in kinds.items() if column not in table.partition_keys]
    lines = [f"CREATE {'EXTERNAL ' if iceberg is None else ''}TABLE `{database}.{name}`("]
    lines += [f"{line}, " for line in shown[:-1]] + [f"{shown[-1]})"]
    if table.partition_keys:
        keys = [f"  `{key}` {glue_type(table.columns[key])}" for key in table.partition_keys]
        lines += ["PARTITIONED BY ( ", *(f"{key}, " for key in keys[:-1]), f"{keys[-1]})"]
    if iceberg is None:
        lines += ["STORED AS PARQUET ", "LOCATION", f"  '{table.location}'"]
    else:
        parts = [field.name for field in iceberg.spec().fields]
        if parts:
            lines.append(f"PARTITIONED BY ({', '.join(f'`{part}`' for part in parts)})")
        lines += [f"LOCATION '{iceberg.location()}'", "TBLPROPERTIES (", "  'table_type'='iceberg'", ");"]
    return Outcome(["createtab_stmt"], [[line] for line in lines])


def _create_view(job: Job, found: re.Match[str]) -> Outcome:
    owner, name, sql = (found["db"] or job.database).lower(), found["name"].lower(), found["query"].strip()
    _require_database(job, owner)
    job.access.require("CREATE_TABLE", owner)
    session = job.open_session()
    try:
        described_columns = session.describe(sql)
    finally:
        job.close_session(session)
    columns = {column.name: column.kind for column in described_columns}
    if len(columns) < len(described_columns) or any(column.startswith("_col") for column in columns):
        raise AthenaFailure("MISSING_COLUMN_NAME", "every column of a view needs a name of its own")
    glue = job.context.client("glue")
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
        "ViewOriginalText": encode_view(StoredView(sql, job.database, columns)),
        "ViewExpandedText": "/* Presto View */",
    }
    try:
        existing = glue.get_table(DatabaseName=owner, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=owner, TableInput=described)
        return Outcome()
    if not found["replace"] or existing.get("TableType") != "VIRTUAL_VIEW":
        raise AthenaFailure("ALREADY_EXISTS", f"'{owner}.{name}' exists already")
    job.access.require("ALTER", owner, existing)
    glue.update_table(DatabaseName=owner, TableInput=described)
    return Outcome()


def _drop_view(job: Job, found: re.Match[str]) -> Outcome:
    owner, name = (found["db"] or job.database).lower(), found["name"].lower()
    glue = job.context.client("glue")
    try:
        existing = glue.get_table(DatabaseName=owner, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        if found["lenient"]:
            return Outcome()
        raise AthenaFailure("TABLE_NOT_FOUND", f"View '{owner}.{name}' does not exist") from None
    if existing.get("TableType") != "VIRTUAL_VIEW":
        raise AthenaFailure("TABLE_NOT_FOUND", f"'{owner}.{name}' is a table, not a view")
    job.access.require("DROP", owner, existing)
    glue.delete_table(DatabaseName=owner, Name=name)
    return Outcome()


def _explain(job: Job, found: re.Match[str]) -> Outcome:
    """Run EXPLAIN of the types that need no plan: whether a query is one, and what it would read.

    Source: https://trino.io/docs/current/sql/explain.html
    """
    options = dict(re.findall(r"(TYPE|FORMAT)\s+(\w+)", (found["options"] or "").upper()))
    kind, form = options.get("TYPE", "DISTRIBUTED"), options.get("FORMAT", "TEXT")
    if kind not in {"IO", "VALIDATE"} or (kind == "IO" and form not in {"TEXT", "JSON"}):
        raise unsupported(f"EXPLAIN (TYPE {kind}, FORMAT {form}): only TYPE IO and TYPE VALIDATE")
    query = strip_comments(found["query"])
    if not is_query(query):
        raise unsupported(f"EXPLAIN of {query.split()[0].upper() if query else 'nothing'}")
    session = job.open_session()
    try:
        read = session.forecast(query, job.parameters)
    finally:
        job.close_session(session)
    if kind == "VALIDATE":
        return Outcome(["Valid"], [["true"]])
    tables = [
        {
            "table": {"catalog": CATALOG, "schemaTable": {"schema": table.database, "table": table.name}},
            "estimate": {"outputSizeInBytes": float(size)},
        }
        for table, size in read
    ]
    plan = {
        "inputTableColumnInfos": tables,
        "estimate": {"outputSizeInBytes": float(sum(size for _, size in read))},
    }
    return Outcome(["Query Plan"], [[line] for line in json.dumps(plan, indent=2).splitlines()])


def _done_at_once(job: Job, found: re.Match[str]) -> Outcome:
    """Answer PREPARE and DEALLOCATE, which were done when they were asked."""
    del job, found
    return Outcome()


def _require_database(job: Job, name: str) -> None:
    if name not in list_databases(job.context):
        raise AthenaFailure("SCHEMA_NOT_FOUND", f"Schema '{name}' does not exist")


def _wildcard(pattern: str | None) -> re.Pattern[str]:
    parts = (re.escape(part) for part in (pattern or "*").split("*"))
    return re.compile(".*".join(parts).replace(r"\|", "|"), re.IGNORECASE)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


# fmt: off
_OTHER_STATEMENTS = frozenset({
    "ALTER", "ANALYZE", "CALL", "CREATE", "DEALLOCATE", "DELETE", "DESC", "DESCRIBE", "DROP", "EXECUTE", "EXPLAIN",
    "INSERT", "MERGE", "MSCK", "OPTIMIZE", "PREPARE", "REFRESH", "SHOW", "UNLOAD", "UPDATE", "USING", "VACUUM",
})
# fmt: on
_DB = r"[`\"]?(?P<db>\w+)[`\"]?"
_IN = rf"(?:\s+(?:IN|FROM)\s+{_DB})?"
_LIKE = r"(?:\s+(?:LIKE\s+)?'(?P<pattern>[^']*)')?"
_UNLESS = r"(?P<lenient>IF\s+NOT\s+EXISTS\s+)?"
_IF = r"(?P<lenient>IF\s+EXISTS\s+)?"
_COMMENT_CLAUSE = r"(?:\s*COMMENT\s+'(?:[^']|'')*')?"
_STATEMENTS: Sequence[tuple[re.Pattern[str], _Run]] = (
    (_compile(rf"SHOW\s+(?:DATABASES|SCHEMAS){_LIKE}"), _show_databases),
    (_compile(rf"SHOW\s+TABLES{_IN}{_LIKE}"), _show_tables),
    (_compile(rf"SHOW\s+VIEWS{_IN}"), _show_views),
    (_compile(rf"(?:DESCRIBE|DESC)\s+(?:FORMATTED\s+|EXTENDED\s+)?{_NAME}"), _describe),
    (_compile(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_NAME}(?:\s+(?:IN|FROM)\s+(?P<later>\w+))?"), _show_columns),
    (_compile(rf"SHOW\s+CREATE\s+VIEW\s+{_NAME}"), _show_create_view),
    (_compile(rf"SHOW\s+CREATE\s+TABLE\s+{_NAME}"), _show_create_table),
    (_compile(rf"SHOW\s+PARTITIONS\s+{_NAME}"), show_partitions),
    (_compile(rf"MSCK\s+REPAIR\s+TABLE\s+{_NAME}"), repair),
    (
        _compile(
            rf"ALTER\s+TABLE\s+{_NAME}\s+ADD\s+{_UNLESS}PARTITION\s*\((?P<values>[^)]*)\)"
            r"(?:\s*LOCATION\s+'(?P<location>[^']+)')?"
        ),
        add_partition,
    ),
    (_compile(rf"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?VIEW\s+{_NAME}\s+AS\s+(?P<query>.+)"), _create_view),
    (_compile(rf"DROP\s+VIEW\s+{_IF}{_NAME}"), _drop_view),
    (
        _compile(
            rf"CREATE\s+TABLE\s+{_UNLESS}{_NAME}(?:\s+WITH\s*\((?P<properties>.*?)\))?\s+AS\s+(?P<query>[(\s]*(?:SELECT|WITH|VALUES|TABLE)\b.+)"
        ),
        create_table_as,
    ),
    (
        _compile(
            rf"CREATE\s+(?P<external>EXTERNAL\s+)?TABLE\s+{_UNLESS}{_NAME}\s*\((?P<columns>.*?)\){_COMMENT_CLAUSE}"
            r"(?:\s*PARTITIONED\s+BY\s*\((?P<partitions>.*?)\))?(?:\s*STORED\s+AS\s+(?P<stored>\w+))?"
            r"(?:\s*LOCATION\s+'(?P<location>[^']+)')?(?:\s*TBLPROPERTIES\s*\((?P<properties>[^)]*)\))?"
        ),
        create_table,
    ),
    (_compile(rf"DROP\s+TABLE\s+{_IF}{_NAME}"), drop_table),
    (
        _compile(
            rf"CREATE\s+(?:DATABASE|SCHEMA)\s+{_UNLESS}{_DB}{_COMMENT_CLAUSE}(?:\s*LOCATION\s+'(?P<location>[^']+)')?"
        ),
        create_database,
    ),
    (_compile(rf"DROP\s+(?:DATABASE|SCHEMA)\s+{_IF}{_DB}(?P<cascade>\s+CASCADE)?(?:\s+RESTRICT)?"), drop_database),
    (_compile(r"INSERT\s+INTO\s+.+"), insert),
    (_compile(r"(?:DELETE\s+FROM|UPDATE|MERGE\s+INTO)\s+.+"), change),
    (
        _compile(r"UNLOAD\s*\((?P<query>.+)\)\s*TO\s*'(?P<location>[^']+)'\s*(?:WITH\s*\((?P<properties>.*)\))?"),
        unload,
    ),
    (
        _compile(rf"OPTIMIZE\s+{_NAME}\s+REWRITE\s+DATA(?:\s+USING\s+BIN_PACK)?(?P<where>\s+WHERE\s+.+)?"),
        optimize,
    ),
    (_compile(rf"VACUUM\s+{_NAME}"), vacuum),
    (_compile(r"EXPLAIN\s*(?:\((?P<options>[\w\s,]*)\))?\s*(?P<query>\S.*)"), _explain),
    (_compile(r"PREPARE\s+\w+\s+FROM\s+.+"), _done_at_once),
    (_compile(r"DEALLOCATE\s+PREPARE\s+\w+"), _done_at_once),
)
