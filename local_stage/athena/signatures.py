"""Which of a function's forms a call means, as Trino resolves it.

A form is written as Trino's documentation writes it: `"array(T), T -> bigint"`. One capital letter stands for any type,
the same in every place; `N` for any number; a small letter in brackets for a length or precision that is taken over;
`...` after the last argument for any number of them; `function(T, R)` for a lambda with argument T and result R.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from local_stage.athena.types import UNKNOWN, TrinoType, coerces, common_type, decimal, parse_trino_type
from local_stage.athena.values import Value

Render = str | Callable[[Sequence[Value], TrinoType], str]
_TYPE_NAMES = re.compile(r"timestamp with time zone|interval day to second|interval year to month|[\w$]+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One argument: a type's name with patterns within, a capital letter, or a small one for a size."""

    name: str
    arguments: tuple["Pattern", ...] = ()

    @property
    def is_lambda(self) -> bool:
        """Whether a lambda goes here."""
        return self.name == "function"

    @property
    def is_variable(self) -> bool:
        """Whether it stands for any type."""
        return len(self.name) == 1


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a function. `render` gives DuckDB's text: a template with {0}, {1}... or a function of the values."""

    arguments: tuple[Pattern, ...]
    result: Pattern
    variadic: bool
    render: Render
    aggregate: bool = False
    window: bool = False

    def accepts(self, count: int) -> bool:
        """Whether it takes this many arguments."""
        return count >= len(self.arguments) if self.variadic else count == len(self.arguments)

    def pattern(self, number: int) -> Pattern:
        """Return the pattern of an argument, 0-based."""
        return self.arguments[min(number, len(self.arguments) - 1)]


class Binding:
    """What the letters of one form stand for in one call."""

    def __init__(self) -> None:
        self.types: dict[str, TrinoType] = {}
        self.sizes: dict[str, tuple[int | None, int, str]] = {}

    def match(self, pattern: Pattern, given: TrinoType, *, exact: bool) -> bool:
        """Note what a pattern's letters are, given an argument's type; tell whether it fits."""
        if pattern.is_variable:
            return self._match_variable(pattern.name, given, exact=exact)
        if given == UNKNOWN:
            for inner in pattern.arguments:
                if inner.is_variable and inner.name.isupper():
                    self.types.setdefault(inner.name, UNKNOWN)
            return True
        if pattern.arguments and pattern.arguments[0].name.islower() and pattern.name in _SIZED:
            if given.name != pattern.name:
                dated = given.name == "date" and pattern.name == "timestamp" and not exact
                if dated:
                    self.sizes.setdefault(pattern.arguments[0].name, (0, 0, given.zone))
                return dated
            self.sizes.setdefault(pattern.arguments[0].name, (given.size, given.scale, given.zone))
            return True
        if pattern.arguments:
            same = given.name == pattern.name and len(given.arguments) == len(pattern.arguments)
            inner_pairs = zip(pattern.arguments, given.arguments, strict=False)
            return same and all(self.match(inner, kind, exact=exact) for inner, kind in inner_pairs)
        if pattern.name in {"array", "map", "row"}:
            return given.name == pattern.name
        wanted = plain_type(pattern.name)
        if wanted.name == given.name and wanted.name in _SIZED:
            return True
        return given == wanted if exact else coerces(given, wanted)

    def _match_variable(self, letter: str, given: TrinoType, *, exact: bool) -> bool:
        if letter == "N" and not (given.is_number or given == UNKNOWN):
            return False
        known = self.types.get(letter)
        if known is None or known == given:
            self.types[letter] = given
            return True
        common = common_type(known, given)
        if common is None or (exact and common != known):
            return False
        self.types[letter] = common
        return True

    def resolve(self, pattern: Pattern) -> TrinoType:
        """Return the type that a pattern stands for."""
        if pattern.is_variable:
            return self.types.get(pattern.name, UNKNOWN)
        if pattern.name in _SIZED and pattern.arguments and pattern.arguments[0].name in self.sizes:
            size, scale, zone = self.sizes[pattern.arguments[0].name]
            return TrinoType(pattern.name, size=size, scale=scale, zone=zone)
        if pattern.name in _DERIVED:
            size, scale, _ = self.sizes[pattern.arguments[0].name]
            return _DERIVED[pattern.name](size or 0, scale)
        if pattern.arguments and pattern.arguments[0].name.isdigit():
            return TrinoType(pattern.name, size=int(pattern.arguments[0].name))
        inner = tuple(self.resolve(part) for part in pattern.arguments)
        if pattern.name == "row":
            return TrinoType("row", inner, (None,) * len(inner))
        return replace(plain_type(pattern.name), arguments=inner) if not inner else TrinoType(pattern.name, inner)


_SIZED = frozenset({"varchar", "decimal", "timestamp", "timestamp with time zone", "time"})
_DERIVED: dict[str, Callable[[int, int], TrinoType]] = {
    "whole": lambda precision, scale: decimal(precision - scale + min(scale, 1), 0),
    "tenth": lambda *_: decimal(1, 0),
    "wider": lambda precision, scale: decimal(min(38, precision + 1), scale),
    "widest": lambda _, scale: decimal(38, scale),
}


@cache
def plain_type(name: str) -> TrinoType:
    """Return a type that has no parts."""
    if name.startswith("interval ") or name in {"unknown", "uuid"}:
        return TrinoType(name)
    return parse_trino_type(name)


def form(text: str, render: Render, *, aggregate: bool = False, window: bool = False) -> Form:
    """Read a form.

    >>> form("array(T), T -> bigint", "f({0}, {1})").arguments[1]
    Pattern(name='T', arguments=())
    """
    given, _, result = text.rpartition("->")
    variadic = given.rstrip().endswith("...")
    arguments = _split(given.strip().removesuffix("..."))
    return Form(tuple(map(_pattern, arguments)), _pattern(result), variadic, render, aggregate, window)


def _pattern(text: str) -> Pattern:
    text = text.strip()
    found = _TYPE_NAMES.match(text)
    if found is None:
        raise ValueError(f"no type: {text}")
    name, rest = found[0], text[found.end() :].strip()
    return Pattern(name, tuple(map(_pattern, _split(rest[1:-1]))) if rest else ())


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    last = text[start:]
    return [*parts, last] if last.strip() else parts
