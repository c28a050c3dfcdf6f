"""Where the tools come from: the PATH of an image, or the ones that Python packages bring.

An image pins its tools and puts them on PATH. On a plain machine samtools and bcftools come from pysam and bwa from
pybwa; each is wrapped as a process of its own, so that a pipeline looks the same in both places.
"""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from importlib.metadata import version as distribution_version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from strandline.reads.embedded_htslib import embedded_version

_OLDEST_HTSLIB_TOOL: Final = (1, 17)


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


def run_pipeline(commands: Sequence[Sequence[str]], output: Path | None = None, *, quiet: bool = False) -> None:
    """Run commands joined by pipes, as `set -o pipefail` would, and wait for all of them.

    Args:
        commands: argument lists; each reads the output of the one before.
        output: takes the output of the last; where None, that command writes its own file.
        quiet: drop what the tools say on stderr.

    Raises:
        subprocess.CalledProcessError: of the first command in the line that was killed, or else failed by itself.
    """
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        sink = stack.enter_context(output.open("wb")) if output else None
        source: IO[bytes] | None = None
        for index, command in enumerate(commands):
            last = index == len(commands) - 1
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
        codes = [process.wait() for process in processes]
    failed = [(code, process) for code, process in zip(codes, processes, strict=True) if code]
    if failed:
        killed = [pair for pair in failed if pair[0] == -signal.SIGKILL]  # the others failed because that one went
        own_fault = killed or [pair for pair in failed if pair[0] != -signal.SIGPIPE] or failed
        raise subprocess.CalledProcessError(own_fault[0][0], own_fault[0][1].args)


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


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        process.kill()
        process.wait()
