"""Common single-base variants of a population, and how many reads of a sample show which allele there.

The sites come from the FREQUENCIES source of the reference bundle. They tell who a sample is (`fingerprint`) and
whether a second person is in it (`contamination`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pysam

from strandline.landing.regions import Region, merge_regions
from strandline.landing.sam.gather import Integers
from strandline.reads.read_batches import BASE_CODES, AlignedBlocks, ReadBatch

LOWEST_FREQUENCY: Final = 0.05
"""Of the rarer allele: a rarer one tells little about a person, and its frequency is known badly."""

LOWEST_BASE_QUALITY: Final = 20

MOST_TILES: Final = 4_000
TILE_BASES: Final = 10_000
MOST_SITES: Final = MOST_TILES * 10
_ALLELES: Final = "ACGT"


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A biallelic single-base variant. `position0` is 0-based; `frequency` is of `alt`, between 0 and 1."""

    contig: str
    position0: int
    ref: str
    alt: str
    frequency: float

    @property
    def name(self) -> str:
        """`contig:position:ref:alt`, the position 1-based."""
        return f"{self.contig}:{self.position0 + 1}:{self.ref}:{self.alt}"


@dataclass(frozen=True, slots=True)
class SiteCounts:
    """Reads by allele at one site: primary, unduplicated, mapping quality and base quality 20 or more.

    Overlapping mates count twice. `other` are bases that are neither allele, so errors.
    """

    site: KnownSite
    ref: int
    alt: int
    other: int

    @property
    def depth(self) -> int:
        """Reads that show one of the two alleles."""
        return self.ref + self.alt


def read_known_sites(vcf: Path, regions: Sequence[Region]) -> list[KnownSite]:
    """Read common sites inside `regions`, in the order of merged regions.

    A whole genome has millions: of tiles of 10 kb, counted from the contig's beginning, every second (fourth,
    eighth...) is read, so that at most `MOST_TILES` are, and of each the first ten sites, or more where few tiles make
    `MOST_SITES`. So two samples with other regions still share the sites of the sparser choice.

    Args:
        vcf: indexed VCF with `AF`, one value an alternate allele.
        regions: what is analysed; 0-based, half-open.
    """
    tiles = [tile for region in merge_regions(list(regions)) for tile in _tiles(region)]
    step = 1
    while len(tiles) > step * MOST_TILES:
        step *= 2
    limit = max(MOST_SITES // MOST_TILES, MOST_SITES // max(len(tiles), 1))
    sites: list[KnownSite] = []
    with pysam.VariantFile(str(vcf)) as records:
        known = set(records.header.contigs)
        for number, tile in tiles:
            if number % step == 0 and tile.contig in known:
                sites += islice(_sites_of(records, tile), limit)
    return sites


class SiteMeter:
    """Counts alleles at sites from batches of reads and the blocks of them that count for depth.

    Args:
        contigs: names by number, as in the header of the reads.
        sites: in any order, each place once.
    """

    def __init__(self, contigs: Sequence[str], sites: Sequence[KnownSite]) -> None:
        self._sites = list(sites)
        self._counts = np.zeros((len(self._sites), 16), dtype=np.int64)
        numbers: Mapping[str, int] = {name: number for number, name in enumerate(contigs)}
        placed = np.array(
            [(numbers.get(site.contig, -1), site.position0) for site in self._sites], dtype=np.int64
        ).reshape(-1, 2)
        self._by_contig: dict[int, tuple[Integers, Integers]] = {}
        for contig in np.unique(placed[:, 0]).tolist():
            mine = np.flatnonzero(placed[:, 0] == contig)
            mine = mine[np.argsort(placed[mine, 1], kind="stable")]
            self._by_contig[contig] = (mine, placed[mine, 1])

    def add(self, batch: ReadBatch, blocks: AlignedBlocks) -> None:
        """Count the blocks that cover a site."""
        contigs = batch.contig[blocks.read]
        for contig in np.unique(contigs).tolist():
            if contig not in self._by_contig:
                continue
            of_contig = contigs == contig
            start0, end0 = blocks.start0[of_contig], blocks.end0[of_contig]
            place, positions = self._by_contig[contig]
            first, last = np.searchsorted(positions, start0), np.searchsorted(positions, end0)
            hits = last - first
            within = np.arange(int(hits.sum())) - np.repeat(np.cumsum(hits) - hits, hits)
            nth = np.repeat(first, hits) + within
            at = np.repeat(blocks.first_base[of_contig] - start0, hits) + positions[nth]
            good = (batch.qualities[at] >= LOWEST_BASE_QUALITY) & (batch.qualities[at] != 255)
            np.add.at(self._counts, (place[nth[good]], batch.bases[at[good]]), 1)

    def finish(self) -> list[SiteCounts]:
        """Return the counts, in the order of the sites."""
        places = [BASE_CODES.index(base) for base in _ALLELES]
        found = []
        for site, row in zip(self._sites, self._counts.tolist(), strict=True):
            ref, alt = row[BASE_CODES.index(site.ref)], row[BASE_CODES.index(site.alt)]
            found.append(SiteCounts(site, ref, alt, sum(row[place] for place in places) - ref - alt))
        return found


def as_arrays(
    counts: Sequence[SiteCounts],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return reads of the reference allele, reads of the other one, and its frequency, an entry a site."""
    table = np.array([(one.ref, one.alt, one.site.frequency) for one in counts], dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _tiles(region: Region) -> Iterator[tuple[int, Region]]:
    for number in range(region.start0 // TILE_BASES, (region.end0 - 1) // TILE_BASES + 1):
        start0, end0 = max(region.start0, number * TILE_BASES), min(region.end0, (number + 1) * TILE_BASES)
        yield number, Region(region.contig, start0, end0)


def _sites_of(records: pysam.VariantFile, tile: Region) -> Iterator[KnownSite]:
    last = -1
    for record in records.fetch(tile.contig, tile.start0, tile.end0):
        site = _to_site(record)
        if site is None or not tile.start0 <= site.position0 < tile.end0 or site.position0 == last:
            continue
        last = site.position0
        yield site


def _to_site(record: pysam.VariantRecord) -> KnownSite | None:
    ref, alts = (record.ref or "").upper(), record.alts or ()
    if len(alts) != 1 or ref not in set(_ALLELES) or alts[0].upper() not in set(_ALLELES) or "AF" not in record.info:
        return None
    value = record.info["AF"]
    frequency = float(value[0] if isinstance(value, tuple) else value)
    if not LOWEST_FREQUENCY <= frequency <= 1 - LOWEST_FREQUENCY:
        return None
    return KnownSite(record.contig, record.start, ref, alts[0].upper(), round(frequency, 6))
