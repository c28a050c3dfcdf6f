"""A FHIR R4 bundle of one sample's findings, as the Genomics Reporting guide 3.0.0 shapes it.

Every resource has a name derived from the submission, so that the same analysis gives the same bundle. The status is
`preliminary`: a person makes it final by signing. Where a call could not be made is not said with Observations but in
the genomic study (its callable bases and its regions), because absence from the bundle means "not reported", never
"not there".
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import GUIDE, GUIDE_CODES, Json, loinc
from strandline.landing.manifest import SampleDeclaration
from strandline.reads.quality import QualitySummary
from strandline.reporting.findings import Finding, Findings, clinvar_terms
from strandline.variants.records import Consequence, VariantCall, severity_rank

_NAMESPACE: Final = uuid.UUID("5a3d0a1e-3c55-5f0b-9c42-6d2c1b6f0a11")
_SUBJECTS: Final = "urn:strandline:subject-pseudonym"
_SAMPLES: Final = "urn:strandline:sample"
_SUBMISSIONS: Final = "urn:strandline:submission"
_SEX: Final = {"FEMALE": "female", "MALE": "male", "UNKNOWN": "unknown"}


@dataclass(frozen=True, slots=True)
class BundleInput:
    """What a bundle is made from. `issued` is the time of making, with its zone."""

    submission_id: str
    sample: SampleDeclaration
    reference_label: str
    assembly: str | None
    quality: QualitySummary
    findings: Findings
    issued: datetime
    platform_version: str


def build_bundle(source: BundleInput) -> Json:
    """Return the bundle as JSON-ready dictionaries.

    Source: HL7 FHIR R4 (4.0.1) Bundle, DiagnosticReport, Observation, Procedure; profiles genomic-report,
    genomic-study, genomic-study-analysis, variant, molecular-consequence and diagnostic-implication.
    """
    naming = _Naming(source)
    observations = [resource for finding in source.findings.named for resource in _describe(finding, source, naming)]
    analysis = _analysis(source, naming)
    study = _study(source, naming, analysis)
    report = _report(source, naming, study, observations)
    resources = [report, _patient(source, naming), _specimen(source, naming), study, analysis, *observations]
    return {
        "resourceType": "Bundle",
        "id": naming.id_of("bundle"),
        "meta": {"lastUpdated": source.issued.isoformat(timespec="seconds")},
        "identifier": {"system": _SUBMISSIONS, "value": source.submission_id},
        "type": "collection",
        "timestamp": source.issued.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }


def serialise_bundle(bundle: Json) -> bytes:
    """Return the bundle's bytes."""
    return json.dumps(bundle, indent=1, ensure_ascii=False).encode()


class _Naming:
    def __init__(self, source: BundleInput) -> None:
        self._submission_id = source.submission_id

    def id_of(self, what: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self._submission_id}/{what}"))

    def reference_to(self, what: str) -> Json:
        return {"reference": f"urn:uuid:{self.id_of(what)}"}


def _patient(source: BundleInput, naming: _Naming) -> Json:
    pseudonym = source.sample.subject_id or source.sample.sample_id
    system = _SUBJECTS if source.sample.subject_id else _SAMPLES
    return {
        "resourceType": "Patient",
        "id": naming.id_of("patient"),
        "identifier": [{"system": system, "value": pseudonym}],
        "gender": _SEX[source.sample.sex.value],
    }


def _specimen(source: BundleInput, naming: _Naming) -> Json:
    return {
        "resourceType": "Specimen",
        "id": naming.id_of("specimen"),
        "identifier": [{"system": _SAMPLES, "value": source.sample.sample_id}],
        "subject": naming.reference_to("patient"),
    }


def _report(source: BundleInput, naming: _Naming, study: Json, observations: Iterable[Json]) -> Json:
    results = [{"reference": f"urn:uuid:{item['id']}"} for item in observations]
    return {
        "resourceType": "DiagnosticReport",
        "id": naming.id_of("report"),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/genomic-report"]},
        "extension": [
            {
                "url": f"{GUIDE}/StructureDefinition/genomic-study-reference",
                "valueReference": {"reference": f"urn:uuid:{study['id']}"},
            }
        ],
        "identifier": [{"system": _SUBMISSIONS, "value": source.submission_id}],
        "status": "preliminary",
        "category": [codes.GENETICS],
        "code": loinc("51969-4", "Genetic analysis report"),
        "subject": naming.reference_to("patient"),
        "effectiveDateTime": source.issued.isoformat(timespec="seconds"),
        "issued": source.issued.isoformat(timespec="milliseconds"),
        "specimen": [naming.reference_to("specimen")],
        **({"result": results} if results else {}),  # FHIR knows no empty list
        "conclusion": _conclusion(source.findings),
    }


def _conclusion(findings: Findings) -> str:
    text = (
        f"{len(findings.named)} variants are reported; {findings.other_passed} more passed the filters and meet no "
        f"reporting criterion; {findings.failed_filters} failed a filter."
    )
    if findings.cut:
        text += f" {findings.cut} reportable variants are left out because the list is full: see the VCF."
    return text + " Preliminary: not reviewed, not signed."


