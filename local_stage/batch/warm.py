"""Processes that have imported an image's libraries, and fork one for each job of the image.

A container's start costs seconds on AWS and is shared by hours of work; here a step of a small sample takes a second,
and half of that would be imports. There is at most one such process an image, and only after a first job of the image
has run. A job sees no difference but the time: its process, its environment, its folder and its arguments are its own.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stage.batch.forked import ForkedProcess, read_number
from local_stage.batch.image import Image
from local_stage.context import StageContext

_WAITER = Path(__file__).with_name("waiter.py")
_ENTRY_POINT = ["python", "/app/job.py"]
_GUARD = 'if __name__ == "__main__":'


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A process that waits, and the socket that it hears of jobs by."""

    process: "subprocess.Popen[bytes]"
    door: socket.socket


class WarmProcesses:
    """The waiting processes of one embedded AWS. Safe to use from several threads."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._waiting: dict[Path, _Waiting] = {}
        self._at_work = 0
        self._stopped = False

    @contextlib.contextmanager
    def job_at_work(self) -> Iterator[None]:
        """Tell that a job runs meanwhile: nobody prepares for the next one beside it."""
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    def prepare(self, image: Image, environment: Mapping[str, str]) -> None:
        """Let a process wait for the next jobs of this image.

        Not where one waits already, where the job cannot be imported ahead, or while other jobs need the processors.
        """
        if not _can_wait(image):
            return
        with self._lock, contextlib.suppress(RuntimeError):  # the keeper refuses once the embedded AWS stops
            if self._stopped or self._at_work:
                return
            waiting = self._waiting.get(image.folder)
            if waiting is not None and waiting.process.poll() is None:
                return
            if waiting is not None:
                self._end(waiting)
            self._waiting[image.folder] = self._start(image, environment)

    def take(
        self, image: Image, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> ForkedProcess | None:
        """Give the job to the waiting process and return the one that runs it, or None where none waits."""
        with self._lock:
            waiting = self._waiting.get(image.folder)
        if waiting is None:
            return None
        asked = {"argv": list(command or image.command), "env": dict(environment), "cwd": str(folder)}
        told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, writing = os.pipe()
        try:
            with contextlib.suppress(OSError):  # it died while it waited: then nothing is told either
                socket.send_fds(waiting.door, [json.dumps(asked).encode()], [writing, telling.fileno()])
        finally:
            os.close(writing)
            telling.close()
        pid = read_number(told)
        if pid is None:
            os.close(reading)
            told.close()
            self._forget(image.folder, waiting)
            return None
        process = ForkedProcess(pid, told, os.fdopen(reading, "rb", buffering=0))
        self._context.keeper.adopt(process)
        return process

    def stop(self) -> None:
        """End every waiting process."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for one in waiting:
            self._end(one)

    def _start(self, image: Image, environment: Mapping[str, str]) -> _Waiting:
        door, hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with hears:
            process = self._context.keeper.spawn(
                [sys.executable, _WAITER, image.folder / "job.py"],
                env=environment,
                cwd=image.folder,
                stdin=hears.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return _Waiting(process, door)

    def _forget(self, folder: Path, waiting: _Waiting) -> None:
        with self._lock:
            if self._waiting.get(folder) is waiting:
                del self._waiting[folder]
        self._end(waiting)

    def _end(self, waiting: _Waiting) -> None:
        waiting.door.close()
        self._context.keeper.terminate(waiting.process)


def _can_wait(image: Image) -> bool:
    """Tell whether importing the job does nothing yet: it is our kind of image, and guards its work.

    Only on Linux: elsewhere libraries do not bear that a process which has loaded them is forked.
    """
    if sys.platform != "linux" or list(image.entry_point) != _ENTRY_POINT:
        return False
    try:
        return _GUARD in (image.folder / "job.py").read_text()
    except OSError:
        return False
