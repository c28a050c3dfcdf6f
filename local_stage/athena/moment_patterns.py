"""Times by patterns: those of MySQL in `date_format` and `date_parse`, those of Joda-Time in `format_datetime`.

Timestamps are without time zone here; where they had one, it has been taken off. Source:
https://trino.io/docs/current/functions/datetime.html; Joda-Time 2 `DateTimeFormat` for Java patterns.
"""

import calendar
import datetime
import re
from collections.abc import Callable

from local_stage.athena.failures import AthenaFailure, unsupported


def _mysql_hour12(moment: datetime.datetime) -> int:
    return (moment.hour + 11) % 12 + 1


_MYSQL: dict[str, Callable[[datetime.datetime], str]] = {
    "a": lambda moment: calendar.day_abbr[moment.weekday()],
    "b": lambda moment: calendar.month_abbr[moment.month],
    "c": lambda moment: str(moment.month),
    "d": lambda moment: f"{moment.day:02}",
    "e": lambda moment: str(moment.day),
    "f": lambda moment: f"{moment.microsecond // 1000 * 1000:06}",
    "H": lambda moment: f"{moment.hour:02}",
    "h": lambda moment: f"{_mysql_hour12(moment):02}",
    "I": lambda moment: f"{_mysql_hour12(moment):02}",
    "i": lambda moment: f"{moment.minute:02}",
    "j": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "k": lambda moment: str(moment.hour),
    "l": lambda moment: str(_mysql_hour12(moment)),
    "M": lambda moment: calendar.month_name[moment.month],
    "m": lambda moment: f"{moment.month:02}",
    "p": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "r": lambda moment: mysql_format(moment, "%h:%i:%s %p"),
    "S": lambda moment: f"{moment.second:02}",
    "s": lambda moment: f"{moment.second:02}",
    "T": lambda moment: mysql_format(moment, "%H:%i:%s"),
    "v": lambda moment: f"{moment.isocalendar().week:02}",
    "W": lambda moment: calendar.day_name[moment.weekday()],
    "x": lambda moment: f"{moment.isocalendar().year:04}",
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment.year % 100:02}",
    "%": lambda _: "%",
}
_MYSQL_REFUSED = "DUuVwX"


def mysql_format(moment: datetime.datetime, pattern: str) -> str:
    """Return a time by a format of MySQL.

    >>> mysql_format(datetime.datetime(2022, 10, 20, 5, 10), "%m-%d-%Y %H")
    '10-20-2022 05'
    """
    shown = []
    for letter, text in _mysql_parts(pattern):
        shown.append(_MYSQL[letter](moment) if letter in _MYSQL else text)
    return "".join(shown)


def _mysql_parts(pattern: str) -> list[tuple[str, str]]:
    """Split a format into specifiers (their letter, and that letter) and plain text (no letter)."""
    parts, place = [], 0
    while place < len(pattern):
        if pattern[place] != "%" or place + 1 == len(pattern):
            parts.append(("", pattern[place]))
            place += 1
            continue
        letter = pattern[place + 1]
        if letter in _MYSQL_REFUSED:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"%{letter} not supported in date format string")
        parts.append((letter, letter))
        place += 2
    return parts


_MYSQL_READ = {
    "a": "(?P<a>Sun|Mon|Tue|Wed|Thu|Fri|Sat)", "b": "(?P<b>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "c": r"(?P<m>\d{1,2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "e": r"(?P<d>\d{1,2})",
    "f": r"(?P<f>\d{1,9})", "H": r"(?P<H>\d{1,2})", "k": r"(?P<H>\d{1,2})", "h": r"(?P<h>\d{1,2})",
    "I": r"(?P<h>\d{1,2})", "l": r"(?P<h>\d{1,2})", "i": r"(?P<i>\d{1,2})", "p": "(?P<p>AM|PM|am|pm)",
    "S": r"(?P<s>\d{1,2})", "s": r"(?P<s>\d{1,2})", "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})",
    "T": r"(?P<H>\d{1,2}):(?P<i>\d{1,2}):(?P<s>\d{1,2})", "%": "%",
}  # fmt: skip


def mysql_parse(text: str, pattern: str) -> datetime.datetime:
    """Return the time that a text is by a format of MySQL.

    >>> mysql_parse("2022/10/20/05", "%Y/%m/%d/%H")
    datetime.datetime(2022, 10, 20, 5, 0)
    """
    expression = []
    for letter, plain in _mysql_parts(pattern):
        if letter and letter not in _MYSQL_READ:
            raise unsupported(f"date_parse with %{letter}")
        expression.append(_MYSQL_READ[letter] if letter else re.escape(plain))
    try:
        found = re.fullmatch("".join(expression), text, re.ASCII)
    except re.error:
        raise unsupported(f"date_parse with one field twice: {pattern}") from None
    if found is None:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f'Invalid format: "{text}"')
    return _from_fields(text, found.groupdict())


def _from_fields(text: str, fields: dict[str, str | None]) -> datetime.datetime:
    year = int(fields.get("Y") or 1970)
    if fields.get("y"):
        short = int(fields["y"] or 0)
        year = 1900 + short if short >= 70 else 2000 + short
    month = int(fields.get("m") or 1)
    if fields.get("b"):
        month = list(calendar.month_abbr).index(fields["b"] or "")
    hour = int(fields.get("H") or 0)
    if fields.get("h"):
        hour = int(fields["h"] or 0) % 12 + 12 * ((fields.get("p") or "am").lower() == "pm")
    millisecond = int((fields.get("f") or "").ljust(3, "0")[:3])
    try:
        return datetime.datetime(
            year, month, int(fields.get("d") or 1), hour, int(fields.get("i") or 0), int(fields.get("s") or 0),
            1000 * millisecond,
        )  # fmt: skip
    except ValueError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f'Invalid format: "{text}"') from None


