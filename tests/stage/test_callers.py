"""The same reads with another caller: aligned once, called anew, as a whole and in parts. ANA-02, ANA-04."""

import shutil

import pytest

from local_stage import lifecycle
from strandline.aws.steps import StepRecords
from strandline.aws.submitting import LocalReads, prepare_submission, upload_submission
from strandline.cli.analysis import declare_sample
from strandline.journey import SubmissionState
from strandline.landing.manifest import Caller
from strandline.variants.provenance import read_sources
from tests.stage.test_steps_by_content import in_parts, steps_of, variants, whole_genome

__all__ = ["in_parts"]  # a fixture
needs_freebayes = pytest.mark.skipif(shutil.which("freebayes") is None, reason="freebayes is not installed")


def send(lab, sample_id: str, caller: Caller, regions=None) -> str:
    lanes = [LocalReads(lab.made_up.reads)]
    submission = prepare_submission(
        declare_sample(sample_id), lanes, lab.made_up.reference_name, regions, caller=caller
    )
    upload_submission(lab.deployment.landing, submission, submission.submission_id())
    return submission.submission_id()


@needs_freebayes
def test_the_same_reads_are_aligned_once_and_called_by_each_caller(lab, deployed, tmp_path):
    submission_ids = []
    for caller in (Caller.BCFTOOLS, Caller.FREEBAYES):
        submission_ids.append(send(lab, "TWO-CALLERS", caller))
        assert lab.wait(submission_ids[-1]).state is SubmissionState.IN_REVIEW
    records = StepRecords(*deployed.submissions.place)
    one, other = (records.keys_of(name) for name in submission_ids)
    assert one["AlignReads"] == other["AlignReads"]
    assert one["CallVariants"] != other["CallVariants"]
    called = [variants(lab, name, tmp_path) for name in submission_ids]
    assert called[0] != called[1] != []
    callers = [read_sources(tmp_path / name)["Caller"] for name in submission_ids]
    assert [caller.partition(" ")[0] for caller in callers] == ["bcftools", "freebayes"]


@needs_freebayes
def test_freebayes_in_parts_calls_what_it_calls_as_a_whole(lab, tmp_path, in_parts):
    scattered = send(lab, "FREEBAYES-PARTS", Caller.FREEBAYES, whole_genome(lab, tmp_path, 8))
    assert lab.wait(scattered).state is SubmissionState.IN_REVIEW
    assert "GatherCalls" in steps_of(lab, scattered)
    whole = send(lab, "FREEBAYES-PARTS", Caller.FREEBAYES)
    assert lab.wait(whole).state is SubmissionState.IN_REVIEW
    assert variants(lab, scattered, tmp_path) == variants(lab, whole, tmp_path) != []


@pytest.mark.skipif(shutil.which("gatk") is not None, reason="gatk is installed: the sample would be called")
def test_a_sample_whose_caller_this_machine_lacks_is_stopped_before_it_is_called(lab):
    """It came through the bucket, past `strandline submit`, which refuses it before anything is uploaded."""
    submission_id = send(lab, "NOT-INSTALLED", Caller.GATK)
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
