"""Slices: which of a profile's kinds an entry of a list is. Source: HL7 FHIR R4, section 5.1.0.14, discriminators."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from strandline.fhir.scope import Scope
from strandline.fhir.tables import Element, Structure

Slicer = Callable[[Any, Scope], int | None]
"""Gives the number of the slice that an entry belongs to."""
_Tell = Callable[[Any, Scope], bool]
_MOST_KNOWN = 4096


def matches(pattern: Any, value: Any) -> bool:
    """Tell whether a value has all that a pattern has.

    >>> matches({"coding": [{"code": "a"}]}, {"coding": [{"code": "b"}, {"code": "a", "display": "A"}]})
    True
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and matches(pattern[key], value[key]) for key in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(matches(item, other) for other in value) for item in pattern)
    return type(pattern) is type(value) and bool(pattern == value)


def make_slicer(structure: Structure, element: Element, slices: Sequence[Element]) -> Slicer | None:
    """Return what puts entries of a list into slices, or None where the element names no discriminator."""
    if element.slicing is None or not element.slicing.discriminators:
        return None
    discriminators = element.slicing.discriminators
    tells = [[_tell(structure, item, kind, path) for kind, path in discriminators] for item in slices]

    def choose(item: Any, scope: Scope) -> int | None:
        for number, conditions in enumerate(tells):
            if all(tell(item, scope) for tell in conditions):
                return number
        return None

    if [kind for kind, _ in discriminators] != ["value"]:
        return choose
    return _by_value(choose, discriminators[0][1].split(".", maxsplit=1)[0])


def _by_value(choose: Slicer, key: str) -> Slicer:
    """Return a slicer that looks once at values that it has seen: entries of a list have few different codes."""
    known: dict[bytes, int | None] = {}

    def slicer(item: Any, scope: Scope) -> int | None:
        if type(item) is not dict:
            return None
        try:
            told = orjson.dumps(item.get(key))
        except (TypeError, RecursionError):
            return choose(item, scope)
        if told not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[told] = choose(item, scope)
        return known[told]

    return slicer


def _tell(structure: Structure, item: Element, kind: str, path: str) -> _Tell:
    if kind == "profile":
        profiles = [url for found in item.types for url in (found.targets if path == "resolve()" else found.profiles)]
        return _points_at(profiles)
    wanted = _wanted(structure, item, path)
    return lambda value, scope: bool(wanted) and all(_finds(parts, pattern, value) for parts, pattern in wanted)


def _wanted(structure: Structure, item: Element, path: str) -> list[tuple[list[str], Any]]:
    """Return what a slice fixes at or below the path of a discriminator."""
    if path == "url" and item.types and item.types[0].profiles:
        return [(["url"], item.types[0].profiles[0].partition("|")[0])]
    place = item.id if path == "$this" else f"{item.id}.{path}"
    found = []
    for element in structure.elements.values():
        if element.id == place or element.id.startswith(f"{place}."):
            demanded = element.fixed if element.fixed is not None else element.pattern
            if demanded is not None:
                parts = element.id.removeprefix(item.id).strip(".")
                found.append((parts.split(".") if parts else [], demanded))
    return found


def _finds(parts: Sequence[str], pattern: Any, value: Any) -> bool:
    """Whether a value, or any of a list of values, fits at a path."""
    if isinstance(value, list):
        return any(_finds(parts, pattern, item) for item in value)
    if not parts:
        return matches(pattern, value)
    return isinstance(value, dict) and parts[0] in value and _finds(parts[1:], pattern, value[parts[0]])


def _points_at(profiles: Sequence[str]) -> _Tell:
    def tell(value: Any, scope: Scope) -> bool:
        reference = value.get("reference") if isinstance(value, dict) else None
        target = scope.resolve(reference) if isinstance(reference, str) else None
        return target is not None and any(scope.validation.conforms(scope, target, url) for url in profiles)

    return tell
