"""RenderReport: everything or nothing is published, a withdrawn consent is refused, twice is once. CLN-03, CLN-07."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pysam
import pytest

from strandline.aws.cohorts import CohortRequest, CohortsTable, CohortState, Member
from strandline.aws.consents import Consents
from strandline.aws.jobs import run_job
from strandline.aws.objects import S3Objects
from strandline.aws.releases import Releases
from strandline.aws.settings import ReportJobSettings
from strandline.aws.workspace import Buckets
from strandline.cli.main import invoke
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, CohortArtifact, SubmissionState, artifact_key, cohort_key
from strandline.reads.reference_bundle import ReferenceBundle, make_bundle
from strandline.reporting.paper import can_print
from strandline.variants.joint_output import CohortReport, DeNovoFound, TrioReport
from strandline.variants.joint_trios import Confidence
from tests.integration.conftest import READS, ROOT, SAMPLE, Aws, load, manifest_of, names_nobody
from tests.unit.made_up import QUALITY
from tests.unit.placed_reads import Placed, write_bam

needs_pango = pytest.mark.skipif(not can_print(), reason="this machine has no Pango")
BASES = "TTGACCATGCAAGTCCGATTGACTGACCTAGGATCACTGAATTGCATCGGATTACAGATCCGTAAGCTTGACCTGA" * 8
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
CALLS = """\
##fileformat=VCFv4.3
##strandlineGenes=Ensembl 110
##strandlineClinVar=2026-11
##contig=<ID=c,length=600>
##INFO=<ID=BCSQ,Number=.,Type=String,Description="x">
##INFO=<ID=CLINVAR_ID,Number=1,Type=String,Description="x">
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	S
c	101	.	{ref}	{alt}	60	PASS	BCSQ=missense|TOY1|T1|protein_coding|+|3W>3R|7G>A;CLINVAR_ID=15;CLNSIG=Pathogenic	GT:AD	0/1:9,8
"""  # noqa: E501 - a line of a VCF
GENES = """\
##gff-version 3
c\te\tgene\t91\t300\t.\t+\t.\tID=gene:G1;Name=TOY1;biotype=protein_coding
c\te\tmRNA\t91\t300\t.\t+\t.\tID=transcript:T1;Parent=gene:G1;biotype=protein_coding
c\te\texon\t91\t300\t.\t+\t.\tParent=transcript:T1
c\te\tCDS\t91\t300\t.\t+\t0\tID=CDS:P1;Parent=transcript:T1
"""
REF = BASES[100]
_S = SubmissionState
ALT = "A" if REF != "A" else "C"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReferenceBundle]:
    """A reference bundle with gene models and, beside it, reads of it in a CRAM."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "c.fa").write_text(f">c\n{BASES}\n")
    (folder / "genes.gff3").write_text(GENES)
    bundle = make_bundle(folder / "c.fa", folder / "bundle", name="toy", gene_models=folder / "genes.gff3")
    other = BASES[:100] + ALT + BASES[101:]
    reads = [Placed(60, "80M", bases=(other if number % 2 else BASES)[60:140]) for number in range(17)]
    bam = write_bam(folder / "reads.bam", reads, {"c": len(BASES)})
    pysam.view("-C", "-T", str(folder / "c.fa"), "-o", str(folder / "r.cram"), str(bam), catch_stdout=False)
    pysam.index(str(folder / "r.cram"))
    return folder, bundle


@pytest.fixture
def analysed(aws: Aws, toy: tuple[Path, ReferenceBundle]) -> Buckets:
    """A submission whose reads, calls and reference are there."""
    folder, bundle = toy
    for file in (folder / "bundle").iterdir():
        aws.bucket("references").write(f"references/{bundle.name}/{bundle.version}/{file.name}", file.read_bytes())
    manifest = manifest_of(READS)
    reference = manifest.reference.model_copy(update={"name": bundle.name, "version": bundle.version})
    aws.submit("s-1", READS, manifest.model_copy(update={"reference": reference}))
    bodies = {
        Artifact.CALLS: CALLS.format(ref=REF, alt=ALT).encode(),
        Artifact.QC: QUALITY.model_dump_json().encode(),
        Artifact.ALIGNED: (folder / "r.cram").read_bytes(),
        Artifact.ALIGNED_INDEX: (folder / "r.cram.crai").read_bytes(),
    }
    for artifact, body in bodies.items():
        aws.bucket("analysis").write(artifact_key("s-1", artifact), body)
    return Buckets(aws.bucket("analysis"), aws.bucket("references"))


