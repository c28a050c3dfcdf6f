"""What an expression has become: DuckDB's text, Trino's type, and which columns it reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_stage.athena.types import TrinoType

Read = tuple[int, str]  # the number of a scan, the name of a column


@dataclass(frozen=True, slots=True)
class Value:
    """One expression. `constant` is what it is where that is written in the query."""

    sql: str
    type: TrinoType
    reads: frozenset[Read] = frozenset()
    constant: object = None
    aggregates: bool = False

    def typed(self, sql: str, kind: TrinoType) -> "Value":
        """Return another expression over the same columns."""
        return replace(self, sql=sql, type=kind, constant=None)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a relation. Hidden ones answer to their name and are not part of `*`."""

    qualifiers: tuple[str, ...]
    name: str | None
    value: Value
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use: columns, those of the queries around it, and arguments of lambdas."""

    fields: tuple[Field, ...] = ()
    outer: "Scope | None" = None
    arguments: Mapping[str, Value] = field(default_factory=dict)
    in_lambda: bool = False
    windows: Mapping[str, Any] = field(default_factory=dict)

    def with_arguments(self, arguments: Mapping[str, Value]) -> "Scope":
        """Return the scope of a lambda's body."""
        return replace(self, arguments={**self.arguments, **arguments}, in_lambda=True)


def quote(text: str) -> str:
    """Return a string as a literal."""
    return "'" + text.replace("'", "''") + "'"


def name_sql(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def typed_sql(value: Value) -> str:
    """Return a value's text, NULL with its type."""
    return f"CAST(NULL AS {value.type.duckdb()})" if value.sql == "NULL" else value.sql
