"""A FHIR R4 bundle of one sample's findings, as the Genomics Reporting guide 3.0.0 shapes it.

Every resource has a name derived from the submission, so that the same analysis gives the same bundle. The status is
`preliminary`: a person makes it final by signing. Absence from the bundle never means "not there": what could not be
called and what was not tested is said in the genomic study (its regions), and variant by variant where one was asked
for.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from strandline.errors import RejectedInputError
from strandline.fhir import codes, people
from strandline.fhir import study as studies
from strandline.fhir.codes import SUBMISSIONS, Json, loinc
from strandline.fhir.collection import paused_collection
from strandline.fhir.drafting import BundleInput, Draft, reference_of
from strandline.fhir.implications import implications
from strandline.fhir.phase import genotypes, phased_pairs
from strandline.fhir.provenance import earlier_version, provenance
from strandline.fhir.report_file import ReportFile
from strandline.fhir.variant import asked_variant, found_variant
from strandline.journey import Artifact

MOST_VARIANTS: Final = 2_500
_FILES: Final = ((Artifact.CALLS, "vcf"), (Artifact.CALLABLE_REGIONS, "bed"))
_REPLACES: Final = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
_REPORT_CODE: Final = loinc("51969-4", "Genetic analysis report")


def build_bundle(source: BundleInput) -> Json:
    """Return the bundle as JSON-ready dictionaries.

    Raises:
        RejectedInputError: `too_many_variants`, over what one bundle may hold.

    Source: HL7 FHIR R4 (4.0.1) and the guide's profiles, each named where its resource is made.
    """
    count = len(source.findings.named)
    if count > MOST_VARIANTS:
        raise RejectedInputError(
            "too_many_variants",
            f"{count} variants of the filtered calls are to be named and a bundle holds at most {MOST_VARIANTS}: order "
            "a panel, or send regions",
        )
    draft = Draft(source)
    files = [studies.data_file(draft, str(artifact), file_format) for artifact, file_format in _FILES]
    analysis = studies.analysis(draft, files)
    study = studies.study(draft, analysis)
    with paused_collection():
        observations = list(_observations(draft))
    written = [_report_file(draft, source.report)] if source.report else []
    around = (
        *(people.patient(draft), people.specimen(draft), people.service_request(draft), people.organization(draft)),
        *(people.device(draft), study, analysis, *files, *written),
    )
    report = _report(draft, study, observations)
    resources = [report, *filter(None, around), *observations, provenance(draft)]
    return {
        "resourceType": "Bundle",
        "id": draft.id_of("bundle"),
        "meta": {"lastUpdated": draft.time},
        "identifier": {"system": SUBMISSIONS, "value": source.submission_id},
        "type": "collection",
        "timestamp": draft.time,
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }


def serialise_bundle(bundle: Json) -> bytes:
    """Return the bundle's bytes: UTF-8 JSON, keys in the order of their making."""
    return orjson.dumps(bundle, option=orjson.OPT_INDENT_2)


def _observations(draft: Draft) -> Iterator[Json]:
    findings = draft.source.findings.named
    for finding in findings:
        yield found_variant(draft, finding)
        yield from implications(draft, finding.call)
    calls = [finding.call for finding in findings]
    yield from genotypes(draft, calls)
    yield from phased_pairs(draft, calls)
    for asked in draft.source.asked:
        yield asked_variant(draft, asked)


def _report(draft: Draft, study: Json, observations: Iterable[Json]) -> Json:
    """The report itself. Source: profile genomic-report."""
    source = draft.source
    results = [reference_of(item) for item in observations]
    concludes = _conclusion(source)
    performed = {"performer": [draft.reference_to("organization")]} if source.sample.site else {}
    return draft.resource("DiagnosticReport", "report", concludes, "genomic-report") | {
        "extension": [
            codes.extension("genomic-study-reference", valueReference=reference_of(study)),
            *_replaces(draft),
        ],
        "identifier": [{"system": SUBMISSIONS, "value": source.submission_id}],
        "basedOn": [draft.reference_to("order")],
        "status": "preliminary",
        "category": [codes.GENETICS],
        "code": _REPORT_CODE,
        "subject": draft.reference_to("patient"),
        "effectiveDateTime": draft.time,
        "issued": draft.instant,
        **performed,
        "specimen": [draft.reference_to("specimen")],
        **({"result": results} if results else {}),  # FHIR knows no empty list
        "conclusion": concludes,
    }


def _replaces(draft: Draft) -> list[Json]:
    """What an amendment takes the place of. Source: HL7 FHIR R4, extension diagnosticReport-replaces."""
    amendment = draft.source.amendment
    return [{"url": _REPLACES, "valueReference": earlier_version(draft, amendment.replaces)}] if amendment else []


def _conclusion(source: BundleInput) -> str:
    findings = source.findings
    text = f"Amended: {source.amendment.reason}. " if source.amendment else ""
    text += (
        f"{len(findings.named)} variants are reported; {findings.other_passed} more passed the filters and meet no "
        f"reporting criterion; {findings.failed_filters} failed a filter."
    )
    if findings.cut:
        text += f" {findings.cut} reportable variants are left out because the list is full: see the VCF."
    # what is laid before signers is signed word by word: its status tells whether that was done
    return text if source.report else text + " Preliminary: not reviewed, not signed."


def _report_file(draft: Draft, report: ReportFile) -> Json:
    """The report for people, which the bundle points at and does not hold."""
    attachment = {
        "contentType": report.content_type,
        "title": report.title,
        "size": report.size_bytes,
        "hash": codes.base64_of(report.sha1),
        "creation": draft.time,
    }
    amendment = draft.source.amendment
    before = earlier_version(draft, amendment.replaces) if amendment else None
    return draft.resource("DocumentReference", "report-file", f"Report {report.title}.") | {
        "status": "current",
        "docStatus": "preliminary",
        "type": _REPORT_CODE,
        "subject": draft.reference_to("patient"),
        "date": draft.instant,
        **({"relatesTo": [{"code": "replaces", "target": before}]} if before else {}),
        "content": [{"attachment": attachment}],
        "context": {"related": [draft.reference_to("report")]},
    }
