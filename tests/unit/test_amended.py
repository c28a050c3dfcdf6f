"""An amended report and bundle name what changed and why, and what they take the place of. CLN-05."""

from dataclasses import replace

from strandline.fhir.bundle import build_bundle
from strandline.fhir.provenance import Signature, sign_provenance
from strandline.fhir.report_file import report_file
from strandline.fhir.validation import errors_of, validate_document
from strandline.interpretation.amendment import Amendment
from strandline.interpretation.knowledge import Knowledge
from strandline.interpretation.reclassification import Change, Known
from strandline.reporting.report import build_report
from strandline.reporting.report_rows import variant_key
from tests.unit.released_bundles import source_of
from tests.unit.test_reclassification import NEW, OLD, ONE, WHEN
from tests.unit.test_report import SOURCE

BEFORE = Known(clinvar_id="900001", significance="Uncertain_significance", review=ONE)
AFTER = Known(clinvar_id="900001", significance="Likely_pathogenic", review=ONE)


def amendment_of(variant: str) -> Amendment:
    change = Change(variant=variant, gene="BRCA2", before=BEFORE, after=AFTER, rule="became_pathogenic")
    unchanged = Change(variant="chr1:1:A:G", before=BEFORE, after=None)
    knowledge = Knowledge(
        before=OLD, after=NEW, found=WHEN, policy="1", release=2, known=(), changes=(change, unchanged)
    )
    return Amendment(1, "0" * 64, knowledge.reason, knowledge)


def resources(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def test_a_signed_amendment_is_amended_where_it_changed_and_final_elsewhere():
    """FHIR R4: amended is what was modified after it was final; a revision names what it is of."""
    source = source_of("s-1", variants=3)
    changed = variant_key(source.findings.named[1].call)
    amended = replace(source, amendment=amendment_of(changed), report=report_file("report.pdf", b"%PDF"))
    draft = build_bundle(amended)
    assert errors_of(validate_document(draft)) == []
    assert {one["status"] for one in resources(draft, "Observation")} == {"preliminary"}
    signed = sign_provenance(draft, Signature("u-7", WHEN, b"signed"))
    assert errors_of(validate_document(signed)) == []
    (report,) = resources(signed, "DiagnosticReport")
    assert report["status"] == "amended"
    assert "became (likely) pathogenic: Uncertain significance (900001), now Likely pathogenic" in report["conclusion"]
    replaces = [one for one in report["extension"] if one["url"].endswith("/diagnosticReport-replaces")]
    assert replaces[0]["valueReference"]["identifier"]["value"] == "s-1/1"
    observed = [one for one in resources(signed, "Observation") if one["status"] == "amended"]
    assert len(observed) == 1
    assert changed in observed[0]["text"]["div"].replace("&gt;", ">")
    (provenance,) = resources(signed, "Provenance")
    assert provenance["activity"]["coding"][0]["code"] == "UPDATE"
    assert [one["role"] for one in provenance["entity"]] == ["source", "revision"]
    assert "ClinVar 2026-11 in place of ClinVar 2026-10" in provenance["reason"][0]["text"]
    (file,) = [one for one in resources(signed, "DocumentReference") if one.get("relatesTo")]
    assert file["relatesTo"][0]["code"] == "replaces"


def test_a_first_release_amends_nothing():
    signed = sign_provenance(build_bundle(source_of("s-1")), Signature("u-7", WHEN, b"signed"))
    assert {one["status"] for one in resources(signed, "Observation")} == {"final"}
    assert resources(signed, "DiagnosticReport")[0]["status"] == "final"


def test_the_report_tells_old_and_new_with_both_versions_and_the_date():
    page = build_report(replace(SOURCE, amendment=amendment_of("chr13:32316461:G:A"), for_release=True))
    for words in (
        "Amended: takes the place of version 1",
        "What changed since version 1",
        "became (likely) pathogenic: Uncertain significance (900001), now Likely pathogenic (900001)",
        "ClinVar 2026-11 in place of ClinVar 2026-10, compared on 2026-11-22",
    ):
        assert words in page
    assert "chr1:1:A:G" not in page  # what does not matter is not told
    assert "What changed" not in build_report(SOURCE)
