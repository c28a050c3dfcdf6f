"""JSON as Trino's JSON functions read and write it: a number keeps its digits.

Source: https://trino.io/docs/current/functions/json.html
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.number_text import double_text

_STEP = re.compile(
    r'\.([A-Za-z_][\w]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[([A-Za-z_][\w]*)\]|\[\'([^\']*)\'\]', re.ASCII
)


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _MalformedError(Exception):
    pass


def _read(text: str) -> Any:
    def refuse(name: str) -> Any:
        raise _MalformedError(name)

    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _MalformedError(str(error)) from None


def _write(value: Any, *, ordered: bool = False) -> str:
    if isinstance(value, dict):
        pairs = sorted(value.items()) if ordered else value.items()
        return "{" + ",".join(f"{_string(key)}:{_write(part, ordered=ordered)}" for key, part in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write(part, ordered=ordered) for part in value) + "]"
    if isinstance(value, _Number):
        return str(value)
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parse_json(text: str) -> str:
    """Return JSON as Trino keeps it: without blanks, keys in order.

    Raises:
        AthenaFailure: INVALID_FUNCTION_ARGUMENT, it is no JSON.
    """
    try:
        value = _read(text)
    except _MalformedError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Cannot convert value to JSON: '{text}'") from None
    if any(re.search(r"[.eE]", number) for number in _numbers(value)):
        value = _normal_numbers(value)
    return _write(value, ordered=True)


def _numbers(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in _numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, _Number) else []


def _normal_numbers(value: Any) -> Any:
    """Write numbers with a point or an exponent as the doubles that Trino makes of them."""
    if isinstance(value, dict):
        return {key: _normal_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_normal_numbers(part) for part in value]
    if isinstance(value, _Number) and re.search(r"[.eE]", value):
        return _Number(double_text(float(value)))
    return value


def extract(text: str, path: str) -> str | None:
    """Return what a path leads to as JSON; None where it leads nowhere or the text is no JSON."""
    found, value = _follow(text, path)
    return _write(value) if found else None


def extract_scalar(text: str, path: str) -> str | None:
    """Return what a path leads to as text; None for objects, arrays and null."""
    found, value = _follow(text, path)
    if not found or value is None or isinstance(value, dict | list):
        return None
    return json.dumps(value) if isinstance(value, bool) else str(value)


def size(text: str, path: str) -> int | None:
    """Return how many members what a path leads to has; 0 for a scalar."""
    found, value = _follow(text, path)
    if not found:
        return None
    return len(value) if isinstance(value, dict | list) else 0


def _follow(text: str, path: str) -> tuple[bool, Any]:
    steps = _steps(path)
    try:
        value = _read(text)
    except _MalformedError:
        return False, None
    for step in steps:
        if isinstance(value, list) and isinstance(step, int):
            if step >= len(value):
                return False, None
            value = value[step]
        elif isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        else:
            return False, None
    return True, value


def _steps(path: str) -> list[str | int]:
    """Read a path of names and indexes.

    Raises:
        AthenaFailure: NOT_SUPPORTED, it has wildcards, filters or steps of another kind.
    """
    if not path.startswith("$"):
        raise unsupported(f"the JSON path {path}")
    steps: list[str | int] = []
    place = 1
    while place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            raise unsupported(f"the JSON path {path}")
        name = next((part for part in (found[1], found[4], found[5]) if part is not None), None)
        if found[2] is not None:
            steps.append(int(found[2]))
        else:
            steps.append(name if name is not None else re.sub(r"\\(.)", r"\1", found[3]))
        place = found.end()
    return steps


def array_length(text: str) -> int | None:
    """Return how many elements a JSON array has; None for what is none."""
    try:
        value = _read(text)
    except _MalformedError:
        return None
    return len(value) if isinstance(value, list) else None


def is_scalar(text: str) -> bool:
    """Tell whether JSON is neither an object nor an array.

    Raises:
        AthenaFailure: INVALID_FUNCTION_ARGUMENT, it is no JSON.
    """
    try:
        return not isinstance(_read(text), dict | list)
    except _MalformedError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Invalid JSON value: {text}") from None


def array_contains(text: str, wanted: str, kind: str) -> bool | None:
    """Tell whether a JSON array has an element; `wanted` is its text, `kind` its type."""
    try:
        value = _read(text)
    except _MalformedError:
        return None
    if not isinstance(value, list):
        return None
    if kind == "varchar":
        return any(type(part) is str and part == wanted for part in value)
    if kind == "boolean":
        return any(isinstance(part, bool) and json.dumps(part) == wanted for part in value)
    numbers = [part for part in value if isinstance(part, _Number)]
    if kind == "bigint":
        return any(not re.search(r"[.eE]", part) and int(part) == int(wanted) for part in numbers)
    return any(float(part) == float(wanted) for part in numbers if re.search(r"[.eE]", part))


def scalar_value(text: str, kind: str) -> str | None:
    """Return a JSON scalar as text for a cast; None for null.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is an object or an array.
    """
    value = _checked(text, kind)
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise _no_cast(text, kind)
    if isinstance(value, bool):
        return _boolean_text(value, kind)
    if isinstance(value, _Number) and re.search(r"[.eE]", value) and kind.startswith("varchar"):
        return double_text(float(value))
    if (
        isinstance(value, _Number)
        and kind in {"tinyint", "smallint", "integer", "bigint"}
        and re.search("[.eE]", value)
    ):
        raise unsupported(f"a cast of the JSON number {value} to {kind}")
    if isinstance(value, _Number) and kind == "boolean":
        return "true" if float(value) else "false"
    return str(value)


def _boolean_text(value: bool, kind: str) -> str:
    if kind in {"boolean"} or kind.startswith("varchar"):
        return json.dumps(value)
    return "1" if value else "0"


def items(text: str, kind: str) -> list[str] | None:
    """Return the elements of a JSON array, each as JSON."""
    value = _checked(text, kind)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _no_cast(text, kind)
    return [_write(part) for part in value]


def entries(text: str, kind: str) -> dict[str, str] | None:
    """Return the members of a JSON object, each as JSON."""
    value = _checked(text, kind)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _no_cast(text, kind)
    return {key: _write(part) for key, part in value.items()}


def json_array(parts: Sequence[str | None]) -> str:
    """Return a JSON array of these JSON texts."""
    return "[" + ",".join("null" if part is None else part for part in parts) + "]"


def json_object(names: Sequence[str], parts: Sequence[str | None], ordered: bool) -> str:
    """Return a JSON object with these names and JSON texts."""
    pairs = list(zip(names, parts, strict=True))
    shown = sorted(pairs, key=lambda pair: pair[0]) if ordered else pairs
    return "{" + ",".join(f"{_string(name)}:{'null' if part is None else part}" for name, part in shown) + "}"


def json_double(value: float) -> str:
    """Return a double as JSON."""
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN is not itself
        raise AthenaFailure("INVALID_CAST_ARGUMENT", f"Cannot cast {double_text(value)} to JSON")
    return double_text(value)


def json_string(text: str) -> str:
    """Return a text as a JSON string."""
    return _string(text)


def _checked(text: str, kind: str) -> Any:
    try:
        return _read(text)
    except _MalformedError:
        raise _no_cast(text, kind) from None


def _no_cast(text: str, kind: str) -> AthenaFailure:
    return AthenaFailure("INVALID_CAST_ARGUMENT", f"Cannot cast to {kind}. {text}")
