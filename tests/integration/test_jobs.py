"""What every job does around its work, and the jobs themselves on a genome of a few thousand bases."""

import errno
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pysam
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError, NoCredentialsError
from moto import mock_aws

from strandline.aws import jobs
from strandline.aws.jobs import run_job
from strandline.aws.settings import JobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.submissions import Cause, SubmissionsTable
from strandline.aws.workspace import Buckets, Workspace
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import Artifact, artifact_key, landing_key
from strandline.landing.manifest import DeclaredFile, FileRole, ReferenceName
from strandline.reads.quality import QualitySummary
from strandline.reads.reference_bundle import BUNDLE_NAME, ReferenceRole, make_bundle
from strandline.synthetic.family import Person, PlantedVariant
from strandline.synthetic.genome import CONTIG, Exon, Gene, Genome, to_fasta, to_gff3
from strandline.synthetic.reads import write_reads
from strandline.variants.records import read_calls
from tests.integration.conftest import (
    READS,
    ROOT,
    SAMPLE,
    Aws,
    load,
    make_account,
    manifest_of,
    names_nobody,
    register_reference_bundle,
)

Work = Callable[[Workspace], None]
SETTINGS = JobSettings(submission_id="s-1", submissions_table="submissions", threads=1, code_version="c1")


def buckets(aws: Aws) -> Buckets:
    return Buckets(aws.bucket("analysis"), aws.bucket("references"), aws.bucket("landing"))


@pytest.fixture
def job(aws: Aws) -> Callable[[Work], int]:
    """Run some work as the step AlignReads of a submission that landed."""
    aws.submit("s-1", READS, manifest_of(READS))
    return lambda work: run_job("AlignReads", work, SETTINGS, buckets(aws))


def raising(error: BaseException) -> Work:
    def work(_: Workspace) -> None:
        raise error

    return work


def client_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Put")


def upload_failed(cause: ClientError) -> S3UploadFailedError:
    """As boto3's upload_file raises it: the answer of S3 only as its context."""
    try:
        try:
            raise cause
        except ClientError:
            raise S3UploadFailedError("failed")  # noqa: B904 - as boto3 does
    except S3UploadFailedError as error:
        return error


def test_a_job_that_is_done_exits_0_and_leaves_no_cause_and_no_scratch(aws, job):
    seen: list[Path] = []

    def work(workspace: Workspace) -> None:
        seen.append(workspace.scratch)
        (workspace.scratch / "large").write_bytes(b"x")

    assert job(work) == 0
    assert not seen[0].exists()
    assert aws.table.failure("s-1", "AlignReads") is None


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (RejectedInputError("low_mapping_rate", "3% align"), 65, "low_mapping_rate"),
        (TemporaryError("lake_contended", "others won"), 75, "lake_contended"),
        (OSError(errno.ENOSPC, "No space left on device"), 70, "disk_full"),
        (subprocess.CalledProcessError(1, ["/opt/bin/samtools", "sort", "-"]), 70, "tool_failed"),
        (subprocess.CalledProcessError(-9, ["/opt/bin/samtools", "sort", "-"]), 137, "tool_killed"),
        (client_error("SlowDown", 503), 75, "aws_busy"),
        (client_error("InternalError", 500), 75, "aws_busy"),
        (client_error("ThrottlingException", 400), 75, "aws_busy"),
        (upload_failed(client_error("SlowDown", 503)), 75, "aws_busy"),
        (client_error("AccessDenied", 403), 70, "aws_refused"),
        (upload_failed(client_error("AccessDenied", 403)), 70, "aws_refused"),
        (EndpointConnectionError(endpoint_url="https://s3"), 75, "aws_unreachable"),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), 75, "aws_unreachable"),
        (NoCredentialsError(), 70, "aws_refused"),
        (KeyError("x"), 70, "internal_error"),
    ],
)
def test_the_exit_code_says_whether_to_try_again_and_the_cause_is_kept(aws, job, error, exit_code, code):
    """ANA-13: Batch retries 75 and nothing else; Step Functions sees the exit code, a person reads the cause."""
    assert job(raising(error)) == exit_code
    cause = aws.table.failure("s-1", "AlignReads")
    assert cause is not None
    assert (cause.code, cause.step) == (code, "AlignReads")
    assert cause.message


def test_a_tool_that_fails_while_the_disk_is_full_failed_because_of_that(aws, job, monkeypatch):
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0})())
    assert job(raising(subprocess.CalledProcessError(1, ["samtools", "sort"]))) == 70
    assert aws.table.failure("s-1", "AlignReads").code == "disk_full"


def test_a_tool_is_named_without_the_folders_it_ran_in(aws, job):
    job(raising(subprocess.CalledProcessError(2, ["/opt/bin/bwa-mem2", "mem", "-R", SAMPLE.sample_id])))
    assert aws.table.failure("s-1", "AlignReads").message.startswith(
        "bwa-mem2 mem ended with exit code 2 in AlignReads"
    )


