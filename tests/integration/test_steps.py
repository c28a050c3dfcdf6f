"""Steps by what they are made from: the same is taken over, anything else is made anew. ANA-01, OPS-08."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from strandline.aws.objects import S3Objects
from strandline.aws.settings import JobSettings
from strandline.aws.steps import Step, StepRecords, run_step, step_key
from strandline.aws.workspace import Buckets, Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, PartOf, artifact_key
from tests.integration.conftest import READS, Aws, manifest_of

ALIGN = Step("AlignReads", "AlignReads", (Artifact.ALIGNED_INDEX, Artifact.ALIGNED))
CALL = Step("CallVariants", "CallVariants", (Artifact.GVCF,), ("AlignReads",))
SUMMARISE = Step("FilterAndQc", "FilterAndQc", (Artifact.QC,), ("CallVariants",), names_submission=True)
PART = Step("CallParts", "CallParts.2", (PartOf(Artifact.GVCF, 2),), ("AlignReads",))


@pytest.fixture
def lab(aws: Aws) -> "Lab":
    return Lab(aws)


class Lab:
    """Runs steps of submissions whose work is to write a text, and counts how often they work."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.worked: list[tuple[str, str]] = []

    def run(
        self,
        submission_id: str,
        step: Step,
        *,
        reads: Mapping[str, str] | None = None,
        code: str = "c1",
        writes: Callable[[Workspace], None] | None = None,
        always: Callable[[Workspace], None] = lambda _: None,
    ) -> int:
        if self.aws.table.get(submission_id) is None:
            self.aws.submit(submission_id, READS, manifest_of(READS))
        settings = JobSettings(
            submission_id=submission_id, submissions_table="submissions", threads=1, code_version=code
        )
        buckets = Buckets(self.aws.bucket("analysis"), self.aws.bucket("references"), self.aws.bucket("landing"))

        def work(workspace: Workspace) -> None:
            self.worked.append((submission_id, step.name))
            for output in step.outputs:
                workspace.path(output).write_text(f"{output} of {submission_id}, try {len(self.worked)}")
            if writes:
                writes(workspace)

        return run_step(step, work, lambda _: reads or {"sample": "S"}, settings, buckets, always=always)

    def output(self, submission_id: str, output: Artifact | PartOf) -> str | None:
        try:
            return self.aws.bucket("analysis").read(artifact_key(submission_id, output), limit_bytes=1000).decode()
        except RejectedInputError:
            return None


def test_a_finished_step_that_runs_again_does_no_work(lab):
    assert [lab.run("s-1", ALIGN), lab.run("s-1", CALL), lab.run("s-1", ALIGN), lab.run("s-1", CALL)] == [0, 0, 0, 0]
    assert lab.worked == [("s-1", "AlignReads"), ("s-1", "CallVariants")]


def test_another_submission_of_the_same_gets_copies(lab):
    lab.run("s-1", ALIGN)
    lab.run("s-2", ALIGN)
    assert lab.worked == [("s-1", "AlignReads")]
    assert lab.output("s-2", Artifact.ALIGNED) == "aligned.cram of s-1, try 1"
    tags = lab.aws.s3.get_object_tagging(Bucket="analysis", Key=artifact_key("s-2", Artifact.ALIGNED))["TagSet"]
    assert tags == [{"Key": "tier", "Value": "cool"}]


def test_what_one_step_reads_changes_only_that_step_and_those_after_it(lab):
    """ANA-01: a sample with another caller is aligned once."""
    lab.run("s-1", ALIGN)
    lab.run("s-1", CALL, reads={"caller": "bcftools"})
    lab.run("s-1", SUMMARISE)
    del lab.worked[:]
    lab.run("s-2", ALIGN)
    lab.run("s-2", CALL, reads={"caller": "freebayes"})
    lab.run("s-2", SUMMARISE)
    assert lab.worked == [("s-2", "CallVariants"), ("s-2", "FilterAndQc")]


@pytest.mark.parametrize("changed", [{"code": "c2"}, {"reads": {"sample": "S", "library": "l"}}])
def test_other_code_or_other_input_is_made_anew(lab, changed):
    lab.run("s-1", ALIGN)
    lab.run("s-1", ALIGN, **changed)
    assert len(lab.worked) == 2
    assert lab.output("s-1", Artifact.ALIGNED) == "aligned.cram of s-1, try 2"


def test_an_output_that_names_its_submission_is_of_no_use_to_another(lab):
    for submission_id in ("s-1", "s-2", "s-1"):
        for step in (ALIGN, CALL, SUMMARISE):
            lab.run(submission_id, step)
    assert [worked for worked in lab.worked if worked[1] == "FilterAndQc"] == [
        ("s-1", "FilterAndQc"),
        ("s-2", "FilterAndQc"),
    ]


