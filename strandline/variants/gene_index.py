"""A few genes and transcripts out of indexed gene models: what a report needs of them, without reading all.

Source of the format: as for `transcripts`.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region, merge_regions
from strandline.variants.transcripts import Transcript, choose_transcripts, parse_transcripts

NEAR_AN_EXON: Final = 8
"""Bases of each intron beside a coding exon that count to a gene's target: where splicing can be disturbed."""
_GENE: Final = "ID=gene:"
_COLUMNS: Final = 9


class GeneIndex:
    """Gene models by place and by symbol.

    Args:
        gff3: Ensembl's GFF3 as BGZF, with its tabix index beside it.
    """

    def __init__(self, gff3: Path) -> None:
        self._path = gff3
        self._models = pysam.TabixFile(str(gff3))

    def __enter__(self) -> "GeneIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self._models.close()

    def transcripts_at(self, contig: str, start0: int, end0: int) -> list[Transcript]:
        """Return the transcripts that share a base with the half-open interval, whole."""
        if contig not in self._models.contigs:
            return []
        genes = [
            (int(columns[3]) - 1, int(columns[4]))
            for columns in (line.split("\t") for line in self._models.fetch(contig, start0, end0))
            if len(columns) == _COLUMNS and columns[8].startswith(_GENE)
        ]
        if not genes:
            return []
        lines = self._models.fetch(contig, min(first for first, _ in genes), max(last for _, last in genes))
        found = parse_transcripts(line.encode() for line in lines)
        return [one for one in found if one.start0 < end0 and start0 < one.end0]

    def targets_of(self, symbols: Collection[str]) -> dict[str, list[Region]]:
        """Return for each gene what of it has to be covered: coding bases of its chosen transcript, and 8 beside.

        A gene without coding sequence is covered by its exons. What the gene models do not know is left out. Where a
        gene stands there twice, as on both X and Y, both count.
        """
        targets: dict[str, list[Region]] = {}
        for symbol, place in self._find(frozenset(symbols)):
            here = self.transcripts_at(place.contig, place.start0, place.end0)
            chosen = choose_transcripts(one for one in here if one.gene == symbol)
            if chosen:
                targets.setdefault(symbol, []).extend(_target(place.contig, chosen[0][0]))
        return {symbol: merge_regions(regions) for symbol, regions in targets.items()}

    def _find(self, symbols: frozenset[str]) -> Iterator[tuple[str, Region]]:
        with pysam.BGZFile(str(self._path), "r", None) as lines:
            for line in lines:
                if _GENE.encode() not in line:
                    continue
                columns = line.decode().rstrip().split("\t")
                symbol = _name(columns[8]) if len(columns) == _COLUMNS else None
                if symbol in symbols:
                    yield str(symbol), Region(columns[0], int(columns[3]) - 1, int(columns[4]))


def _name(attributes: str) -> str | None:
    pairs = dict(part.partition("=")[::2] for part in attributes.split(";"))
    return pairs.get("Name") or pairs.get("ID", "").removeprefix("gene:") or None


def _target(contig: str, transcript: Transcript) -> Iterator[Region]:
    first, last = transcript.coding or (transcript.start0, transcript.end0)
    for start0, end0 in transcript.exons:
        inside = (max(start0, first), min(end0, last))
        if inside[0] < inside[1]:
            left = NEAR_AN_EXON if inside[0] == start0 and start0 > transcript.start0 else 0
            right = NEAR_AN_EXON if inside[1] == end0 and end0 < transcript.end0 else 0
            yield Region(contig, inside[0] - left, inside[1] + right)
