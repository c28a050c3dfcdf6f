"""Whether a resource meets what was asked for.

Source: HL7 FHIR R4 (4.0.1), "Search", sections 3.1.1.4.5 (modifiers) to 3.1.1.4.12 (reference).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strandline.fhir.codes import Json
from strandline.fhir.served.outcomes import RefusedRequestError
from strandline.fhir.served.parameters import Kind, Parameter
from strandline.fhir.served.values import DateValue, Moments, Token, parse_moments

Value = Token | DateValue | str
"""References and URIs are text: a reference is `Type/id`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One parameter of a search: any of `values` fits. `is_missing` is the value of the modifier `missing`."""

    name: str
    parameter: Parameter
    values: tuple[Value, ...]
    modifier: str = ""
    is_missing: bool | None = None

    def fits(self, resource: Json, now: datetime) -> bool:
        """Tell whether a resource meets it."""
        found = [value for path in self.parameter.paths for value in values_at(resource, path.split("."))]
        if self.is_missing is not None:
            return self.is_missing is not bool(found)
        look = _LOOKS[self.parameter.kind]
        if self.modifier == "not":
            return not any(look(self, value, now) for value in found)
        return any(look(self, value, now) for value in found)


def values_at(element: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield what stands at a path, through lists.

    >>> list(values_at({"a": [{"b": 1}, {"b": [2, 3]}]}, ["a", "b"]))
    [1, 2, 3]
    """
    if isinstance(element, list):
        for item in element:
            yield from values_at(item, path)
    elif not path:
        yield element
    elif isinstance(element, dict) and path[0] in element:
        yield from values_at(element[path[0]], path[1:])


def _has_token(condition: Condition, value: Any, now: datetime) -> bool:
    del now
    if condition.modifier == "text":
        return any(
            text.casefold().startswith(str(asked).casefold()) for text in _texts(value) for asked in condition.values
        )
    pairs = list(_pairs(value, condition.parameter.system))
    return any(
        (asked.code is None or asked.code == code) and (asked.system is None or asked.system == (system or ""))
        for asked in condition.values
        if isinstance(asked, Token)
        for system, code in pairs
    )


def _pairs(value: Any, system: str | None) -> Iterator[tuple[str | None, str]]:
    """Yield system and code of a code, Coding, CodeableConcept or Identifier."""
    if isinstance(value, str):
        yield system, value
    elif isinstance(value, dict) and "coding" in value:
        for coding in value["coding"]:
            yield coding.get("system"), coding.get("code", "")
    elif isinstance(value, dict):
        code = value.get("code", value.get("value"))
        if code is not None:
            yield value.get("system"), code


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value[name] for name in ("text", "display") if name in value)
        for coding in value.get("coding", ()):
            yield from _texts(coding)
        if isinstance(value.get("type"), dict):  # an Identifier
            yield from _texts(value["type"])


def _has_reference(condition: Condition, value: Any, now: datetime) -> bool:
    del now
    return isinstance(value, dict) and value.get("reference") in condition.values


def _has_date(condition: Condition, value: Any, now: datetime) -> bool:
    moments = _moments_of(value)
    return moments is not None and any(
        asked.fits(moments, now) for asked in condition.values if isinstance(asked, DateValue)
    )


def _moments_of(value: Any) -> Moments | None:
    """The range of a date, dateTime, instant or Period that has both its ends."""
    try:
        if isinstance(value, str):
            return parse_moments(value)
        if isinstance(value, dict) and "start" in value and "end" in value:
            return Moments(parse_moments(value["start"]).first, parse_moments(value["end"]).after)
    except RefusedRequestError:
        return None
    return None


def _has_uri(condition: Condition, value: Any, now: datetime) -> bool:
    del now
    return value in condition.values


_LOOKS: dict[Kind, Callable[[Condition, Any, datetime], bool]] = {
    Kind.TOKEN: _has_token,
    Kind.REFERENCE: _has_reference,
    Kind.DATE: _has_date,
    Kind.URI: _has_uri,
}
