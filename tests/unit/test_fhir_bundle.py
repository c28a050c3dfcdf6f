"""A bundle of findings made by hand, against FHIR R4 and the Genomics Reporting guide 3.0.0. CLN-01.

R4: the models of fhirclient 4, which know every element, its type and its cardinality. The guide: patterns and slices
of its profiles, written down here from their published definitions.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fhirclient.models.bundle import Bundle

from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.drafting import BundleInput
from strandline.landing.manifest import SampleDeclaration
from strandline.reporting.findings import Finding, Findings, Tier
from tests.unit.made_up import NAME, NAMED, QUALITY, call, consequence

GUIDE = "http://hl7.org/fhir/uv/genomics-reporting"
LOINC = "http://loinc.org"
TO_BE_DETERMINED = f"{GUIDE}/CodeSystem/tbd-codes-cs"
DELETION = call(
    contig="chr20",
    position=100,
    ref="ATG",
    alt="A",
    zygosity="HOM_ALT",
    genotype="1/1",
    consequences=(consequence("frameshift", gene="GNAS", protein_change=None),),
    clinvar_id=None,
    clinvar_significance=None,
)
INTRON = call(
    position=500,
    consequences=(consequence("intron", transcript="", protein_change=None),),
    clinvar_significance="Likely_pathogenic",
    depth=None,
    ref_depth=None,
    alt_depth=None,
)
BARE = call(position=900, consequences=(), clinvar_id=None, clinvar_significance=None, zygosity="HEMI", genotype="1")
SOURCE = BundleInput(
    submission_id="s-1",
    sample=SampleDeclaration.model_validate({"sample_id": "HG002", "subject_id": "PT00042", "sex": "MALE"}),
    reference_label="GRCh38/0c2b",
    assembly="GRCh38",
    quality=QUALITY,
    findings=Findings(
        named=(
            Finding(Tier.KNOWN_PATHOGENIC, call()),
            Finding(Tier.KNOWN_PATHOGENIC, INTRON),
            Finding(Tier.LOSS_OF_FUNCTION, DELETION),
            Finding(Tier.UNANNOTATED, BARE),
        ),
        other_passed=7,
        failed_filters=2,
        cut=0,
    ),
    issued=datetime(2026, 11, 22, 8, 30, 15, 123_000, tzinfo=UTC),
    platform_version="0.1.0",
)
BUNDLE = build_bundle(SOURCE)


def resources(profile: str, bundle: dict[str, Any] = BUNDLE) -> list[dict[str, Any]]:
    canonical = f"{GUIDE}/StructureDefinition/{profile}"
    every = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in every if canonical in resource.get("meta", {}).get("profile", [])]


def one(profile: str) -> dict[str, Any]:
    (resource,) = resources(profile)
    return resource


def codings(concept: dict[str, Any]) -> set[tuple[str, str]]:
    return {(coding["system"], coding["code"]) for coding in concept["coding"]}


def components(observation: dict[str, Any], code: str, system: str = LOINC) -> list[dict[str, Any]]:
    return [component for component in observation["component"] if (system, code) in codings(component["code"])]


def value(observation: dict[str, Any], code: str, system: str = LOINC) -> Any:
    (component,) = components(observation, code, system)
    (found,) = [component[key] for key in component if key.startswith("value")]
    return found


def extensions(resource: dict[str, Any], name: str) -> list[dict[str, Any]]:
    url = f"{GUIDE}/StructureDefinition/{name}"
    return [extension for extension in resource.get("extension", []) if extension["url"] == url]


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from walk(inner)


@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38", "T2T-CHM13", None])
def test_every_resource_is_valid_r4(assembly):
    bundle = build_bundle(replace(SOURCE, assembly=assembly))
    parsed = Bundle(json.loads(serialise_bundle(bundle)), strict=True)
    assert parsed.as_json() == bundle


def test_a_bundle_without_findings_is_valid_r4_too():
    empty = replace(SOURCE, findings=Findings((), 0, 0, 0))
    bundle = build_bundle(empty)
    assert Bundle(bundle, strict=True).as_json() == bundle


def test_no_text_list_or_object_is_empty():
    """FHIR R4, 2.6.2: an element has a value or children; strings, arrays and objects are never empty."""
    for key, inner in (*walk(BUNDLE), *walk(build_bundle(replace(SOURCE, findings=Findings((), 0, 0, 0))))):
        assert inner not in ("", [], {}, None), key


def test_every_reference_resolves_inside_the_bundle():
    addresses = [entry["fullUrl"] for entry in BUNDLE["entry"]]
    assert len(set(addresses)) == len(addresses)
    assert [f"urn:uuid:{entry['resource']['id']}" for entry in BUNDLE["entry"]] == addresses
    references = {inner for key, inner in walk(BUNDLE) if key == "reference"}
    assert references <= set(addresses)


def test_the_same_analysis_gives_the_same_bundle():
    assert serialise_bundle(build_bundle(SOURCE)) == serialise_bundle(BUNDLE)


def test_another_submission_shares_no_name_with_it():
    other = build_bundle(replace(SOURCE, submission_id="s-2"))
    assert {entry["fullUrl"] for entry in other["entry"]}.isdisjoint(entry["fullUrl"] for entry in BUNDLE["entry"])


def test_nothing_is_final_before_a_person_signed():
    """CLN-04."""
    statuses = {
        resource["resource"]["status"]
        for resource in BUNDLE["entry"]
        if resource["resource"]["resourceType"] in {"Observation", "DiagnosticReport"}
    }
    assert statuses == {"preliminary"}
    assert "not signed" in one("genomic-report")["conclusion"]


def test_the_report_has_the_slices_of_genomic_report():
    """Category slice GE of v2-0074, exactly once; results are the observations; the study by extension."""
    report = one("genomic-report")
    sections = [codings(category) for category in report["category"]]
    assert sections == [{("http://terminology.hl7.org/CodeSystem/v2-0074", "GE")}]
    assert codings(report["code"]) == {(LOINC, "51969-4")}
    observed = [r["resource"]["id"] for r in BUNDLE["entry"] if r["resource"]["resourceType"] == "Observation"]
    assert [item["reference"] for item in report["result"]] == [f"urn:uuid:{name}" for name in observed]
    (study,) = extensions(report, "genomic-study-reference")
    assert study["valueReference"]["reference"] == f"urn:uuid:{one('genomic-study')['id']}"


def test_a_study_and_its_analysis_have_one_laboratory_category_and_none_of_what_the_profile_forbids():
    laboratory = ("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")
    study, analysis = one("genomic-study"), one("genomic-study-analysis")
    for procedure in (study, analysis):
        assert procedure["resourceType"] == "Procedure"
        assert [(c["system"], c["code"]) for c in procedure["category"]["coding"]] == [laboratory]
        assert not set(procedure) & {"partOf", "statusReason", "recorder", "location", "bodySite", "outcome", "report"}
        assert "performedDateTime" in procedure
    assert analysis["status"] == "completed"
    assert not set(analysis) & {"basedOn", "code", "encounter", "asserter", "reasonCode", "reasonReference"}
    (part,) = extensions(study, "genomic-study-analysis-ext")
    assert part["valueReference"]["reference"] == f"urn:uuid:{analysis['id']}"


def test_the_analysis_says_depth_as_read_depth_and_what_could_not_be_called():
    """ANA-10. In the guide `sequencing-coverage` is a percentage and `read-depth` the mean number of reads."""
    analysis = one("genomic-study-analysis")
    (metrics,) = extensions(analysis, "genomic-study-analysis-metrics")
    by_url = {part["url"]: part for part in metrics["extension"]}
    assert set(by_url) == {"read-depth", "metrics-description"}
    assert by_url["read-depth"]["valueQuantity"]["value"] == 31.4
    (regions,) = extensions(analysis, "genomic-study-analysis-regions")
    (description,) = [part["valueString"] for part in regions["extension"] if part["url"] == "description"]
    assert "95000 of them callable" in description
    (build,) = extensions(analysis, "genomic-study-analysis-genome-build")
    assert codings(build["valueCodeableConcept"]) == {(LOINC, "LA26806-2")}
    (source,) = extensions(analysis, "genomic-study-analysis-genomic-source-class")
    assert codings(source["valueCodeableConcept"]) == {(LOINC, "LA6683-2")}


@pytest.mark.parametrize("profile", ["variant", "molecular-consequence", "diagnostic-implication"])
def test_every_observation_has_the_slices_of_genomic_base(profile):
    for observation in resources(profile):
        categories = set().union(*map(codings, observation["category"]))
        assert ("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory") in categories
        assert ("http://terminology.hl7.org/CodeSystem/v2-0074", "GE") in categories
        assert observation["subject"]["reference"].startswith("urn:uuid:")


def test_a_variant_has_its_alleles_place_and_state_in_the_slices_of_the_profile():
    """Coordinates are 1-based: the deletion's first base is position 100 of the VCF, its last 102."""
    variants = resources("variant")
    assert len(variants) == 4
    for variant in variants:
        assert codings(variant["code"]) == {(LOINC, "69548-6")}
        assert codings(variant["valueCodeableConcept"]) == {(LOINC, "LA9633-4")}  # present
        assert codings(value(variant, "92822-6")) == {(LOINC, "LA30102-0")}  # 1-based
        assert codings(value(variant, "62374-4")) == {(LOINC, "LA26806-2")}  # GRCh38
        assert codings(value(variant, "48002-0")) == {(LOINC, "LA6683-2")}  # germline
        for slice_0_1 in ("69547-8", "69551-0", "81254-5", "53034-5", "82121-5", "81258-6"):
            assert len(components(variant, slice_0_1)) <= 1
    snv, intron, deletion, bare = variants
    assert codings(value(deletion, "48000-4")) == {(LOINC, "LA21273-0")}  # chromosome 20 of answer list LL2938-0
    assert value(deletion, "48013-7") == {"text": "chr20"}
    assert (value(deletion, "69547-8"), value(deletion, "69551-0")) == ("ATG", "A")
    assert value(deletion, "81254-5") == {"low": {"value": 100}, "high": {"value": 102}}
    assert value(snv, "81254-5") == {"low": {"value": 32_316_461}, "high": {"value": 32_316_461}}
    states = [codings(value(variant, "53034-5")) for variant in (snv, deletion, bare)]
    assert states == [{(LOINC, "LA6706-1")}, {(LOINC, "LA6705-3")}, {(LOINC, "LA6707-9")}]
    assert value(snv, "48018-6")["text"] == "BRCA2"
    assert value(snv, "82121-5")["value"] == 14
    assert value(snv, "81258-6")["value"] == 0.4375  # 14 of 32 reads
    assert value(snv, "81258-6")["system"] == "http://unitsofmeasure.org"
    known = [codings(item["valueCodeableConcept"]) for item in components(snv, "81252-9")]
    assert known == [
        {("http://www.ncbi.nlm.nih.gov/clinvar", "900001")},
        {("http://www.ncbi.nlm.nih.gov/projects/SNP", "rs80358981")},
    ]
    changes = [codings(value(variant, "48019-4")) for variant in (snv, deletion)]
    assert changes == [
        {("http://www.sequenceontology.org", "SO:0001483")},
        {("http://www.sequenceontology.org", "SO:0000159")},
    ]
    assert components(intron, "82121-5") == components(intron, "81258-6") == []
    assert components(bare, "48018-6") == []


