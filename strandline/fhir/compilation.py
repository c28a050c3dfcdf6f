"""Checks made from definitions: each structure becomes nested functions, once and only as far as documents need it.

A check returns None for what is in order, so that sound documents cost no paths and no lists. Parts that repeat
(codes, quantities, whole components) are looked up by their JSON before they are looked at again.
"""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, Final

from strandline.fhir.extensions import check_extension
from strandline.fhir.invariants import RULES, RULES_WITHIN
from strandline.fhir.narrative import check_narrative
from strandline.fhir.parts import (
    ENOUGH,
    Field,
    Fields,
    all_of,
    counted,
    equal_to,
    like,
    listed,
    not_ruled,
    remembering,
    remembering_list,
    single,
)
from strandline.fhir.primitives import primitive
from strandline.fhir.problems import Problem, Problems, Severity, below, one
from strandline.fhir.references import check_reference
from strandline.fhir.scope import Check, Scope
from strandline.fhir.slices import make_slicer
from strandline.fhir.tables import Element, Structure, Tables, TypeOf
from strandline.fhir.terms import check_binding, check_system

_REMEMBERED: Final = frozenset(
    {
        *("CodeableConcept", "Quantity", "Range", "Ratio", "Period", "Identifier", "Meta", "Reference"),
        "BackboneElement",
    }
)
_RESOURCES: Final = frozenset({"Resource", "DomainResource"})
_WORDS: Final = frozenset({"and", "as", "contains", "day", "days", "div", "implies", "in", "is", "mod", "or", "xor"})
_IN_NARRATIVE: Final = frozenset({"txt-1", "txt-2"})


class Checks:
    """Checks of structures by canonical address. `resource` looks at a resource inside another one."""

    def __init__(self, tables: Tables, resource: Check) -> None:
        self._tables = tables
        self._resource = resource
        self._made: dict[str, Check] = {}
        self._numbers = count()

    def of(self, url: str) -> Check:
        """Return the check of a structure that the tables have."""
        bare = url.partition("|")[0]
        if bare not in self._made:
            structure = self._tables.structure(bare)
            if structure is None:
                raise KeyError(bare)
            self._made[bare] = self._later(bare)  # it may hold itself
            self._made[bare] = self._object(structure, structure.root, structure)
        return self._made[bare]

    def _later(self, url: str) -> Check:
        def check(value: Any, scope: Scope) -> Problems:
            return self._made[url](value, scope)

        return check

    def _value(self, structure: Structure, element: Element, kind: TypeOf) -> Check:
        """Return the check of one value of one of an element's types."""
        if kind.code in _RESOURCES:
            return self._resource
        of_type = self._tables.of_type(kind.code)
        if of_type is None or of_type.kind == "primitive-type":
            return self._primitive(element, kind)
        known = [self.of(url) for url in kind.profiles if self._tables.structure(url)]
        if kind.code == "Extension" and not _home_of_children(structure, element):
            checks = known or [check_extension(self._tables, self.of, structure.url, _owner(structure, element))]
        else:
            checks = [self._complex(structure, element, kind, of_type), *known]
        if kind.code == "Reference" and element.id != "Reference":
            checks.append(check_reference(kind.targets))
        both = checks[0] if len(checks) == 1 else all_of(checks)
        if kind.code in _REMEMBERED and structure.type != "Bundle":
            return remembering(both, next(self._numbers))
        return both

    def _complex(self, structure: Structure, element: Element, kind: TypeOf, of_type: Structure) -> Check:
        """Return the check of an object by its children: the element's own, or those of its type."""
        children = _home_of_children(structure, element)
        own = self._object(structure, element, of_type, children) if children else self.of(of_type.url)
        checks = [own, *self._demands(element, kind.code)]
        if not children:
            checks += [rule for key in element.invariants if (rule := self._rule(key))]
        if kind.code == "Coding":
            checks.append(check_system(self._tables))
        return own if len(checks) == 1 else all_of(checks)

    def _demands(self, element: Element, type_name: str) -> list[Check]:
        """What an element asks of its value whatever the value is made of."""
        found: list[Check] = []
        if element.fixed is not None:
            found.append(equal_to(element.fixed))
        if element.pattern is not None:
            found.append(like(element.pattern))
        bound = element.binding and check_binding(self._tables, element.binding, type_name)
        return [*found, bound] if bound else found

    def _primitive(self, element: Element, kind: TypeOf) -> Check:
        if kind.code == "xhtml":
            return lambda value, scope: check_narrative(value)
        simple = primitive(kind.code)
        demands = self._demands(element, "code" if kind.code == "code" else "string")
        if not demands:
            return lambda value, scope: simple(value)
        return all_of([lambda value, scope: simple(value), *demands])

    def _rule(self, key: str) -> Check | None:
        """Return the check of an invariant."""
        if key in _IN_NARRATIVE:
            return None
        severity, _, human = self._tables.invariants[key]
        name = key.partition(":")[0]
        level = Severity.ERROR if severity == "error" else Severity.WARNING
        says = f"{name} does not hold: {human.strip()}"
        if rule := RULES.get(key):
            return lambda value, scope: None if rule(value) else one("invariant", says, severity=level)
        if within := RULES_WITHIN.get(key):
            return lambda value, scope: None if within(value, scope.around) else one("invariant", says, severity=level)
        return not_ruled(key)

    def _object(self, structure: Structure, element: Element, of_type: Structure, home: str | None = None) -> Check:
        """Return the check of an object's keys, of what it must have, and of its invariants.

        Args:
            structure: where the element stands.
            element: the object.
            of_type: its type, whose invariants hold too.
            home: id of the element whose children these are, where it is not the element itself.
        """
        children = [child for child in structure.children(home or element.id) if not child.slice_name]
        is_resource = structure.kind == "resource" and element is structure.root
        choosable = [child.name.removesuffix("[x]") for child in children if child.name.endswith("[x]")]
        fields = Fields(self._makers(structure, children), choosable, is_resource=is_resource)
        wanted = [child for child in children if child.least or _has_wanted_slice(structure, child)]
        required = [_wanted(structure, child) for child in wanted]
        choices = [forms for child in children if len(forms := _keys(structure, child)) > 1]
        is_counted = bool(required or choices)
        keys = dict.fromkeys([*of_type.root.invariants, *element.invariants])
        rules = [rule for key in keys if (rule := self._rule(key))]

        def check(value: Any, scope: Scope) -> Problems:
            if type(value) is not dict:
                return one("wrong_shape", "it is not an object")
            if not value or (len(value) == 1 and "id" in value and not is_resource):
                return one("empty", "it has no content (ele-1)")
            found: list[Problem] = []
            for key, inner in value.items():
                if problems := fields[key](inner, value, scope):
                    found += problems
                    if len(found) > ENOUGH:
                        return found
            if is_counted:
                found += counted(value, required, choices)
            for rule in rules:
                if problems := rule(value, scope):
                    found += problems
            return found or None

        return check

    def _makers(self, structure: Structure, children: list[Element]) -> dict[str, Callable[[], Field]]:
        """Return what makes the check of each key, for a key is looked at only where a document has it."""
        makers: dict[str, Callable[[], Field]] = {}
        for child in children:
            for kind in child.types or (TypeOf("Element"),):
                key, at, narrowed = _key(structure, child, kind)
                makers[key] = partial(self._field, structure, at, narrowed, key)
                of_type = self._tables.of_type(kind.code)
                if of_type is None or of_type.kind == "primitive-type":
                    makers[f"_{key}"] = partial(self._beside, at, key)
        return makers

    def _field(self, structure: Structure, element: Element, kind: TypeOf, key: str) -> Field:
        kinds = self._content_types(structure, element) or kind
        choice = element.name.removesuffix("[x]")
        part = _path_of(key) if choice == element.name else f"{choice}.ofType({kind.code})"
        if element.most == 0:
            return lambda value, owner, scope: one("too_many", "the profile allows none", part)
        check = self._value(structure, element, kinds)
        if not element.repeats:
            return single(check, part)
        slices = [(item, self._lazily(structure, item, kinds)) for item in structure.slices(element)]
        slicer = make_slicer(structure, element, [item for item, _ in slices]) if slices else None
        whole = listed(check, part, element, slicer, slices)
        return remembering_list(whole, next(self._numbers)) if kind.code == "CodeableConcept" else whole

    def _content_types(self, structure: Structure, element: Element) -> TypeOf | None:
        """The type of what a content reference points at."""
        found = structure.elements.get(element.content) if element.content else None
        return found.types[0] if found else None

    def _lazily(self, structure: Structure, element: Element, kind: TypeOf) -> Check:
        made: list[Check] = []

        def check(value: Any, scope: Scope) -> Problems:
            if not made:
                made.append(self._value(structure, element, element.types[0] if element.types else kind))
            return made[0](value, scope)

        return check

    def _beside(self, element: Element, key: str) -> Field:
        """Return the check of what stands beside a primitive: its id and extensions."""
        beside = self.of("http://hl7.org/fhir/StructureDefinition/Element")
        if not element.repeats:
            return single(beside, key)

        def check(value: Any, owner: dict[str, Any], scope: Scope) -> Problems:
            if type(value) is not list or not value:
                return one("wrong_shape", "it is not a list with content", key)
            found: list[Problem] = []
            for place, item in enumerate(value):
                if item is not None:
                    found += below(beside(item, scope), f"{key}[{place}]")
            return found or None

        return check


