"""A job that a waiting process takes over sees what a freshly started one sees."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_stage.batch.image import read_image
from local_stage.batch.warm import WarmProcesses
from local_stage.context import StageContext
from local_stage.processes import ProcessKeeper

JOB = """
import json, os, sys, tempfile
MARK = os.environ.get("WHO")  # at import time: nobody yet
if __name__ == "__main__":
    seen = {"argv": sys.argv[1:], "cwd": os.getcwd(), "who": MARK, "tmp": tempfile.gettempdir(), "path": sys.path[0]}
    print(json.dumps(seen | {"environment": sorted(os.environ), "stdin": sys.stdin.read()}))
    sys.exit(7)
"""
TRY_AGAIN = 75


@pytest.fixture
def image(tmp_path):
    (tmp_path / "Dockerfile").write_text('FROM scratch\nENTRYPOINT ["python", "/app/job.py"]\nCMD ["default"]\n')
    (tmp_path / "job.py").write_text(JOB)
    return read_image(tmp_path)


@pytest.fixture
def warm(tmp_path):
    keeper = ProcessKeeper()
    processes = WarmProcesses(StageContext("http://127.0.0.1:1", tmp_path / "state", keeper=keeper))
    yield processes
    processes.stop()
    keeper.stop()


def finish(process):
    output, _ = process.communicate(timeout=30)
    return process.returncode, json.loads(output)


def test_a_taken_over_job_has_its_own_arguments_environment_and_folder(warm, image, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {"WHO": "me", "TMPDIR": str(scratch), "PATH": os.defpath, "LANG": "C.UTF-8"}
    cold = subprocess.run(
        [sys.executable, image.folder / "job.py", "a"],
        env=environment, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    warm.prepare(image, {"PATH": os.defpath, "SECRET_OF_ANOTHER": "x"})
    code, seen = finish(warm.take(image, ["a"], environment, scratch))
    assert (code, seen) == (cold.returncode, json.loads(cold.stdout))
    assert seen["who"] == "me"
    assert seen["cwd"] == str(scratch)


def test_without_arguments_the_image_says_which(warm, image, tmp_path):
    warm.prepare(image, {"PATH": os.defpath})
    assert finish(warm.take(image, [], {"PATH": os.defpath}, tmp_path))[1]["argv"] == ["default"]


def test_nothing_waits_before_it_was_prepared_and_one_process_serves_one_job(warm, image, tmp_path):
    assert warm.take(image, [], {}, tmp_path) is None
    warm.prepare(image, {"PATH": os.defpath})
    warm.prepare(image, {"PATH": os.defpath})
    finish(warm.take(image, [], {"PATH": os.defpath}, tmp_path))
    assert warm.take(image, [], {}, tmp_path) is None


def test_nothing_is_prepared_while_other_jobs_need_the_processors(warm, image, tmp_path):
    with warm.job_at_work():
        warm.prepare(image, {"PATH": os.defpath})
        assert warm.take(image, [], {}, tmp_path) is None
    warm.prepare(image, {"PATH": os.defpath})
    assert finish(warm.take(image, [], {"PATH": os.defpath}, tmp_path))[0] == 7


def test_a_job_that_works_while_it_is_imported_is_never_imported_ahead(warm, image, tmp_path):
    (tmp_path / "job.py").write_text("print('works at once')\n")
    warm.prepare(image, {"PATH": os.defpath})
    assert warm.take(image, [], {}, tmp_path) is None


def test_a_process_that_gets_no_job_ends_with_try_again_so_that_no_job_is_taken_for_done(image):
    waiter = Path(__file__).parents[2] / "local_stage/batch/waiter.py"
    done = subprocess.run([sys.executable, waiter, image.folder / "job.py"], stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == TRY_AGAIN


def test_a_waiting_process_that_died_is_not_given_a_job(warm, image, tmp_path):
    warm.prepare(image, {"PATH": os.defpath})
    (process,) = warm._waiting.values()
    process.kill()
    process.wait()
    while process.poll() is None:
        time.sleep(0.01)
    assert warm.take(image, [], {}, tmp_path) is None
