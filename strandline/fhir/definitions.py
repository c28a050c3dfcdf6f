"""Compact tables of what FHIR R4 and the Genomics Reporting guide define, made from HL7's published definitions.

`python -m strandline.fhir.definitions GUIDE R4 TERMINOLOGY EXTENSIONS OUTPUT`, where the first four are folders of
unpacked packages (see docs/decisions/0029-fhir-validation.md for their names, versions and checksums). What a validator
needs stays: of each element its place, cardinality, types, fixed values, bindings, invariants and slices; of value sets
the codes, where the packages have them all; of complete code systems their codes.

An element is a row: id, least, most (in quotes where JSON writes a list), types, fixed, pattern, binding, invariants,
slicing, content reference.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
_RESOURCES: Final = (
    "Bundle Device DiagnosticReport DocumentReference MedicationKnowledge MedicationStatement "
    "MolecularSequence Observation OperationOutcome Organization Parameters Patient PlanDefinition Practitioner "
    "PractitionerRole Procedure Provenance RiskAssessment ServiceRequest Specimen Task"
)
"""Resource types that can be checked: those of the guide's profiles and examples, and those of our bundles."""
_ADDED: Final = frozenset(
    f"Meta.{name}" for name in ("account", "accounts", "author", "compartment", "onBehalfOf", "project")
)
"""What the package that brings R4 adds to it; a test holds the tables against R4's own JSON schema."""
_R4: Final = "http://hl7.org/fhir/StructureDefinition/"
_MOST_CODES: Final = 800
_ANSWERS: Final = {
    "http://loinc.org/vs/LL1971-2": {"http://loinc.org": ["LA9633-4", "LA9634-2", "LA18198-4", "LA11884-6"]}
}
"""What the guide binds and no package lists: present, absent, no call, indeterminate. Source: loinc.org, LL1971-2."""
_ABSTRACT: Final = frozenset({"Resource", "DomainResource"})
_TYPE_URL: Final = "http://hl7.org/fhirpath/System."


def main(arguments: list[str]) -> int:
    """Write the tables."""
    guide, core, terminology, extensions, output = map(Path, arguments)
    own = _by_url(_files(guide))
    base = _by_url(_bundled(core))
    more = _by_url(_files(extensions))
    terms = _by_url(_files(terminology)) | _by_url(_bundled_terms(core)) | own
    structures = _choose(own, base, more)
    codes = _Codes(terms)
    tables = {
        "structures": [_structure(structures[url], codes) for url in sorted(structures)],
        "invariants": _invariants(structures.values()),
        "value_sets": codes.expand_bound(structures.values()),
        "code_systems": codes.complete_systems(structures.values(), own),
        "resource_types": sorted(
            item["type"] for item in base.values() if item.get("kind") == "resource" and not item["abstract"]
        ),
        "known_extensions": sorted(url for url, item in (base | more).items() if item.get("type") == "Extension"),
    }
    output.write_text(_lines(tables), encoding="utf-8")
    return 0


