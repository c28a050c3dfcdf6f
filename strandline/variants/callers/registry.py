"""The callers that a lab may choose: how each is called, its version, and whether it can run here."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller
from strandline.reads.tools import tool_version
from strandline.variants import calling
from strandline.variants.callers import freebayes


@dataclass(frozen=True, slots=True)
class CallerTraits:
    """How a caller is run.

    Attributes:
        tools: programs that must be on PATH, beside those that Python packages bring.
    """

    tools: tuple[str, ...]


TRAITS: Final[Mapping[Caller, CallerTraits]] = {
    Caller.BCFTOOLS: CallerTraits(()),
    Caller.FREEBAYES: CallerTraits((freebayes.TOOL,)),
}

CALL_GVCF: Final[Mapping[Caller, calling.GvcfCall]] = {
    Caller.BCFTOOLS: calling.call_gvcf,
    Caller.FREEBAYES: freebayes.call_gvcf,
}
"""The callers that CallVariants runs, as a whole or in parts."""

_VERSION: Final[Mapping[Caller, Callable[[], str]]] = {
    Caller.BCFTOOLS: partial(tool_version, "bcftools"),
    Caller.FREEBAYES: freebayes.freebayes_version,
}


def caller_version(caller: Caller) -> str:
    """Return the caller that runs here with its version, such as `bcftools 1.21`."""
    return _VERSION[caller]()


def missing_tools(caller: Caller) -> list[str]:
    """Return the programs that a caller needs and this machine does not have."""
    return [tool for tool in TRAITS[caller].tools if shutil.which(tool) is None]


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