def test_an_output_that_is_gone_is_made_anew(lab):
    lab.run("s-1", ALIGN)
    lab.aws.s3.delete_object(Bucket="analysis", Key=artifact_key("s-1", Artifact.ALIGNED))
    lab.run("s-2", ALIGN)
    assert lab.worked == [("s-1", "AlignReads"), ("s-2", "AlignReads")]


def test_what_is_always_done_is_done_before_something_is_taken_over(lab):
    done = []
    for submission_id in ("s-1", "s-2"):
        lab.run(submission_id, ALIGN, always=lambda workspace: done.append(workspace.submission_id))
    assert done == ["s-1", "s-2"]
    assert len(lab.worked) == 1


def test_a_part_of_a_step_is_kept_apart_from_the_others(lab):
    lab.run("s-1", ALIGN)
    lab.run("s-1", PART)
    lab.run("s-1", PART)
    assert lab.worked[1:] == [("s-1", "CallParts")]
    assert lab.output("s-1", PartOf(Artifact.GVCF, 2)) == "parts/0002/calls.g.vcf.gz of s-1, try 2"


def test_a_step_that_failed_leaves_nothing_to_take_over(lab):
    """It had begun to overwrite what lay there: neither it nor another submission may take that for whole."""

    def fail(_: Workspace) -> None:
        raise RejectedInputError("low_mapping_rate", "other organism")

    lab.run("s-1", ALIGN)
    assert lab.run("s-1", ALIGN, code="c2", writes=fail) == RejectedInputError.EXIT_CODE
    lab.run("s-2", ALIGN)
    assert [submission_id for submission_id, _ in lab.worked] == ["s-1", "s-1", "s-2"]


def test_what_is_overwritten_while_it_is_copied_is_not_taken_over(lab, monkeypatch):
    """The maker runs again, with other code, between the first look at its key and the end of the copying."""
    lab.run("s-1", ALIGN)
    copy = Workspace.take_over

    def copy_late(workspace: Workspace, *args: Any, **kwargs: Any) -> bool:
        done = copy(workspace, *args, **kwargs)
        StepRecords(*lab.aws.table.place).forget("s-1", ALIGN)
        return done

    monkeypatch.setattr(Workspace, "take_over", copy_late)
    lab.run("s-2", ALIGN)
    assert lab.worked == [("s-1", "AlignReads"), ("s-2", "AlignReads")]


def test_a_killed_step_is_done_again_and_the_ones_before_it_are_not(lab):
    """OPS-08: the process ends after the outputs went up and before the key was kept."""
    lab.run("s-1", ALIGN)
    with pytest.MonkeyPatch.context() as patch:

        def die(*_: Any, **__: Any) -> None:
            raise SystemExit(137)

        patch.setattr(StepRecords, "keep", die)
        with pytest.raises(SystemExit):
            lab.run("s-1", CALL)
    lab.run("s-1", ALIGN)
    lab.run("s-1", CALL)
    assert [name for _, name in lab.worked] == ["AlignReads", "CallVariants", "CallVariants"]


def test_a_step_before_its_time_is_a_fault_of_the_workflow(lab):
    assert lab.run("s-1", CALL) == 70


texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


@given(texts, texts, st.text(max_size=5), st.text(max_size=5))
def test_a_key_tells_any_two_inputs_apart(one, other, code, upstream):
    def key(read: Mapping[str, str], code: str, before: str) -> str:
        return step_key(CALL, code=code, read=read, before={"AlignReads": before, "Annotate": "unread"})

    assert (key(one, code, "k") == key(other, code, "k")) == (one == other)
    assert (key(one, code, "k") == key(one, "c1", "k")) == (code == "c1")
    assert (key(one, code, upstream) == key(one, code, "k")) == (upstream == "k")


def test_an_output_that_goes_while_it_is_taken_over_is_made_anew(lab, monkeypatch):
    lab.run("s-1", ALIGN)
    current = S3Objects.current

    def current_then_gone(bucket: S3Objects, key: str) -> Any:
        found = current(bucket, key)
        if found and key.startswith("submissions/s-1/"):
            lab.aws.s3.delete_object(Bucket="analysis", Key=key, VersionId=found.version_id)
        return found

    monkeypatch.setattr(S3Objects, "current", current_then_gone)
    assert lab.run("s-2", ALIGN) == 0
    assert lab.worked == [("s-1", "AlignReads"), ("s-2", "AlignReads")]


def test_a_refused_copy_is_told_as_such(lab, monkeypatch):
    lab.run("s-1", ALIGN)

    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "x"}}, "CopyObject")

    monkeypatch.setattr("strandline.aws.objects.S3Objects.copy_from", refuse)
    assert lab.run("s-2", ALIGN) == 70
