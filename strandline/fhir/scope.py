"""What a check of one resource knows of what stands around it: the Bundle's index, and what was found in order."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from strandline.fhir.invariants import Around
from strandline.fhir.problems import Problems

Json = dict[str, Any]


@dataclass(slots=True)
class Validation:
    """Of one document. What was found in order is kept by the check that found so: JSON in `clean`, objects in `seen`.

    Attributes:
        by_url: resources by fullUrl, and by type and id.
        is_bundle: whether references are to be found in a Bundle at all.
        conforms: whether a resource is of a profile; it is asked for targets of references.
        unlisted: how often a value set was met whose codes the packages do not list.
    """

    by_url: Mapping[str, Json]
    is_bundle: bool
    conforms: Callable[["Scope", Json, str], bool]
    clean: defaultdict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    seen: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    known_conformance: dict[tuple[int, str], bool] = field(default_factory=dict)
    unlisted: Counter[str] = field(default_factory=Counter)
    unruled: Counter[str] = field(default_factory=Counter)
    inward_references: int = 0
    """References into the resource itself met so far: what holds one is not clean wherever it stands."""


@dataclass(slots=True)
class Scope:
    """One resource of a document."""

    validation: Validation
    around: Around

    def within(self, resource: Json, *, contained: bool) -> "Scope":
        """Return the scope of a resource inside this one."""
        root = self.around.root if contained else resource
        return Scope(self.validation, Around(resource, root))

    def resolve(self, reference: str) -> Json | None:
        """Return the resource that a reference points at, or None."""
        if reference.startswith("#"):
            contained = self.around.root.get("contained")
            if reference == "#":
                return self.around.root
            for resource in contained if isinstance(contained, list) else ():
                if isinstance(resource, dict) and resource.get("id") == reference[1:]:
                    return resource
            return None
        return self.validation.by_url.get(reference.partition("/_history/")[0])


Check = Callable[[Any, Scope], Problems]
"""What looks at a value; None where it is in order."""
