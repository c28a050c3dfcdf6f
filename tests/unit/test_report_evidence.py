"""The report with pictures, points, coverage by gene and signatures; the same on paper; and in plain words. CLN-03."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise

import pytest

from strandline.errors import RejectedInputError
from strandline.interpretation.amendment import Amendment
from strandline.interpretation.panels import GenePanel, PanelGene
from strandline.interpretation.points import Band, Override, apply_overrides
from strandline.interpretation.rules import Facts, prepare
from strandline.interpretation.scope import Scope
from strandline.interpretation.truncation import Truncation
from strandline.landing.manifest import Answer, Consent, SampleDeclaration
from strandline.landing.regions import Region
from strandline.reads.pileup import Allele, PiledRead, Pileup
from strandline.reporting.findings import select_findings
from strandline.reporting.paper import can_print, print_report
from strandline.reporting.plain import build_plain_page
from strandline.reporting.read_picture import draw_reads
from strandline.reporting.report import GeneCoverage, ReportInput, ReportSignature, build_report
from strandline.reporting.report_rows import Classification, Evidence, variant_key
from strandline.reporting.signature_block import PrintedSignature, SignedVersion, print_signatures
from tests.unit.html_page import Page
from tests.unit.made_up import NAME, NAMED, QUALITY, call, consequence

HOSTILE = "</style></dd><script>alert(1)</script>'\"&{}@import url(//evil.example);{{7*7}}"
WHEN = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
PILEUP = Pileup(
    window=Region("c", 0, 5),
    reference="ACGTA",
    variant_columns=(2, 3),
    depth=(1, 3, 3, 3, 0),
    counts={(Allele.ALT, False): 1, (Allele.ALT, True): 1, (Allele.REF, False): 1},
    reads=(
        PiledRead(1, "CTt", (), False, 60, Allele.ALT),
        PiledRead(1, "CTT", ((2, 3),), True, 60, Allele.ALT),
        PiledRead(0, "AC-T", (), False, 60, Allele.REF),
    ),
    read_count=3,
    is_cut=False,
)
CALL = call(**NAMED)
SUGGESTION = prepare(Facts(CALL, frequency_source="1000G", loss_of_function=True, truncation=Truncation(8, "Stop.")))
EVIDENCE = Evidence(SUGGESTION, draw_reads(PILEUP, "G", "T"), "reviewed_by_expert_panel")
PANEL = GenePanel(
    name="toy",
    version="1",
    title="Toy panel",
    source="made up",
    genes=(PanelGene(hgnc_id="HGNC:1101", symbol="BRCA2"),),
)
SOURCE = ReportInput(
    submission_id="s-1",
    sample=SampleDeclaration(sample_id="HG002", subject_id="PT00042", site="north"),
    reference_label="slice/0c2b",
    quality=QUALITY,
    findings=select_findings([CALL], annotated=True),
    sources={"Genes": "Ensembl 110", "ClinVar": "2026-11"},
    issued=WHEN,
    platform_version="0.1.0",
    scope=Scope(PANEL, Answer.NO),
    evidence={variant_key(CALL): EVIDENCE},
    genes=(
        GeneCoverage("BRCA2", "HGNC:1101", 1_000, 990, 31.5, (Region("chr13", 99, 104), Region("chr13", 199, 204))),
        GeneCoverage("GONE", "HGNC:2"),
    ),
)
SIGNATURE = ReportSignature("Ada Example", "approver: I approve", WHEN, "ab" * 32)
CLASSIFIED = Classification(Band.PATHOGENIC, "PRACT-7", WHEN, "known founder variant")


def classified(band: Band, **changes: object) -> ReportInput:
    evidence = replace(EVIDENCE, classification=replace(CLASSIFIED, band=band))
    return replace(SOURCE, evidence={variant_key(CALL): evidence}, signatures=(SIGNATURE,), **changes)


def test_the_result_stands_first_in_one_sentence():
    text = Page(build_report(SOURCE)).text
    sentence = "1 variant known to ClinVar as (likely) pathogenic: BRCA2 c.36G>A p.(Trp12Ter), heterozygous."
    assert text.index(sentence) < text.index("Findings")


def test_what_is_prepared_says_so_with_points_evidence_and_all_other_criteria():
    """PVS1 counts 8; the highest frequency is 0.5, in EUR, so BA1 counts -8 and stands by itself."""
    text = Page(build_report(SOURCE)).text
    assert "Prepared, not classified. 0 points suggest: benign. Evidence speaks for both sides" in text
    for words in ("PVS1 +8 very strong", "BA1 -8", "0.5 (EUR) in 1000G", "PS3 not assessed", "PS1 not met"):
        assert words in text
    assert "reviewed by expert panel" in text


def test_a_persons_class_and_override_are_named():
    told = apply_overrides(SUGGESTION, [Override("BA1", 0, "PRACT-7", WHEN, "founder population")])
    evidence = {variant_key(CALL): replace(EVIDENCE, suggestion=told, classification=CLASSIFIED)}
    text = Page(build_report(replace(SOURCE, evidence=evidence))).text
    assert "Classified: pathogenic , by PRACT-7 on 2026-11-22. known founder variant" in text
    assert "not classified" not in text
    assert "founder population (found by rule: met;" in text
    assert "PRACT-7, 2026-11-22" in text
    assert "1 variant classified as (likely) pathogenic" in text


def test_each_gene_of_the_panel_says_its_gaps_and_one_that_is_not_known_is_not_analysed():
    """Gaps are 1-based with both ends: 99 to 104, 0-based and half-open, is 100-104."""
    text = Page(build_report(SOURCE)).text
    assert "BRCA2 HGNC:1101 1,000 31.5 990 (99.0%) chr13:100-104 and chr13:200-204" in text
    assert "GONE HGNC:2 not in the gene models of this reference bundle: not analysed" in text


def test_a_source_that_the_bundle_lacks_is_not_taken_for_an_answer():
    bare = call(clinvar_id=None, clinvar_significance=None, identifier=None)
    source = replace(SOURCE, findings=select_findings([bare], annotated=True))
    text = Page(build_report(source)).text
    assert "ClinVar not known there" in text
    assert "dbSNP source not in this bundle" in text
    assert "Frequency source not in this bundle" in text


def test_the_picture_says_in_words_what_it_shows():
    """Worked by hand from the three reads: 2 T, one a strand, and 1 G."""
    assert EVIDENCE.picture is not None
    says = (
        "3 reads of mapping quality 20 or more reach over c:3: 2 show T (1 forward, 1 reverse); "
        "1 shows G (1 forward, 0 reverse)."
    )
    assert EVIDENCE.picture.says.startswith(says)
    page = Page(build_report(SOURCE))
    assert ("alt", EVIDENCE.picture.says) in page.attributes
    sources = [value for name, value in page.attributes if name == "src"]
    assert [value.partition(",")[0] for value in sources] == ["data:image/svg+xml;base64"]


def test_each_mismatch_in_the_picture_has_a_letter_and_a_colour():
    """Over the reference CGT two reads show T at G, one of them also a T of low quality where it is no mismatch."""
    assert EVIDENCE.picture is not None
    drawing = ET.fromstring(EVIDENCE.picture.svg)  # noqa: S314 - our own
    paths = list(drawing.iter("{http://www.w3.org/2000/svg}path"))
    (boxes,) = [node.get("d", "") for node in paths if node.get("fill") == "#b3261e"]
    (letters,) = [node.get("d", "") for node in paths if node.get("stroke") == "#fff"]
    assert boxes.count("M") == 2
    assert letters.count("M") == 4  # a T is two strokes
    written = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text") if node.get("fill") == "#fff"]
    assert written == ["3"]  # inserted bases


def test_a_picture_without_reads_is_a_picture():
    empty = replace(PILEUP, reads=(), counts={}, depth=(0,) * 5, read_count=0)
    picture = draw_reads(empty, "G", "T")
    assert picture.says.startswith("0 reads of mapping quality 20 or more reach over c:3: 0 show T")
    assert "no reads" in picture.svg


def test_signatures_replace_the_draft_and_say_name_meaning_time_and_digest():
    """21 CFR 11.50(a): printed name, date and time, meaning."""
    text = Page(build_report(replace(SOURCE, signatures=(SIGNATURE,)))).text
    assert "Draft for review" not in text
    assert "has not been reviewed" not in text
    assert f"Ada Example approver: I approve 2026-11-22 08:30:00 {'ab' * 32}" in text


def test_what_an_amendment_changed_is_said():
    assert (
        "takes the place of version 1, which is in force until this one is signed. ClinVar changed."
        in Page(build_report(replace(SOURCE, amendment=Amendment(1, "0" * 64, "ClinVar changed.")))).text
    )


@pytest.mark.parametrize("build", [build_report, build_plain_page])
def test_no_report_is_made_after_consent_was_withdrawn(build):
    sample = SOURCE.sample.model_copy(update={"consent": Consent.WITHDRAWN})
    with pytest.raises(RejectedInputError, match=r"^consent_withdrawn:"):
        build(replace(SOURCE, sample=sample))


@pytest.mark.parametrize("build", [build_report, build_plain_page])
def test_headings_follow_each_other_tables_name_their_cells_and_pictures_have_words(build):
    """WCAG 2.2: 1.1.1, 1.3.1 and 3.1.1."""
    html = build(classified(Band.PATHOGENIC))
    page = Page(html)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.tags.count("th") == len(re.findall(r'<th scope="(?:col|row)"', html))
    assert all(alt.strip() for name, alt in page.attributes if name == "alt")
    assert page.tags.count("img") == len([name for name, _ in page.attributes if name == "alt"])
    assert ("lang", "en") in page.attributes


def test_words_stand_out_from_what_is_behind_them():
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 by its formula of relative luminance."""
    css = files("strandline.reporting").joinpath("page.css").read_text()
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", css))
    for ink in ("ink", "soft", "accent", "warn", "bad"):
        for paper in ("paper", "tint", "warn-tint"):
            assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)
    assert contrast("#1f5f34", "#e2f1e6") >= 4.5
    assert all(contrast(base, "#fff") >= 4.5 for base in ("#1a7a3c", "#1f5fa8", "#9a5b00", "#b3261e", "#6b3fa0"))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def hostile() -> ReportInput:
    """Everything that comes from outside is markup, style and template code."""
    name = NAME.__class__(HOSTILE, HOSTILE, HOSTILE, "stop_gained", HOSTILE, HOSTILE, HOSTILE)
    attacked = call(
        contig=HOSTILE, ref="A" * 10_000, alt=HOSTILE, clinvar_id=HOSTILE, clinvar_significance="Pathogenic",
        identifier=HOSTILE, dbsnp_id=HOSTILE, genomic_name=HOSTILE, names=(name,),
        consequences=(consequence("stop_gained", gene=HOSTILE, transcript=HOSTILE),),
        population_frequency=0.1, frequency_by_population=((HOSTILE, 0.2),),
    )  # fmt: skip
    override = Override("PM2", 1, HOSTILE, WHEN, HOSTILE)
    suggestion = apply_overrides(prepare(Facts(attacked, frequency_source=HOSTILE)), [override])
    picture = draw_reads(replace(PILEUP, window=Region(HOSTILE, 0, 5), reference="<\"&'>"), HOSTILE, HOSTILE)
    classification = Classification(Band.PATHOGENIC, HOSTILE, WHEN, HOSTILE)
    sample = SOURCE.sample.model_copy(update=dict.fromkeys(("sample_id", "subject_id", "site", "trial"), HOSTILE))
    return replace(
        SOURCE,
        submission_id=HOSTILE,
        sample=sample,
        reference_label=HOSTILE,
        findings=select_findings([attacked], annotated=True),
        sources=dict.fromkeys(("Genes", "ClinVar", "DbSnp", "Frequencies"), HOSTILE),
        platform_version=HOSTILE,
        quality=QUALITY.model_copy(update={"warnings": (HOSTILE,), "programs": (HOSTILE,)}),
        scope=Scope(PANEL.model_copy(update={"title": HOSTILE, "source": HOSTILE})),
        evidence={variant_key(attacked): Evidence(suggestion, picture, HOSTILE, classification)},
        genes=(GeneCoverage(HOSTILE, HOSTILE, 1, 0, 0.0, (Region(HOSTILE, 0, 1),)),),
        signatures=(ReportSignature(HOSTILE, HOSTILE, WHEN, HOSTILE),),
        amendment=Amendment(1, "0" * 64, HOSTILE),
    )


