"""Jobs killed at random moments: `python -m benchmarks.kills DIR [--kills N] [--seed S]`.

DIR is a sample as `strandline demo --data` takes it. One run is left alone; in each of the others one process of a
Batch job, the job itself or a tool that it runs, gets SIGKILL at a moment drawn at random. Every run must end with the
same reads, the same gVCF and the same calls, compared record by record as bytes.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from benchmarks.overhead import time_platform
from local_stage.lifecycle import current, up
from strandline.cli.references import ReferenceSources, make_reference
from strandline.journey import Artifact
from strandline.reads.tools import tool_command

COMPARED: Final = (Artifact.ALIGNED, Artifact.GVCF, Artifact.CALLS)
_LOOK_S: Final = 0.01


def main() -> int:
    """Print what was killed when, and whether each run ended as the undisturbed one; 1 where one did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    reads = next(given.data.rglob("*_R1*.f*q.gz"))
    mates = reads, reads.with_name(reads.name.replace("_R1", "_R2"))
    fasta = next(path for name in ("reference.fa.gz", "reference.fa") for path in given.data.rglob(name))
    regions = next(given.data.rglob("sequenced.bed"))
    reference = make_reference(ReferenceSources(fasta)).folder / "reference.fa"
    chance = random.Random(given.seed)  # noqa: S311 - a seed makes it the same each time
    up("local", progress=lambda _: None)
    same = 0
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        time_platform("KILLS", repack(mates, folder, -1), fasta, regions, folder)  # warms the stage
        duration = time_platform("KILLS", repack(mates, folder, 0), fasta, regions, folder)
        expected = digests(folder / "KILLS", reference)
        for number in range(1, given.kills + 1):
            killer = Killer(chance.uniform(0, duration * 0.8), chance)
            killer.start()
            time_platform("KILLS", repack(mates, folder, number), fasta, regions, folder)
            killer.over.set()
            killer.join()
            is_same = digests(folder / "KILLS", reference) == expected
            same += is_same and killer.killed is not None
            print(json.dumps({"run": number, "killed": killer.killed, "same": is_same}), flush=True)
    print(json.dumps({"kills": given.kills, "ended_the_same": same}))
    return 0 if same == given.kills else 1


def repack(mates: tuple[Path, Path], folder: Path, number: int) -> tuple[Path, Path]:
    """Return the same reads in files of another digest: what was made of the ones before is not taken over."""
    packed = folder / "1.fastq.gz", folder / "2.fastq.gz"
    for source, target in zip(mates, packed, strict=True):
        target.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1, mtime=number + 1))
    return packed


class Killer(threading.Thread):
    """Kills one process of a job once `after_s` seconds have passed and a job runs."""

    def __init__(self, after_s: float, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.killed: str | None = None
        self.over = threading.Event()
        self._after_s, self._chance = after_s, chance

    def run(self) -> None:
        began = time.monotonic()
        self.over.wait(self._after_s)
        while not self.over.wait(_LOOK_S):
            victims = list(_job_processes())
            if not victims:
                continue
            victim = self._chance.choice(victims)
            with contextlib.suppress(psutil.Error):
                name = _name(victim)
                victim.kill()
                self.killed = f"{name} after {time.monotonic() - began:.1f} s"
                return


def digests(results: Path, reference: Path) -> dict[str, str]:
    """Return the SHA-256 of the records of each output, headers left out: they name files of the scratch folder."""
    samtools, bcftools = tool_command("samtools"), tool_command("bcftools")
    found = {}
    for artifact in COMPARED:
        path = str(results / artifact)
        if artifact is Artifact.ALIGNED:
            command = [*samtools, "view", "-T", str(reference), path]
        else:
            command = [*bcftools, "view", "-H", path]
        body = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        if not body:
            raise RuntimeError(f"{artifact} holds no record")
        found[artifact.value] = hashlib.sha256(body).hexdigest()
    return found


def _job_processes() -> Iterator[psutil.Process]:
    """Yield the processes of the jobs that run now: each works in a folder of its own."""
    server = current("local")
    if server is None:
        return
    for process in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "/batch-" in process.cwd():
                yield process


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    image = next((word for word in words if "/images/" in word), "")
    if image:
        return image.rpartition("/images/")[2].partition("-")[0]
    return " ".join(words[2:5]) if "-m" in words else Path(words[0]).name


if __name__ == "__main__":
    sys.exit(main())
