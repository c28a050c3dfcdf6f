"""Who made a bundle, and who answers for it: a Provenance, whose signature a release puts in."""

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from strandline.fhir import codes
from strandline.fhir.codes import SIGNERS, Json
from strandline.fhir.drafting import NAMESPACE, Draft, narrative

_AGENTS: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_SIGNATURES: Final = "urn:iso-astm:E1762-95:2013"
_AUTHOR: Final = {"system": _SIGNATURES, "code": "1.2.840.10065.1.12.1.1", "display": "Author's Signature"}
_ASSEMBLER: Final = codes.concept(_AGENTS, "assembler", "Assembler")
_LEGAL: Final = codes.concept(_AGENTS, "legal", "Legal Authenticator")


@dataclass(frozen=True, slots=True)
class Signature:
    """A person's signature. `signer` is what the lab knows the person by; no name of a person stands in a bundle."""

    signer: str
    signed: datetime
    data: bytes
    signature_format: str = "application/jose"


def provenance(draft: Draft) -> Json:
    """Who made the report: this software, from the submission. Source: HL7 FHIR R4, Provenance."""
    says = f"Made by Strandline {draft.source.platform_version}; not signed yet."
    return draft.resource("Provenance", "provenance", says) | {
        "target": [draft.reference_to("report"), draft.reference_to("study")],
        "recorded": draft.instant,
        "agent": [{"type": _ASSEMBLER, "who": draft.reference_to("device")}],
        "entity": [{"role": "source", "what": draft.reference_to("order")}],
    }


def sign_provenance(bundle: Json, signature: Signature) -> Json:
    """Return a bundle that a person has signed: the signer, the signature, and every status final.

    The given bundle stays as it is. Signing twice with the same signature gives the same bundle.

    Raises:
        ValueError: the bundle has no Provenance.
    """
    signed = copy.deepcopy(bundle)
    found = [resource for resource in _resources(signed) if resource["resourceType"] == "Provenance"]
    if not found:
        raise ValueError("the bundle has no Provenance to sign: build it anew")
    name = str(uuid.uuid5(NAMESPACE, f"{signed['id']}/signer/{signature.signer}"))
    who = {"reference": f"urn:uuid:{name}"}
    when = signature.signed.isoformat(timespec="milliseconds")
    found[0]["text"] = narrative(f"Signed at {when}.")
    found[0]["agent"] = [found[0]["agent"][0], {"type": _LEGAL, "who": who}]
    found[0]["signature"] = [
        {
            "type": [_AUTHOR],
            "when": when,
            "who": who,
            "sigFormat": signature.signature_format,
            "data": codes.base64_of(signature.data),
        }
    ]
    practitioner = {
        "resourceType": "Practitioner",
        "id": name,
        "text": narrative("The person who signed."),
        "identifier": [{"system": SIGNERS, "value": signature.signer}],
    }
    others = [entry for entry in signed["entry"] if entry["resource"]["id"] != name]
    signed["entry"] = [*others, {"fullUrl": f"urn:uuid:{name}", "resource": practitioner}]
    _make_final(signed)
    return signed


def _make_final(bundle: Json) -> None:
    for resource in _resources(bundle):
        if resource["resourceType"] in {"DiagnosticReport", "Observation"} and resource["status"] == "preliminary":
            resource["status"] = "final"
        if resource.get("docStatus") == "preliminary":
            resource["docStatus"] = "final"


def _resources(bundle: Json) -> Iterator[dict[str, Any]]:
    for entry in bundle["entry"]:
        yield entry["resource"]
