"""How fast files are validated, beside peers in turns on the same made-up files, as whole processes.

`python -m benchmarks.validate [--scratch DIR] [--rounds N] [--sections NAME...]`. Prints a JSON row a tool and file,
with what it is held to; ends with 1 where a limit is missed. A peer that is not installed is skipped and named.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.made_up_alignments import make_alignments
from benchmarks.made_up_calls import make_calls
from benchmarks.made_up_pairs import make_pairs

CHECK_PAIR: Final = """
import sys
from pathlib import Path
from strandline.landing.fastq import FastqSource, validate_fastq_pair

def chunks(path):
    with Path(path).open("rb") as source:
        while chunk := source.read(1 << 20):
            yield chunk

validate_fastq_pair(*(FastqSource(path, chunks(path)) for path in sys.argv[1:]))
"""
COMMAND: Final = str(Path(sys.executable).with_name("strandline"))
PAIRS: Final = (1_000_000, 4_000_000)
FASTP_FACTOR: Final = 5.0
CALLS: Final = (250_000, 1_000_000)  # records of one sample
WIDE_CALLS: Final = (25_000, 100)  # records, samples
CALLS_A_SECOND: Final = 100_000
WIDE_CALLS_A_SECOND: Final = 5_000
VIEW: Final = "import sys, pysam.bcftools as b; b.view('-Ou', '-o', '/dev/null', sys.argv[1], catch_stdout=False)"
LOOP: Final = "import sys, pysam; print(sum(1 for _ in pysam.VariantFile(sys.argv[1])))"
ALIGNMENTS: Final = (500_000, 2_000_000)  # records of a BAM
ALIGNMENTS_A_SECOND: Final = 150_000
COUNT_ALIGNMENTS: Final = "import sys, pysam; print(pysam.view('-c', sys.argv[1]))"
LOOP_ALIGNMENTS: Final = "import sys, pysam; print(sum(1 for _ in pysam.AlignmentFile(sys.argv[1])))"
QUICK_CHECK: Final = "import sys, pysam; pysam.quickcheck(sys.argv[1])"
MEMORY_LIMIT_MB: Final = 200
GROWTH_LIMIT: Final = 1.25


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one input.

    Attributes:
        seconds: wall time, start of the process included; the median of `rounds_s`.
        cpu_s: processor time of all its processes, the median.
        peak_mb: resident memory of the largest process, the most of all rounds.
    """

    section: str
    tool: str
    records: int
    seconds: float
    records_per_s: int
    cpu_s: float
    peak_mb: int
    rounds_s: list[float]


@dataclass(frozen=True, slots=True)
class Limit:
    """What is held: a name, the figure, and whether it is on the right side."""

    section: str
    says: str
    figure: float
    is_held: bool


Section = Callable[[Path, int], tuple[list[Row], list[Limit]]]
Commands = Sequence[Sequence[str]]


