"""The search parameters of each type that is served: what kind they are, and where in a resource their values stand.

Source: HL7 FHIR R4 (4.0.1), the SearchParameter resources of each type; a test compares names, kinds and targets.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Types of search parameters."""

    TOKEN = "token"  # noqa: S105 - a type of FHIR
    REFERENCE = "reference"
    DATE = "date"
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter.

    `paths` are elements joined by dots, through lists. `targets` are the served types that a reference may lead to.
    `system` is the code system that a plain code is of.
    """

    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    system: str | None = None


def _token(*paths: str, system: str | None = None) -> Parameter:
    return Parameter(Kind.TOKEN, paths, system=system)


def _reference(path: str, *targets: str) -> Parameter:
    return Parameter(Kind.REFERENCE, (path,), targets)


def _date(*paths: str) -> Parameter:
    return Parameter(Kind.DATE, paths)


_IDENTIFIER: Final = _token("identifier")
_SUBJECT: Final = _reference("subject", "Patient")
_SPECIMEN: Final = _reference("specimen", "Specimen")
_OF_WHOM: Final = {"subject": _SUBJECT, "patient": _SUBJECT}
_HL7: Final = "http://hl7.org/fhir"

COMMON: Final = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": Parameter(Kind.URI, ("meta.profile",)),
}
SEARCHABLE: Final[dict[str, dict[str, Parameter]]] = {
    "DiagnosticReport": {
        **_OF_WHOM,
        "identifier": _IDENTIFIER,
        "status": _token("status", system=f"{_HL7}/diagnostic-report-status"),
        "category": _token("category"),
        "code": _token("code"),
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "issued": _date("issued"),
        "specimen": _SPECIMEN,
        "performer": _reference("performer", "Practitioner", "Organization"),
        "results-interpreter": _reference("resultsInterpreter", "Practitioner", "Organization"),
        "result": _reference("result", "Observation"),
        "based-on": _reference("basedOn", "ServiceRequest"),
        "conclusion": _token("conclusionCode"),
    },
    "Observation": {
        **_OF_WHOM,
        "identifier": _IDENTIFIER,
        "status": _token("status", system=f"{_HL7}/observation-status"),
        "category": _token("category"),
        "code": _token("code"),
        "component-code": _token("component.code"),
        "combo-code": _token("code", "component.code"),
        "value-concept": _token("valueCodeableConcept"),
        "component-value-concept": _token("component.valueCodeableConcept"),
        "combo-value-concept": _token("valueCodeableConcept", "component.valueCodeableConcept"),
        "data-absent-reason": _token("dataAbsentReason"),
        "method": _token("method"),
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "specimen": _SPECIMEN,
        "device": _reference("device", "Device"),
        "derived-from": _reference("derivedFrom", "Observation", "DocumentReference"),
        "has-member": _reference("hasMember", "Observation"),
        "part-of": _reference("partOf", "Procedure"),
    },
    "Patient": {"identifier": _IDENTIFIER, "gender": _token("gender", system=f"{_HL7}/administrative-gender")},
    "Specimen": {**_OF_WHOM, "identifier": _IDENTIFIER},
    "ServiceRequest": {
        **_OF_WHOM,
        "identifier": _IDENTIFIER,
        "status": _token("status", system=f"{_HL7}/request-status"),
        "intent": _token("intent", system=f"{_HL7}/request-intent"),
        "code": _token("code"),
        "requester": _reference("requester", "Practitioner", "Organization"),
        "specimen": _SPECIMEN,
    },
    "Procedure": {
        **_OF_WHOM,
        "identifier": _IDENTIFIER,
        "status": _token("status", system=f"{_HL7}/event-status"),
        "category": _token("category"),
        "code": _token("code"),
        "date": _date("performedDateTime", "performedPeriod"),
        "based-on": _reference("basedOn", "ServiceRequest"),
        "part-of": _reference("partOf", "Procedure", "Observation"),
    },
    "DocumentReference": {
        **_OF_WHOM,
        "identifier": _IDENTIFIER,
        "status": _token("status", system=f"{_HL7}/document-reference-status"),
        "type": _token("type"),
        "category": _token("category"),
        "contenttype": _token("content.attachment.contentType", system="urn:ietf:bcp:13"),
        "date": _date("date"),
        "related": _reference("context.related", "DiagnosticReport"),
    },
    "Provenance": {
        "target": _reference("target", "DiagnosticReport", "Procedure"),
        "agent": _reference("agent.who", "Practitioner", "Organization", "Device"),
        "entity": _reference("entity.what", "ServiceRequest"),
        "recorded": _date("recorded"),
        "signature-type": _token("signature.type"),
    },
    "Practitioner": {"identifier": _IDENTIFIER},
    "Organization": {"identifier": _IDENTIFIER},
    "Device": {"identifier": _IDENTIFIER},
}
"""By type; every type that a delivered bundle holds is here."""


def parameters_of(resource_type: str) -> dict[str, Parameter]:
    """Return the parameters of a type, those of every type among them."""
    return {**COMMON, **SEARCHABLE[resource_type]}
