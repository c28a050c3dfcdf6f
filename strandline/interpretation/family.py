"""What a trio says of a child's alleles: `family.json`, beside the child's calls, taken from the joint genotyping.

It is taken over by a person, who says why; what follows from it (PS2, PM6) is prepared, and theirs to decide.
"""

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from strandline.errors import RejectedInputError
from strandline.interpretation.points import read_criteria
from strandline.interpretation.rules import DeNovo
from strandline.reporting.report_rows import variant_key
from strandline.variants.records import VariantCall

if TYPE_CHECKING:
    from strandline.variants.joint_output import CohortReport

FAMILY_LIMIT_BYTES: Final = 16 << 20
_FEWEST_ALLELES: Final = "PS2_FEWEST_ALLELES"
_MOST_VIOLATIONS: Final = "PS2_MOST_VIOLATIONS"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NewAllele(_Frozen):
    """An allele that the child has and neither parent, with the doubts of the joint genotyping."""

    variant: str
    confidence: Literal["HIGH", "LOW"]
    posterior: float = Field(ge=0, le=1)
    doubts: tuple[str, ...] = ()


class Family(_Frozen):
    """One child of a cohort.

    Attributes:
        cohort_id: of the joint genotyping, and `sha256` of its `trio.json`.
        alleles: that somebody of the three has, all three genotypes trusted; `violations` of them break Mendel's rules.
        new: alleles that no parent has.
    """

    cohort_id: str = Field(pattern=r"^[0-9a-f]{24}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    child: str
    father: str
    mother: str
    alleles: int = Field(ge=0)
    violations: int = Field(ge=0)
    new: tuple[NewAllele, ...]

    @property
    def parents_confirmed(self) -> bool:
        """Whether so many alleles follow Mendel's rules that father and mother are who the pedigree says.

        Source: ClinGen SVI, "Recommendation for de novo PS2 and PM6", where genotypes of a trio confirm the parents.
        """
        limits = read_criteria().thresholds
        return self.alleles >= limits[_FEWEST_ALLELES] and self.violations <= limits[_MOST_VIOLATIONS] * self.alleles

    def de_novo_of(self, call: VariantCall) -> DeNovo:
        """Return what the trio says of a call of the child."""
        found = next((one for one in self.new if one.variant == variant_key(call)), None)
        said = (
            f"Trio {self.cohort_id}: {self.violations:,} of {self.alleles:,} alleles break Mendel's rules"
            + (f"; probability of being new {found.posterior:.3f}" if found else "")
            + "."
        )
        doubts = tuple(one.replace("_", " ") for one in found.doubts) if found else ()
        return DeNovo(found is not None, self.parents_confirmed, doubts, said)


def family_of(child: str, cohort_id: str, report: "CohortReport", sha256: str) -> Family:
    """Return what a cohort's report says of a child, by its sample id.

    Raises:
        RejectedInputError: `no_trio_of_child`.
    """
    trio = next((one for one in report.trios if one.child == child), None)
    if trio is None:
        raise RejectedInputError(
            "no_trio_of_child", f"the pedigree of cohort {cohort_id} does not have both parents of this sample"
        )
    new = [
        NewAllele(
            variant=f"{one.contig}:{one.position}:{one.ref}:{one.alt}",
            confidence=one.confidence.value,
            posterior=one.posterior,
            doubts=tuple(str(doubt) for doubt in one.doubts),
        )
        for one in trio.de_novos
    ]
    return Family(
        cohort_id=cohort_id,
        sha256=sha256,
        child=trio.child,
        father=trio.father,
        mother=trio.mother,
        alleles=trio.alleles,
        violations=trio.violations,
        new=tuple(new),
    )


def parse_family(body: bytes) -> Family:
    """Read `family.json`.

    Raises:
        RejectedInputError: `family_invalid`.
    """
    try:
        return Family.model_validate_json(body)
    except ValidationError:
        raise RejectedInputError("family_invalid", "family.json is not as it was written: take the trio anew") from None
