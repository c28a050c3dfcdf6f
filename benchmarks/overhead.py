"""What the platform adds to a sample: `strandline run` on a warm stage beside the same tools in a plain shell pipe.

`python -m benchmarks.overhead DIR [--rounds N]`, with DIR as `strandline demo --data` takes it. Both sides run in turns
in one process, so that a noisy machine is noisy for both.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.plain_shell import shell_script, time_script
from strandline.cli.references import ReferenceSources, make_reference
from strandline.reads.alignment import choose_aligner

COMMAND = str(Path(sys.executable).with_name("strandline"))


def main() -> int:
    """Print the medians and their difference as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    reads = next(given.data.rglob("*_R1*.f*q.gz"))
    mates = reads, reads.with_name(reads.name.replace("_R1", "_R2"))
    fasta = next(path for name in ("reference.fa.gz", "reference.fa") for path in given.data.rglob(name))
    regions = next(given.data.rglob("sequenced.bed"))
    subprocess.run([COMMAND, "stage", "up"], check=True, stdout=subprocess.DEVNULL)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        platform, shell = [], []
        time_platform("WARMUP", mates, fasta, regions, folder)
        for turn in range(given.rounds):
            shell.append(time_shell(mates, fasta, regions, folder / f"shell{turn}"))
            platform.append(time_platform(f"OVERHEAD-{turn}", mates, fasta, regions, folder))
    added = statistics.median(platform) - statistics.median(shell)
    print(
        json.dumps(
            {
                "platform_s": [round(value, 2) for value in platform],
                "shell_s": [round(value, 2) for value in shell],
                "added_s": round(added, 2),
                "limit_s": 8.0,
            }
        )
    )
    return 0 if added < 8.0 else 1


def time_platform(name: str, mates: tuple[Path, Path], fasta: Path, regions: Path, folder: Path) -> float:
    """Return the wall time of one `strandline run`, in seconds; a new sample name makes it a new submission."""
    marked = folder / f"{name}.{time.time_ns()}.bed"
    marked.write_bytes(b"# %d\n" % time.time_ns() + regions.read_bytes())
    command = [COMMAND, "run", "--sample", name, "--reads", *map(str, mates), "--reference", str(fasta)]
    began = time.monotonic()
    subprocess.run([*command, "--regions", str(marked), "--out", str(folder / name)], check=True, capture_output=True)
    return time.monotonic() - began


def time_shell(mates: tuple[Path, Path], fasta: Path, regions: Path, folder: Path) -> float:
    """Return the wall time of the same tools in one shell script, in seconds; the index is there, as it is there."""
    folder.mkdir()
    opened = make_reference(ReferenceSources(fasta))
    aligner = choose_aligner({file.role for file in opened.bundle.files})
    return time_script(shell_script(opened.folder / "reference.fa", aligner, mates, regions, folder))


if __name__ == "__main__":
    sys.exit(main())
