"""Operators: which types they take, what they give, and DuckDB's text.

Source: https://trino.io/docs/current/functions/comparison.html, decimal.html, datetime.html and math.html
"""

from collections.abc import Sequence
from dataclasses import replace

from local_stage.athena.casts import cast, coerce, failing
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.moment_functions import add_sql
from local_stage.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAYS,
    MONTHS,
    UNKNOWN,
    UTC,
    VARCHAR,
    TrinoType,
    as_decimal,
    common_type,
    decimal,
    field_sql,
    timestamp,
)
from local_stage.athena.values import Value, quote

_DAY = 86_400_000
_MAX = 38


def combine(kind: TrinoType, sql: str, *values: Value) -> Value:
    """Return an expression of others."""
    reads = frozenset().union(*(value.reads for value in values))
    return Value(sql, kind, reads, aggregates=any(value.aggregates for value in values))


def unify(values: Sequence[Value], what: str) -> list[Value]:
    """Return values as ones of the type they have in common.

    Raises:
        AthenaFailure: TYPE_MISMATCH, they have none.
    """
    kind = UNKNOWN
    for value in values:
        found = common_type(kind, value.type)
        if found is None:
            raise AthenaFailure("TYPE_MISMATCH", f"{what}: {kind.show()} and {value.type.show()}")
        kind = found
    return [coerce(value, kind) for value in values]


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right`, one of + - * / %.

    Raises:
        AthenaFailure: TYPE_MISMATCH, the operator does not take these types.
    """
    one, other = left.type, right.type
    if UNKNOWN in (one, other):
        return _with_unknown(operator, left, right)
    if not (one.is_number and other.is_number):
        return _with_moment(operator, left, right)
    kind = common_type(one, other)
    if kind is None:
        raise _no_operator(operator, left, right)
    if kind.name == "decimal":
        return _of_decimals(operator, left, right)
    a, b = coerce(left, kind).sql, coerce(right, kind).sql
    written = "//" if operator == "/" and kind.is_integer else operator
    return combine(kind, f"({a} {written} {b})", left, right)


def _with_unknown(operator: str, left: Value, right: Value) -> Value:
    known = right.type if left.type == UNKNOWN else left.type
    if known != UNKNOWN and not known.is_number:
        raise unsupported(f"{operator} of NULL without a type and {known.show()}: cast the NULL")
    return combine(known, f"CAST(NULL AS {known.duckdb()})", left, right)


def _of_decimals(operator: str, left: Value, right: Value) -> Value:
    one, other = as_decimal(left.type), as_decimal(right.type)
    kind = _decimal_result(operator, one, other)
    a, b = coerce(left, one).sql, coerce(right, other).sql
    shown = kind.duckdb()
    if operator in "+-":
        sql = f"CAST((CAST({a} AS {shown}) {operator} CAST({b} AS {shown})) AS {shown})"
    elif operator == "*" and (one.size or 0) + (other.size or 0) <= _MAX:
        sql = f"CAST(({a} * {b}) AS {shown})"
    else:
        texts = f"CAST({a} AS VARCHAR), CAST({b} AS VARCHAR)"
        names = {"*": f"athena_decimal_multiply({texts}, {kind.scale})", "%": f"athena_decimal_remainder({texts})"}
        sql = f"CAST({names.get(operator, f'athena_decimal_divide({texts}, {kind.scale})')} AS {shown})"
    return combine(kind, sql, left, right)


def _decimal_result(operator: str, one: TrinoType, other: TrinoType) -> TrinoType:
    (p1, s1), (p2, s2) = (one.size or 0, one.scale), (other.size or 0, other.scale)
    scale = max(s1, s2)
    if operator == "*":
        if s1 + s2 > _MAX:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"DECIMAL scale {s1 + s2} must be at most {_MAX}")
        return decimal(min(_MAX, p1 + p2), s1 + s2)
    if operator == "/":
        return decimal(min(_MAX, p1 + s2 + max(s2 - s1, 0)), scale)
    if operator == "%":
        return decimal(max(1, min(p1 - s1, p2 - s2) + scale), scale)
    return decimal(min(_MAX, max(p1 - s1, p2 - s2) + scale + 1), scale)


def _with_moment(operator: str, left: Value, right: Value) -> Value:
    one, other = left.type, right.type
    intervals = (DAYS, MONTHS)
    if operator == "+" and one in intervals and other not in intervals:
        return _with_moment("+", right, left)
    if operator == "*" and other in intervals:
        return _with_moment("*", right, left)
    if one in intervals and other == one and operator in "+-":
        return combine(one, f"({left.sql} {operator} {right.sql})", left, right)
    if one in intervals and operator == "*" and other.is_integer:
        return combine(one, f"({left.sql} * {coerce(right, BIGINT).sql})", left, right)
    if other in intervals and operator in "+-" and (one == DATE or one.name.startswith("timestamp")):
        return _shifted(operator, left, right)
    same = one.name == other.name and (one == DATE or one.name.startswith("timestamp"))
    if operator == "-" and same:
        starts = [f"epoch_ms({cast(value, timestamp(3)).sql if one == DATE else value.sql})" for value in (left, right)]
        return combine(DAYS, f"({starts[0]} - {starts[1]})", left, right)
    raise _no_operator(operator, left, right)


def _shifted(operator: str, moment: Value, interval: Value) -> Value:
    amount = interval.sql if operator == "+" else f"(-{interval.sql})"
    kind = moment.type
    if interval.type == MONTHS:
        return combine(kind, add_sql(moment.sql, kind, amount, "month"), moment, interval)
    if kind != DATE:
        longer = kind if (kind.size or 0) >= 3 else TrinoType(kind.name, size=3, zone=kind.zone)
        return combine(longer, add_sql(moment.sql, kind, amount, "millisecond"), moment, interval)
    wrong = failing(quote("Cannot add hour, minutes or seconds to a date"), DATE)
    later = add_sql(moment.sql, kind, f"({amount} // {_DAY})", "day")
    return combine(DATE, f"CASE WHEN {amount} % {_DAY} <> 0 THEN {wrong} ELSE {later} END", moment, interval)


def negate(value: Value) -> Value:
    """Return `-value`."""
    if not (value.type.is_number or value.type in (DAYS, MONTHS)):
        raise AthenaFailure("TYPE_MISMATCH", f"Cannot negate {value.type.show()}")
    constant = -value.constant if isinstance(value.constant, int | float) else None
    # cast, as DuckDB makes a wider integer of the least one
    sql = f"CAST((-{value.sql}) AS {value.type.duckdb()})"
    return Value(sql, value.type, value.reads, constant, value.aggregates)


def compare(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right`, one of = <> < > <= >=.

    Raises:
        AthenaFailure: TYPE_MISMATCH, they cannot be compared; NOT_SUPPORTED, they can be, but not here.
    """
    left, right = _as_instants(left, right)
    kind = common_type(left.type, right.type)
    if kind is None:
        raise _no_operator(operator, left, right)
    if kind.is_nested:
        return _compare_nested(operator, left, right, kind)
    if kind.name == "json":
        raise unsupported("comparisons of json")
    a, b = coerce(left, kind), coerce(right, kind)
    sql = f"({a.sql} {operator} {b.sql})"
    if kind.is_real:
        sql = _without_nan(operator, a, b)
    return combine(BOOLEAN, sql, left, right)


def _as_instants(left: Value, right: Value) -> tuple[Value, Value]:
    """Take the time zones off two times that both have one: what counts is when they are."""
    if left.type.name != right.type.name or left.type.name != "timestamp with time zone":
        return left, right
    return (
        replace(left, type=replace(left.type, zone=UTC)),
        replace(right, type=replace(right.type, zone=UTC)),
    )


def _without_nan(operator: str, left: Value, right: Value) -> str:
    """Compare as Trino does: nothing but <> is true of NaN, which DuckDB takes for the largest number."""
    doubtful = [value.sql for value in (left, right) if value.constant is None]
    sql = f"({left.sql} {operator} {right.sql})"
    if not doubtful:
        return sql
    if operator == "<>":
        return f"({' OR '.join([sql, *(f'isnan({value})' for value in doubtful)])})"
    return f"({' AND '.join([sql, *(f'NOT isnan({value})' for value in doubtful)])})"


def _compare_nested(operator: str, left: Value, right: Value, kind: TrinoType) -> Value:
    if operator not in {"=", "<>"}:
        raise unsupported(f"{operator} of {kind.show()}")
    a, b = coerce(left, kind), coerce(right, kind)
    if kind.name == "row":
        equal = BOOLEAN_TRUE
        for number, part in enumerate(kind.arguments, 1):
            fields = [Value(field_sql(value.sql, number), part, value.reads) for value in (a, b)]
            equal = combine(BOOLEAN, f"({equal.sql} AND {compare('=', *fields).sql})", a, b)
        missing = f"{a.sql} IS NULL OR {b.sql} IS NULL"
        equal = combine(BOOLEAN, f"CASE WHEN {missing} THEN NULL ELSE {equal.sql} END", a, b)
        return equal if operator == "=" else combine(BOOLEAN, f"(NOT {equal.sql})", a, b)
    if kind.name != "array" or kind.element.is_nested or kind.element.is_real or kind.element.name == "json":
        raise unsupported(f"comparisons of {kind.show()}")
    refused = failing(
        quote("the embedded Athena does not run comparisons of arrays that hold NULL"), BOOLEAN, "NOT_SUPPORTED"
    )
    holds_null = f"athena_among(list_concat({a.sql}, {b.sql}), NULL)"
    sql = (
        f"CASE WHEN len({a.sql}) <> len({b.sql}) THEN {operator == '<>'} WHEN {holds_null} THEN {refused}"
        f" ELSE {a.sql} {operator} {b.sql} END"
    )
    return combine(BOOLEAN, sql, left, right)


BOOLEAN_TRUE = Value("true", BOOLEAN, constant=True)


def distinct_from(left: Value, right: Value, *, negated: bool) -> Value:
    """Return `left IS [NOT] DISTINCT FROM right`."""
    kind = common_type(left.type, right.type)
    if kind is None:
        raise _no_operator("IS DISTINCT FROM", left, right)
    if kind.name in {"json", "map"}:
        raise unsupported(f"IS DISTINCT FROM of {kind.show()}")
    a, b = coerce(left, kind), coerce(right, kind)
    words = "IS NOT DISTINCT FROM" if negated else "IS DISTINCT FROM"
    return combine(BOOLEAN, f"({a.sql} {words} {b.sql})", left, right)


def member(value: Value, items: Sequence[Value]) -> Value:
    """Return `value IN (items)`."""
    value, *items = unify([value, *items], "IN value and list items must be the same type")
    if value.type.is_nested or value.type.is_real:
        found = [compare("=", value, item) for item in items]
        return combine(BOOLEAN, "(" + " OR ".join(one.sql for one in found) + ")", value, *items)
    if value.type.name == "json":
        raise unsupported("comparisons of json")
    return combine(BOOLEAN, f"({value.sql} IN ({', '.join(item.sql for item in items)}))", value, *items)


def like(value: Value, pattern: Value, escape: Value | None) -> Value:
    """Return `value LIKE pattern [ESCAPE escape]`.

    Raises:
        AthenaFailure: TYPE_MISMATCH, not text; INVALID_FUNCTION_ARGUMENT, the pattern is none.
    """
    for part in (value, pattern, *([escape] if escape else [])):
        if part.type.name not in {"varchar", "unknown"}:
            raise AthenaFailure(
                "TYPE_MISMATCH", f"Left side of LIKE expression must evaluate to a varchar (actual: {part.type.show()})"
            )
    a, b = coerce(value, VARCHAR), coerce(pattern, VARCHAR)
    if escape is None:
        return combine(BOOLEAN, f"({a.sql} LIKE {b.sql})", value, pattern)
    _check_escapes(pattern, escape)
    return combine(BOOLEAN, f"({a.sql} LIKE {b.sql} ESCAPE {escape.sql})", value, pattern)


def _check_escapes(pattern: Value, escape: Value) -> None:
    letter, text = escape.constant, pattern.constant
    if not isinstance(letter, str) or not isinstance(text, str):
        raise unsupported("LIKE with ESCAPE and a pattern that is no literal")
    if len(letter) != 1:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", "Escape string must be a single character")
    place = text.find(letter)
    while place >= 0:
        if text[place + 1 : place + 2] not in {"%", "_", letter}:
            raise AthenaFailure(
                "INVALID_FUNCTION_ARGUMENT",
                "Escape character must be followed by '%', '_' or the escape character itself",
            )
        place = text.find(letter, place + 2)


def concatenate(left: Value, right: Value) -> Value:
    """Return `left || right` for text; arrays are another function's matter.

    Raises:
        AthenaFailure: TYPE_MISMATCH, they are no texts.
    """
    if left.type.name == right.type.name == "varbinary":
        return combine(left.type, f"({left.sql} || {right.sql})", left, right)
    if {left.type.name, right.type.name} <= {"varchar", "unknown"}:
        a, b = coerce(left, VARCHAR), coerce(right, VARCHAR)
        return combine(VARCHAR, f"({a.sql} || {b.sql})", left, right)
    raise _no_operator("||", left, right)


def as_condition(value: Value, where: str) -> Value:
    """Return a value that has to be a boolean.

    Raises:
        AthenaFailure: TYPE_MISMATCH, it is none.
    """
    if value.type not in (BOOLEAN, UNKNOWN):
        raise AthenaFailure("TYPE_MISMATCH", f"{where} must evaluate to a boolean: actual type {value.type.show()}")
    return coerce(value, BOOLEAN)


def _no_operator(operator: str, left: Value, right: Value) -> AthenaFailure:
    shown = f"{left.type.show()} {operator} {right.type.show()}"
    return AthenaFailure("TYPE_MISMATCH", f"Cannot apply operator: {shown}")
