"""Cohorts of GATK and DeepVariant: the caller's own gVCF is kept, the plan chooses the tool, its job writes the cohort.

The tools here are stand-ins that write what the tools are documented to write. Requirements: ANA-02, ANA-03, ANA-13.
"""

import json
import os
import shutil
import stat
from pathlib import Path

import pysam
import pytest

from strandline.aws import whole_calling
from strandline.aws.cohort_requests import READ_STEPS, make_request
from strandline.aws.cohort_tools import run_cohort_tool
from strandline.aws.cohorts import CohortsTable
from strandline.aws.settings import CohortToolJobSettings
from strandline.aws.steps import Step, StepRecords
from strandline.aws.workspace import Buckets
from strandline.cli.cohort import run_family
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, CohortArtifact, SubmissionState, artifact_key, cohort_key, reference_key
from strandline.landing.manifest import AnalysisChoice, Caller, ReferenceName, SampleDeclaration
from strandline.reads.reference_bundle import BUNDLE_NAME, make_bundle, parse_bundle
from strandline.variants.joint_choice import JointCaller
from strandline.variants.joint_output import CohortReport
from strandline.variants.joint_pedigree import read_pedigree
from tests.integration.conftest import NOW, READS, Aws, Handler, manifest_of

S = SubmissionState
TRIO = read_pedigree(b"F KID DAD MUM 1 0\nF DAD 0 0 1 0\nF MUM 0 0 2 0\n", "trio.ped")
GIVEN = {"vcpus": 16, "memory_mib": 61_440, "gpus": 0, "scratch_gib": 500}
BASES = "ACGT" * 30
GVCF = f"""##fileformat=VCFv4.2
##contig=<ID=c,length={len(BASES)}>
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNAME
c\t2\t.\tC\tA,<*>\t40\tPASS\t.\tGT:GQ:DP:AD:PL\t0/1:48:31:15,16,0:50,0,60,990,990,990
"""
JOINT = (
    GVCF.replace("NAME", "DAD\tKID\tMUM").rpartition("c\t2")[0]
    + "c\t2\t.\tC\tA\t60\tPASS\t.\tGT:GQ:DP:AD:PL"
    + "\t0/0:50:30:30,0:0,90,900\t0/1:48:31:15,16:50,0,60\t0/1:48:31:15,16:50,0,60\n"
)


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    (folder / "r.fa").write_text(f">c\n{BASES}\n")
    make_bundle(folder / "r.fa", folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def reference(aws: Aws, bundle_folder) -> ReferenceName:
    bundle = parse_bundle((bundle_folder / BUNDLE_NAME).read_bytes())
    for path in bundle_folder.iterdir():
        aws.bucket("references").write(reference_key(bundle.name, bundle.version, path.name), path.read_bytes())
    return ReferenceName(name=bundle.name, version=bundle.version)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program on PATH that does what it is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return add


def submit(aws: Aws, name: str, caller: Caller, reference: ReferenceName) -> str:
    submission_id = f"s-{name.lower()}"
    sample = SampleDeclaration(sample_id=name)
    analysis = AnalysisChoice(caller=caller)
    aws.submit(submission_id, READS, manifest_of(READS, sample=sample, analysis=analysis, reference=reference))
    return submission_id


def add(aws: Aws, name: str, caller: Caller, reference: ReferenceName, size: int = 0) -> None:
    """Put a submission where its analysis would have left it."""
    submission_id = submit(aws, name, caller, reference)
    for step in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        aws.table.move(submission_id, step, who="t", why="t", now=NOW)
    for step in READ_STEPS:
        StepRecords(*aws.table.place).keep(submission_id, Step(step, step, ()), f"{step} of {submission_id}")
    analysis = aws.bucket("analysis")
    for artifact, body in (
        (Artifact.TOOL_GVCF, b"x" * size),
        (Artifact.TOOL_GVCF_INDEX, b"x"),
        (Artifact.CALLABLE_REGIONS, f"c\t0\t{len(BASES)}\n".encode()),
    ):
        analysis.write(artifact_key(submission_id, artifact), body)


@pytest.fixture
def cohorts(aws: Aws) -> CohortsTable:
    return CohortsTable(*aws.table.place)


def ask(aws: Aws, cohorts: CohortsTable) -> str:
    request = make_request(aws.table, [], TRIO)
    cohorts.ask(request, who="t", now=NOW)
    return request.cohort_id


@pytest.fixture
def plan(aws: Aws, handler, monkeypatch) -> Handler:
    monkeypatch.setenv("CALLING_PART_BYTES", "1000")
    monkeypatch.setenv("JOBS_RUN_IN_IMAGES", "true")
    monkeypatch.setenv("JOINT_RESOURCES", json.dumps({"gatk": GIVEN, "glnexus": GIVEN}))
    return handler("plan_genotyping")


def test_samples_of_different_callers_are_no_cohort(aws: Aws, reference):
    for name, caller in (("KID", Caller.GATK), ("DAD", Caller.GATK), ("MUM", Caller.DEEPVARIANT)):
        add(aws, name, caller, reference)
    with pytest.raises(
        RejectedInputError, match=r"^members_of_different_callers: KID .* gatk and MUM with deepvariant"
    ):
        make_request(aws.table, [], TRIO)
    assert len(make_request(aws.table, ["KID", "DAD"]).members) == 2


@pytest.mark.parametrize(
    ("callers", "stage", "code"),
    [
        (("gatk", "gatk", "deepvariant"), "prod", "members_of_different_callers"),
        (("deepvariant",) * 3, "local", "joint_caller_not_installed"),
    ],
)
def test_a_family_that_cannot_be_genotyped_is_refused_before_anything_is_sent(
    tmp_path, monkeypatch, callers, stage, code
):
    monkeypatch.setenv("PATH", str(tmp_path))
    rows = [f"{name},a,b,r.fa,{caller}" for name, caller in zip(("KID", "DAD", "MUM"), callers, strict=True)]
    (tmp_path / "s.csv").write_text("\n".join(["sample,reads_1,reads_2,reference,caller", *rows]) + "\n")
    (tmp_path / "t.ped").write_text("F KID DAD MUM 1 0\nF DAD 0 0 1 0\nF MUM 0 0 2 0\n")
    with pytest.raises(RejectedInputError) as refused:
        run_family(*(tmp_path / name for name in ("s.csv", "t.ped", "out")), reference=None, regions=None, stage=stage)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("caller", "joint"),
    [(Caller.GATK, "gatk"), (Caller.DEEPVARIANT, "glnexus"), (Caller.PARABRICKS, "glnexus")],
)
def test_the_plan_says_which_tool_and_how_much_of_a_machine(aws: Aws, cohorts, plan, reference, caller, joint):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, caller, reference, size=1_000)
    asked = {"vcpus": "4", "memory_mib": "15360", "more_memory_mib": "30720"}
    expected = {"joint": joint, "part_count": 1, "parts": [1], "machine": asked}
    assert plan({"cohort_id": ask(aws, cohorts)}) == expected


