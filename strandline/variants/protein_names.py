"""Names of predicted changes of a protein (p.) by the HGVS nomenclature.

Source: HGVS nomenclature 21, protein recommendations: substitution, deletion, duplication, insertion,
deletion-insertion, frame shift, extension. Predicted from the DNA, so in parentheses. The standard genetic code, NCBI
translation table 1.
"""

from functools import lru_cache
from itertools import product
from typing import Final

_CODONS: Final = ("".join(codon) for codon in product("TCAG", repeat=3))
_AMINO_ACID_BY_CODON: Final = dict(
    zip(_CODONS, "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", strict=True)
)
STOP_CODONS: Final = frozenset({"TAA", "TAG", "TGA"})
_UNKNOWN: Final = "X"
_STOP: Final = "*"
_WORD_BY_LETTER: Final = {
    **{"A": "Ala", "R": "Arg", "N": "Asn", "D": "Asp", "C": "Cys", "Q": "Gln", "E": "Glu", "G": "Gly", "H": "His"},
    **{"I": "Ile", "L": "Leu", "K": "Lys", "M": "Met", "F": "Phe", "P": "Pro", "S": "Ser", "T": "Thr", "W": "Trp"},
    **{"Y": "Tyr", "V": "Val", "*": "Ter"},
}
UNTOLD: Final = "p.?"
"""The effect cannot be told."""


def name_protein_change(translated: str, coding_length: int, offset: int, deleted: int, inserted: str) -> str:
    """Name the effect of an edit of the coding sequence.

    Args:
        translated: bases from the first codon to the transcript's end.
        coding_length: how many of them are the coding sequence, with its stop codon where it has one.
        offset: 0-based place of the edit; negative where it begins before the first codon.
        deleted: bases taken away there.
        inserted: bases put there instead.

    Returns:
        `p.?` where a base is not known, or a stop codon lies inside of the protein, as that of a selenoprotein.

    >>> name_protein_change("ATGTGGAAATAA", 12, 5, 1, "A")
    'p.(Trp2Ter)'
    """
    if offset < 3 and (deleted or offset > 0):
        return "p.(Met1?)"
    before = _translate_to_stop(translated[:coding_length])
    if _UNKNOWN in before or len(before) < coding_length // 3:
        return UNTOLD
    after = _translate_to_stop(translated[:offset] + inserted + translated[offset + deleted :])
    first, last = offset // 3, (offset + deleted - 1) // 3 if deleted else offset // 3
    if _UNKNOWN in after:
        return UNTOLD
    if before == after:
        return _silent(before, first, last)
    shift = len(inserted) - deleted
    reaches_stop = before.endswith(_STOP) and last >= len(before) - 1
    if shift % 3 or (reaches_stop and shift):
        return _frame_shift(before, after)
    return _in_frame(
        before, after, codons=shift // 3, edited=(first, last + 1 if deleted else first + (offset % 3 > 0))
    )


@lru_cache(64)
def _translate_to_stop(bases: str) -> str:
    """Translate whole codons up to the first stop, which is the last letter where there is one."""
    letters: list[str] = []
    for place in range(0, len(bases) - 2, 3):
        letters.append(_AMINO_ACID_BY_CODON.get(bases[place : place + 3], _UNKNOWN))
        if letters[-1] == _STOP:
            break
    return "".join(letters)


def _silent(protein: str, first: int, last: int) -> str:
    last = min(last, len(protein) - 1)
    return f"p.({_interval(protein, min(first, last), last + 1)}=)"


def _frame_shift(before: str, after: str) -> str:
    place = _first_difference(before, after)
    if place >= min(len(before), len(after)):
        return UNTOLD
    if before[place] == _STOP:
        return _extension(before, after)
    if after[place] == _STOP:
        return f"p.({_residue(before, place)}Ter)"
    count = str(len(after) - place) if after.endswith(_STOP) else "?"
    return f"p.({_residue(before, place)}{_WORD_BY_LETTER[after[place]]}fsTer{count})"


def _extension(before: str, after: str) -> str:
    place = len(before) - 1
    count = str(len(after) - len(before)) if after.endswith(_STOP) else "?"
    return f"p.({_residue(before, place)}{_WORD_BY_LETTER[after[place]]}extTer{count})"


def _in_frame(before: str, after: str, *, codons: int, edited: tuple[int, int]) -> str:
    place = _first_difference(before, after)
    if place >= min(len(before), len(after)):
        return UNTOLD
    if before[place] == _STOP:
        return _extension(before, after)
    if after[place] == _STOP:  # also where the last codons are deleted: such a loss is named as a stop
        return f"p.({_residue(before, place)}Ter)"
    if after.endswith(_STOP) and len(after) < len(before) + codons:  # a stop that was not there before
        return _replacement(before, place, max(place, edited[1]), after[place:])
    if len(after) != len(before) + codons:
        return UNTOLD
    return _exchange(before, after, place)


def _exchange(before: str, after: str, place: int) -> str:
    """Name what differs between two proteins that end alike; `place` is the first difference."""
    shared = 0
    longest = min(len(before), len(after)) - place
    while shared < longest and before[-1 - shared] == after[-1 - shared]:
        shared += 1
    end, put = len(before) - shared, after[place : len(after) - shared]
    if not put:
        return f"p.({_interval(before, place, end)}del)"
    if place == end and before[place - len(put) : place] == put and place >= len(put):
        return f"p.({_interval(before, place - len(put), place)}dup)"
    if end - place == len(put) == 1:
        return f"p.({_residue(before, place)}{_WORD_BY_LETTER[put]})"
    return _replacement(before, place, end, put)


def _replacement(before: str, place: int, end: int, put: str) -> str:
    words = "".join(_WORD_BY_LETTER[letter] for letter in put)
    if place == end:
        return f"p.({_residue(before, place - 1)}_{_residue(before, place)}ins{words})"
    return f"p.({_interval(before, place, end)}delins{words})"


def _first_difference(one: str, other: str) -> int:
    for place, (letter, there) in enumerate(zip(one, other, strict=False)):
        if letter != there:
            return place
    return min(len(one), len(other))


def _interval(protein: str, start: int, end: int) -> str:
    if end - start == 1:
        return _residue(protein, start)
    return f"{_residue(protein, start)}_{_residue(protein, end - 1)}"


def _residue(protein: str, place: int) -> str:
    return f"{_WORD_BY_LETTER[protein[place]]}{place + 1}"
