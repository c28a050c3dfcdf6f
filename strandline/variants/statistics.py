"""Shapes of a sample's variants: which bases change, how long indels are, how reads divide between alleles."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from strandline.reads.quality import VariantStatistics
from strandline.variants.records import VariantCall

LONGEST_INDEL: Final = 50
FRACTION_STEPS: Final = 20
_COMPLEMENT: Final = str.maketrans("ACGT", "TGCA")
_PYRIMIDINES: Final = frozenset("CT")


def describe_variants(calls: Iterable[VariantCall]) -> VariantStatistics:
    """Count the shapes of the calls that passed."""
    substitutions: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    fractions = [0] * FRACTION_STEPS
    zygosities: Counter[str] = Counter()
    reference_reads = reads = 0
    for call in calls:
        if not call.passed:
            continue
        if not call.is_snv:
            gained = len(call.alt) - len(call.ref)
            if gained:
                lengths[max(-LONGEST_INDEL, min(LONGEST_INDEL, gained))] += 1
            continue
        substitutions[substitution_of(call.ref, call.alt)] += 1
        zygosities[call.zygosity] += 1
        ref, alt = call.ref_depth or 0, call.alt_depth or 0
        if call.zygosity == "HET" and ref + alt:
            fractions[min(FRACTION_STEPS - 1, FRACTION_STEPS * alt // (ref + alt))] += 1
        elif call.zygosity == "HOM_ALT":
            reference_reads, reads = reference_reads + ref, reads + ref + alt
    homozygous = zygosities["HOM_ALT"]
    return VariantStatistics(
        substitutions=dict(sorted(substitutions.items())),
        indel_lengths=dict(sorted(lengths.items())),
        allele_fractions=tuple(fractions),
        heterozygous_to_homozygous=zygosities["HET"] / homozygous if homozygous else None,
        homozygous_reference_fraction=reference_reads / reads if reads else None,
    )


def substitution_of(ref: str, alt: str) -> str:
    """Return the change of a base pair, read on the strand where the reference has C or T.

    >>> substitution_of("C", "T"), substitution_of("G", "A")
    ('C>T', 'C>T')
    """
    if ref in _PYRIMIDINES:
        return f"{ref}>{alt}"
    return f"{ref.translate(_COMPLEMENT)}>{alt.translate(_COMPLEMENT)}"
