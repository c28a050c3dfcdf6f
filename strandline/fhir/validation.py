"""Validates FHIR R4 documents against R4 and the Genomics Reporting guide 3.0.0.

What is held: JSON, types, cardinality, fixed values, slices, required and extensible bindings to listed value sets,
codes of complete code systems, invariants, extensions with their places, references inside a Bundle with types and
profiles of their targets, narratives. What is not is said as information: see docs/fhir.md.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from strandline.errors import RejectedInputError
from strandline.fhir.collection import paused_collection
from strandline.fhir.compilation import Checks
from strandline.fhir.invariants import Around
from strandline.fhir.problems import Finding, Problem, Problems, Severity, one, to_findings
from strandline.fhir.scope import Scope, Validation
from strandline.fhir.slices import matches
from strandline.fhir.tables import R4, tables

Json = dict[str, Any]
LARGEST_BYTES: Final = 64 << 20
MOST_ENTRIES: Final = 50_000
MOST_FINDINGS: Final = 1_000
_DEEPEST: Final = 64
_MORE: Final = Problem("more", "more was found than is told", [], Severity.INFORMATION)


class InvalidBundleError(Exception):
    """A bundle of our own making breaks its profiles; the message says where, and no value."""


def read_document(body: bytes) -> Json:
    """Parse a FHIR document, strictly.

    Raises:
        RejectedInputError: `fhir_too_large`, `fhir_not_json`, `fhir_duplicate_key`, `fhir_too_deep` or
            `fhir_not_a_resource`; never with a value of the document.
    """
    if len(body) > LARGEST_BYTES:
        raise RejectedInputError("fhir_too_large", f"the document is over {LARGEST_BYTES >> 20} MiB: split it")
    try:
        with paused_collection():
            document = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise RejectedInputError(
            "fhir_not_json", f"line {error.lineno}, column {error.colno}: {error.msg}; write JSON in UTF-8"
        ) from None
    except RecursionError:
        raise RejectedInputError("fhir_too_deep", f"objects nest over {_DEEPEST} deep: take some out") from None
    except ValueError:
        raise RejectedInputError("fhir_not_json", "it is not JSON in UTF-8, or a number in it is too long") from None
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        raise RejectedInputError("fhir_not_a_resource", "the document has no resourceType: send a FHIR resource")
    entries = document.get("entry")
    if isinstance(entries, list) and len(entries) > MOST_ENTRIES:
        raise RejectedInputError(
            "fhir_too_large", f"the Bundle has over {MOST_ENTRIES} entries: split it, such as one Bundle a contig"
        )
    if _depth_exceeds(document):
        raise RejectedInputError("fhir_too_deep", f"objects nest over {_DEEPEST} deep: take some out")
    return document


def validate_document(document: Json) -> list[Finding]:
    """Return what is wrong with a resource or Bundle, errors first; at most `MOST_FINDINGS` of them.

    Locations are FHIRPath from the root, such as `Bundle.entry[3].resource.component[0].value.ofType(Range).low`.
    """
    validation = Validation(_index(document), document.get("resourceType") == "Bundle", _conforms)
    kind = document.get("resourceType")
    with paused_collection():
        problems = _check_resource(document, Scope(validation, Around(document, document)))
    found = [*(problems or ()), *_bundle_problems(document), *_unchecked(validation)]
    named = isinstance(kind, str) and kind in tables().resource_types
    findings = to_findings(found, str(kind) if named else "Resource")
    if len(findings) > MOST_FINDINGS:
        findings[MOST_FINDINGS - 1 :] = to_findings([_MORE], findings[0].location.partition(".")[0])
    return findings


def require_valid(bundle: Json) -> Json:
    """Return a bundle that we made, where nothing is wrong with it.

    Raises:
        InvalidBundleError: it breaks its profiles: a fault of this software, and nobody's input.
    """
    errors = errors_of(validate_document(bundle))
    if errors:
        first = errors[0]
        raise InvalidBundleError(
            f"the bundle breaks its profiles in {len(errors)} places and is not stored; the first: {first.code} at "
            f"{first.location}: {first.message}"
        )
    return bundle


def errors_of(findings: list[Finding]) -> list[Finding]:
    """Return the findings for which a document is refused."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


@cache
def _checks() -> Checks:
    return Checks(tables(), _check_inner)


def _check_inner(value: Any, scope: Scope) -> Problems:
    """Look at a resource inside another: an entry of a Bundle, or a contained one."""
    if not isinstance(value, dict):
        return one("wrong_shape", "it is not an object")
    return _check_resource(value, scope.within(value, contained=scope.around.resource.get("resourceType") != "Bundle"))