def test_a_consequence_is_coded_in_sequence_ontology_and_derived_from_its_variant():
    """Sequence Ontology: stop_gained SO:0001587, intron_variant SO:0001627, frameshift_variant SO:0001589."""
    effects = resources("molecular-consequence")
    names = [f"urn:uuid:{variant['id']}" for variant in resources("variant")]
    assert [effect["derivedFrom"] for effect in effects] == [[{"reference": name}] for name in names[:3]]
    terms = []
    for effect in effects:
        assert codings(effect["code"]) == {(TO_BE_DETERMINED, "molecular-consequence")}
        terms += codings(value(effect, "feature-consequence", TO_BE_DETERMINED))
    ontology = "http://www.sequenceontology.org"
    assert terms == [(ontology, "SO:0001587"), (ontology, "SO:0001627"), (ontology, "SO:0001589")]
    stop, intron, _ = effects
    assert codings(value(stop, "51958-7")) == {("http://www.ensembl.org", "ENST00000380152")}
    assert components(intron, "51958-7") == []  # bcftools csq names no transcript there


def test_known_significance_becomes_an_implication_and_nothing_else_does():
    """Answer list LL4034-6: pathogenic LA6668-3, likely pathogenic LA26332-9. No value, at least one derivedFrom."""
    implications = resources("diagnostic-implication")
    names = [f"urn:uuid:{variant['id']}" for variant in resources("variant")]
    assert [implication["derivedFrom"] for implication in implications] == [[{"reference": n}] for n in names[:2]]
    assert [codings(value(i, "53037-8")) for i in implications] == [{(LOINC, "LA6668-3")}, {(LOINC, "LA26332-9")}]
    for implication in implications:
        assert codings(implication["code"]) == {(TO_BE_DETERMINED, "diagnostic-implication")}
        assert not [key for key in implication if key.startswith("value")]
        assert "ClinVar variation 900001" in implication["note"][0]["text"]


