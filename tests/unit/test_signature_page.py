"""A released PDF is the signed one, byte by byte, and a page that names who signed it. CLN-03, TRU-03, 21 CFR 11.50."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha1, sha256
from io import BytesIO

import pytest
from pypdf import PdfReader

from strandline.errors import RejectedInputError
from strandline.fhir.bundle import build_bundle
from strandline.fhir.report_file import report_file
from strandline.fhir.validation import errors_of, validate_document
from strandline.reporting.paper import can_print, print_for_signature
from strandline.reporting.plain import build_plain_page
from strandline.reporting.report import build_report
from strandline.reporting.signature_block import PrintedSignature, SignedVersion
from strandline.reporting.signature_page import append_signatures
from strandline.trust.delivery import check_drafts_agree, make_delivery, verify_delivery
from strandline.trust.release import FrozenFile
from tests.unit.released_bundles import source_of
from tests.unit.signable_pdf import signable_pdf
from tests.unit.test_release import PUBLIC, THREE, record, refusal, signed
from tests.unit.test_report import SOURCE

WHEN = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
FIRST = SignedVersion("s-1", 1, "ab" * 32, None, "First release")
ADA = PrintedSignature("Dr Ada Example", "ada", "Author: I made this report and answer for it", WHEN)
ANN = PrintedSignature("Ann Example", "ann", "Approver: I approve its release or withdrawal", WHEN)


def words(pdf: bytes) -> str:
    """What pypdf reads of the last page, lines joined."""
    return " ".join(PdfReader(BytesIO(pdf)).pages[-1].extract_text().split())


def drafts_for(pdf: bytes) -> dict[str, bytes]:
    bundle = build_bundle(replace(source_of("s-1"), report=report_file("report.pdf", pdf)))
    return {
        "bundle.json": json.dumps(bundle).encode(),
        "report.html": build_report(replace(SOURCE, for_release=True)).encode(),
        "report.pdf": pdf,
        "report_plain.html": build_plain_page(replace(SOURCE, for_release=True)).encode(),
    }


def frozen(files: dict[str, bytes]):
    return record(
        files=tuple(
            FrozenFile(name=name, version_id=f"v-{name}", sha256=sha256(body).hexdigest(), size_bytes=len(body))
            for name, body in files.items()
        )
    )


@pytest.mark.parametrize("pages", [1, 3])
def test_the_signed_bytes_stay_in_front_and_a_page_behind_them_names_the_signers(pages):
    pdf = signable_pdf(pages)
    signed_pdf = append_signatures(pdf, FIRST, [ADA, ANN])
    assert signed_pdf.startswith(pdf)
    assert len(PdfReader(BytesIO(signed_pdf)).pages) == pages + 1
    said = words(signed_pdf)
    for one in (ADA, ANN):
        assert f"{one.printed_name} {one.meaning} Signed at 2026-03-01 12:00:07 UTC as user {one.user_name}" in said
    assert sha256(pdf).hexdigest() in said
    assert FIRST.sha256 in said
    assert f"the first {len(pdf):,} bytes" in said
    assert append_signatures(pdf, FIRST, [ADA, ANN]) == signed_pdf


def test_every_line_is_tagged_and_the_tags_lead_back_to_it():
    """ISO 32000-1, 14.7.4.4: the parent tree's array of a page has the element of each marked content at its number."""
    reader = PdfReader(BytesIO(append_signatures(signable_pdf(), FIRST, [ADA])))
    page, tree = reader.pages[-1], reader.trailer["/Root"]["/StructTreeRoot"]
    marked = page.get_contents().get_data().decode().count("/MCID")
    numbers = tree["/ParentTree"]["/Nums"]
    elements = dict(zip(numbers[::2], numbers[1::2], strict=True))[page["/StructParents"]]
    assert [element.get_object()["/K"] for element in elements] == [[number] for number in range(marked)]
    section = tree["/K"][0].get_object()["/K"][-1].get_object()
    assert [one.get_object() for one in section["/K"]] == [one.get_object() for one in elements]


def test_an_amendment_says_what_it_replaces_and_letters_that_the_pdf_lacks_are_numbers():
    reason = "ClinVar 2026-11: pathogenic " * 60
    second = SignedVersion("s-1", 2, "cd" * 32, 1, reason)
    many = append_signatures(signable_pdf(), second, [replace(ADA, printed_name="Ада")] * 12)
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(many)).pages[1:]]
    assert len(pages) > 1  # it goes on where a page ends
    assert f"takes the place of version 1: {reason.strip()}" in " ".join(pages)
    assert "[U+0410][U+0434][U+0430]" in pages[0]


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n", signable_pdf()[:200], b"<html>"])
def test_what_was_not_made_to_be_signed_is_refused(pdf):
    assert refusal(lambda: append_signatures(pdf, FIRST, [ADA])) == "report_not_for_signature"


def test_a_delivery_with_a_pdf_verifies_and_its_bundle_points_at_the_pdf_that_is_handed_over():
    files = drafts_for(signable_pdf())
    of = frozen(files)
    delivery = make_delivery(of, signed(of), PUBLIC, files)
    verify_delivery(delivery, PUBLIC, THREE)
    assert delivery["signed/report.pdf"] == files["report.pdf"]
    assert delivery["report.pdf"].startswith(files["report.pdf"])
    bundle = json.loads(delivery["bundle.json"])
    assert errors_of(validate_document(bundle)) == []
    (found,) = [
        entry["resource"]["content"][0]["attachment"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "DocumentReference"
        and entry["resource"]["content"][0]["attachment"]["title"] == "report.pdf"
    ]
    assert "Preliminary" not in delivery["bundle.json"].decode()
    final = report_file("report.pdf", delivery["report.pdf"])
    assert (found["size"], found["hash"]) == (final.size_bytes, report_attachment_hash(delivery["report.pdf"]))
    assert "Checked and signed by Dr Approver &lt;b&gt; on 2026-03-01" in delivery["report_plain.html"].decode()
    for name in ("report.pdf", "report_plain.html", "signed/report.pdf"):
        changed = bytearray(delivery[name])
        changed[len(changed) // 2] ^= 1
        with pytest.raises(RejectedInputError):
            verify_delivery({**delivery, name: bytes(changed)}, PUBLIC, THREE)


def report_attachment_hash(body: bytes) -> str:
    """FHIR R4, Attachment.hash: base64 of the SHA-1."""
    return b64encode(sha1(body, usedforsecurity=False).digest()).decode()


def test_a_bundle_that_points_at_another_pdf_is_not_laid_before_signers():
    files = drafts_for(signable_pdf())
    check_drafts_agree(files)
    assert refusal(lambda: check_drafts_agree(files | {"report.pdf": signable_pdf(2)})) == "release_files_disagree"
    without = json.dumps(build_bundle(source_of("s-1"))).encode()
    assert refusal(lambda: check_drafts_agree(files | {"bundle.json": without})) == "release_files_disagree"


@pytest.mark.skipif(not can_print(), reason="this machine has no Pango")
def test_a_printed_report_brings_the_letters_of_european_names():
    pdf = print_for_signature("<html lang='en'><title>x</title><h1>Report</h1></html>")
    name = "Dr Łucja Dvořák-Nguyễn, Αθηνά Жукова"
    signed_pdf = append_signatures(pdf, FIRST, [replace(ADA, printed_name=name)])
    assert name in words(signed_pdf)
    fonts = PdfReader(BytesIO(signed_pdf)).pages[-1]["/Resources"]["/Font"]
    for font in fonts.values():  # PDF/UA-1, 7.21.4.1: fonts are inside
        assert "/FontFile2" in font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