def test_scratch_is_removed_when_the_work_fails(job):
    seen: list[Path] = []

    def work(workspace: Workspace) -> None:
        seen.append(workspace.scratch)
        (workspace.scratch / "half").write_bytes(b"x")
        raise OSError(errno.ENOSPC, "No space left on device")

    assert job(work) == 70
    assert not seen[0].exists()


def test_the_cause_of_an_earlier_attempt_is_forgotten_before_the_work(aws, job):
    aws.table.record_failure("s-1", Cause("disk_full", "an earlier attempt", "AlignReads"))

    def work(workspace: Workspace) -> None:
        assert workspace.table.failure("s-1", "AlignReads") is None

    assert job(work) == 0


def test_a_cause_that_cannot_be_kept_does_not_change_the_exit_code(job, monkeypatch):
    def unreachable(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(SubmissionsTable, "record_failure", unreachable)
    assert job(raising(TemporaryError("x", "y"))) == 75


def test_a_submission_without_a_manifest_is_rejected_in_words(aws):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    assert run_job("AlignReads", raising(AssertionError()), SETTINGS, buckets(aws)) == 65
    assert aws.table.failure("s-1", "AlignReads").code == "manifest_missing"


def test_no_line_of_a_job_names_the_sample_or_the_subject(aws, job, said):
    job(raising(subprocess.CalledProcessError(1, ["bwa", "mem", "-R", rf"@RG\tSM:{SAMPLE.sample_id}"])))
    job(raising(KeyError("x")))
    text = said()
    assert "tool_failed" in text
    assert "KeyError" in text  # a fault of ours comes with its traceback
    assert names_nobody(text)


def workspace(aws: Aws, scratch: Path) -> Workspace:
    return Workspace("s-1", aws.table, buckets(aws), scratch)


def test_a_landed_file_is_fetched_in_its_registered_version(aws, tmp_path):
    aws.submit("s-1", READS, manifest_of(READS))
    aws.s3.put_object(Bucket="landing", Key=landing_key("s-1", "R1.fastq.gz"), Body=b"replaced later")
    path = workspace(aws, tmp_path).fetch_landed(manifest_of(READS).files[0])
    assert path.read_bytes() == READS["R1.fastq.gz"]


def test_a_landed_file_that_is_called_as_an_output_does_not_lie_in_its_place(aws, tmp_path):
    bodies = {"aligned.cram": b"reads"}
    reads = DeclaredFile(
        name="aligned.cram", role=FileRole.ALIGNED_READS, size_bytes=5, sha256=hashlib.sha256(b"reads").hexdigest()
    )
    aws.submit("s-1", bodies, manifest_of({}, files=(reads,)))
    of_job = workspace(aws, tmp_path)
    assert of_job.fetch_landed(reads) != of_job.path(Artifact.ALIGNED)


def test_a_file_that_was_never_registered_is_refused_even_if_something_lies_there(aws, tmp_path):
    only_first = {"R1.fastq.gz": READS["R1.fastq.gz"]}
    aws.submit("s-1", only_first, manifest_of(READS))
    aws.land("s-1", "R2.fastq.gz", READS["R2.fastq.gz"])
    with pytest.raises(RejectedInputError, match=r"^file_missing: "):
        workspace(aws, tmp_path).fetch_landed(manifest_of(READS).files[1])


def test_bytes_that_changed_since_validation_are_refused(aws, tmp_path):
    aws.submit("s-1", READS | {"R1.fastq.gz": b"other"}, manifest_of(READS))
    with pytest.raises(RejectedInputError, match=r"^checksum_mismatch: "):
        workspace(aws, tmp_path).fetch_landed(manifest_of(READS).files[0])


def test_a_step_is_not_given_buckets_that_it_may_not_touch(aws, tmp_path):
    aws.submit("s-1", READS, manifest_of(READS))
    of_a_late_step = Workspace("s-1", aws.table, Buckets(aws.bucket("analysis")), tmp_path)
    for bucket in ("landing", "references"):
        with pytest.raises(RuntimeError, match="not given that bucket"):
            getattr(of_a_late_step, bucket)


def test_large_files_are_validated_by_the_job_as_by_the_function(aws):
    register_reference_bundle(aws)
    aws.submit("s-1", READS, manifest_of(READS))
    validate = load(ROOT / "batch_images/validate_files/job.py").validate
    assert run_job("ValidateLargeFiles", validate, SETTINGS, buckets(aws)) == 0
    swapped = dict(zip(READS, reversed(READS.values()), strict=True))
    aws.submit("s-2", swapped, manifest_of(swapped))
    settings = SETTINGS.model_copy(update={"submission_id": "s-2"})
    assert run_job("ValidateLargeFiles", validate, settings, buckets(aws)) == 65
    assert aws.table.failure("s-2", "ValidateLargeFiles").code == "mates_swapped"


LENGTH = 5000
EXON = Exon(2001, 2300)


def small_genome() -> Genome:
    """One gene of one exon between random bases: ATG, ninety-eight times AAC, TAA."""
    bases = "".join("ACGT"[i] for i in np.random.default_rng(8).integers(0, 4, LENGTH))
    coding = "ATG" + "AAC" * 98 + "TAA"
    return Genome(bases[:2000] + coding + bases[2300:], (Gene("TOY1", (EXON,)),))


GENOME = small_genome()
SNV_ALT = "ACGT".replace(GENOME.bases[999], "")[0]
HOMOZYGOUS = PlantedVariant(1000, GENOME.bases[999], SNV_ALT)
# the first place from 3500 on where a deletion of three bases can be written in one way only
PLACE = next(p for p in range(3500, 3600) if GENOME.bases[p - 1] != GENOME.bases[p + 2])
DELETION = PlantedVariant(PLACE, GENOME.bases[PLACE - 1 : PLACE + 3], GENOME.bases[PLACE - 1])
STOP = PlantedVariant(2036, "C", "A", "AAC to AAA")  # codon 12: asparagine to lysine


@dataclass(frozen=True, slots=True)
class Analysed:
    """A submission after its jobs."""

    aws: Aws
    folder: Path
    exit_codes: list[int]

    def fetch(self, artifact: Artifact) -> Path:
        path = self.folder / artifact
        return path if path.exists() else self.aws.bucket("analysis").download(artifact_key("s-1", artifact), path)


def script(name: str) -> ModuleType:
    return load(ROOT / "batch_images" / name / "job.py")


Read = Callable[[Workspace], Mapping[str, str]]


def steps() -> list[tuple[Step, Work, Read]]:
    align, measure, call = (script(name) for name in ("align_reads", "measure_quality", "call_variants"))
    annotate, summarise = script("annotate"), script("filter_and_qc")

    def align_whole(workspace: Workspace) -> None:
        align.hand_on_regions(workspace)
        align.align(workspace, 1)

    return [
        (align.STEP, align_whole, align.read),
        (measure.STEP, lambda ws: measure.measure(ws, "{}", 1), lambda ws: measure.read(ws, "{}")),
        (call.WHOLE, lambda workspace: call.call(workspace, 0), lambda workspace: call.read(workspace, 0)),
        (
            annotate.STEP,
            lambda workspace: annotate.annotate(workspace, 1, by_vep=False),
            lambda workspace: annotate.read(workspace, by_vep=False),
        ),
        (summarise.STEP, summarise.filter_and_qc, summarise.read),
    ]


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory, session: Any) -> Iterator[Analysed]:
    """Thirty-fold reads of a made-up person through every job up to the lake."""
    folder = tmp_path_factory.mktemp("analysed")
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        aws = make_account(session)
        (folder / "toy.fa").write_text(to_fasta(GENOME))
        (folder / "genes.gff3").write_text(to_gff3(GENOME))
        bundle = make_bundle(
            folder / "toy.fa",
            folder / "bundle",
            gene_models=folder / "genes.gff3",
            sources={ReferenceRole.GENE_MODELS: "made up, version 1"},
        )
        for path in (folder / "bundle").iterdir():
            aws.bucket("references").upload(path, f"references/{bundle.label}/{path.name}")
        assert aws.bucket("references").exists(f"references/{bundle.label}/{BUNDLE_NAME}")
        person = Person(SAMPLE.sample_id, "PT98765", "FEMALE", ((HOMOZYGOUS, STOP), (HOMOZYGOUS, DELETION)))
        reads = folder / "R1", folder / "R2"
        write_reads(person, GENOME, np.random.default_rng(9), *reads, depth=36)
        bodies = {name: path.read_bytes() for name, path in zip(READS, reads, strict=True)}
        bodies["regions.bed"] = f"{CONTIG}\t500\t2500\n{CONTIG}\t2400\t4500\n".encode()
        name = ReferenceName(name=bundle.name, version=bundle.version)
        aws.submit("s-1", bodies, manifest_of(bodies, reference=name))
        codes = [run_step(*step, SETTINGS, buckets(aws)) for step in steps()]
        yield Analysed(aws, folder, codes)