def _lines(tables: Mapping[str, Any]) -> str:
    """One definition a line, so that a change is readable."""
    parts = []
    for name, table in tables.items():
        if isinstance(table, list) and table and isinstance(table[0], dict):
            rows = [_compact(item) for item in table]
            parts.append(f"{json.dumps(name)}:[\n" + ",\n".join(rows) + "]")
        elif isinstance(table, dict):
            rows = [f"{json.dumps(key)}:{_compact(value)}" for key, value in sorted(table.items())]
            parts.append(f"{json.dumps(name)}:{{\n" + ",\n".join(rows) + "}")
        else:
            parts.append(f"{json.dumps(name)}:{_compact(table)}")
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _files(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.glob("*-*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _bundled(folder: Path) -> Iterator[Json]:
    for name in ("profiles-types", "profiles-resources", "profiles-others", "extension-definitions"):
        for entry in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["entry"]:
            yield entry["resource"]


def _bundled_terms(folder: Path) -> Iterator[Json]:
    for name in ("valuesets", "v3-codesystems", "v2-tables"):
        for entry in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["entry"]:
            yield entry["resource"]


def _by_url(resources: Iterable[Json]) -> dict[str, Json]:
    return {resource["url"]: resource for resource in resources if "url" in resource}


def _choose(own: Mapping[str, Json], base: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
    """Return the guide's structures, the resources named above, and all that these are made of."""
    wanted = [url for url, item in own.items() if item["resourceType"] == "StructureDefinition"]
    wanted += [_R4 + name for name in _RESOURCES.split()]
    chosen: dict[str, Json] = {}
    while wanted:
        url = wanted.pop()
        found = own.get(url) or base.get(url) or more.get(url)
        if url in chosen or found is None or found.get("type") in _ABSTRACT:
            continue
        chosen[url] = found
        for element in found["snapshot"]["element"]:
            for kind in element.get("type", ()):
                wanted += [_R4 + kind["code"], *kind.get("profile", ())]
    return chosen


def _structure(item: Json, codes: "_Codes") -> Json:
    elements = item["snapshot"]["element"]
    described = {
        "url": item["url"],
        "type": item["type"],
        "kind": item["kind"],
        "base": item.get("baseDefinition"),
        "elements": [_row(element, codes) for element in elements if element["id"] not in _ADDED],
    }
    if item["type"] == "Extension" and item.get("context"):
        described["context"] = [[context["type"], context["expression"]] for context in item["context"]]
    return described


def _row(element: Json, codes: "_Codes") -> list[Any]:
    fixed = next((value for key, value in element.items() if key.startswith("fixed")), None)
    pattern = next((value for key, value in element.items() if key.startswith("pattern")), None)
    keys = [constraint["key"] for constraint in element.get("constraint", ()) if constraint.get("expression")]
    is_list = element.get("base", element)["max"] not in {"0", "1"}
    row = [
        element["id"],
        element["min"],
        element["max"] if is_list else int(element["max"]),
        [_type(kind) for kind in element.get("type", ())],
        fixed,
        pattern,
        codes.binding(element),
        [_named(element, key) for key in keys if key != "ele-1"],
        _slicing(element),
        element.get("contentReference", "").rpartition("#")[2] or None,
    ]
    while row[-1] is None or row[-1] == []:
        row.pop()
    return row


def _named(element: Json, key: str) -> str:
    """Two invariants of R4 share the key inv-1: the type they belong to tells them apart."""
    return f"{key}:{element['id'].partition('.')[0]}" if key == "inv-1" else key


def _type(kind: Json) -> list[Any]:
    code = kind["code"]
    if code.startswith(_TYPE_URL):
        exact = [item["valueUrl"] for item in kind.get("extension", ()) if item["url"].endswith("-fhir-type")]
        code = exact[0] if exact else code.removeprefix(_TYPE_URL).lower()
    described = [code, kind.get("profile", []), [url.partition("|")[0] for url in kind.get("targetProfile", ())]]
    while len(described) > 1 and not described[-1]:
        described.pop()
    return described


def _slicing(element: Json) -> list[Any] | None:
    slicing = element.get("slicing")
    if not slicing:
        return None
    return [[[item["type"], item["path"]] for item in slicing.get("discriminator", ())], slicing["rules"]]


def _invariants(structures: Iterable[Json]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for structure in structures:
        for element in structure["snapshot"]["element"]:
            for constraint in element.get("constraint", ()):
                if constraint.get("expression") and constraint["key"] != "ele-1":
                    described = [constraint["severity"], constraint["expression"], constraint["human"]]
                    known = found.setdefault(_named(element, constraint["key"]), described)
                    if known[:2] != described[:2]:
                        raise ValueError(f"two invariants have the key {constraint['key']}")
    return found


class _Codes:
    """Which codes a value set holds, as far as the packages say."""

    def __init__(self, terms: Mapping[str, Json]) -> None:
        self._terms = terms

    def binding(self, element: Json) -> list[str] | None:
        """Strength and value set, of what has to be held."""
        binding = element.get("binding")
        if not binding or binding["strength"] not in {"required", "extensible"} or "valueSet" not in binding:
            return None
        return [binding["strength"], binding["valueSet"].partition("|")[0]]

    def expand_bound(self, structures: Iterable[Json]) -> dict[str, dict[str, list[str]]]:
        """Codes by system of every bound value set that can be listed. An empty list stands for the whole system."""
        bound = {
            found[1]
            for item in structures
            for element in item["snapshot"]["element"]
            if (found := self.binding(element))
        }
        expanded = {url: self._expand(url) for url in sorted(bound)}
        return {
            url: {system: sorted(codes) for system, codes in by_system.items()}
            for url, by_system in expanded.items()
            if by_system is not None and sum(map(len, by_system.values())) <= _MOST_CODES
        } | {url: listed for url, listed in _ANSWERS.items() if url in bound}

    def complete_systems(self, structures: Iterable[Json], own: Mapping[str, Json]) -> dict[str, list[str]]:
        """Codes of the guide's own code systems, and of those its patterns and value sets name."""
        text = json.dumps([item["snapshot"] for item in structures])
        complete = {
            url: item
            for url, item in self._terms.items()
            if item["resourceType"] == "CodeSystem" and item.get("content") == "complete"
        }
        return {
            url: sorted(_concepts(item))
            for url, item in complete.items()
            if (url in own or f'"{url}"' in text) and len(_concepts(item)) <= _MOST_CODES
        }

    def _expand(self, url: str) -> dict[str, set[str]] | None:
        value_set = self._terms.get(url)
        if value_set is None or value_set["resourceType"] != "ValueSet" or "compose" not in value_set:
            return None
        by_system: dict[str, set[str]] = {}
        for include in value_set["compose"]["include"]:
            found = self._included(include)
            if found is None:
                return None
            for system, codes in found.items():
                by_system.setdefault(system, set()).update(codes)
        for exclude in value_set["compose"].get("exclude", ()):
            if "concept" not in exclude:
                return None
            by_system.get(exclude["system"], set()).difference_update(item["code"] for item in exclude["concept"])
        return by_system

    def _included(self, include: Json) -> dict[str, set[str]] | None:
        if "valueSet" in include:
            expanded = [self._expand(url.partition("|")[0]) for url in include["valueSet"]]
            return expanded[0] if len(expanded) == 1 and "system" not in include else None
        if "concept" in include:
            return {include["system"]: {item["code"] for item in include["concept"]}}
        system = self._terms.get(include["system"])
        if include["system"] == "http://varnomen.hgvs.org" and "filter" not in include:
            return {include["system"]: set()}  # a grammar and no list: every name is a code
        if system is None or system.get("content") != "complete":
            return None
        codes = _filtered(system, include.get("filter", ()))
        return None if codes is None else {include["system"]: codes}


def _filtered(system: Json, filters: Iterable[Json]) -> set[str] | None:
    codes = _concepts(system)
    for rule in filters:
        if rule["op"] != "is-a" or rule["property"] != "concept":
            return None
        below = _below(system, rule["value"])
        if below is None:
            return None
        codes &= below
    return codes


def _below(system: Json, code: str) -> set[str] | None:
    for concept in _every_concept(system.get("concept", ())):
        if concept["code"] == code:
            return {item["code"] for item in _every_concept([concept])}
    return None


def _concepts(system: Json) -> set[str]:
    return {concept["code"] for concept in _every_concept(system.get("concept", ()))}


def _every_concept(concepts: Iterable[Json]) -> Iterator[Json]:
    for concept in concepts:
        yield concept
        yield from _every_concept(concept.get("concept", ()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
