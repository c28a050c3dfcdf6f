"""Parts of a genome that take about equally long to call, and what of a part's calls is its own.

A part is called a little beyond its edges, so that whatever reaches over an edge is seen whole, and then cut back: each
record belongs to the part that holds its position. What the parts say together is what one call over everything says,
apart from reference blocks, which end at the edges.
"""

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from strandline.errors import RejectedInputError
from strandline.landing.regions import Region, merge_regions

OVERLAP: Final = 2_000
"""Bases called beyond each edge: more than the widest window and the longest deletion that short reads show."""

MOST_PARTS: Final = 1_000
_CRAI_FIELDS: Final = 6
_END_BYTES: Final = 38


@dataclass(frozen=True, slots=True)
class Slice:
    """Reads that lie together in a CRAM.

    `contig` is its number in the header, -1 for unmapped reads; 0-based, half-open `start0` and `end0` are where the
    alignments lie; `container_at` is where in the file its container begins; `size_bytes` as compressed.
    """

    contig: int
    start0: int
    end0: int
    container_at: int
    size_bytes: int


class PlannedRegion(BaseModel):
    """Half-open, 0-based interval, as in BED."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contig: str
    start0: int = Field(ge=0)
    end0: int = Field(gt=0)


class CallingPlan(BaseModel):
    """The parts that a sample is called in, in the order of the reference. A part has its regions in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[tuple[PlannedRegion, ...], ...]

    def regions_of(self, part: int) -> list[Region]:
        """Return the regions of a part, counted from 1."""
        return [Region(region.contig, region.start0, region.end0) for region in self.parts[part - 1]]


def read_crai(body: bytes) -> list[Slice]:
    """Read the index of a CRAM.

    Source: CRAM specification 3, "CRAM index": gzip of lines with the number of the contig, 1-based start, span,
    container's offset, slice's offset and slice's size.

    Raises:
        RejectedInputError: `cram_index_invalid`.

    >>> read_crai(gzip.compress(b"0\\t101\\t50\\t900\\t20\\t4000\\n"))
    [Slice(contig=0, start0=100, end0=150, container_at=900, size_bytes=4000)]
    """
    slices = []
    try:
        for line in gzip.decompress(body).decode("ascii").splitlines():
            fields = [int(field) for field in line.split("\t")]
            if len(fields) != _CRAI_FIELDS:
                raise ValueError(line)
            contig, start, span, container_at, _, size_bytes = fields
            start0 = max(0, start - 1)
            slices.append(Slice(contig, start0, start0 + span, container_at, size_bytes))
    except (ValueError, OSError, EOFError, zlib.error):
        raise RejectedInputError("cram_index_invalid", "the index of the CRAM cannot be read: align again") from None
    return slices


