"""How long the analysis takes: the whole workflow beside a plain shell pipe, and calling in parts beside in one.

`python -m benchmarks.analysis DIR [--work WORK] [--rounds N]`, with DIR a reference with a person's truth: reads of 30x
over 5 Mb are simulated from it. Everything runs in turns in one process, so that a noisy machine is noisy for all.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.overhead import time_platform
from benchmarks.plain_shell import shell_script, time_script
from benchmarks.simulated import REPORTING, SimulatedSample, prepare_sample, working_folder
from local_stage.lifecycle import up
from strandline.landing.regions import Region, parse_regions
from strandline.reads.alignment import choose_aligner
from strandline.reads.coverage import write_bed
from strandline.reads.reference_bundle import parse_bundle
from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.calling import call_gvcf, call_variants, gather_calls
from strandline.variants.scattering import plan_calling, read_crai, widen

SLOWEST: Final = 1.0
LEAST_GAIN: Final = 1.6
LARGEST_CRAM: Final = 0.6
_PARTS: Final = 4
_HEADER: Final = b"##made=up\n"


def main() -> int:
    """Print one JSON object a question; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, help="keeps simulated reads and their alignment for the next time")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with working_folder(given.work) as folder:
        made = prepare_sample(given.data, REPORTING, folder)
        met = [compare_sizes(made), compare_calling(made, given.rounds), compare_workflow(made, given.rounds)]
    return 0 if all(met) else 1


def compare_workflow(made: SimulatedSample, rounds: int) -> bool:
    """Take the sample through the warm stage and through a shell script of the same tools, in turns.

    Each is the first of every second round: a processor that slows down after a minute's work slows either down.
    """
    up("local", progress=lambda _: None)
    bundle = parse_bundle((made.reference.parent / "bundle.json").read_bytes())
    aligner = choose_aligner({file.role for file in bundle.files})
    platform, shell = [], []
    with TemporaryDirectory() as scratch:
        for turn in range(rounds):
            folder = Path(scratch) / str(turn)
            folder.mkdir()
            script = shell_script(made.reference, aligner, made.mates, made.stretch, folder)
            name = f"ANALYSIS-{time.time_ns()}"
            if turn % 2 == 0:
                shell.append(time_script(script))
            platform.append(time_platform(name, made.mates, made.reference.parent, made.stretch, folder))
            if turn % 2:
                shell.append(time_script(script))
    ratio = statistics.median(platform) / statistics.median(shell)
    return _tell("workflow", ratio <= SLOWEST, platform_s=platform, shell_s=shell, ratio=ratio, at_most=SLOWEST)


def compare_calling(made: SimulatedSample, rounds: int) -> bool:
    """Call the sample in one process and in parts over two."""
    one = [_time(lambda: call_whole(made)) for _ in range(rounds)]
    two = [_time(lambda: call_in_parts(made)) for _ in range(rounds)]
    gain = statistics.median(one) / statistics.median(two)
    return _tell("calling", gain >= LEAST_GAIN, one_s=one, two_s=two, gain=gain, at_least=LEAST_GAIN)


def compare_sizes(made: SimulatedSample) -> bool:
    """Write the reads as BAM, of the default compression, and compare."""
    with TemporaryDirectory() as scratch:
        bam = Path(scratch) / "a.bam"
        run_pipeline(
            [[*tool_command("samtools"), "view", "-b", "-T", str(made.reference), "-o", str(bam), str(made.cram)]]
        )
        share = made.cram.stat().st_size / bam.stat().st_size
    return _tell("cram", share <= LARGEST_CRAM, share_of_bam=share, at_most=LARGEST_CRAM)


def call_whole(made: SimulatedSample) -> None:
    """As CallVariants does."""
    gvcf, vcf = made.folder / "whole.g.vcf.gz", made.folder / "whole.vcf.gz"
    call_variants(made.reference, made.cram, made.stretch, header=_HEADER, gvcf=gvcf, vcf=vcf)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a sample: its number, what is its own, and where its calls go."""

    made: SimulatedSample
    number: int
    keep: tuple[Region, ...]
    wide: tuple[Region, ...]

    @property
    def gvcf(self) -> Path:
        """Where its calls go."""
        return self.made.folder / f"part{self.number}.g.vcf.gz"


def call_in_parts(made: SimulatedSample) -> None:
    """As PlanCalling, two jobs of CallParts at a time, and GatherCalls do."""
    parts = _parts(made)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(call_one_part, parts))
    gvcf, vcf = made.folder / "gathered.g.vcf.gz", made.folder / "gathered.vcf.gz"
    gather_calls(made.reference, [part.gvcf for part in parts], gvcf=gvcf, vcf=vcf)


def call_one_part(part: Part) -> None:
    """Call one part."""
    bed = part.gvcf.with_suffix(".bed")
    write_bed(part.wide, bed)
    call_gvcf(part.made.reference, part.made.cram, bed, header=_HEADER, gvcf=part.gvcf, keep=part.keep)


def _parts(made: SimulatedSample) -> list[Part]:
    lengths = parse_bundle((made.reference.parent / "bundle.json").read_bytes()).length_by_contig
    regions = parse_regions(made.stretch.read_bytes(), made.stretch.name, lengths)
    slices = read_crai(made.cram.with_suffix(".cram.crai").read_bytes())
    plan = plan_calling(slices, lengths, regions, part_bytes=1 + sum(s.size_bytes for s in slices) // _PARTS)
    kept = [plan.regions_of(number) for number in range(1, len(plan.parts) + 1)]
    return [
        Part(made, number, tuple(keep), tuple(widen(keep, lengths, regions)))
        for number, keep in enumerate(kept, start=1)
    ]


def _time(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _tell(question: str, met: bool, **figures: Any) -> bool:
    print(json.dumps({"question": question, "met": met, **figures}, default=str), flush=True)
    return met


if __name__ == "__main__":
    sys.exit(main())
