"""Filter patterns of CloudWatch Logs, as far as they are judged here: words, and conditions on the fields of JSON.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters, filter log events".
Judged are the empty pattern, one quoted word or more, and in braces `$.field = "value"` and `!=` joined by `&&`, `||`
and parentheses, with `*` for any text in a value.
"""

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

Pattern = Callable[[str], bool]
"""Tells whether a line is one that is looked for."""

_TOKEN: Final = re.compile(r'\s*(\(|\)|&&|\|\||!=|=|"[^"]*"|\$(?:\.[A-Za-z_][\w-]*)+)')
_WORDS: Final = re.compile(r'\s*"([^"]+)"')


def parse_pattern(text: str) -> Pattern:
    """Return what a filter pattern means.

    Raises:
        ValueError: where it is none that is judged here.

    >>> parse_pattern('{ $.status = "4*" && $.route != "-" }')('{"status": "401", "route": "GET /a"}')
    True
    """
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        fits = _Conditions(text[1:-1]).parse()
        return lambda line: _is_object(line) and fits(json.loads(line))
    words = _WORDS.findall(text)
    if _WORDS.sub("", text).strip():
        raise ValueError(f"a filter pattern that is not judged here: {text}")
    return lambda line: all(word in line for word in words)


class _Conditions:
    """A parser by descent: `||` binds less than `&&`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))

    def parse(self) -> Callable[[Any], bool]:
        fits = self._any()
        if self._tokens:
            self._refuse()
        return fits

    def _any(self) -> Callable[[Any], bool]:
        parts = [self._all()]
        while self._takes("||"):
            parts.append(self._all())
        return lambda line: any(part(line) for part in parts)

    def _all(self) -> Callable[[Any], bool]:
        parts = [self._one()]
        while self._takes("&&"):
            parts.append(self._one())
        return lambda line: all(part(line) for part in parts)

    def _one(self) -> Callable[[Any], bool]:
        if self._takes("("):
            inner = self._any()
            if not self._takes(")"):
                self._refuse()
            return inner
        field, sign, value = (self._next() for _ in range(3))
        if not field.startswith("$") or sign not in {"=", "!="} or not value.startswith('"'):
            self._refuse()
        path, wanted = field[2:].split("."), value[1:-1]
        return lambda line: (found := _field(line, path)) is not None and (fnmatchcase(found, wanted) is (sign == "="))

    def _takes(self, token: str) -> bool:
        is_next = self._tokens[:1] == [token]
        if is_next:
            self._tokens.pop(0)
        return is_next

    def _next(self) -> str:
        if not self._tokens:
            self._refuse()
        return self._tokens.pop(0)

    def _refuse(self) -> None:
        raise ValueError(f"a filter pattern that is not judged here: {{{self._text}}}")


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"a filter pattern that is not judged here: {{{text}}}")
        yield found[1]
        at = found.end()


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _field(line: Any, path: list[str]) -> str | None:
    for name in path:
        if not isinstance(line, dict) or name not in line:
            return None
        line = line[name]
    return line if isinstance(line, str) else None
