"""Runs one attempt of one job as a process of this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from local_stage.batch.forked import ForkedProcess
from local_stage.batch.image import Image
from local_stage.batch.requirements import Requirements
from local_stage.batch.warm import WarmProcesses
from local_stage.context import StageContext
from local_stage.log_streams import LogStream
from local_stage.memory_watch import WATCHER
from local_stage.state import compiled_code_folder

Running: TypeAlias = subprocess.Popen[bytes] | ForkedProcess

_GRACE_S = 5.0  # AWS gives 30 s between SIGTERM and SIGKILL
_MAX_LOG_LINE = 256 * 1024

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended. `stopped` tells that it was ended from outside, for good."""

    exit_code: int | None
    status_reason: str
    reason: str | None = None
    stopped: bool = False


class Process:
    """One attempt. `run()` blocks until it has ended; `end()` may be called from another thread."""

    def __init__(self, context: StageContext, warm: WarmProcesses, log: LogStream) -> None:
        self._context = context
        self._warm = warm
        self._log = log
        self._lock = threading.Lock()
        self._process: Running | None = None
        self._end_reason: str | None = None

    def run(
        self,
        image: Image,
        command: Sequence[str],
        environment: Mapping[str, str],
        needs: Requirements,
        timeout_s: int | None,
    ) -> Result:
        """Run the command in a scratch folder of its own, which is removed afterwards."""
        scratch = Path(tempfile.mkdtemp(prefix="batch-"))
        try:
            with self._warm.job_at_work():
                with self._lock:
                    if self._end_reason is not None:
                        return Result(None, self._end_reason, stopped=True)
                    self._process = process = self._start(image, command, environment, scratch)
                return self._follow(process, needs, timeout_s)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._warm.prepare(image, job_environment(self._context, image, image.folder))

    def end(self, reason: str) -> None:
        """Ask the process to end, and kill it when it does not."""
        with self._lock:
            if self._end_reason is None:
                self._end_reason = reason
            process = self._process
        if process is None:
            return
        _signal_group(process, signal.SIGTERM)
        killer = threading.Timer(_GRACE_S, _signal_group, (process, signal.SIGKILL))
        killer.daemon = True
        killer.start()

    def _start(self, image: Image, command: Sequence[str], environment: Mapping[str, str], scratch: Path) -> Running:
        whole = {**job_environment(self._context, image, scratch), **environment}
        waiting = self._warm.take(image, command, whole, scratch)
        return waiting or self._context.keeper.spawn(
            image.command_line(command), env=whole, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _follow(self, process: Running, needs: Requirements, timeout_s: int | None) -> Result:
        printer = threading.Thread(target=self._print, args=(process,), name="batch-log", daemon=True)
        printer.start()
        kill = partial(_signal_group, process, signal.SIGKILL)
        with self._clock(timeout_s), WATCHER.watch(process.pid, needs.memory_bytes, kill) as memory:
            status = process.wait()
        with contextlib.suppress(RuntimeError):
            self._context.keeper.release(process)  # ends what the job left running, and so its hold on the pipe
        printer.join(_GRACE_S)
        exit_code = status if status >= 0 else 128 - status
        if memory.exceeded:
            return Result(137, EXITED, reason=OUT_OF_MEMORY)
        if self._end_reason is not None:
            return Result(exit_code, self._end_reason, stopped=True)
        return Result(exit_code, EXITED)

    @contextlib.contextmanager
    def _clock(self, timeout_s: int | None) -> Iterator[None]:
        if timeout_s is None:
            yield
            return
        clock = threading.Timer(timeout_s, self.end, (TIMED_OUT,))
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _print(self, process: Running) -> None:
        if process.stdout is None:
            raise ValueError("the process was started without a pipe")
        rest = b""
        with process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                *complete, rest = (rest + chunk).split(b"\n")
                if len(rest) > _MAX_LOG_LINE:
                    complete, rest = [*complete, rest], b""
                self._log.write([line.decode("utf-8", "replace") for line in complete])
        if rest:
            self._log.write([rest.decode("utf-8", "replace")])


def job_environment(context: StageContext, image: Image, scratch: Path) -> dict[str, str]:
    """Return what every job finds in its environment beside its own variables."""
    return job_variables(context, scratch, [str(image.folder)])


def job_variables(context: StageContext, scratch: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the environment of a program that works for this embedded AWS and imports from `packages` first."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "AWS_DEFAULT_REGION": context.region,
        "AWS_REGION": context.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": context.endpoint_url,
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "NUMBA_CACHE_DIR": str(compiled_code_folder()),
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": os.pathsep.join(packages),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(scratch),
    }


def _signal_group(process: Running, number: int) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