def test_a_patient_is_a_pseudonym_and_a_sex_and_nothing_more():
    (patient,) = [e["resource"] for e in BUNDLE["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert set(patient) == {"resourceType", "id", "text", "identifier", "gender"}
    assert "PT00042" in patient["text"]["div"]
    assert patient["identifier"][0]["value"] == "PT00042"
    assert patient["gender"] == "male"


def test_a_genome_that_is_no_human_build_is_not_called_one():
    bundle = build_bundle(replace(SOURCE, assembly=None))
    assert [components(variant, "62374-4") for variant in resources("variant", bundle)] == [[]] * 4
    assert not extensions(resources("genomic-study-analysis", bundle)[0], "genomic-study-analysis-genome-build")


def test_what_a_full_list_left_out_is_said():
    cut = replace(SOURCE, findings=replace(SOURCE.findings, cut=3))
    report = build_bundle(cut)["entry"][0]["resource"]
    assert "4 variants are reported; 7 more passed" in report["conclusion"]
    assert "3 reportable variants are left out" in report["conclusion"]


def test_a_named_call_carries_its_hgvs_names_its_frequency_and_why_the_transcript_was_chosen():
    """LOINC: 81290-9 gHGVS, 48004-6 c.HGVS, 48005-3 pHGVS, 92821-8 population allele frequency; CLN-01."""
    effects = (consequence("frameshift", transcript="ENST2"), consequence("missense"))
    named = call(**NAMED | {"names": (replace(NAME, term="missense"),)}, consequences=effects)
    findings = replace(SOURCE.findings, named=(Finding(Tier.KNOWN_PATHOGENIC, named),))
    bundle = build_bundle(replace(SOURCE, findings=findings))
    (variant,), (effect,) = resources("variant", bundle), resources("molecular-consequence", bundle)
    names = {code: codings(value(variant, code)) for code in ("81290-9", "48004-6", "48005-3")}
    assert names == {
        "81290-9": {("http://varnomen.hgvs.org", "NC_000013.11:g.32316461G>A")},
        "48004-6": {("http://varnomen.hgvs.org", "ENST00000380152.8:c.36G>A")},
        "48005-3": {("http://varnomen.hgvs.org", "ENSP00000369497.3:p.(Trp12Ter)")},
    }
    assert value(variant, "92821-8") == {"value": 0.25, "system": "http://unitsofmeasure.org", "code": "1"}
    assert codings(value(effect, "51958-7")) == {("http://www.ensembl.org", "ENST00000380152.8")}
    assert codings(value(effect, "feature-consequence", TO_BE_DETERMINED)) == {
        ("http://www.sequenceontology.org", "SO:0001583")
    }
    assert effect["note"] == [{"text": "Transcript chosen as MANE_Select. More severe on ENST2: frameshift."}]
    bare = resources("variant")[-1]
    assert [components(bare, code) for code in names] == [[]] * 3  # a call without names
