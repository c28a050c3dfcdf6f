"""A job that a waiting process takes over sees what a freshly started one sees."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import psutil
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
SLEEPING = """import time
if __name__ == "__main__":
    time.sleep(60)
"""


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
    with process.stdout as pipe:
        output = pipe.read()
    return process.wait(30), json.loads(output)


def take(warm, image, folder):
    """Prepare for a job and give it to the process that waits."""
    job = take_with_output(warm, image, folder)
    job.stdout.close()
    return job


def take_with_output(warm, image, folder):
    warm.prepare(image, {"PATH": os.defpath})
    return warm.take(image, [], {"PATH": os.defpath}, folder)


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


@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "sys.exit()",
        "sys.exit(65)",
        "sys.exit(256 + 3)",
        "sys.exit('said at the end')",
        "raise ValueError('not caught')",
        "threading.Thread(target=lambda: (time.sleep(0.2), print('after the program'))).start()",
        "concurrent.futures.ThreadPoolExecutor().submit(print, 'by a pool that nobody closes')",
        "sys.stdout.write('no line end')",
    ],
)
def test_a_taken_over_job_ends_as_a_freshly_started_one_ends(warm, image, tmp_path, ending):
    program = image.folder / "job.py"
    program.write_text(f'import concurrent.futures, sys, threading, time\nif __name__ == "__main__":\n    {ending}\n')
    cold = subprocess.run(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )
    job = take_with_output(warm, read_image(image.folder), tmp_path)
    with job.stdout as pipe:
        said = pipe.read().decode()
    if "raise" in ending:  # where it was called from is another place
        said, cold.stdout = said.splitlines()[-1], cold.stdout.splitlines()[-1]
    assert (job.wait(30), said) == (cold.returncode, cold.stdout)


def test_without_arguments_the_image_says_which(warm, image, tmp_path):
    warm.prepare(image, {"PATH": os.defpath})
    assert finish(warm.take(image, [], {"PATH": os.defpath}, tmp_path))[1]["argv"] == ["default"]


def test_nothing_waits_before_it_was_prepared_and_one_process_serves_many_jobs_each_by_its_own(warm, image, tmp_path):
    assert warm.take(image, [], {}, tmp_path) is None
    warm.prepare(image, {"PATH": os.defpath})
    warm.prepare(image, {"PATH": os.defpath})
    (waiting,) = warm._waiting.values()
    jobs = [warm.take(image, [name], {"PATH": os.defpath, "WHO": name}, tmp_path) for name in "ab"]
    assert len({waiting.process.pid, *(job.pid for job in jobs)}) == 3
    seen = [finish(job)[1] for job in jobs]
    assert [(one["argv"], one["who"]) for one in seen] == [(["a"], "a"), (["b"], "b")]


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


def test_a_waiting_process_that_died_is_given_no_job_and_another_takes_its_place(warm, image, tmp_path):
    warm.prepare(image, {"PATH": os.defpath})
    (waiting,) = warm._waiting.values()
    waiting.process.kill()
    waiting.process.wait()
    assert warm.take(image, [], {}, tmp_path) is None
    warm.prepare(image, {"PATH": os.defpath})
    assert finish(warm.take(image, [], {"PATH": os.defpath}, tmp_path))[0] == 7


def test_a_job_whose_waiting_process_is_killed_is_killed_too(warm, image, tmp_path):
    (tmp_path / "job.py").write_text(SLEEPING)
    job = take(warm, image, tmp_path)
    (waiting,) = warm._waiting.values()
    waiting.process.kill()
    assert job.wait(30) == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(job.pid).wait(30)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_ended_from_outside_says_by_what(warm, image, tmp_path, number):
    (tmp_path / "job.py").write_text(SLEEPING)
    job = take(warm, image, tmp_path)
    assert job.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.01)
    os.killpg(job.pid, number)
    assert (job.wait(30), job.poll()) == (-number, -number)


def test_a_job_is_ended_with_the_embedded_aws(image, tmp_path):
    (tmp_path / "job.py").write_text(SLEEPING)
    keeper = ProcessKeeper()
    warm = WarmProcesses(StageContext("http://127.0.0.1:1", tmp_path / "state", keeper=keeper))
    job = take(warm, image, tmp_path)
    assert job.pid in keeper.running_pids()
    keeper.stop()
    assert job.returncode in {-signal.SIGTERM, -signal.SIGKILL}
    warm.stop()