def test_markup_style_and_template_code_stay_text_in_every_field():
    """SEC-06."""
    html = build_report(hostile())
    page = Page(html)
    assert "script" not in page.tags
    assert page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name[:2] == "on"]
    assert {value.partition(";")[0] for name, value in page.attributes if name == "src"} == {"data:image/svg+xml"}
    assert "49" not in re.findall(r"url\(//evil.example\);(\d+)", html)
    assert page.text.count("url(//evil.example)") > 20
    assert "A" * 17 not in page.text
    style = html.partition("</style>")[0]
    assert "evil" not in style.partition("<style>")[2]


def test_the_picture_of_hostile_names_is_one_drawing_and_no_script():
    picture = next(iter(hostile().evidence.values())).picture
    assert picture is not None
    nodes = ET.fromstring(picture.svg).iter()  # noqa: S314 - our own
    assert {node.tag.rpartition("}")[2] for node in nodes} <= {"svg", "rect", "path", "text"}


def test_plain_words_tell_nothing_before_a_signature():
    text = Page(build_plain_page(SOURCE)).text
    assert "Nobody has checked this page yet" in text
    assert not {"BRCA2", "athogenic"} & set(re.findall(r"BRCA2|athogenic", text))


@pytest.mark.parametrize(
    ("band", "words"),
    [
        (Band.PATHOGENIC, "Gene BRCA2: a person at the lab classed this change as pathogenic"),
        (Band.UNCERTAIN, "a change whose meaning is not clear today"),
        (Band.BENIGN, "We found no change that is known to matter for your health."),
    ],
)
def test_plain_words_tell_what_a_person_classified_and_signed(band, words):
    text = Page(build_plain_page(classified(band))).text
    assert words in text
    assert ("BRCA2" in text) is (band is Band.PATHOGENIC)


