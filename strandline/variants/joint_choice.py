"""What genotypes a cohort together: the way that belongs to the caller of its samples.

GATK's gVCFs carry what GATK's own joint genotyping needs of them, DeepVariant's are what GLnexus was tuned for; those
of bcftools and freebayes are genotyped by reads and blocks, as `joint` does.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller


class JointCaller(StrEnum):
    """What genotypes a cohort."""

    READS = "reads"
    """This platform's own: `joint.genotype_jointly`."""
    GATK = "gatk"
    GLNEXUS = "glnexus"


@dataclass(frozen=True, slots=True)
class JointTraits:
    """How a tool that takes a cohort as a whole is run.

    Attributes:
        tool: the program that must be on PATH.
        version: what it is asked for its version.
        scratch_factor: bytes that it needs, for each byte of the members' gVCFs; these lie there too.
    """

    tool: str
    version: str
    scratch_factor: int


JOINT_BY_CALLER: Final[Mapping[Caller, JointCaller]] = {
    Caller.BCFTOOLS: JointCaller.READS,
    Caller.FREEBAYES: JointCaller.READS,
    Caller.GATK: JointCaller.GATK,
    Caller.DEEPVARIANT: JointCaller.GLNEXUS,
    Caller.PARABRICKS: JointCaller.GLNEXUS,  # DeepVariant on GPUs, and its gVCF
}
JOINT_TRAITS: Final[Mapping[JointCaller, JointTraits]] = {
    JointCaller.GATK: JointTraits("gatk", "--version", scratch_factor=4),
    JointCaller.GLNEXUS: JointTraits("glnexus_cli", "--help", scratch_factor=5),
}


def choose_joint(caller_by_name: Mapping[str, Caller]) -> JointCaller:
    """Return what genotypes samples together, by the caller of each; the names are for the message.

    Raises:
        RejectedInputError: `members_of_different_callers`.

    >>> choose_joint({"KID": Caller.GATK, "DAD": Caller.GATK})
    <JointCaller.GATK: 'gatk'>
    """
    (first, caller), *others = caller_by_name.items()
    for name, other in others:
        if other is not caller:
            raise RejectedInputError(
                "members_of_different_callers",
                f"{first} was called with {caller} and {name} with {other}, whose qualities and gVCFs do not compare: "
                "submit one of them anew with the caller of the other",
            )
    return JOINT_BY_CALLER[caller]


def missing_joint_tools(joint: JointCaller) -> list[str]:
    """Return the programs that genotyping a cohort needs and this machine does not have."""
    traits = JOINT_TRAITS.get(joint)
    return [traits.tool] if traits and shutil.which(traits.tool) is None else []


def check_joint_installed(joint: JointCaller) -> None:
    """Refuse a cohort that cannot be genotyped on this machine.

    Raises:
        RejectedInputError: `joint_caller_not_installed`.
    """
    missing = missing_joint_tools(joint)
    if missing:
        raise RejectedInputError(
            "joint_caller_not_installed",
            f"samples of this caller are genotyped together by {joint}, which cannot run on this machine, where "
            f"{' and '.join(missing)} is not on PATH: install it, submit the samples with another caller, or send them "
            "to a stage on AWS, whose images bring it",
        )


def joint_version(joint: JointCaller) -> str:
    """Return the tool that runs here with its version, such as `glnexus 1.4.1`.

    GLnexus says its version on stderr, whatever it is asked.

    Raises:
        FileNotFoundError: where it does not run here.
    """
    traits = JOINT_TRAITS[joint]
    said = subprocess.run([traits.tool, traits.version], check=False, capture_output=True)
    found = re.search(r"v(\d+(?:\.\d+)+)", (said.stderr + said.stdout).decode(errors="replace"))
    return f"{joint} {found[1] if found else 'unknown'}"