def test_a_member_whose_own_gvcf_was_not_kept_is_named(aws: Aws, cohorts, plan, reference):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.GATK, reference)
    aws.s3.delete_object(Bucket="analysis", Key=artifact_key("s-dad", Artifact.TOOL_GVCF))
    with pytest.raises(RejectedInputError, match=r"^object_missing: submissions/s-dad/tool.g.vcf.gz is not there"):
        plan({"cohort_id": ask(aws, cohorts)})


def test_a_plan_is_refused_where_jobs_run_on_a_machine_without_the_tool(
    aws: Aws, cohorts, plan, reference, monkeypatch, tmp_path
):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.DEEPVARIANT, reference)
    monkeypatch.setenv("JOBS_RUN_IN_IMAGES", "false")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RejectedInputError, match=r"^joint_caller_not_installed: "):
        plan({"cohort_id": ask(aws, cohorts)})


def run_tool(aws: Aws, cohort_id: str, joint: JointCaller = JointCaller.GLNEXUS) -> int:
    settings = CohortToolJobSettings(
        cohort_id=cohort_id,
        submissions_table="submissions",
        threads=2,
        code_version="c1",
        references_bucket="references",
        analysis_bucket="analysis",
        memory_mib=4_096,
    )
    buckets = Buckets(aws.bucket("analysis"), aws.bucket("references"))
    return run_cohort_tool(joint, settings, buckets)