@pytest.fixture
def job() -> ModuleType:
    return load(ROOT / "batch_images/render_report/job.py")


@pytest.fixture
def render(aws: Aws, analysed: Buckets, job: ModuleType) -> Callable[..., int]:
    """Run the job and return its exit code."""

    def run(**given: object) -> int:
        fields = {
            "submission_id": "s-1", "submissions_table": "submissions", "threads": 1, "code_version": "c",
            "references_bucket": "references", "analysis_bucket": "analysis",
        }  # fmt: skip
        settings = ReportJobSettings.model_validate(fields | given)
        return run_job("RenderReport", lambda workspace: job.render(workspace, settings), settings, analysed)

    return run


def published(aws: Aws, artifact: Artifact) -> bytes:
    return aws.bucket("analysis").read(artifact_key("s-1", artifact), limit_bytes=8 << 20)


@needs_pango
def test_the_job_publishes_the_report_its_pdf_and_plain_words(aws, render):
    assert render() == 0
    html = published(aws, Artifact.REPORT).decode()
    for words in (SAMPLE.sample_id, f"8 show {ALT} (8 forward, 0 reverse); 9 show {REF}", "Prepared, not classified"):
        assert words in html
    assert published(aws, Artifact.REPORT_PDF).startswith(b"%PDF-1.7")
    head = aws.s3.head_object(Bucket="analysis", Key=artifact_key("s-1", Artifact.REPORT_PDF))
    assert head["ContentType"] == "application/pdf"
    assert b"Nobody has checked this page yet" in published(aws, Artifact.PLAIN_REPORT)
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.EVIDENCE_PAGE))


@needs_pango
def test_what_persons_decided_is_in_the_report_and_what_they_got_wrong_is_refused(aws, render):
    person = {"who": "PRACT-7", "when": "2026-11-22T08:30:00Z", "why": "seen in three families"}
    said = {"variant": f"c:101:{REF}:{ALT}", "classification": {"band": "likely pathogenic", **person}}
    key = artifact_key("s-1", Artifact.INTERPRETATION)
    aws.bucket("analysis").write(key, json.dumps({"variants": [said]}).encode())
    assert render(purpose="release") == 0
    html = published(aws, Artifact.REPORT).decode()
    assert "seen in three families" in html
    assert "valid only with the electronic signatures of its release" in html
    aws.bucket("analysis").write(key, b'{"variants": [{}]}')
    assert render() == 65
    assert aws.table.failure("s-1", "RenderReport").code == "interpretation_invalid"
    assert "seen in three families" in published(aws, Artifact.REPORT).decode()


@needs_pango
def test_with_igv_js_there_is_a_page_of_reads_that_loads_nothing(aws, job, render, tmp_path, monkeypatch):
    (tmp_path / "igv.js").write_text("const igv = '</script>';")
    monkeypatch.setattr(job, "IGV_JS", tmp_path / "igv.js")
    assert render() == 0
    page = published(aws, Artifact.EVIDENCE_PAGE).decode()
    assert "default-src 'none'" in page
    assert page.count("</script>") == 3
    assert "https:" not in page
    tracks = json.loads(page.partition('id="tracks">')[2].partition("</script>")[0])
    assert tracks["reference"]["fastaURL"].startswith("data:")


