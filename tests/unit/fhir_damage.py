"""A sound bundle, and ways to damage it, each with what a validator has to say and where."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from strandline.fhir.bundle import build_bundle
from strandline.fhir.drafting import AskedVariant, BundleInput, Outcome, RegionsSaid
from strandline.fhir.provenance import Signature, sign_provenance
from strandline.fhir.report_file import ReportFile
from strandline.landing.manifest import SampleDeclaration
from strandline.landing.regions import Region
from strandline.reporting.findings import Finding, Findings, Tier
from tests.unit.made_up import NAMED, QUALITY, call

Json = dict[str, Any]
SECRET = "Jane Roe 1970-01-01"
_PHASED = {"phased": True, "phase_set": 32_316_461}
CALLS = (
    call(**NAMED | _PHASED, genotype="0|1"),
    call(**NAMED | _PHASED, genotype="1|0", position=32_316_470, clinvar_significance="drug_response"),
    call(**NAMED | _PHASED, genotype="0|1", position=32_316_480, clinvar_significance=None),
    call(position=32_400_000, clinvar_significance=None, identifier=None),
    call(position=32_400_000, alt="T", clinvar_significance=None, identifier=None),
)
SOURCE = BundleInput(
    submission_id="s-1",
    sample=SampleDeclaration.model_validate(
        {"sample_id": "HG002", "subject_id": "PT00042", "sex": "MALE", "site": "north"}
    ),
    reference_label="GRCh38/0c2b",
    assembly="GRCh38",
    quality=QUALITY,
    findings=Findings(tuple(Finding(Tier.LOSS_OF_FUNCTION, one) for one in CALLS), 7, 2, 0),
    issued=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    platform_version="0.1.0",
    sources={"ClinVar": "2026-11"},
    regions=RegionsSaid([Region("chr13", 32_000_000, 33_000_000)], [Region("chr13", 32_000_500, 32_900_000)]),
    asked=(
        AskedVariant("chr13", 32_316_500, "A", "C", Outcome.ABSENT),
        AskedVariant("chr13", 32_950_000, "A", "C", Outcome.NO_CALL),
        AskedVariant("chr17", 43_045_712, "T", "C", Outcome.NOT_TESTED),
    ),
    report=ReportFile("report.html", "text/html", 12, bytes(20)),
)
SOUND = build_bundle(SOURCE)
SIGNED = sign_provenance(SOUND, Signature("P-1", datetime(2026, 11, 23, 8, 0, tzinfo=UTC), b"signed"))


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing done to the bundle. `code` and `location` are what has to be found; `{n}` is the entry's number."""

    name: str
    kind: str
    profile: str
    harm: Callable[[Json], object]
    code: str
    location: str
    schema_sees: bool = False
    """Whether a validator that knows R4's JSON schema alone finds fault with it."""


def place_of(bundle: Json, kind: str, profile: str = "") -> int:
    """The number of the first entry of a type, and of a profile where one is given."""
    for number, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        named = resource.get("meta", {}).get("profile", [""])
        if resource["resourceType"] == kind and any(url.endswith(profile) for url in named):
            return number
    raise LookupError(kind)


def apply(damage: Damage, bundle: Json = SOUND) -> tuple[Json, str]:
    """Return a damaged copy, and where the fault is to be found."""
    harmed = copy.deepcopy(bundle)
    number = place_of(harmed, damage.kind, damage.profile)
    damage.harm(harmed["entry"][number]["resource"])
    return harmed, damage.location.replace("{n}", str(number))


def component_of(resource: Json, code: str) -> tuple[int, Json]:
    """A component by its code, with its number."""
    for number, component in enumerate(resource["component"]):
        if component["code"]["coding"][0]["code"] == code:
            return number, component
    raise LookupError(code)


def _put(*path: str | int, value: Any) -> Callable[[Json], None]:
    def harm(resource: Json) -> None:
        at: Any = resource
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value

    return harm


def _component(code: str, key: str, value: Any, *, drop: str | None = None) -> Callable[[Json], None]:
    def harm(resource: Json) -> None:
        component = component_of(resource, code)[1]
        if drop:
            del component[drop]
        component[key] = value

    return harm


def _twice(code: str) -> Callable[[Json], None]:
    return lambda resource: resource["component"].append(copy.deepcopy(component_of(resource, code)[1]))


def _at(code: str, profile: str = "variant") -> int:
    resource = SOUND["entry"][place_of(SOUND, "Observation", f"/{profile}")]["resource"]
    return component_of(resource, code)[0]