def test_plain_words_do_not_tell_what_nobody_classified():
    assert "BRCA2" not in Page(build_plain_page(replace(SOURCE, signatures=(SIGNATURE,)))).text


def test_plain_words_are_short():
    """Flesch 1948: 206.835 - 1.015 words a sentence - 84.6 syllables a word; over 70 is easy to read."""
    text = Page(build_plain_page(classified(Band.PATHOGENIC))).text.partition("What was found")[2]
    words = re.findall(r"[A-Za-z']+", text)
    sentences = len(re.findall(r"[.:]", text))
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower())))) for word in words)
    assert 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words) > 70


needs_pango = pytest.mark.skipif(not can_print(), reason="this machine has no Pango")


@pytest.fixture(scope="module")
def printed():
    pypdf = pytest.importorskip("pypdf")
    version = SignedVersion("s-1", 1, "cd" * 32, None, "")
    made = {
        "draft": build_report(SOURCE),
        "signed": build_report(classified(Band.PATHOGENIC)),
        "stamped": print_signatures(build_report(SOURCE), version, [PrintedSignature("Ada", "ada", "I approve", WHEN)]),
        "laid before signers": build_report(replace(SOURCE, for_release=True)),
    }
    return {name: pypdf.PdfReader(io.BytesIO(print_report(html))) for name, html in made.items()}


