"""Short windows around insertions and deletions, and the parts of reads that lie in them."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pysam

from strandline.variants.haplotypes import FLANK, MARGIN, Allele, LaidRead

_PAD: Final = 10  # bases of the window beside where the indel can be written
_JOIN: Final = 20  # windows nearer than this are one
WIDEST: Final = 150
"""A window wider than this is not decided by reads laid on without gaps."""

_NEAR: Final = 20_000  # windows nearer than this are read in one pass
_LOWEST_MAPQ: Final = 1
MOST_READS: Final = 400
_EXCLUDED: Final = pysam.FUNMAP | pysam.FSECONDARY | pysam.FQCFAIL | pysam.FDUP | pysam.FSUPPLEMENTARY
_MATCHES: Final = frozenset({pysam.CMATCH, pysam.CEQUAL, pysam.CDIFF})


@dataclass(slots=True)
class Window:
    """0-based, half-open part of a contig, and the alleles that the caller saw in it (`start0` on the contig)."""

    contig: str
    start0: int
    end0: int
    alleles: list[Allele] = field(default_factory=list)

    def covers(self, allele: Allele) -> bool:
        """Whether the whole of an allele's reference bases lies inside."""
        return self.start0 <= allele.start0 and allele.start0 + len(allele.ref) <= self.end0


def record_alleles(record: pysam.VariantRecord) -> list[Allele]:
    """Return the alternate alleles, trimmed; symbolic ones and `*` left out."""
    if record.ref is None:
        return []
    return [
        trim_allele(record.start, record.ref.upper(), alt.upper()) for alt in record.alts or () if alt[0] not in "<*."
    ]


def trim_allele(start0: int, ref: str, alt: str) -> Allele:
    """Drop shared bases, the suffix first.

    >>> trim_allele(10, "CAT", "CT")
    Allele(start0=11, ref='A', alt='')
    """
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, start0 = ref[1:], alt[1:], start0 + 1
    return Allele(start0, ref, alt)


def find_windows(records: Iterable[pysam.VariantRecord], reference: pysam.FastaFile) -> list[Window]:
    """Return windows around the indels of a sorted VCF, each with what the indel can move over and 10 bases more.

    Neighbours under 20 bases apart share one; those over 150 bases wide are left out.
    """
    windows: list[Window] = []
    for record in records:
        for allele in record_alleles(record):
            if allele.is_snv:
                continue
            start0, end0 = reach(allele, record.contig, reference)
            last = windows[-1] if windows else None
            if last and last.contig == record.contig and start0 <= last.end0 + _JOIN:
                last.start0, last.end0 = min(start0, last.start0), max(end0, last.end0)
            else:
                windows.append(Window(record.contig, start0, end0))
    return [window for window in windows if window.end0 - window.start0 <= WIDEST]


def assign_alleles(windows: Sequence[Window], records: Iterable[pysam.VariantRecord]) -> None:
    """Give each window the alleles that lie in it."""
    by_contig: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        by_contig[window.contig].append(window)
    for record in records:
        there = by_contig.get(record.contig, [])
        for allele in record_alleles(record):
            at = bisect_right(there, allele.start0, key=lambda window: window.start0) - 1
            if at >= 0 and there[at].covers(allele):
                there[at].alleles.append(allele)


def reach(allele: Allele, contig: str, reference: pysam.FastaFile) -> tuple[int, int]:
    """Return the interval that an indel can be written in, 10 bases wider on each side."""
    start0, end0 = allele.start0, allele.start0 + len(allele.ref)
    unit = allele.ref or allele.alt
    if not (allele.ref and allele.alt):
        before = reference.fetch(contig, max(0, start0 - MARGIN), start0).upper()
        after = reference.fetch(contig, end0, end0 + MARGIN).upper()
        left = right = 0
        while left < len(before) and before[-1 - left] == unit[-1 - left % len(unit)]:
            left += 1
        while right < len(after) and after[right] == unit[right % len(unit)]:
            right += 1
        start0, end0 = start0 - left, end0 + right
    return max(0, start0 - _PAD), end0 + _PAD


