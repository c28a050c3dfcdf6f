"""Which variants lie on one copy of a chromosome: genotypes of two alleles, and pairs of phased variants.

Sources: profiles genotype and sequence-phase-relationship; VCF 4.5, section 1.6.2, fields GT and PS.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import Json, component, loinc
from strandline.fhir.drafting import Draft
from strandline.fhir.variant import name_of
from strandline.variants.records import VariantCall

_GENOTYPE: Final = loinc("84413-4", "Genotype display name")
_PHASE: Final = loinc("82120-7", "Allelic phase")
_GENE: Final = loinc("48018-6", "Gene studied [ID]")


def genotypes(draft: Draft, calls: Sequence[VariantCall]) -> Iterator[Json]:
    """Yield a genotype where two different alleles of one place are both reported."""
    ordered = sorted(calls, key=lambda call: (call.contig, call.position))
    for (contig, position), group in groupby(ordered, key=lambda call: (call.contig, call.position)):
        alleles = [call for call in group if call.zygosity == "HET"]
        if len(alleles) != 2:
            continue
        text = f"{alleles[0].ref}>{alleles[0].alt} / {alleles[1].ref}>{alleles[1].alt}"
        says = f"{contig}:{position}, two alleles: {text}."
        yield draft.observation(f"genotype/{contig}:{position}", "genotype", _GENOTYPE, says) | {
            "valueCodeableConcept": {"text": text},
            "derivedFrom": [draft.reference_to(f"variant/{name_of(call)}") for call in alleles],
        }


def phased_pairs(draft: Draft, calls: Sequence[VariantCall]) -> Iterator[Json]:
    """Yield whether neighbouring heterozygous variants of a gene and phase set lie on the same copy.

    A chain of neighbours says it of every pair in the set, with as many Observations as variants and no more.
    """
    phased = [call for call in calls if call.phase_set is not None and call.zygosity == "HET" and _gene(call)]
    phased.sort(key=_set_of)
    for _, group in groupby(phased, key=_set_of):
        for first, second in pairwise(sorted(group, key=lambda call: call.position)):
            if first.position != second.position:
                yield _pair(draft, first, second)


def _set_of(call: VariantCall) -> tuple[str, int, str]:
    return call.contig, call.phase_set or 0, _gene(call)


def _gene(call: VariantCall) -> str:
    effect = call.chosen_consequence
    return effect.gene if effect else ""


def _pair(draft: Draft, first: VariantCall, second: VariantCall) -> Json:
    together = first.genotype.index("1") == second.genotype.index("1")
    relation = codes.CIS if together else codes.TRANS
    names = f"{name_of(first)} and {name_of(second)}"
    says = f"{names}: {'on the same copy' if together else 'on different copies'} of the chromosome."
    resource = draft.observation(f"phase/{names}", "sequence-phase-relationship", _PHASE, says)
    return resource | {
        "valueCodeableConcept": relation,
        "derivedFrom": [draft.reference_to(f"variant/{name_of(call)}") for call in (first, second)],
        "component": [component(_GENE, valueCodeableConcept={"text": _gene(first)})],
    }
