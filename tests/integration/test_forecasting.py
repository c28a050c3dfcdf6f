"""What finished submissions took, read back from what their steps noted. ANA-14."""

from datetime import timedelta
from typing import Any

import pytest

from strandline.aws.forecasting import PastRuns, job_classes
from strandline.aws.steps import Step, StepRecords
from strandline.forecast import JobClass, read_measured_runs
from strandline.journey import Artifact, PartOf, SubmissionState, artifact_key
from tests.integration.conftest import NOW, READS, Aws, manifest_of

ALIGN = Step("AlignReads", "AlignReads", (Artifact.ALIGNED,))
PARTS = [Step("CallParts", f"CallParts.{n}", (PartOf(Artifact.GVCF, n),)) for n in (1, 2)]
GATHER = Step("GatherCalls", "CallVariants", (Artifact.GVCF,))
S = SubmissionState


def finish(
    aws: Aws, submission_id: str, *, extra: bytes = b"", seconds: float | None = 40.0, minutes: float = 3
) -> None:
    """Take a submission to review in so many minutes; its alignment worked so many seconds, or was taken over."""
    bodies = {name: body + extra for name, body in READS.items()}
    aws.submit(submission_id, bodies, manifest_of(bodies))
    records = StepRecords(*aws.table.place)
    records.keep(submission_id, ALIGN, "k1", seconds=seconds)
    for part in PARTS:
        records.keep(submission_id, part, "k2", seconds=5)
    records.keep(submission_id, GATHER, "k3", seconds=1.5)
    for output, size in ((Artifact.ALIGNED, 1000), (Artifact.GVCF, 200), (PartOf(Artifact.GVCF, 1), 5000)):
        aws.bucket("analysis").write(artifact_key(submission_id, output), b"x" * size)
    moment = NOW
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        aws.table.move(submission_id, state, who="test", why="as the workflow", now=moment)
        moment += timedelta(minutes=minutes / 3)


@pytest.fixture
def past(aws: Aws) -> PastRuns:
    return PastRuns(aws.table, aws.bucket("analysis"))


def test_a_finished_run_adds_up_its_parts_and_what_stays_of_it(aws, past):
    """Parts that are put together and then removed are no output that stays."""
    finish(aws, "s-1")
    run = past.run_of("s-1")
    assert run.read_bytes == sum(map(len, READS.values()))
    assert (run.output_bytes, run.elapsed_s) == (1200, 180.0)
    assert list(run.seconds_by_step.items()) == [("AlignReads", 40.0), ("CallVariants", 11.5)]


def test_what_was_taken_over_or_is_not_done_is_no_run(aws, past):
    finish(aws, "s-1", seconds=None)
    aws.submit("s-2", READS, manifest_of(READS))
    assert past.run_of("s-1") is past.run_of("s-2") is past.run_of("s-3") is None


def test_a_stage_with_too_few_runs_forecasts_from_those_that_come_with_the_software(aws, past):
    finish(aws, "s-1")
    finish(aws, "s-2", extra=b"more")
    assert past.model()[1] == read_measured_runs()
    finish(aws, "s-3", extra=b"still more", minutes=6)
    model, runs = past.model()
    assert (model.runs, {run.elapsed_s for run in runs}) == (3, {180.0, 360.0})
    assert past.model(without="s-3")[1] == read_measured_runs()


def test_runs_of_one_size_say_nothing_of_another(aws, past):
    for number in range(3):
        finish(aws, f"s-{number}")
    assert past.model()[1] == read_measured_runs()


class Batch:
    """Answers describe_job_definitions in two pages."""

    def get_paginator(self, operation: str) -> "Batch":
        assert operation == "describe_job_definitions"
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        assert asked == {"status": "ACTIVE"}

        def page(name: str, vcpus: str, memory: str) -> dict[str, Any]:
            needs = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
            return {
                "jobDefinitions": [{"jobDefinitionName": name, "containerProperties": {"resourceRequirements": needs}}]
            }

        return [page("strandline-prod-align-reads", "16", "61440"), page("another", "1", "1")]


def test_what_a_job_reserves_is_found_by_its_step():
    assert job_classes(Batch(), "prod", ["AlignReads", "CallVariants"]) == {"AlignReads": JobClass(16, 61440)}
