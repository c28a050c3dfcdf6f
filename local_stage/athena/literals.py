"""Values as they are written in a query: numbers, texts with their type before them, intervals, times.

Source: https://trino.io/docs/current/language/types.html
"""

from dataclasses import replace

from sqlglot import exp

from local_stage.athena.casts import cast, coerce, instant_sql
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.json_values import parse_json
from local_stage.athena.moment_functions import check_zone
from local_stage.athena.moments import read_timestamp
from local_stage.athena.types import (
    BIGINT,
    DATE,
    DAYS,
    DOUBLE,
    INTEGER,
    JSON,
    MONTHS,
    VARBINARY,
    VARCHAR,
    TrinoType,
    decimal,
    from_sqlglot,
    timestamp,
    zoned,
)
from local_stage.athena.values import Value, quote

_INTERVALS = {
    "SECOND": (DAYS, 1000),
    "MINUTE": (DAYS, 60_000),
    "HOUR": (DAYS, 3_600_000),
    "DAY": (DAYS, 86_400_000),
    "MONTH": (MONTHS, 1),
    "YEAR": (MONTHS, 12),
}


def typed_literal(text: object, kind: TrinoType) -> Value:
    """Return a text as a value of the type that is written before it."""
    if not isinstance(text, str):
        raise AthenaFailure("SYNTAX_ERROR", "a typed literal has to be a text")
    if kind.name in {"timestamp", "timestamp with time zone"}:
        return moment_literal(text)
    if kind.name == "decimal":
        return decimal_literal(text)
    if kind == JSON:
        return Value(quote(parse_json(text)), JSON)
    if kind.name == "time":
        raise unsupported("TIME literals")
    value = Value(quote(text), VARCHAR, constant=text)
    constant = int(text) if kind.is_integer and text.lstrip("+-").isdigit() else text
    return replace(cast(value, kind), constant=constant if kind != DATE else None)


def interval_literal(node: exp.Expr, text: object) -> Value:
    """Return an interval of one unit; `text` is its size."""
    unit = node.args.get("unit")
    if not isinstance(text, str) or not isinstance(unit, exp.Var) or unit.name.upper() not in _INTERVALS:
        raise unsupported(f"the interval {node.sql('trino')}")
    kind, size = _INTERVALS[unit.name.upper()]
    digits = text.strip()
    if not digits.lstrip("+-").isdigit():
        raise unsupported(f"the interval {node.sql('trino')}")
    return Value(f"CAST({int(digits) * size} AS BIGINT)", kind)


def bytes_literal(node: exp.Expr) -> Value:
    """Return bytes that are written in hexadecimal digits."""
    try:
        shown = "".join(f"\\x{byte:02X}" for byte in bytes.fromhex(node.this))
    except ValueError:
        raise AthenaFailure("SYNTAX_ERROR", f"Binary literal is not valid: X'{node.this}'") from None
    return Value(f"CAST('{shown}' AS BLOB)", VARBINARY)


def number_literal(text: str) -> Value:
    """Return a number as it is written.

    Raises:
        AthenaFailure: INVALID_LITERAL, it is beyond bigint.
    """
    if "e" in text.lower():
        return Value(f"CAST('{text}' AS DOUBLE)", DOUBLE, constant=float(text))
    if "." in text:
        return decimal_literal(text)
    number = int(text)
    if -(2**31) <= number < 2**31:
        return Value(f"CAST({number} AS INTEGER)", INTEGER, constant=number)
    if -(2**63) <= number < 2**63:
        return Value(f"CAST({number} AS BIGINT)", BIGINT, constant=number)
    raise AthenaFailure("INVALID_LITERAL", f"Invalid numeric literal: {text}")


def decimal_literal(text: str) -> Value:
    """Return a decimal of as many digits as are written."""
    whole, _, fraction = text.lstrip("+-").partition(".")
    if not (whole + fraction).isdigit() or not (whole + fraction).isascii():
        raise AthenaFailure("INVALID_LITERAL", f"Invalid decimal literal: {text}")
    precision = len(whole) + len(fraction)
    if precision > 38:
        raise AthenaFailure("INVALID_LITERAL", f"Invalid decimal literal: {text}: more than 38 digits")
    kind = decimal(precision, len(fraction))
    return Value(f"CAST('{text}' AS {kind.duckdb()})", kind, constant=float(text))


def literal_type(kind: exp.DataType) -> TrinoType:
    """Return the type before a literal; that of a timestamp follows from its digits."""
    if kind.this in {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPLTZ}:
        return timestamp(0)
    return from_sqlglot(kind)


def moment_literal(text: str) -> Value:
    """Return a timestamp with as many digits as are written, with a time zone where there is one."""
    moment, digits, zone = read_timestamp(text)
    sql = f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP)"
    if zone is None:
        return Value(sql, timestamp(digits))
    name = check_zone(zone)
    return Value(instant_sql(sql, name), zoned(digits, name))


def in_zone(moment: Value, zone: str) -> Value:
    """Return a moment with another time zone; one without is taken to be in UTC."""
    if moment.type == DATE:
        moment = coerce(moment, timestamp(0))
    if not moment.type.name.startswith("timestamp"):
        raise AthenaFailure("TYPE_MISMATCH", f"Type of value must be a time or timestamp (actual {moment.type.show()})")
    return moment.typed(moment.sql, zoned(moment.type.size or 0, zone))
