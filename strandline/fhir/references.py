"""References: whether what they point at is there, and is what the element allows."""

from typing import Any, Final

from strandline.fhir.problems import Problems, Severity, one
from strandline.fhir.scope import Check, Scope
from strandline.fhir.tables import R4

_ANY: Final = f"{R4}Resource"


def check_reference(targets: tuple[str, ...]) -> Check:
    """Return what resolves a Reference and holds its target to types and profiles."""
    types = {url.removeprefix(R4) for url in targets if url.startswith(R4)}
    profiles = tuple(url for url in targets if not url.startswith(R4))
    allows_all = not targets or _ANY in targets

    def check(value: Any, scope: Scope) -> Problems:
        reference = value.get("reference")
        if not isinstance(reference, str):
            return None
        if reference.startswith("#"):
            scope.validation.inward_references += 1
        target = scope.resolve(reference)
        if target is None:
            return _unresolved(reference, scope)
        stated, kind = value.get("type"), str(target.get("resourceType"))
        if isinstance(stated, str) and stated not in {kind, R4 + kind}:
            return one("wrong_target", "its type is not that of the resource it points at", "type")
        if allows_all or kind in types:
            return None
        if any(scope.validation.conforms(scope, target, profile) for profile in profiles):
            return None
        return one(
            "wrong_target", "the resource it points at is of no type or profile that may stand here", "reference"
        )

    return check


def _unresolved(reference: str, scope: Scope) -> Problems:
    if reference.startswith("#"):
        return None  # invariant ref-1 says so
    if not scope.validation.is_bundle:
        return None  # a resource by itself has nothing to point at
    is_error = reference.startswith("urn:")
    severity = Severity.ERROR if is_error else Severity.WARNING
    return one("unresolved_reference", "no entry of the Bundle is what it points at", "reference", severity=severity)
