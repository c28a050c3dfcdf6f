"""What INFO and FORMAT keys mean: as the header declares them, and as the specification reserves them.

Source: VCF 4.5, tables 1 and 2 and sections 3 and 4; VCF 4.3 for what is younger than 4.2.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """Number and Type of an INFO or FORMAT key; Number is digits, A, R, G, '.', P, LA, LR, LG or M."""

    number: bytes
    type: bytes


UNKNOWN: Final = FieldDefinition(b".", b"")  # of keys that nobody declared: nothing is asked of their values

NUMBERS_SINCE: Final = {b"A": 1, b"G": 1, b".": 1, b"R": 2}  # minor version that brought a Number
FORMAT_NUMBERS_SINCE: Final = {**NUMBERS_SINCE, b"P": 4, b"LA": 5, b"LR": 5, b"LG": 5, b"M": 5}
INFO_TYPES: Final = frozenset({b"Integer", b"Float", b"Flag", b"Character", b"String"})
FORMAT_TYPES: Final = INFO_TYPES - {b"Flag"}


def _table(text: str) -> dict[bytes, tuple[int, FieldDefinition]]:
    rows = (row.split() for row in text.strip().splitlines())
    return {
        key.encode(): (int(since), FieldDefinition(number.encode(), kind.encode()))
        for since, number, kind, *keys in rows
        for key in keys
    }


_INFO: Final = _table(
    """
    1 1 String AA
    1 A Integer AC
    1 A Float AF
    1 1 Integer AN DP END MQ0 NS
    1 1 Float BQ MQ
    1 A String CIGAR
    1 0 Flag DB H2 H3 SOMATIC VALIDATED 1000G IMPRECISE NOVEL
    3 R Integer AD ADF ADR
    """
)
_FORMAT: Final = _table(
    """
    1 1 String GT FT
    1 1 Integer DP GQ MQ PQ PS
    1 2 Integer HQ
    1 G Float GL GP
    1 G Integer PL
    1 A Integer EC
    3 R Integer AD ADF ADR
    3 G Integer PP
    4 P String PSL
    4 P Integer PQL
    5 1 Integer LEN
    5 . Integer LAA LA
    5 P Integer PSO PSQ
    5 LR Integer LAD LADF LADR
    5 LA Integer LEC
    5 LG Float LGL LGP
    5 LG Integer LPL LPP
    """
)

NEVER_NEGATIVE_INFO: Final = frozenset({b"AC", b"AN", b"AD", b"ADF", b"ADR", b"DP", b"MQ0", b"NS"})
NEVER_NEGATIVE_FORMAT: Final = frozenset({b"AD", b"ADF", b"ADR", b"DP", b"PL", b"PS", b"GQ", b"LAD", b"LPL", b"LEN"})
FREQUENCIES_INFO: Final = frozenset({b"AF"})
FREQUENCIES_FORMAT: Final = frozenset({b"GP"})  # from 4.3 on; before, GP was Phred-scaled
FREE_COUNT_FORMAT: Final = frozenset({b"CNL", b"CNP"})  # Number=G in 4.5, yet one value a copy number from 0 on
LOCAL_NUMBERS: Final = frozenset({b"LA", b"LR", b"LG"})
STRUCTURAL: Final = frozenset({b"DEL", b"INS", b"DUP", b"INV", b"CNV"})


def reserved_info(minor: int) -> dict[bytes, FieldDefinition]:
    """Return the INFO keys that VCF 4.`minor` reserves and whose Number and Type are the same wherever they stand."""
    return {key: definition for key, (since, definition) in _INFO.items() if since <= minor}


def reserved_format(minor: int) -> dict[bytes, FieldDefinition]:
    """Return the FORMAT keys that VCF 4.`minor` reserves."""
    return {key: definition for key, (since, definition) in _FORMAT.items() if since <= minor}
