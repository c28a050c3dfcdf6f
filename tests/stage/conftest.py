"""One deployed stage for the tests that take samples through it, and made-up samples to take."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_stage import lifecycle
from strandline.aws.deployment import Deployment, Endpoint
from strandline.aws.submitting import LocalReads, prepare_submission, register_reference, upload_submission
from strandline.cli.analysis import declare_sample
from strandline.cli.following import follow
from strandline.journey import SubmissionState
from strandline.landing.manifest import Caller, Manifest, ReferenceName, derive_submission_id
from strandline.reads.reference_bundle import ReferenceBundle, make_bundle
from strandline.synthetic.family import Family, make_family, to_assertions_vcf, to_vcf
from strandline.synthetic.genome import Genome, make_genome, to_fasta, to_gff3
from strandline.synthetic.reads import write_reads

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 11
ANALYSED = "SYN-ANALYSED"
"""Sample of the submission `analysed`; whatever else is sent of it takes the outputs of equal steps over."""


@dataclass(frozen=True)
class MadeUp:
    """A family on a small genome: the child's reads and truth, and the reference as a bundle."""

    folder: Path
    genome: Genome
    family: Family
    bundle: ReferenceBundle

    @property
    def reads(self) -> tuple[Path, Path]:
        return self.folder / "R1.fastq.gz", self.folder / "R2.fastq.gz"

    @property
    def truth(self) -> Path:
        return self.folder / "truth.vcf"

    @property
    def bundle_folder(self) -> Path:
        return self.folder / "bundle"

    @property
    def reference_name(self) -> ReferenceName:
        return ReferenceName(name=self.bundle.name, version=self.bundle.version)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    """The stage `local` in a home of its own, with every stack up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRANDLINE_HOME", str(tmp_path_factory.mktemp("way")))
        state = lifecycle.up("local", progress=str)
        yield Deployment("local", Endpoint(state.endpoint_url, "us-east-1"))
        lifecycle.down("local")


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """A family whose child has a known stop gain, a splice variant and a de novo."""
    folder = tmp_path_factory.mktemp("made_up")
    rng = np.random.default_rng(SEED)
    genome = make_genome(rng)
    family = make_family(genome, rng)
    fasta, genes, assertions = folder / "synthetic.fa", folder / "genes.gff3.gz", folder / "assertions.vcf"
    fasta.write_text(to_fasta(genome))
    genes.write_bytes(gzip.compress(to_gff3(genome).encode()))
    assertions.write_text(to_assertions_vcf(family, genome))
    bundle = make_bundle(fasta, folder / "bundle", gene_models=genes, clinvar=assertions)
    made = MadeUp(folder, genome, family, bundle)
    write_reads(family.child, genome, rng, *made.reads)
    made.truth.write_text(to_vcf(family.child, genome))
    return made


@dataclass(frozen=True)
class Lab:
    """What a lab does at the door of the deployed stage."""

    deployment: Deployment
    made_up: MadeUp

    def send(self, sample_id: str, *, reads: tuple[Path, Path] | None = None, **asked: Any) -> str:
        """Upload a sample of one pair of files and return its submission id without waiting."""
        return self.send_lanes(sample_id, [LocalReads(reads or self.made_up.reads)], **asked)

    def send_lanes(
        self,
        sample_id: str,
        lanes: Sequence[LocalReads],
        *,
        regions: Path | None = None,
        caller: Caller = Caller.BCFTOOLS,
    ) -> str:
        """Upload a sample of several lanes, or its BAM or CRAM, and return its submission id without waiting."""
        register_reference(self.deployment.references, self.made_up.bundle, self.made_up.bundle_folder)
        sample, reference = declare_sample(sample_id), self.made_up.reference_name
        submission = prepare_submission(sample, lanes, reference, regions, caller=caller)
        submission_id = submission.submission_id()
        upload_submission(self.deployment.landing, submission, submission_id)
        return submission_id

    def manifest_of(self, sample_id: str, regions: Path | None = None) -> Manifest:
        """Return the manifest that `send` would upload."""
        return prepare_submission(
            declare_sample(sample_id), [LocalReads(self.made_up.reads)], self.made_up.reference_name, regions
        ).manifest

    def manifest_id(self, sample_id: str) -> str:
        """Return the submission id that `send` would use."""
        return derive_submission_id(self.manifest_of(sample_id))

    def wait(self, submission_id: str):
        """Follow a submission to its end and return its record."""
        for _ in follow(self.deployment, submission_id):
            pass
        return self.deployment.submissions.get(submission_id)

    def stop(self, submission_id: str) -> None:
        """End the analysis of a submission of which the test has seen enough."""
        workflow = self.deployment.workflow
        workflow._client.stop_execution(executionArn=workflow._execution_arn(submission_id, 1))


@pytest.fixture(scope="session")
def lab(deployed, made_up):
    """A lab with its reference registered."""
    register_reference(deployed.references, made_up.bundle, made_up.bundle_folder)
    return Lab(deployed, made_up)


@pytest.fixture(scope="session")
def analysed(lab) -> str:
    """The submission of a sample that went all the way, for tests that need one."""
    submission_id = lab.send(ANALYSED)
    record = lab.wait(submission_id)
    assert record.state is SubmissionState.IN_REVIEW, record
    return submission_id
