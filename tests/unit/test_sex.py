"""The sex that depth speaks for. ANA-05."""

import pytest

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.coverage import RegionDepth
from strandline.reads.sex import SexFinding, check_sex, without_pseudoautosomal

BASES = 20_000


def depths(autosome: float, x: float | None, y: float | None, *, prefix: str = "chr") -> list[RegionDepth]:
    named = {"20": autosome, "X": x, "Y": y, "MT": 900.0}
    return [
        RegionDepth(Region(f"{prefix}{name}", 0, BASES), round(depth * BASES), 0)
        for name, depth in named.items()
        if depth is not None
    ]


@pytest.mark.parametrize(
    ("x", "y", "found"),
    [
        (30.0, 0.0, SexFinding.FEMALE),
        (15.0, 14.0, SexFinding.MALE),
        (30.0, None, SexFinding.FEMALE),
        (15.0, None, SexFinding.MALE),
        (30.0, 15.0, SexFinding.OTHER),  # XXY
        (15.0, 0.0, SexFinding.OTHER),  # X0
        (21.0, None, SexFinding.UNDETERMINED),
        (15.0, 5.0, SexFinding.UNDETERMINED),
    ],
)
@pytest.mark.parametrize("prefix", ["chr", ""])
def test_copies_of_x_and_y_tell_the_sex(x, y, found, prefix):
    check = check_sex(depths(30.0, x, y, prefix=prefix), Sex.UNKNOWN)
    assert check.found is found
    assert check.x_ratio == x / 30
    assert not check.is_mismatch
    assert bool(check.reason) == (found is SexFinding.UNDETERMINED)


def test_only_a_sex_that_was_found_can_contradict_the_declared_one():
    assert check_sex(depths(30, 30, 0), Sex.MALE).is_mismatch
    assert check_sex(depths(30, 30, 15), Sex.MALE).is_mismatch
    assert not check_sex(depths(30, 30, 0), Sex.FEMALE).is_mismatch
    assert not check_sex(depths(30, 21, None), Sex.FEMALE).is_mismatch


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "0 bases of X"),
        (depths(30, None, None), "0 bases of X"),
        ([RegionDepth(Region("X", 0, BASES), BASES * 30, 0)], "0 bases of autosomes"),
        (depths(4.9, 5, 0), "mean depth on autosomes is 4.9"),
    ],
)
def test_where_nothing_can_be_said_the_reason_is(found, reason):
    check = check_sex(found, Sex.MALE)
    assert check.found is SexFinding.UNDETERMINED
    assert check.reason.startswith(reason)
    assert check.x_ratio is None


def test_pseudoautosomal_regions_are_cut_out():
    """GRCh38: X:10,001-2,781,479 and X:155,701,383-156,030,895, 1-based (Genome Reference Consortium)."""
    regions = [Region("chrX", 0, 156_040_895), Region("chr1", 5, 9), Region("chrM", 0, 9), Region("chrX_alt", 0, 9)]
    assert without_pseudoautosomal(regions, "GRCh38") == [
        Region("chr1", 5, 9),
        Region("chrX", 0, 10_000),
        Region("chrX", 2_781_479, 155_701_382),
        Region("chrX", 156_030_895, 156_040_895),
    ]
    assert without_pseudoautosomal([Region("Y", 20_000, 30_000)], "GRCh37") == []
    assert without_pseudoautosomal([Region("Y", 20_000, 30_000)], None) == [Region("Y", 20_000, 30_000)]
