"""Dates and times as Trino reads, writes and subtracts them.

Timestamps are without time zone here; where they had one, it has been taken off. Source:
https://trino.io/docs/current/functions/datetime.html; `getDifferenceAsLong` of Joda-Time 2 for whole months and years.
"""

import calendar
import datetime
import re

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
