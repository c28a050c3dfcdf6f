"""The validator of FHIR documents: what it lets through, what it finds, and where. CLN-01.

What has to be found comes from HL7 FHIR R4 and the guide's profiles; that locations are FHIRPath is told by a FHIRPath
engine.
"""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime

import fhirpathpy
import pytest
from fhirpathpy.models import models
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.invariants import RULES
from strandline.fhir.narrative import check_narrative
from strandline.fhir.primitives import primitive
from strandline.fhir.problems import ADVICE, Severity
from strandline.fhir.provenance import Signature, sign_provenance
from strandline.fhir.validation import (
    InvalidBundleError,
    errors_of,
    read_document,
    require_valid,
    validate_document,
)
from strandline.variants.records import read_calls
from tests.unit.fhir_damage import (
    DAMAGES,
    SECRET,
    SIGNED,
    SOUND,
    SOURCE,
    apply,
    metrics_place,
    place_of,
)


@pytest.mark.parametrize("bundle", [SOUND, SIGNED], ids=["unsigned", "signed"])
def test_a_bundle_of_ours_breaks_nothing_and_what_is_not_checked_is_said(bundle):
    findings = validate_document(bundle)
    assert {finding.severity for finding in findings} == {Severity.INFORMATION}
    assert any("LL2938-0" in finding.message for finding in findings)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_each_damage_is_found_where_it_is(damage):
    harmed, location = apply(damage)
    location = location.replace("{metrics}", str(metrics_place()))
    found = errors_of(validate_document(harmed))
    assert (damage.code, location) in {(finding.code, finding.location) for finding in found}
    assert all(SECRET not in f"{finding.message}{finding.location}" for finding in found)
    assert all(finding.advice for finding in found)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_location_is_fhirpath_that_leads_to_the_fault(damage):
    harmed, _ = apply(damage)
    for finding in errors_of(validate_document(harmed)):
        if finding.code in {"missing_element", "wrong_type", "unknown_element", "empty"}:
            continue  # these name what is not there, is empty, or is no element
        assert fhirpathpy.evaluate(harmed, finding.location, {}, models["r4"]) != [], finding.location


def test_ten_kinds_of_fault_and_more_are_told_apart():
    assert len({damage.code for damage in DAMAGES}) >= 15
    assert {damage.code for damage in DAMAGES} <= set(ADVICE)


def test_a_duplicate_full_url_is_found():
    harmed = copy.deepcopy(SOUND)
    harmed["entry"][2]["fullUrl"] = harmed["entry"][1]["fullUrl"]
    assert ("invariant", "Bundle") in {(f.code, f.location) for f in errors_of(validate_document(harmed))}


def test_our_own_broken_bundle_is_not_stored_and_the_cause_names_no_value():
    harmed, location = apply(next(damage for damage in DAMAGES if damage.name.startswith("HTML")))
    with pytest.raises(InvalidBundleError, match="markup at") as refused:
        require_valid(harmed)
    assert location in str(refused.value)
    assert SECRET not in str(refused.value)
    assert require_valid(SOUND) is SOUND


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "fhir_not_json"),
        (b"\xff\xfe", "fhir_not_json"),
        (b'{"resourceType": "Patient", "x": NaN}', "fhir_not_json"),
        (b'{"resourceType": "Patient", "id": "a", "id": "b"}', "fhir_duplicate_key"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "fhir_too_deep"),
        (b'{"resourceType": "Patient", "x": ' + b"[" * 80 + b"]" * 80 + b"}", "fhir_too_deep"),
        (b"[]", "fhir_not_a_resource"),
        (b'{"resourceType": 5}', "fhir_not_a_resource"),
        (b'{"resourceType": "Bundle", "entry": [' + b"{}," * 50_000 + b"{}]}", "fhir_too_large"),
    ],
)
def test_what_is_no_document_is_refused_before_it_is_checked(body, code):
    with pytest.raises(RejectedInputError, match=f"^{code}: "):
        read_document(body)


def test_a_document_over_the_limit_is_refused_unread(monkeypatch):
    monkeypatch.setattr("strandline.fhir.validation.LARGEST_BYTES", 10)
    with pytest.raises(RejectedInputError, match="fhir_too_large"):
        read_document(b'{"resourceType": "Bundle"}')


def test_a_bundle_of_too_many_variants_is_not_made():
    named = SOURCE.findings.named * 20_000
    with pytest.raises(RejectedInputError, match="too_many_variants"):
        build_bundle(replace(SOURCE, findings=replace(SOURCE.findings, named=named)))