def _number(value: int, width: int) -> str:
    return f"{value:0{width}}"


_JAVA: dict[str, Callable[[datetime.datetime, int], str]] = {
    "y": lambda moment, width: _number(moment.year % 100, 2) if width == 2 else _number(moment.year, width),
    "Y": lambda moment, width: _number(moment.year % 100, 2) if width == 2 else _number(moment.year, width),
    "x": lambda moment, width: _number(moment.isocalendar().year, width),
    "w": lambda moment, width: _number(moment.isocalendar().week, width),
    "e": lambda moment, width: _number(moment.isoweekday(), width),
    "E": lambda moment, width: (calendar.day_abbr if width < 4 else calendar.day_name)[moment.weekday()],
    "D": lambda moment, width: _number(moment.timetuple().tm_yday, width),
    "M": lambda moment, width: (
        _number(moment.month, width)
        if width < 3
        else (calendar.month_abbr if width == 3 else calendar.month_name)[moment.month]
    ),
    "d": lambda moment, width: _number(moment.day, width),
    "a": lambda moment, _: "PM" if moment.hour >= 12 else "AM",
    "K": lambda moment, width: _number(moment.hour % 12, width),
    "h": lambda moment, width: _number(_mysql_hour12(moment), width),
    "H": lambda moment, width: _number(moment.hour, width),
    "k": lambda moment, width: _number(moment.hour or 24, width),
    "m": lambda moment, width: _number(moment.minute, width),
    "s": lambda moment, width: _number(moment.second, width),
    "S": lambda moment, width: f"{moment.microsecond:06}"[:3].ljust(width, "0")[:width],
}


def java_format(moment: datetime.datetime, pattern: str) -> str:
    """Return a time by a pattern of Joda-Time.

    >>> java_format(datetime.datetime(2001, 8, 22, 3, 4, 5), "yyyy-MM-dd'T'HH:mm:ss EEE")
    '2001-08-22T03:04:05 Wed'
    """
    shown = []
    for letter, text in _java_parts(pattern):
        if letter and letter not in _JAVA:
            raise unsupported(f"format_datetime with {text}")
        shown.append(_JAVA[letter](moment, len(text)) if letter else text)
    return "".join(shown)


def _java_parts(pattern: str) -> list[tuple[str, str]]:
    """Split a pattern into runs of one letter, each with that letter, and plain text (no letter)."""
    found = re.findall(r"''|'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z'])|(')", pattern)
    parts = []
    for quoted, run, letter, plain, stray in found:
        if stray:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Illegal pattern: {pattern}")
        if letter:
            parts.append((letter, run))
        else:
            parts.append(("", plain or quoted.replace("''", "'") or "'"))
    return parts


_JAVA_READ = {
    "y": "Y", "Y": "Y", "M": "m", "d": "d", "H": "H", "h": "h", "m": "i", "s": "s", "S": "f", "a": "p",
}  # fmt: skip


def java_parse(text: str, pattern: str) -> datetime.datetime:
    """Return the time in UTC that a text is by a pattern of Joda-Time.

    >>> java_parse("2001-08-22 03:04", "yyyy-MM-dd HH:mm")
    datetime.datetime(2001, 8, 22, 3, 4)
    """
    parts = _java_parts(pattern)
    expression = []
    for number, (letter, shown) in enumerate(parts):
        if not letter:
            expression.append(re.escape(shown))
            continue
        if letter not in _JAVA_READ or (letter == "M" and len(shown) > 2) or (letter in "yY" and len(shown) != 4):
            raise unsupported(f"parse_datetime with {shown}")
        followed = number + 1 < len(parts) and bool(parts[number + 1][0])
        digits = (
            f"{{{len(shown)}}}" if followed else ("{4}" if letter in "yY" else "{1,9}" if letter == "S" else "{1,2}")
        )
        field = _JAVA_READ[letter]
        expression.append("(?P<p>AM|PM|am|pm)" if letter == "a" else rf"(?P<{field}>\d{digits})")
    try:
        found = re.fullmatch("".join(expression), text, re.ASCII)
    except re.error:
        raise unsupported(f"parse_datetime with one field twice: {pattern}") from None
    if found is None:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f'Invalid format: "{text}"')
    return _from_fields(text, found.groupdict())
