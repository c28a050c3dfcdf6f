"""Depth over the analysed regions, and the intervals where a genotype can be believed.

A position is callable where at least `CALLABLE_DEPTH` reads of mapping quality 20 or more cover it: elsewhere the
absence of a variant in the calls says nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pysam

from strandline.landing.regions import Region, merge_regions

CALLABLE_DEPTH: Final = 10
LOWEST_MAPQ: Final = 20
_WINDOW: Final = 1 << 20  # bases held in memory at once
_EXCLUDED: Final = pysam.FUNMAP | pysam.FSECONDARY | pysam.FQCFAIL | pysam.FDUP | pysam.FSUPPLEMENTARY


@dataclass(frozen=True, slots=True)
class Coverage:
    """Depths in reads, fractions of the analysed bases between 0 and 1; `callable_regions` 0-based, half-open."""

    analysed_bases: int
    mean_depth: float
    fraction_at_10: float
    fraction_at_20: float
    fraction_at_30: float
    callable_regions: tuple[Region, ...]

    @property
    def callable_bases(self) -> int:
        """Bases in the callable regions."""
        return sum(region.length for region in self.callable_regions)


def measure_coverage(cram: Path, reference: Path, regions: Sequence[Region]) -> Coverage:
    """Count depth at every base of `regions` from primary, unduplicated reads of mapping quality 20 or more.

    Each read counts once for every base from its first to its last aligned one, deletions excluded; overlapping mates
    count twice. Memory does not depend on the size of the regions.
    """
    total = 0
    at = {10: 0, 20: 0, 30: 0}
    bases = 0
    callable_regions: list[Region] = []
    with pysam.AlignmentFile(str(cram), reference_filename=str(reference)) as reads:
        for window in _windows(merge_regions(list(regions))):
            depth = _depth(reads, window)
            bases += depth.size
            total += int(depth.sum())
            for threshold in at:
                at[threshold] += int(np.count_nonzero(depth >= threshold))
            callable_regions += _runs(depth >= CALLABLE_DEPTH, window)
    share = {threshold: count / bases if bases else 0.0 for threshold, count in at.items()}
    return Coverage(
        analysed_bases=bases,
        mean_depth=total / bases if bases else 0.0,
        fraction_at_10=share[10],
        fraction_at_20=share[20],
        fraction_at_30=share[30],
        callable_regions=tuple(merge_regions(callable_regions)),
    )


def profile_depth(cram: Path, reference: Path, region: Region, bins: int) -> list[float]:
    """Return the mean depth of `bins` equal parts of a region, in reads, counted as `measure_coverage` counts."""
    edges = np.linspace(region.start0, region.end0, bins + 1).astype(int)
    with pysam.AlignmentFile(str(cram), reference_filename=str(reference)) as reads:
        parts = [Region(region.contig, int(first), max(int(first) + 1, int(last))) for first, last in pairwise(edges)]
        return [float(np.concatenate([_depth(reads, piece) for piece in _windows([part])]).mean()) for part in parts]


def write_bed(regions: Sequence[Region], path: Path) -> None:
    """Write intervals as three BED columns."""
    path.write_text("".join(f"{region.contig}\t{region.start0}\t{region.end0}\n" for region in regions))


def _windows(regions: Sequence[Region]) -> Iterator[Region]:
    for region in regions:
        for start0 in range(region.start0, region.end0, _WINDOW):
            yield Region(region.contig, start0, min(region.end0, start0 + _WINDOW))


def _depth(reads: pysam.AlignmentFile, window: Region) -> npt.NDArray[np.int64]:
    changes = np.zeros(window.length + 1, dtype=np.int64)
    for read in reads.fetch(window.contig, window.start0, window.end0):
        if read.flag & _EXCLUDED or read.mapping_quality < LOWEST_MAPQ:
            continue
        for start0, end0 in read.get_blocks():
            first, last = max(start0 - window.start0, 0), min(end0 - window.start0, window.length)
            if first < last:
                changes[first] += 1
                changes[last] -= 1
    return np.cumsum(changes[:-1])


def _runs(mask: npt.NDArray[np.bool_], window: Region) -> list[Region]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return [
        Region(window.contig, window.start0 + int(first), window.start0 + int(last))
        for first, last in zip(edges[0::2], edges[1::2], strict=True)
    ]
