"""CAST, and what Trino turns into another type by itself.

Source: https://trino.io/docs/current/functions/conversion.html; `io.trino.type` for what each cast accepts.
"""

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.types import (
    UNKNOWN,
    UTC,
    TrinoType,
    coerces,
    field_sql,
    row_sql,
)
from local_stage.athena.values import Value, quote

_TO_BOOLEAN = frozenset({"tinyint", "smallint", "integer", "bigint", "real", "double", "decimal"})


def coerce(value: Value, wanted: TrinoType) -> Value:
    """Return a value as one of a type that Trino turns it into without being asked.

    Raises:
        AthenaFailure: TYPE_MISMATCH, it does not.
    """
    if value.type == wanted:
        return value
    if not coerces(value.type, wanted):
        raise AthenaFailure("TYPE_MISMATCH", f"Cannot cast {value.type.show()} to {wanted.show()}")
    if value.type.name == wanted.name == "varchar":
        return Value(value.sql, wanted, value.reads, value.constant, value.aggregates)
    return Value(cast_sql(value.sql, value.type, wanted), wanted, value.reads, value.constant, value.aggregates)


def cast(value: Value, wanted: TrinoType) -> Value:
    """Return a value under CAST.

    Raises:
        AthenaFailure: TYPE_MISMATCH, there is no such cast.
    """
    return value.typed(cast_sql(value.sql, value.type, wanted), wanted)


def failing(message: str, kind: TrinoType, code: str = "INVALID_FUNCTION_ARGUMENT") -> str:
    """Return an expression that fails; `message` is DuckDB's text of what it says."""
    return f"CAST(athena_fail('{code}', {message}) AS {kind.duckdb()})"


def cast_sql(sql: str, given: TrinoType, wanted: TrinoType) -> str:
    """Return DuckDB's text of a cast."""
    if given == wanted:
        return sql
    if given == UNKNOWN:
        return f"CAST(NULL AS {wanted.duckdb()})"
    if given.name == wanted.name and given.is_nested:
        return _cast_nested(sql, given, wanted)
    if given.name == "json" or wanted.name == "json":
        return _cast_json(sql, given, wanted)
    known = _CASTS.get(wanted.name)
    found = known(sql, given, wanted) if known else None
    if found is None:
        raise AthenaFailure("TYPE_MISMATCH", f"Cannot cast {given.show()} to {wanted.show()}")
    return found


def _plain(sql: str, wanted: TrinoType) -> str:
    return f"CAST({sql} AS {wanted.duckdb()})"


