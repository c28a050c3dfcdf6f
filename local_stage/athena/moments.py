"""Dates and times as Trino reads, writes and subtracts them.

Timestamps are without time zone here; where they had one, it has been taken off. Source: https://trino.io/docs/current/functions/datetime.html;
Joda-Time 2 `DateTimeFormat` for Java patterns; its `getDifferenceAsLong` for whole months and years.
"""

import calendar
import datetime
import re
from collections.abc import Callable

from local_stage.athena.failures import AthenaFailure, unsupported

_DATE = re.compile(r"([+-]?\d{4,6})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIMESTAMP = re.compile(
    r"([+-]?\d{4,6})-(\d{1,2})-(\d{1,2})(?: (\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?)?(?: ?([A-Za-z+-].*))?",
    re.ASCII,
)
_FEBRUARY_29 = datetime.timedelta(days=59)
_DAY = datetime.timedelta(days=1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_UNITS = {
    "millisecond": datetime.timedelta(milliseconds=1),
    "second": datetime.timedelta(seconds=1),
    "minute": datetime.timedelta(minutes=1),
    "hour": datetime.timedelta(hours=1),
    "day": _DAY,
    "week": 7 * _DAY,
}
_MONTHS = {"month": 1, "quarter": 3}


def date_of_text(text: str) -> datetime.date:
    """Return the date that a text is.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is none.
    """
    found = _DATE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return datetime.date(*(int(part) for part in found.groups()))
    except ValueError:
        raise AthenaFailure("INVALID_CAST_ARGUMENT", f"Value cannot be cast to date: {text}") from None


def read_timestamp(text: str) -> tuple[datetime.datetime, int, str | None]:
    """Return the time that a text is, how many digits its fraction of a second has, and its time zone, if any.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is none.
    """
    found = _TIMESTAMP.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        fraction = found[7] or ""
        if len(fraction) > 6:
            raise unsupported(f"timestamps with {len(fraction)} digits of a second's fraction")
        microsecond = int(fraction.ljust(6, "0"))
        return datetime.datetime(year, month, day, hour, minute, second, microsecond), len(fraction), found[8]
    except ValueError:
        raise AthenaFailure("INVALID_CAST_ARGUMENT", f"Value cannot be cast to timestamp: {text}") from None


def timestamp_of_text(text: str, digits: int) -> datetime.datetime:
    """Return the timestamp that a text is, with at most `digits` of a second's fraction."""
    moment, given, zone = read_timestamp(text)
    if zone is not None:
        raise AthenaFailure("INVALID_CAST_ARGUMENT", f"Value cannot be cast to timestamp: {text}")
    if given > digits:
        raise unsupported(f"a cast of a text with {given} digits of a second's fraction to timestamp({digits})")
    return moment


def date_difference(unit: str, start: datetime.datetime, end: datetime.datetime) -> int:
    """Return how many whole units lie between two times, negative where `end` is the earlier.

    >>> date_difference("month", datetime.datetime(2020, 1, 31), datetime.datetime(2020, 2, 29))
    1
    >>> date_difference("year", datetime.datetime(2020, 2, 29), datetime.datetime(2021, 2, 28))
    1
    """
    unit = unit.lower()
    if end < start:
        return -date_difference(unit, end, start)
    if unit in _UNITS:
        return (end - start) // _UNITS[unit]
    if unit in _MONTHS:
        return _whole_months(start, end) // _MONTHS[unit]
    if unit == "year":
        return _whole_years(start, end)
    raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")


def _whole_months(start: datetime.datetime, end: datetime.datetime) -> int:
    """Count whole months; the last day of a month is as late as any later day of a longer one."""
    if end.day == calendar.monthrange(end.year, end.month)[1] and start.day > end.day:
        start = start.replace(day=end.day)
    months = (end.year - start.year) * 12 + end.month - start.month
    return months - (end - _month_start(end) < start - _month_start(start))


def _whole_years(start: datetime.datetime, end: datetime.datetime) -> int:
    """Count whole years by what has passed of each, 29 February taken as no day of its own."""
    of_start, of_end = start - _year_start(start), end - _year_start(end)
    if of_start >= _FEBRUARY_29:
        if calendar.isleap(start.year):
            of_start -= _DAY if not calendar.isleap(end.year) else _DAY * 0
        elif of_end >= _FEBRUARY_29 and calendar.isleap(end.year):
            of_end -= _DAY
    return end.year - start.year - (of_end < of_start)


def _month_start(moment: datetime.datetime) -> datetime.datetime:
    return datetime.datetime(moment.year, moment.month, 1)


def _year_start(moment: datetime.datetime) -> datetime.datetime:
    return datetime.datetime(moment.year, 1, 1)


def days_text(milliseconds: int) -> str:
    """Return an interval day to second as Trino writes it.

    >>> days_text(183600000)
    '2 03:00:00.000'
    """
    sign, rest = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    seconds, thousandth = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{sign}{days} {hour:02}:{minute:02}:{second:02}.{thousandth:03}"


def months_text(months: int) -> str:
    """Return an interval year to month as Trino writes it.

    >>> months_text(41)
    '3-5'
    """
    return f"{'-' if months < 0 else ''}{abs(months) // 12}-{abs(months) % 12}"


def iso_date(text: str) -> datetime.date:
    """Return the date that an ISO 8601 text is: by month, by week or by day of the year.

    >>> iso_date("2020-W10"), iso_date("2020-123")
    (datetime.date(2020, 3, 2), datetime.date(2020, 5, 2))
    """
    try:
        if found := re.fullmatch(r"(\d{4})-(\d{3})", text, re.ASCII):
            start = datetime.date(int(found[1]), 1, 1) + (int(found[2]) - 1) * _DAY
            if not int(found[2]) or start.year != int(found[1]):
                raise ValueError(text)
            return start
        if found := re.fullmatch(r"(\d{4})-W(\d{2})(?:-(\d))?", text, re.ASCII):
            return datetime.date.fromisocalendar(int(found[1]), int(found[2]), int(found[3] or 1))
        if found := re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", text, re.ASCII):
            return datetime.date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
        raise ValueError(text)
    except ValueError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f'Invalid format: "{text}"') from None


