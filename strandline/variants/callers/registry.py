"""The callers that a lab may choose: how each is called, its version, and whether it can run here."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller
from strandline.reads.tools import read_output, tool_version
from strandline.variants import calling
from strandline.variants.callers import deepvariant, freebayes, gatk, parabricks
from strandline.variants.callers.whole_sample import WholeCall


@dataclass(frozen=True, slots=True)
class CallerTraits:
    """How a caller is run.

    Attributes:
        tool: the program that must be on PATH; None where a Python package brings it.
        version: what the program is asked for its version.
        scratch_factor: bytes that it writes on its way, for each byte of the CRAM; None where samples are called in
            parts, which fit anywhere.
    """

    tool: str | None = None
    version: str = "--version"
    scratch_factor: int | None = None

    @property
    def is_scattered(self) -> bool:
        """Whether a large sample is called in parts."""
        return self.scratch_factor is None


TRAITS: Final[Mapping[Caller, CallerTraits]] = {
    Caller.BCFTOOLS: CallerTraits(),
    Caller.FREEBAYES: CallerTraits(freebayes.TOOL),
    Caller.GATK: CallerTraits(gatk.TOOL, scratch_factor=6),
    Caller.DEEPVARIANT: CallerTraits(deepvariant.TOOL, scratch_factor=4),
    Caller.PARABRICKS: CallerTraits(parabricks.TOOL, version="version", scratch_factor=4),
}

CALL_GVCF: Final[Mapping[Caller, calling.GvcfCall]] = {
    Caller.BCFTOOLS: calling.call_gvcf,
    Caller.FREEBAYES: freebayes.call_gvcf,
}
"""The callers that CallVariants runs, as a whole or in parts."""

CALL_WHOLE: Final[Mapping[Caller, WholeCall]] = {
    Caller.GATK: gatk.call_gvcf,
    Caller.DEEPVARIANT: deepvariant.call_gvcf,
    Caller.PARABRICKS: parabricks.call_gvcf,
}
"""The callers that take a sample as a whole, each in its own step and image."""


def caller_version(caller: Caller) -> str:
    """Return the caller that runs here with its version, such as `freebayes 1.3.6`.

    Raises:
        subprocess.CalledProcessError, FileNotFoundError: where it does not run here.
    """
    traits = TRAITS[caller]
    if traits.tool is None:
        return tool_version("bcftools")
    printed = read_output([traits.tool, traits.version]).decode(errors="replace")
    found = re.search(r"\d+(?:\.\d+)+(?:-\d+)?", printed)
    return f"{caller} {found[0] if found else printed.strip()}"


def missing_tools(caller: Caller) -> list[str]:
    """Return the programs that a caller needs and this machine does not have."""
    tool = TRAITS[caller].tool
    return [tool] if tool and shutil.which(tool) is None else []


def check_installed(caller: Caller) -> None:
    """Refuse a caller that cannot run on this machine.

    Raises:
        RejectedInputError: `caller_not_installed`.
    """
    missing = missing_tools(caller)
    if missing:
        raise RejectedInputError(
            "caller_not_installed",
            f"the caller {caller} cannot run on this machine, where {' and '.join(missing)} is not on PATH: install "
            "it, choose another caller, or send the sample to a stage on AWS, whose images bring it",
        )
