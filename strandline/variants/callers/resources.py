"""What a caller that takes a sample as a whole is given, by the size of the sample."""

import math
from dataclasses import dataclass, replace
from typing import Final

from strandline.errors import RejectedInputError

SMALL_BYTES: Final = 2 << 30
"""A CRAM under this is of an exome, a panel or a shallow genome; so are the gVCFs of a cohort together."""

_SHARE: Final = 4
_GIB: Final = 1 << 30
_IMAGE_GIB: Final = 20  # the image and the reference


@dataclass(frozen=True, slots=True)
class Resources:
    """Processors, mebibytes of memory, GPUs and gibibytes of scratch of one job."""

    vcpus: int
    memory_mib: int
    gpus: int
    scratch_gib: int

    @property
    def more_memory_mib(self) -> int:
        """What it is given once where it ran out of memory."""
        return 2 * self.memory_mib

    @property
    def as_asked(self) -> dict[str, str]:
        """What a workflow asks Batch for: numbers are text there."""
        asked = {"vcpus": self.vcpus, "memory_mib": self.memory_mib, "more_memory_mib": self.more_memory_mib}
        return {name: str(value) for name, value in asked.items()}


def resources_for(most: Resources, cram_bytes: int, *, scratch_factor: int) -> Resources:
    """Return what a sample needs, at most what the stage gives a genome.

    Args:
        most: of the stage's job definition and machines.
        cram_bytes: of the aligned reads.
        scratch_factor: bytes that the caller writes on its way, for each byte of the CRAM.

    A small sample gets a quarter of the processors and memory. A GPU machine is never shared.

    Raises:
        RejectedInputError: `scratch_too_small`, where the stage's machines have less disk than the caller needs.

    >>> resources_for(Resources(32, 131_072, 0, 500), 1 << 30, scratch_factor=3)
    Resources(vcpus=8, memory_mib=32768, gpus=0, scratch_gib=23)
    """
    return _fit(most, cram_bytes, scratch_factor, who="the caller", what="sample", instead="choose another caller")


def resources_for_cohort(most: Resources, gvcf_bytes: int, *, scratch_factor: int) -> Resources:
    """Return what a cohort needs, at most what the stage gives one of genomes.

    Args:
        most: of the stage's job definition and machines.
        gvcf_bytes: of the callers' own gVCFs of all members; under 2 GiB together they are of exomes, panels or few
            bases.
        scratch_factor: bytes that the tool needs for each of these.

    Raises:
        RejectedInputError: `scratch_too_small`, where the stage's machines have less disk than the tool needs.
    """
    return _fit(
        most, gvcf_bytes, scratch_factor, who="joint genotyping", what="cohort", instead="genotype fewer samples"
    )


def _fit(most: Resources, size_bytes: int, scratch_factor: int, *, who: str, what: str, instead: str) -> Resources:
    scratch_gib = _IMAGE_GIB + math.ceil(scratch_factor * size_bytes / _GIB)
    if scratch_gib > most.scratch_gib:
        raise RejectedInputError(
            "scratch_too_small",
            f"{who} needs {scratch_gib} GiB of scratch for this {what} and the stage's machines have "
            f"{most.scratch_gib}: {instead}, or give the stage more (scratch_gib)",
        )
    if size_bytes >= SMALL_BYTES or most.gpus:
        return replace(most, scratch_gib=scratch_gib)
    vcpus, memory_mib = max(1, most.vcpus // _SHARE), most.memory_mib // _SHARE
    return Resources(vcpus, memory_mib, most.gpus, scratch_gib)
