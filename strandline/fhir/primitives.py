"""The primitive types of FHIR R4. Source: HL7 FHIR R4 (4.0.1), section 2.24.0.1, and JSON representation 2.6.2."""

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from strandline.fhir.problems import Problems, one

Primitive = Callable[[Any], Problems]
_DATE: Final = r"([0-9]{4})(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"
_DAY: Final = r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE: Final = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_PATTERNS: Final = {
    "code": r"[^\s]+( [^\s]+)*",
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri": r"\S+",
    "url": r"\S+",
    "canonical": r"\S+",
    "date": _DATE,
    "dateTime": rf"{_DATE}|{_DAY}T{_CLOCK}{_ZONE}",
    "instant": rf"{_DAY}T{_CLOCK}{_ZONE}",
    "time": _CLOCK,
}
_MARKUP: Final = re.compile(
    r"</?(?:a|abbr|b|body|br|button|code|div|em|embed|font|form|frame|h[1-6]|head|hr|html|i|iframe|img|input|li|link|"
    r"math|meta|object|ol|p|script|span|strong|style|sub|sup|svg|table|td|template|textarea|th|title|tr|u|ul|video)"
    r"(?:\s[^<>]*)?/?>|<!--|<!doctype|javascript:",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONGEST: Final = 1 << 20
_RANGES: Final = {
    "integer": (-(1 << 31), (1 << 31) - 1),
    "unsignedInt": (0, (1 << 31) - 1),
    "positiveInt": (1, (1 << 31) - 1),
}


def primitive(name: str) -> Primitive:
    """Return what checks a value of this type; it says nothing about the value itself."""
    if name == "boolean":
        return _boolean
    if name == "decimal":
        return _decimal
    if name in _RANGES:
        return _whole_number(name, *_RANGES[name])
    if name == "base64Binary":
        return _base64
    if name in _PATTERNS:
        return _matching(name, re.compile(_PATTERNS[name]))
    return _text


def _boolean(value: object) -> Problems:
    return None if value is True or value is False else one("wrong_type", "it is not a boolean: true or false")


def _decimal(value: object) -> Problems:
    if isinstance(value, float):
        return None if math.isfinite(value) else one("bad_value", "it is not a number")
    return None if type(value) is int else one("wrong_type", "it is not a decimal: a number without quotes")


def _whole_number(name: str, least: int, most: int) -> Primitive:
    def check(value: object) -> Problems:
        if type(value) is not int:
            return one("wrong_type", f"it is not a {name}: a whole number without quotes")
        return None if least <= value <= most else one("bad_value", f"it is not a {name}: {least} to {most}")

    return check


def _base64(value: object) -> Problems:
    if not isinstance(value, str):
        return one("wrong_type", "it is not a base64Binary: a text")
    try:
        b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return one("bad_value", "it is not base64")
    return None if value else one("empty", "it is an empty text")


def _matching(name: str, pattern: re.Pattern[str]) -> Primitive:
    is_day = name in {"date", "dateTime", "instant"}
    fits = pattern.fullmatch

    def check(value: object) -> Problems:
        if not isinstance(value, str):
            return one("wrong_type", f"it is not a {name}: a text")
        if not fits(value):
            return one("bad_value", f"it is not a {name}") if value else one("empty", "it is an empty text")
        return one("bad_value", f"it is not a {name}: there is no such day") if is_day and not _is_day(value) else None

    return check


def _is_day(value: str) -> bool:
    if len(value) < 10:
        return value[:4] != "0000"
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def _text(value: object) -> Problems:
    if not isinstance(value, str):
        return one("wrong_type", "it is not a string: a text in quotes")
    if not value or value.isspace():
        return one("empty", "it is an empty text")
    if ("<" in value or ":" in value) and _MARKUP.search(value):
        return one("markup", "it holds HTML")
    if not value.isprintable() and _CONTROL.search(value):
        return one("bad_value", "it holds control characters")
    return None if len(value) <= _LONGEST else one("bad_value", "it is longer than 1 MB")
