"""Children of the embedded AWS never outlive it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local_stage.processes import ProcessKeeper

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
SERVER = """
import subprocess, sys, time
from local_stage.processes import ProcessKeeper
keeper = ProcessKeeper()
child = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
child += "print(p.pid, flush=True); time.sleep(60)"
process = keeper.spawn([sys.executable, "-c", child], stdout=subprocess.PIPE)
print(process.pid, process.stdout.readline().decode().strip(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def keeper():
    keeper = ProcessKeeper()
    yield keeper
    keeper.stop()


def wait_until_gone(pid: int, timeout_s: float = 30) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_killing_the_server_outright_leaves_no_child_and_no_grandchild():
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, cwd=root)
    assert server.stdout is not None
    child, grandchild = (int(pid) for pid in server.stdout.readline().split())
    watchers = [p.pid for p in psutil.Process(server.pid).children() if p.pid != child]

    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()

    assert watchers
    assert all(wait_until_gone(pid) for pid in (child, grandchild, *watchers))


def test_a_released_process_is_forgotten(keeper: ProcessKeeper):
    process = keeper.spawn([sys.executable, "-c", "raise SystemExit(7)"])
    assert process.wait() == 7

    keeper.release(process)

    assert keeper.running_pids() == []


def test_a_running_process_cannot_be_released(keeper: ProcessKeeper):
    process = keeper.spawn(SLEEP)
    with pytest.raises(ValueError, match="still runs"):
        keeper.release(process)


def test_terminate_kills_a_process_that_ignores_the_request(keeper: ProcessKeeper):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    process = keeper.spawn([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    assert keeper.terminate(process, grace_s=0.1) == -signal.SIGKILL
    process.stdout.close()


def test_stop_ends_everything_and_refuses_more():
    keeper = ProcessKeeper()
    processes = [keeper.spawn(SLEEP) for _ in range(2)]

    keeper.stop()
    keeper.stop()

    assert [process.returncode for process in processes] == [-signal.SIGTERM] * 2
    with pytest.raises(RuntimeError, match="stopping"):
        keeper.spawn(SLEEP)


def test_a_dead_watcher_is_replaced_before_the_next_child_starts(keeper: ProcessKeeper):
    keeper.spawn(SLEEP)
    first = keeper._watcher
    assert first is not None
    first.kill()
    first.wait()

    keeper.spawn(SLEEP)

    assert keeper._watcher is not None
    assert keeper._watcher.pid != first.pid
    assert first.stdin is not None
    first.stdin.close()
