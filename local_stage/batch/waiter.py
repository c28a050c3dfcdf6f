"""Forks a process for each job of one image, whose libraries it has imported before: `python waiter.py JOB_FILE`.

stdin is a socket of whole messages. Each says as JSON what to run (`argv`, `env`, the whole environment, and `cwd`) and
brings two descriptors: where the job prints to, and a socket on which its process id is told, once it leads a group of
its own, and in the end its exit status. The number of an ended job is not given to another process before whoever
follows it has closed that socket.

Importing a job file has no effects, so the work begins only when the file runs as a program. Where no job comes for a
while this process ends.
"""

import contextlib
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
from typing import Any, NoReturn

_PATIENCE_S = 300.0
_MESSAGE_BYTES = 1 << 20


def main(job_file: str) -> int:
    """Import what the job imports, and fork whenever one comes."""
    sys.path[0] = os.path.dirname(job_file)  # noqa: PTH120 - as the interpreter does for `python JOB_FILE`
    _import_ahead(job_file)
    _read_models_ahead()
    door, bell = socket.socket(fileno=os.dup(0)), _Bell()
    jobs: dict[socket.socket, int] = {}
    while True:
        ready, _, _ = select.select([door, bell.listens, *jobs], [], [], None if jobs else _PATIENCE_S)
        if not ready:
            return 0
        if bell.listens in ready:
            bell.hear()
            _tell_ends(jobs)
        for told in [one for one in ready if one in jobs]:
            told.close()  # whoever followed the job knows its end, or is gone
            os.waitpid(jobs.pop(told), 0)
        if door in ready:
            message, descriptors, _, _ = socket.recv_fds(door, _MESSAGE_BYTES, 2)
            if not message:
                return 0
            told = socket.socket(fileno=descriptors[1])
            process = os.fork()
            if not process:
                bell.silence()
                for one in (door, told, *jobs):
                    one.close()
                _become(job_file, json.loads(message), descriptors[0])
            os.setpgid(process, process)
            os.close(descriptors[0])
            jobs[told] = process
            _tell(told, process)


class _Bell:
    """Something that can be waited for when a child has ended."""

    def __init__(self) -> None:
        self.listens, self._rings = socket.socketpair()
        self.listens.setblocking(False)
        self._rings.setblocking(False)
        signal.set_wakeup_fd(self._rings.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def hear(self) -> None:
        self.listens.recv(_MESSAGE_BYTES)

    def silence(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        self.listens.close()
        self._rings.close()


def _import_ahead(job_file: str) -> None:
    spec = importlib.util.spec_from_file_location("job_in_waiting", job_file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{job_file} cannot be imported")
    sys.dont_write_bytecode = True  # a program's own file leaves none beside it either
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    sys.dont_write_bytecode = False


def _read_models_ahead() -> None:
    """Let boto3 read the descriptions of what jobs call: it takes 0.1 s, and the default session keeps them.

    It keeps no credentials, region or endpoint: those are the environment's whenever a client is made.
    """
    if "boto3" not in sys.modules:
        return
    services = ["s3", "dynamodb", *(["glue"] if "pyiceberg.catalog.glue" in sys.modules else [])]
    for service in services:
        nobody = "none"  # else it would look for credentials, and keep them
        sys.modules["boto3"].client(
            service, region_name="us-east-1", aws_access_key_id=nobody, aws_secret_access_key=nobody
        )


def _tell_ends(jobs: dict[socket.socket, int]) -> None:
    """Tell of each job that has ended; who was told before closes the socket and hears nothing of a second time."""
    for told, process in jobs.items():
        ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            _tell(told, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)


def _tell(told: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody follows the job any more
        told.send(str(number).encode())


def _become(job_file: str, asked: dict[str, Any], printed: int) -> NoReturn:
    """Be the job, and end with it: at once, for taking the libraries down takes up to half a second."""
    for descriptor in (1, 2):
        os.dup2(printed, descriptor)
    os.close(printed)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    tempfile.tempdir = None  # it may have been asked for already, in another environment
    sys.argv = [job_file, *asked["argv"]]
    status = _run(job_file)
    # as multiprocessing ends what it forks: threads of a pool that nobody closed are told to end, others waited for
    threading._shutdown()  # type: ignore[attr-defined]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(job_file: str) -> int:
    """Run the job file as a program and return its exit status, as the interpreter does."""
    try:
        runpy.run_path(job_file, run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return (ended.code or 0) & 0xFF
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
