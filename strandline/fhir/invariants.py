"""The invariants of R4 and of the guide, by key, in Python: a rule takes an element and says whether it holds.

The tables hold each rule as FHIRPath too. Evaluating those costs hundreds of times as much, and a bundle has some
hundred thousand of them; the tests hold this module against a FHIRPath engine and against the wording of the tables.
`ele-1` is no rule here, for no element without content is let through at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Json = dict[str, Any]
_UCUM: Final = "http://unitsofmeasure.org"
_WHEN_WITHOUT_OFFSET: Final = frozenset({"C", "CM", "CD", "CV"})


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an element: `resource` it belongs to, and the outermost `root` of that, contained or not."""

    resource: Json
    root: Json


Rule = Callable[[Json], bool]
RuleWithin = Callable[[Json, Around], bool]
"""A rule that looks around itself."""


def has(element: Json, name: str) -> bool:
    """Whether an element has a child, a primitive's extensions included."""
    return name in element or f"_{name}" in element


def has_choice(element: Json, name: str) -> bool:
    """Whether an element has a child whose name ends with its type, such as valueString."""
    for key in element:
        if name in key and (bare := key.lstrip("_")).startswith(name) and bare[len(name) : len(name) + 1].isupper():
            return True
    return False


def descendants(value: Any) -> Iterator[Json]:
    """Yield every object below a value, and the value itself."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from descendants(child)
    elif isinstance(value, list):
        for child in value:
            yield from descendants(child)


def _dicts(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _in_order(low: object, high: object) -> bool:
    """Whether two quantities of the same unit, numbers or points in time are not the wrong way round."""
    if isinstance(low, dict) and isinstance(high, dict):
        same_unit = low.get("code", low.get("unit")) == high.get("code", high.get("unit"))
        return not same_unit or _in_order(low.get("value"), high.get("value"))
    if isinstance(low, str) and isinstance(high, str):
        return _times_in_order(low, high)
    if isinstance(low, int | float) and isinstance(high, int | float):
        return low <= high
    return True


def _times_in_order(first: str, second: str) -> bool:
    if "T" in first and "T" in second:
        try:
            return datetime.fromisoformat(first) <= datetime.fromisoformat(second)
        except (ValueError, TypeError):
            return True  # the format has been found fault with already
    known = min(len(first), len(second), 10)
    return first[:known] <= second[:known]


def _contained_is_referenced(element: Json) -> bool:
    contained = _dicts(element.get("contained"))
    if not contained:
        return True
    named = {value for item in descendants(element) for value in item.values() if isinstance(value, str)}
    return all(
        f"#{resource.get('id')}" in named or any(item.get("reference") == "#" for item in descendants(resource))
        for resource in contained
    )


def _value_has_no_component_of_its_code(element: Json, around: Around) -> bool:
    components = element.get("component")
    code = around.resource.get("code")
    own = code.get("coding") if isinstance(code, dict) else None
    if not isinstance(components, list) or not isinstance(own, list) or not has_choice(element, "value"):
        return True
    for component in components:
        try:
            for coding in component["code"]["coding"]:
                if coding in own:
                    return False
        except (TypeError, KeyError, IndexError):
            continue  # found fault with elsewhere
    return True


def _reference_is_contained(element: Json, around: Around) -> bool:
    reference = element.get("reference")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return True
    named = [resource.get("id") for resource in _dicts(around.root.get("contained"))]
    return reference == "#" or reference[1:] in named


def _entries_if(*types: str, part: str) -> Rule:
    """Every entry has `part` where the Bundle is of one of these types, and none has it elsewhere."""

    def rule(element: Json) -> bool:
        wanted = element.get("type") in types
        return all(has(entry, part) == wanted for entry in _dicts(element.get("entry")))

    return rule


def _begins_with(bundle_type: str, resource_type: str) -> Rule:
    def rule(element: Json) -> bool:
        if element.get("type") != bundle_type:
            return True
        first = next(iter(_dicts(element.get("entry"))), {}).get("resource")
        return isinstance(first, dict) and first.get("resourceType") == resource_type

    return rule


def _full_urls_differ(element: Json) -> bool:
    if element.get("type") == "history":
        return True
    seen = set()
    for entry in _dicts(element.get("entry")):
        if "fullUrl" in entry:
            resource = entry.get("resource")
            meta = resource.get("meta") if isinstance(resource, dict) else None
            key = (str(entry["fullUrl"]), str(meta.get("versionId")) if isinstance(meta, dict) else "None")
            if key in seen:
                return False
            seen.add(key)
    return True


def _document_is_identified(element: Json) -> bool:
    identifier = element.get("identifier")
    named = isinstance(identifier, dict) and "system" in identifier and "value" in identifier
    return element.get("type") != "document" or named


def _parameter_has_one_value(element: Json) -> bool:
    part, value, resource = has(element, "part"), has_choice(element, "value"), has(element, "resource")
    return not (value or resource) if part else value != resource


def _of_ucum(element: Json, *codes: str) -> bool:
    coded = has(element, "code") or not has(element, "value")
    system = element.get("system") in (None, _UCUM)
    return coded and system and (not codes or element.get("code") in (None, *codes))


def _is_percent(quantity: object) -> bool:
    return quantity is None or (
        isinstance(quantity, dict) and quantity.get("code") == "%" and quantity.get("system") == _UCUM
    )


def _requires(first: str, second: str) -> Rule:
    """Where the element has the one, it has the other."""
    return lambda element: not has(element, first) or has(element, second)


def _never_both(first: str, second: str) -> Rule:
    return lambda element: not (has(element, first) and has(element, second))


def _any_of(*names: str) -> Rule:
    return lambda element: any(has(element, name) for name in names)


def _exactly_one_of(*names: str) -> Rule:
    return lambda element: sum(has(element, name) for name in names) == 1


def _no_contained(*names: str) -> Rule:
    """No contained resource has one of these in its meta."""

    def rule(element: Json) -> bool:
        if "contained" not in element:
            return True
        metas = [resource.get("meta") for resource in _dicts(element["contained"])]
        return not any(isinstance(meta, dict) and has(meta, name) for meta in metas for name in names)

    return rule


def _not_negative(name: str) -> Rule:
    return lambda element: not isinstance(element.get(name), int | float) or element[name] >= 0


def _no_home_address(element: Json) -> bool:
    return element.get("use") != "home"


def _trigger_has_its_parts(element: Json) -> bool:
    kind = str(element.get("type"))
    return (
        (kind != "named-event" or has(element, "name"))
        and (kind != "periodic" or has_choice(element, "timing"))
        and (not kind.startswith("data-") or has(element, "data"))
    )


def _offset_has_an_event(element: Json) -> bool:
    when = element.get("when")
    told = isinstance(when, list) and not _WHEN_WITHOUT_OFFSET & set(map(str, when))
    return not has(element, "offset") or told


def _ratio_is_whole(element: Json) -> bool:
    numerator = has(element, "numerator")
    return numerator == has(element, "denominator") and (numerator or has(element, "extension"))


def _probability_is_possible(element: Json) -> bool:
    chance = element.get("probabilityDecimal")
    return not isinstance(chance, int | float) or chance <= 100


def _age_is_positive(element: Json) -> bool:
    return _of_ucum(element) and (not isinstance(element.get("value"), int | float) or element["value"] > 0)


def _count_is_whole(element: Json) -> bool:
    return _of_ucum(element, "1") and not (isinstance(element.get("value"), float) and element["value"] % 1)


def _name_is_for_machines(element: Json) -> bool:
    name = element.get("name")
    if not isinstance(name, str):
        return "name" not in element
    return name[:1].isupper() and name.replace("_", "a").isalnum() and name.isascii() and len(name) <= 255


RULES: Final[dict[str, Rule]] = {
    "age-1": _age_is_positive,
    "att-1": _requires("data", "contentType"),
    "bdl-1": lambda element: not has(element, "total") or element.get("type") in ("searchset", "history"),
    "bdl-2": lambda element: (
        element.get("type") == "searchset" or not any(has(entry, "search") for entry in _dicts(element.get("entry")))
    ),
    "bdl-3": _entries_if("batch", "transaction", "history", part="request"),
    "bdl-4": _entries_if("batch-response", "transaction-response", "history", part="response"),
    "bdl-5": _any_of("resource", "request", "response"),
    "bdl-7": _full_urls_differ,
    "bdl-8": lambda element: "/_history/" not in str(element.get("fullUrl", "")),
    "bdl-9": _document_is_identified,
    "bdl-10": lambda element: element.get("type") != "document" or "timestamp" in element,
    "bdl-11": _begins_with("document", "Composition"),
    "bdl-12": _begins_with("message", "MessageHeader"),
    "cnt-3": _count_is_whole,
    "cpt-2": _requires("value", "system"),
    "dis-1": _of_ucum,
    "dom-2": lambda element: not any(has(resource, "contained") for resource in _dicts(element.get("contained"))),
    "dom-3": _contained_is_referenced,
    "dom-4": _no_contained("versionId", "lastUpdated"),
    "dom-5": _no_contained("security"),
    "dom-6": lambda element: isinstance(element.get("text"), dict) and has(element["text"], "div"),
    "drq-1": _exactly_one_of("path", "searchParam"),
    "drq-2": _exactly_one_of("path", "searchParam"),
    "drt-1": lambda element: not has(element, "code") or (element.get("system") == _UCUM and has(element, "value")),
    "exp-1": _any_of("expression", "reference"),
    "ext-1": lambda element: has(element, "extension") != has_choice(element, "value"),
    "inv-1:Parameters": _parameter_has_one_value,
    "inv-1:Task": lambda element: _in_order(element.get("authoredOn"), element.get("lastModified")),
    "msq-3": lambda element: element.get("coordinateSystem") in (0, 1),
    "msq-5": lambda element: has(element, "chromosome") == has(element, "genomeBuild"),
    "msq-6": _exactly_one_of("genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString"),
    "obs-3": _any_of("low", "high", "text"),
    "obs-6": lambda element: not has(element, "dataAbsentReason") or not has_choice(element, "value"),
    "org-1": _any_of("identifier", "name"),
    "org-2": _no_home_address,
    "org-3": _no_home_address,
    "pat-1": _any_of("name", "telecom", "address", "organization"),
    "pdf-0": _name_is_for_machines,
    "per-1": lambda element: _in_order(element.get("start"), element.get("end")),
    "prr-1": _requires("orderDetail", "code"),
    "qty-3": _requires("code", "system"),
    "ras-1": lambda element: _is_percent(element.get("low")) and _is_percent(element.get("high")),
    "ras-2": _probability_is_possible,
    "rat-1": _ratio_is_whole,
    "rng-2": lambda element: _in_order(element.get("low"), element.get("high")),
    "sqty-1": lambda element: not has(element, "comparator"),
    "tim-1": _requires("duration", "durationUnit"),
    "tim-2": _requires("period", "periodUnit"),
    "tim-4": _not_negative("duration"),
    "tim-5": _not_negative("period"),
    "tim-6": _requires("periodMax", "period"),
    "tim-7": _requires("durationMax", "duration"),
    "tim-8": _requires("countMax", "count"),
    "tim-9": _offset_has_an_event,
    "tim-10": _never_both("timeOfDay", "when"),
    "trd-1": lambda element: not (has(element, "data") and has_choice(element, "timing")),
    "trd-2": _requires("condition", "data"),
    "trd-3": _trigger_has_its_parts,
}
"""By key. `txt-1` and `txt-2` are in `narrative`; one that stands nowhere is named as not checked."""
RULES_WITHIN: Final[dict[str, RuleWithin]] = {
    "obs-7": _value_has_no_component_of_its_code,
    "ref-1": _reference_is_contained,
}
"""The same for rules that look at the resource around an element."""
