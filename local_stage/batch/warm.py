"""Processes that wait for the next job of an image with its libraries imported.

A container's start costs seconds on AWS and is shared by hours of work; here a step of a small sample takes a second,
and half of that would be imports. At most one process waits for each image, and only after a first job of the image
has run. A job sees no difference but the time: its environment, its folder and its arguments are its own.
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local_stage.batch.image import Image
from local_stage.context import StageContext

_WAITER = Path(__file__).with_name("waiter.py")
_ENTRY_POINT = ["python", "/app/job.py"]
_GUARD = 'if __name__ == "__main__":'


class WarmProcesses:
    """The waiting processes of one embedded AWS. Safe to use from several threads."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._waiting: dict[Path, subprocess.Popen[bytes]] = {}
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
        """Let a process wait for the next job of this image.

        Not where one waits already, where the job cannot be imported ahead, or while other jobs need the processors.
        """
        if not _can_wait(image):
            return
        with self._lock, contextlib.suppress(RuntimeError):  # the keeper refuses once the embedded AWS stops
            if self._stopped or self._at_work:
                return
            waiting = self._waiting.get(image.folder)
            if waiting is not None and waiting.poll() is None:
                return
            if waiting is not None:
                self._end(waiting)
            self._waiting[image.folder] = self._context.keeper.spawn(
                [sys.executable, _WAITER, image.folder / "job.py"],
                env=environment,
                cwd=image.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )

    def take(
        self, image: Image, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> "subprocess.Popen[bytes] | None":
        """Give the job to the waiting process and return it, or None where none waits."""
        with self._lock:
            process = self._waiting.pop(image.folder, None)
        if process is None or process.stdin is None:
            return None
        asked = {"argv": list(command or image.command), "env": dict(environment), "cwd": str(folder)}
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.close()
        except OSError:  # it died while it waited
            self._end(process)
            return None
        process.stdin = None  # given away: whoever follows the process only reads
        return process

    def stop(self) -> None:
        """End every waiting process."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for process in waiting:
            self._end(process)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        self._context.keeper.terminate(process)
        if process.stdout is not None:
            process.stdout.close()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


def _can_wait(image: Image) -> bool:
    """Tell whether importing the job does nothing yet: it is our kind of image, and guards its work."""
    if list(image.entry_point) != _ENTRY_POINT:
        return False
    try:
        return _GUARD in (image.folder / "job.py").read_text()
    except OSError:
        return False