def test_a_withdrawn_consent_makes_no_report_and_no_draft(aws, analysed, render, handler, said):
    consents = Consents(*aws.table.place)
    consents.withdraw("s-1", who="arn:someone", why="letter of 2026-11-20", now=NOW)
    assert render() == 65
    assert aws.table.failure("s-1", "RenderReport").code == "consent_withdrawn"
    for function in ("build_report", "build_bundle"):
        with pytest.raises(RejectedInputError, match=r"^consent_withdrawn:"):
            handler(function)({"submission_id": "s-1"})
    for artifact in (Artifact.REPORT, Artifact.REPORT_PDF, Artifact.BUNDLE):
        assert not aws.bucket("analysis").exists(artifact_key("s-1", artifact))
    assert names_nobody(said())


def entries(aws: Aws, record: str) -> list[dict[str, str]]:
    """What waits for the audit log about a record."""
    return [entry for entry in aws.waiting() if entry["record"] == record]


def test_a_withdrawal_is_kept_once_with_its_audit_entry(aws, analysed):
    consents = Consents(*aws.table.place)
    assert not consents.is_withdrawn("s-1")
    for why in ("letter of 2026-11-20", "the same letter again"):
        consents.withdraw("s-1", who="arn:someone", why=why, now=NOW)
    assert consents.is_withdrawn("s-1")
    assert [entry["why"] for entry in entries(aws, "consent/s-1")] == ["letter of 2026-11-20"]


@pytest.mark.parametrize(
    ("submission", "why", "code"),
    [("s-9", "letter of today", "submission_unknown"), ("s-1", " short ", "reason_missing")],
)
def test_a_withdrawal_needs_a_submission_and_a_reason(aws, analysed, submission, why, code):
    with pytest.raises(RejectedInputError, match=f"^{code}:"):
        Consents(*aws.table.place).withdraw(submission, who="arn:someone", why=why, now=NOW)


def test_where_pango_is_missing_nothing_is_published_and_the_cause_says_what_to_install(aws, render, monkeypatch):
    def refuse(_: str) -> bytes:
        raise RejectedInputError("pdf_not_installed", "this machine has no Pango for PDFs: install Pango")

    monkeypatch.setattr("strandline.aws.reports.print_report", refuse)
    assert render() == 65
    assert aws.table.failure("s-1", "RenderReport").code == "pdf_not_installed"
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.REPORT))


@pytest.fixture
def deployed(aws, analysed, monkeypatch):
    """The commands reach this account, where the submission is in review."""
    for state in (_S.VALIDATING, _S.ANALYSING, _S.LOADED, _S.IN_REVIEW):
        aws.table.move("s-1", state, who="sample_to_release", why="x", now=NOW)
    found = SimpleNamespace(
        submissions=aws.table, analysis=analysed.analysis, references=analysed.references, caller=lambda: "arn:someone"
    )
    for command in ("drafts", "consent", "interpret"):
        monkeypatch.setattr(f"strandline.cli.{command}.connect", lambda _: found)


@needs_pango
def test_a_report_is_made_on_this_machine_and_nothing_in_the_stage_changes(aws, deployed, tmp_path, capsys):
    before = aws.s3.list_objects_v2(Bucket="analysis")["KeyCount"]
    pdf, plain = tmp_path / "out" / "report.pdf", tmp_path / "plain.html"
    assert invoke(["report", SAMPLE.sample_id, "--pdf", str(pdf), "--plain", str(plain)]) == 0
    assert pdf.read_bytes().startswith(b"%PDF-1.7")
    assert "Your genetic test" in plain.read_text()
    assert aws.s3.list_objects_v2(Bucket="analysis")["KeyCount"] == before
    assert capsys.readouterr().out == ""


def test_without_igv_js_the_page_of_reads_is_refused_in_a_line_that_says_where_it_comes_from(
    deployed, tmp_path, capsys
):
    asked = ["report", "s-1", "--evidence", str(tmp_path / "e.html"), "--igv-js", str(tmp_path / "none.js")]
    assert invoke(asked) == 65
    (line,) = capsys.readouterr().err.splitlines()
    assert "igv_not_installed" in line
    assert "npm pack igv@3.8.10" in line


