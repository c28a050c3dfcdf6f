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

from strandline.landing.regions import Region, merge_regions
from strandline.landing.sam.gather import Integers
from strandline.reads.read_batches import (
    DUPLICATE,
    FAILED,
    NOT_PRIMARY,
    UNMAPPED,
    AlignedBlocks,
    ReadBatch,
    find_blocks,
    open_batches,
)

CALLABLE_DEPTH: Final = 10
LOWEST_MAPQ: Final = 20
DEPTH_STEPS: Final = (10, 20, 30)
DEEPEST_COUNTED: Final = 10_000
"""Depths over this one count as it in the histogram; sums and callable regions know no such limit."""

_WINDOW: Final = 1 << 20  # bases held in memory at once
_EXCLUDED: Final = UNMAPPED | FAILED | DUPLICATE | NOT_PRIMARY
_NO_BLOCKS: Final = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class RegionDepth:
    """Depth over one interval: the sum over its bases in reads, and how many bases reach 20 reads."""

    region: Region
    depth_sum: int
    bases_at_20: int

    @property
    def mean_depth(self) -> float:
        """Reads a base."""
        return self.depth_sum / self.region.length


@dataclass(frozen=True, slots=True)
class Coverage:
    """Depths in reads, fractions of the analysed bases between 0 and 1; `callable_regions` 0-based, half-open.

    Attributes:
        histogram: bases at depth 0, 1, 2 and so on up to the deepest, at most `DEEPEST_COUNTED`.
        tallied: depth over each interval that was asked for, in the order asked.
    """

    analysed_bases: int
    mean_depth: float
    histogram: tuple[int, ...]
    callable_regions: tuple[Region, ...]
    tallied: tuple[RegionDepth, ...] = ()

    @property
    def callable_bases(self) -> int:
        """Bases in the callable regions."""
        return sum(region.length for region in self.callable_regions)

    @property
    def fraction_at_10(self) -> float:
        """Fraction of the analysed bases under at least 10 reads."""
        return self.fraction_at(10)

    @property
    def fraction_at_20(self) -> float:
        """Fraction of the analysed bases under at least 20 reads."""
        return self.fraction_at(20)

    @property
    def fraction_at_30(self) -> float:
        """Fraction of the analysed bases under at least 30 reads."""
        return self.fraction_at(30)

    @property
    def median_depth(self) -> int:
        """The depth that half of the analysed bases reach."""
        return self.depth_at_share(0.5)

    @property
    def fold_80(self) -> float | None:
        """How many times as much would have to be sequenced for 80% of the bases to reach today's mean depth.

        The mean over the depth that 80% of the analysed bases reach; None where that is 0. Source: Picard's
        FOLD_80_BASE_PENALTY, which leaves out targets without any read; here every analysed base counts.
        """
        reached = self.depth_at_share(0.8)
        return self.mean_depth / reached if reached else None

    def fraction_at(self, depth: int) -> float:
        """Return the fraction of the analysed bases under at least `depth` reads."""
        return sum(self.histogram[depth:]) / self.analysed_bases if self.analysed_bases else 0.0

    def depth_at_share(self, share: float) -> int:
        """Return the greatest depth that at least this share of the analysed bases reaches."""
        bases = 0
        for depth in range(len(self.histogram) - 1, 0, -1):
            bases += self.histogram[depth]
            if bases >= share * self.analysed_bases:
                return depth
        return 0


class CoverageMeter:
    """Counts depth from batches of coordinate-sorted reads.

    Each read counts once for every base from its first to its last aligned one, deletions excluded; overlapping mates
    count twice; only primary, unduplicated reads of mapping quality 20 or more. Memory depends on the deepest pile
    and on the number of regions, not on their size.

    Args:
        contigs: names by number, as in the header of the reads.
        regions: what is analysed; overlaps count once.
        tallied: intervals whose own depth is wanted; outside of `regions` they have none.
    """

    def __init__(self, contigs: Sequence[str], regions: Sequence[Region], tallied: Sequence[Region] = ()) -> None:
        number_by_contig = {name: number for number, name in enumerate(contigs)}
        self._open = [
            (number_by_contig.get(region.contig, len(contigs)), region) for region in merge_regions(list(regions))
        ]
        self._open.sort(key=lambda pair: (pair[0], pair[1].start0))
        self._past_all = len(contigs) + 1
        self._next = 0
        self._cursor = self._open[0][1].start0 if self._open else 0
        self._contig = -1
        self._blocks: npt.NDArray[np.int64] = _NO_BLOCKS
        self._sum = 0
        self._histogram = np.zeros(DEEPEST_COUNTED + 1, dtype=np.int64)
        self._callable: list[Region] = []
        self._tallies = _Tallies(tallied)

    def add(self, batch: ReadBatch) -> AlignedBlocks:
        """Count a batch and return the blocks that were counted."""
        counted = (batch.flag & _EXCLUDED == 0) & (batch.mapping_quality >= LOWEST_MAPQ) & (batch.contig >= 0)
        blocks = find_blocks(batch, counted)
        of_contig = batch.contig[blocks.read]
        for contig in np.unique(batch.contig[batch.contig >= 0]).tolist():
            self._turn_to(contig)
            mine = of_contig == contig
            self._blocks = np.concatenate([self._blocks, np.stack([blocks.start0[mine], blocks.end0[mine]], axis=1)])
        placed = np.flatnonzero(batch.contig >= 0)
        if len(placed):
            self._count_before(int(batch.position0[placed[-1]]))
        return blocks

    def finish(self) -> Coverage:
        """Return what was counted; no batch may follow."""
        self._turn_to(self._past_all)
        bases = int(self._histogram.sum())
        deepest = int(np.flatnonzero(self._histogram)[-1]) if bases else 0
        return Coverage(
            analysed_bases=bases,
            mean_depth=self._sum / bases if bases else 0.0,
            histogram=tuple(self._histogram[: deepest + 1].tolist()),
            callable_regions=tuple(merge_regions(self._callable)),
            tallied=self._tallies.finish(),
        )

    def _turn_to(self, contig: int) -> None:
        """End every contig before this one."""
        while self._next < len(self._open) and self._open[self._next][0] < contig:
            if self._open[self._next][0] != self._contig:
                self._blocks = _NO_BLOCKS
                self._contig = self._open[self._next][0]
            self._count_region(self._open[self._next][1].end0)
        if contig != self._contig:
            self._contig, self._blocks = contig, _NO_BLOCKS

    def _count_before(self, frontier: int) -> None:
        """Count the bases that no later read can reach."""
        while self._next < len(self._open) and self._open[self._next][0] == self._contig and self._cursor < frontier:
            self._count_region(frontier)
        self._blocks = self._blocks[self._blocks[:, 1] > frontier]

    def _count_region(self, frontier: int) -> None:
        """Count the rest of the open region up to `frontier`, and turn to the next region where that is its end."""
        _, region = self._open[self._next]
        blocks = self._blocks[np.argsort(self._blocks[:, 0], kind="stable")]
        longest = int((blocks[:, 1] - blocks[:, 0]).max()) if len(blocks) else 0
        end0 = min(region.end0, frontier)
        for start0 in range(self._cursor, end0, _WINDOW):
            window = Region(region.contig, start0, min(end0, start0 + _WINDOW))
            first, last = np.searchsorted(blocks[:, 0], (window.start0 - longest, window.end0))
            self._count_window(window, _depth_of(blocks[first:last], window))
        self._cursor = end0
        if end0 == region.end0:
            self._next += 1
            self._cursor = self._open[self._next][1].start0 if self._next < len(self._open) else 0

    def _count_window(self, window: Region, depth: Integers) -> None:
        self._sum += int(depth.sum())
        self._histogram += np.bincount(np.minimum(depth, DEEPEST_COUNTED), minlength=DEEPEST_COUNTED + 1)
        self._callable += _runs(depth >= CALLABLE_DEPTH, window)
        self._tallies.add(window, depth)


