"""A sample that a caller takes as a whole, in an image of its own: what it is given, and what must come of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.reference_blocks import write_gvcf

_JAVA_SHARE: Final = 0.75  # of the job's memory; the rest is for what Java keeps beside its heap


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSample:
    """One sample on a worker.

    Attributes:
        reference: FASTA, its index and its sequence dictionary beside it.
        cram: sorted, duplicates marked, indexed.
        regions: BED; None for the whole reference.
        known_sites: indexed VCFs of sites where people differ.
        scratch: folder for whatever the caller writes on its way.
        is_targeted: whether an exome or a panel was sequenced, not a genome.
        threads: processors of the job.
        memory_mib: memory of the job.
        gpus: of the job.
    """

    reference: Path
    cram: Path
    regions: Path | None
    known_sites: tuple[Path, ...]
    scratch: Path
    is_targeted: bool
    threads: int
    memory_mib: int
    gpus: int

    @property
    def heap_mib(self) -> int:
        """What a Java program may take."""
        return int(self.memory_mib * _JAVA_SHARE)


class WholeCall(Protocol):
    """Calls a sample as a whole into a gVCF as `calling.GvcfCall` describes it, beside the caller's own."""

    def __call__(self, sample: WholeSample, *, header: bytes, gvcf: Path, tool_gvcf: Path) -> None:
        """Write both gVCFs; subprocess.CalledProcessError where a tool failed."""


def carried_command(tool_gvcf: Path, called: Path) -> list[str]:
    """Return the command that takes the variants out of a caller's gVCF, without alleles that the sample lacks.

    `--trim-alt-alleles` drops `<*>` with its depths and likelihoods (manual page of bcftools, view).
    """
    only = ["--include", 'GT="alt"', "--trim-alt-alleles"]
    return [*tool_command("bcftools"), "view", *only, "-Ob1", "-o", str(called), str(tool_gvcf)]


def write_from_own_gvcf(sample: WholeSample, tool_gvcf: Path, *, header: bytes, gvcf: Path) -> None:
    """Write the gVCF from the caller's own, which holds its variants and its blocks.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    called = sample.scratch / "carried.bcf"
    run_pipeline([carried_command(tool_gvcf, called)])
    write_gvcf(sample.reference, tool_gvcf, called, gvcf, header=header)