def read_windows(
    windows: Sequence[Window], reads: pysam.AlignmentFile
) -> Iterator[tuple[Window, list[pysam.AlignedSegment]]]:
    """Yield each window with the reads that touch it or its flanks.

    Neighbouring windows share one pass, for each jump into a CRAM decodes thousands of reads again. Duplicates,
    secondary and supplementary alignments and reads of mapping quality 0 are left out.
    """
    group: list[Window] = []
    for window in windows:
        if group and (window.contig != group[-1].contig or window.start0 - group[-1].end0 > _NEAR):
            yield from _pass_over(group, reads)
            group = []
        group.append(window)
    if group:
        yield from _pass_over(group, reads)


def lay_reads(window: Window, reads: Iterable[pysam.AlignedSegment]) -> tuple[list[LaidRead], Counter[str]]:
    """Return the reads cut to the window and its flanks, and how often what is seen between its edges."""
    laid: list[LaidRead] = []
    seen: Counter[str] = Counter()
    for read in reads:
        bases, qualities = read.query_sequence, read.query_qualities
        if not bases or qualities is None or not read.cigartuples:
            continue
        left, right, inside = _anchors(read, window)
        if inside:
            seen[bases[inside[0] : inside[1]]] += 1
        if left is None and right is None:
            continue
        first = left[0] if left and left[1] == window.start0 - FLANK else 0
        last = right[0] if right and right[1] == window.end0 + FLANK else len(bases)
        laid.append(
            LaidRead(
                fragment=read.query_name or "",
                bases=bases[first:last].encode(),
                qualities=bytes(qualities[first:last]),
                from_left=left[1] - (window.start0 - MARGIN) - (left[0] - first) if left else None,
                from_right=(window.end0 + MARGIN) - right[1] + (right[0] - first) if right else None,
            )
        )
    return laid, seen


def _pass_over(
    windows: Sequence[Window], reads: pysam.AlignmentFile
) -> Iterator[tuple[Window, list[pysam.AlignedSegment]]]:
    held: list[list[pysam.AlignedSegment]] = [[] for _ in windows]
    done = 0
    for read in reads.fetch(windows[0].contig, max(0, windows[0].start0 - FLANK), windows[-1].end0 + FLANK):
        start0, end0 = read.reference_start, read.reference_end
        while done < len(windows) and windows[done].end0 + FLANK <= start0:
            yield windows[done], held[done]
            held[done] = []
            done += 1
        if read.flag & _EXCLUDED or read.mapping_quality < _LOWEST_MAPQ or end0 is None:
            continue
        at = done
        while at < len(windows) and windows[at].start0 - FLANK < end0:
            if len(held[at]) < MOST_READS:
                held[at].append(read)
            at += 1
    yield from zip(windows[done:], held[done:], strict=True)


_Place = tuple[int, int]  # 0-based, in the read and on the contig


def _anchors(read: pysam.AlignedSegment, window: Window) -> tuple[_Place | None, _Place | None, tuple[int, int] | None]:
    """Return where an aligned base enters the left flank, where one leaves the right flank, and what lies between.

    The right place is one behind the last aligned base. The third is the read's part between the window's edges, where
    bases are aligned on both sides of it.
    """
    left: _Place | None = None
    right: _Place | None = None
    begin_inside: int | None = None
    end_inside: int | None = None
    in_read, on_contig = 0, read.reference_start
    for operation, length in read.cigartuples or ():
        if operation in _MATCHES:
            shift = in_read - on_contig
            begin = max(on_contig, window.start0 - FLANK)
            end = min(on_contig + length, window.end0 + FLANK)
            if left is None and begin < min(end, window.start0):
                left = begin + shift, begin
            if end > max(begin, window.end0):
                right = end + shift, end
            if on_contig < window.start0 <= on_contig + length:
                begin_inside = window.start0 + shift
            if on_contig <= window.end0 < on_contig + length:
                end_inside = window.end0 + shift
            in_read, on_contig = in_read + length, on_contig + length
        elif operation in (pysam.CINS, pysam.CSOFT_CLIP):
            in_read += length
        elif operation in (pysam.CDEL, pysam.CREF_SKIP):
            on_contig += length
    inside = (begin_inside, end_inside) if begin_inside is not None and end_inside is not None else None
    return left, right, inside
