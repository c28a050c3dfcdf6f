"""Which calls a report names, and why: a policy in one place, stated in the report itself.

A person classifies; this only puts what deserves a look first. Whatever is not named is counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strandline.interpretation.scope import Part, Scope
from strandline.interpretation.secondary_findings import choose_secondary, secondary_genes
from strandline.variants.records import VariantCall

LONGEST_LIST: Final = 500
_LOSS_OF_FUNCTION: Final = frozenset(
    {"splice_acceptor", "splice_donor", "stop_gained", "frameshift", "stop_lost", "start_lost"}
)
_PROTEIN_CHANGING: Final = frozenset({"missense", "inframe_insertion", "inframe_deletion", "inframe_altering"})
_PATHOGENIC: Final = frozenset({"pathogenic", "likely_pathogenic"})


class Tier(StrEnum):
    """Why a call is in the report, most urgent first."""

    KNOWN_PATHOGENIC = "Known pathogenic or likely pathogenic"
    LOSS_OF_FUNCTION = "Predicted loss of function"
    PROTEIN_CHANGING = "Changes the protein"
    SECONDARY = "Secondary finding, known pathogenic or likely pathogenic"
    UNANNOTATED = "Not annotated"


@dataclass(frozen=True, slots=True)
class Finding:
    """A call and the reason that it is named."""

    tier: Tier
    call: VariantCall


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report names, in the order of tiers, and how many calls it does not name."""

    named: tuple[Finding, ...]
    other_passed: int
    failed_filters: int
    cut: int


def select_findings(calls: Iterable[VariantCall], *, annotated: bool, scope: Scope = Scope()) -> Findings:  # noqa: B008 - frozen
    """Choose what the report names.

    Args:
        calls: all records of the filtered VCF.
        annotated: whether the reference bundle has gene models or ClinVar. Where it has neither, nothing can be
            ranked, and every call that passed is named up to the longest list a person reads.
        scope: what was ordered. What lies outside of it is counted among the others, so that the count does not tell
            what a person did not want to know.
    """
    named: list[Finding] = []
    secondary: list[tuple[VariantCall, str]] = []
    other = failed = 0
    for call in calls:
        if not call.passed:
            failed += 1
            continue
        tier = _tier(call) if annotated else Tier.UNANNOTATED
        part = scope.part_of(_genes_of(call)) if annotated else Part.ORDERED
        if tier is not None and part is Part.ORDERED:
            named.append(Finding(tier, call))
        elif tier is Tier.KNOWN_PATHOGENIC and part is Part.SECONDARY:
            secondary.append((call, next(gene for gene in sorted(_genes_of(call)) if gene in secondary_genes())))
        else:
            other += 1
    told = choose_secondary(secondary)
    named += [Finding(Tier.SECONDARY, call) for call in told]
    other += len(secondary) - len(told)
    order = list(Tier)
    named.sort(key=lambda finding: order.index(finding.tier))
    return Findings(tuple(named[:LONGEST_LIST]), other, failed, max(0, len(named) - LONGEST_LIST))


def clinvar_terms(significance: str | None) -> frozenset[str]:
    """Return the terms of a ClinVar CLNSIG value in lower case.

    >>> sorted(clinvar_terms("Pathogenic/Likely_pathogenic"))
    ['likely_pathogenic', 'pathogenic']
    """
    text = (significance or "").lower()
    for separator in ("/", "|", ";"):
        text = text.replace(separator, ",")
    return frozenset(term.strip().lstrip("_") for term in text.split(",") if term.strip())


def _genes_of(call: VariantCall) -> set[str]:
    return {effect.gene for effect in call.consequences} | {name.gene for name in call.names}


def _tier(call: VariantCall) -> Tier | None:
    if clinvar_terms(call.clinvar_significance) & _PATHOGENIC:
        return Tier.KNOWN_PATHOGENIC
    terms = {effect.term for effect in call.consequences}
    if terms & _LOSS_OF_FUNCTION:
        return Tier.LOSS_OF_FUNCTION
    if terms & _PROTEIN_CHANGING:
        return Tier.PROTEIN_CHANGING
    return None