def test_a_document_of_nothing_but_faults_is_answered_with_a_thousand_of_them():
    odd = {f"a{number}": number for number in range(200_000)}
    findings = validate_document({"resourceType": "Patient", **odd})
    assert len(findings) == 1_000
    assert [finding.code for finding in findings if finding.code != "unknown_element"] == ["more"]
    notes = [{"odd": number} for number in range(20_000)]
    findings = validate_document({"resourceType": "Observation", "note": notes})
    assert len(findings) == 1_000


def test_a_resource_by_itself_is_checked_as_its_type():
    patient = SOUND["entry"][place_of(SOUND, "Patient")]["resource"]
    assert not errors_of(validate_document(patient))
    (wrong,) = errors_of(validate_document(patient | {"birthDate": "1970-13-01"}))
    assert (wrong.code, wrong.location) == ("bad_value", "Patient.birthDate")


def test_a_type_that_is_not_checked_is_named_and_an_unknown_one_is_an_error():
    (said,) = validate_document({"resourceType": "Account", "status": "active"})
    assert (said.severity, said.code) == (Severity.INFORMATION, "not_checked")
    (wrong,) = validate_document({"resourceType": "Accuont"})
    assert (wrong.severity, wrong.location) == (Severity.ERROR, "Resource.resourceType")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", ["2026", "2026-02", "2024-02-29"], ["2026-2", "2023-02-29", "26-01-01", ""]),
        ("dateTime", ["2026-11-22T09:30:00Z", "2026-11-22T09:30:00.1+01:00"], ["2026-11-22T09:30Z"]),
        ("instant", ["2026-11-22T09:30:00.000Z"], ["2026-11-22", "2026-11-22T25:00:00Z"]),
        ("id", ["a-1.B"], ["a b", "x" * 65, "a_b"]),
        ("code", ["a b"], [" a", "a  b", "a "]),
        ("uri", ["urn:uuid:x", "a"], ["a b", ""]),
        ("uuid", ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"], ["urn:uuid:C757873D-ec9a-4326-a141-556f43239520"]),
        ("oid", ["urn:oid:1.2.3"], ["urn:oid:3.2", "1.2.3"]),
        ("positiveInt", [1, 2_147_483_647], [0, 2_147_483_648, True, 1.0, "1"]),
        ("unsignedInt", [0], [-1]),
        ("integer", [-2_147_483_648], [1.5]),
        ("decimal", [1, 0.5, -3.2e-7], ["1", True, float("nan")]),
        ("boolean", [True], ["true", 1]),
        ("base64Binary", ["QUJD"], ["QUJ", "*"]),
        ("string", ["c.76A>T", "<DEL>", "p.(Trp12Ter)"], ["", " ", "<b>x</b>", "<img src=x onerror=y>", "a\x00b", 5]),
        ("time", ["09:30:00"], ["09:30", "24:00:00"]),
    ],
)  # fmt: skip
def test_primitive_types_are_as_their_definitions_say(name, good, bad):
    """HL7 FHIR R4, section 2.24.0.1."""
    check = primitive(name)
    assert [value for value in good if check(value)] == []
    assert [value for value in bad if not check(value)] == []


@pytest.mark.parametrize(
    "div",
    [
        "<div>no namespace</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">no div</p>',
        '<div xmlns="http://www.w3.org/1999/xhtml"> </div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x()">a</p></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><a href="javascript:x()">a</a></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><p>a</div>',
        '<!DOCTYPE d [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>',
        '<div xmlns="http://www.w3.org/1999/xhtml">&nbsp;</div>',
    ],
)
def test_a_narrative_that_fhir_does_not_allow_is_found(div):
    """HL7 FHIR R4, section 2.4.0, invariants txt-1 and txt-2."""
    assert check_narrative(div)


def test_text_of_a_lab_is_text_in_a_narrative_whatever_it_holds():
    sample = SOURCE.sample.model_copy(update={"site": "<img/onerror=x>&"})
    bundle = build_bundle(replace(SOURCE, sample=sample))
    organization = bundle["entry"][place_of(bundle, "Organization")]["resource"]
    assert "&lt;img/onerror=x&gt;&amp;" in organization["text"]["div"]
    assert not check_narrative(organization["text"]["div"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*path, number))