def test_the_job_writes_the_cohort_and_its_trios_once(aws: Aws, cohorts, reference, program, tmp_path):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.DEEPVARIANT, reference)
    cohort_id, calls, joint = ask(aws, cohorts), tmp_path / "calls.txt", tmp_path / "joint.vcf"
    joint.write_text(JOINT)
    program(
        "glnexus_cli",
        f'[ "$1" = --help ] && {{ echo "release v1.4.1" >&2; exit 0; }}\necho "$*" >> {calls}\ncat {joint}',
    )
    assert run_tool(aws, cohort_id) == run_tool(aws, cohort_id) == 0
    (command,) = calls.read_text().splitlines()
    assert command.count("tool.g.vcf.gz") == 3
    analysis = aws.bucket("analysis")
    report = CohortReport.model_validate_json(
        analysis.read(cohort_key(cohort_id, CohortArtifact.REPORT), limit_bytes=9_999)
    )
    assert (report.samples, report.alleles) == (("DAD", "KID", "MUM"), 1)
    assert [(one.child, one.alleles, one.violations) for one in report.trios] == [("KID", 1, 0)]
    written = analysis.download(cohort_key(cohort_id, CohortArtifact.CALLS), tmp_path / "joint.vcf.gz")
    with pysam.VariantFile(str(written)) as records:
        (record,) = records
        assert [record.samples[name]["GT"] for name in ("DAD", "KID", "MUM")] == [(0, 0), (0, 1), (0, 1)]
        header = str(records.header)
    assert "##strandlineCaller=glnexus 1.4.1" in header
    assert "##strandlineMarked=by the preset of GLnexus" in header


def test_the_job_of_gatk_keeps_the_reasons_of_its_filters_and_says_why_there_is_no_model(
    aws: Aws, cohorts, reference, program, tmp_path
):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.GATK, reference)
    cohort_id, calls, joint = ask(aws, cohorts), tmp_path / "calls.txt", tmp_path / "joint.vcf"
    marked = JOINT.replace("##INFO", '##FILTER=<ID=QD2,Description="QD < 2.0">\n##INFO').replace("PASS", "QD2")
    joint.write_text(marked)
    program(
        "gatk",
        f"""[ "$1" = --version ] && {{ echo "The Genome Analysis Toolkit (GATK) v4.6.2.0"; exit; }}
echo $3 >> {calls}
while [ $# -gt 0 ]; do [ "$1" = -O ] && cp {joint} "$2"; shift; done
true""",
    )
    assert run_tool(aws, cohort_id, JointCaller.GATK) == 0
    steps = ["SelectVariants", "VariantFiltration", "SelectVariants", "VariantFiltration", "MergeVcfs"]
    assert calls.read_text().split() == ["GenomicsDBImport", "GenotypeGVCFs", *steps]
    written = aws.bucket("analysis").download(cohort_key(cohort_id, CohortArtifact.CALLS), tmp_path / "joint.vcf.gz")
    with pysam.VariantFile(str(written)) as records:
        assert [list(record.filter) for record in records] == [["QD2"]]
        header = str(records.header)
    assert "##strandlineCaller=gatk 4.6.2.0" in header
    assert "##strandlineMarked=by GATK's hard filters, not VQSR: a panel or a slice of a genome" in header
    body = aws.bucket("analysis").read(cohort_key(cohort_id, CohortArtifact.REPORT), limit_bytes=9_999)
    assert [one.alleles for one in CohortReport.model_validate_json(body).trios] == [0]  # what is marked is not counted


