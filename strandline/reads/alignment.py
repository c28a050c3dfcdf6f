"""Read pairs to a sorted, duplicate-marked CRAM: the command lines of AlignReads, and what they measured."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import aligner_command, read_output, run_pipeline, tool_command

LOWEST_MAPPED_FRACTION: Final = 0.5
_SORT_MEMORY: Final = "256M"


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """The `@RG` line. Source: SAM specification section 1.3."""

    sample_id: str
    platform: str
    library: str

    def to_line(self) -> str:
        """Return the line with `\\t` between fields, as `bwa mem -R` takes it."""
        return f"@RG\\tID:{self.sample_id}\\tSM:{self.sample_id}\\tPL:{self.platform}\\tLB:{self.library}"


@dataclass(frozen=True, slots=True)
class AlignmentMetrics:
    """Counts of reads (not pairs); fractions between 0 and 1."""

    read_count: int
    mapped_fraction: float
    properly_paired_fraction: float
    duplicate_fraction: float


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


def align_commands(
    reference: Path, reads: tuple[Path, Path], cram: Path, *, aligner: Aligner, read_group: ReadGroup, threads: int
) -> list[list[str]]:
    """Return the pipeline from FASTQ to CRAM.

    `fixmate -m` gives `markdup` the mate scores that it compares (manual page of samtools-markdup). `-K` fixes the
    aligner's batches, so that the same input gives the same output whatever the number of threads; `-v 1` keeps it
    from repeating its command line, which holds the sample id, in the log.
    """
    samtools = tool_command("samtools")
    return [
        [
            *(*aligner.command, "mem", "-v", "1", "-t", str(threads), "-K", "10000000", "-R", read_group.to_line()),
            *(str(reference), str(reads[0]), str(reads[1])),
        ],
        [*samtools, "fixmate", "-m", "-u", "-", "-"],
        [*samtools, "sort", "-u", "-m", _SORT_MEMORY, "-T", str(cram.with_suffix(".sort")), "-"],
        [*samtools, "markdup", "-u", "-T", str(cram.with_suffix(".markdup")), "-", "-"],
        [*samtools, "view", "-C", "-T", str(reference), "-o", str(cram), "-"],
    ]


def align_reads(
    reference: Path, reads: tuple[Path, Path], cram: Path, *, aligner: Aligner, read_group: ReadGroup, threads: int
) -> AlignmentMetrics:
    """Align, sort, mark duplicates, write `cram` and its index, and measure.

    Raises:
        RejectedInputError: `low_mapping_rate`, where the reads are not of this reference.
        subprocess.CalledProcessError: where a tool failed.
    """
    run_pipeline(align_commands(reference, reads, cram, aligner=aligner, read_group=read_group, threads=threads))
    samtools = tool_command("samtools")
    run_pipeline([[*samtools, "index", str(cram)]])
    metrics = parse_flagstat(read_output([*samtools, "flagstat", "-O", "json", str(cram)]))
    check_mapping(metrics)
    return metrics


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


def check_mapping(metrics: AlignmentMetrics) -> None:
    """Stop a sample whose reads do not belong to the reference.

    Raises:
        RejectedInputError: `low_mapping_rate`.
    """
    if metrics.mapped_fraction < LOWEST_MAPPED_FRACTION:
        raise RejectedInputError(
            "low_mapping_rate",
            f"{metrics.mapped_fraction:.1%} of {metrics.read_count} reads align to the reference, at least "
            f"{LOWEST_MAPPED_FRACTION:.0%} must: the reads are of another organism, build or region; submit them with "
            "the reference they belong to",
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
