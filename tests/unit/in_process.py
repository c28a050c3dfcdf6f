"""Tool pipelines inside this process, where starting each tool anew would take most of a test's time."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from pysam.utils import SamtoolsError

from strandline.reads import embedded_bwa, tools

_HTSLIB = "strandline.reads.embedded_htslib"
_BWA = "strandline.reads.embedded_bwa"


def run_pipeline(
    commands: Sequence[Sequence[str]],
    output: Path | None = None,
    *,
    quiet: bool = False,
    tap: tools.Tap | None = None,
) -> None:
    """Do what `tools.run_pipeline` does; where a tool is installed on PATH, by that function itself."""
    if any(tuple(command[:2]) != (sys.executable, "-m") for command in commands):
        tools.run_pipeline(commands, output, quiet=quiet, tap=tap)
        return
    with TemporaryDirectory() as folder:
        source: Path | None = None
        for number, command in enumerate(commands):
            if tap and source and tap.before == number:
                tap.read(iter([source.read_bytes()]))
            arguments = [str(source) if part == "-" and source else part for part in command[3:]]
            sink = Path(folder) / str(number)
            if command[2] == _BWA:
                embedded_bwa.main(arguments)
            else:
                _htslib(arguments, sink)
            source = sink
        if output and source:
            output.write_bytes(source.read_bytes())


def _htslib(arguments: list[str], sink: Path) -> None:
    tool, name, *rest = arguments
    command = getattr(import_module(f"pysam.{tool}"), name)
    kept = os.dup(1)
    try:
        with sink.open("wb") as file:
            os.dup2(file.fileno(), 1)
        command(*rest, catch_stdout=False)
    except SamtoolsError as error:
        raise subprocess.CalledProcessError(1, arguments) from error
    finally:
        os.dup2(kept, 1)
        os.close(kept)