def plan_calling(
    slices: Iterable[Slice],
    length_by_contig: Mapping[str, int],
    regions: Sequence[Region] | None,
    *,
    part_bytes: int,
    side_by_side: int = 1,
) -> CallingPlan:
    """Divide the reference into parts that hold about `part_bytes` of a CRAM each, or less.

    Args:
        slices: of the CRAM's index.
        length_by_contig: in the order of the CRAM's header.
        regions: outside of these nothing is called; None for the whole reference. They count by the reads over them.
        part_bytes: of reads over the regions; a part may be larger by one slice, and no more than 1000 are made.
        side_by_side: how many parts are called at a time. Where there is more than one part, their number is a
            multiple of it, so that none is called alone at the end while the other places stand empty.

    >>> even = [Slice(0, start0, start0 + 100, start0, 100) for start0 in range(0, 1000, 100)]
    >>> plan = plan_calling(even, {"chr1": 1000}, None, part_bytes=500)
    >>> [plan.regions_of(part) for part in (1, 2)]
    [[Region(contig='chr1', start0=0, end0=500)], [Region(contig='chr1', start0=500, end0=1000)]]
    """
    contigs = list(length_by_contig)
    wanted = merge_regions(list(regions)) if regions is not None else None
    weighed = list(_weigh(slices, contigs, length_by_contig, wanted))
    total = sum(found.size_bytes for found in weighed)
    count = max(1, -(-total // part_bytes))
    if count > 1:
        count = min(MOST_PARTS, -(-count // side_by_side) * side_by_side)
    tiles = _tile(_cuts(weighed, total, count), contigs, length_by_contig)
    parts = [tile if wanted is None else _overlap(tile, wanted) for tile in tiles]
    return CallingPlan(
        parts=tuple(
            tuple(PlannedRegion(contig=region.contig, start0=region.start0, end0=region.end0) for region in part)
            for part in parts
            if part
        )
    )


def widen(
    part: Sequence[Region], length_by_contig: Mapping[str, int], regions: Sequence[Region] | None
) -> list[Region]:
    """Return a part with `OVERLAP` bases more on each side, within the contigs and the regions.

    >>> widen([Region("c", 5000, 6000)], {"c": 7000}, None)
    [Region(contig='c', start0=3000, end0=7000)]
    """
    wide = [
        Region(r.contig, max(0, r.start0 - OVERLAP), min(length_by_contig[r.contig], r.end0 + OVERLAP)) for r in part
    ]
    merged = in_order(wide, length_by_contig)
    return merged if regions is None else _overlap(merged, merge_regions(list(regions)))


def in_order(regions: Sequence[Region], length_by_contig: Mapping[str, int]) -> list[Region]:
    """Return the same bases as intervals apart from one another, contigs in the order of the reference.

    bcftools writes its records in the order of the regions that it is given, and the order of a header is the only
    one in which parts can be put together.

    >>> in_order([Region("chr10", 0, 5), Region("chr9", 3, 7), Region("chr9", 0, 4)], {"chr9": 9, "chr10": 9})
    [Region(contig='chr9', start0=0, end0=7), Region(contig='chr10', start0=0, end0=5)]
    """
    number = {contig: at for at, contig in enumerate(length_by_contig)}
    return sorted(merge_regions(list(regions)), key=lambda region: (number[region.contig], region.start0))


def needed_bytes(
    slices: Sequence[Slice], length_by_contig: Mapping[str, int], regions: Sequence[Region], size_bytes: int
) -> list[tuple[int, int]]:
    """Return what of a CRAM makes one with every read over some regions: 0-based, half-open ranges of bytes, in order.

    A CRAM is its definition and header, containers, and a container that says that it ends: containers may be left out.

    Args:
        slices: of its index, all of them.
        length_by_contig: in the order of its header.
        regions: sorted and apart from one another, as `merge_regions` gives them.
        size_bytes: of the whole file.

    Source: CRAM specification 3, "Container structure" and "End of file container" (38 bytes).
    """
    contigs, by_contig = list(length_by_contig), _by_contig(regions)
    starts = sorted({piece.container_at for piece in slices})
    if not starts:
        return [(0, size_bytes)]
    end_by_start = dict(pairwise([*starts, size_bytes - _END_BYTES]))
    wanted = {
        piece.container_at
        for piece in slices
        if 0 <= piece.contig < len(contigs)
        and any(_within(by_contig.get(contigs[piece.contig], []), piece.start0, piece.end0))
    }
    ranges = [(0, starts[0])]
    for start in [*sorted(wanted), size_bytes - _END_BYTES]:
        end = end_by_start.get(start, size_bytes)
        if ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges


def _weigh(
    slices: Iterable[Slice], contigs: Sequence[str], length_by_contig: Mapping[str, int], wanted: list[Region] | None
) -> Iterator[Slice]:
    """Yield the slices that reach into the regions. A slice is taken to reach to the next one's start."""
    lengths = [length_by_contig[contig] for contig in contigs]
    inside = (piece for piece in slices if 0 <= piece.contig < len(contigs) and piece.start0 < lengths[piece.contig])
    found = sorted(inside, key=lambda piece: (piece.contig, piece.start0))
    if wanted is None:
        yield from found
        return
    by_contig = _by_contig(wanted)
    for piece, following in pairwise([*found, Slice(len(contigs), 0, 0, 0, 0)]):
        contig = contigs[piece.contig]
        end0 = following.start0 if following.contig == piece.contig else lengths[piece.contig]
        covered = sum(region.length for region in _within(by_contig.get(contig, []), piece.start0, end0))
        if covered:
            yield replace(piece, size_bytes=max(1, piece.size_bytes * covered // max(1, end0 - piece.start0)))


def _cuts(weighed: Sequence[Slice], total: int, count: int) -> list[tuple[int, int]]:
    """Return where parts begin, the first left out: number of the contig and 0-based position, each once."""
    cuts: list[tuple[int, int]] = []
    before = 0
    for piece in weighed:
        due = (len(cuts) + 1) * total
        if len(cuts) + 1 < count and before * count >= due and (piece.contig, piece.start0) > (cuts or [(0, 0)])[-1]:
            cuts.append((piece.contig, piece.start0))
        before += piece.size_bytes
    return cuts


def _tile(
    cuts: Sequence[tuple[int, int]], contigs: Sequence[str], length_by_contig: Mapping[str, int]
) -> list[list[Region]]:
    """Return the stretches between cuts: together every base of the reference once."""
    edges = [(0, 0), *cuts, (len(contigs), 0)]
    tiles = []
    for (first, start0), (last, end0) in pairwise(edges):
        tile = []
        for number in range(first, min(last, len(contigs) - 1) + 1):
            begin = start0 if number == first else 0
            end = end0 if number == last else length_by_contig[contigs[number]]
            if begin < end:
                tile.append(Region(contigs[number], begin, end))
        tiles.append(tile)
    return tiles


def _overlap(some: Sequence[Region], wanted: Sequence[Region]) -> list[Region]:
    """Return the bases that are in both, in the order of `some`."""
    by_contig = _by_contig(wanted)
    return [piece for tile in some for piece in _within(by_contig.get(tile.contig, []), tile.start0, tile.end0)]


def _by_contig(regions: Iterable[Region]) -> dict[str, list[Region]]:
    by_contig: dict[str, list[Region]] = {}
    for region in regions:
        by_contig.setdefault(region.contig, []).append(region)
    return by_contig


def _within(regions: Sequence[Region], start0: int, end0: int) -> Iterator[Region]:
    """Yield what of sorted regions of one contig, which do not overlap, lies between two positions."""
    for at in range(bisect_right(regions, start0, key=lambda region: region.end0), len(regions)):
        if regions[at].start0 >= end0:
            return
        yield Region(regions[at].contig, max(start0, regions[at].start0), min(end0, regions[at].end0))
