"""Depth over a few intervals, by the index of the reads: what a report says of each gene.

Counted as `CoverageMeter` counts, of which this is the way for little of a large file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pysam

from strandline.landing.regions import Region, merge_regions
from strandline.reads.coverage import LOWEST_MAPQ
from strandline.reads.read_batches import DUPLICATE, FAILED, NOT_PRIMARY, UNMAPPED

WANTED_DEPTH: Final = 20
_EXCLUDED: Final = UNMAPPED | FAILED | DUPLICATE | NOT_PRIMARY


@dataclass(frozen=True, slots=True)
class TargetDepth:
    """Depth over some intervals: bases, the sum of reads over them, and where fewer than 20 reads lie."""

    bases: int
    depth_sum: int
    gaps: tuple[Region, ...]

    @property
    def mean_depth(self) -> float:
        """Reads a base."""
        return self.depth_sum / self.bases if self.bases else 0.0

    @property
    def bases_at_20(self) -> int:
        """Bases under at least 20 reads."""
        return self.bases - sum(gap.length for gap in self.gaps)


def measure_targets(aligned: Path, reference: Path, targets: Sequence[Sequence[Region]]) -> list[TargetDepth]:
    """Return the depth of each target, which is some intervals; overlaps within one count once.

    Args:
        aligned: sorted CRAM or BAM with its index beside it.
        reference: FASTA with its index.
        targets: intervals on contigs of the file.

    Raises:
        ValueError: where a contig is not in the file, or the file has no index.
    """
    with pysam.AlignmentFile(str(aligned), reference_filename=str(reference)) as reads:
        return [_measure(reads, merge_regions(list(regions))) for regions in targets]


def _measure(reads: pysam.AlignmentFile, regions: Sequence[Region]) -> TargetDepth:
    total, gaps = 0, []
    for region in regions:
        depth = _depth_of(reads, region)
        total += int(depth.sum())
        gaps += _gaps(depth, region)
    return TargetDepth(sum(region.length for region in regions), total, tuple(gaps))


def _depth_of(reads: pysam.AlignmentFile, region: Region) -> npt.NDArray[np.int64]:
    steps = np.zeros(region.length + 1, dtype=np.int64)
    for read in reads.fetch(region.contig, region.start0, region.end0):
        if read.flag & _EXCLUDED or read.mapping_quality < LOWEST_MAPQ:
            continue
        for start0, end0 in read.get_blocks():
            first, last = max(start0, region.start0), min(end0, region.end0)
            if first < last:
                steps[first - region.start0] += 1
                steps[last - region.start0] -= 1
    return np.cumsum(steps[:-1])


def _gaps(depth: npt.NDArray[np.int64], region: Region) -> list[Region]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], depth < WANTED_DEPTH, [False])).astype(np.int8)))
    return [
        Region(region.contig, region.start0 + first, region.start0 + last)
        for first, last in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
