"""Quality before calling on the deployed stage: a shallow sample stops there, and is seen beside a good one. ANA-05."""

import json

import numpy as np
import pytest

from strandline.cli.qc import collect_samples
from strandline.journey import Artifact, SubmissionState, artifact_key
from strandline.reads.gates import Verdict
from strandline.reporting.cohort import build_cohort_page, compare_samples
from strandline.reporting.quality_page import QualityPageInput, build_quality_page
from strandline.synthetic.reads import write_reads
from tests.stage.conftest import ANALYSED


@pytest.fixture(scope="module")
def samples(lab, analysed, made_up, tmp_path_factory):
    """Submission ids of the made-up child, sequenced well and hardly at all, both at their end."""
    folder = tmp_path_factory.mktemp("shallow")
    reads = folder / "R1.fastq.gz", folder / "R2.fastq.gz"
    write_reads(made_up.family.child, made_up.genome, np.random.default_rng(5), *reads, depth=3)
    sent = {"good": analysed, "shallow": lab.send("QUALITY-SHALLOW", reads=reads)}
    return {name: lab.wait(submission_id) for name, submission_id in sent.items()}


def exists(deployed, record, artifact):
    return deployed.analysis.exists(artifact_key(record.submission_id, artifact))


def test_a_shallow_sample_stops_before_calling_and_says_what_to_do(deployed, samples):
    record = samples["shallow"]
    assert record.state is SubmissionState.QUARANTINED
    assert (record.cause.code, record.cause.step) == ("depth_too_low", "MeasureQuality")
    assert "at least 5 is expected: sequence more" in record.cause.message
    assert exists(deployed, record, Artifact.ALIGNMENT_QUALITY)
    assert not exists(deployed, record, Artifact.GVCF)


def test_a_good_sample_has_its_page_and_its_file_for_multiqc(deployed, samples):
    record = samples["good"]
    assert record.state is SubmissionState.IN_REVIEW
    read = {
        artifact: deployed.analysis.read(artifact_key(record.submission_id, artifact), limit_bytes=1 << 22)
        for artifact in (Artifact.QC_PAGE, Artifact.MULTIQC, Artifact.QC)
    }
    assert b"<svg" in read[Artifact.QC_PAGE]
    assert json.loads(read[Artifact.MULTIQC])["plot_type"] == "generalstats"
    assert json.loads(read[Artifact.QC])["schema_version"] == 2


def test_both_stand_beside_each_other_and_the_stopped_one_says_why(deployed, samples):
    found = collect_samples(deployed, [record.submission_id for record in samples.values()])
    by_name = {one.sample_id: one for one in found}
    shallow = by_name["QUALITY-SHALLOW"]
    assert (shallow.verdict, shallow.summary) == (Verdict.STOPPED, None)
    assert "depth_too_low" in shallow.reasons
    assert by_name[ANALYSED].summary is not None
    page = build_cohort_page(found, compare_samples(found), "0.1.0")
    assert "depth too low" in page
    alone = QualityPageInput(shallow.submission_id, shallow.sample_id, "x", shallow.measured, None, "0.1.0")
    assert "Variants were not called" in build_quality_page(alone)
