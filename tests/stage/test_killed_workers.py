"""Any worker may be killed at any time: the submission finishes by retry, or fails with its cause in words.

Requirements: ANA-01, ANA-13, OPS-08.
"""

import contextlib
import threading

import psutil
import pytest

from local_stage import lifecycle
from strandline.journey import SubmissionState

JOB_STEPS = ("AlignReads", "MeasureQuality", "CallVariants", "Annotate", "FilterAndQc", "LoadLake")
FUNCTION_STEPS = ("ValidateFiles", "PlanCalling", "BuildBundle", "BuildReport")


def snake(step: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in step).lstrip("_")


def workers_of(step: str) -> list[psutil.Process]:
    """Return the processes that do a step's work now: jobs in their scratch folder, or workers of the function."""
    found = []
    for process in psutil.Process(lifecycle.current("local").pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if step in JOB_STEPS:
                is_it = f"/{snake(step)}-" in " ".join(process.cmdline()) and "batch-" in process.cwd()
            else:
                name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")
                is_it = name.endswith(snake(step).replace("_", "-"))
            if is_it:
                found.append(process)
    return found


def current_state(deployment, submission_id: str) -> str | None:
    with contextlib.suppress(deployment.workflow._client.exceptions.ExecutionDoesNotExist):
        history = deployment.workflow.history(submission_id)
        entered = [e["stateEnteredEventDetails"]["name"] for e in history if e["type"].endswith("StateEntered")]
        return entered[-1] if entered else None
    return None


class Killer(threading.Thread):
    """Kills the worker of each step, `times` a step, while the submission passes through."""

    def __init__(self, deployment, submission_id: str, steps: tuple[str, ...], times: int) -> None:
        super().__init__(daemon=True)
        self.killed: dict[str, int] = dict.fromkeys(steps, 0)
        self.over = threading.Event()
        self._deployment, self._submission_id, self._times = deployment, submission_id, times

    def run(self) -> None:
        while not self.over.wait(0.02):
            step = current_state(self._deployment, self._submission_id)
            if step not in self.killed or self.killed[step] >= self._times:
                continue
            victims = workers_of(step)
            for process in victims:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.killed[step] += bool(victims)


@pytest.fixture
def killing(lab):
    """Send a sample whose workers are killed; return its record and what was killed."""

    def run(sample_id: str, steps: tuple[str, ...], times: int):
        submission_id = lab.manifest_id(sample_id)
        killer = Killer(lab.deployment, submission_id, steps, times)
        killer.start()
        lab.send(sample_id)
        record = lab.wait(submission_id)
        killer.over.set()
        killer.join()
        return record, killer.killed

    return run


def test_a_submission_whose_every_worker_is_killed_once_still_reaches_review(killing):
    record, killed = killing("KILLED-ONCE", (*FUNCTION_STEPS, *JOB_STEPS), times=1)
    assert all(killed[step] == 1 for step in JOB_STEPS), killed
    assert record.state is SubmissionState.IN_REVIEW, record


def test_a_worker_that_is_killed_on_every_attempt_fails_the_submission_with_its_cause_in_words(killing, lab):
    record, killed = killing("KILLED-ALWAYS", ("AlignReads",), times=1000)
    assert killed["AlignReads"] >= 3
    assert record.state is SubmissionState.FAILED
    assert (record.cause.code, record.cause.step) == ("worker_killed", "AlignReads")
    assert "killed from outside" in record.cause.message
    assert lab.deployment.workflow.status(record.submission_id).status == "FAILED"
