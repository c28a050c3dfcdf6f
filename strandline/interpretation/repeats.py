"""Whether an insertion or deletion lies in a tandem repeat of the reference."""

from typing import Final

import pysam

from strandline.variants.hgvs import edit_of
from strandline.variants.records import VariantCall

FEWEST_COPIES: Final = 3
_AROUND: Final = 300


def lies_in_repeat(fasta: pysam.FastaFile, call: VariantCall) -> bool | None:
    """Return whether what is inserted or deleted, or the unit it is made of, stands there three times or more.

    None of a call that neither only inserts nor only deletes.
    """
    edit = edit_of(call.position, call.ref, call.alt)
    if edit is None or bool(edit.deleted) is bool(edit.inserted):
        return None
    unit = shortest_unit(edit.deleted or edit.inserted)
    left0 = max(0, edit.start0 - _AROUND)
    end0 = min(edit.end0 + _AROUND, fasta.get_reference_length(call.contig))
    bases = fasta.fetch(call.contig, left0, end0).upper()
    return _copies(bases, unit, edit.start0 - left0) >= FEWEST_COPIES


def shortest_unit(bases: str) -> str:
    """Return what the bases are a repetition of; themselves where they are none.

    >>> shortest_unit("CAGCAG"), shortest_unit("AAA"), shortest_unit("CAGC")
    ('CAG', 'A', 'CAGC')
    """
    for length in range(1, len(bases) // 2 + 1):
        if len(bases) % length == 0 and bases == bases[:length] * (len(bases) // length):
            return bases[:length]
    return bases


def _copies(bases: str, unit: str, place: int) -> int:
    """Return how many copies of the unit, begun at any of its letters, stand in a row over a place."""
    best = 0
    for shift in range(len(unit)):
        rotated = unit[shift:] + unit[:shift]
        first = last = place
        while bases[last : last + len(unit)] == rotated:
            last += len(unit)
        while first >= len(unit) and bases[first - len(unit) : first] == rotated:
            first -= len(unit)
        best = max(best, (last - first) // len(unit))
    return best
