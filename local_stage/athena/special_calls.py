"""Calls whose arguments are more than values: what is not evaluated, not typed like others, or named by a keyword.

Source: https://trino.io/docs/current/functions/conditional.html and datetime.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena import operators
from local_stage.athena.casts import coerce, instant_sql
from local_stage.athena.failures import NOT_SUPPORTED, AthenaFailure, unsupported
from local_stage.athena.literals import in_zone
from local_stage.athena.moment_functions import zone_of
from local_stage.athena.types import BIGINT, DATE, VARCHAR, timestamp, zoned
from local_stage.athena.values import Scope, Value, quote, typed_sql


class Writer(Protocol):
    """Writes the arguments."""

    def write(self, node: exp.Expr, scope: Scope) -> Value:
        """Return an expression."""

    def called(self, name: str, given: Sequence[exp.Expr | Value], scope: Scope) -> Value:
        """Return a plain call."""

    def row(self, parts: Sequence[exp.Expr], scope: Scope) -> Value:
        """Return a row."""

    def now(self, node: exp.Expr, scope: Scope) -> Value:
        """Return the time at which the query began."""


_Write = Callable[[Writer, exp.Anonymous, Scope], Value]


def _row(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    return writer.row(node.expressions, scope)


def _coalesce(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    if len(node.expressions) < 2:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments")
    values = operators.unify(
        [writer.write(part, scope) for part in node.expressions], "All COALESCE operands must be the same type"
    )
    return operators.combine(values[0].type, f"coalesce({', '.join(map(typed_sql, values))})", *values)


def _nullif(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    one, other = _arguments(writer, node, scope, 2)
    equal = operators.compare("=", one, other)
    return operators.combine(one.type, f"CASE WHEN {equal.sql} THEN NULL ELSE {typed_sql(one)} END", one, other)


def _try(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    (value,) = _arguments(writer, node, scope, 1)
    return tried(value)


def _typeof(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    (value,) = _arguments(writer, node, scope, 1)
    return Value(quote(value.type.show()), VARCHAR, constant=value.type.show())


def _mod(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    return operators.arithmetic("%", *_arguments(writer, node, scope, 2))


def _grouping(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    values = [writer.write(part, scope) for part in node.expressions]
    sql = f"CAST(grouping({', '.join(value.sql for value in values)}) AS BIGINT)"
    return replace(operators.combine(BIGINT, sql, *values), aggregates=True)


def _current_timestamp_of(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    digits = _arguments(writer, node, scope, 1)[0].constant
    if digits != 3:
        raise unsupported(f"{node.sql('trino')}: the clock has 3 digits of a second's fraction")
    return writer.now(exp.CurrentTimestamp() if node.name.lower() != "localtimestamp" else exp.Localtimestamp(), scope)


def _now_call(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    _arguments(writer, node, scope, 0)
    return writer.now(exp.CurrentTimestamp(), scope)


def _at_timezone(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    moment, zone = _arguments(writer, node, scope, 2)
    return in_zone(moment, zone_of(zone))


def _with_timezone(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    moment, zone = _arguments(writer, node, scope, 2)
    if moment.type == DATE:
        moment = coerce(moment, timestamp(0))
    if moment.type.name != "timestamp":
        raise AthenaFailure(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters ({moment.type.show()}) for function with_timezone"
        )
    name = zone_of(zone)
    return moment.typed(instant_sql(moment.sql, name), zoned(moment.type.size or 0, name))


def _from_unixtime(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    given = [writer.write(part, scope) for part in node.expressions]
    found = writer.called("from_unixtime", given[:1], scope)
    if len(given) == 2 and given[1].type.name == "varchar":
        return in_zone(found, zone_of(given[1]))
    if len(given) != 1:
        raise unsupported("from_unixtime with an offset")
    return found


def _normalize(writer: Writer, node: exp.Anonymous, scope: Scope) -> Value:
    if len(node.expressions) == 1:
        return writer.called("normalize", node.expressions, scope)
    form = node.expressions[1].name.upper() if len(node.expressions) == 2 else ""
    text = coerce(writer.write(node.expressions[0], scope), VARCHAR)
    if form not in {"NFC", "NFD", "NFKC", "NFKD"}:
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}")
    return text.typed(f"athena_normalize({text.sql}, '{form}')", VARCHAR)


def _arguments(writer: Writer, node: exp.Anonymous, scope: Scope, count: int) -> list[Value]:
    if len(node.expressions) != count:
        raise AthenaFailure(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters for function {node.name.lower()}: {count} expected"
        )
    return [writer.write(part, scope) for part in node.expressions]


def tried(value: Value) -> Value:
    """Return a value, or NULL where it fails; what cannot be run here must not become NULL."""
    if f"athena_fail('{NOT_SUPPORTED}'" in value.sql:
        raise unsupported("TRY around what is run for some values only")
    return replace(value, sql=f"TRY({typed_sql(value)})", constant=None)


SPECIAL_CALLS: Mapping[str, _Write] = {
    "at_timezone": _at_timezone, "coalesce": _coalesce,
    "current_timestamp": _current_timestamp_of, "from_unixtime": _from_unixtime,
    "grouping": _grouping, "localtimestamp": _current_timestamp_of, "mod": _mod,
    "normalize": _normalize, "now": _now_call, "nullif": _nullif,
    "row": _row, "try": _try, "typeof": _typeof,
    "with_timezone": _with_timezone,
}  # fmt: skip
