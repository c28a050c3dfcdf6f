"""What the server can do, in its own words. Source: HL7 FHIR R4 (4.0.1), CapabilityStatement; SMART App Launch 2."""

from typing import Final

from strandline.fhir.codes import GUIDE, Json
from strandline.fhir.served.parameters import SEARCHABLE, Kind, parameters_of

PUBLISHED: Final = "2026-11-22"
_PATIENT: Final = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
_BULK: Final = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
_VARIANTS: Final = f"{GUIDE}/OperationDefinition/find-subject-variants"


def capability_statement(base: str, version: str) -> Json:
    """Return the statement of the server at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Strandline", "version": version},
        "implementation": {"description": "Released genomic reports, read-only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "implementationGuide": [f"{GUIDE}/ImplementationGuide/hl7.fhir.uv.genomics-reporting"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Only what a person signed and released is here. A withdrawn report stays, with the "
                "status entered-in-error. Results come newest release first.",
                "security": {
                    "cors": False,
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "SMART-on-FHIR",
                                }
                            ]
                        }
                    ],
                    "description": "An access token of the stage's user pool, with scopes such as user/Observation.rs",
                },
                "resource": [_resource(kind) for kind in SEARCHABLE],
                "operation": [
                    {"name": "find-subject-variants", "definition": _VARIANTS},
                    {"name": "export", "definition": f"{_BULK}/export"},
                ],
            }
        ],
    }


def smart_configuration() -> Json:
    """Return what SMART clients look for. There is no authorization endpoint here: a person signs in by the stage."""
    return {
        "scopes_supported": [f"{who}/{kind}.rs" for who in ("user", "system") for kind in ("*", *SEARCHABLE)],
        "capabilities": ["permission-user", "permission-v1", "permission-v2"],
    }


def _resource(kind: str) -> Json:
    parameters = parameters_of(kind)
    sources = [
        f"{source}:{name}"
        for source, own in SEARCHABLE.items()
        for name, parameter in own.items()
        if parameter.kind is Kind.REFERENCE and kind in parameter.targets
    ]
    included = [f"{kind}:{name}" for name, parameter in parameters.items() if parameter.kind is Kind.REFERENCE]
    described: Json = {
        "type": kind,
        "interaction": [{"code": code} for code in ("read", "vread", "history-instance", "search-type")],
        "versioning": "versioned",
        "readHistory": True,
        "conditionalRead": "not-match",
        "searchParam": [{"name": name, "type": parameter.kind.value} for name, parameter in parameters.items()],
    }
    if included:
        described["searchInclude"] = included
    if sources:
        described["searchRevInclude"] = sources
    if kind == "Patient":
        described["operation"] = [
            {"name": "everything", "definition": _PATIENT},
            {"name": "export", "definition": f"{_BULK}/patient-export"},
        ]
    return described
