"""Functions of arrays, maps and lambdas: Trino's forms, and DuckDB's text for each.

Source: https://trino.io/docs/current/functions/array.html, map.html and lambda.html
"""

from collections.abc import Sequence
from typing import Any

from local_stage.athena.casts import cast_sql, failing
from local_stage.athena.lambdas import Lambda, each, nested, once
from local_stage.athena.scalar_functions import Table
from local_stage.athena.signatures import Render
from local_stage.athena.types import DATE, VARCHAR, TrinoType, array, field_sql, row_sql
from local_stage.athena.values import Value, quote

_SEQUENCE_LIMIT = 10000


def _match(template: str) -> Render:
    def render(values: Sequence[Any], result: TrinoType) -> str:
        del result
        body: Lambda = values[1]
        return template.format(each(values[0].sql, body.over))

    return render


def _transform(values: Sequence[Any], result: TrinoType) -> str:
    del result
    return each(values[0].sql, values[1].over)


def _filter(values: Sequence[Any], result: TrinoType) -> str:
    del result
    return each(values[0].sql, values[1].over, "list_filter")


def _reduce(values: Sequence[Any], result: TrinoType) -> str:
    items, initial, step, final = values
    no_item = _null(items.type.element)
    # the states go through boxes, as DuckDB takes the first element for the state where the list is of states
    boxed = f"list_prepend({row_sql([initial.sql, no_item])}, {_boxes(items, initial.type)})"

    def write(names: Sequence[str]) -> str:
        state, item = names
        over = step.over(field_sql(state, 1), field_sql(item, 2))
        return f"list_reduce({boxed}, lambda {state}, {item}: {row_sql([over, no_item])})"

    output = each(f"[{field_sql(nested(2, write), 1)}]", final.over)
    return f"CASE WHEN {items.sql} IS NOT NULL THEN CAST(list_extract({output}, 1) AS {result.duckdb()}) END"


def _boxes(items: Value, state: TrinoType) -> str:
    return each(items.sql, lambda item: row_sql([_null(state), item]))


def _null(kind: TrinoType) -> str:
    return f"CAST(NULL AS {kind.duckdb()})"


def _zip(values: Sequence[Value], result: TrinoType) -> str:
    del result
    lists = [value.sql for value in values]
    return _over_places(lists, lambda place: row_sql([f"list_extract({one}, {place})" for one in lists]))


def _zip_with(values: Sequence[Any], result: TrinoType) -> str:
    del result
    one, other, body = values[0].sql, values[1].sql, values[2]
    return _over_places(
        [one, other], lambda place: body.over(f"list_extract({one}, {place})", f"list_extract({other}, {place})")
    )


def _over_places(lists: Sequence[str], body: Any) -> str:
    longest = "greatest(" + ", ".join(f"len({one})" for one in lists) + ")"
    present = " AND ".join(f"{one} IS NOT NULL" for one in lists)
    return f"CASE WHEN {present} THEN {each(f'range(1, {longest} + 1)', body)} END"


def _array_join(values: Sequence[Value], result: TrinoType) -> str:
    del result
    kind = values[0].type.element

    def text(item: str) -> str:
        shown = cast_sql(item, kind, VARCHAR)
        return f"coalesce({shown}, {values[2].sql})" if len(values) > 2 else shown

    return f"array_to_string({each(values[0].sql, text)}, {values[1].sql})"


