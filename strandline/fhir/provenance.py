"""Who made a bundle, and who answers for it: a Provenance, whose signature a release puts in."""

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from strandline.fhir import codes
from strandline.fhir.codes import RELEASES, SIGNERS, Json
from strandline.fhir.drafting import NAMESPACE, Draft, narrative
from strandline.reporting.findings import Finding

_AGENTS: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_SIGNATURES: Final = "urn:iso-astm:E1762-95:2013"
_MEANINGS: Final = {
    "author": {"system": _SIGNATURES, "code": "1.2.840.10065.1.12.1.1", "display": "Author's Signature"},
    "reviewer": {"system": _SIGNATURES, "code": "1.2.840.10065.1.12.1.13", "display": "Review Signature"},
    "approver": {"system": _SIGNATURES, "code": "1.2.840.10065.1.12.1.5", "display": "Verification Signature"},
}
_ASSEMBLER: Final = codes.concept(_AGENTS, "assembler", "Assembler")
_REVISED: Final = codes.concept("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "UPDATE", "revise")
_LEGAL: Final = codes.concept(_AGENTS, "legal", "Legal Authenticator")


@dataclass(frozen=True, slots=True)
class Signature:
    """A person's signature. `signer` is what the lab knows the person by; no name of a person stands in a bundle."""

    signer: str
    signed: datetime
    data: bytes
    signature_format: str = "application/jose"
    meaning: Literal["author", "reviewer", "approver"] = "author"


def provenance(draft: Draft) -> Json:
    """Who made the report: this software, from the submission. Source: HL7 FHIR R4, Provenance."""
    says = f"Made by Strandline {draft.source.platform_version}; not signed yet."
    made = draft.resource("Provenance", "provenance", says) | {
        "target": [draft.reference_to("report"), draft.reference_to("study")],
        "recorded": draft.instant,
        "agent": [{"type": _ASSEMBLER, "who": draft.reference_to("device")}],
        "entity": [{"role": "source", "what": draft.reference_to("order")}],
    }
    amendment = draft.source.amendment
    if amendment is None:
        return made
    changed = [draft.reference_to(f"variant/{name}") for name in changed_variants(draft)]
    before = earlier_version(draft, amendment.replaces)
    return made | {
        "target": [*made["target"], *changed],
        "reason": [{"text": amendment.reason}],
        "activity": _REVISED,
        "entity": [*made["entity"], {"role": "revision", "what": before}],
    }


def changed_variants(draft: Draft) -> list[str]:
    """Return the variants of the bundle for which it is an amendment, in the order of its findings."""
    amendment = draft.source.amendment
    mattering = amendment.knowledge.mattering if amendment and amendment.knowledge else ()
    changed = {change.variant for change in mattering}
    return [name for name in map(_name_of, draft.source.findings.named) if name in changed]


def earlier_version(draft: Draft, version: int) -> Json:
    """Return a reference to an earlier version of the release, by its identifier."""
    identifier = {"system": RELEASES, "value": f"{draft.source.submission_id}/{version}"}
    return {"identifier": identifier, "display": f"Version {version}"}


def _name_of(finding: Finding) -> str:
    call = finding.call
    return f"{call.contig}:{call.position}:{call.ref}:{call.alt}"


def sign_provenance(bundle: Json, *signatures: Signature) -> Json:
    """Return a bundle that people have signed: the signers, their signatures, and every status final.

    The given bundle stays as it is. Signing twice with the same signatures gives the same bundle.

    Raises:
        ValueError: the bundle has no Provenance, or there is no signature.
    """
    signed = copy.deepcopy(bundle)
    found = [resource for resource in _resources(signed) if resource["resourceType"] == "Provenance"]
    if not found or not signatures:
        raise ValueError("a bundle with a Provenance and its signatures are needed: build it anew")
    names = [str(uuid.uuid5(NAMESPACE, f"{signed['id']}/signer/{one.signer}")) for one in signatures]
    last = max(one.signed for one in signatures).isoformat(timespec="milliseconds")
    found[0]["text"] = narrative(f"Signed at {last}.")
    found[0]["agent"] = [found[0]["agent"][0], *({"type": _LEGAL, "who": _reference(name)} for name in names)]
    found[0]["signature"] = [_signature(one, name) for one, name in zip(signatures, names, strict=True)]
    others = [entry for entry in signed["entry"] if entry["resource"]["id"] not in names]
    practitioners = {name: _practitioner(one, name) for one, name in zip(signatures, names, strict=True)}
    signed["entry"] = [
        *others,
        *({"fullUrl": f"urn:uuid:{name}", "resource": person} for name, person in practitioners.items()),
    ]
    _make_final(signed)
    return signed


def _signature(signature: Signature, name: str) -> Json:
    return {
        "type": [_MEANINGS[signature.meaning]],
        "when": signature.signed.isoformat(timespec="milliseconds"),
        "who": _reference(name),
        "sigFormat": signature.signature_format,
        "data": codes.base64_of(signature.data),
    }


def _practitioner(signature: Signature, name: str) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": name,
        "text": narrative("The person who signed."),
        "identifier": [{"system": SIGNERS, "value": signature.signer}],
    }


def _reference(name: str) -> Json:
    return {"reference": f"urn:uuid:{name}"}


def _make_final(bundle: Json) -> None:
    """Give what is preliminary its last status: of a revision, report and changed observations are amended."""
    amended = {
        target["reference"].removeprefix("urn:uuid:")
        for resource in _resources(bundle)
        if resource["resourceType"] == "Provenance" and any(one["role"] == "revision" for one in resource["entity"])
        for target in resource["target"]
    }
    for resource in _resources(bundle):
        if resource["resourceType"] in {"DiagnosticReport", "Observation"} and resource["status"] == "preliminary":
            resource["status"] = "amended" if resource["id"] in amended else "final"
        if resource.get("docStatus") == "preliminary":
            resource["docStatus"] = "final"


def _resources(bundle: Json) -> Iterator[dict[str, Any]]:
    for entry in bundle["entry"]:
        yield entry["resource"]