def test_the_jobs_take_reads_to_exactly_the_planted_calls(analysed):
    """ANA-01."""
    assert analysed.exit_codes == [0, 0, 0, 0, 0]
    calls = list(read_calls(analysed.fetch(Artifact.CALLS)))
    assert [(call.position, call.ref, call.alt, call.zygosity, call.passed) for call in calls] == [
        (HOMOZYGOUS.position, HOMOZYGOUS.ref, HOMOZYGOUS.alt, "HOM_ALT", True),
        (STOP.position, STOP.ref, STOP.alt, "HET", True),
        (DELETION.position, DELETION.ref, DELETION.alt, "HET", True),
    ]
    effect = calls[1].worst_consequence
    assert effect is not None
    assert (effect.term, effect.gene, effect.protein_change) == ("missense", "TOY1", "12N>12K")


def test_headers_name_tools_reference_and_sources(analysed):
    """ANA-07, ANA-09."""
    with pysam.VariantFile(str(analysed.fetch(Artifact.CALLS))) as calls:
        header = str(calls.header)
        assert list(calls.header.samples) == [SAMPLE.sample_id]
    for line in (
        "##strandlineVersion=",
        "##strandlineReference=toy/",
        "##strandlineCaller=bcftools 1.",
        "##strandlineGenes=made up, version 1 sha256:",
        "##strandlineClinVar=none in this reference bundle",
        "##bcftools_callCommand=call -m",
        "##bcftools/csqCommand=csq --local-csq",
    ):
        assert line in header


