"""The sex that reads speak for: depth on X and Y beside the autosomes, and heterozygosity on X.

Pseudoautosomal regions are left out, for there X and Y are alike. Source of their places: Genome Reference Consortium,
human assemblies GRCh37 and GRCh38.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region, merge_regions
from strandline.reads.coverage import RegionDepth

FEWEST_BASES: Final = 10_000
"""Bases analysed on X, and on autosomes, before a ratio of depths means anything."""

LOWEST_AUTOSOMAL_DEPTH: Final = 5.0
ONE_X_BELOW: Final = 0.65
TWO_X_ABOVE: Final = 0.8
Y_ABOVE: Final = 0.25
NO_Y_BELOW: Final = 0.1

_PSEUDOAUTOSOMAL: Final = {  # 0-based, half-open
    "GRCh37": {
        "X": ((60_000, 2_699_520), (154_931_043, 155_260_560)),
        "Y": ((10_000, 2_649_520), (59_034_049, 59_363_566)),
    },
    "GRCh38": {
        "X": ((10_000, 2_781_479), (155_701_382, 156_030_895)),
        "Y": ((10_000, 2_781_479), (56_887_902, 57_217_415)),
    },
}
_AUTOSOMES: Final = frozenset(str(number) for number in range(1, 23))


class SexFinding(StrEnum):
    """What the depths speak for."""

    FEMALE = "FEMALE"
    MALE = "MALE"
    OTHER = "OTHER"
    """X and Y contradict each other: another number of sex chromosomes, or a mixture of two persons."""
    UNDETERMINED = "UNDETERMINED"


@dataclass(frozen=True, slots=True)
class SexCheck:
    """The sex found and what it was found by.

    Attributes:
        declared: as the lab said.
        found: what the reads speak for.
        reason: why nothing could be found; empty where something was.
        x_ratio: mean depth on X over that on autosomes, about 1 for two copies and 0.5 for one; None if not analysed.
        y_ratio: the same of Y; None where Y is not analysed.
        x_heterozygosity: heterozygous of the known sites on X, None without any.
    """

    declared: Sex
    found: SexFinding
    reason: str = ""
    x_ratio: float | None = None
    y_ratio: float | None = None
    x_heterozygosity: float | None = None

    @property
    def is_mismatch(self) -> bool:
        """Whether the reads speak for another sex than the declared one, or for neither."""
        return self.declared is not Sex.UNKNOWN and self.found not in {
            SexFinding.UNDETERMINED,
            SexFinding(self.declared.value),
        }


def without_pseudoautosomal(regions: Sequence[Region], assembly: str | None) -> list[Region]:
    """Return the merged regions on autosomes, X and Y, cut so that none is pseudoautosomal.

    Args:
        regions: what is analysed; 0-based, half-open.
        assembly: GRCh37 or GRCh38; of any other nothing is cut out.
    """
    kept = []
    for region in merge_regions(list(regions)):
        name = _plain(region.contig)
        if name in {"X", "Y"}:
            kept += _cut(region, _PSEUDOAUTOSOMAL.get(assembly or "", {}).get(name, ()))
        elif name in _AUTOSOMES:
            kept.append(region)
    return kept


def check_sex(depths: Sequence[RegionDepth], declared: Sex, *, x_heterozygosity: float | None = None) -> SexCheck:
    """Compare depths on X, Y and autosomes, over the regions of `without_pseudoautosomal`.

    One X is a ratio under 0.65, two are one over 0.8: between 0.5 and 1, with room for uneven capture. Y is there over
    0.25 and absent under 0.1.
    """
    autosomes, x, y = (_Sum.of(depths, names) for names in (_AUTOSOMES, {"X"}, {"Y"}))

    def undetermined(reason: str) -> SexCheck:
        return SexCheck(declared, SexFinding.UNDETERMINED, reason)

    if x.bases < FEWEST_BASES:
        return undetermined(f"{x.bases} bases of X are analysed, {FEWEST_BASES} are needed")
    if autosomes.bases < FEWEST_BASES:
        return undetermined(f"{autosomes.bases} bases of autosomes are analysed, {FEWEST_BASES} are needed")
    if autosomes.mean < LOWEST_AUTOSOMAL_DEPTH:
        return undetermined(f"mean depth on autosomes is {autosomes.mean:.1f}, {LOWEST_AUTOSOMAL_DEPTH:.0f} are needed")
    x_ratio = x.mean / autosomes.mean
    y_ratio = y.mean / autosomes.mean if y.bases >= FEWEST_BASES else None
    found = _find(x_ratio, y_ratio)
    reason = (
        "the depths on X and Y lie between those of one number of copies and another"
        if found is SexFinding.UNDETERMINED
        else ""
    )
    return SexCheck(
        declared,
        found,
        reason,
        round(x_ratio, 4),
        None if y_ratio is None else round(y_ratio, 4),
        None if x_heterozygosity is None else round(x_heterozygosity, 4),
    )


@dataclass(frozen=True, slots=True)
class _Sum:
    bases: int
    depth: int

    @classmethod
    def of(cls, depths: Sequence[RegionDepth], names: "frozenset[str] | set[str]") -> "_Sum":
        chosen = [one for one in depths if _plain(one.region.contig) in names]
        return cls(sum(one.region.length for one in chosen), sum(one.depth_sum for one in chosen))

    @property
    def mean(self) -> float:
        return self.depth / self.bases if self.bases else 0.0


def is_x(contig: str) -> bool:
    """Tell whether a contig is the X chromosome.

    >>> is_x("chrX"), is_x("X"), is_x("chr20")
    (True, True, False)
    """
    return _plain(contig) == "X"


def _find(x_ratio: float, y_ratio: float | None) -> SexFinding:
    one, two = x_ratio < ONE_X_BELOW, x_ratio > TWO_X_ABOVE
    if y_ratio is None:
        return SexFinding.MALE if one else SexFinding.FEMALE if two else SexFinding.UNDETERMINED
    has_y, lacks_y = y_ratio > Y_ABOVE, y_ratio < NO_Y_BELOW
    if (one and has_y) or (two and lacks_y):
        return SexFinding.MALE if one else SexFinding.FEMALE
    return SexFinding.OTHER if (one or two) and (has_y or lacks_y) else SexFinding.UNDETERMINED


def _cut(region: Region, holes: Sequence[tuple[int, int]]) -> list[Region]:
    parts = [region]
    for first, last in holes:
        parts = [
            Region(part.contig, start0, end0)
            for part in parts
            for start0, end0 in ((part.start0, min(part.end0, first)), (max(part.start0, last), part.end0))
            if start0 < end0
        ]
    return parts


def _plain(contig: str) -> str:
    return contig.removeprefix("chr")
