"""The same reads with another caller: aligned once, called anew. ANA-02."""

import shutil

import pytest

from local_stage import lifecycle
from strandline.aws.steps import StepRecords
from strandline.journey import SubmissionState
from strandline.landing.manifest import Caller
from strandline.variants.provenance import read_sources
from tests.stage.conftest import ANALYSED
from tests.stage.test_steps_by_content import steps_of, variants

needs_freebayes = pytest.mark.skipif(shutil.which("freebayes") is None, reason="freebayes is not installed")


@needs_freebayes
def test_the_same_reads_are_aligned_once_and_called_by_each_caller(lab, deployed, analysed, tmp_path):
    submission_ids = [analysed, lab.send(ANALYSED, caller=Caller.FREEBAYES)]
    assert lab.wait(submission_ids[1]).state is SubmissionState.IN_REVIEW
    records = StepRecords(*deployed.submissions.place)
    one, other = (records.keys_of(name) for name in submission_ids)
    assert one["AlignReads"] == other["AlignReads"]
    assert one["CallVariants"] != other["CallVariants"]
    called = [variants(lab, name, tmp_path) for name in submission_ids]
    assert called[0] != called[1] != []
    callers = [read_sources(tmp_path / name)["Caller"] for name in submission_ids]
    assert [caller.partition(" ")[0] for caller in callers] == ["bcftools", "freebayes"]


@pytest.mark.skipif(shutil.which("gatk") is not None, reason="gatk is installed: the sample would be called")
def test_a_sample_whose_caller_this_machine_lacks_is_stopped_before_it_is_called(lab, analysed):
    """It came through the bucket, past `strandline submit`, which refuses it before anything is uploaded."""
    submission_id = lab.send(ANALYSED, caller=Caller.GATK)
    record = lab.wait(submission_id)
    assert record.state is SubmissionState.QUARANTINED
    assert (record.cause.code, record.cause.step) == ("caller_not_installed", "PlanCalling")
    assert "gatk is not on PATH" in record.cause.message
    assert "CallGatk" not in steps_of(lab, submission_id)


def test_the_status_of_a_stage_names_the_callers_that_cannot_run_here():
    missing = lifecycle.status("local").missing_by_caller
    for caller, tool in (("gatk", "gatk"), ("deepvariant", "run_deepvariant"), ("parabricks", "pbrun")):
        assert missing.get(caller, []) == ([] if shutil.which(tool) else [tool])
    assert "bcftools" not in missing
    joint = lifecycle.status("local").missing_by_joint
    for name, tool in (("gatk", "gatk"), ("glnexus", "glnexus_cli")):
        assert joint.get(name, []) == ([] if shutil.which(tool) else [tool])
