"""A cohort that a tool genotypes as a whole, in an image of its own: what it is given, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from strandline.landing.regions import Region

_JAVA_SHARE: Final = 0.75  # of the job's memory; GenomicsDB keeps its own beside Java's heap
_MIB_A_GIB: Final = 1_024

Assay = Literal["WGS", "WES", "PANEL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeCohort:
    """A cohort on a worker.

    Attributes:
        reference: FASTA, its index and its sequence dictionary beside it.
        contigs: lengths by name, in the order of the reference.
        gvcf_by_sample: each caller's own gVCF, its index beside it, by the name in its column.
        regions: where anybody was analysed, merged and in the order of the reference; None for everywhere.
        assay: of the members, the narrowest where they differ.
        training: VCFs of sites that a model learns from, by `ReferenceRole`.
        scratch: folder for whatever the tool writes on its way.
        threads: processors of the job.
        memory_mib: memory of the job.
    """

    reference: Path
    contigs: Mapping[str, int]
    gvcf_by_sample: Mapping[str, Path]
    regions: tuple[Region, ...] | None
    assay: Assay
    training: Mapping[str, Path]
    scratch: Path
    threads: int
    memory_mib: int

    @property
    def heap_mib(self) -> int:
        """What a Java program may take."""
        return int(self.memory_mib * _JAVA_SHARE)

    @property
    def budget_gib(self) -> int:
        """What another program may plan with."""
        return max(1, int(self.memory_mib * _JAVA_SHARE) // _MIB_A_GIB)

    @property
    def targets(self) -> Path:
        """Where the BED of what is genotyped lies: the regions, or all of every contig."""
        return self.scratch / "genotyped.bed"


class CohortCall(Protocol):
    """Genotypes a cohort as a whole."""

    def __call__(self, cohort: WholeCohort) -> tuple[Path, str]:
        """Return the tool's VCF or BCF, sorted, and in words what marked its sites.

        Raises:
            subprocess.CalledProcessError: where the tool failed.
        """


def write_targets(cohort: WholeCohort) -> Path:
    """Write the BED that `targets` names."""
    regions = cohort.regions or tuple(Region(name, 0, length) for name, length in cohort.contigs.items())
    cohort.targets.write_text("".join(f"{one.contig}\t{one.start0}\t{one.end0}\n" for one in regions))
    return cohort.targets
