"""What a query becomes while it is written: rows with columns c0, c1..., and relations whose columns may be named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena.casts import coerce
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.scans import TableName
from local_stage.athena.types import UNKNOWN, TrinoType
from local_stage.athena.values import Field, Read, Value

_UNUSUAL = {"sample": "TABLESAMPLE", "match": "MATCH_RECOGNIZE"}


@dataclass(frozen=True, slots=True)
class View:
    """A view of the catalog: its query, the database in which it was made, and the columns that it had then."""

    sql: str
    database: str
    columns: Mapping[str, TrinoType]


class Catalog(Protocol):
    """Knows the tables and views."""

    def find(self, table: TableName) -> Mapping[str, TrinoType] | View:
        """Return the columns of a table, hidden ones with names that begin with `$`; or a view."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A query's text, whose columns are c0, c1..., with their names and values over whatever it reads."""

    sql: str
    names: tuple[str | None, ...]
    values: tuple[Value, ...]
    origins: tuple[Read | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What FROM may name beside tables: the queries of WITH, each with the names known where it stands."""

    database: str
    queries: Mapping[str, tuple[exp.Expr, "Names"]]
    depth: int = 0


@dataclass(slots=True)
class Relation:
    """Text that stands in FROM, and the columns that it offers."""

    sql: str
    fields: list[Field]


def as_wanted(rows: Rows, kinds: Sequence[TrinoType]) -> Rows:
    """Return a query with its columns as ones of the types of a table that it is written into.

    Raises:
        AthenaFailure: TYPE_MISMATCH, they are not as many, or are not turned into them without being asked.
    """
    given = [value.type for value in rows.values]
    try:
        if len(given) != len(kinds):
            raise AthenaFailure("TYPE_MISMATCH", "not as many")
        values = tuple(coerce(value, kind) for value, kind in zip(rows.values, kinds, strict=True))
    except AthenaFailure:
        shown = [", ".join(kind.show() for kind in one) for one in (kinds, given)]
        raise AthenaFailure(
            "TYPE_MISMATCH", f"Insert query has mismatched column types: Table: [{shown[0]}], Query: [{shown[1]}]"
        ) from None
    return replace(rows, sql=retyped(rows, kinds), values=values)


def retyped(rows: Rows, kinds: Sequence[TrinoType]) -> str:
    """Return a query with its columns as ones of other types."""
    if all(
        value.type.duckdb() == kind.duckdb() and value.type != UNKNOWN
        for value, kind in zip(rows.values, kinds, strict=True)
    ):
        return rows.sql
    parts = [
        f"{coerce(Value(f's.c{number}', value.type), kind).sql} AS c{number}"
        for number, (value, kind) in enumerate(zip(rows.values, kinds, strict=True))
    ]
    return f"SELECT {', '.join(parts)} FROM ({rows.sql}) s"  # noqa: S608 - likewise


def check_clauses(node: exp.Expr, known: frozenset[str]) -> None:
    """Refuse what a node carries that is not looked at."""
    for name, value in node.args.items():
        if value and name not in known:
            raise unsupported(_UNUSUAL.get(name, f"{name.strip('_').upper()} in {type(node).__name__.upper()}"))


def refuse_clauses(node: exp.Expr, unwanted: Sequence[str]) -> None:
    """Refuse what a node carries that Athena does not run, or that is not run here."""
    for name in unwanted:
        if node.args.get(name):
            raise unsupported(_UNUSUAL.get(name, name.upper()))
