"""Codes: whether they are of the value set that an element is bound to, and known to their code system."""

from collections.abc import Mapping
from typing import Any, Final

from strandline.fhir.problems import Problems, Severity, one
from strandline.fhir.scope import Check, Scope
from strandline.fhir.tables import Tables

_BY_SYSTEM = Mapping[str, frozenset[str]]
_LANGUAGES: Final = frozenset({"http://hl7.org/fhir/ValueSet/languages"})


def check_system(tables: Tables) -> Check:
    """Return what finds a Coding with a code that a completely known code system does not have."""
    systems = tables.code_systems

    def check(value: Any, scope: Scope) -> Problems:
        known = systems.get(value.get("system")) if isinstance(value.get("system"), str) else None
        if known is None or not isinstance(value.get("code"), str) or value["code"] in known:
            return None
        return one("code_unknown", "its code system has no such code", "code")

    return check


def check_binding(tables: Tables, binding: tuple[str, str], type_name: str) -> Check | None:
    """Return what holds a value of this type to a value set, or None where nothing can."""
    strength, url = binding
    codes = tables.value_sets.get(url)
    if url in _LANGUAGES:
        return None
    if codes is None:
        return _note_unlisted(url)
    match type_name:
        case "code" | "string" | "uri":
            return _plain(frozenset().union(*codes.values()), strength, url)
        case "CodeableConcept":
            return _concept(codes, strength, url)
        case "Coding" | "Quantity":
            return _coding(codes, strength, url)
    return None


def _note_unlisted(url: str) -> Check:
    def check(value: Any, scope: Scope) -> Problems:
        scope.validation.unlisted[url] += 1
        return None

    return check


def _plain(codes: frozenset[str], strength: str, url: str) -> Check:
    found = _not_bound(strength, url)

    def check(value: Any, scope: Scope) -> Problems:
        return None if not isinstance(value, str) or value in codes else one(*found[:2], severity=found[2])

    return check


def _concept(codes: _BY_SYSTEM, strength: str, url: str) -> Check:
    code, message, severity = _not_bound(strength, url)

    def check(value: Any, scope: Scope) -> Problems:
        codings = value.get("coding")
        if isinstance(codings, list) and any(_is_of(codes, coding) for coding in codings):
            return None
        if not codings and strength == "extensible":
            return None  # a text alone may stand for what the value set lacks
        return one(code, message, severity=severity)

    return check


def _coding(codes: _BY_SYSTEM, strength: str, url: str) -> Check:
    code, message, severity = _not_bound(strength, url)

    def check(value: Any, scope: Scope) -> Problems:
        return None if "code" not in value or _is_of(codes, value) else one(code, message, severity=severity)

    return check


def _is_of(codes: _BY_SYSTEM, coding: object) -> bool:
    if not isinstance(coding, dict) or not isinstance(coding.get("system"), str):
        return False
    listed, code = codes.get(coding["system"]), coding.get("code")
    return listed is not None and isinstance(code, str) and (not listed or code in listed)


def _not_bound(strength: str, url: str) -> tuple[str, str, Severity]:
    severity = Severity.ERROR if strength == "required" else Severity.WARNING
    return "code_not_bound", f"it has no code of the value set {url} ({strength})", severity
