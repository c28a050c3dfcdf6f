"""Whom and what a bundle is about: pseudonym, specimen, order, lab and the software that made it."""

from typing import Final

from strandline.fhir.codes import SAMPLES, SITES, SUBJECTS, SUBMISSIONS, Json
from strandline.fhir.drafting import Draft

_SEX: Final = {"FEMALE": "female", "MALE": "male", "UNKNOWN": "unknown"}
_ORDERED: Final = {
    "WGS": "Germline variants of the genome by sequencing",
    "WES": "Germline variants of the exome by sequencing",
    "PANEL": "Germline variants of a panel of genes by sequencing",
}


def patient(draft: Draft) -> Json:
    """The subject: a pseudonym and a sex, and nothing more."""
    sample = draft.source.sample
    pseudonym = sample.subject_id or sample.sample_id
    system = SUBJECTS if sample.subject_id else SAMPLES
    return draft.resource("Patient", "patient", f"Subject {pseudonym}.") | {
        "identifier": [{"system": system, "value": pseudonym}],
        "gender": _SEX[sample.sex.value],
    }


def specimen(draft: Draft) -> Json:
    """The sample that was sequenced."""
    name = draft.source.sample.sample_id
    return draft.resource("Specimen", "specimen", f"Sample {name}.") | {
        "identifier": [{"system": SAMPLES, "value": name}],
        "subject": draft.reference_to("patient"),
    }


def service_request(draft: Draft) -> Json:
    """What the lab asked for with its submission."""
    says = _ORDERED[draft.source.sample.assay]
    asked = {"requester": draft.reference_to("organization")} if draft.source.sample.site else {}
    return draft.resource("ServiceRequest", "order", f"{says}.") | {
        "identifier": [{"system": SUBMISSIONS, "value": draft.source.submission_id}],
        "status": "active",
        "intent": "order",
        "code": {"text": says},
        "subject": draft.reference_to("patient"),
        **asked,
        "specimen": [draft.reference_to("specimen")],
    }


def organization(draft: Draft) -> Json | None:
    """The lab that sent the sample, by its code; None where the submission names none."""
    site = draft.source.sample.site
    if site is None:
        return None
    return draft.resource("Organization", "organization", f"Site {site}.") | {
        "identifier": [{"system": SITES, "value": site}]
    }


def device(draft: Draft) -> Json:
    """The software."""
    version = draft.source.platform_version
    return draft.resource("Device", "device", f"Strandline {version}.") | {
        "deviceName": [{"name": "Strandline", "type": "model-name"}],
        "version": [{"value": version}],
    }
