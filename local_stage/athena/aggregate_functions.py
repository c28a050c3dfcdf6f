"""Aggregate and window functions: Trino's forms, and DuckDB's text for each.

In a text, `{d}` is where DISTINCT goes, `{o}` where ORDER BY goes, and `{w}` where FILTER and OVER go; a text has a
`{w}` after each of its aggregates. What Trino only approximates is exact here, which is within every
bound that it promises.
Source: https://trino.io/docs/current/functions/aggregate.html and window.html
"""

from collections.abc import Sequence

from local_stage.athena.casts import failing
from local_stage.athena.failures import unsupported
from local_stage.athena.lambdas import each
from local_stage.athena.scalar_functions import Table
from local_stage.athena.signatures import Render
from local_stage.athena.types import TrinoType, field_sql, row_sql
from local_stage.athena.values import Value, quote


def _plain(name: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        given = ", ".join(value.sql for value in values)
        return f"CAST({name}({{d}}{given}{{o}}){{w}} AS {result.duckdb()})"

    return render


def _extreme(name: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        text = f"{name}({', '.join(value.sql for value in values)}){{w}}"
        if not values[0].type.is_real:
            return text
        failure = failing(quote(f"the embedded Athena does not run {name} of NaN"), result, "NOT_SUPPORTED")
        return f"CASE WHEN bool_or(isnan({values[0].sql})){{w}} THEN {failure} ELSE {text} END"

    return render


def _extreme_by(name: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        del result
        box = row_sql([values[0].sql])  # arg_max passes over rows whose value is NULL
        if len(values) == 2:
            return field_sql(f"{name}({box}, {values[1].sql}){{w}}", 1)
        return each(f"{name}({box}, {values[1].sql}, {values[2].sql}){{w}}", lambda e: field_sql(e, 1))

    return render


def _average_of_decimal(values: Sequence[Value], result: TrinoType) -> str:
    total, count = f"sum({{d}}{values[0].sql}){{w}}", f"count({{d}}{values[0].sql}){{w}}"
    quotient = f"athena_decimal_divide(CAST({total} AS VARCHAR), CAST(nullif({count}, 0) AS VARCHAR), {result.scale})"
    return f"CAST({quotient} AS {result.duckdb()})"


def _percentile(values: Sequence[Value], result: TrinoType) -> str:
    share = values[1].constant
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise unsupported("approx_percentile at a percentage that is no literal between 0 and 1")
    return f"CAST(quantile_disc({values[0].sql}, {share!r}){{w}} AS {result.duckdb()})"


def _percentiles(values: Sequence[Value], result: TrinoType) -> str:
    shares = values[1].constant
    if not isinstance(shares, list) or not all(isinstance(share, int | float) for share in shares):
        raise unsupported("approx_percentile at percentages that are no literals")
    return f"CAST(quantile_disc({values[0].sql}, {[float(share) for share in shares]!r}){{w}} AS {result.duckdb()})"


def _pairs(template: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        del result
        return template.format(f"list(struct_pack(k := {values[0].sql}, v := {values[1].sql}){{o}}){{w}}")

    return render


def _map_union(values: Sequence[Value], result: TrinoType) -> str:
    del result
    # DuckDB takes no lambda within an aggregate
    entries = f"flatten(list(map_entries({values[0].sql})){{w}})"
    return f"athena_first_value({each(entries, lambda e: f'struct_pack(k := {e}.key, v := {e}.value)')})"


def _listagg(values: Sequence[Value], result: TrinoType) -> str:
    del result
    separator = values[1].sql if len(values) > 1 else "''"
    return f"string_agg({{d}}{values[0].sql}, {separator}{{o}}){{w}}"


AGGREGATE_FUNCTIONS: Table = {
    "any_value": [("T -> T", "any_value({0}){w}")],
    "approx_distinct": [("T -> bigint", "count(DISTINCT {0}){w}"), ("T, double -> bigint", "count(DISTINCT {0}){w}")],
    "approx_percentile": [
        *((f"{kind}, double -> {kind}", _percentile) for kind in ("bigint", "real", "double")),
        *((f"{kind}, array(double) -> array({kind})", _percentiles) for kind in ("bigint", "real", "double")),
    ],
    "arbitrary": [("T -> T", "any_value({0}){w}")],
    "array_agg": [("T -> array(T)", "list({d}{0}{o}){w}")],
    "avg": [
        ("decimal(p,s) -> decimal(p,s)", _average_of_decimal),
        ("real -> real", _plain("avg")),
        ("double -> double", _plain("avg")),
    ],
    "bitwise_and_agg": [("bigint -> bigint", "bit_and({0}){w}")],
    "bitwise_or_agg": [("bigint -> bigint", "bit_or({0}){w}")],
    "bitwise_xor_agg": [("bigint -> bigint", "bit_xor({d}{0}){w}")],
    "bool_and": [("boolean -> boolean", "bool_and({0}){w}")],
    "bool_or": [("boolean -> boolean", "bool_or({0}){w}")],
    "corr": [("double, double -> double", "corr({0}, {1}){w}")],
    "count": [("T -> bigint", "count({d}{0}){w}")],
    "count_if": [("boolean -> bigint", "CAST(count_if({0}){w} AS BIGINT)")],
    "covar_pop": [("double, double -> double", "covar_pop({0}, {1}){w}")],
    "covar_samp": [("double, double -> double", "covar_samp({0}, {1}){w}")],
    "every": [("boolean -> boolean", "bool_and({0}){w}")],
    "geometric_mean": [("double -> double", "exp(avg(ln({0})){w})")],
    "histogram": [("T -> map(T,bigint)", "athena_counts(list_filter(list({0}){w}, lambda e: e IS NOT NULL))")],
    "listagg": [("varchar -> varchar", _listagg), ("varchar, varchar -> varchar", _listagg)],
    "map_agg": [("K, V -> map(K,V)", _pairs("athena_first_value({})"))],
    "map_union": [("map(K,V) -> map(K,V)", _map_union)],
    "max": [("T -> T", _extreme("max")), ("T, bigint -> array(T)", _extreme("max"))],
    "max_by": [("T, V -> T", _extreme_by("arg_max")), ("T, V, bigint -> array(T)", _extreme_by("arg_max"))],
    "min": [("T -> T", _extreme("min")), ("T, bigint -> array(T)", _extreme("min"))],
    "min_by": [("T, V -> T", _extreme_by("arg_min")), ("T, V, bigint -> array(T)", _extreme_by("arg_min"))],
    "multimap_agg": [("K, V -> map(K,array(V))", _pairs("athena_all_values({})"))],
    "regr_intercept": [("double, double -> double", "regr_intercept({0}, {1}){w}")],
    "regr_slope": [("double, double -> double", "regr_slope({0}, {1}){w}")],
    "stddev": [("double -> double", "stddev_samp({d}{0}){w}")],
    "stddev_pop": [("double -> double", "stddev_pop({d}{0}){w}")],
    "stddev_samp": [("double -> double", "stddev_samp({d}{0}){w}")],
    "sum": [
        ("bigint -> bigint", _plain("sum")),
        ("decimal(p,s) -> widest(p,s)", _plain("sum")),
        ("real -> real", _plain("sum")),
        ("double -> double", _plain("sum")),
    ],
    "var_pop": [("double -> double", "var_pop({d}{0}){w}")],
    "var_samp": [("double -> double", "var_samp({d}{0}){w}")],
    "variance": [("double -> double", "var_samp({d}{0}){w}")],
}
AGGREGATES_BY_ORDER = frozenset({"array_agg", "listagg", "map_agg", "multimap_agg"})
AGGREGATES_OF_DISTINCT = frozenset(
    {"array_agg", "avg", "bitwise_xor_agg", "count", "listagg", "stddev", "stddev_pop", "stddev_samp", "sum"}
    | {"var_pop", "var_samp", "variance"}
)
AGGREGATES_OF_SETS = frozenset(
    {"approx_distinct", "bool_and", "bool_or", "every", "max", "min", "any_value", "arbitrary"}
)

WINDOW_FUNCTIONS: Table = {
    "cume_dist": [("-> double", "cume_dist()")],
    "dense_rank": [("-> bigint", "dense_rank()")],
    "first_value": [("T -> T", "first_value({0}{i})")],
    "lag": [
        ("T -> T", "lag({0}{i})"),
        ("T, bigint -> T", "lag({0}, {1}{i})"),
        ("T, bigint, T -> T", "lag({0}, {1}, {2}{i})"),
    ],
    "last_value": [("T -> T", "last_value({0}{i})")],
    "lead": [
        ("T -> T", "lead({0}{i})"),
        ("T, bigint -> T", "lead({0}, {1}{i})"),
        ("T, bigint, T -> T", "lead({0}, {1}, {2}{i})"),
    ],
    "nth_value": [("T, bigint -> T", "nth_value({0}, {1}{i})")],
    "ntile": [("bigint -> bigint", "ntile({0})")],
    "percent_rank": [("-> double", "percent_rank()")],
    "rank": [("-> bigint", "rank()")],
    "row_number": [("-> bigint", "row_number()")],
}
