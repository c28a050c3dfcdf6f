"""Regular expressions of Trino: what Java and Python mean alike is run, the rest is refused by name.

Trino matches with Java's syntax over code points; whether its classes and its (?i) take letters beyond ASCII as Java or
as Unicode does is not documented, so that these meet ASCII text only. Source: https://trino.io/docs/current/functions/regexp.html
"""

import re
import string
from dataclasses import dataclass
from functools import lru_cache

from local_stage.athena.failures import AthenaFailure, unsupported

_ESCAPES = frozenset("dDwWsSbAntrf" + string.punctuation)
_ASCII_ONLY = frozenset("dDwWsSb")
_QUANTIFIER = re.compile(r"\{\d+(,\d*)?\}", re.ASCII)
_GROUP = re.compile(r"\(\?(?::|=|!|<=|<!|[is]+\)|[is]+:|<([A-Za-z][A-Za-z0-9]*)>)?", re.ASCII)
_REFERENCE = re.compile(r"\\(.)|\$(\d)|\$\{([A-Za-z][A-Za-z0-9]*)\}|(\$)|([^$\\]+)", re.ASCII | re.DOTALL)
_NOT_PLAIN = re.compile(r"\(\?(?!:)|\\[sSA\d]|\{\d{3}")
_SAMPLE = string.printable * 2


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that Java and Python match alike; on ASCII text only, or on any."""

    compiled: re.Pattern[str]
    ascii_only: bool
    matches_nothing: bool

    def check(self, text: str) -> None:
        """Refuse a text on which the two may differ."""
        if self.ascii_only and not text.isascii():
            raise unsupported(f"the pattern {self.compiled.pattern} over text that is not ASCII")

    def check_steps(self, text: str) -> None:
        """Refuse a text, or a pattern whose empty matches each engine steps over in its own way."""
        self.check(text)
        if self.matches_nothing:
            raise unsupported(f"the pattern {self.compiled.pattern}, which matches empty text, to find all matches")


@lru_cache(maxsize=256)
def read_pattern(pattern: str) -> Pattern:
    """Check a pattern.

    Raises:
        AthenaFailure: NOT_SUPPORTED, the two may differ; INVALID_FUNCTION_ARGUMENT, it is no pattern.
    """
    written, ascii_only = _check(pattern)
    try:
        compiled = re.compile(written, re.ASCII)
    except re.error as error:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"{pattern}: {error}") from None
    empty = any(found.start() == found.end() for text in ("", _SAMPLE) for found in compiled.finditer(text))
    return Pattern(compiled, ascii_only, empty)


def _check(pattern: str) -> tuple[str, bool]:
    """Return the pattern as Python writes it, and whether it may meet ASCII only."""
    written, place, ascii_only, repeated = [], 0, False, False
    while place < len(pattern):
        character = pattern[place]
        step = character
        if character == "\\":
            step = _escape(pattern, place)
            ascii_only = ascii_only or step[1] in _ASCII_ONLY
        elif character == "[":
            step = _class(pattern, place)
            ascii_only = ascii_only or re.search(r"\\[dDwWsS]", step) is not None
        elif pattern.startswith("(?", place):
            found = _GROUP.match(pattern, place)
            if found is None or found[0] == "(?" or (found[0].endswith(")") and place > 0):
                raise unsupported(f"the pattern {pattern}, for its group at {place + 1}")
            step = found[0]
            ascii_only = ascii_only or "i" in step.partition("<")[0]
        elif character == "{":
            found = _QUANTIFIER.match(pattern, place)
            if found is None:
                raise unsupported(f"the pattern {pattern}, for its brace at {place + 1}")
            step = found[0]
        elif character == "+" and repeated:
            raise unsupported(f"the pattern {pattern}, for its possessive quantifier")
        repeated = step[0] in "*+?{"
        written.append(f"(?P<{step[3:-1]}>" if re.match(r"\(\?<\w", step) else step)
        place += len(step)
    return "".join(written), ascii_only


def _escape(pattern: str, place: int) -> str:
    step = pattern[place : place + 2]
    if len(step) < 2 or (step[1] not in _ESCAPES and not step[1].isdigit()) or step[1] == "0":
        raise unsupported(f"the pattern {pattern}, for its {step}")
    return step


def _class(pattern: str, start: int) -> str:
    """Return the character class that begins at a place."""
    place = start + 1 + pattern.startswith("^", start + 1)
    first = place
    while place < len(pattern):
        character = pattern[place]
        if character == "]" and place > first:
            return pattern[start : place + 1]
        if character in "[]" or pattern.startswith("&&", place):
            raise unsupported(f"the pattern {pattern}, for its class at {start + 1}")
        if character == "\\":
            step = _escape(pattern, place)
            if step[1] in "bA" or step[1].isdigit():
                raise unsupported(f"the pattern {pattern}, for its {step}")
            place += 1
        place += 1
    raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"{pattern}: a class is not closed")


def is_plain(pattern: str) -> bool:
    """Tell whether a pattern means the same to RE2, over ASCII text of one line: nothing that looks around or back.

    Source: https://github.com/google/re2/wiki/Syntax
    """
    read_pattern(pattern)
    return _NOT_PLAIN.search(pattern) is None


def like(text: str, pattern: str) -> bool:
    """Tell whether a text contains a match."""
    found = read_pattern(pattern)
    found.check(text)
    return found.compiled.search(text) is not None


def extract(text: str, pattern: str, group: int) -> str | None:
    """Return a group of the first match, None where there is none."""
    found = read_pattern(pattern)
    found.check(text)
    _check_group(found, group)
    match = found.compiled.search(text)
    return None if match is None else match[group]


def extract_all(text: str, pattern: str, group: int) -> list[str | None]:
    """Return a group of every match."""
    found = read_pattern(pattern)
    found.check_steps(text)
    _check_group(found, group)
    return [match[group] for match in found.compiled.finditer(text)]


def count(text: str, pattern: str) -> int:
    """Return how many matches there are."""
    return len(extract_all(text, pattern, 0))


def position(text: str, pattern: str, start: int, occurrence: int) -> int:
    """Return the 1-based place of a match at or after a place, -1 where there is none."""
    if start < 1 or occurrence < 1:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", "start position and occurrence cannot be smaller than 1")
    found = read_pattern(pattern)
    found.check_steps(text)
    for number, match in enumerate(found.compiled.finditer(text, start - 1), 1):
        if number == occurrence:
            return match.start() + 1
    return -1


def replace(text: str, pattern: str, replacement: str) -> str:
    """Replace every match; `$1` and `${name}` in the replacement are groups."""
    found = read_pattern(pattern)
    found.check_steps(text)
    parts = _read_replacement(replacement)

    def fill(match: re.Match[str]) -> str:
        return "".join(match[part] or "" if is_group else str(part) for is_group, part in parts)

    try:
        return found.compiled.sub(fill, text)
    except IndexError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Illegal replacement sequence: {replacement}") from None


def split(text: str, pattern: str) -> list[str]:
    """Split at every match; empty parts stay."""
    found = read_pattern(pattern)
    found.check_steps(text)
    parts, place = [], 0
    for match in found.compiled.finditer(text):
        parts.append(text[place : match.start()])
        place = match.end()
    return [*parts, text[place:]]


@lru_cache(maxsize=256)
def _read_replacement(replacement: str) -> list[tuple[bool, str | int]]:
    parts: list[tuple[bool, str | int]] = []
    place = 0
    while place < len(replacement):
        found = _REFERENCE.match(replacement, place)
        if found is None or found[4] is not None:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Illegal replacement sequence: {replacement}")
        if found[2] is not None:
            if replacement[found.end() : found.end() + 1].isdigit():
                raise unsupported(f"the replacement {replacement}, for its group of two digits")
            parts.append((True, int(found[2])))
        elif found[3] is not None:
            parts.append((True, found[3]))
        else:
            parts.append((False, found[1] or found[5]))
        place = found.end()
    return parts


def _check_group(pattern: Pattern, group: int) -> None:
    if not 0 <= group <= pattern.compiled.groups:
        raise AthenaFailure(
            "INVALID_FUNCTION_ARGUMENT",
            f"Pattern has {pattern.compiled.groups} groups. Cannot access group {group}",
        )