_SMALL = {**SOUND, "entry": [entry for entry in SOUND["entry"] if entry["resource"]["resourceType"] != "Procedure"][:9]}
_PLACES = [path for path in _paths(_SMALL) if path]


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(_PLACES), value=_JSON)
def test_whatever_stands_wherever_there_is_an_answer_and_no_crash(path, value):
    harmed = copy.deepcopy(_SMALL)
    at = harmed
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    for finding in validate_document(harmed):
        assert finding.location.split(".")[0] in {"Bundle", "Resource"}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["resourceType", "id", "meta", "text", "extension", "contained", "entry"]), _JSON)
)
def test_a_document_of_anything_is_answered(document):
    validate_document({"resourceType": "Observation", **document})


def test_the_json_written_is_the_document_that_was_checked():
    assert read_document(serialise_bundle(SOUND)) == json.loads(json.dumps(SOUND)) == SOUND


def test_signing_names_the_signer_once_makes_it_final_and_leaves_the_draft_alone():
    signature = Signature("P-1", datetime(2026, 11, 23, 8, 0, tzinfo=UTC), b"signed")
    before = json.dumps(SOUND)
    assert sign_provenance(SIGNED, signature) == SIGNED
    assert json.dumps(SOUND) == before
    statuses = {e["resource"].get("status") for e in SIGNED["entry"] if e["resource"]["resourceType"] == "Observation"}
    assert statuses == {"final"}
    provenance = SIGNED["entry"][place_of(SIGNED, "Provenance")]["resource"]
    practitioner = SIGNED["entry"][place_of(SIGNED, "Practitioner")]
    assert provenance["signature"][0]["who"]["reference"] == practitioner["fullUrl"]
    assert provenance["signature"][0]["data"] == "c2lnbmVk"


def test_absent_not_callable_and_not_tested_are_three_things():
    """Answer list LL1971-2: absent LA9634-2, no call LA18198-4; FHIR's data-absent-reason has not-performed."""
    said = {}
    for entry in SOUND["entry"]:
        for note in entry["resource"].get("note", []):
            value = entry["resource"].get("valueCodeableConcept") or entry["resource"].get("dataAbsentReason")
            if value and entry["resource"]["resourceType"] == "Observation":
                said[note["text"].partition(", ")[2].partition(":")[0]] = value["coding"][0]["code"]
    assert said["absent"] == "LA9634-2"
    assert said["no call"] == "LA18198-4"
    assert said["not tested"] == "not-performed"


def test_what_was_studied_called_and_not_called_is_told_in_regions():
    analysis = SOUND["entry"][place_of(SOUND, "Procedure", "/genomic-study-analysis")]["resource"]
    (regions,) = [one["extension"] for one in analysis["extension"] if one["url"].endswith("-regions")]
    told = [(one["url"], one["valueCodeableConcept"]["text"]) for one in regions if "valueCodeableConcept" in one]
    assert told == [
        ("studied", "chr13:32000001-33000000"),
        ("called", "chr13:32000501-32900000"),
        ("uncalled", "chr13:32000001-32000500"),
        ("uncalled", "chr13:32900001-33000000"),
    ]


def test_neighbours_of_a_phase_set_are_told_to_lie_on_one_copy_or_on_two():
    """VCF 4.5, 1.6.2: 0|1 and 1|0 of one PS carry their alleles on different copies."""
    found = [
        entry["resource"]["valueCodeableConcept"]["coding"][0]["code"]
        for entry in SOUND["entry"]
        if "sequence-phase-relationship" in str(entry["resource"].get("meta"))
    ]
    assert found == ["Trans", "Trans"]


def test_the_phase_set_of_a_call_is_read_where_the_genotype_is_phased(tmp_path):
    """VCF 4.5, 1.6.2, PS: genotypes without a phase have none, whatever stands there."""
    header = [
        "##fileformat=VCFv4.3",
        "##contig=<ID=c,length=1000>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="x">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS",
    ]
    cells = ("0|1:7", "0/1:7", "1|0:.")
    rows = [f"c\t{7 + place}\t.\tG\tA\t60\tPASS\t.\tGT:PS\t{cell}" for place, cell in enumerate(cells)]
    vcf = tmp_path / "phased.vcf"
    vcf.write_text("\n".join([*header, *rows]) + "\n")
    assert [call.phase_set for call in read_calls(vcf)] == [7, None, None]


def test_two_alleles_of_one_place_are_a_genotype():
    place = place_of(SOUND, "Observation", "/genotype")
    genotype = SOUND["entry"][place]["resource"]
    assert genotype["valueCodeableConcept"] == {"text": "G>A / G>T"}
    assert len(genotype["derivedFrom"]) == 2


