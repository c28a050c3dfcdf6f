"""The compact tables of definitions.json, read once and looked up by canonical address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

R4: Final = "http://hl7.org/fhir/StructureDefinition/"
_FILE: Final = Path(__file__).with_name("definitions.json")


@dataclass(frozen=True, slots=True)
class TypeOf:
    """A type that an element may have; `targets` are what a Reference may point at."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slicing:
    """How entries of a list are told apart: kinds and paths of discriminators."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a snapshot. `most` is None where there is no limit; `binding` is strength and value set.

    `repeats` says that JSON writes a list, whatever a profile makes of `most`.
    """

    id: str
    least: int
    most: int | None
    repeats: bool
    types: tuple[TypeOf, ...]
    fixed: Any
    pattern: Any
    binding: tuple[str, str] | None
    invariants: tuple[str, ...]
    slicing: Slicing | None
    content: str | None

    @property
    def name(self) -> str:
        """The last part of the id, without the name of a slice."""
        return self.id.rpartition(".")[2].partition(":")[0]

    @property
    def slice_name(self) -> str:
        """The name of the slice, or nothing."""
        return self.id.rpartition(".")[2].partition(":")[2]


class Structure:
    """A resource, a data type, or a profile of one: its elements by id."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self.url: str = described["url"]
        self.type: str = described["type"]
        self.kind: str = described["kind"]
        self.base: str | None = described["base"]
        self.contexts: tuple[tuple[str, str], ...] = tuple(tuple(pair) for pair in described.get("context", ()))
        self.elements = {row[0]: _element(row) for row in described["elements"]}
        self._children: dict[str, list[Element]] = {}
        for element in self.elements.values():
            parent = element.id.rpartition(".")[0]
            self._children.setdefault(parent, []).append(element)
        children = self._children.get(self.type, [])
        self.patterns = [(child.name, child.pattern) for child in children if child.pattern and not child.slice_name]
        """What the whole must have at its top, such as the code of an Observation."""

    @property
    def root(self) -> Element:
        """The element that stands for the whole."""
        return self.elements[self.type]

    def children(self, parent: str) -> list[Element]:
        """Elements below one, slices among them."""
        return self._children.get(parent, [])

    def slices(self, element: Element) -> list[Element]:
        """The slices of an element."""
        parent = element.id.rpartition(".")[0]
        return [other for other in self.children(parent) if other.id.startswith(f"{element.id}:")]


class Tables:
    """What definitions.json holds."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._described = {item["url"]: item for item in content["structures"]}
        self._structures: dict[str, Structure] = {}
        self._lineages: dict[str, frozenset[str]] = {}
        self.invariants: Mapping[str, list[str]] = content["invariants"]
        self.value_sets = {
            url: {system: frozenset(codes) for system, codes in by_system.items()}
            for url, by_system in content["value_sets"].items()
        }
        self.code_systems = {url: frozenset(codes) for url, codes in content["code_systems"].items()}
        self.resource_types: frozenset[str] = frozenset(content["resource_types"])
        self.known_extensions: frozenset[str] = frozenset(content["known_extensions"])

    def structure(self, url: str) -> Structure | None:
        """Return a definition by its canonical address, with or without a version; None where there is none."""
        bare = url.partition("|")[0]
        if bare not in self._structures:
            if bare not in self._described:
                return None
            self._structures[bare] = Structure(self._described[bare])
        return self._structures[bare]

    def of_type(self, name: str) -> Structure | None:
        """Return the definition of a resource or data type of R4."""
        return self.structure(R4 + name)

    def lineage(self, url: str) -> frozenset[str]:
        """Return a profile and all that it derives from."""
        bare = url.partition("|")[0]
        if bare not in self._lineages:
            found, at = [], bare
            while at in self._described:
                found.append(at)
                at = self._described[at]["base"] or ""
            self._lineages[bare] = frozenset(found)
        return self._lineages[bare]


@cache
def tables() -> Tables:
    """Return the tables; reading them takes some milliseconds, once a process."""
    return Tables(json.loads(_FILE.read_bytes()))


def _element(row: list[Any]) -> Element:
    full = [*row, *[None] * (10 - len(row))]
    slicing = full[8] and Slicing(tuple((kind, path) for kind, path in full[8][0]), full[8][1])
    return Element(
        id=full[0],
        least=full[1],
        most=None if full[2] == "*" else int(full[2]),
        repeats=isinstance(full[2], str),
        types=tuple(TypeOf(kind[0], *(tuple(part) for part in kind[1:])) for kind in full[3] or ()),
        fixed=full[4],
        pattern=full[5],
        binding=tuple(full[6]) if full[6] else None,
        invariants=tuple(full[7] or ()),
        slicing=slicing or None,
        content=full[9],
    )