_ISO_TIME = re.compile(r"T(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII)


def iso_timestamp(text: str) -> datetime.datetime:
    """Return the time in UTC that an ISO 8601 text is.

    Raises:
        AthenaFailure: INVALID_FUNCTION_ARGUMENT, it is none; NOT_SUPPORTED, its offset is another than UTC's.
    """
    date, mark, rest = text.partition("T")
    day = iso_date(date)
    start = datetime.datetime(day.year, day.month, day.day)
    if not mark:
        return start
    found = _ISO_TIME.fullmatch(mark + rest)
    try:
        if found is None:
            raise ValueError(text)
        millisecond = int((found[4] or "").ljust(3, "0")[:3])
        moment = start.replace(
            hour=int(found[1]), minute=int(found[2] or 0), second=int(found[3] or 0), microsecond=1000 * millisecond
        )
    except ValueError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f'Invalid format: "{text}"') from None
    if found[5] not in {None, "Z", "+00:00", "+00", "+0000", "-00:00"}:
        raise unsupported("from_iso8601_timestamp of times with an offset from UTC")
    return moment


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


def duration_milliseconds(text: str) -> int:
    """Return the milliseconds of a number with a unit.

    >>> duration_milliseconds("42.8ms"), duration_milliseconds("3.81 d")
    (43, 329184000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d)\s*", text, re.ASCII)
    if found is None:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"duration is not a valid data duration string: {text}")
    scale = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}[found[2]]
    return int(float(found[1]) * scale + 0.5)


def readable_seconds(seconds: float) -> str:
    """Return seconds as weeks, days, hours, minutes and seconds.

    >>> readable_seconds(3762)
    '1 hour, 2 minutes, 42 seconds'
    """
    rest = round(abs(seconds))
    shown = []
    for name, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            shown.append(f"{count} {name}{'s' if count != 1 else ''}")
    return ", ".join(shown) or "0 seconds"