@needs_pango
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("draft", "Draft for review. Not signed, not released: not for clinical use."),
        ("signed", "Signed by Ada Example (approver: I approve), 2026-11-22 08:30 UTC."),
        ("stamped", "Signed by Ada (I approve), 2026-11-22 08:30 UTC."),
        ("laid before signers", "valid only with the electronic signatures of its release."),
    ],
)
def test_every_page_says_sample_page_and_status(printed, name, status):
    pages = printed[name].pages
    for number, page in enumerate(pages, start=1):
        text = page.extract_text()
        for words in ("HG002 · PT00042", status, f"Page {number} of {len(pages)}", "Submission s-1"):
            assert words in text
        assert ("Draft for review" in text) is (name == "draft")


@needs_pango
def test_the_pdf_is_tagged_bookmarked_and_holds_its_fonts(printed):
    """ISO 14289-1: MarkInfo, Lang, a title that is shown, the identifier, alternative text, fonts inside."""
    reader = printed["draft"]
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid" in root["/Metadata"].get_data()
    assert reader.metadata.title == "Germline variant report: HG002"
    titles = [item["/Title"] for item in reader.outline if not isinstance(item, list)]
    assert titles == ["Germline variant report"]
    fonts = [
        descendant.get_object()["/FontDescriptor"]
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
        for descendant in font.get_object()["/DescendantFonts"]
    ]
    assert fonts
    assert all({"/FontFile2", "/FontFile3"} & set(font) for font in fonts)
    alternatives = [kid.get("/Alt") for kid in walk(root["/StructTreeRoot"])]
    assert EVIDENCE.picture is not None
    assert EVIDENCE.picture.says in alternatives


def walk(node):
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        found = kid.get_object()
        if hasattr(found, "get"):
            yield found
            yield from walk(found)


@needs_pango
def test_paper_fetches_nothing(monkeypatch):
    asked: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: asked.append(address))
    monkeypatch.setattr("urllib.request.FileHandler.file_open", lambda _, request: asked.append(request.full_url))
    outside = "".join(f'<img alt="" src="{url}">' for url in ("http://127.0.0.1:9/x.png", "file:///etc/passwd"))
    style = '<style>@import url("http://127.0.0.1:9/y.css");</style>'
    html = build_report(SOURCE).replace("</main>", f"{outside}{style}</main>")
    assert print_report(html).startswith(b"%PDF-1.7")
    assert asked == []


@needs_pango
def test_hostile_fields_and_long_alleles_print():
    assert print_report(build_report(hostile())).startswith(b"%PDF")


def test_the_picture_loads_as_what_it_says():
    assert EVIDENCE.picture is not None
    body = base64.b64decode(EVIDENCE.picture.data_uri.partition(",")[2])
    assert body.decode() == EVIDENCE.picture.svg
