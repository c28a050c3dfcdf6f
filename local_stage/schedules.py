"""EventBridge's schedule expressions: `rate(...)` and `cron(...)`, in UTC.

Source: "Cron expressions" and "Rate expressions", EventBridge user guide.
"""

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.+)\)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (1, 7, _DAYS),
    (1970, 2199, {}),
)
_HORIZON_DAYS = 366 * 5  # "29 February on a Monday" comes once in 28 years: nobody waits for it here


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule goes off. `next_after` returns the first moment later than the one given, or None for never."""

    next_after: Callable[[datetime], datetime | None]


def parse_schedule(expression: str) -> Schedule:
    """Read an expression.

    Raises:
        ValueError: it is neither a rate nor a cron expression that EventBridge takes.

    >>> start = datetime(2026, 1, 1, tzinfo=UTC)
    >>> parse_schedule("rate(5 minutes)").next_after(start).isoformat()
    '2026-01-01T00:05:00+00:00'
    >>> parse_schedule("cron(0 18 ? * MON-FRI *)").next_after(start).isoformat()
    '2026-01-01T18:00:00+00:00'
    """
    if match := _RATE.fullmatch(expression):
        count = int(match.group(1))
        if count < 1 or (count == 1) == bool(match.group(3)):
            raise ValueError(f"{expression}: one takes the singular, more take the plural")
        period = timedelta(seconds=count * _UNITS[match.group(2)])
        return Schedule(lambda moment: moment + period)
    match = _CRON.fullmatch(expression)
    parts = match.group(1).split() if match else []
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{expression} is neither rate(value unit) nor cron() with six fields")
    if (parts[2] == "?") == (parts[4] == "?"):
        raise ValueError(f"{expression}: exactly one of day-of-month and day-of-week must be ?")
    minutes, hours, months, years = (_numbers(parts[index], *_FIELDS[index]) for index in (0, 1, 3, 5))
    is_day = _day_of_month(parts[2]) if parts[4] == "?" else _day_of_week(parts[4])

    def next_after(moment: datetime) -> datetime | None:
        first = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for offset in range(_HORIZON_DAYS):
            day = first + timedelta(days=offset)
            if day.month not in months or day.year not in years or not is_day(day):
                continue
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    candidate = day.replace(hour=hour, minute=minute)
                    if candidate >= first:
                        return candidate
        return None

    return Schedule(next_after)


def _numbers(text: str, low: int, high: int, names: Mapping[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        start, dash, end = span.partition("-")
        if span in {"*", "?"}:
            first, last = low, high
        else:
            first = _number(start, names)
            last = _number(end, names) if dash else (high if step else first)
        if not low <= first <= high or not low <= last <= high:
            raise ValueError(f"{part} is not within {low} to {high}")
        found.update(range(first, last + 1, int(step) if step else 1))
    return found


def _number(text: str, names: Mapping[str, int]) -> int:
    return names[text.upper()] if text.upper() in names else int(text)


def _day_of_month(text: str) -> Callable[[datetime], bool]:
    if text == "L":
        return lambda day: day.day == _last_day(day)
    if match := re.fullmatch(r"(\d+|L)W", text):
        wanted = match.group(1)
        return lambda day: day.day == _nearest_weekday(day, _last_day(day) if wanted == "L" else int(wanted))
    days = _numbers(text, *_FIELDS[2])
    return lambda day: day.day in days


def _day_of_week(text: str) -> Callable[[datetime], bool]:
    if match := re.fullmatch(r"(\w+)#([1-5])", text):
        weekday, week = _number(match.group(1), _DAYS), int(match.group(2))
        return lambda day: _weekday(day) == weekday and (day.day - 1) // 7 + 1 == week
    if match := re.fullmatch(r"(\w+)L", text):
        last = _number(match.group(1), _DAYS)
        return lambda day: _weekday(day) == last and day.day > _last_day(day) - 7
    days = _numbers(text, *_FIELDS[4])
    return lambda day: _weekday(day) in days


def _weekday(day: datetime) -> int:
    return day.isoweekday() % 7 + 1


def _last_day(day: datetime) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: datetime, wanted: int) -> int:
    target = day.replace(day=min(wanted, _last_day(day)))
    if target.isoweekday() == 6:
        return target.day - 1 if target.day > 1 else target.day + 2
    if target.isoweekday() == 7:
        return target.day + 1 if target.day < _last_day(day) else target.day - 2
    return target.day
