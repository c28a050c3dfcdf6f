"""Row filters: a scan that also reads what a filter needs, and the filter as a condition of DuckDB's.

Conditions of the query itself join it where they cannot fail whatever a row holds: they leave out most of what would
be copied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.grammar import parse_query
from local_stage.athena.scans import Condition, Scan, conditions_of
from local_stage.athena.types import TrinoType
from local_stage.athena.values import Field, Scope, Value, name_sql, quote


class _Writer(Protocol):
    def condition(self, node: exp.Expr, scope: Scope, where: str) -> Value:
        """Return an expression that has to be a boolean."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A scan with the columns that its filter needs, and what has to be true of its rows."""

    scan: Scan
    condition: str


def guard(scan: Scan, columns: Mapping[str, TrinoType], row_filter: str, writer: _Writer) -> Guarded:
    """Return a scan as one that only yields rows which a filter lets through.

    Args:
        scan: columns and conditions of the query.
        columns: all columns of the table, those too that the query may not name.
        row_filter: a condition in SQL, over columns of the table.
        writer: writes conditions.

    Raises:
        AthenaFailure: the filter is no condition over these columns.
    """
    where = parse_query(f"SELECT 1 WHERE {row_filter}").args["where"].this
    fields = tuple(Field((), name, Value(name_sql(name), kind)) for name, kind in columns.items())
    value = writer.condition(where, Scope(fields), "row filter")
    needed = {column.name for column in where.find_all(exp.Column)}
    if needed - set(columns):
        raise AthenaFailure("COLUMN_NOT_FOUND", "a row filter names a column that the table has not")
    origins = {id(column): (scan.number, column.name) for column in where.find_all(exp.Column)}
    told = [Condition(name, operator, values) for (_, name), operator, values in conditions_of(where, origins)]
    wider = replace(
        scan,
        columns={**scan.columns, **{name: columns[name] for name in needed}},
        used=scan.used | needed,
        conditions=[*scan.conditions, *told],
    )
    safe = [text for one in scan.conditions if (text := _safe(one, scan.columns)) is not None]
    return Guarded(wider, " AND ".join([f"({value.sql})", *safe]))


def _safe(condition: Condition, columns: Mapping[str, TrinoType]) -> str | None:
    """Return a condition that compares a text with texts or a whole number with whole numbers; None for others."""
    kind = columns.get(condition.column)
    if kind is None:
        return None
    wanted = str if kind.name == "varchar" else int if kind.is_integer else None
    if wanted is None or any(type(value) is not wanted for value in condition.values):
        return None
    shown = [quote(value) if isinstance(value, str) else str(value) for value in condition.values]
    column = name_sql(condition.column)
    if condition.operator == "IN":
        return f"{column} IN ({', '.join(shown)})"
    if condition.operator == "BETWEEN":
        return f"{column} BETWEEN {shown[0]} AND {shown[1]}"
    return f"{column} {condition.operator} {shown[0]}"