def _to_integer(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.is_integer or given.name in {"decimal", "boolean"}:
        return _plain(sql, wanted)
    if given.is_real:
        return _plain(f"round({sql})", wanted)  # DuckDB's own cast rounds halves to even
    return _plain(f"athena_integer_text({sql}, '{wanted.name}')", wanted) if given.name == "varchar" else None


def _to_real(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.name == "varchar":
        return _plain(f"athena_double_of_text({sql}, '{wanted.name}')", wanted)
    return _plain(sql, wanted) if given.is_number or given.name == "boolean" else None


def _to_decimal(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.is_integer or given.name == "decimal":
        return _plain(sql, wanted)
    if given.name == "boolean":
        return _plain(f"CAST({sql} AS INTEGER)", wanted)
    if given.is_real:
        sql = f"athena_{given.name}_text({sql})"
    elif given.name != "varchar":
        return None
    return _plain(f"athena_decimal_of_text({sql}, {wanted.size}, {wanted.scale}, '{given.name}')", wanted)


def _to_boolean(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    del wanted
    if given.name in _TO_BOOLEAN:
        return f"({sql} <> 0)"
    return f"athena_boolean_of_text({sql})" if given.name == "varchar" else None


def _to_varchar(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.name == "varchar":
        return sql if wanted.size is None or coerces(given, wanted) else f"left({sql}, {wanted.size})"
    text = _text(sql, given)
    if text is None or wanted.size is None:
        return text
    message = f"'Value ' || {text} || ' cannot be represented as {wanted.show()}'"
    failure = failing(message, wanted, "INVALID_CAST_ARGUMENT")
    return f"CASE WHEN length({text}) > {wanted.size} THEN {failure} ELSE {text} END"


def _text(sql: str, given: TrinoType) -> str | None:
    if given.is_real:
        return f"athena_{given.name}_text({sql})"
    if given.name in {"timestamp", "timestamp with time zone"}:
        shown = f"athena_timestamp_text({local_sql(sql, given)}, {given.size})"
        return shown if given.name == "timestamp" else f"({shown} || {quote(' ' + given.zone)})"
    if given.name == "interval day to second":
        return f"athena_days_text({sql})"
    if given.name == "interval year to month":
        return f"athena_months_text({sql})"
    plain = given.is_integer or given.name in {"boolean", "date", "decimal", "uuid"}
    return f"CAST({sql} AS VARCHAR)" if plain else None


def local_sql(sql: str, given: TrinoType) -> str:
    """Return the local time of a moment: what the clock of its time zone shows."""
    if given.name != "timestamp with time zone" or given.zone == "UTC":
        return sql
    return f"timezone({quote(given.zone)}, timezone('UTC', {sql}))"


def instant_sql(sql: str, zone: str) -> str:
    """Return the instant, in UTC, at which the clock of a time zone shows a local time."""
    return sql if zone == "UTC" else f"timezone('UTC', timezone({quote(zone)}, {sql}))"


def _to_date(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.name in {"timestamp", "timestamp with time zone"}:
        return _plain(local_sql(sql, given), wanted)
    return f"athena_date_of_text({sql})" if given.name == "varchar" else None


def _to_timestamp(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.name == "date":
        return _plain(sql, wanted)
    if given.name in {"timestamp", "timestamp with time zone"}:
        local = local_sql(sql, given)
        return local if (given.size or 0) <= (wanted.size or 0) else f"athena_round_timestamp({local}, {wanted.size})"
    return f"athena_timestamp_of_text({sql}, {wanted.size})" if given.name == "varchar" else None


def _to_zoned(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    if given.name == "timestamp with time zone":
        if wanted.zone not in {given.zone, UTC}:
            raise unsupported(f"values with time zones {given.zone} and {wanted.zone} in one place")
        finer = (given.size or 0) <= (wanted.size or 0)
        return sql if finer else f"athena_round_timestamp({sql}, {wanted.size})"
    if given.name in {"date", "timestamp"}:
        local = _to_timestamp(sql, given, TrinoType("timestamp", size=wanted.size))
        return None if local is None else instant_sql(local, wanted.zone)
    if given.name == "varchar":
        raise unsupported("a cast from varchar to timestamp with time zone: write it as a literal")
    return None


def _to_time(sql: str, given: TrinoType, wanted: TrinoType) -> str | None:
    return _plain(local_sql(sql, given), wanted) if given.name.startswith("timestamp") else None


def _cast_nested(sql: str, given: TrinoType, wanted: TrinoType) -> str:
    if given.name == "array":
        inner = cast_sql("e", given.element, wanted.element)
        if inner == "e" and given.element.duckdb() == wanted.element.duckdb():
            return sql
        if given.element == UNKNOWN:
            return f"CAST({sql} AS {wanted.duckdb()})"
        return f"list_transform({sql}, lambda e: {inner})"
    if given.name == "map":
        (key, item), (wanted_key, wanted_item) = given.arguments, wanted.arguments
        if UNKNOWN in (key, item):
            return f"CAST({sql} AS {wanted.duckdb()})"
        keys = f"list_transform(map_keys({sql}), lambda e: {cast_sql('e', key, wanted_key)})"
        items = f"list_transform(map_values({sql}), lambda e: {cast_sql('e', item, wanted_item)})"
        return f"CASE WHEN {sql} IS NOT NULL THEN map({keys}, {items}) END"
    if len(given.arguments) != len(wanted.arguments):
        raise AthenaFailure("TYPE_MISMATCH", f"Cannot cast {given.show()} to {wanted.show()}")
    parts = zip(given.arguments, wanted.arguments, strict=True)
    fields = [cast_sql(field_sql(sql, number), one, other) for number, (one, other) in enumerate(parts, 1)]
    return f"CASE WHEN {sql} IS NOT NULL THEN {row_sql(fields)} END"


def _cast_json(sql: str, given: TrinoType, wanted: TrinoType) -> str:
    if wanted.name == "json":
        return _json_text(sql, given)
    scalar = f"athena_json_scalar_value({sql}, {quote(wanted.show())})"
    if wanted.name in {"array", "map", "row"}:
        return _json_to_nested(sql, wanted)
    if wanted.name in {"varchar", "boolean", "double", "real"} or wanted.is_integer or wanted.name == "decimal":
        return cast_sql(scalar, TrinoType("varchar"), wanted) if wanted.name != "varchar" else scalar
    raise AthenaFailure("TYPE_MISMATCH", f"Cannot cast json to {wanted.show()}")


def _json_to_nested(sql: str, wanted: TrinoType) -> str:
    if wanted.name == "array":
        inner = _from_json_part("e", wanted.element)
        return f"list_transform(athena_json_items({sql}, {quote(wanted.show())}), lambda e: {inner})"
    if wanted.name == "map" and wanted.arguments[0].name == "varchar":
        entries = f"athena_json_entries({sql}, {quote(wanted.show())})"
        items = f"list_transform(map_values({entries}), lambda e: {_from_json_part('e', wanted.element)})"
        return f"CASE WHEN {entries} IS NOT NULL THEN map(map_keys({entries}), {items}) END"
    raise unsupported(f"a cast from json to {wanted.show()}")


def _from_json_part(sql: str, wanted: TrinoType) -> str:
    return sql if wanted.name == "json" else _cast_json(sql, TrinoType("json"), wanted)


def _json_text(sql: str, given: TrinoType) -> str:
    """Return the JSON text of a value; SQL's NULL stays NULL."""
    if given.name == "json":
        return sql
    if given.name == "varchar" or given.name.startswith(("date", "timestamp")):
        return f"athena_json_string({cast_sql(sql, given, TrinoType('varchar'))})"
    if given.is_real:
        return f"athena_json_double(CAST({sql} AS DOUBLE))" if given.name == "double" else _refuse_json(given)
    if given.is_integer or given.name in {"boolean", "decimal"}:
        return f"CAST({sql} AS VARCHAR)"
    if given == UNKNOWN:
        return "CAST(NULL AS VARCHAR)"
    if given.name == "array":
        return f"athena_json_array(list_transform({sql}, lambda j: {_json_text('j', given.element)}))"
    if given.name == "map" and given.arguments[0].name == "varchar":
        values = f"list_transform(map_values({sql}), lambda j: {_json_text('j', given.element)})"
        return f"athena_json_object(map_keys({sql}), {values}, true)"
    if given.name == "row":
        names = ", ".join(quote(field or "") for field in given.fields)
        parts = enumerate(given.arguments, 1)
        values = ", ".join(_json_text(field_sql(sql, number), kind) for number, kind in parts)
        return f"CASE WHEN {sql} IS NOT NULL THEN athena_json_object([{names}], [{values}], false) END"
    return _refuse_json(given)


def _refuse_json(given: TrinoType) -> str:
    raise unsupported(f"a cast from {given.show()} to json")


_CASTS = {
    "bigint": _to_integer,
    "boolean": _to_boolean,
    "date": _to_date,
    "decimal": _to_decimal,
    "double": _to_real,
    "integer": _to_integer,
    "real": _to_real,
    "smallint": _to_integer,
    "time": _to_time,
    "timestamp": _to_timestamp,
    "timestamp with time zone": _to_zoned,
    "tinyint": _to_integer,
    "varchar": _to_varchar,
}
