"""samtools and bcftools as pysam brings them: `python -m strandline.reads.embedded_htslib samtools view ...`."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version as distribution_version

from pysam import version
from pysam.utils import SamtoolsError


def main(arguments: list[str]) -> int:
    """Run one samtools or bcftools command on this process's standard streams and return its exit code."""
    tool, *rest = arguments
    if rest == ["--version"]:
        sys.stdout.write(f"{embedded_version(tool)}\n")
        return 0
    command = getattr(import_module(f"pysam.{tool}"), rest[0])
    try:
        with _stdout_path() as path:
            command(*rest[1:], save_stdout=path)
    except SamtoolsError as error:
        sys.stderr.write(f"{tool} {rest[0]}: {error}\n")
        return 1
    sys.stderr.write(command.get_messages() or "")
    return 0


def embedded_version(tool: str) -> str:
    """Return what a tool's `--version` prints here: its own version, and that of pysam, which brings it."""
    return f"{tool} {getattr(version, f'__{tool}_version__')} (pysam {distribution_version('pysam')})"


@contextmanager
def _stdout_path() -> Iterator[str]:
    """Yield a path that leads to this process's stdout.

    pysam opens the path and truncates what it finds there: harmless for a pipe, but a file or a terminal gets the
    bytes through a pipe of our own. Another process empties it, for pysam keeps the interpreter to itself meanwhile.

    Raises:
        OSError: where stdout could not take everything.
    """
    if stat.S_ISFIFO(os.fstat(1).st_mode):
        yield "/dev/stdout"
        return
    reading, writing = os.pipe()
    with subprocess.Popen(["/bin/cat"], stdin=reading) as copier:
        os.close(reading)
        try:
            yield f"/dev/fd/{writing}"
        finally:
            os.close(writing)
    if copier.returncode:
        raise OSError(f"the output could not be written: cat ended with {copier.returncode}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that dies ends this process, as it ends any other tool
    sys.exit(main(sys.argv[1:]))
