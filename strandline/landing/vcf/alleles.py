"""REF and ALT: their forms, and which kind of variant they make. Source: VCF 4.5, 1.6.1 (4, 5), 5.4 and 5.5."""

import re
from dataclasses import dataclass
from typing import Final

from strandline.landing.vcf.definitions import STRUCTURAL
from strandline.landing.vcf.rules import (
    ALT_FORM,
    ALT_IS_REF,
    ALT_MISSING_AMONG,
    ALT_MISSING_VERSION,
    ALT_REPEATED,
    ALT_STAR_MIXED,
    ALT_STAR_VERSION,
    REF_FORM,
    VcfFindings,
)
from strandline.landing.vcf.values import MISSING, kind_of

BLOCK_ALLELES: Final = frozenset({b"<*>", b"<NON_REF>"})
_BASES: Final = re.compile(rb"[ACGTNacgtn]+")
_BASES_WITH_STAR: Final = re.compile(rb"[ACGTNacgtn*]+")
_SYMBOLIC: Final = re.compile(rb"<[^\s,<>]+>")
_MATE: Final = rb"(?:<[^\s,<>]+>|[^\s,<>\[\]]+):[0-9]+"
_BREAKEND: Final = re.compile(
    rb"(?:[ACGTNacgtn]+|\.)(?:\[" + _MATE + rb"\[|\]" + _MATE + rb"\])"
    rb"|(?:\[" + _MATE + rb"\[|\]" + _MATE + rb"\])(?:[ACGTNacgtn]+|\.)"
)
_SINGLE_BREAKEND: Final = re.compile(rb"\.[ACGTNacgtn]+|[ACGTNacgtn]+\.")


@dataclass(frozen=True, slots=True)
class AlleleKinds:
    """What the alleles of a record are; `is_block` of a gVCF reference block, which has no other allele."""

    alt_count: int
    has_snv: bool
    has_indel: bool
    has_symbolic: bool
    is_block: bool
    structural: tuple[bytes, ...]


def kinds_of(ref: bytes, alts: list[bytes]) -> AlleleKinds:
    """Return what the alleles of a record are.

    >>> kinds_of(b"C", [b"CA", b"G"]).has_indel, kinds_of(b"C", [b"<NON_REF>"]).is_block
    (True, True)
    """
    plain = [alt for alt in alts if alt.isalpha()]
    symbols = [alt[1:-1] for alt in alts if alt.startswith(b"<")]
    return AlleleKinds(
        alt_count=0 if alts == [MISSING] else len(alts),
        has_snv=any(len(alt) == len(ref) == 1 for alt in plain),
        has_indel=any(len(alt) != len(ref) for alt in plain),
        has_symbolic=any(alt not in BLOCK_ALLELES and not alt.isalpha() and alt not in {b"*", MISSING} for alt in alts),
        is_block=len(alts) == 1 and alts[0] in BLOCK_ALLELES,
        structural=tuple(symbol for symbol in symbols if symbol.split(b":")[0] in STRUCTURAL),
    )


def check_alleles(ref: bytes, alts: list[bytes], line: int, found: VcfFindings) -> None:
    """Note what is wrong with REF and ALT."""
    if not _BASES.fullmatch(ref):
        found.add(REF_FORM, line=line, field="REF", kind=kind_of(ref))
    upper = [alt.upper() if alt.isalpha() else alt for alt in alts]
    if ref.upper() in upper:
        found.add(ALT_IS_REF, line=line, field="ALT")
    if len(set(upper)) < len(upper):
        found.add(ALT_REPEATED, line=line, field="ALT")
    for alt in alts:
        if not _BASES.fullmatch(alt):
            _check_special(alt, len(alts), line, found)


def _check_special(alt: bytes, count: int, line: int, found: VcfFindings) -> None:
    if alt == MISSING:
        if count > 1:
            found.add(ALT_MISSING_AMONG if found.minor >= 3 else ALT_MISSING_VERSION, line=line, field="ALT")
    elif _BASES_WITH_STAR.fullmatch(alt):
        if found.minor < 2:
            found.add(ALT_STAR_VERSION, line=line, field="ALT")
        elif alt != b"*":
            found.add(ALT_STAR_MIXED, line=line, field="ALT")
    elif not (_SYMBOLIC.fullmatch(alt) or _BREAKEND.fullmatch(alt) or _SINGLE_BREAKEND.fullmatch(alt)):
        found.add(ALT_FORM, line=line, field="ALT", kind=kind_of(alt))
