"""A sample called in parts says what one called as a whole says, and what was made before is not made again.

Requirements: ANA-01, ANA-04, OPS-08.
"""

import contextlib
import json
import threading

import psutil
import pysam
import pytest

from strandline.aws.steps import StepRecords
from strandline.journey import Artifact, SubmissionState, artifact_key
from tests.stage.conftest import ANALYSED
from tests.stage.test_killed_workers import workers_of

PLANNER = "strandline-local-plan-calling"
SMALL_PART_BYTES = 20_000


@pytest.fixture
def in_parts(deployed):
    """The stage with parts so small that a made-up sample has several."""
    client = deployed._endpoint.client("lambda")
    before = client.get_function_configuration(FunctionName=PLANNER)["Environment"]
    small = {"Variables": {**before["Variables"], "CALLING_PART_BYTES": str(SMALL_PART_BYTES)}}
    client.update_function_configuration(FunctionName=PLANNER, Environment=small)
    yield
    client.update_function_configuration(FunctionName=PLANNER, Environment=before)


def steps_of(lab, submission_id: str) -> list[str]:
    history = lab.deployment.workflow.history(submission_id)
    return [e["stateEnteredEventDetails"]["name"] for e in history if e["type"].endswith("StateEntered")]


def variants(lab, submission_id: str, folder) -> list[str]:
    path = lab.deployment.analysis.download(artifact_key(submission_id, Artifact.CALLED), folder / submission_id)
    with pysam.VariantFile(str(path)) as records:
        return [str(record) for record in records]


def whole_genome(lab, folder, number: int):
    """A BED of everything; the number makes it another file, so another submission with nothing to take over."""
    bed = folder / f"all.{number}.bed"
    contig = lab.made_up.bundle.contigs[0]
    bed.write_text(f"# {number}\n{contig.name}\t0\t{contig.length}\n")
    return bed


def test_a_sample_called_in_parts_two_of_them_killed_has_the_variants_of_one_called_as_a_whole(
    lab, analysed, tmp_path, in_parts
):
    killed, over = [], threading.Event()

    def kill() -> None:
        while not over.wait(0.02) and len(killed) < 2:
            for process in workers_of("CallVariants"):  # parts run in its image
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    killed.append(process.pid)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    scattered = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 3))
    record = lab.wait(scattered)
    over.set()
    killer.join()
    assert len(killed) >= 2
    assert record.state is SubmissionState.IN_REVIEW, record

    plan = json.loads(lab.deployment.analysis.read(artifact_key(scattered, Artifact.CALLING_PLAN), limit_bytes=1 << 20))
    assert len(plan["parts"]) >= 2
    assert {"CallParts", "GatherCalls"} <= set(steps_of(lab, scattered))
    assert "CallVariants" in steps_of(lab, analysed)
    assert variants(lab, scattered, tmp_path) == variants(lab, analysed, tmp_path) != []


def test_other_regions_of_the_same_reads_are_not_aligned_anew(lab, analysed, tmp_path, deployed):
    second = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 5))
    assert lab.wait(second).state is SubmissionState.IN_REVIEW
    records = StepRecords(*deployed.submissions.place)
    one, other = records.keys_of(analysed), records.keys_of(second)
    assert analysed != second
    assert [step for step in one if one[step] == other[step]] == ["AlignReads"]
    aligned = [
        deployed.analysis.read(artifact_key(name, Artifact.ALIGNED), limit_bytes=64 << 20)
        for name in (analysed, second)
    ]
    assert aligned[0] == aligned[1]