def _extreme(name: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        items = values[0].sql
        nan = failing(quote(f"the embedded Athena does not run array_{name} of NaN"), result, "NOT_SUPPORTED")
        refused = (
            f" WHEN len({each(items, lambda e: f'isnan({e})', 'list_filter')}) > 0 THEN {nan}" if result.is_real else ""
        )
        return f"CASE WHEN athena_among({items}, NULL) THEN NULL{refused} ELSE list_{name}({items}) END"

    return render


def _sequence(values: Sequence[Value], result: TrinoType) -> str:
    start, stop = values[0].sql, values[1].sql
    step = values[2].sql if len(values) > 2 else f"CASE WHEN {start} <= {stop} THEN 1 ELSE -1 END"
    wrong = failing(
        quote(
            "sequence stop value should be greater than or equal to start value if step is greater than zero"
            " otherwise stop should be less than or equal to start"
        ),
        result,
    )
    many = failing(quote(f"result of sequence function must not have more than {_SEQUENCE_LIMIT} entries"), result)
    return (
        f"CASE WHEN {start} IS NULL OR {stop} IS NULL OR {step} IS NULL THEN NULL"
        f" WHEN {step} = 0 THEN {failing(quote('step must not be zero'), result)}"
        f" WHEN ({step} > 0) <> ({stop} >= {start}) AND {start} <> {stop} THEN {wrong}"
        f" WHEN ({stop} - {start}) // {step} >= {_SEQUENCE_LIMIT} THEN {many}"
        f" ELSE generate_series({start}, {stop}, {step}) END"
    )


def _date_sequence(values: Sequence[Value], result: TrinoType) -> str:
    days = [Value(f"datediff('day', DATE '1970-01-01', {value.sql})", value.type) for value in values[:2]]
    if len(values) > 2:
        days.append(Value(f"({values[2].sql} // 86400000)", values[2].type))
    numbers = _sequence(days, array(DATE))
    del result
    return each(
        numbers.replace(f"AS {DATE.duckdb()}[])", "AS BIGINT[])"),
        lambda day: f"(DATE '1970-01-01' + CAST({day} AS INTEGER))",
    )


def _slice(values: Sequence[Value], result: TrinoType) -> str:
    items, start, size = (value.sql for value in values)
    first = f"CASE WHEN {start} > 0 THEN {start} ELSE len({items}) + {start} + 1 END"
    return (
        f"CASE WHEN {items} IS NULL OR {start} IS NULL OR {size} IS NULL THEN NULL"
        f" WHEN {size} < 0 THEN {failing(quote('length must be greater than or equal to 0'), result)}"
        f" WHEN {start} = 0 THEN {failing(quote('SQL array indices start at 1'), result)}"
        f" WHEN {size} = 0 OR abs({start}) > len({items}) THEN CAST([] AS {result.duckdb()})"
        f" ELSE list_slice({items}, {first}, {first} + {size} - 1) END"
    )


def _trim_array(values: Sequence[Value], result: TrinoType) -> str:
    items, size = (value.sql for value in values)
    return (
        f"CASE WHEN {size} < 0 THEN {failing(quote('size must not be negative'), result)}"
        f" WHEN {size} > len({items}) THEN {failing(quote('size must not exceed array cardinality'), result)}"
        f" WHEN {size} = len({items}) THEN CAST([] AS {result.duckdb()})"
        f" WHEN {size} IS NOT NULL THEN list_slice({items}, 1, len({items}) - {size}) END"
    )


def _ngrams(values: Sequence[Value], result: TrinoType) -> str:
    items, size = (value.sql for value in values)
    grams = each(
        f"range(1, greatest(len({items}) - {size} + 1, 1) + 1)", lambda i: f"list_slice({items}, {i}, {i} + {size} - 1)"
    )
    failure = failing(quote("N must be positive"), result)
    return f"CASE WHEN {size} <= 0 THEN {failure} WHEN {items} IS NOT NULL THEN {grams} END"


def _repeat(values: Sequence[Value], result: TrinoType) -> str:
    item, count = (value.sql for value in values)
    many = failing(quote(f"count argument of repeat function must be less than or equal to {_SEQUENCE_LIMIT}"), result)
    few = failing(quote("count argument of repeat function must be greater than or equal to 0"), result)
    return (
        f"CASE WHEN {count} > {_SEQUENCE_LIMIT} THEN {many} WHEN {count} < 0 THEN {few}"
        f" WHEN {count} IS NOT NULL THEN {each(f'range({count})', lambda _: item)} END"
    )


def _concat(values: Sequence[Value], result: TrinoType) -> str:
    present = " AND ".join(f"{value.sql} IS NOT NULL" for value in values)
    joined = values[0].sql
    for value in values[1:]:
        joined = f"list_concat({joined}, {value.sql})"
    return f"CASE WHEN {present} THEN CAST({joined} AS {result.duckdb()}) END"


def _concat_text(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return "(" + " || ".join(value.sql for value in values) + ")"


def _element_at(values: Sequence[Value], result: TrinoType) -> str:
    failure = failing(quote("SQL array indices start at 1"), result)

    def write(items: str, index: str) -> str:
        return f"CASE WHEN {index} = 0 AND {items} IS NOT NULL THEN {failure} ELSE list_extract({items}, {index}) END"

    return once(values[0].sql, lambda items: once(values[1].sql, lambda index: write(items, index)))


def _entry_at(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return once(values[0].sql, lambda entries: _at(entries, values[1].sql))


def item_sql(items: Value, index: Value, result: TrinoType) -> str:
    """Return the element of an array at an index, which has to be there."""
    return once(items.sql, lambda one: once(index.sql, lambda place: _item(one, place, result)))


def _item(items: str, index: str, result: TrinoType) -> str:
    many = f"'Array subscript must be less than or equal to array length: ' || {index} || ' > ' || len({items})"
    return (
        f"CASE WHEN {items} IS NULL OR {index} IS NULL THEN NULL"
        f" WHEN {index} = 0 THEN {failing(quote('SQL array indices start at 1'), result)}"
        f" WHEN {index} < 0 THEN {failing(quote('Array subscript is negative: ') + ' || ' + index, result)}"
        f" WHEN {index} > len({items}) THEN {failing(many, result)}"
        f" ELSE list_extract({items}, {index}) END"
    )


def entry_sql(entries: Value, key: Value, result: TrinoType) -> str:
    """Return the value of a map at a key, which has to be there."""
    return once(entries.sql, lambda one: once(key.sql, lambda wanted: _entry(one, wanted, key.type, result)))


def _entry(entries: str, key: str, kind: TrinoType, result: TrinoType) -> str:
    missing = failing(f"'Key not present in map: ' || {cast_sql(key, kind, VARCHAR)}", result)
    return (
        f"CASE WHEN {entries} IS NULL OR {key} IS NULL THEN NULL"
        f" WHEN map_contains({entries}, {key}) THEN {_at(entries, key)} ELSE {missing} END"
    )


def _at(entries: str, key: str) -> str:
    return f"list_extract(map_values({entries}), list_position(map_keys({entries}), {key}))"


def _map(values: Sequence[Value], result: TrinoType) -> str:
    keys, items = (value.sql for value in values)
    uneven = failing(quote("Key and value arrays must be the same length"), result)
    empty = failing(quote("map key cannot be null"), result)
    twice = failing(quote("Duplicate map keys are not allowed"), result)
    return (
        f"CASE WHEN {keys} IS NULL OR {items} IS NULL THEN NULL WHEN len({keys}) <> len({items}) THEN {uneven}"
        f" WHEN athena_among({keys}, NULL) THEN {empty}"
        f" WHEN len(list_distinct({keys})) < len({keys}) THEN {twice} ELSE map({keys}, {items}) END"
    )


def _map_of(keys: str, items: str, result: TrinoType) -> str:
    kinds = [array(kind) for kind in result.arguments]
    return _map([Value(keys, kinds[0]), Value(items, kinds[1])], result)


def _map_from_entries(values: Sequence[Value], result: TrinoType) -> str:
    entries = values[0].sql
    return _map_of(each(entries, lambda e: field_sql(e, 1)), each(entries, lambda e: field_sql(e, 2)), result)


def _map_entries(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return each(f"map_entries({values[0].sql})", lambda e: row_sql([f"{e}.key", f"{e}.value"]))


def _map_filter(values: Sequence[Any], result: TrinoType) -> str:
    kept = each(f"map_entries({values[0].sql})", lambda e: values[1].over(f"{e}.key", f"{e}.value"), "list_filter")
    keys, items = each(kept, lambda e: f"{e}.key"), each(kept, lambda e: f"{e}.value")
    del result
    return f"CASE WHEN {values[0].sql} IS NOT NULL THEN map({keys}, {items}) END"


def _transform_values(values: Sequence[Any], result: TrinoType) -> str:
    del result
    items = each(f"map_entries({values[0].sql})", lambda e: values[1].over(f"{e}.key", f"{e}.value"))
    return f"CASE WHEN {values[0].sql} IS NOT NULL THEN map(map_keys({values[0].sql}), {items}) END"


def _transform_keys(values: Sequence[Any], result: TrinoType) -> str:
    keys = each(f"map_entries({values[0].sql})", lambda e: values[1].over(f"{e}.key", f"{e}.value"))
    return _map_of(keys, f"map_values({values[0].sql})", result)


def _map_zip_with(values: Sequence[Any], result: TrinoType) -> str:
    one, other, body = values[0].sql, values[1].sql, values[2]
    keys = f"athena_distinct(list_concat(map_keys({one}), map_keys({other})))"
    items = each(keys, lambda key: body.over(key, _at(one, key), _at(other, key)))
    del result
    return f"CASE WHEN {one} IS NOT NULL AND {other} IS NOT NULL THEN map({keys}, {items}) END"


def _map_concat(values: Sequence[Value], result: TrinoType) -> str:
    merged = values[0].sql
    for value in values[1:]:
        keys = f"athena_distinct(list_concat(map_keys({merged}), map_keys({value.sql})))"
        last = value.sql
        items = each(
            keys,
            lambda key, last=last, first=merged: (  # type: ignore[misc]
                f"CASE WHEN map_contains({last}, {key}) THEN {_at(last, key)} ELSE {_at(first, key)} END"
            ),
        )
        merged = f"map({keys}, {items})"
    present = " AND ".join(f"{value.sql} IS NOT NULL" for value in values)
    del result
    return f"CASE WHEN {present} THEN {merged} END"


def _those(condition: str) -> str:
    return f"CASE WHEN {{1}} IS NOT NULL THEN athena_distinct(list_filter({{0}}, lambda m: {condition})) END"


def _multimap(values: Sequence[Value], result: TrinoType) -> str:
    del result
    pairs = each(values[0].sql, lambda e: f"struct_pack(k := {field_sql(e, 1)}, v := {field_sql(e, 2)})")
    return f"athena_all_values({pairs})"


_PRESENT = "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN"
COLLECTION_FUNCTIONS: Table = {
    "all_match": [
        ("array(T), function(T,boolean) -> boolean", _match("(NOT athena_any(list_transform({0}, lambda m: NOT m)))"))
    ],
    "any_match": [("array(T), function(T,boolean) -> boolean", _match("athena_any({0})"))],
    "array_distinct": [("array(E) -> array(E)", "athena_distinct({0})")],
    "array_except": [("array(E), array(E) -> array(E)", _those("NOT athena_among({1}, m)"))],
    "array_intersect": [("array(E), array(E) -> array(E)", _those("athena_among({1}, m)"))],
    "array_join": [
        ("array(T), varchar -> varchar", _array_join),
        ("array(T), varchar, varchar -> varchar", _array_join),
    ],
    "array_max": [("array(T) -> T", _extreme("max"))],
    "array_min": [("array(T) -> T", _extreme("min"))],
    "array_position": [
        ("array(T), T -> bigint", f"{_PRESENT} coalesce(CAST(list_position({{0}}, {{1}}) AS BIGINT), 0) END")
    ],
    "array_remove": [
        ("array(E), E -> array(E)", f"{_PRESENT} list_filter({{0}}, lambda m: m IS DISTINCT FROM {{1}}) END")
    ],
    "array_sort": [("array(E) -> array(E)", "list_sort({0}, 'ASC', 'NULLS LAST')")],
    "array_union": [("array(E), array(E) -> array(E)", f"{_PRESENT} athena_distinct(list_concat({{0}}, {{1}})) END")],
    "arrays_overlap": [("array(E), array(E) -> boolean", "athena_overlap({0}, {1})")],
    "cardinality": [
        ("array(E) -> bigint", "CAST(len({0}) AS BIGINT)"),
        ("map(K,V) -> bigint", "CAST(len(map_keys({0})) AS BIGINT)"),
    ],
    "concat": [
        ("array(E), array(E)... -> array(E)", _concat),
        ("varchar, varchar... -> varchar", _concat_text),
        ("varbinary, varbinary... -> varbinary", _concat_text),
    ],
    "contains": [("array(T), T -> boolean", "athena_contains({0}, {1})")],
    "element_at": [
        ("array(E), bigint -> E", _element_at),
        ("map(K,V), K -> V", _entry_at),
    ],
    "filter": [("array(T), function(T,boolean) -> array(T)", _filter)],
    "flatten": [("array(array(E)) -> array(E)", "flatten(list_filter({0}, lambda m: m IS NOT NULL))")],
    "map": [
        ("-> map(unknown,unknown)", "map(CAST([] AS INTEGER[]), CAST([] AS INTEGER[]))"),
        ("array(K), array(V) -> map(K,V)", _map),
    ],
    "map_concat": [("map(K,V), map(K,V)... -> map(K,V)", _map_concat)],
    "map_entries": [("map(K,V) -> array(row(K,V))", _map_entries)],
    "map_filter": [("map(K,V), function(K,V,boolean) -> map(K,V)", _map_filter)],
    "map_from_entries": [("array(row(K,V)) -> map(K,V)", _map_from_entries)],
    "map_keys": [("map(K,V) -> array(K)", "map_keys({0})")],
    "map_values": [("map(K,V) -> array(V)", "map_values({0})")],
    "map_zip_with": [("map(K,V), map(K,W), function(K,V,W,U) -> map(K,U)", _map_zip_with)],
    "multimap_from_entries": [("array(row(K,V)) -> map(K,array(V))", _multimap)],
    "ngrams": [("array(T), bigint -> array(array(T))", _ngrams)],
    "none_match": [("array(T), function(T,boolean) -> boolean", _match("(NOT athena_any({0}))"))],
    "reduce": [("array(T), S, function(S,T,S), function(S,R) -> R", _reduce)],
    "repeat": [("T, bigint -> array(T)", _repeat)],
    "reverse": [("array(E) -> array(E)", "list_reverse({0})"), ("varchar(n) -> varchar(n)", "athena_reverse({0})")],
    "sequence": [
        ("bigint, bigint -> array(bigint)", _sequence),
        ("bigint, bigint, bigint -> array(bigint)", _sequence),
        ("date, date -> array(date)", _date_sequence),
        ("date, date, interval day to second -> array(date)", _date_sequence),
    ],
    "slice": [("array(E), bigint, bigint -> array(E)", _slice)],
    "transform": [("array(T), function(T,U) -> array(U)", _transform)],
    "transform_keys": [("map(K,V), function(K,V,W) -> map(W,V)", _transform_keys)],
    "transform_values": [("map(K,V), function(K,V,W) -> map(K,W)", _transform_values)],
    "trim_array": [("array(E), bigint -> array(E)", _trim_array)],
    "zip": [
        ("array(A), array(B) -> array(row(A,B))", _zip),
        ("array(A), array(B), array(C) -> array(row(A,B,C))", _zip),
        ("array(A), array(B), array(C), array(D) -> array(row(A,B,C,D))", _zip),
    ],
    "zip_with": [("array(T), array(U), function(T,U,R) -> array(R)", _zip_with)],
}  # fmt: skip