def test_a_withdrawn_consent_is_recorded_and_then_no_report_is_made(aws, deployed, tmp_path, capsys):
    assert invoke(["consent", "withdraw", "s-1", "--reason", "letter of 20 November"]) == 0
    assert invoke(["report", "s-1", "--html", str(tmp_path / "r.html")]) == 65
    assert "consent_withdrawn" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_decisions_are_kept_with_an_audit_entry_and_shown_beside_the_prepared_evidence(aws, deployed, tmp_path, capsys):
    person = {"who": "PRACT-7", "when": "2026-11-22T08:30:00Z", "why": "assay of 2024"}
    override = {"criterion": "PS3", "points": 4, **person}
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps({"variants": [{"variant": f"c:101:{REF}:{ALT}", "overrides": [override]}]}))
    asked = ["interpret", "s-1", "--format", "json"]
    assert invoke([*asked, "--decisions", str(path), "--reason", "board of 22 November"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["criterion"], row["points"], row["sum"], row["set_by"]) == ("PS3", 4, 4, "PRACT-7")
    assert row["class"] == "suggested: uncertain significance"
    (entry,) = entries(aws, "interpretation/s-1")
    assert (entry["who"], entry["why"]) == ("arn:someone", "board of 22 November")
    assert entry["after"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert invoke([*asked, "--all"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 28
    assert {row["criterion"] for row in rows if row["outcome"] == "met"} == {"PS3"}


def test_wrong_decisions_are_not_kept(aws, deployed, tmp_path, capsys):
    path = tmp_path / "decisions.json"
    path.write_text('{"variants": [{"variant": "nonsense"}]}')
    assert invoke(["interpret", "s-1", "--decisions", str(path)]) == 65
    assert "interpretation_invalid" in capsys.readouterr().err
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.INTERPRETATION))
    assert entries(aws, "interpretation/s-1") == []


def ask_for(aws: Aws, version: int, status: str) -> None:
    """Put a version of the release of s-1 into the table, as far as it is."""
    asking = Releases(*aws.table.place).asking("s-1", version, "release", who="arn:someone", why="x", now=NOW)
    item = dict(asking["Put"]["Item"]) | {"status": {"S": status}}
    aws.dynamodb.put_item(TableName="submissions", Item=item)


def test_what_is_released_is_decided_anew_only_for_an_amended_version_and_for_a_reason(aws, deployed, tmp_path, capsys):
    path, key = tmp_path / "decisions.json", artifact_key("s-1", Artifact.INTERPRETATION)
    path.write_text(json.dumps({"variants": []}))
    ask_for(aws, 1, "DELIVERED")
    aws.table.move("s-1", _S.RELEASED, who="x", why="x", now=NOW)
    asked = ["interpret", "s-1", "--decisions", str(path)]
    assert invoke([*asked, "--reason", "a new assay"]) == 65
    (line,) = capsys.readouterr().err.splitlines()
    assert "release_is_out: version 1 of s-1 is released and stays as it is: say --amend and --reason" in line
    assert invoke([*asked, "--amend"]) == 65
    assert "reason_missing" in capsys.readouterr().err
    assert not aws.bucket("analysis").exists(key)
    assert entries(aws, "interpretation/s-1") == []

    assert invoke([*asked, "--amend", "--reason", "a new assay"]) == 0
    told = capsys.readouterr().err
    assert "version 1 is out and unchanged" in told
    assert "'strandline release amend s-1 --user YOU --reason WORDS'" in told
    assert [entry["why"] for entry in entries(aws, "interpretation/s-1")] == ["a new assay"]
    assert aws.bucket("analysis").read(key, limit_bytes=1 << 10) == path.read_bytes()
    assert [one.version for one in Releases(*aws.table.place).versions("s-1")] == [1]

    ask_for(aws, 2, "ASKED")
    assert invoke([*asked, "--amend", "--reason", "a second assay"]) == 0
    assert "version 2 shows it once it is opened by 'strandline release open s-1'" in capsys.readouterr().err


def test_before_a_release_decisions_need_no_reason_of_their_own(aws, deployed, tmp_path, capsys):
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps({"variants": []}))
    assert invoke(["interpret", "s-1", "--decisions", str(path)]) == 0
    assert "kept for s-1: make the report anew to show it" in capsys.readouterr().err
    assert [entry["why"] for entry in entries(aws, "interpretation/s-1")] == ["decided on the variants"]


def test_a_trio_is_taken_over_by_no_case_that_is_released_without_saying_so(aws, deployed, capsys):
    ask_for(aws, 1, "DELIVERED")
    aws.table.move("s-1", _S.RELEASED, who="x", why="x", now=NOW)
    assert invoke(["interpret", "s-1", "--family", "c-1", "--reason", "both parents were sequenced"]) == 65
    assert "release_is_out" in capsys.readouterr().err
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.FAMILY))