def main() -> int:
    """Run the sections; 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "strandline-benchmarks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    given = parser.parse_args()
    missed = False
    for name in given.sections:
        rows, limits = SECTIONS[name](given.scratch, given.rounds)
        for row in rows:
            print(json.dumps(asdict(row)))
        for limit in limits:
            print(json.dumps(asdict(limit)))
        missed |= not all(limit.is_held for limit in limits)
    return int(missed)


def validate_fastq_pairs(scratch: Path, rounds: int) -> tuple[list[Row], list[Limit]]:
    """Hold the check that functions and jobs run against `gzip -dc` of both files at once, and against fastp."""
    rows: list[Row] = []
    for pairs in PAIRS:
        first, second = map(str, make_pairs(scratch, pairs))
        fastp = ["fastp", "-A", "-Q", "-L", "-G", "-w", "2", "-j", os.devnull, "-h", os.devnull]
        tools: dict[str, Commands] = {
            "strandline, the library alone": [[sys.executable, "-c", CHECK_PAIR, first, second]],
            "strandline validate": [[COMMAND, "validate", first, second, "--format", "json"]],
            "gzip -dc, both at once": [["gzip", "-dc", first], ["gzip", "-dc", second]],
            "igzip -dc, both at once": [["igzip", "-dc", first], ["igzip", "-dc", second]],
            "fastp without filters": [[*fastp, "-i", first, "-I", second]],
        }
        rows += measure("fastq", pairs, tools, rounds)
    ours, gzip, fastp_rows = (
        [row for row in rows if row.tool.startswith(name)] for name in ("strandline, the library", "gzip", "fastp")
    )
    limits = [
        Limit("fastq", "times as fast as gzip -dc of both files at once, over 1", *_at_least(our, peer, 1.0))
        for our, peer in zip(ours, gzip, strict=True)
    ]
    limits += [
        Limit("fastq", f"times as fast as fastp, at least {FASTP_FACTOR:g}", *_at_least(our, peer, FASTP_FACTOR))
        for our, peer in zip(ours, fastp_rows, strict=False)
    ]
    peak, growth = max(row.peak_mb for row in ours), ours[-1].peak_mb / ours[0].peak_mb
    limits += [
        Limit("fastq", f"peak memory in MB, under {MEMORY_LIMIT_MB}", peak, peak < MEMORY_LIMIT_MB),
        Limit(
            "fastq", f"peak memory on four times the pairs, under {GROWTH_LIMIT:g} times", growth, growth < GROWTH_LIMIT
        ),
    ]
    return rows, limits


def validate_vcf_files(scratch: Path, rounds: int) -> tuple[list[Row], list[Limit]]:
    """Hold `strandline validate` to records a second on one core, beside readers that check little."""
    rows: list[Row] = []
    for records, samples in (*((count, 1) for count in CALLS), WIDE_CALLS):
        path = str(make_calls(scratch, records, samples))
        label = f" ({samples} samples)" if samples > 1 else ""
        tools: dict[str, Commands] = {
            f"strandline validate{label}": [[COMMAND, "validate", path, "--format", "json"]],
            f"bcftools view -Ou{label}": [["bcftools", "view", "-Ou", "-o", os.devnull, path]],
            f"bcftools of pysam, view -Ou{label}": [[sys.executable, "-c", VIEW, path]],
            f"pysam loop, nothing unpacked{label}": [[sys.executable, "-c", LOOP, path]],
        }
        rows += measure("vcf", records, tools, rounds)
    *single, wide = [row for row in rows if row.tool.startswith("strandline")]
    narrow_rate, wide_rate, peak = single[-1].records_per_s, wide.records_per_s, max(row.peak_mb for row in single)
    growth = single[-1].peak_mb / single[0].peak_mb
    limits = [
        Limit("vcf", f"records a second, over {CALLS_A_SECOND}", narrow_rate, narrow_rate > CALLS_A_SECOND),
        Limit("vcf", f"of 100 samples, over {WIDE_CALLS_A_SECOND}", wide_rate, wide_rate > WIDE_CALLS_A_SECOND),
        Limit("vcf", f"peak memory in MB, under {MEMORY_LIMIT_MB}", peak, peak < MEMORY_LIMIT_MB),
        Limit(
            "vcf", f"peak memory on four times the records, under {GROWTH_LIMIT:g} times", growth, growth < GROWTH_LIMIT
        ),
    ]
    return rows, limits


def validate_bam_files(scratch: Path, rounds: int) -> tuple[list[Row], list[Limit]]:
    """Hold `strandline validate` to records a second of processor time, beside readers that check little or nothing."""
    rows: list[Row] = []
    for records in ALIGNMENTS:
        path = str(make_alignments(scratch, records))
        tools: dict[str, Commands] = {
            "strandline validate": [[COMMAND, "validate", path, "--format", "json"]],
            "samtools view -c of pysam": [[sys.executable, "-c", COUNT_ALIGNMENTS, path]],
            "pysam loop": [[sys.executable, "-c", LOOP_ALIGNMENTS, path]],
            "samtools quickcheck of pysam, the end alone": [[sys.executable, "-c", QUICK_CHECK, path]],
        }
        rows += measure("bam", records, tools, rounds)
    small, large = (row for row in rows if row.tool.startswith("strandline"))
    rate, growth = large.records / large.cpu_s, large.peak_mb / small.peak_mb
    limits = [
        Limit("bam", f"records a second of one core, over {ALIGNMENTS_A_SECOND}", rate, rate > ALIGNMENTS_A_SECOND),
        Limit("bam", f"peak memory in MB, under {MEMORY_LIMIT_MB}", large.peak_mb, large.peak_mb < MEMORY_LIMIT_MB),
        Limit(
            "bam", f"peak memory on four times the records, under {GROWTH_LIMIT:g} times", growth, growth < GROWTH_LIMIT
        ),
    ]
    return rows, limits


SECTIONS: Final[Mapping[str, Section]] = {
    "fastq": validate_fastq_pairs,
    "vcf": validate_vcf_files,
    "bam": validate_bam_files,
}


def measure(section: str, records: int, tools: Mapping[str, Commands], rounds: int) -> list[Row]:
    """Run the tools in turns, so that a noisy machine is noisy for all; each tool is commands that run at once."""
    present = {tool: commands for tool, commands in tools.items() if shutil.which(commands[0][0])}
    for tool in tools.keys() - present.keys():
        sys.stderr.write(f"skipped: {tool} is not installed\n")
    results: dict[str, list[Run]] = {tool: [] for tool in present}
    for _ in range(rounds):
        for tool, commands in present.items():
            results[tool].append(run_at_once(commands))
    rows = []
    for tool, runs in results.items():
        median = statistics.median(run.wall_s for run in runs)
        rows.append(
            Row(
                section,
                tool,
                records,
                seconds=round(median, 3),
                records_per_s=round(records / median),
                cpu_s=round(statistics.median(run.cpu_s for run in runs), 3),
                peak_mb=max(run.peak_mb for run in runs),
                rounds_s=[round(run.wall_s, 3) for run in runs],
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Run:
    """What commands that ran at once took together; memory is the largest process's."""

    wall_s: float
    cpu_s: float
    peak_mb: int


def run_at_once(commands: Commands) -> Run:
    """Run commands until all have ended.

    Raises:
        RuntimeError: one failed.
    """
    began = time.monotonic()
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands
    ]
    peak_kb, cpu_s = 0, 0.0
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak_kb = max(peak_kb, usage.ru_maxrss)
        cpu_s += usage.ru_utime + usage.ru_stime
    wall_s = time.monotonic() - began
    for process in processes:
        if process.returncode:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return Run(wall_s, cpu_s, peak_kb >> 10)


def _at_least(ours: Row, peer: Row, factor: float) -> tuple[float, bool]:
    """Return how many times as fast we are, and whether that is more than `factor`."""
    times = peer.seconds / ours.seconds
    return round(times, 2), times > factor


if __name__ == "__main__":
    sys.exit(main())