UCUM = {"system": "http://unitsofmeasure.org"}


@pytest.mark.parametrize(
    ("key", "holds", "breaks"),
    [
        ("age-1", {"value": 3, "code": "a", **UCUM}, {"value": -3, "code": "a", **UCUM}),
        ("age-1", {"value": 3, "code": "a"}, {"value": 3}),
        ("bdl-10", {"type": "document", "timestamp": "2026-11-22T09:30:00Z"}, {"type": "document"}),
        ("cnt-3", {"value": 3, "code": "1", **UCUM}, {"value": 3.5, "code": "1", **UCUM}),
        ("dis-1", {"value": 3, "code": "km", **UCUM}, {"value": 3, "code": "km", "system": "urn:other"}),
        ("drt-1", {"value": 3, "code": "h", **UCUM}, {"value": 3, "code": "h"}),
        ("drq-1", {"path": "code"}, {"path": "code", "searchParam": "code"}),
        ("exp-1", {"expression": "true"}, {"language": "text/cql"}),
        ("obs-3", {"text": "normal"}, {"type": {"text": "x"}}),
        ("per-1", {"start": "2026-01", "end": "2026-01-31"}, {"start": "2026-02", "end": "2026-01-31"}),
        (
            "per-1",
            {"start": "2026-01-01T10:00:00+02:00", "end": "2026-01-01T09:00:00Z"},
            {"start": "2026-01-01T10:00:00Z", "end": "2026-01-01T10:30:00+02:00"},
        ),
        ("ras-1", {"low": {"code": "%", **UCUM}}, {"low": {"code": "1", **UCUM}}),
        ("ras-2", {"probabilityDecimal": 100}, {"probabilityDecimal": 100.5}),
        ("rat-1", {"numerator": {}, "denominator": {}}, {"numerator": {}}),
        ("rng-2", {"low": {"value": 1}, "high": {"value": 1}}, {"low": {"value": 2}, "high": {"value": 1}}),
        ("tim-1", {"duration": 1, "durationUnit": "h"}, {"duration": 1}),
        ("tim-2", {"period": 1, "periodUnit": "h"}, {"period": 1}),
        ("tim-4", {"duration": 0}, {"duration": -1}),
        ("tim-5", {"period": 0}, {"period": -1}),
        ("tim-6", {"period": 1, "periodMax": 2}, {"periodMax": 2}),
        ("tim-7", {"duration": 1, "durationMax": 2}, {"durationMax": 2}),
        ("tim-8", {"count": 1, "countMax": 2}, {"countMax": 2}),
        ("tim-9", {"offset": 5, "when": ["AC"]}, {"offset": 5, "when": ["C"]}),
        ("tim-10", {"when": ["AC"]}, {"when": ["AC"], "timeOfDay": ["09:00:00"]}),
        ("trd-1", {"data": []}, {"data": [], "timingDate": "2026"}),
        ("trd-2", {"condition": {}, "data": []}, {"condition": {}}),
        ("trd-3", {"type": "data-added", "data": []}, {"type": "data-added"}),
    ],
)
def test_rules_that_no_engine_here_can_tell_are_as_their_wording_says(key, holds, breaks):
    """HL7 FHIR R4, invariants of the data types and of Bundle; the others are held against a FHIRPath engine."""
    assert RULES[key](holds)
    assert not RULES[key](breaks)


def test_what_is_contained_is_named_and_has_nothing_contained():
    """Invariants dom-2 to dom-5, and ref-1."""
    organization = {"resourceType": "Organization", "id": "o", "name": "Lab"}
    patient = {"resourceType": "Patient", "text": SOUND["entry"][1]["resource"]["text"], "contained": [organization]}
    named = patient | {"managingOrganization": {"reference": "#o"}}
    assert [f for f in validate_document(named) if f.severity is Severity.ERROR] == []
    for broken, code in (
        (patient, "dom-3"),
        (patient | {"managingOrganization": {"reference": "#other"}}, "ref-1"),
        (named | {"contained": [organization | {"contained": [organization]}]}, "dom-2"),
        (named | {"contained": [organization | {"meta": {"versionId": "1"}}]}, "dom-4"),
        (named | {"contained": [organization | {"meta": {"security": [{"code": "x"}]}}]}, "dom-5"),
    ):
        assert code in {finding.message.split(" ")[0] for finding in errors_of(validate_document(broken))}
