"""Where the tools come from: the PATH of an image, or the ones that Python packages bring.

An image pins its tools and puts them on PATH. On a plain machine samtools and bcftools come from pysam and bwa from
pybwa; each is wrapped as a process of its own, so that a pipeline looks the same in both places.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as distribution_version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from strandline.reads.embedded_htslib import embedded_version

_OLDEST_HTSLIB_TOOL: Final = (1, 17)
_TAPPED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tap:
    """Lets this process read what a command of a pipeline is sent, on its way there.

    Attributes:
        before: place of that command in the pipeline, from 0; not the first.
        read: is given the bytes in order, in pieces of any size. What it leaves reaches the command all the same.
    """

    before: int
    read: Callable[[Iterator[bytes]], None]


@cache
def tool_command(tool: str) -> tuple[str, ...]:
    """Return the beginning of the command line of `samtools` or `bcftools`.

    A tool on PATH older than 1.17 is passed over: its options and its gVCF output differ.
    """
    found = shutil.which(tool)
    if found and _version(found) >= _OLDEST_HTSLIB_TOOL:
        return (found,)
    return (sys.executable, "-m", "strandline.reads.embedded_htslib", tool)


def aligner_command(name: str) -> tuple[str, ...] | None:
    """Return the beginning of the command line of `bwa-mem2` or `bwa`, or None where it cannot be had.

    Where no bwa is installed, the embedded one stands in for it: index and output are the same.
    """
    found = shutil.which(name)
    if found:
        return (found,)
    if name == "bwa" and find_spec("pybwa"):
        return (sys.executable, "-m", "strandline.reads.embedded_bwa")
    return None


def aligner_version(command: Sequence[str]) -> str:
    """Return the name and version of an aligner by the beginning of its command line, such as `bwa 0.7.18-r1243`."""
    if command[0] == sys.executable:
        return f"pybwa {distribution_version('pybwa')}"
    name = Path(command[0]).name
    # bwa-mem2 has a command that says it; bwa says it where it is called without one, and then fails
    arguments = ["version"] if name == "bwa-mem2" else []
    said = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
    match = re.search(r"(?:Version: )?(\d\S+)", said.stdout + said.stderr)
    return f"{name} {match[1] if match else 'unknown'}"


def run_pipeline(
    commands: Sequence[Sequence[str]], output: Path | None = None, *, quiet: bool = False, tap: Tap | None = None
) -> None:
    """Run commands joined by pipes, as `set -o pipefail` would, and wait for all of them.

    Args:
        commands: argument lists; each reads the output of the one before.
        output: takes the output of the last; where None, that command writes its own file.
        quiet: drop what the tools say on stderr.
        tap: reads along; an exception that it raises ends the commands.

    Raises:
        subprocess.CalledProcessError: of the first command in the line that was killed, or else failed by itself.
    """
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        sink = stack.enter_context(output.open("wb")) if output else None
        source: IO[bytes] | None = None
        tapped: IO[bytes] | None = None
        for index, command in enumerate(commands):
            last = index == len(commands) - 1
            if tap and index == tap.before and source:
                tapped = stack.enter_context(_branch_off(source, processes, stack))
                source = processes[-1].stdout
            process = subprocess.Popen(
                list(command),
                stdin=source if source else subprocess.DEVNULL,
                stdout=(sink if sink else None) if last else subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
            )
            stack.callback(_end, process)
            if source:
                source.close()  # the reader owns it now: the writer gets SIGPIPE if the reader dies
            source = process.stdout
            processes.append(process)
        broken = _read_along(tap, tapped) if tap else None
        codes = [process.wait() for process in processes]
    failed = [(code, process) for code, process in zip(codes, processes, strict=True) if code]
    if failed:
        killed = [pair for pair in failed if pair[0] == -signal.SIGKILL]  # the others failed because that one went
        own_fault = killed or [pair for pair in failed if pair[0] != -signal.SIGPIPE] or failed
        raise subprocess.CalledProcessError(own_fault[0][0], own_fault[0][1].args)
    if broken:
        raise broken


def read_output(command: Sequence[str]) -> bytes:
    """Run one command and return what it wrote to stdout.

    Raises:
        subprocess.CalledProcessError: where it failed.
    """
    return subprocess.run(list(command), check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout


def tool_version(tool: str) -> str:
    """Return the first line that the tool prints of its version, such as `samtools 1.23`."""
    if tool_command(tool)[0] == sys.executable:
        return embedded_version(tool)
    first, *_ = read_output([*tool_command(tool), "--version"]).decode().splitlines()
    return first


def _version(executable: str) -> tuple[int, int]:
    printed = subprocess.run([executable, "--version"], check=False, stdout=subprocess.PIPE, text=True).stdout
    match = re.search(r"(\d+)\.(\d+)", printed)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _branch_off(source: IO[bytes], processes: "list[subprocess.Popen[bytes]]", stack: ExitStack) -> IO[bytes]:
    """Let `tee` copy what comes to the next command and to the pipe that is returned.

    A process of its own copies, because a thread of this one would wait for whoever reads along at every piece.
    """
    reading, writing = os.pipe()
    branch = os.fdopen(reading, "rb", buffering=0)
    try:
        process = subprocess.Popen(
            [shutil.which("tee") or "tee", f"/dev/fd/{writing}"],
            stdin=source,
            stdout=subprocess.PIPE,
            pass_fds=(writing,),
        )
    finally:
        os.close(writing)
    stack.callback(_end, process)
    source.close()
    processes.append(process)
    for pipe in (branch, process.stdout):
        if pipe and hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux; elsewhere pipes hold what they hold
            with suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _TAPPED_BYTES)
    return branch


def _read_along(tap: Tap, branch: IO[bytes] | None) -> Exception | None:
    """Let the tap read; return what it raised over a stream that has ended, for its writer may have died."""
    if branch is None:
        raise ValueError("a tap goes between two commands")
    stream = _Stream(branch)
    broken: Exception | None = None
    try:
        tap.read(iter(stream))
    except Exception as error:
        if not stream.has_ended:
            raise
        broken = error
    for _ in stream:
        pass
    return broken


class _Stream:
    """The pieces of a pipe, and whether they have ended."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._pipe.read(_TAPPED_BYTES):
            yield piece
        self.has_ended = True


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        process.kill()
        process.wait()
