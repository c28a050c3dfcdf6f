"""The small checks that `compilation` puts together: keys, lists and slices, fixed values, what is remembered."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from strandline.fhir.problems import Problem, Problems, below, one
from strandline.fhir.scope import Check, Scope
from strandline.fhir.slices import Slicer, matches
from strandline.fhir.tables import Element

Field = Callable[[Any, dict[str, Any], Scope], Problems]
"""What looks at one key of an object; it is given the object too."""
ENOUGH: Final = 10_000
"""Problems of one object or list after which nothing more is looked at, so that a bad document fills no memory."""
_OTHER_KINDS: Final = frozenset({"wrong_shape", "wrong_type"})


class Fields(dict[str, Field]):
    """Checks of an object's keys, each made when a document first has the key."""

    def __init__(self, makers: dict[str, Callable[[], Field]], choosable: Sequence[str], *, is_resource: bool) -> None:
        super().__init__({"resourceType": lambda value, owner, scope: None} if is_resource else {})
        self._makers = makers
        self._choosable = choosable

    def __missing__(self, key: str) -> Field:
        maker = self._makers.get(key)
        if maker is None:  # not kept: a document may hold any number of odd keys
            return lambda value, owner, scope: _unknown(key, self._choosable)
        self[key] = maker()
        return self[key]


def single(check: Check, part: str) -> Field:
    """Look at the value of a key that has one."""

    def look(value: Any, owner: dict[str, Any], scope: Scope) -> Problems:
        if type(value) is list:
            return one("wrong_shape", "it is a list where one value may stand", part)
        problems = check(value, scope)
        return below(problems, part) if problems else None

    return look


def listed(
    check: Check, part: str, element: Element, slicer: Slicer | None, slices: list[tuple[Element, Check]]
) -> Field:
    """Look at the entries of a list, each as the slice that it belongs to, and count them."""
    is_closed = slicer is not None and element.slicing is not None and element.slicing.rules == "closed"

    def look(value: Any, owner: dict[str, Any], scope: Scope) -> Problems:
        if type(value) is not list:
            return one("wrong_shape", "it is no list, and a list has to stand here", part)
        if not value:
            return one("empty", "it is an empty list", part)
        found: list[Problem] = []
        counts = [0] * len(slices)
        for place, item in enumerate(value):
            chosen = slicer(item, scope) if slicer else None
            if chosen is not None:
                counts[chosen] += 1
                problems = slices[chosen][1](item, scope)
            elif item is None and _has_beside(owner, part, place):
                continue
            else:
                problems = check(item, scope)
            if problems:
                found += below(problems, f"{part}[{place}]")
                if len(found) > ENOUGH:
                    return found
        if element.most is not None and len(value) > element.most:
            found += one("too_many", f"it has more than {element.most}", part)
        for number, (item, _) in zip(counts, slices, strict=True):
            if number < item.least or (item.most is not None and number > item.most):
                found += one("slice", _miscounted(item, number), part)
        if is_closed and sum(counts) < len(value):
            found += one("slice", "it has an entry of no slice, and the profile allows no others", part)
        return found or None

    return look


def counted(
    value: dict[str, Any], required: list[tuple[str, tuple[str, ...]]], choices: list[list[str]]
) -> list[Problem]:
    """Return what is missing, and what stands in two types where one may."""
    found: list[Problem] = []
    for name, any_of in required:
        for key in any_of:
            if key in value:
                break
        else:
            found += one("missing_element", f"it has no {name}, which is required", name)
    for alternatives in choices:
        if sum(key in value for key in alternatives) > 1:
            found += one("too_many", "it has values of two types where one may stand")
    return found


def all_of(checks: list[Check]) -> Check:
    """Look at a value in several ways; where it is of another kind altogether, the first says so."""
    first, *others = checks

    def check(value: Any, scope: Scope) -> Problems:
        found = first(value, scope)
        if found and any(not problem.path and problem.code in _OTHER_KINDS for problem in found):
            return found  # there is nothing in it that the others could look at
        for other in others:
            more = other(value, scope)
            if more:
                found = [*(found or ()), *more]
        return found

    return check


def remembering(check: Check, number: int) -> Check:
    """Return a check that looks once at parts of the same JSON, where what they hold is in order by itself."""

    def look(value: Any, scope: Scope) -> Problems:
        validation = scope.validation
        seen = validation.seen[number]
        if id(value) in seen:  # the same object again: our own bundles share what is constant
            return None
        key = _json_of(value)
        if key is not None and key in validation.clean[number]:
            seen.add(id(value))
            return None
        before = validation.inward_references
        problems = check(value, scope)
        if problems is None and key is not None and validation.inward_references == before:
            validation.clean[number].add(bytes(memoryview(key)))  # as it comes it holds on to a kilobyte
            seen.add(id(value))
        return problems

    return look


def remembering_list(field: Field, number: int) -> Field:
    """Return what looks once at lists of the same JSON, such as the categories that every Observation has."""
    empty: dict[str, Any] = {}
    look = remembering(lambda value, scope: field(value, empty, scope), number)
    return lambda value, owner, scope: look(value, scope)


def _json_of(value: Any) -> bytes | None:
    try:
        return orjson.dumps(value)
    except (TypeError, RecursionError):
        return None


def equal_to(fixed: Any) -> Check:
    """Hold a value to the one that a profile fixes."""

    def check(value: Any, scope: Scope) -> Problems:
        same = type(value) is type(fixed) and value == fixed
        return None if same else one("fixed_value", "it is not the value that the profile fixes")

    return check


def like(pattern: Any) -> Check:
    """Hold a value to have what a profile's pattern has."""

    def check(value: Any, scope: Scope) -> Problems:
        return None if matches(pattern, value) else one("fixed_value", "it lacks what the profile fixes")

    return check


def not_ruled(key: str) -> Check:
    """Note that an invariant was not checked."""

    def check(value: Any, scope: Scope) -> Problems:
        scope.validation.unruled[key] += 1
        return None

    return check


def _has_beside(owner: dict[str, Any], key: str, place: int) -> bool:
    beside = owner.get(f"_{key}")
    return isinstance(beside, list) and len(beside) > place and beside[place] is not None


def _miscounted(item: Element, number: int) -> str:
    most = "any number" if item.most is None else item.most
    return f"it has {number} entries of the slice {item.slice_name}, and {item.least} to {most} may stand"


def _unknown(key: str, choosable: Sequence[str]) -> list[Problem]:
    """Say of a key that it may not stand, or not with this type."""
    for name in choosable:
        if key.startswith(name) and key[len(name) : len(name) + 1].isupper():
            return one("wrong_type", "a value of this type may not stand here", _quoted(key))
    return one("unknown_element", "there is no such element, or the profile has none", _quoted(key))


def _quoted(key: str) -> str:
    """A key that the document made up may hold anything: show it only where it could be an element's name."""
    return key if key.isidentifier() and key.isascii() and len(key) <= 64 else "`(an odd name)`"
