"""A process that another one forked for the embedded AWS, to be followed as one that it started itself."""

import contextlib
import select
import signal
import socket
import subprocess
import threading
import weakref
from typing import IO

from local_stage.processes import signal_group

_NUMBER_BYTES = 32


class ForkedProcess:
    """Has of `subprocess.Popen` what the embedded AWS uses. Any thread may wait for it.

    Args:
        pid: leads a process group of its own.
        told: brings the exit status; it is reaped once this socket is shut.
        stdout: what it prints, errors included.
    """

    def __init__(self, pid: int, told: socket.socket, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._told = told
        self._lock = threading.Lock()
        weakref.finalize(self, told.close)

    def poll(self) -> int | None:
        """Return the exit status, None where the process still runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, as `Popen.returncode` gives it, once the process has ended.

        Where the process that forked it was killed nobody knows its end: then it is killed too.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        ready = select.poll()
        ready.register(self._told, select.POLLIN)
        if not ready.poll(None if timeout is None else 1000 * timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                status = read_number(self._told)
                if status is None:
                    signal_group(self.pid, signal.SIGKILL)
                self.returncode = -signal.SIGKILL if status is None else status
                with contextlib.suppress(OSError):
                    self._told.shutdown(socket.SHUT_RDWR)  # it is reaped now, and whoever else waits goes on
            return self.returncode


def read_number(told: socket.socket) -> int | None:
    """Return the next number that is told, None where nobody is there to tell it."""
    try:
        message = told.recv(_NUMBER_BYTES)
    except OSError:
        return None
    return int(message) if message else None