def _home_of_children(structure: Structure, element: Element) -> str | None:
    """Return the id under which an element's children stand in the structure, or None where it has none of its own."""
    if element is structure.root:
        return None
    bare = ".".join(part.partition(":")[0] for part in element.id.split("."))
    unsliced = element.id.rpartition(":")[0] if element.slice_name else ""
    for home in (element.id, element.content or "", unsliced, bare):
        if home and structure.children(home):
            return home
    return None


def _key(structure: Structure, element: Element, kind: TypeOf) -> tuple[str, Element, TypeOf]:
    """Return the JSON key of one type of an element, and the slice by type that narrows it."""
    if not element.name.endswith("[x]"):
        return element.name, element, kind
    key = element.name.removesuffix("[x]") + kind.code[0].upper() + kind.code[1:]
    for narrowed in structure.slices(element):
        if [other.code for other in narrowed.types] == [kind.code]:
            return key, narrowed, narrowed.types[0]
    return key, element, kind


def _keys(structure: Structure, element: Element) -> list[str]:
    return [_key(structure, element, kind)[0] for kind in element.types]


def _wanted(structure: Structure, element: Element) -> tuple[str, tuple[str, ...]]:
    """Return the name of what must be there, and the keys that any of which will do."""
    name = element.name.removesuffix("[x]")
    keys = _keys(structure, element) or [name]
    return name, tuple(form for key in keys for form in (key, f"_{key}"))


def _has_wanted_slice(structure: Structure, element: Element) -> bool:
    return any(item.least for item in structure.slices(element))


def _owner(structure: Structure, element: Element) -> str:
    """Return the path of what an extension stands in, such as Observation.component."""
    return ".".join(part.partition(":")[0] for part in element.id.split(".")[:-1]) or structure.type


def _path_of(key: str) -> str:
    """Return a key as FHIRPath writes it: some are words of the language."""
    return f"`{key}`" if key in _WORDS else key