def _check_resource(value: Json, scope: Scope) -> Problems:
    """Look at a resource as its type and as the profiles that it names."""
    kind = value.get("resourceType")
    if not isinstance(kind, str) or kind not in tables().resource_types:
        return one("unknown_type", "it is of no resource type of R4", "resourceType")
    if tables().of_type(kind) is None:
        return one("not_checked", "resources of this type are not checked", severity=Severity.INFORMATION)
    found: list[Problem] = []
    held = False
    for place, url in enumerate(_profiles(value)):
        where = ("meta", f"profile[{place}]")
        structure = tables().structure(url)
        if structure is None:
            found += one("unknown_profile", "its definition is not known here", *where, severity=Severity.WARNING)
        elif structure.type != kind:
            found += one("profile_of_another_type", "it is a profile of another resource type", *where)
        else:
            held = True
            found += _checks().of(url)(value, scope) or ()
    if not held:
        found += _checks().of(R4 + kind)(value, scope) or ()
    return found or None


def _profiles(resource: Json) -> list[str]:
    meta = resource.get("meta")
    named = meta.get("profile") if isinstance(meta, dict) else None
    return [url for url in named if isinstance(url, str)] if isinstance(named, list) else []


def _conforms(scope: Scope, target: Json, profile: str) -> bool:
    """Whether a resource is of a profile: it says so, or it holds."""
    known = scope.validation.known_conformance
    key = (id(target), profile)
    if key not in known:
        known[key] = True  # a resource that is asked about while it is looked at
        known[key] = _claims(target, profile) or _holds(scope, target, profile)
    return known[key]


def _claims(target: Json, profile: str) -> bool:
    lineage = tables().lineage
    return any(profile in lineage(url) for url in _profiles(target))


def _holds(scope: Scope, target: Json, profile: str) -> bool:
    structure = tables().structure(profile)
    if structure is None or structure.type != target.get("resourceType"):
        return False
    if not all(matches(pattern, target.get(name)) for name, pattern in structure.patterns):
        return False  # such as the code of an Observation: no need to look further
    quiet = Validation(scope.validation.by_url, False, lambda *_: True)
    problems = _checks().of(profile)(target, Scope(quiet, Around(target, target)))
    return not any(problem.severity is Severity.ERROR for problem in problems or ())


def _index(document: Json) -> dict[str, Json]:
    """Return resources by fullUrl, and by type and id."""
    found: dict[str, Json] = {}
    for _, entry, resource in _entries(document):
        if isinstance(entry.get("fullUrl"), str):
            found.setdefault(entry["fullUrl"], resource)
        found.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)
    return found


def _entries(document: Json) -> Iterator[tuple[int, Json, Json]]:
    entries = document.get("entry")
    if document.get("resourceType") != "Bundle" or not isinstance(entries, list):
        return
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield place, entry, entry["resource"]


def _bundle_problems(document: Json) -> Iterator[Problem]:
    """Yield what is wrong between entries. Source: HL7 FHIR R4, section 3.1.6, resource URLs in a Bundle."""
    names: set[tuple[object, object]] = set()
    for place, entry, resource in _entries(document):
        kind, name, url = resource.get("resourceType"), resource.get("id"), entry.get("fullUrl")
        where = f"entry[{place}]"
        if isinstance(url, str) and url.startswith("http") and name and not url.endswith(f"/{kind}/{name}"):
            yield from one("full_url_mismatch", "it does not end with type and id of its resource", where, "fullUrl")
        if isinstance(name, str) and isinstance(kind, str):
            if (kind, name) in names and document.get("type") != "history":
                yield from one("duplicate_full_url", "two resources of a type have one id", where, "resource", "id")
            names.add((kind, name))


def _unchecked(validation: Validation) -> Iterator[Problem]:
    for url, times in sorted(validation.unlisted.items()):
        says = f"not checked, because the packages do not list the codes of {url}: {times} of them"
        yield from one("not_checked", says, severity=Severity.INFORMATION)
    for key, times in sorted(validation.unruled.items()):
        yield from one("not_checked", f"invariant {key} was not checked, {times} times", severity=Severity.INFORMATION)


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RejectedInputError("fhir_duplicate_key", "an object has the same key twice: keep one of the two")
    return found


def _no_constant(_: str) -> None:
    raise ValueError


def _depth_exceeds(document: Any) -> bool:
    level = [document]
    for _ in range(_DEEPEST):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
