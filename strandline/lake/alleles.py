"""ALT alleles one by one: trimmed of the bases they share with REF, moved to the left where a reference is at hand.

Source: Tan et al. 2015, doi:10.1093/bioinformatics/btv112; VCF 4.5, sections 1.6.1 (4, 5), 5.4 and 5.5.
"""

from typing import Final, Protocol

import numpy as np

from strandline.lake.compiled import compiled
from strandline.lake.text_scan import Bytes, Numbers, Places
from strandline.lake.vcf_lines import ALT, COLUMN_COUNT, QUAL, REF
from strandline.landing.vcf.alleles import BLOCK_ALLELES

KINDS: Final = ("SNV", "INSERTION", "DELETION", "MNV", "COMPLEX", "SYMBOLIC", "BREAKEND", "SPANNING_DELETION")
_SNV, _INSERTION, _DELETION, _MNV, _COMPLEX, _SYMBOLIC, _BREAKEND, _SPANNING = range(8)
_UNSEEN: Final = tuple(np.frombuffer(allele, np.uint8) for allele in sorted(BLOCK_ALLELES))
_COMMA, _DOT, _STAR, _LESS = 44, 46, 42, 60
_WINDOW: Final = 100  # bases of the reference that are fetched at once


class Reference(Protocol):
    """Sequences by contig, such as `pysam.FastaFile`."""

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        """Return the bases of a half-open, 0-based interval."""
        ...


def left_align(contig: str, position: int, ref: str, alt: str, reference: Reference) -> tuple[int, str, str]:
    """Return POS (1-based), REF and ALT of an insertion or deletion as far to the left as the reference lets it.

    What is neither, or stands at the first base, stays as it is, and so does what is on a contig that the reference
    lacks. Bases are compared in capitals.
    """
    bases, start0 = "", position - 1
    while ref[-1] == alt[-1] and min(len(ref), len(alt)) == 1 and position > 1:
        if start0 >= position - 1:
            end0, start0 = position - 1, max(0, position - 1 - _WINDOW)
            try:
                bases = reference.fetch(contig, start0, end0).upper()
            except (KeyError, ValueError):  # of pysam, for a contig that it does not know
                bases = ""
            if len(bases) < end0 - start0:
                return position, ref, alt
        position -= 1
        before = bases[position - 1 - start0]
        ref, alt = before + ref[:-1], before + alt[:-1]
    return position, ref, alt


@compiled
def split_alleles(
    text: Bytes,
    columns: Places,
    first: Numbers,
    records: Numbers,
    alts: Numbers,
    shifts: Numbers,
    kinds: Numbers,
    ref_starts: Places,
    ref_ends: Places,
    alt_starts: Places,
    alt_ends: Places,
) -> int:
    """Split ALT of records into sites, but for alleles that stand for what was not seen and for none (`.`).

    Args:
        columns: as `find_columns` fills it.
        first: out, a number more than records: the first site of each, and behind them how many sites there are.
        records, alts: out, which record each site is of, and which of its ALT alleles, from 1.
        shifts: out, bases that trimming moved POS to the right.
        kinds: out, places in KINDS: what `strandline.variants.kinds.variant_type` says, which a test compares.
        ref_starts, ref_ends, alt_starts, alt_ends: out, where the trimmed alleles stand in the block.

    Returns:
        How many sites there are.
    """
    site = 0
    for record in range(first.shape[0] - 1):
        first[record] = site
        base = record * COLUMN_COUNT
        ref_start, ref_end = columns[base + REF], columns[base + ALT] - 1
        start, end = columns[base + ALT], columns[base + QUAL] - 1
        number = 0
        while start <= end:
            stop, is_bases = start, True
            while stop < end and text[stop] != _COMMA:
                letter = text[stop] | 32
                is_bases = is_bases and 97 <= letter <= 122
                stop += 1
            number += 1
            if not (is_bases or _is_unseen(text, start, stop)):
                records[site], alts[site], shifts[site] = record, number, 0
                ref_starts[site], ref_ends[site] = ref_start, ref_end
                alt_starts[site], alt_ends[site] = start, stop
                kinds[site] = _kind_of_symbol(text, start, stop)
                site += 1
            elif is_bases and stop > start:
                tail, head = _shared(text, ref_start, ref_end, start, stop)
                records[site], alts[site], shifts[site] = record, number, head
                ref_starts[site], ref_ends[site] = ref_start + head, ref_end - tail
                alt_starts[site], alt_ends[site] = start + head, stop - tail
                kinds[site] = _kind_of_bases(text, ref_starts[site], ref_ends[site], alt_starts[site], alt_ends[site])
                site += 1
            start = stop + 1
    first[first.shape[0] - 1] = site
    return site


@compiled
def has_small_letters(text: Bytes, starts: Places, ends: Places) -> bool:
    """Whether a small letter stands in some text, of alleles in bases or of any other."""
    for number in range(starts.shape[0]):
        for place in range(starts[number], ends[number]):
            if 97 <= text[place] <= 122:
                return True
    return False


@compiled
def _is_unseen(text: Bytes, start: int, end: int) -> bool:
    if end - start == 1 and text[start] == _DOT:
        return True
    for allele in _UNSEEN:
        if end - start == allele.shape[0]:
            same = True
            for offset in range(end - start):
                same = same and text[start + offset] == allele[offset]
            if same:
                return True
    return False


@compiled
def _shared(text: Bytes, ref_start: int, ref_end: int, alt_start: int, alt_end: int) -> tuple[int, int]:
    """Return how many bases the alleles share at the end, and then at the start; one base of each is left."""
    most = min(ref_end - ref_start, alt_end - alt_start) - 1
    tail = 0
    while tail < most and text[ref_end - 1 - tail] | 32 == text[alt_end - 1 - tail] | 32:
        tail += 1
    head = 0
    while head < most - tail and text[ref_start + head] | 32 == text[alt_start + head] | 32:
        head += 1
    return tail, head


@compiled
def _kind_of_symbol(text: Bytes, start: int, end: int) -> int:
    if text[start] == _LESS:
        return _SYMBOLIC
    return _SPANNING if end - start == 1 and text[start] == _STAR else _BREAKEND


@compiled
def _kind_of_bases(text: Bytes, ref_start: int, ref_end: int, alt_start: int, alt_end: int) -> int:
    ref_length, alt_length = ref_end - ref_start, alt_end - alt_start
    if ref_length == alt_length:
        return _SNV if ref_length == 1 else _MNV
    starts_alike = text[ref_start] | 32 == text[alt_start] | 32
    if ref_length == 1 and starts_alike:
        return _INSERTION
    return _DELETION if alt_length == 1 and starts_alike else _COMPLEX
