"""The reads over one variant: what each of them shows, and how many show which allele.

Counted are primary, unduplicated reads of mapping quality 20 or more, as for coverage; both mates of a pair count.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region
from strandline.reads.coverage import LOWEST_MAPQ
from strandline.reads.read_batches import DUPLICATE, FAILED, NOT_PRIMARY, UNMAPPED

FLANK_BASES: Final = 40
LONGEST_SHOWN: Final = 40
"""Bases of REF that a window holds: a longer deletion is shown by its beginning."""
MOST_ROWS: Final = 32
MOST_READS: Final = 20_000
_EXCLUDED: Final = UNMAPPED | FAILED | DUPLICATE | NOT_PRIMARY
_LOW_QUALITY: Final = 20
_GAP: Final = "-"


class Allele(StrEnum):
    """What a read shows at the variant; NONE where it does not reach over it."""

    ALT = "ALT"
    REF = "REF"
    OTHER = "OTHER"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class PiledRead:
    """One read in a window.

    Attributes:
        first: column of its first base in the window, 0-based.
        bases: one letter a column from there, `-` for a deleted base; lower case where the base quality is under 20.
        insertions: columns behind which bases are inserted, with how many.
    """

    first: int
    bases: str
    insertions: tuple[tuple[int, int], ...]
    is_reverse: bool
    mapping_quality: int
    allele: Allele


@dataclass(frozen=True, slots=True)
class Pileup:
    """The reads over a variant.

    Attributes:
        window: what is shown, 0-based and half-open.
        reference: its bases.
        variant_columns: first and behind the last column of REF, as far as it is shown.
        depth: reads with a base at each column, of all reads.
        counts: reads by allele and strand (True is reverse), of all reads that reach over the variant.
        reads: those that are shown, those with the allele first; the same ones every time.
        read_count: reads in the window.
        is_cut: whether more reads lie there than are looked at.
    """

    window: Region
    reference: str
    variant_columns: tuple[int, int]
    depth: tuple[int, ...]
    counts: dict[tuple[Allele, bool], int]
    reads: tuple[PiledRead, ...]
    read_count: int
    is_cut: bool

    def count(self, allele: Allele) -> int:
        """Return how many reads show an allele, on both strands."""
        return self.counts.get((allele, False), 0) + self.counts.get((allele, True), 0)


class PileupReader:
    """Reads pile-ups out of one file; close it, or use it in a `with` statement.

    Args:
        aligned: sorted CRAM or BAM with its index beside it.
        reference: FASTA with its index.
    """

    def __init__(self, aligned: Path, reference: Path) -> None:
        self._reads = pysam.AlignmentFile(str(aligned), reference_filename=str(reference))
        self._bases = pysam.FastaFile(str(reference))

    def __enter__(self) -> "PileupReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._reads.close()
        self._bases.close()

    def read(self, contig: str, position: int, ref: str, alt: str) -> Pileup:
        """Return the reads within 40 bases of a variant; `position` is 1-based.

        Raises:
            ValueError: where the contig is not in the file, or the file has no index.
        """
        start0 = position - 1
        shown = min(len(ref), LONGEST_SHOWN)
        length = self._bases.get_reference_length(contig)
        window = Region(contig, max(0, start0 - FLANK_BASES), min(length, start0 + shown + FLANK_BASES))
        found: list[PiledRead] = []
        names: list[str] = []
        is_cut = False
        depth: Counter[int] = Counter()
        for read in self._reads.fetch(contig, window.start0, window.end0):
            if read.flag & _EXCLUDED or read.mapping_quality < LOWEST_MAPQ or not read.query_sequence:
                continue
            if len(found) == MOST_READS:
                is_cut = True
                break
            piled = _pile(read, window, start0, ref, alt)
            if piled.bases:
                depth.update(piled.first + at for at, base in enumerate(piled.bases) if base != _GAP)
                found.append(piled)
                names.append(f"{read.query_name}/{read.flag}")
        return Pileup(
            window=window,
            reference=self._bases.fetch(contig, window.start0, window.end0).upper(),
            variant_columns=(start0 - window.start0, start0 - window.start0 + shown),
            depth=tuple(depth[column] for column in range(window.length)),
            counts=dict(Counter((one.allele, one.is_reverse) for one in found if one.allele is not Allele.NONE)),
            reads=tuple(_choose(found, names)),
            read_count=len(found),
            is_cut=is_cut,
        )


def _choose(found: Sequence[PiledRead], names: Sequence[str]) -> list[PiledRead]:
    """Return the reads that are shown: of those over the variant some, by a digest of their names, in a fixed order."""

    def rank(number: int) -> tuple[bool, bytes]:
        return found[number].allele is Allele.NONE, hashlib.sha256(names[number].encode()).digest()

    chosen = sorted(range(len(found)), key=rank)[:MOST_ROWS]
    order = list(Allele)
    chosen.sort(key=lambda number: (order.index(found[number].allele), found[number].first, names[number]))
    return [found[number] for number in chosen]


@dataclass(frozen=True, slots=True)
class _Aligned:
    """One read along the reference: a letter for each base of the contig from `start0`, and what is inserted where."""

    start0: int
    letters: str
    inserted: tuple[tuple[int, str], ...]
    """Bases behind a 0-based place."""

    @property
    def end0(self) -> int:
        return self.start0 + len(self.letters)


def _align(read: pysam.AlignedSegment) -> _Aligned:
    """Walk along the CIGAR. Clipped bases belong nowhere; skipped ones (N) are shown as deleted."""
    sequence = _mark_low(read.query_sequence or "", read.query_qualities)
    letters: list[str] = []
    inserted: list[tuple[int, str]] = []
    at, start0 = 0, read.reference_start
    for operation, length in read.cigartuples or ():
        if operation in {pysam.CMATCH, pysam.CEQUAL, pysam.CDIFF}:
            letters.append(sequence[at : at + length])
        elif operation in {pysam.CDEL, pysam.CREF_SKIP}:
            letters.append(_GAP * length)
        elif operation == pysam.CINS and letters:
            inserted.append((start0 + sum(map(len, letters)) - 1, sequence[at : at + length]))
        if operation in {pysam.CMATCH, pysam.CEQUAL, pysam.CDIFF, pysam.CINS, pysam.CSOFT_CLIP}:
            at += length
    return _Aligned(start0, "".join(letters), tuple(inserted))


def _mark_low(sequence: str, qualities: Sequence[int] | None) -> str:
    upper = sequence.upper()
    if qualities is None:
        return upper
    return "".join(
        base.lower() if quality < _LOW_QUALITY else base for base, quality in zip(upper, qualities, strict=True)
    )


def _pile(read: pysam.AlignedSegment, window: Region, start0: int, ref: str, alt: str) -> PiledRead:
    aligned = _align(read)
    first0, end0 = max(aligned.start0, window.start0), min(aligned.end0, window.end0)
    return PiledRead(
        first=first0 - window.start0,
        bases=aligned.letters[first0 - aligned.start0 : max(end0 - aligned.start0, 0)],
        insertions=tuple(
            (place0 - window.start0, len(bases)) for place0, bases in aligned.inserted if first0 <= place0 < end0
        ),
        is_reverse=read.is_reverse,
        mapping_quality=read.mapping_quality,
        allele=_allele(aligned, start0, ref, alt),
    )


def _allele(aligned: _Aligned, start0: int, ref: str, alt: str) -> Allele:
    """Return what the read has in place of REF, with what is inserted behind its bases."""
    end0 = start0 + len(ref)
    if aligned.start0 > start0 or aligned.end0 < end0:
        return Allele.NONE
    inserted = dict(aligned.inserted)
    seen = "".join(
        aligned.letters[place0 - aligned.start0] + inserted.get(place0, "") for place0 in range(start0, end0)
    )
    shown = seen.replace(_GAP, "").upper()
    if shown == alt.upper():
        return Allele.ALT
    return Allele.REF if shown == ref.upper() else Allele.OTHER