_ENTRY = "Bundle.entry[{n}].resource"
_RANGE, _REF, _DEPTH, _GENE = (_at(code) for code in ("81254-5", "69547-8", "82121-5", "48018-6"))
DAMAGES = (
    Damage(
        "an element that does not exist", "Patient", "", _put("gendr", value=SECRET),
        "unknown_element", f"{_ENTRY}.gendr", schema_sees=True,
    ),
    Damage(
        "a required element is gone", "Observation", "/variant", lambda resource: resource.pop("status"),
        "missing_element", f"{_ENTRY}.status",
    ),
    Damage(
        "a required slice is gone", "Observation", "/variant", lambda resource: resource["category"].pop(),
        "slice", f"{_ENTRY}.category",
    ),
    Damage(
        "a slice stands twice", "Observation", "/variant", _twice("92822-6"),
        "slice", f"{_ENTRY}.component",
    ),
    Damage(
        "a code outside of a required value set", "DiagnosticReport", "", _put("status", value="bogus"),
        "code_not_bound", f"{_ENTRY}.status", schema_sees=True,
    ),
    Damage(
        "a value outside of the answers that LOINC lists", "Observation", "/variant",
        _put("valueCodeableConcept", "coding", 0, "code", value="LA6668-3"),
        "code_not_bound", f"{_ENTRY}.value.ofType(CodeableConcept)",
    ),
    Damage(
        "a code that its code system does not have", "Observation", "/diagnostic-implication",
        _put("code", "coding", 0, "code", value="diagnostic-implicatoin"),
        "code_unknown", f"{_ENTRY}.code.coding[0].code",
    ),
    Damage(
        "a number in quotes", "Observation", "/variant", _component("82121-5", "valueQuantity", {"value": "14"}),
        "wrong_type", f"{_ENTRY}.component[{_DEPTH}].value.ofType(Quantity).value", schema_sees=True,
    ),
    Damage(
        "another code than the profile fixes", "Observation", "/variant",
        _put("code", "coding", 0, "code", value="1-8"), "fixed_value", f"{_ENTRY}.code",
    ),
    Damage(
        "a reference to what is not there", "Observation", "/variant",
        _put("subject", "reference", value="urn:uuid:00000000-0000-4000-8000-000000000000"),
        "unresolved_reference", f"{_ENTRY}.subject.reference",
    ),
    Damage(
        "a reference to a resource of another type", "Observation", "/variant",
        lambda resource: resource["subject"].update(resource["specimen"]),
        "wrong_target", f"{_ENTRY}.subject.reference",
    ),
    Damage(
        "a reference to a resource of another profile", "Procedure", "/genomic-study",
        lambda resource: resource["extension"][0]["valueReference"].update(resource["basedOn"][0]),
        "wrong_target", f"{_ENTRY}.extension[0].value.ofType(Reference).reference",
    ),
    Damage(
        "an end before its start", "Observation", "/variant",
        _component("81254-5", "valueRange", {"low": {"value": 9}, "high": {"value": 3}}),
        "invariant", f"{_ENTRY}.component[{_RANGE}].value.ofType(Range)",
    ),
    Damage(
        "a value beside the reason why there is none", "Observation", "/variant",
        lambda resource: resource.update(dataAbsentReason={"text": "unknown"}),
        "invariant", _ENTRY,
    ),
    Damage(
        "a value where the profile allows none", "Observation", "/diagnostic-implication",
        _put("valueString", value="benign"), "too_many", f"{_ENTRY}.value.ofType(string)",
    ),
    Damage(
        "a value of a type that the slice does not allow", "Observation", "/variant",
        _component("69547-8", "valueCodeableConcept", {"text": "A"}, drop="valueString"),
        "wrong_type", f"{_ENTRY}.component[{_REF}].valueCodeableConcept",
    ),
    Damage(
        "an extension with a part that it does not have", "Procedure", "/genomic-study-analysis",
        lambda resource: next(one for one in resource["extension"] if one["url"].endswith("-metrics"))["extension"][0]
        .update(url="depth"),
        "unknown_extension", f"{_ENTRY}.extension[{{metrics}}].extension[0].url",
    ),
    Damage(
        "an extension where it may not stand", "Patient", "",
        lambda resource: resource.update(
            extension=[copy.deepcopy(SOUND["entry"][place_of(SOUND, "DiagnosticReport")]["resource"]["extension"][0])]
        ),
        "wrong_context", f"{_ENTRY}.extension[0].url",
    ),
    Damage(
        "a day that the calendar does not have", "DiagnosticReport", "",
        _put("effectiveDateTime", value="2026-02-30T10:00:00Z"), "bad_value", f"{_ENTRY}.effective.ofType(dateTime)",
    ),
    Damage(
        "HTML in a field of the patient", "Patient", "",
        _put("identifier", 0, "value", value=f"<script>alert('{SECRET}')</script>"),
        "markup", f"{_ENTRY}.identifier[0].value",
    ),
    Damage(
        "a script in a narrative", "Patient", "",
        _put("text", "div", value='<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'),
        "narrative", f"{_ENTRY}.text.`div`",
    ),
    Damage(
        "an empty list", "Observation", "/variant", _put("note", value=[]), "empty", f"{_ENTRY}.note",
    ),
    Damage(
        "one value where a list stands", "DiagnosticReport", "",
        lambda resource: resource.update(specimen=resource["specimen"][0]),
        "wrong_shape", f"{_ENTRY}.specimen", schema_sees=True,
    ),
    Damage(
        "a profile of another type", "Patient", "",
        _put("meta", value={"profile": ["http://hl7.org/fhir/uv/genomics-reporting/StructureDefinition/variant"]}),
        "profile_of_another_type", f"{_ENTRY}.meta.profile[0]",
    ),
    Damage(
        "two resources of one id", "Specimen", "",
        lambda resource: resource.update(
            resourceType="Patient", id=SOUND["entry"][place_of(SOUND, "Patient")]["resource"]["id"]
        ),
        "duplicate_full_url", f"{_ENTRY}.id", schema_sees=True,
    ),
)  # fmt: skip


def metrics_place() -> int:
    """The number of the metrics among the extensions of the analysis."""
    analysis = SOUND["entry"][place_of(SOUND, "Procedure", "/genomic-study-analysis")]["resource"]
    return next(number for number, one in enumerate(analysis["extension"]) if one["url"].endswith("-metrics"))
