"""`build_bundle` and `build_report`: what an analysis left becomes two drafts. CLN-01, CLN-03."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.journey import Artifact, artifact_key
from strandline.landing.manifest import Answer
from strandline.reads.reference_bundle import ReferenceFile, ReferenceRole
from tests.integration.conftest import (
    READS,
    REFERENCE,
    SAMPLE,
    Aws,
    Handler,
    manifest_of,
    names_nobody,
    register_reference_bundle,
)
from tests.unit.made_up import QUALITY
from tests.unit.made_up_quality import summary

CALLS = """\
##fileformat=VCFv4.3
##strandlineGenes=Ensembl 110
##strandlineClinVar=2026-11
##contig=<ID=c,length=1000>
##FILTER=<ID=LowQual,Description="x">
##INFO=<ID=BCSQ,Number=.,Type=String,Description="x">
##INFO=<ID=CLINVAR_ID,Number=1,Type=String,Description="x">
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	S
c	7	.	G	A	60	PASS	BCSQ=stop_gained|TOY1|T1|protein_coding|+|3W>3*|7G>A	GT:AD	0/1:15,14
c	9	.	C	T	60	PASS	CLINVAR_ID=15;CLNSIG=Pathogenic	GT:AD	1/1:0,30
c	11	.	C	T	60	PASS	.	GT:AD	0/1:15,14
c	13	.	C	T	9	LowQual	.	GT:AD	0/1:15,4
"""


@pytest.fixture
def analysed(aws: Aws, handler: Callable[[str], Handler]) -> Callable[[str], Handler]:
    """A submission whose calls, quality and reference are there; return what loads a function."""
    genes = ReferenceFile(name="genes.gff3.gz", role=ReferenceRole.GENE_MODELS, size_bytes=1, sha256="0" * 64)
    register_reference_bundle(aws, REFERENCE.model_copy(update={"files": (genes,)}))
    aws.submit("s-1", READS, manifest_of(READS))
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.CALLS), CALLS.encode())
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.QC), QUALITY.model_dump_json().encode())
    return handler


def published(aws: Aws, artifact: Artifact) -> bytes:
    return aws.bucket("analysis").read(artifact_key("s-1", artifact), limit_bytes=1 << 20)


def test_the_bundle_names_what_deserves_a_look_and_counts_the_rest(aws, analysed):
    assert analysed("build_bundle")({"submission_id": "s-1"}) == {"findings": 2}
    bundle = json.loads(published(aws, Artifact.BUNDLE))
    every = [entry["resource"] for entry in bundle["entry"]]
    positions = [
        component["valueRange"]["low"]["value"]
        for resource in every
        for component in resource.get("component", [])
        if "valueRange" in component
    ]
    assert positions == [9, 7]  # what ClinVar knows comes first
    assert "1 more passed the filters" in every[0]["conclusion"]
    assert "1 failed a filter" in every[0]["conclusion"]
    assert bundle["identifier"]["value"] == "s-1"
    subject = next(resource for resource in every if resource["resourceType"] == "Patient")
    assert subject["identifier"][0]["value"] == SAMPLE.subject_id


def test_a_bundle_says_which_regions_were_studied_and_called(aws, analysed):
    """Without regions of its own the whole of contig c, 1,000 bases long, was analysed; BED counts from 0."""
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.CALLABLE_REGIONS), b"c\t0\t400\nc\t500\t1000\n")
    analysed("build_bundle")({"submission_id": "s-1"})
    text = published(aws, Artifact.BUNDLE).decode()
    for place in ("c:1-1000", "c:1-400", "c:501-1000", "c:401-500"):
        assert f'"text": "{place}"' in text
    assert "ClinVar variation 15, release 2026-11: Pathogenic." in text


def test_regions_that_a_lab_sent_are_what_was_studied(aws, analysed):
    bodies = READS | {"regions.bed": b"c\t10\t20\n"}
    aws.submit("s-2", bodies, manifest_of(bodies))
    files = {Artifact.REGIONS: b"c\t10\t20\n", Artifact.CALLS: CALLS.encode(), Artifact.CALLABLE_REGIONS: b""}
    for artifact, body in files.items() | {(Artifact.QC, QUALITY.model_dump_json().encode())}:
        aws.bucket("analysis").write(artifact_key("s-2", artifact), body)
    analysed("build_bundle")({"submission_id": "s-2"})
    bundle = json.loads(aws.bucket("analysis").read(artifact_key("s-2", Artifact.BUNDLE), limit_bytes=1 << 20))
    told = [
        (part["url"], part["valueCodeableConcept"]["text"])
        for entry in bundle["entry"]
        for one in entry["resource"].get("extension", [])
        if one["url"].endswith("-regions")
        for part in one["extension"][1:]
    ]
    assert told == [("studied", "c:11-20"), ("uncalled", "c:11-20")]  # the file of callable regions is empty


def test_a_bundle_that_breaks_its_profiles_fails_the_step_and_is_not_stored(aws, analysed, monkeypatch):
    monkeypatch.setattr("strandline.fhir.people._SEX", {"UNKNOWN": "bogus"})
    with pytest.raises(Exception, match=r"code_not_bound at Bundle\.entry\[1\]\.resource\.gender") as failed:
        analysed("build_bundle")({"submission_id": "s-1"})
    assert type(failed.value).__name__ == "InvalidBundleError"
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.BUNDLE))


def test_the_report_is_a_draft_with_the_findings_and_their_sources(aws, analysed):
    assert analysed("build_report")({"submission_id": "s-1"}) == {"findings": 2}
    report = published(aws, Artifact.REPORT).decode()
    for words in ("Not signed, not released", "c:7", "stop gained", "ClinVar 15", "Ensembl 110", SAMPLE.sample_id):
        assert words in report
    head = aws.s3.head_object(Bucket="analysis", Key=artifact_key("s-1", Artifact.REPORT))
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_the_drafts_speak_of_what_was_ordered_and_agreed_to_alone(aws, analysed):
    """CLN-07: TOY1 is in no panel, and what lies outside of the ordered one is counted and not named."""
    sample = SAMPLE.model_copy(update={"panel": "lynch", "secondary_findings": Answer.NO})
    aws.submit("s-3", READS, manifest_of(READS).model_copy(update={"sample": sample}))
    for artifact, body in ((Artifact.CALLS, CALLS.encode()), (Artifact.QC, QUALITY.model_dump_json().encode())):
        aws.bucket("analysis").write(artifact_key("s-3", artifact), body)
    assert analysed("build_report")({"submission_id": "s-3"}) == {"findings": 0}
    report = aws.bucket("analysis").read(artifact_key("s-3", Artifact.REPORT), limit_bytes=1 << 20).decode()
    for words in (
        "Lynch syndrome (lynch/1, 5 genes)",
        "not reported: the subject said no",
        "3 more passed the filters",
    ):
        assert words in report
    assert analysed("build_bundle")({"submission_id": "s-3"}) == {"findings": 0}


def test_the_quality_page_stands_beside_the_report(aws, analysed):
    """ANA-05: as our own page, and as a file that MultiQC reads."""
    key = artifact_key("s-1", Artifact.QC)
    aws.bucket("analysis").write(key, summary(sample_id=SAMPLE.sample_id).model_dump_json().encode())
    analysed("build_report")({"submission_id": "s-1"})
    assert b"Quality of a sample" in published(aws, Artifact.QC_PAGE)
    assert SAMPLE.sample_id in json.loads(published(aws, Artifact.MULTIQC))["data"]


def test_a_record_of_the_first_version_has_no_quality_page(aws, analysed):
    analysed("build_report")({"submission_id": "s-1"})
    assert not aws.bucket("analysis").exists(artifact_key("s-1", Artifact.QC_PAGE))


@pytest.mark.parametrize(
    ("function", "artifact"), [("build_bundle", Artifact.BUNDLE), ("build_report", Artifact.REPORT)]
)
def test_drafting_twice_gives_one_draft_of_the_same_findings(aws, analysed, function, artifact):
    draft = analysed(function)
    first = (draft({"submission_id": "s-1"}), len(published(aws, artifact)))
    assert (draft({"submission_id": "s-1"}), len(published(aws, artifact))) == first


def test_an_analysis_that_left_nothing_is_an_error(aws, handler):
    register_reference_bundle(aws)
    aws.submit("s-1", READS, manifest_of(READS))
    with pytest.raises(RejectedInputError, match=r"^object_missing: submissions/s-1/calls\.vcf\.gz"):
        handler("build_report")({"submission_id": "s-1"})


def test_no_line_names_the_sample_or_the_subject(analysed, said):
    for function in ("build_bundle", "build_report"):
        analysed(function)({"submission_id": "s-1"})
    text = said()
    assert "BundlesDrafted" in text
    assert names_nobody(text)


def test_scratch_holds_nothing_afterwards(aws, analysed, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    analysed("build_report")({"submission_id": "s-1"})
    assert list(Path(tmp_path).iterdir()) == []
