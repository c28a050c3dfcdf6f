"""Values of search parameters: lists with escapes, tokens, references, and moments that are ranges.

Source: HL7 FHIR R4 (4.0.1), "Search", sections 3.1.1.4.6 (prefixes), 3.1.1.4.7 (date), 3.1.1.4.10 (token),
3.1.1.4.12 (reference), 3.1.1.4.16 (escaping).
"""

import re
from calendar import isleap, monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from strandline.fhir.served.outcomes import invalid

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
_PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_MOST_VALUES: Final = 100
_MOMENT: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:T(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII,
)
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A code to look for. `system` None: of any; empty: of none. `code` None: any code of the system."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Moments:
    """A range of time, `first` included and `after` not, both with their zone."""

    first: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class DateValue:
    """A range to compare with."""

    prefix: Prefix
    moments: Moments

    def fits(self, target: Moments, now: datetime) -> bool:
        """Tell whether a resource's range meets it."""
        own = self.moments
        contains = own.first <= target.first and target.after <= own.after
        match self.prefix:
            case "eq":
                return contains
            case "ne":
                return not contains
            case "gt":
                return target.after > own.after
            case "lt":
                return target.first < own.first
            case "ge":
                return contains or target.after > own.after
            case "le":
                return contains or target.first < own.first
            case "sa":
                return target.first >= own.after
            case "eb":
                return target.after <= own.first
            case "ap":
                slack = abs(now - own.first) / 10  # as the specification recommends
                return target.first < own.after + slack and own.first - slack < target.after


def split_values(text: str, mark: str = ",") -> list[str]:
    r"""Split at marks that are not escaped; the escapes stay.

    >>> split_values(r"a\,b,c")
    ['a\\,b', 'c']
    """
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == mark:
            parts.append(text[start:at])
            start = at + 1
        at += 2 if text[at] == "\\" else 1
    return [*parts, text[start:]]


def alternatives(text: str) -> list[str]:
    """Return the values of one parameter of which any may fit, their escapes still in.

    Raises:
        RefusedRequestError: an empty value, or over a hundred.
    """
    found = split_values(text)
    if not all(found):
        raise invalid("a search parameter has an empty value")
    if len(found) > _MOST_VALUES:
        raise invalid(f"a search parameter has over {_MOST_VALUES} values")
    return found


def unescape(text: str) -> str:
    r"""Take the escapes of `\`, `,`, `|` and `$` out.

    >>> unescape(r"a\|b\\")
    'a|b\\'
    """
    return re.sub(r"\\([\\,|$])", r"\1", text)


def escape(text: str) -> str:
    r"""Return text as a value that means it.

    >>> escape("a|b")
    'a\\|b'
    """
    return re.sub(r"([\\,|$])", r"\\\1", text)


def parse_token(text: str) -> Token:
    """Return the token that `code`, `system|code`, `|code` or `system|` means.

    Raises:
        RefusedRequestError: it has two bars, or is a bar alone.
    """
    parts = [unescape(part) for part in split_values(text, "|")]
    if len(parts) == 1:
        return Token(None, parts[0])
    if len(parts) > 2 or not any(parts):
        raise invalid("a token is code, system|code, |code or system|")
    return Token(parts[0], parts[1] or None)


def parse_date(text: str) -> DateValue:
    """Return what a date with its prefix means; time without a zone is UTC.

    Raises:
        RefusedRequestError: no prefix of R4, or no date.
    """
    prefix, rest = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
    for known in _PREFIXES:
        if known == prefix:
            return DateValue(known, parse_moments(rest))
    raise invalid("a date begins with one of eq, ne, gt, lt, ge, le, sa, eb, ap, or with its year")


def parse_moments(text: str) -> Moments:
    """Return the range that a date or time of some precision covers.

    Raises:
        RefusedRequestError: it is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise invalid("a date is YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with its zone")
    try:
        return _range_of(found)
    except (ValueError, OverflowError):
        raise invalid("there is no such date or time") from None


def _range_of(found: re.Match[str]) -> Moments:
    given = found.groupdict()
    year, month, day = int(given["year"]), int(given["month"] or 1), int(given["day"] or 1)
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{(given['zone'] or 'Z').replace('Z', '+00:00')}").tzinfo
    fraction = given["fraction"] or ""
    first = datetime(
        *(year, month, day, int(given["hour"] or 0), int(given["minute"] or 0), int(given["second"] or 0)),
        int(fraction[:6].ljust(6, "0")),
        tzinfo=zone,
    )
    if given["month"] is None:
        lasts = timedelta(days=366 if isleap(year) else 365)
    elif given["day"] is None:
        lasts = timedelta(days=monthrange(year, month)[1])
    elif given["hour"] is None:
        lasts = timedelta(days=1)
    elif given["second"] is None:
        lasts = timedelta(minutes=1)
    else:
        lasts = timedelta(microseconds=10 ** (6 - min(6, len(fraction))))
    try:
        return Moments(first, first + lasts)
    except OverflowError:  # `le9999-12-31` is how some say "whenever"
        return Moments(first, datetime.max.replace(tzinfo=zone))


def parse_reference(text: str, base: str, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield type and id that `id`, `Type/id` or the absolute URL of this server may mean; nothing for another server.

    Raises:
        RefusedRequestError: no reference at all.
    """
    plain = unescape(text)
    if "://" in plain or plain.startswith("urn:"):
        if not plain.startswith(f"{base}/"):
            return
        plain = plain.removeprefix(f"{base}/")
    kind, _, name = plain.rpartition("/")
    if not _ID.fullmatch(name) or (kind and not kind.isalpha()):
        raise invalid("a reference is an id, Type/id, or a URL of this server")
    yield from ((kind or any_kind, name) for any_kind in ((kind,) if kind else kinds) if any_kind in kinds)
