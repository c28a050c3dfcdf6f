"""Coverage by mosdepth, where it is installed: its command line, and its outputs as the coverage of a sample.

Sources: Pedersen & Quinlan 2018, doi:10.1093/bioinformatics/btx699; README of mosdepth 0.3 (usage, outputs, thresholds,
quantize). It is asked for what `CoverageMeter` counts, and differs in one thing: overlapping mates count once.
"""

import gzip
import shutil
import subprocess
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from strandline.landing.regions import Region, merge_regions
from strandline.reads.coverage import CALLABLE_DEPTH, DEEPEST_COUNTED, LOWEST_MAPQ, Coverage, RegionDepth
from strandline.reads.measurement import ReadCounts, Wanted
from strandline.reads.read_batches import DUPLICATE, FAILED, NOT_PRIMARY, UNMAPPED
from strandline.reads.tools import run_pipeline, tool_version

TOOL: Final = "mosdepth"
_EXCLUDED: Final = UNMAPPED | FAILED | DUPLICATE | NOT_PRIMARY
_WELL_COVERED: Final = 20
_MOST_THREADS: Final = 4  # more make it no faster
_PRECISION: Final = "6"  # decimals of means and shares; two where nothing is said


def coverage_tool() -> str:
    """Return what measures coverage here, with its version: mosdepth where it runs, else this platform's count.

    The count is taken of records that samtools, or pysam in its place, decodes. A mosdepth that cannot say its version
    cannot measure: the package of Debian comes without the library that it opens.
    """
    if shutil.which(TOOL):
        said = subprocess.run([TOOL, "--version"], check=False, capture_output=True, text=True)
        if said.returncode == 0 and said.stdout.startswith(TOOL):
            return said.stdout.strip()
    return f"own count, reads decoded by {tool_version('samtools')}"


def settle_coverage(
    counts: ReadCounts, wanted: Wanted, files: Callable[[], tuple[Path, Path]], scratch: Path, *, threads: int
) -> tuple[ReadCounts, str]:
    """Return counts with the coverage that `coverage_tool` measures, and its words.

    Args:
        counts: with this platform's own coverage.
        wanted: what they are of.
        files: gives the indexed CRAM and the reference; only asked where mosdepth reads them.
        scratch: folder for mosdepth's outputs.
        threads: that may decode.

    Raises:
        subprocess.CalledProcessError: where mosdepth failed.
    """
    tool = coverage_tool()
    if not tool.startswith(TOOL):
        return counts, tool
    coverage = measure_by_mosdepth(*files(), wanted.analysed, wanted.tallied, scratch, threads=threads)
    return replace(counts, coverage=coverage), tool


def mosdepth_command(cram: Path, reference: Path, bed: Path, prefix: Path, *, threads: int) -> list[str]:
    """Return the command from a CRAM to the depths over the intervals of a BED, and to where depth suffices.

    Args:
        cram: coordinate-sorted, duplicates marked, indexed.
        reference: FASTA with its index.
        bed: intervals that do not overlap.
        prefix: of the outputs.
        threads: that may decode.
    """
    return [
        *("env", f"MOSDEPTH_PRECISION={_PRECISION}", TOOL, "--threads", str(min(threads, _MOST_THREADS))),
        *("--fasta", str(reference), "--no-per-base"),
        *("--by", str(bed), "--thresholds", str(_WELL_COVERED), "--quantize", f"0:{CALLABLE_DEPTH}:"),
        *("--flag", str(_EXCLUDED), "--mapq", str(LOWEST_MAPQ), str(prefix), str(cram)),
    ]


def measure_by_mosdepth(
    cram: Path, reference: Path, analysed: Sequence[Region], tallied: Sequence[Region], scratch: Path, *, threads: int
) -> Coverage:
    """Return the coverage of `analysed`, and of each of `tallied` what lies in it, as `CoverageMeter` does.

    Raises:
        subprocess.CalledProcessError: where mosdepth failed.
    """
    pieces = cut_apart(merge_regions(list(analysed)), tallied)
    bed, prefix = scratch / "pieces.bed", scratch / "mosdepth"
    bed.write_text("".join(f"{one.contig}\t{one.start0}\t{one.end0}\n" for one in pieces))
    run_pipeline([mosdepth_command(cram, reference, bed, prefix, threads=threads)])
    found = read_pieces(_lines(prefix, "regions.bed.gz"), _lines(prefix, "thresholds.bed.gz"))
    sums = _Sums(found.values())
    measured_bases, depth_sum = read_total(_lines(prefix, "mosdepth.summary.txt"))
    bases = sum(piece.length for piece in pieces)
    return Coverage(
        analysed_bases=bases,
        mean_depth=depth_sum / bases if bases else 0.0,
        histogram=read_histogram(_lines(prefix, "mosdepth.region.dist.txt"), measured_bases, bases),
        callable_regions=tuple(overlap(read_deep(_lines(prefix, "quantized.bed.gz")), pieces)),
        tallied=tuple(sums.over(region) for region in tallied),
    )


