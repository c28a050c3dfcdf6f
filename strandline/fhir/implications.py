"""What a variant means: for the protein by our annotation, for disease and treatment by ClinVar, and said to be so.

Sources: profiles molecular-consequence, diagnostic-implication and therapeutic-implication.
"""

from collections.abc import Iterator
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import Json, component, loinc
from strandline.fhir.drafting import Draft
from strandline.fhir.variant import name_of
from strandline.reporting.findings import clinvar_terms
from strandline.variants.records import Consequence, VariantCall, severity_rank

_MOLECULAR: Final = codes.guide_code("molecular-consequence", "Molecular Consequence")
_DIAGNOSTIC: Final = codes.guide_code("diagnostic-implication", "Diagnostic Implication")
_THERAPEUTIC: Final = codes.guide_code("therapeutic-implication", "Therapeutic Implication")
_FEATURE: Final = codes.guide_code("feature-consequence", "Feature Consequence")
_CONCLUSION: Final = codes.guide_code("conclusion-string", "Conclusion Text")
_TRANSCRIPT: Final = loinc("51958-7", "Transcript reference sequence [ID]")
_SIGNIFICANCE: Final = loinc("53037-8", "Genetic variation clinical significance [Imp]")
_FEATURES: Final = {
    term: component(_FEATURE, valueCodeableConcept=meaning) for term, meaning in codes.CONSEQUENCE.items()
}
_ARTIFACT: Final = "http://hl7.org/fhir/StructureDefinition/workflow-relatedArtifact"
_DRUG_TERMS: Final = frozenset({"drug_response"})


def implications(draft: Draft, call: VariantCall) -> Iterator[Json]:
    """Yield what is known of a variant: at most one Observation of each profile."""
    effect = call.chosen_consequence
    if effect:
        yield _molecular(draft, call, effect)
    terms = clinvar_terms(call.clinvar_significance)
    known = [meaning for term, meaning in codes.SIGNIFICANCE.items() if term in terms]
    if known:
        yield _diagnostic(draft, call, known[0])
    if terms & _DRUG_TERMS:
        yield _therapeutic(draft, call)


def _derived(draft: Draft, call: VariantCall) -> Json:
    return {"derivedFrom": [draft.reference_to(f"variant/{name_of(call)}")]}


def _molecular(draft: Draft, call: VariantCall, effect: Consequence) -> Json:
    name = name_of(call)
    says = f"{name}: {effect.term.replace('_', ' ')}{f' of {effect.gene}' if effect.gene else ''}."
    resource = draft.observation(f"consequence/{name}", "molecular-consequence", _MOLECULAR, says)
    feature = _FEATURES.get(effect.term) or component(_FEATURE, valueCodeableConcept={"text": effect.term})
    components: list[Json] = [feature]
    chosen = call.chosen
    transcript = chosen.transcript if chosen else effect.transcript
    if transcript:  # bcftools csq names none for an intron
        components.insert(0, component(_TRANSCRIPT, valueCodeableConcept=codes.sequence(transcript)))
    if effect.protein_change:
        components.append(component(_CONCLUSION, valueString=f"Amino acid change {effect.protein_change}"))
    notes = _choice(call)
    noted = {"note": [{"text": notes}]} if notes else {}
    return resource | noted | _derived(draft, call) | {"component": components}


def _choice(call: VariantCall) -> str | None:
    """Say why the transcript was chosen, and what is more severe on another."""
    chosen, worst = call.chosen, call.worst_consequence
    if chosen is None:
        return None
    text = f"Transcript chosen as {chosen.ground or 'the first'}."
    if worst and severity_rank(worst.term) < severity_rank(chosen.term):
        text += f" More severe on {worst.transcript or 'another transcript'}: {worst.term}."
    return text


def _diagnostic(draft: Draft, call: VariantCall, significance: Json) -> Json:
    name = name_of(call)
    says = _of_clinvar(draft, call)
    resource = draft.observation(f"implication/{name}", "diagnostic-implication", _DIAGNOSTIC, f"{name}: {says}")
    return (
        resource
        | {"extension": [_cited(call)], "note": [{"text": says}]}
        | _derived(draft, call)
        | {"component": [component(_SIGNIFICANCE, valueCodeableConcept=significance)]}
    )


def _therapeutic(draft: Draft, call: VariantCall) -> Json:
    """ClinVar says "drug response" without the drug in the calls: so it is said, and no drug is named."""
    name = name_of(call)
    says = _of_clinvar(draft, call)
    resource = draft.observation(f"therapy/{name}", "therapeutic-implication", _THERAPEUTIC, f"{name}: {says}")
    conclusion = component(_CONCLUSION, valueString="ClinVar knows a response to a drug; see its record for which.")
    return (
        resource
        | {"extension": [_cited(call)], "note": [{"text": says}]}
        | _derived(draft, call)
        | {"component": [conclusion]}
    )


def _of_clinvar(draft: Draft, call: VariantCall) -> str:
    release = draft.source.sources.get("ClinVar")
    of = f", release {release}" if release else ", release not named"
    return f"ClinVar variation {call.clinvar_id}{of}: {call.clinvar_significance}. ClinVar's word, not this lab's."


def _cited(call: VariantCall) -> Json:
    artifact = {
        "type": "citation",
        "label": f"ClinVar variation {call.clinvar_id}",
        "url": f"https://www.ncbi.nlm.nih.gov/clinvar/variation/{call.clinvar_id}/",
    }
    return {"url": _ARTIFACT, "valueRelatedArtifact": artifact}
