"""Values by Type, and how many of them a Number asks for. Source: VCF 4.5, sections 1.2, 1.3 and 1.4.2."""

import re
from functools import lru_cache
from math import comb
from typing import Final

from strandline.landing.findings import Rule
from strandline.landing.vcf.rules import FLOAT_FORM, INTEGER_RANGE, PERCENT_CASE, PERCENT_FORM

MISSING: Final = b"."
LARGEST: Final = 2**31 - 1
_SMALLEST: Final = -(2**31) + 8  # the eight below mean something else in BCF
_INTEGER: Final = re.compile(rb"[-+]?[0-9]+")
_FLOAT: Final = re.compile(rb"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?(?i:inf|infinity|nan)")
_FLOAT_WITH_BARE_DOT: Final = re.compile(rb"[-+]?[0-9]+\.(?:[eE][-+]?[0-9]+)?")
_BAD_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LOWER_PERCENT: Final = re.compile(rb"%(?:[a-f][0-9A-Fa-f]|[0-9A-F][a-f])")


def is_float(value: bytes) -> bool:
    """Whether a value reads as a number in any version.

    >>> [is_float(value) for value in (b"1e-3", b".5", b"1.", b"-inf", b"1,5", b"")]
    [True, True, True, True, False, False]
    """
    return bool(_FLOAT.fullmatch(value) or _FLOAT_WITH_BARE_DOT.fullmatch(value))


def fault_of(value: bytes, kind: bytes, type_rule: Rule) -> Rule | None:
    """Return the rule that a value of a Type breaks; `type_rule` where it is of another Type."""
    if value == MISSING:
        return None
    match kind:
        case b"Integer":
            if not _INTEGER.fullmatch(value):
                return type_rule
            return None if len(value) < 10 or _SMALLEST <= int(value[:20]) <= LARGEST else INTEGER_RANGE
        case b"Float":
            if _FLOAT.fullmatch(value):
                return None
            return FLOAT_FORM if _FLOAT_WITH_BARE_DOT.fullmatch(value) else type_rule
        case b"Character":
            return None if _is_one_character(value) else type_rule
    return None


def _is_one_character(value: bytes) -> bool:
    if len(value) == 3 and value.startswith(b"%"):
        return True
    return len(value) == 1 or (not value.isascii() and len(value.decode(errors="replace")) == 1)


def percent_fault(value: bytes) -> Rule | None:
    """Return the rule that percent signs of a value break."""
    if b"%" not in value:
        return None
    if _BAD_PERCENT.search(value):
        return PERCENT_FORM
    return PERCENT_CASE if _LOWER_PERCENT.search(value) else None


@lru_cache(maxsize=4096)
def genotype_count(allele_count: int, ploidy: int) -> int:
    """Return the number of unordered genotypes, REF among the alleles. Source: VCF 4.5, 1.6.2, Genotype Ordering.

    >>> genotype_count(2, 2), genotype_count(3, 2), genotype_count(3, 1), genotype_count(3, 3)
    (3, 6, 3, 10)
    """
    return comb(allele_count + ploidy - 1, ploidy)


def kind_of(value: bytes) -> str:
    """Describe a value without repeating it.

    >>> kind_of(b""), kind_of(b"."), kind_of(b"12"), kind_of(b"-3"), kind_of(b"1.5"), kind_of(b"99999999999")
    ('empty', 'missing', 'an integer', 'a negative integer', 'a fraction', 'an integer over 2^31-1')
    >>> kind_of(b"abc"), kind_of(b"a b"), kind_of(b"a-b")
    ('letters', 'with white space', 'letters, digits or signs')
    """
    if not value:
        return "empty"
    if value == MISSING:
        return "missing"
    if _INTEGER.fullmatch(value):
        if value.startswith(b"-"):
            return "a negative integer"
        return "an integer" if len(value) < 10 or int(value[:20]) <= LARGEST else "an integer over 2^31-1"
    if is_float(value):
        return "a fraction"
    if value.isalpha():
        return "letters"
    return "with white space" if value.split() != [value] else "letters, digits or signs"
