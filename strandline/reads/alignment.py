"""The lanes of a sample to a sorted, duplicate-marked CRAM: the commands of AlignReads, and what they measured."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from strandline.errors import RejectedInputError
from strandline.reads.cram import count_records
from strandline.reads.lanes import QUICK_BAM, Lane, check_mates, check_nothing_lost, interleave_commands
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import Tap, aligner_command, read_output, run_pipeline, tool_command

_SORT_MEMORY: Final = "256M"


@dataclass(frozen=True, slots=True)
class AlignmentMetrics:
    """Counts of reads (not pairs); fractions between 0 and 1."""

    read_count: int
    mapped_fraction: float
    properly_paired_fraction: float
    duplicate_fraction: float


class Along(Protocol):
    """Counts records while they are written; what it counted is there once `read` has returned."""

    def read(self, chunks: Iterator[bytes]) -> None:
        """Take the sorted records, duplicates marked, as a BAM in pieces of any size."""

    @property
    def metrics(self) -> AlignmentMetrics:
        """As `samtools flagstat` counts."""

    @property
    def record_count(self) -> int:
        """All records, secondary and supplementary ones among them."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """An aligner that runs here; `index` is the role of the files that it needs beside the FASTA."""

    command: tuple[str, ...]
    index: ReferenceRole


def choose_aligner(indexed_for: Collection[ReferenceRole]) -> Aligner:
    """Return the fastest aligner that runs here and whose index the reference bundle has.

    Raises:
        RejectedInputError: `reference_not_indexed`, where the bundle has no index for any of them.
    """
    wanted = []
    for name, index in (("bwa-mem2", ReferenceRole.BWA_MEM2_INDEX), ("bwa", ReferenceRole.BWA_INDEX)):
        command = aligner_command(name)
        if command and index in indexed_for:
            return Aligner(command, index)
        if command:
            wanted.append(name)
    raise RejectedInputError(
        "reference_not_indexed",
        f"the reference bundle has no index for {' or '.join(wanted) or 'any aligner'}, which is what runs here: "
        "make the bundle where that aligner is installed and register it anew",
    )


def align_pipelines(
    reference: Path, lanes: Sequence[Lane], cram: Path, *, aligner: Aligner, threads: int
) -> list[list[list[str]]]:
    """Return the pipelines from the lanes of a sample to CRAM, to be run in turn; one lane is one pipeline.

    Duplicates are marked over all lanes of a library, because copies of one molecule lie in any of them, and library
    by library, because two libraries hold no copies of one molecule while `samtools markdup` looks at positions alone.
    `fixmate -m` gives `markdup` the mate scores that it compares (manual page of samtools-markdup).
    """
    samtools = tool_command("samtools")
    plan = _Plan(reference, lanes, cram, aligner, threads)
    to_cram = [*samtools, "view", "-C", "-T", str(reference), "-o", str(cram), "-"]
    numbers_by_library: dict[str, list[int]] = {}
    for number, lane in enumerate(lanes):
        numbers_by_library.setdefault(lane.read_group.library, []).append(number)
    if len(numbers_by_library) == 1:
        markdup = [*samtools, "markdup", "-u", "-T", str(cram.with_suffix(".markdup")), "-", "-"]
        return plan.library_pipelines(range(len(lanes)), [markdup, to_cram])
    pipelines: list[list[list[str]]] = []
    libraries = [cram.with_suffix(f".library{number}.bam") for number in range(len(numbers_by_library))]
    for numbers, library in zip(numbers_by_library.values(), libraries, strict=True):
        scratch = str(library.with_suffix(".markdup"))
        markdup = [*samtools, "markdup", "--output-fmt", QUICK_BAM, "-T", scratch, "-", str(library)]
        pipelines += plan.library_pipelines(numbers, [markdup])
    return [*pipelines, [_merge_command(libraries), to_cram]]


def align_reads(
    reference: Path,
    lanes: Sequence[Lane],
    cram: Path,
    *,
    aligner: Aligner,
    threads: int,
    along: Along | None = None,
) -> AlignmentMetrics:
    """Align, sort, mark duplicates, write `cram` and its index, and measure.

    Args:
        reference: FASTA with its indexes.
        lanes: of one sample.
        cram: output.
        aligner: that the reference is indexed for.
        threads: of the aligner.
        along: is given the sorted records while they go into the CRAM, where encoding leaves a core idle; without it
            the CRAM is decoded again to be measured.

    Raises:
        RejectedInputError: `reads_unpaired` or `read_names_repeated`, where a BAM or CRAM does not come apart into
            pairs.
        subprocess.CalledProcessError: where a tool failed.
        RuntimeError: where the CRAM holds not as many records as went into it.
    """
    pipelines = align_pipelines(reference, lanes, cram, aligner=aligner, threads=threads)
    for pipeline in pipelines:
        is_last = pipeline is pipelines[-1]
        run_pipeline(pipeline, tap=Tap(len(pipeline) - 1, along.read) if along and is_last else None)
        for number, lane in enumerate(lanes):
            check_mates(_lane_scratch(cram, number), lane.reads[0])
    index_reads(cram)
    metrics = _metrics_of(cram, along)
    check_nothing_lost(lanes, metrics.read_count, reference)
    return metrics


def index_reads(cram: Path) -> None:
    """Write the index beside sorted reads.

    Raises:
        subprocess.CalledProcessError: where the tool failed.
    """
    run_pipeline([[*tool_command("samtools"), "index", str(cram)]])


def parse_flagstat(output: bytes) -> AlignmentMetrics:
    """Read what `samtools flagstat -O json` prints.

    >>> flags = {"primary": 10, "primary mapped": 9, "properly paired": 8, "primary duplicates": 1}
    >>> parse_flagstat(json.dumps({"QC-passed reads": flags}).encode())
    AlignmentMetrics(read_count=10, mapped_fraction=0.9, properly_paired_fraction=0.8, duplicate_fraction=0.1)
    """
    counts = json.loads(output)["QC-passed reads"]
    reads = counts["primary"]

    def fraction(name: str) -> float:
        return float(counts[name]) / reads if reads else 0.0

    return AlignmentMetrics(
        read_count=reads,
        mapped_fraction=fraction("primary mapped"),
        properly_paired_fraction=fraction("properly paired"),
        duplicate_fraction=fraction("primary duplicates"),
    )


def describe(command: Sequence[str]) -> str:
    """Return a command line for a header, without folders and interpreter, which differ from machine to machine.

    >>> describe(["/opt/bin/samtools", "view", "-o", "/scratch/tmp1/x.cram"])
    'samtools view -o x.cram'
    """
    parts = [Path(part).name if part.startswith("/") else part for part in command]
    if parts[1:2] == ["-m"]:
        parts = parts[3:] if parts[2].endswith("embedded_htslib") else ["embedded_bwa", *parts[3:]]
    return " ".join(parts)


def _metrics_of(cram: Path, along: Along | None) -> AlignmentMetrics:
    if along is None:
        return parse_flagstat(read_output([*tool_command("samtools"), "flagstat", "-O", "json", str(cram)]))
    written = count_records(cram)
    if written != along.record_count:
        raise RuntimeError(f"{along.record_count} records went into {cram.name} and {written} are in it")
    return along.metrics


@dataclass(frozen=True, slots=True)
class _Plan:
    """The command lines of one sample; its files in scratch lie beside `cram`."""

    reference: Path
    lanes: Sequence[Lane]
    cram: Path
    aligner: Aligner
    threads: int

    def library_pipelines(self, numbers: Sequence[int], ending: Sequence[list[str]]) -> list[list[list[str]]]:
        """Return the pipelines that hand the sorted alignments of some lanes to `ending`."""
        if len(numbers) == 1:
            return [[*self._lane_commands(numbers[0]), self._sort_command(numbers[0], "-u"), *ending]]
        pipelines, paths = [], []
        for number in numbers:
            paths.append(Path(f"{_lane_scratch(self.cram, number)}.bam"))
            sort = self._sort_command(number, "-l", "1", "-o", str(paths[-1]))
            pipelines.append([*self._lane_commands(number), sort])
        return [*pipelines, [_merge_command(paths), *ending]]

    def _sort_command(self, number: int, *output: str) -> list[str]:
        scratch = f"{_lane_scratch(self.cram, number)}.sort"
        return [*tool_command("samtools"), "sort", *output, "-m", _SORT_MEMORY, "-T", scratch, "-"]

    def _lane_commands(self, number: int) -> list[list[str]]:
        """Return what brings the reads of a lane to alignments in which mates know each other, to be sorted.

        `-K` fixes the aligner's batches, so that the same input gives the same output whatever the number of threads;
        `-v 1` keeps it from repeating its command line, which holds the sample id, in the log.
        """
        lane = self.lanes[number]
        options = ["-v", "1", "-t", str(self.threads), "-K", "10000000", "-R", lane.read_group.to_line()]
        align = [*self.aligner.command, "mem", *options]
        fixmate = [*tool_command("samtools"), "fixmate", "-m", "-u", "-", "-"]
        if len(lane.reads) == 2:
            return [[*align, str(self.reference), *map(str, lane.reads)], fixmate]
        reads = interleave_commands(lane.reads[0], _lane_scratch(self.cram, number), self.reference)
        return [*reads, [*align, "-p", str(self.reference), "-"], fixmate]


def _lane_scratch(cram: Path, number: int) -> Path:
    """Return what the names of a lane's files begin with."""
    return cram.with_suffix(f".lane{number}")


def _merge_command(sources: Sequence[Path]) -> list[str]:
    """Merge sorted BAM files; `-s` fixes the names that repeated @PG lines are given."""
    return [*tool_command("samtools"), "merge", "-u", "-s", "1", "-o", "-", *map(str, sources)]