def test_reads_are_a_sorted_cram_of_every_read(analysed):
    """ANA-06."""
    reference = str(analysed.folder / "bundle" / "reference.fa")
    cram = analysed.fetch(Artifact.ALIGNED)
    assert cram.read_bytes()[:4] == b"CRAM"
    with pysam.AlignmentFile(str(cram), reference_filename=reference) as reads:
        header = reads.header.to_dict()
        segments = [segment for segment in reads if not segment.is_secondary and not segment.is_supplementary]
    assert header["HD"]["SO"] == "coordinate"
    assert header["RG"][0]["SM"] == SAMPLE.sample_id
    metrics = json.loads(analysed.fetch(Artifact.ALIGNMENT_METRICS).read_bytes())
    assert len(segments) == metrics["read_count"]
    assert metrics["mapped_fraction"] > 0.99


def test_the_quality_summary_adds_up_and_overlapping_regions_count_once(analysed):
    """ANA-05, ANA-10."""
    quality = QualitySummary.model_validate_json(analysed.fetch(Artifact.QC).read_bytes())
    assert quality.coverage.analysed_bases == 4000
    assert quality.coverage.mean_depth == pytest.approx(36, rel=0.2)
    assert (quality.variants.called, quality.variants.passed) == (3, 3)
    assert {program.split()[0] for program in quality.programs} >= {"samtools", "bcftools"}
    callable_bases = [
        int(end) - int(start)
        for _, start, end in map(str.split, analysed.fetch(Artifact.CALLABLE_REGIONS).read_text().splitlines())
    ]
    assert sum(callable_bases) == quality.coverage.callable_bases


def test_a_gvcf_covers_every_analysed_position(analysed):
    with pysam.VariantFile(str(analysed.fetch(Artifact.GVCF))) as records:
        covered = {position for record in records for position in range(record.start, record.stop)}
    assert covered >= set(range(500, 4500))


def test_running_a_step_again_overwrites_its_own_outputs_and_nothing_else(analysed):
    """ANA-01: a step may run twice."""
    aws = analysed.aws

    def keys() -> list[str]:
        return sorted(item["Key"] for item in aws.s3.list_objects_v2(Bucket="analysis")["Contents"])

    def fetched(artifact: Artifact) -> list[str]:
        path = aws.bucket("analysis").download(artifact_key("s-1", artifact), analysed.folder / "again.vcf.gz")
        with pysam.VariantFile(str(path)) as records:
            return [str(record) for record in records]

    before, calls = keys(), fetched(Artifact.CALLED)
    assert run_step(*steps()[2], SETTINGS.model_copy(update={"code_version": "c2"}), buckets(aws)) == 0
    assert keys() == before
    assert fetched(Artifact.CALLED) == calls


def test_every_output_of_the_jobs_is_where_the_journey_says(analysed):
    listed = analysed.aws.s3.list_objects_v2(Bucket="analysis")["Contents"]
    later = {
        Artifact.IDENTITY,
        Artifact.CALLING_PLAN,
        Artifact.LOAD_RECEIPT,
        Artifact.BUNDLE,
        Artifact.REPORT,
        Artifact.REPORT_PDF,
        Artifact.PLAIN_REPORT,
        Artifact.EVIDENCE_PAGE,
        Artifact.INTERPRETATION,
        Artifact.QC_PAGE,
        Artifact.MULTIQC,
        Artifact.FAMILY,
        Artifact.KNOWLEDGE,
        Artifact.TOOL_GVCF,  # of callers that take a sample as a whole
        Artifact.TOOL_GVCF_INDEX,
    }
    assert {item["Key"] for item in listed} == {artifact_key("s-1", a) for a in Artifact if a not in later}
