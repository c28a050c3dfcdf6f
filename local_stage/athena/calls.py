"""Calls of functions: which form is meant, its arguments turned into that form's types, and DuckDB's text."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from local_stage.athena.aggregate_functions import (
    AGGREGATES_BY_ORDER,
    AGGREGATES_OF_DISTINCT,
    AGGREGATES_OF_SETS,
)
from local_stage.athena.casts import coerce
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.function_names import forms_of
from local_stage.athena.lambdas import Lambda
from local_stage.athena.signatures import Binding, Form, Pattern
from local_stage.athena.types import UNKNOWN, TrinoType
from local_stage.athena.values import Value

_PLACE = re.compile(r"\{(\d)\}")
_ARGUMENT = re.compile(r"\x00(\d+)\x00")
Argument = Value | exp.Lambda
_ORDERING = frozenset({"array_max", "array_min", "array_sort", "greatest", "least", "max", "max_by", "min", "min_by"})
_COMPARING = frozenset({"array_position", "array_remove", "arrays_overlap", "contains"})
_COUNTED = {"lag": 0, "lead": 0, "nth_value": 1}
# Trino has more forms of these
_PARTLY_RUN = frozenset(
    """
    approx_percentile array_sort avg date_add day day_of_month hour max min minute month regexp_replace second sequence
    split_to_map sum truncate year
    """.split()  # noqa: SIM905 - words read better in lines
)


@dataclass(frozen=True, slots=True)
class Call:
    """What stands around a call: DISTINCT, ORDER BY, FILTER, OVER and IGNORE NULLS, each as DuckDB writes it."""

    distinct: bool = False
    order: str = ""
    filter: str = ""
    over: str | None = None
    ignore_nulls: bool = False


PlainCall = Call()
WriteLambda = Callable[[exp.Lambda, Sequence[TrinoType]], Lambda]


def call_function(name: str, arguments: Sequence[Argument], call: Call, write_lambda: WriteLambda) -> Value:
    """Return a call of a function.

    Raises:
        AthenaFailure: there is no such function, or none that takes these arguments.
    """
    forms = forms_of(name)
    found = _choose(forms, arguments, write_lambda)
    if found is None:
        shown = ", ".join("function" if isinstance(one, exp.Lambda) else one.type.show() for one in arguments)
        if name in _PARTLY_RUN and any(map(_is_unusual, arguments)):
            raise unsupported(f"{name}({shown})")
        raise AthenaFailure("FUNCTION_NOT_FOUND", f"Unexpected parameters ({shown}) for function {name}")
    form, values, result = found
    _check_types(name, values)
    if form.aggregate or form.window:
        return _call_over_rows(name, form, values, result, call)
    if call != PlainCall:
        raise AthenaFailure("FUNCTION_NOT_AGGREGATE", f"'{name}' is not an aggregate or window function")
    sql = _render(form, values, result)
    return _value(sql, result, values)


def _check_types(name: str, values: Sequence[Any]) -> None:
    """Refuse what would be ordered, compared or counted otherwise than in Trino."""
    kinds = [value.type for value in values if isinstance(value, Value)]
    if name in _ORDERING:
        place = kinds[1] if name in {"max_by", "min_by"} else kinds[0]
        check_orderable(place.element if name.startswith("array_") else place, name)
    if name in _COMPARING and (kinds[0].element.is_nested or kinds[0].element.name == "json"):
        raise unsupported(f"{name} of {kinds[0].show()}")
    if name in _COMPARING and kinds[0].element.is_real:
        raise unsupported(f"{name} of {kinds[0].show()}, as NaN equals nothing in Trino")
    least = _COUNTED.get(name)
    if least is not None and len(values) > 1:
        count = values[1].constant
        if not isinstance(count, int):
            raise unsupported(f"{name} with an offset that is no literal")
        if count < least:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Offset must be at least {least}")


def _is_unusual(argument: Argument) -> bool:
    if isinstance(argument, exp.Lambda):
        return True
    return argument.type.name.startswith(("date", "interval", "time")) or argument.type.is_number


def check_orderable(kind: TrinoType, what: str) -> None:
    """Refuse to order what Trino orders only where it holds no NULL, or not at all."""
    if kind.is_nested or kind.name == "json":
        raise unsupported(f"{what} of {kind.show()}")


def _value(sql: str, kind: TrinoType, values: Sequence[Any]) -> Value:
    reads = frozenset().union(*(value.reads for value in values))
    return Value(sql, kind, reads, aggregates=any(isinstance(value, Value) and value.aggregates for value in values))


def _choose(
    forms: Sequence[Form], arguments: Sequence[Argument], write_lambda: WriteLambda
) -> tuple[Form, list[Any], TrinoType] | None:
    for exact in (True, False):
        for form in forms:
            if form.accepts(len(arguments)):
                found = _bind(form, arguments, write_lambda, exact=exact)
                if found is not None:
                    return form, *found
    return None


def _bind(
    form: Form, arguments: Sequence[Argument], write_lambda: WriteLambda, *, exact: bool
) -> tuple[list[Any], TrinoType] | None:
    binding = Binding()
    for number, argument in enumerate(arguments):
        pattern = form.pattern(number)
        if isinstance(argument, exp.Lambda) != pattern.is_lambda:
            return None
        if isinstance(argument, Value) and not binding.match(pattern, argument.type, exact=exact):
            return None
    values: list[Any] = []
    lambdas: dict[int, Lambda] = {}
    for number, argument in enumerate(arguments):
        if isinstance(argument, exp.Lambda):
            lambdas[number] = _bind_lambda(form.pattern(number), argument, binding, write_lambda)
    for number, argument in enumerate(arguments):
        if isinstance(argument, exp.Lambda):
            values.append(lambdas[number])
            continue
        wanted = binding.resolve(form.pattern(number))
        keeps = form.pattern(number).name in {"array", "map", "row"} and not form.pattern(number).arguments
        values.append(argument if keeps else _given(argument, wanted))
    return values, binding.resolve(form.result)


def _given(argument: Value, wanted: TrinoType) -> Value:
    if argument.type.name == wanted.name and wanted.name in {"timestamp", "timestamp with time zone", "varchar"}:
        return argument
    return coerce(argument, wanted)


def _bind_lambda(pattern: Pattern, argument: exp.Lambda, binding: Binding, write_lambda: WriteLambda) -> Lambda:
    *given, result = pattern.arguments
    if len(argument.expressions) != len(given):
        raise AthenaFailure(
            "INVALID_PARAMETER_USAGE",
            f"Expected a lambda that takes {len(given)} argument(s) but got {len(argument.expressions)}",
        )
    body = write_lambda(argument, [binding.resolve(part) for part in given])
    if not binding.match(result, body.result, exact=False):
        raise AthenaFailure("TYPE_MISMATCH", f"Lambda expression should return {result.name}, not {body.result.show()}")
    wanted = binding.resolve(result)
    if body.result == wanted:
        return body

    def write(texts: Sequence[str]) -> str:
        return coerce(Value(body.write(texts), body.result), wanted).sql

    return Lambda(write, wanted, body.reads)


def _render(form: Form, values: Sequence[Any], result: TrinoType) -> str:
    if isinstance(form.render, str):
        return _PLACE.sub(lambda found: str(values[int(found[1])].sql), form.render)
    return form.render(values, result)


def _call_over_rows(name: str, form: Form, values: Sequence[Any], result: TrinoType, call: Call) -> Value:
    _check_call(name, form, call)
    # the arguments' texts are put in last, so that nothing in them is taken for a place of the form's own
    marked = [Value(f"\0{number}\0", one.type, constant=one.constant) for number, one in enumerate(values)]
    sql = _render(form, marked, result)
    distinct = call.distinct and name not in AGGREGATES_OF_SETS
    parts: Mapping[str, str] = {
        "{d}": "DISTINCT " if distinct else "",
        "{o}": call.order,
        "{w}": call.filter + (call.over or ""),
        "{i}": " IGNORE NULLS" if call.ignore_nulls else "",
    }
    for place, text in parts.items():
        sql = sql.replace(place, text)
    if form.window:
        sql += call.over or ""
    sql = _ARGUMENT.sub(lambda found: str(values[int(found[1])].sql), sql)
    reads = frozenset().union(*(value.reads for value in values))
    return Value(sql, result, reads, aggregates=call.over is None)


def _check_call(name: str, form: Form, call: Call) -> None:
    if form.window and call.over is None:
        raise AthenaFailure("MISSING_OVER", f"Window function {name} requires an OVER clause")
    if form.window and (call.distinct or call.filter or call.order):
        raise AthenaFailure("SYNTAX_ERROR", f"Window function {name} takes no DISTINCT, ORDER BY or FILTER")
    if call.ignore_nulls and not form.window:
        raise unsupported(f"IGNORE NULLS of {name}")
    if call.distinct and call.over is not None:
        raise AthenaFailure("NOT_SUPPORTED", f"DISTINCT in window function parameters not yet supported: {name}")
    if call.order and name not in AGGREGATES_BY_ORDER:
        raise unsupported(f"ORDER BY within {name}")
    if call.distinct and name not in AGGREGATES_OF_DISTINCT | AGGREGATES_OF_SETS:
        raise unsupported(f"DISTINCT within {name}")
    if call.over is not None and name == "listagg":
        raise AthenaFailure("NOT_SUPPORTED", "Window frames are not supported by listagg")


def is_unknown(value: Value) -> bool:
    """Tell whether a value is NULL without a type."""
    return value.type == UNKNOWN