@needs_pango
def test_what_is_known_since_the_analysis_is_shown_with_the_evidence_of_the_newer_source(aws, toy, render, monkeypatch):
    """A job may read a bundle by its name and may list none: what searches is not for it."""
    monkeypatch.setattr(S3Objects, "list_current", refuse_listing)
    source = {"name": toy[1].name, "version": toy[1].version, "says": "ClinVar 2026-12", "sha256": "a" * 64}
    known = {"clinvar_id": "15", "significance": "Uncertain_significance"}
    change = {"variant": f"c:101:{REF}:{ALT}", "gene": "TOY1", "after": known, "rule": "no_longer_pathogenic"}
    told = {
        "before": source | {"says": "ClinVar 2026-11"},
        "after": source,
        "found": "2026-12-01T08:00:00Z",
        "policy": "1",
        "release": 1,
        "known": [[f"c:101:{REF}:{ALT}", known]],
        "changes": [change],
    }
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.KNOWLEDGE), json.dumps(told).encode())
    assert render(purpose="release") == 0
    html = published(aws, Artifact.REPORT).decode()
    assert "ClinVar 2026-12 sha256:aaaaaaaaaaaa" in html
    assert "Uncertain significance" in html
    assert "Known pathogenic" not in html


def refuse_listing(*_: object) -> None:
    raise AssertionError("a job listed a bucket")


def test_what_a_trio_says_is_taken_over_by_a_person_and_shown_as_evidence(aws, deployed, capsys):
    reference = aws.table.manifest("s-1").reference
    members = tuple(Member(submission_id=name, keys={}) for name in ("s-1", "s-2", "s-3"))
    cohorts, cohort = CohortsTable(*aws.table.place), CohortRequest(reference=reference, members=members)
    cohorts.ask(cohort, who="arn:someone", now=NOW)
    asked = ["interpret", "s-1", "--all", "--family", cohort.cohort_id, "--reason", "both parents were sequenced"]
    assert invoke(asked) == 65
    assert "cohort_not_genotyped" in capsys.readouterr().err
    for state in (CohortState.GENOTYPING, CohortState.GENOTYPED):
        cohorts.move(cohort.cohort_id, state, who="arn:someone", why="x", now=NOW)
    new = DeNovoFound(contig="c", position=101, ref=REF, alt=ALT, confidence=Confidence.HIGH, posterior=0.99, doubts=())
    trio = TrioReport(child=SAMPLE.sample_id, father="F", mother="M", alleles=2_000, violations=3, de_novos=(new,))
    report = CohortReport(
        reference="toy", samples=(SAMPLE.sample_id, "F", "M"), alleles=2_000, low_quality=0, trios=(trio,)
    )
    aws.bucket("analysis").write(cohort_key(cohort.cohort_id, CohortArtifact.REPORT), report.model_dump_json().encode())
    assert invoke([*asked, "--format", "csv"]) == 0
    told = capsys.readouterr()
    assert "1 new alleles of s-1 taken over; parents confirmed by their genotypes" in told.err
    (line,) = [line for line in told.out.splitlines() if ",PS2," in line]
    assert "met,4" in line
    assert "3 of 2,000 alleles break Mendel's rules" in line
    assert [entry["why"] for entry in entries(aws, "interpretation/s-1")] == ["both parents were sequenced"]