def _study(source: BundleInput, naming: _Naming, analysis: Json) -> Json:
    return {
        "resourceType": "Procedure",
        "id": naming.id_of("study"),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/genomic-study"]},
        "extension": [
            {
                "url": f"{GUIDE}/StructureDefinition/genomic-study-analysis-ext",
                "valueReference": {"reference": f"urn:uuid:{analysis['id']}"},
            }
        ],
        "identifier": [{"system": _SUBMISSIONS, "value": source.submission_id}],
        "status": "completed",
        "category": codes.LABORATORY,
        "subject": naming.reference_to("patient"),
        "performedDateTime": source.issued.isoformat(timespec="seconds"),
    }


def _analysis(source: BundleInput, naming: _Naming) -> Json:
    coverage = source.quality.coverage
    regions = (
        f"{coverage.analysed_bases} bases of {source.reference_label} analysed; {coverage.callable_bases} of them "
        "callable (at least 10 reads of mapping quality 20). Nothing is said about variants outside of the callable "
        "bases."
    )
    extensions: list[Json] = [
        _extension(
            "genomic-study-analysis-change-type",
            valueCodeableConcept=codes.concept(f"{GUIDE}/CodeSystem/genomic-study-change-type-cs", "DNA", "DNA change"),
        ),
        _extension("genomic-study-analysis-genomic-source-class", valueCodeableConcept=codes.GERMLINE),
        _extension(
            "genomic-study-analysis-metrics",
            extension=[
                {
                    "url": "read-depth",
                    "valueQuantity": {"value": round(coverage.mean_depth, 2), "unit": "reads"},
                },
                {"url": "metrics-description", "valueString": _metrics(source.quality)},
            ],
        ),
        _extension("genomic-study-analysis-regions", extension=[{"url": "description", "valueString": regions}]),
    ]
    if source.assembly in codes.ASSEMBLY:
        build = codes.ASSEMBLY[source.assembly]
        extensions.append(_extension("genomic-study-analysis-genome-build", valueCodeableConcept=build))
    return {
        "resourceType": "Procedure",
        "id": naming.id_of("analysis"),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/genomic-study-analysis"]},
        "extension": extensions,
        "status": "completed",
        "category": codes.LABORATORY,
        "subject": naming.reference_to("patient"),
        "performedDateTime": source.issued.isoformat(timespec="seconds"),
        "note": [{"text": f"Strandline {source.platform_version}; reference bundle {source.reference_label}."}],
    }


def _metrics(quality: QualitySummary) -> str:
    return (
        f"{quality.alignment.read_count} reads, {quality.alignment.mapped_fraction:.1%} aligned, "
        f"{quality.alignment.duplicate_fraction:.1%} duplicates; {quality.coverage.fraction_at_20:.1%} of the analysed "
        "bases at 20 reads or more"
    )


def _extension(name: str, **value: object) -> Json:
    return {"url": f"{GUIDE}/StructureDefinition/{name}", **value}


def _describe(finding: Finding, source: BundleInput, naming: _Naming) -> list[Json]:
    call = finding.call
    name = f"{call.contig}:{call.position}:{call.ref}:{call.alt}"
    resources = [_variant(finding, source, naming, name)]
    effect = call.chosen_consequence
    if effect:
        resources.append(_consequence(call, effect, source, naming, name))
    known = [
        codes.SIGNIFICANCE[term] for term in codes.SIGNIFICANCE if term in clinvar_terms(call.clinvar_significance)
    ]
    if known:
        resources.append(_implication(call, known[0], source, naming, name))
    return resources


def _observation(source: BundleInput, naming: _Naming, key: str, profile: str, code: Json) -> Json:
    return {
        "resourceType": "Observation",
        "id": naming.id_of(key),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/{profile}"]},
        "status": "preliminary",
        "category": [codes.LABORATORY, codes.GENETICS],
        "code": code,
        "subject": naming.reference_to("patient"),
        "effectiveDateTime": source.issued.isoformat(timespec="seconds"),
        "specimen": naming.reference_to("specimen"),
    }