def test_a_tool_that_fails_is_said_in_words_and_leaves_nothing(aws: Aws, cohorts, reference, program):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.DEEPVARIANT, reference)
    cohort_id = ask(aws, cohorts)
    program("glnexus_cli", '[ "$1" = --help ] || exit 3')
    assert run_tool(aws, cohort_id) == 70
    cause = cohorts.failure(cohort_id, "JointGlnexus")
    assert (cause.code, "ended with exit code 3 in JointGlnexus" in cause.message) == ("tool_failed", True)
    assert not aws.bucket("analysis").exists(cohort_key(cohort_id, CohortArtifact.CALLS))


def test_a_reference_that_is_not_the_one_that_its_bundle_lists_stops_the_job(aws: Aws, cohorts, reference, program):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.DEEPVARIANT, reference)
    cohort_id = ask(aws, cohorts)
    program("glnexus_cli", '[ "$1" = --help ] || exit 3')
    fasta = reference_key(reference.name, reference.version, "reference.fa")
    body = aws.bucket("references").read(fasta, limit_bytes=9_999)
    aws.bucket("references").write(fasta, body.replace(b"ACGT", b"ACGA", 1))
    assert run_tool(aws, cohort_id) == 65
    assert cohorts.failure(cohort_id, "JointGlnexus").code == "reference_mismatch"


def test_a_scratch_disk_that_is_full_is_said_in_words(aws: Aws, cohorts, reference, program, monkeypatch):
    for name in ("KID", "DAD", "MUM"):
        add(aws, name, Caller.DEEPVARIANT, reference)
    cohort_id = ask(aws, cohorts)
    program("glnexus_cli", '[ "$1" = --help ] || exit 1')
    full = shutil.disk_usage("/")._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert run_tool(aws, cohort_id) == 70
    assert cohorts.failure(cohort_id, "JointGlnexus").code == "disk_full"


def test_what_a_caller_wrote_is_kept_as_it_was(aws: Aws, reference, program, tmp_path, monkeypatch):
    """The job of DeepVariant on one sample, from the CRAM to what it publishes."""
    submission_id = submit(aws, "KID", Caller.DEEPVARIANT, reference)
    for artifact in (Artifact.ALIGNED, Artifact.ALIGNED_INDEX):
        aws.bucket("analysis").write(artifact_key(submission_id, artifact), b"x")
    StepRecords(*aws.table.place).keep(submission_id, Step("AlignReads", "AlignReads", ()), "aligned")
    own = tmp_path / "own.g.vcf.gz"
    with pysam.BGZFile(str(own), "wb", None) as sink:
        sink.write(GVCF.replace("NAME", "KID").encode())
    program(
        "run_deepvariant",
        f'[ "$1" = --version ] && {{ echo "DeepVariant version 1.10.0"; exit; }}\n'
        f'for one in "$@"; do case $one in --output_gvcf=*) cp {own} "${{one#*=}}";; esac; done',
    )
    given = {"SUBMISSION_ID": submission_id, "THREADS": "2", "CODE_VERSION": "c1", "MEMORY_MIB": "2048", "GPUS": "0"}
    for name, value in {**aws.environment, **given}.items():
        monkeypatch.setenv(name, value)
    assert whole_calling.run_whole_calling(Caller.DEEPVARIANT) == 0
    kept = aws.s3.get_object(Bucket="analysis", Key=artifact_key(submission_id, Artifact.TOOL_GVCF))
    assert kept["Body"].read() == own.read_bytes()
    tags = aws.s3.get_object_tagging(Bucket="analysis", Key=artifact_key(submission_id, Artifact.TOOL_GVCF))
    assert tags["TagSet"] == [{"Key": "tier", "Value": "cool"}]
    assert aws.bucket("analysis").exists(artifact_key(submission_id, Artifact.TOOL_GVCF_INDEX))
    assert aws.bucket("analysis").exists(artifact_key(submission_id, Artifact.CALLED))
