"""The functions that a translated query calls in DuckDB, besides DuckDB's own.

What a function written in Python refuses is noted and fails the query even within TRY, for TRY would make it a NULL.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import duckdb

from local_stage.athena import json_values, moment_patterns, moments, number_text, regexps, text_values
from local_stage.athena.failures import NOT_SUPPORTED, AthenaFailure

_CALLED = re.compile(r"athena_(\w+)\(")

MACROS = (
    """athena_among(list, item) AS coalesce(list_contains(list, item), false)
        OR (item IS NULL AND len(list_filter(list, lambda m: m IS NULL)) > 0)""",
    """athena_any(matches) AS CASE
        WHEN matches IS NULL THEN NULL
        WHEN list_contains(matches, true) THEN true
        WHEN len(list_filter(matches, lambda m: m IS NULL)) > 0 THEN NULL
        ELSE false END""",
    """athena_contains(list, item) AS CASE
        WHEN list IS NULL OR item IS NULL THEN NULL
        WHEN list_contains(list, item) THEN true
        WHEN len(list_filter(list, lambda m: m IS NULL)) > 0 THEN NULL
        ELSE false END""",
    """athena_overlap(one, other) AS CASE
        WHEN one IS NULL OR other IS NULL THEN NULL
        WHEN list_has_any(one, other) THEN true
        WHEN len(one) > 0 AND len(other) > 0
            AND len(list_filter(list_concat(one, other), lambda m: m IS NULL)) > 0 THEN NULL
        ELSE false END""",
    """athena_distinct(list) AS CASE WHEN list IS NOT NULL THEN
        list_filter(list, lambda m, i: i = 1 OR NOT athena_among(list[:i - 1], m)) END""",
    """athena_substring(text, start) AS CASE
        WHEN text IS NULL OR start IS NULL THEN NULL
        WHEN start = 0 OR abs(start) > length(text) THEN '' ELSE substring(text, start) END""",
    """athena_substring_of(text, start, size) AS CASE
        WHEN text IS NULL OR start IS NULL OR size IS NULL THEN NULL
        WHEN start = 0 OR size <= 0 OR abs(start) > length(text) THEN ''
        WHEN start > 0 THEN substring(text, start, size)
        ELSE substring(text, length(text) + start + 1, size) END""",
    """athena_timestamp_text(t, digits) AS CASE
        WHEN digits = 0 THEN strftime(t, '%Y-%m-%d %H:%M:%S')
        ELSE left(strftime(t, '%Y-%m-%d %H:%M:%S.%f'), CAST(20 + digits AS BIGINT)) END""",
    """athena_round_timestamp(t, digits) AS
        make_timestamp(CAST(
            floor((epoch_us(t) + CAST(pow(10, 6 - digits) / 2 AS BIGINT)) / pow(10, 6 - digits)) AS BIGINT
        ) * CAST(pow(10, 6 - digits) AS BIGINT))""",
    """athena_first_value(entries) AS CASE WHEN len(list_filter(entries, lambda e: e.k IS NOT NULL)) > 0 THEN
        map_from_entries(list_filter(list_filter(entries, lambda e: e.k IS NOT NULL), lambda e, i:
            i = list_position(
                list_transform(list_filter(entries, lambda e: e.k IS NOT NULL), lambda p: p.k), e.k))) END""",
    """athena_all_values(entries) AS CASE WHEN len(list_filter(entries, lambda e: e.k IS NOT NULL)) > 0 THEN map(
        list_distinct(list_transform(list_filter(entries, lambda e: e.k IS NOT NULL), lambda e: e.k)),
        list_transform(list_distinct(list_transform(list_filter(entries, lambda e: e.k IS NOT NULL), lambda e: e.k)),
            lambda k: list_transform(list_filter(entries, lambda e: e.k = k), lambda e: e.v))) END""",
    """athena_counts(items) AS CASE WHEN items IS NOT NULL THEN map(
        list_distinct(items),
        list_transform(list_distinct(items), lambda k: len(list_filter(items, lambda e: e = k)))) END""",
)  # fmt: skip

_T, _B, _D, _I, _L, _TS, _Z = "VARCHAR", "BOOLEAN", "DOUBLE", "BIGINT", "VARCHAR[]", "TIMESTAMP", "BLOB"


def _fail(code: str, message: str) -> str:
    raise AthenaFailure(code, message)


_PYTHON: dict[str, tuple[Callable[..., Any], list[str], str]] = {
    "fail": (_fail, [_T, _T], _T),
    "double_text": (number_text.double_text, [_D], _T),
    "real_text": (number_text.real_text, ["FLOAT"], _T),
    "integer_text": (number_text.integer_text, [_T, _T], _T),
    "double_of_text": (number_text.double_of_text, [_T, _T], _D),
    "decimal_of_text": (number_text.decimal_of_text, [_T, _I, _I, _T], _T),
    "boolean_of_text": (number_text.boolean_of_text, [_T], _B),
    "decimal_divide": (number_text.divide_decimals, [_T, _T, _I], _T),
    "decimal_multiply": (number_text.multiply_decimals, [_T, _T, _I], _T),
    "decimal_remainder": (number_text.decimal_remainder, [_T, _T], _T),
    "cbrt": (number_text.cube_root, [_D], _D),
    "to_base": (number_text.to_base, [_I, _I], _T),
    "from_base": (number_text.from_base, [_T, _I], _I),
    "date_of_text": (moments.date_of_text, [_T], "DATE"),
    "timestamp_of_text": (moments.timestamp_of_text, [_T, _I], _TS),
    "date_diff": (moments.date_difference, [_T, _TS, _TS], _I),
    "days_text": (moments.days_text, [_I], _T),
    "months_text": (moments.months_text, [_I], _T),
    "iso_date": (moments.iso_date, [_T], "DATE"),
    "iso_timestamp": (moments.iso_timestamp, [_T], _TS),
    "mysql_format": (moment_patterns.mysql_format, [_TS, _T], _T),
    "mysql_parse": (moment_patterns.mysql_parse, [_T, _T], _TS),
    "java_format": (moment_patterns.java_format, [_TS, _T], _T),
    "java_parse": (moment_patterns.java_parse, [_T, _T], _TS),
    "parse_duration": (moments.duration_milliseconds, [_T], _I),
    "readable_seconds": (moments.readable_seconds, [_D], _T),
    "json_parse": (json_values.parse_json, [_T], _T),
    "json_extract": (json_values.extract, [_T, _T], _T),
    "json_extract_scalar": (json_values.extract_scalar, [_T, _T], _T),
    "json_size": (json_values.size, [_T, _T], _I),
    "json_array_length": (json_values.array_length, [_T], _I),
    "json_is_scalar": (json_values.is_scalar, [_T], _B),
    "json_array_contains": (json_values.array_contains, [_T, _T, _T], _B),
    "json_scalar_value": (json_values.scalar_value, [_T, _T], _T),
    "json_items": (json_values.items, [_T, _T], _L),
    "json_entries": (json_values.entries, [_T, _T], "MAP(VARCHAR, VARCHAR)"),
    "json_array": (json_values.json_array, [_L], _T),
    "json_object": (json_values.json_object, [_L, _L, _B], _T),
    "json_double": (json_values.json_double, [_D], _T),
    "json_string": (json_values.json_string, [_T], _T),
    "regexp_like": (regexps.like, [_T, _T], _B),
    "regexp_extract": (regexps.extract, [_T, _T, _I], _T),
    "regexp_extract_all": (regexps.extract_all, [_T, _T, _I], _L),
    "regexp_count": (regexps.count, [_T, _T], _I),
    "regexp_position": (regexps.position, [_T, _T, _I, _I], _I),
    "regexp_replace": (regexps.replace, [_T, _T, _T], _T),
    "regexp_split": (regexps.split, [_T, _T], _L),
    "chr": (text_values.character, [_I], _T),
    "codepoint": (text_values.code_point, [_T], _I),
    "hamming_distance": (text_values.hamming_distance, [_T, _T], _I),
    "luhn_check": (text_values.luhn_check, [_T], _B),
    "pad": (text_values.pad, [_T, _I, _T, _B], _T),
    "position_of": (text_values.position_of, [_T, _T, _I], _I),
    "soundex": (text_values.soundex, [_T], _T),
    "split_limited": (text_values.split_limited, [_T, _T, _I], _L),
    "split_to_map": (text_values.split_to_map, [_T, _T, _T], "MAP(VARCHAR, VARCHAR)"),
    "split_to_multimap": (text_values.split_to_multimap, [_T, _T, _T], "MAP(VARCHAR, VARCHAR[])"),
    "translate": (text_values.translate, [_T, _T, _T], _T),
    "normalize": (text_values.normalize, [_T, _T], _T),
    "upper": (text_values.upper, [_T], _T),
    "reverse": (text_values.reverse, [_T], _T),
    "levenshtein": (text_values.levenshtein_distance, [_T, _T], _I),
    "lower": (text_values.lower, [_T], _T),
    "from_utf8": (text_values.from_utf8, [_Z], _T),
    "digest": (text_values.digest, [_Z, _T], _Z),
    "crc32": (text_values.crc32, [_Z], _I),
    "from_hex": (text_values.from_hex, [_T], _Z),
    "to_base64": (text_values.to_base64, [_Z], _T),
    "from_base64": (text_values.from_base64, [_T], _Z),
    "url_encode": (text_values.url_encode, [_T], _T),
    "url_decode": (text_values.url_decode, [_T], _T),
}


def define_functions(connection: duckdb.DuckDBPyConnection, sql: str, refusals: list[AthenaFailure]) -> None:
    """Give a connection the functions that a translated query calls; refused calls are added to `refusals`."""
    if "athena_" not in sql:
        return
    for macro in MACROS:
        connection.execute(f"CREATE OR REPLACE MACRO {macro}")
    for name in sorted(set(_CALLED.findall(sql))):
        if name in _PYTHON:
            function, given, result = _PYTHON[name]
            connection.create_function(  # type: ignore[call-overload]  # it takes the names of types and handling too
                f"athena_{name}",
                # a failure that the query's own text holds may be tried out by the optimizer, whether it is met or not
                _noting(function, [] if function is _fail else refusals),
                given,
                result,
                null_handling="special",
            )


def _noting(function: Callable[..., Any], refusals: list[AthenaFailure]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except AthenaFailure as failure:
            if failure.code == NOT_SUPPORTED:
                refusals.append(failure)
            raise

    return call
