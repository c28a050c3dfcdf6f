"""Functions of dates, times and intervals: Trino's forms, and DuckDB's text for each.

Source: https://trino.io/docs/current/functions/datetime.html
"""

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_stage.athena.casts import cast_sql, instant_sql, local_sql
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.scalar_functions import Table
from local_stage.athena.signatures import Render
from local_stage.athena.types import DATE, UTC, TrinoType, timestamp
from local_stage.athena.values import Value, quote

_MILLISECONDS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_OF_DATES = ("day", "week", "month", "quarter", "year")
_OF_LOCAL_TIME = frozenset(_OF_DATES)
_MOMENTS = ("date", "timestamp(p)", "timestamp with time zone(p)")


def zone_of(value: Value) -> str:
    """Return the time zone that a value names.

    Raises:
        AthenaFailure: there is none of this name, or the query does not say which.
    """
    if not isinstance(value.constant, str):
        raise unsupported("a time zone that is no literal")
    return check_zone(value.constant)


def check_zone(name: str) -> str:
    """Return a time zone's name if there is such a zone.

    Raises:
        AthenaFailure: INVALID_FUNCTION_ARGUMENT, there is none; NOT_SUPPORTED, it is an offset.
    """
    if name in {UTC, "Z", "+00:00"}:
        return UTC
    if name[:1] in "+-":
        raise unsupported(f"the time zone {name}, which is an offset")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"'{name}' is not a valid time zone") from None
    return name


def _unit(value: Value, kind: TrinoType) -> str:
    if not isinstance(value.constant, str):
        raise unsupported("a unit of time that is no literal")
    unit = value.constant.lower()
    known = _OF_DATES if kind == DATE else (*_MILLISECONDS, *_MONTHS)
    if unit not in known:
        raise AthenaFailure(
            "INVALID_FUNCTION_ARGUMENT",
            f"'{value.constant}' is not a valid {'DATE' if kind == DATE else 'TIMESTAMP'} field",
        )
    return unit


def _local(value: Value) -> str:
    return local_sql(value.sql, value.type)


def _part(template: str) -> list[tuple[str, Render]]:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        del result
        return f"CAST({template.format(_local(values[0]))} AS BIGINT)"

    return [(f"{kind} -> bigint", render) for kind in _MOMENTS]


def _same(render: Callable[[Sequence[Value], TrinoType], str], given: str, place: int = 0) -> list[tuple[str, Render]]:
    """Give a form for each kind of moment, which is also the result."""
    del place
    return [(f"{given.format(kind)} -> {kind}", render) for kind in _MOMENTS]


def _date_trunc(values: Sequence[Value], result: TrinoType) -> str:
    unit = _unit(values[0], result)
    truncated = f"CAST(date_trunc('{unit}', {_local(values[1])}) AS {result.duckdb()})"
    return truncated if result == DATE else instant_sql(truncated, result.zone)


def _date_add(values: Sequence[Value], result: TrinoType) -> str:
    unit, amount = _unit(values[0], result), values[1].sql
    return add_sql(values[2].sql, result, amount, unit)


def add_sql(moment: str, kind: TrinoType, amount: str, unit: str) -> str:
    """Return a moment some units later."""
    if unit in _MONTHS:
        step = f"to_months(CAST({amount} * {_MONTHS[unit]} AS INTEGER))"
    elif unit in {"day", "week"}:
        step = f"to_days(CAST({amount} * {7 if unit == 'week' else 1} AS INTEGER))"
    else:
        return f"({moment} + to_milliseconds({amount} * {_MILLISECONDS[unit]}))"
    if kind == DATE:
        return f"CAST({moment} + {step} AS DATE)"
    if kind.name == "timestamp" or kind.zone == UTC:
        return f"({moment} + {step})"
    return instant_sql(f"({local_sql(moment, kind)} + {step})", kind.zone)


def _date_diff(values: Sequence[Value], result: TrinoType) -> str:
    del result
    kind = values[1].type
    unit = _unit(values[0], kind)
    start, end = (
        cast_sql(_local(value), DATE, timestamp(0))
        if kind == DATE
        else _local(value)
        if unit in _OF_LOCAL_TIME
        else value.sql
        for value in values[1:]
    )
    if unit in _MILLISECONDS:
        return f"((epoch_us({end}) - epoch_us({start})) // {_MILLISECONDS[unit] * 1000})"
    return f"athena_date_diff('{unit}', {start}, {end})"


