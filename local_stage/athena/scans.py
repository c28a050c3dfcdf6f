"""What a query reads of each table: columns, and conditions that rows have to meet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from local_stage.athena.types import TrinoType
from local_stage.athena.values import Read, name_sql

PATH = "$path"


@dataclass(frozen=True, slots=True)
class Condition:
    """A column of every row that counts stands in `operator` (= < <= > >= IN) to one of these constants."""

    column: str
    operator: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a query names it. `version` is the snapshot that is asked for, by number or by time."""

    database: str
    name: str
    version: exp.Version | None = None


@dataclass(slots=True)
class Scan:
    """One place in a query that reads a table."""

    number: int
    table: TableName
    columns: dict[str, TrinoType]
    used: set[str] = field(default_factory=set)
    conditions: list[Condition] = field(default_factory=list)

    @property
    def view(self) -> str:
        """The name under which DuckDB knows the scan."""
        return f"scan_{self.number}"

    def column_sql(self, name: str) -> str:
        """Return the name of a column within the scan."""
        return f"{self.view}.{name_sql(name)}"


def conditions_of(node: exp.Expr | None, origins: dict[int, Read]) -> Sequence[tuple[Read, str, tuple[object, ...]]]:
    """Return what the parts of a WHERE that are joined by AND say of single columns.

    `origins` maps the identity of a column's node to the column of a table that it is.
    """
    if node is None:
        return []
    parts = list(node.flatten()) if isinstance(node, exp.And) else [node]
    found: list[tuple[Read, str, tuple[object, ...]]] = []
    for part in parts:
        if isinstance(part, exp.Paren):
            found += conditions_of(part.this, origins)
        elif (known := _condition(part, origins)) is not None:
            found.append(known)
    return found


_OPERATORS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _condition(node: exp.Expr, origins: dict[int, Read]) -> tuple[Read, str, tuple[object, ...]] | None:
    operator = _OPERATORS.get(type(node))
    if operator is not None:
        left, right = node.args["this"], node.args["expression"]
        if id(left) not in origins:
            left, right, operator = right, left, _TURNED[operator]
        value = _constant(right)
        return None if id(left) not in origins or value is None else (origins[id(left)], operator, (value,))
    if isinstance(node, exp.In) and node.expressions and id(node.this) in origins:
        values = tuple(_constant(item) for item in node.expressions)
        return None if None in values else (origins[id(node.this)], "IN", values)
    if isinstance(node, exp.Between) and id(node.this) in origins:
        low, high = _constant(node.args["low"]), _constant(node.args["high"])
        return None if low is None or high is None else (origins[id(node.this)], "BETWEEN", (low, high))
    return None


def _constant(node: exp.Expr) -> object:
    """Return a text or an integer; other constants leave nothing out."""
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and node.this.is_int:
        return -int(node.this.this)
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return node.this
    return int(node.this) if node.is_int else None
