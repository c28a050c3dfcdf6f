"""ALT alleles one by one: trimmed of the bases they share with REF, moved to the left where a reference is at hand.

Source: Tan et al. 2015, doi:10.1093/bioinformatics/btv112; VCF 4.5, sections 1.6.1 (4, 5), 5.4 and 5.5.
"""

from typing import Final, NamedTuple, Protocol

from strandline.landing.vcf.alleles import BLOCK_ALLELES
from strandline.variants.records import variant_type

_WINDOW: Final = 100  # bases of the reference that are fetched at once


class Reference(Protocol):
    """Sequences by contig, such as `pysam.FastaFile`."""

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        """Return the bases of a half-open, 0-based interval."""
        ...


class SplitAllele(NamedTuple):
    """One ALT allele of a record.

    Attributes:
        number: its place in ALT, from 1.
        shift: bases that trimming moved POS to the right.
        kind: as `variant_type` tells it.
    """

    number: int
    shift: int
    ref: str
    alt: str
    kind: str


def split_alleles(ref: str, alts: list[str]) -> list[SplitAllele]:
    """Return the alleles but for those that stand for what was not seen (`<*>`, `<NON_REF>`) and for none (`.`).

    >>> split_alleles("CGGA", ["CGA", "<NON_REF>"])
    [SplitAllele(number=1, shift=0, ref='CG', alt='C', kind='DELETION')]
    """
    return [_split(number, ref, alt) for number, alt in enumerate(alts, start=1) if alt != "." and alt not in _UNSEEN]


def left_align(contig: str, position: int, ref: str, alt: str, reference: Reference) -> tuple[int, str, str]:
    """Return POS (1-based), REF and ALT of an insertion or deletion as far to the left as the reference lets it.

    What is neither, or stands at the first base, stays as it is. Bases are compared in capitals.
    """
    bases, start0 = "", position - 1
    while ref[-1] == alt[-1] and min(len(ref), len(alt)) == 1 and position > 1:
        if start0 >= position - 1:
            end0, start0 = position - 1, max(0, position - 1 - _WINDOW)
            bases = reference.fetch(contig, start0, end0).upper()
            if len(bases) < end0 - start0:
                return position, ref, alt  # a contig that the reference lacks
        position -= 1
        before = bases[position - 1 - start0]
        ref, alt = before + ref[:-1], before + alt[:-1]
    return position, ref, alt


_UNSEEN: Final = frozenset(allele.decode() for allele in BLOCK_ALLELES)


def _split(number: int, ref: str, alt: str) -> SplitAllele:
    if len(ref) == 1 or len(alt) == 1 or not alt.isalpha():
        return SplitAllele(number, 0, ref, alt, variant_type(ref, alt))
    end = 0
    most = min(len(ref), len(alt)) - 1
    while end < most and ref[-1 - end] == alt[-1 - end]:
        end += 1
    ref, alt = ref[: len(ref) - end], alt[: len(alt) - end]
    start, most = 0, min(len(ref), len(alt)) - 1
    while start < most and ref[start] == alt[start]:
        start += 1
    return SplitAllele(number, start, ref[start:], alt[start:], variant_type(ref[start:], alt[start:]))