def _variant(finding: Finding, source: BundleInput, naming: _Naming, name: str) -> Json:
    call = finding.call
    components: list[Json] = [
        _component(
            loinc("48000-4", "Chromosome [Identifier] in Blood or Tissue by Molecular genetics method"),
            valueCodeableConcept={"text": call.contig},
        ),
        _component(loinc("69547-8", "Genomic ref allele [ID]"), valueString=call.ref),
        _component(loinc("69551-0", "Genomic alt allele [ID]"), valueString=call.alt),
        _component(
            loinc("81254-5", "Genomic allele start-end"),
            valueRange={"low": {"value": call.position}, "high": {"value": call.end_position}},
        ),
        _component(loinc("92822-6", "Genomic coord system"), valueCodeableConcept=codes.ONE_BASED),
        _component(loinc("48002-0", "Genomic source class [Type]"), valueCodeableConcept=codes.GERMLINE),
        _component(loinc("53034-5", "Allelic state"), valueCodeableConcept=codes.ALLELIC_STATE[call.zygosity]),
    ]
    if source.assembly in codes.ASSEMBLY:
        components.append(
            _component(
                loinc("62374-4", "Human reference sequence assembly version"),
                valueCodeableConcept=codes.ASSEMBLY[source.assembly],
            )
        )
    effect = call.chosen_consequence
    if effect and effect.gene:
        gene = {"text": effect.gene}
        components.append(_component(loinc("48018-6", "Gene studied [ID]"), valueCodeableConcept=gene))
    components += _names(call)
    if call.depth:
        components.append(_component(loinc("82121-5", "Allelic read depth"), valueQuantity=_reads(call.alt_depth or 0)))
    if call.alt_depth is not None and call.ref_depth is not None and call.alt_depth + call.ref_depth:
        fraction = round(call.alt_depth / (call.alt_depth + call.ref_depth), 4)
        quantity = {"value": fraction, "unit": "relative frequency", "system": codes.UCUM, "code": "1"}
        components.append(
            _component(loinc("81258-6", "Sample variant allelic frequency [NFr]"), valueQuantity=quantity)
        )
    if call.clinvar_id:
        known = codes.concept(codes.CLINVAR, call.clinvar_id, f"ClinVar variation {call.clinvar_id}")
        components.append(_component(loinc("81252-9", "Discrete genetic variant"), valueCodeableConcept=known))
    if call.population_frequency is not None:
        quantity = {"value": call.population_frequency, "system": codes.UCUM, "code": "1"}
        components.append(_component(loinc("92821-8", "Population allele frequency"), valueQuantity=quantity))
    resource = _observation(
        source, naming, f"variant/{name}", "variant", loinc("69548-6", "Genetic variant assessment")
    )
    return resource | {
        "valueCodeableConcept": codes.PRESENT,
        "note": [{"text": f"{finding.tier.value}. Filters: {';'.join(call.filters)}. Genotype {call.genotype}."}],
        "component": components,
    }


def _names(call: VariantCall) -> list[Json]:
    """Name the variant on the genome, and on the chosen transcript and its protein."""
    chosen = call.chosen
    named = (
        (loinc("81290-9", "Genomic DNA change (gHGVS)"), call.genomic_name),
        (loinc("48004-6", "DNA change (c.HGVS)"), chosen.full_coding if chosen else None),
        (loinc("48005-3", "Amino acid change (pHGVS)"), chosen.full_protein if chosen else None),
    )
    return [_component(code, valueCodeableConcept=codes.hgvs(name)) for code, name in named if name]


def _consequence(call: VariantCall, effect: Consequence, source: BundleInput, naming: _Naming, name: str) -> Json:
    code = codes.concept(GUIDE_CODES, "molecular-consequence", "Molecular Consequence")
    resource = _observation(source, naming, f"consequence/{name}", "molecular-consequence", code)
    components = [
        _component(
            codes.concept(GUIDE_CODES, "feature-consequence", "Feature Consequence"),
            valueCodeableConcept=codes.CONSEQUENCE.get(effect.term, {"text": effect.term}),
        ),
    ]
    chosen = call.chosen
    transcript = chosen.transcript if chosen else effect.transcript
    if transcript:  # bcftools csq names none for an intron
        code = loinc("51958-7", "Transcript reference sequence [ID]")
        components.insert(0, _component(code, valueCodeableConcept={"text": transcript}))
    if effect.protein_change:
        components.append(
            _component(
                codes.concept(GUIDE_CODES, "conclusion-string", "Conclusion Text"),
                valueString=f"Amino acid change {effect.protein_change}",
            )
        )
    notes = _choice(call)
    return (resource | {"note": [{"text": notes}]} if notes else resource) | {
        "derivedFrom": [naming.reference_to(f"variant/{name}")],
        "component": components,
    }


def _choice(call: VariantCall) -> str | None:
    """Say why the transcript was chosen, and what is more severe on another."""
    chosen, worst = call.chosen, call.worst_consequence
    if chosen is None:
        return None
    text = f"Transcript chosen as {chosen.ground or 'the first'}."
    if worst and severity_rank(worst.term) < severity_rank(chosen.term):
        text += f" More severe on {worst.transcript or 'another transcript'}: {worst.term}."
    return text


def _implication(call: VariantCall, significance: Json, source: BundleInput, naming: _Naming, name: str) -> Json:
    code = codes.concept(GUIDE_CODES, "diagnostic-implication", "Diagnostic Implication")
    resource = _observation(source, naming, f"implication/{name}", "diagnostic-implication", code)
    return resource | {
        "derivedFrom": [naming.reference_to(f"variant/{name}")],
        "component": [
            _component(
                loinc("53037-8", "Genetic variation clinical significance [Imp]"), valueCodeableConcept=significance
            )
        ],
        "note": [{"text": f"ClinVar variation {call.clinvar_id}: {call.clinvar_significance}."}],
    }


def _component(code: Json, **value: object) -> Json:
    return {"code": code, **value}


def _reads(count: int) -> Json:
    return {"value": count, "unit": "reads", "system": codes.UCUM, "code": "{reads}"}
