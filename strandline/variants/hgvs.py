"""Names of variants by the HGVS nomenclature: on the genome (g., m.) and on a transcript (c., n.).

Source: HGVS nomenclature 21, DNA recommendations (numbering, substitution, deletion, duplication, insertion,
deletion-insertion) and general recommendations (3' rule). A variant is moved along the genome, so that one at the end
of an exon never takes the identical base of the next exon, which is the nomenclature's exception for exon/exon
junctions. Inversions and repeated sequences are named as deletion-insertion, duplication or insertion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pysam

from strandline.variants.protein_names import STOP_CODONS, UNTOLD, name_protein_change
from strandline.variants.transcripts import Transcript

_CHUNK_SHIFT: Final = 18  # 262,144 bases
_CHUNKS_HELD: Final = 16
_COMPLEMENT: Final = str.maketrans("ACGTN", "TGCAN")
_BASES: Final = frozenset("ACGTN")
_SPLICE_SITE: Final = 2


class ContigBases:
    """Bases of one contig in upper case, read in pieces of which a few are held.

    Args:
        fasta: open and indexed.
        contig: a name in it.
    """

    def __init__(self, fasta: pysam.FastaFile, contig: str) -> None:
        self.contig = contig
        self.length = fasta.get_reference_length(contig)

        def read_chunk(number: int) -> str:
            start = number << _CHUNK_SHIFT
            return fasta.fetch(contig, start, min(start + (1 << _CHUNK_SHIFT), self.length)).upper()

        self._chunk: Callable[[int], str] = lru_cache(_CHUNKS_HELD)(read_chunk)

    def __getitem__(self, position0: int) -> str:
        """Return the base at a 0-based position of the contig."""
        return self._chunk(position0 >> _CHUNK_SHIFT)[position0 & ((1 << _CHUNK_SHIFT) - 1)]

    def fetch(self, start0: int, end0: int) -> str:
        """Return the bases of a 0-based, half-open interval."""
        first, last = start0 >> _CHUNK_SHIFT, max(end0 - 1, start0) >> _CHUNK_SHIFT
        joined = "".join(self._chunk(number) for number in range(first, last + 1))
        return joined[start0 - (first << _CHUNK_SHIFT) : end0 - (first << _CHUNK_SHIFT)]


@dataclass(frozen=True, slots=True)
class Edit:
    """What a variant does to the genome: `inserted` stands where bases `start0` to `end0` (0-based, half-open) were."""

    start0: int
    end0: int
    deleted: str
    inserted: str

    @property
    def can_move(self) -> bool:
        """Whether it is a plain deletion or insertion, which may have several places that give the same sequence."""
        return not self.deleted or not self.inserted


def edit_of(position: int, ref: str, alt: str) -> Edit | None:
    """Return what a VCF record does, without the bases that `ref` and `alt` share; None where `alt` is no bases.

    Args:
        position: 1-based, as in VCF.
        ref: bases.
        alt: bases, or a symbol such as `*` or `<DEL>`.

    >>> edit_of(100, "CAG", "CG")
    Edit(start0=100, end0=101, deleted='A', inserted='')
    """
    ref, alt, start = ref.upper(), alt.upper(), position - 1
    if ref == alt or not (_BASES.issuperset(ref) and _BASES.issuperset(alt)):
        return None
    shared = _shared_prefix(ref, alt)
    ref, alt, start = ref[shared:], alt[shared:], start + shared
    shared = _shared_prefix(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - shared], alt[: len(alt) - shared]
    return Edit(start, start + len(ref), ref, alt)


def move_right(edit: Edit, bases: ContigBases, limit0: int) -> Edit:
    """Return the equal edit that lies furthest to the right and ends at `limit0` (0-based, half-open) or before."""
    start, end, deleted, inserted = edit.start0, edit.end0, edit.deleted, edit.inserted
    if deleted and inserted:
        return edit
    while end < limit0:
        incoming = bases[end]
        if (deleted or inserted)[0] != incoming or incoming == "N":
            break
        deleted, inserted = deleted[1:] + deleted[:1], inserted[1:] + inserted[:1]
        start, end = start + 1, end + 1
    return Edit(start, end, deleted, inserted)


def move_left(edit: Edit, bases: ContigBases, limit0: int) -> Edit:
    """Return the equal edit that lies furthest to the left and begins at `limit0` (0-based) or behind."""
    start, end, deleted, inserted = edit.start0, edit.end0, edit.deleted, edit.inserted
    if deleted and inserted:
        return edit
    while start > limit0:
        incoming = bases[start - 1]
        if (deleted or inserted)[-1] != incoming or incoming == "N":
            break
        deleted, inserted = deleted[-1:] + deleted[:-1], inserted[-1:] + inserted[:-1]
        start, end = start - 1, end - 1
    return Edit(start, end, deleted, inserted)


def name_on_genome(edit: Edit, bases: ContigBases, sequence: str, *, is_mitochondrion: bool = False) -> str | None:
    """Return such as `NC_000001.11:g.12345A>G`; None for an insertion before the first base or behind the last.

    Args:
        edit: on the contig of `bases`.
        bases: that contig.
        sequence: what the positions are of: an accession with its version, or a contig's name.
        is_mitochondrion: names it `m.` and not `g.`.
    """
    moved = move_right(edit, bases, bases.length)
    if not moved.deleted and not 0 < moved.start0 < bases.length:
        return None
    described = _describe(moved, bases, lambda position0: str(position0 + 1), is_forward=True, limits=(0, bases.length))
    return f"{sequence}:{'m' if is_mitochondrion else 'g'}.{described}"


@dataclass(frozen=True, slots=True)
class TranscriptNames:
    """`coding` is such as `c.76A>T` (`n.` where the transcript codes for nothing), without the transcript.

    `protein` is such as `p.(Lys26Ter)`; `p.?` where the effect cannot be told; None where nothing is claimed, as in an
    intron or beyond the coding sequence.
    """

    coding: str
    protein: str | None


def name_on_transcript(edit: Edit, transcript: Transcript, bases: ContigBases) -> TranscriptNames | None:
    """Name an edit on one transcript, moved as far as it goes in the direction of transcription.

    None where the edit reaches beyond the transcript, and where the bases of the coding sequence cannot be numbered:
    it begins inside a codon, is not all that the exons hold, or begins with no ATG and no base before it, as an
    incomplete one does.
    """
    if edit.start0 < transcript.start0 or edit.end0 > transcript.end0:
        return None
    rightmost, leftmost = (
        move_right(edit, bases, transcript.end0),
        move_left(edit, bases, transcript.start0),
    )
    moved = rightmost if transcript.is_forward else leftmost
    if not moved.deleted and not _is_between_or_copy(moved, transcript, bases):
        return None
    if transcript.coding is None:
        return TranscriptNames("n." + _describe_spliced(moved, transcript, bases, 0, transcript.length), None)
    coded = _coding_sequence(transcript, bases)
    if coded is None:
        return None
    spliced, span = coded
    coding = "c." + _describe_spliced(moved, transcript, bases, *span)
    protein = _protein(moved, (leftmost.start0, rightmost.end0), transcript, spliced, span)
    return TranscriptNames(coding, protein)


def _is_between_or_copy(edit: Edit, transcript: Transcript, bases: ContigBases) -> bool:
    """Tell whether an insertion lies between two bases of a transcript, or copies its first or last ones."""
    if transcript.start0 < edit.start0 < transcript.end0:
        return True
    limits = (transcript.start0, transcript.end0)
    return _copied(edit, bases, is_forward=transcript.is_forward, limits=limits) is not None


def _describe_spliced(edit: Edit, transcript: Transcript, bases: ContigBases, first: int, end: int) -> str:
    def number(position0: int) -> str:
        offset, distance = transcript.locate(position0)
        if offset < first:
            text = f"-{first - offset}"
        else:
            text = f"*{offset - end + 1}" if offset >= end else str(offset - first + 1)
        return f"{text}{distance:+d}" if distance else text

    limits = (transcript.start0, transcript.end0)
    return _describe(edit, bases, number, is_forward=transcript.is_forward, limits=limits)


def _describe(
    edit: Edit, bases: ContigBases, number: Callable[[int], str], *, is_forward: bool, limits: tuple[int, int]
) -> str:
    """Describe an edit that is moved already; `number` names a base, `limits` are where a duplicate may lie."""

    def interval(start0: int, end0: int) -> str:
        ends = [number(start0), number(end0 - 1)]
        if end0 - start0 == 1:
            return ends[0]
        return "_".join(ends if is_forward else reversed(ends))

    inserted = edit.inserted if is_forward else reverse_complement(edit.inserted)
    if not edit.deleted:
        if copied := _copied(edit, bases, is_forward=is_forward, limits=limits):
            return f"{interval(*copied)}dup"
        return f"{interval(edit.start0 - 1, edit.start0 + 1)}ins{inserted}"
    if not inserted:
        return f"{interval(edit.start0, edit.end0)}del"
    if len(edit.deleted) == len(inserted) == 1:
        deleted = edit.deleted if is_forward else reverse_complement(edit.deleted)
        return f"{number(edit.start0)}{deleted}>{inserted}"
    return f"{interval(edit.start0, edit.end0)}delins{inserted}"


def _copied(edit: Edit, bases: ContigBases, *, is_forward: bool, limits: tuple[int, int]) -> tuple[int, int] | None:
    """Return the bases before an insertion, in the direction of naming, where it is a copy of them; else None."""
    length = len(edit.inserted)
    start, end = (edit.start0 - length, edit.start0) if is_forward else (edit.start0, edit.start0 + length)
    is_copy = limits[0] <= start and end <= limits[1] and bases.fetch(start, end) == edit.inserted
    return (start, end) if is_copy else None


def _protein(
    moved: Edit, reach: tuple[int, int], transcript: Transcript, spliced: str, span: tuple[int, int]
) -> str | None:
    """Name the effect on the protein of an edit whose equal places reach over `reach` (0-based, half-open)."""
    if not moved.deleted and moved.start0 in {transcript.start0, transcript.end0}:
        return None  # a copy behind the transcript's last base
    exon = transcript.exon_at(moved.start0 if moved.deleted else moved.start0 - 1)
    if exon is None or not _is_inside(moved, reach, exon, transcript):
        return UNTOLD if _touches_exon_or_splice_site(reach, transcript) else None
    first_base = moved.start0 if transcript.is_forward else moved.end0 - 1
    if not moved.deleted and not transcript.is_forward:
        first_base = moved.start0 - 1  # an insertion lies before the base that follows it in transcription
    offset = transcript.locate(first_base)[0]
    inserted = moved.inserted if transcript.is_forward else reverse_complement(moved.inserted)
    if offset >= span[1] or offset + len(moved.deleted) <= span[0]:
        return None
    return name_protein_change(spliced[span[0] :], span[1] - span[0], offset - span[0], len(moved.deleted), inserted)


def _is_inside(edit: Edit, reach: tuple[int, int], exon: tuple[int, int], transcript: Transcript) -> bool:
    """Tell whether all places of an edit lie in an exon; an insertion beside one does at the ends of the transcript."""
    if edit.deleted:
        return exon[0] <= reach[0] and reach[1] <= exon[1]
    after_start = exon[0] < reach[0] or exon[0] == transcript.start0
    return after_start and (reach[1] < exon[1] or exon[1] == transcript.end0)


def _touches_exon_or_splice_site(reach: tuple[int, int], transcript: Transcript) -> bool:
    """Tell whether a place of an edit touches an exon, or one of the two bases beside it."""
    return any(reach[0] < end + _SPLICE_SITE and start - _SPLICE_SITE < reach[1] for start, end in transcript.exons)


@lru_cache(64)
def _coding_sequence(transcript: Transcript, bases: ContigBases) -> tuple[str, tuple[int, int]] | None:
    """Return the spliced bases and where in them the coding sequence lies; None where that cannot be numbered."""
    span = transcript.coding_span
    if span is None or not transcript.frame_is_known:
        return None
    joined = "".join(bases.fetch(start, end) for start, end in transcript.exons)
    spliced = joined if transcript.is_forward else reverse_complement(joined)
    first, end = span
    if not first and not spliced.startswith("ATG"):
        return None
    leaves_stop_out = spliced[end - 3 : end] not in STOP_CODONS and spliced[end : end + 3] in STOP_CODONS
    return spliced, (first, end + 3 if leaves_stop_out else end)  # GTF leaves it out, and what is made from GTF


def reverse_complement(bases: str) -> str:
    """Return the other strand.

    >>> reverse_complement("ATTGN")
    'NCAAT'
    """
    return bases.translate(_COMPLEMENT)[::-1]


def _shared_prefix(one: str, other: str) -> int:
    count = 0
    for base, there in zip(one, other, strict=False):
        if base != there:
            break
        count += 1
    return count