def _from_unixtime(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return f"make_timestamp(CAST(floor({values[0].sql} * 1000 + 0.5) AS BIGINT) * 1000)"


def _to_iso8601(values: Sequence[Value], result: TrinoType) -> str:
    del result
    kind = values[0].type
    if kind == DATE:
        return f"CAST({values[0].sql} AS VARCHAR)"
    if kind.zone != UTC:
        raise unsupported(f"to_iso8601 of times in {kind.zone}")
    shown = f"replace(athena_timestamp_text({values[0].sql}, {kind.size}), ' ', 'T')"
    return f"({shown} || 'Z')" if kind.name == "timestamp with time zone" else shown


def _format(name: str) -> list[tuple[str, Render]]:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        del result
        return f"athena_{name}({_local(values[0])}, {values[1].sql})"

    return [(f"{kind}, varchar -> varchar", render) for kind in _MOMENTS[1:]]


def _to_unixtime(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return f"(epoch_us({values[0].sql}) / CAST(1000000 AS DOUBLE))"


def _last_day(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return f"last_day({_local(values[0])})"


def _to_date(values: Sequence[Value], result: TrinoType) -> str:
    return cast_sql(values[0].sql, values[0].type, result)


def _timezone_text(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return f"CASE WHEN {values[0].sql} IS NOT NULL THEN {quote(values[0].type.zone)} END"


MOMENT_FUNCTIONS: Table = {
    "current_timezone": [("-> varchar", quote(UTC))],
    "date": [(f"{kind} -> date", _to_date) for kind in (*_MOMENTS, "varchar")],
    "date_add": _same(_date_add, "varchar, bigint, {}"),
    "date_diff": [(f"varchar, {kind}, {kind} -> bigint", _date_diff) for kind in _MOMENTS],
    "date_format": _format("mysql_format"),
    "date_parse": [("varchar, varchar -> timestamp(3)", "athena_mysql_parse({0}, {1})")],
    "date_trunc": _same(_date_trunc, "varchar, {}"),
    "day": _part("day({})"),
    "day_of_week": _part("isodow({})"),
    "day_of_year": _part("dayofyear({})"),
    "format_datetime": _format("java_format"),
    "from_iso8601_date": [("varchar -> date", "athena_iso_date({0})")],
    "from_iso8601_timestamp": [("varchar -> timestamp with time zone(3)", "athena_iso_timestamp({0})")],
    "from_unixtime": [("double -> timestamp with time zone(3)", _from_unixtime)],
    "hour": _part("hour({})"),
    "human_readable_seconds": [("double -> varchar", "athena_readable_seconds({0})")],
    "last_day_of_month": [(f"{kind} -> date", _last_day) for kind in _MOMENTS],
    "millisecond": _part("(millisecond({}) % 1000)"),
    "minute": _part("minute({})"),
    "month": _part("month({})"),
    "parse_datetime": [("varchar, varchar -> timestamp with time zone(3)", "athena_java_parse({0}, {1})")],
    "parse_duration": [("varchar -> interval day to second", "athena_parse_duration({0})")],
    "quarter": _part("quarter({})"),
    "second": _part("second({})"),
    "timezone": [("timestamp with time zone(p) -> varchar", _timezone_text)],
    "to_iso8601": [(f"{kind} -> varchar", _to_iso8601) for kind in _MOMENTS],
    "to_milliseconds": [("interval day to second -> bigint", "{0}")],
    "to_unixtime": [("timestamp(p) -> double", _to_unixtime), ("timestamp with time zone(p) -> double", _to_unixtime)],
    "week": _part("week({})"),
    "year": _part("year({})"),
    "year_of_week": _part("isoyear({})"),
}
for _alias, _name in {
    "day_of_month": "day",
    "dow": "day_of_week",
    "doy": "day_of_year",
    "week_of_year": "week",
    "yow": "year_of_week",
}.items():
    MOMENT_FUNCTIONS[_alias] = MOMENT_FUNCTIONS[_name]
EXTRACTED = frozenset(
    {"year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy"}
    | {"year_of_week", "yow", "hour", "minute", "second"}
)