def cut_apart(analysed: Sequence[Region], tallied: Sequence[Region]) -> list[Region]:
    """Return `analysed`, which do not overlap, cut wherever one of `tallied` begins or ends.

    >>> cut_apart([Region("c", 0, 9)], [Region("c", 3, 5), Region("c", 4, 20)])
    [Region(contig='c', start0=0, end0=3), Region(contig='c', start0=3, end0=4), Region(contig='c', start0=4, end0=5), \
Region(contig='c', start0=5, end0=9)]
    """
    edges: dict[str, set[int]] = {}
    for one in tallied:
        edges.setdefault(one.contig, set()).update((one.start0, one.end0))
    ordered = {contig: sorted(places) for contig, places in edges.items()}
    return [piece for region in analysed for piece in _cut(region, ordered.get(region.contig, []))]


def read_total(summary: Iterable[str]) -> tuple[int, int]:
    """Return of `summary.txt` the bases in the intervals on contigs that have reads, and the sum of depth over them.

    A contig without a read is in no total.
    """
    for line in summary:
        cells = line.split("\t")
        if cells[0] == "total_region":
            return int(cells[1]), int(cells[2])
    return 0, 0


def read_histogram(distribution: Iterable[str], measured_bases: int, bases: int) -> tuple[int, ...]:
    """Return bases at depth 0, 1, 2... of `region.dist.txt`, which gives the share of bases at each depth or more.

    Args:
        distribution: lines of contig, depth and share, the deepest first; `total` is of all contigs with reads.
        measured_bases: that the shares are of.
        bases: of all intervals; those on contigs without a read have depth 0.
    """
    reached: dict[int, int] = {}
    for line in distribution:
        contig, at, share = line.split("\t")
        if contig == "total":
            reached[min(int(at), DEEPEST_COUNTED)] = round(float(share) * measured_bases)
    at_least = [0] * (max(reached, default=0) + 2)
    for depth in range(len(at_least) - 2, -1, -1):  # a depth that is not there is one that no base has
        at_least[depth] = max(reached.get(depth, 0), at_least[depth + 1])
    at_least[0] = bases
    return tuple(here - above for here, above in pairwise(at_least))


def read_pieces(means: Iterable[str], thresholds: Iterable[str]) -> dict[Region, RegionDepth]:
    """Return the depth over each interval of `regions.bed.gz` and `thresholds.bed.gz`, by interval."""
    well_covered: dict[Region, int] = {}
    column = None
    for line in thresholds:
        cells = line.split("\t")
        if column is None:
            column = cells.index(f"{_WELL_COVERED}X")
            continue
        well_covered[Region(cells[0], int(cells[1]), int(cells[2]))] = int(cells[column])
    found = {}
    for line in means:
        cells = line.split("\t")
        region = Region(cells[0], int(cells[1]), int(cells[2]))
        found[region] = RegionDepth(region, round(float(cells[-1]) * region.length), well_covered.get(region, 0))
    return found


def read_deep(quantized: Iterable[str]) -> Iterator[Region]:
    """Yield the stretches of `quantized.bed.gz` that are at least `CALLABLE_DEPTH` deep."""
    for line in quantized:
        contig, start0, end0, label = line.split("\t")
        if label.partition(":")[0] == str(CALLABLE_DEPTH):
            yield Region(contig, int(start0), int(end0))


def overlap(stretches: Iterable[Region], regions: Sequence[Region]) -> list[Region]:
    """Return where both are, merged, in the order of `regions`; each sorted within a contig and without overlaps."""
    by_contig: dict[str, list[Region]] = {}
    for one in stretches:
        by_contig.setdefault(one.contig, []).append(one)
    place: dict[str, int] = {}
    found = []
    for region in regions:
        deep = by_contig.get(region.contig, [])
        at = place.get(region.contig, 0)
        while at < len(deep) and deep[at].end0 <= region.start0:
            at += 1
        place[region.contig] = at
        while at < len(deep) and deep[at].start0 < region.end0:
            start0, end0 = max(deep[at].start0, region.start0), min(deep[at].end0, region.end0)
            found.append(Region(region.contig, start0, end0))
            at += 1
    return merge_regions(found)


def _cut(region: Region, edges: Sequence[int]) -> Iterator[Region]:
    start0 = region.start0
    for edge in edges[bisect_right(edges, start0) : bisect_left(edges, region.end0)]:
        yield Region(region.contig, start0, edge)
        start0 = edge
    yield Region(region.contig, start0, region.end0)


def _lines(prefix: Path, name: str) -> Iterator[str]:
    """Yield the lines of one output without their ends."""
    path = prefix.with_name(f"{prefix.name}.{name}")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            yield line.rstrip("\n")


class _Sums:
    """Depth over intervals that are made of whole pieces."""

    def __init__(self, pieces: Iterable[RegionDepth]) -> None:
        by_contig: dict[str, list[RegionDepth]] = {}
        for piece in sorted(pieces, key=lambda one: (one.region.contig, one.region.start0)):
            by_contig.setdefault(piece.region.contig, []).append(piece)
        self._starts = {contig: [one.region.start0 for one in found] for contig, found in by_contig.items()}
        self._before = {
            contig: [(0, 0), *accumulate(((one.depth_sum, one.bases_at_20) for one in found), _add)]
            for contig, found in by_contig.items()
        }

    def over(self, region: Region) -> RegionDepth:
        """Return the depth over what was measured of an interval."""
        starts, before = self._starts.get(region.contig, []), self._before.get(region.contig, [(0, 0)])
        first, last = bisect_left(starts, region.start0), bisect_left(starts, region.end0)
        return RegionDepth(region, before[last][0] - before[first][0], before[last][1] - before[first][1])


def _add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
