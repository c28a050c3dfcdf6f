"""Child processes that end when the server ends, however it ends.

The server may die of `kill -9`, when no handler of its own runs. So a small watcher process holds the reading end of
a pipe that only the server writes to: when the pipe closes, whatever the reason, the watcher kills every process group
that is still registered. The watcher needs nothing but the standard library, so it works the same on Linux and macOS.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

_GRACE_S = 2.0

# One line a change: "+PGID" while a group lives, "-PGID" once it has ended. End of file means: kill what is left.
_WATCHER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for group in alive:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
"""


class Leader(Protocol):
    """A child that leads a process group: `subprocess.Popen` or what stands for it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Return the exit status, None where it still runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most so many seconds, and return the exit status."""


class ProcessKeeper:
    """Starts children in process groups of their own and leaves none behind.

    Safe to use from several threads. `stop()` ends everything; a keeper that was stopped refuses to start more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Leader] = {}
        self._watcher: subprocess.Popen[str] | None = None
        self._stopped = False

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `argv` as the leader of its own process group and register the group with the watcher.

        Call `release` once the process has ended and been waited for: its number may then belong to another.

        Raises:
            RuntimeError: the keeper was stopped already.
            OSError: the program could not be started.
        """
        with self._lock:
            if self._stopped:
                raise RuntimeError("the embedded AWS is stopping: no process is started any more")
            watcher = self._living_watcher()
            process = subprocess.Popen(
                [os.fspath(part) for part in argv],
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
            self._running[process.pid] = process
            _tell(watcher, f"+{process.pid}")
            return process

    def adopt(self, process: Leader) -> None:
        """Register a process group that a child has made, as if it had been started here.

        Where the keeper was stopped meanwhile the group is killed.
        """
        with self._lock:
            if self._stopped:
                signal_group(process.pid, signal.SIGKILL)
                return
            self._running[process.pid] = process
            _tell(self._living_watcher(), f"+{process.pid}")

    def release(self, process: Leader) -> None:
        """Forget an ended process, after killing what it may have left in its group."""
        if process.poll() is None:
            raise ValueError(f"process {process.pid} still runs: end it before releasing it")
        with self._lock:
            if self._running.pop(process.pid, None) is None:
                return
            signal_group(process.pid, signal.SIGKILL)
            if self._watcher is not None:
                _tell(self._watcher, f"-{process.pid}")

    def terminate(self, process: Leader, *, grace_s: float = _GRACE_S) -> int:
        """End the process and its group, asking first; return the exit status as `Popen.returncode` gives it."""
        signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            signal_group(process.pid, signal.SIGKILL)
        returncode = process.wait()
        self.release(process)
        return returncode

    def running_pids(self) -> list[int]:
        """Return the process ids that are registered now."""
        with self._lock:
            return sorted(self._running)

    def stop(self) -> None:
        """End every registered group and the watcher. May be called twice."""
        with self._lock:
            self._stopped = True
            processes = list(self._running.values())
            self._running.clear()
            watcher, self._watcher = self._watcher, None
        for process in processes:
            signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
        if watcher is not None:
            _end_watcher(watcher)

    def _living_watcher(self) -> "subprocess.Popen[str]":
        if self._watcher is None or self._watcher.poll() is not None:
            self._watcher = _start_watcher()
            for pid in self._running:
                _tell(self._watcher, f"+{pid}")
        return self._watcher


def _start_watcher() -> "subprocess.Popen[str]":
    # -I -S: neither the environment nor site-packages can slow down or break the one process that must not fail
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
        start_new_session=True,
    )


def _tell(watcher: "subprocess.Popen[str]", line: str) -> None:
    if watcher.stdin is None:
        raise RuntimeError("the watcher was started without a pipe")
    with contextlib.suppress(BrokenPipeError):  # it died: the next spawn starts another and tells it everything
        watcher.stdin.write(line + "\n")
        watcher.stdin.flush()


def _end_watcher(watcher: "subprocess.Popen[str]") -> None:
    if watcher.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            watcher.stdin.close()
    try:
        watcher.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        watcher.kill()
        watcher.wait()


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if there is any of it left."""
    # macOS answers EPERM instead of ESRCH for a group whose members are all dead but not yet waited for
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def keep_processes() -> ProcessKeeper:
    """Return a new keeper that stops at the interpreter's end."""
    keeper = ProcessKeeper()
    atexit.register(keeper.stop)
    return keeper