def measure_coverage(cram: Path, reference: Path, regions: Sequence[Region]) -> Coverage:
    """Count depth at every base of `regions` in one pass over all reads, as `CoverageMeter` counts.

    Raises:
        subprocess.CalledProcessError: where samtools failed.
    """
    with open_batches(cram, reference) as (contigs, batches):
        meter = CoverageMeter(contigs, regions)
        for batch in batches:
            meter.add(batch)
    return meter.finish()


def profile_depth(cram: Path, reference: Path, region: Region, bins: int) -> list[float]:
    """Return the mean depth of `bins` equal parts of a region, in reads, counted as `CoverageMeter` counts."""
    edges = np.linspace(region.start0, region.end0, bins + 1).astype(int)
    parts = [Region(region.contig, int(first), max(int(first) + 1, int(last))) for first, last in pairwise(edges)]
    with open_batches(cram, reference) as (contigs, batches):
        meter = CoverageMeter(contigs, parts, parts)
        for batch in batches:
            meter.add(batch)
    return [part.mean_depth for part in meter.finish().tallied]


def write_bed(regions: Sequence[Region], path: Path) -> None:
    """Write intervals as three BED columns."""
    path.write_text("".join(f"{region.contig}\t{region.start0}\t{region.end0}\n" for region in regions))


class _Tallies:
    """Sums over intervals that may overlap each other."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = list(regions)
        self._sums = np.zeros((len(self._regions), 2), dtype=np.int64)
        self._places: dict[str, tuple[Integers, Integers, Integers, int]] = {}
        for contig in {region.contig for region in self._regions}:
            mine = np.array([place for place, region in enumerate(self._regions) if region.contig == contig])
            edges = np.array([(self._regions[place].start0, self._regions[place].end0) for place in mine])
            order = np.argsort(edges[:, 0], kind="stable")
            longest = int((edges[:, 1] - edges[:, 0]).max())
            self._places[contig] = (mine[order], edges[order, 0], edges[order, 1], longest)

    def add(self, window: Region, depth: Integers) -> None:
        if window.contig not in self._places:
            return
        place, starts, ends, longest = self._places[window.contig]
        first, last = np.searchsorted(starts, (window.start0 - longest, window.end0))
        near = np.arange(first, last)[ends[first:last] > window.start0]
        low = np.maximum(starts[near] - window.start0, 0)
        high = np.minimum(ends[near] - window.start0, window.length)
        for column, values in enumerate((depth, depth >= 20)):
            total = np.concatenate(([0], np.cumsum(values)))
            self._sums[place[near], column] += total[high] - total[low]

    def finish(self) -> tuple[RegionDepth, ...]:
        rows = zip(self._regions, self._sums.tolist(), strict=True)
        return tuple(RegionDepth(region, total, at_20) for region, (total, at_20) in rows)


def _depth_of(blocks: npt.NDArray[np.int64], window: Region) -> Integers:
    inside = blocks[blocks[:, 1] > window.start0] - window.start0
    begun = np.bincount(np.maximum(inside[:, 0], 0), minlength=window.length)
    ended = np.bincount(np.minimum(inside[:, 1], window.length), minlength=window.length + 1)
    return np.cumsum(begun - ended[:-1])


def _runs(mask: npt.NDArray[np.bool_], window: Region) -> Iterator[Region]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    for first, last in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        yield Region(window.contig, window.start0 + first, window.start0 + last)
