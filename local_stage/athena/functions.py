"""Which functions mean the same in DuckDB as in Trino, and how the others are made to.

A function that stands in none of these lists is refused by name: a different answer would be worse than none.
Source: https://trino.io/docs/current/functions.html
"""

import decimal
from typing import Any

import duckdb
from sqlglot import exp

SAME: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Abs,
        exp.And,
        exp.AnyValue,
        exp.ApproxDistinct,
        exp.ApproxQuantile,
        exp.ArgMax,
        exp.ArgMin,
        exp.Array,
        exp.ArrayAgg,
        exp.ArrayConcat,
        exp.ArrayContains,
        exp.ArrayDistinct,
        exp.ArrayFilter,
        exp.ArrayMax,
        exp.ArrayMin,
        exp.ArraySize,
        exp.ArrayToString,
        exp.Avg,
        exp.Case,
        exp.Ceil,
        exp.Chr,
        exp.Coalesce,
        exp.Concat,
        exp.Corr,
        exp.Count,
        exp.CountIf,
        exp.CumeDist,
        exp.CurrentDate,
        exp.CurrentTimestamp,
        exp.Date,
        exp.Day,
        exp.DayOfMonth,
        exp.DayOfWeekIso,
        exp.DayOfYear,
        exp.DenseRank,
        exp.Exists,
        exp.Exp,
        exp.Extract,
        exp.FirstValue,
        exp.Floor,
        exp.FromISO8601Timestamp,
        exp.GenerateSeries,
        exp.Greatest,
        exp.GroupConcat,
        exp.Grouping,
        exp.Hour,
        exp.If,
        exp.Lag,
        exp.LastValue,
        exp.Lead,
        exp.Least,
        exp.Length,
        exp.Levenshtein,
        exp.Ln,
        exp.Log,
        exp.LogicalAnd,
        exp.LogicalOr,
        exp.Lower,
        exp.Map,
        exp.MapFromEntries,
        exp.MapKeys,
        exp.Max,
        exp.Min,
        exp.Minute,
        exp.Month,
        exp.NthValue,
        exp.Ntile,
        exp.Nullif,
        exp.Or,
        exp.Pad,
        exp.PercentRank,
        exp.Pow,
        exp.Quarter,
        exp.Rand,
        exp.Rank,
        exp.RegexpLike,
        exp.Replace,
        exp.Reverse,
        exp.Round,
        exp.RowNumber,
        exp.Second,
        exp.Sign,
        exp.Sqrt,
        exp.StartsWith,
        exp.Stddev,
        exp.StddevPop,
        exp.StddevSamp,
        exp.StrPosition,
        exp.StrToTime,
        exp.Sum,
        exp.TimeToStr,
        exp.TimeToUnix,
        exp.Transform,
        exp.Trim,
        exp.Trunc,
        exp.Try,
        exp.UnixToTime,
        exp.Unnest,
        exp.Upper,
        exp.Variance,
        exp.VariancePop,
        exp.Week,
        exp.WeekOfYear,
        exp.Year,
    }
)

MACROS = (
    """athena_item(list, i) AS CASE
        WHEN i IS NULL OR list IS NULL THEN NULL
        WHEN i = 0 THEN error('SQL array indices start at 1')
        WHEN i < 0 THEN error('Array subscript is negative: ' || i)
        WHEN i > len(list)
        THEN error('Array subscript must be less than or equal to array length: ' || i || ' > ' || len(list))
        ELSE list[i] END""",
    """athena_value(map, key) AS CASE
        WHEN key IS NULL OR map IS NULL THEN NULL
        WHEN map_contains(map, key) THEN map[key]
        ELSE error('Key not present in map: ' || key) END""",
    """athena_element(list, i) AS CASE
        WHEN i = 0 THEN error('SQL array indices start at 1')
        ELSE list_extract(list, i) END""",
    """athena_entry(map, key) AS map[key]""",
    """athena_substring(text, start) AS CASE
        WHEN start = 0 OR abs(start) > length(text) THEN '' ELSE substring(text, start) END""",
    """athena_substring_of(text, start, size) AS CASE
        WHEN start = 0 OR size <= 0 OR abs(start) > length(text) THEN '' ELSE substring(text, start, size) END""",
    """athena_split_part(text, separator, i) AS CASE
        WHEN i < 1 THEN error('Index must be greater than zero')
        ELSE string_split(text, separator)[i] END""",
    """athena_regexp_extract(text, pattern, g) AS CASE
        WHEN regexp_matches(text, pattern) THEN regexp_extract(text, pattern, g) END""",
    """athena_json_scalar(document, path) AS CASE
        WHEN json_type(document, path) IN ('OBJECT', 'ARRAY') THEN NULL ELSE json_extract_string(document, path) END""",
    """athena_integer_text(text) AS CASE
        WHEN text IS NULL OR regexp_full_match(text, '[+-]?[0-9]+') THEN text
        ELSE error('Cannot cast ''' || text || ''' to INT') END""",
    """athena_integer_text_or_null(text) AS CASE WHEN regexp_full_match(text, '[+-]?[0-9]+') THEN text END""",
    """athena_timestamp_text(t) AS strftime(t, '%Y-%m-%d %H:%M:%S.%g')""",
)


def define_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection the functions that a translated query may call."""
    for macro in MACROS:
        connection.execute(f"CREATE MACRO {macro}")
    text: Any = "VARCHAR"
    connection.create_function("athena_double_text", double_text, ["DOUBLE"], text)
    connection.create_function(
        "athena_decimal_divide",
        divide_decimals,
        ["VARCHAR", "VARCHAR", "INTEGER"],
        text,
    )


def double_text(value: float) -> str:
    """Return a double as Trino (and so Java) writes it.

    Source: https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)

    >>> [double_text(value) for value in (1.0, 0.001, 1e7, 1.5e-5, float("inf"), -0.0)]
    ['1.0', '0.001', '1.0E7', '1.5E-5', 'Infinity', '-0.0']
    """
    if value != value:  # noqa: PLR0124 - the one value that is not itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        shown = format(decimal.Decimal(repr(value)), "f")
        return shown if "." in shown else f"{shown}.0"
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, digits))
    power = int(exponent) + len(shown) - 1
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"


def divide_decimals(dividend: str, divisor: str, scale: int) -> str:
    """Return the quotient of two decimals with `scale` digits, half away from zero, as Trino does.

    >>> divide_decimals("1.0", "3", 1), divide_decimals("-5", "2.0", 0)
    ('0.3', '-3')
    """
    with decimal.localcontext(decimal.Context(prec=80)):
        if not decimal.Decimal(divisor):
            raise ZeroDivisionError("Division by zero")
        quotient = decimal.Decimal(dividend) / decimal.Decimal(divisor)
        return str(quotient.quantize(decimal.Decimal(1).scaleb(-scale), rounding=decimal.ROUND_HALF_UP))
