"""A job's limit counts what all of its processes hold, however deep, and nothing of anybody else's (ANA-03)."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from local_stage import memory_watch
from local_stage.memory_watch import MemoryWatcher

_HELD_BYTES = 150 << 20
_GRANDCHILD_HOLDS = f"""
import subprocess, sys, time
if len(sys.argv) > 1:
    held = b"x" * {_HELD_BYTES}
    print("holding", flush=True)
    time.sleep(60)
else:
    subprocess.run([sys.executable, __file__, "hold"])
"""


@pytest.fixture
def family(tmp_path) -> Iterator[subprocess.Popen[str]]:
    program = tmp_path / "family.py"
    program.write_text(_GRANDCHILD_HOLDS)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "holding\n"
        held_by = psutil.Process(parent.pid).children(recursive=True)
        yield parent
        for process in held_by:
            process.kill()


@pytest.mark.parametrize("system", ["this", "one without /proc"])
def test_what_a_child_of_a_child_holds_is_counted(family, system, monkeypatch, tmp_path):
    if system != "this":
        monkeypatch.setattr(memory_watch, "_PROCESSES", tmp_path)
    exceeded = threading.Event()
    with MemoryWatcher().watch(family.pid, _HELD_BYTES // 2, exceeded.set) as watch:
        assert exceeded.wait(20)
    assert watch.exceeded
    assert watch.peak_bytes >= _HELD_BYTES


def test_what_another_watched_process_holds_counts_for_that_one_alone(family):
    (child,) = psutil.Process(family.pid).children()
    watcher, exceeded = MemoryWatcher(), threading.Event()
    with (
        watcher.watch(child.pid, _HELD_BYTES // 2, exceeded.set) as inner,  # first: nobody else ever counts it
        watcher.watch(family.pid, 1 << 40, lambda: None) as outer,
    ):
        assert exceeded.wait(20)
        assert inner.peak_bytes >= _HELD_BYTES
        assert outer.peak_bytes < _HELD_BYTES
