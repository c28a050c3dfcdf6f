"""Extensions: whether their definition is known, holds, and allows them where they stand."""

from collections.abc import Callable
from typing import Any, Final

from strandline.fhir.problems import Problems, Severity, one
from strandline.fhir.scope import Check, Scope
from strandline.fhir.tables import Structure, Tables

_HL7: Final = ("http://hl7.org/fhir/StructureDefinition/", "http://hl7.org/fhir/uv/genomics-reporting/")
_BASE: Final = "http://hl7.org/fhir/StructureDefinition/Extension"
_ANYWHERE: Final = frozenset({"Element", "Resource", "DomainResource"})


def check_extension(tables: Tables, check_of: Callable[[str], Check], home: str, owner: str) -> Check:
    """Return what looks at an extension that a profile does not name, by its own definition where there is one.

    Args:
        tables: where definitions are.
        check_of: gives the check of a definition.
        home: address of the structure that the extension stands in.
        owner: path of the element that the extension stands in, such as Observation.component.
    """

    is_part_of_unknown = home == _BASE

    def check(value: Any, scope: Scope) -> Problems:
        url = value.get("url") if isinstance(value, dict) else None
        if not isinstance(url, str):
            return check_of(_BASE)(value, scope)
        if ":" not in url and not is_part_of_unknown:
            return one("unknown_extension", "its url is that of no part that may stand here", "url")
        structure = tables.structure(url)
        if structure is None or structure.type != "Extension":
            unknown = _unknown(tables, url, scope) if ":" in url else None
            return [*(check_of(_BASE)(value, scope) or ()), *(unknown or ())] or None
        problems = check_of(url)(value, scope)
        if _may_stand(structure, owner):
            return problems
        return [*(problems or ()), *one("wrong_context", "its definition does not allow it here", "url")]

    return check


def _unknown(tables: Tables, url: str, scope: Scope) -> Problems:
    if url in tables.known_extensions:
        scope.validation.unlisted[url] += 1
        return None
    severity = Severity.ERROR if url.startswith(_HL7) else Severity.WARNING
    return one("unknown_extension", "no definition of it is known", "url", severity=severity)


def _may_stand(structure: Structure, owner: str) -> bool:
    """Whether a definition allows an owner, as far as paths of elements say."""
    if not structure.contexts:
        return True
    kinds = {kind for kind, _ in structure.contexts}
    paths = {path for _, path in structure.contexts}
    if kinds != {"element"} or paths & _ANYWHERE or owner in paths:
        return True
    head = owner.partition(".")[0]
    return head[:1].isupper() and "." not in owner and any("." in path for path in paths) and head not in _roots(paths)


def _roots(paths: set[str]) -> set[str]:
    """Resources named with a path: what stands in a data type may be below them, and cannot be told here."""
    return {path.partition(".")[0] for path in paths}
