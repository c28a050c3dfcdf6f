"""What a new version of ClinVar changes about what was reported: which alleles, from what to what, by which rule.

The rules are data (`reclassification.json`). This prepares: what is named here is looked at by a person.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import pysam
from pydantic import BaseModel, ConfigDict, Field

from strandline.interpretation.scope import Scope
from strandline.reporting.findings import clinvar_terms, select_findings
from strandline.reporting.report_rows import variant_key
from strandline.variants.records import VariantCall

_UNKNOWN: Final = "unknown"
_BASES: Final = frozenset("ACGTN")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Known(_Frozen):
    """What ClinVar says of an allele: its variation, and CLNSIG and CLNREVSTAT as its VCF has them."""

    clinvar_id: str
    significance: str | None = None
    review: str | None = None

    @property
    def words(self) -> str:
        """The significance in words.

        >>> Known(clinvar_id="7", significance="Pathogenic/Likely_pathogenic").words
        'Pathogenic/Likely pathogenic'
        """
        return (self.significance or "no classification").replace("_", " ")


class _Named(_Frozen):
    name: str
    says: str


class Rule(_Named):
    """A move between groups that matters where what is known now has at least so many stars."""

    before: tuple[str, ...] = Field(alias="from")
    after: tuple[str, ...] = Field(alias="to")
    least_stars: int = Field(ge=0, le=4)


class ReviewRule(_Named):
    """A move of the review status over one of the steps (stars), of an allele that stays in a group."""

    groups: tuple[str, ...]
    steps: tuple[int, ...]


class Policy(_Frozen):
    """Which changes matter."""

    about: str
    source: str
    version: str
    groups: Mapping[str, tuple[str, ...]]
    stars: Mapping[str, int]
    rules: tuple[Rule, ...]
    review: ReviewRule

    def group_of(self, known: Known | None) -> str:
        """Return the group of an allele; `unknown` where ClinVar does not classify it."""
        terms = clinvar_terms(known.significance) if known else frozenset()
        return next((name for name, members in self.groups.items() if terms & set(members)), _UNKNOWN)

    def stars_of(self, known: Known | None) -> int:
        """Return the stars of an allele's review status, 0 to 4."""
        return self.stars.get((known.review or "").lower(), 0) if known else 0

    def matters(self, before: Known | None, after: Known | None) -> str | None:
        """Return the name of the rule by which a change matters, None where it does not."""
        groups, stars = (self.group_of(before), self.group_of(after)), (self.stars_of(before), self.stars_of(after))
        for rule in self.rules:
            if groups[0] in rule.before and groups[1] in rule.after and stars[1] >= rule.least_stars:
                return rule.name
        crosses = any((stars[0] < step) != (stars[1] < step) for step in self.review.steps)
        return self.review.name if groups[0] == groups[1] and groups[0] in self.review.groups and crosses else None

    def says(self, rule: str) -> str:
        """Return a rule in words."""
        named: tuple[_Named, ...] = (*self.rules, self.review)
        return next(one.says for one in named if one.name == rule)


class Change(_Frozen):
    """What changed of one allele that a sample has. `rule` is None where the change does not matter."""

    variant: str
    gene: str = ""
    before: Known | None = None
    after: Known | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions, by `allele_key`; an allele that only one of them has is in that one."""

    before: Mapping[str, Known]
    after: Mapping[str, Known]


@cache
def read_policy() -> Policy:
    """Return the policy that comes with the platform."""
    body = files("strandline.interpretation").joinpath("reclassification.json").read_bytes()
    return Policy.model_validate_json(body)


def compare_files(before: Path, after: Path) -> Difference:
    """Return what differs between two ClinVar VCFs, indexed with tabix; memory: one contig, and the result."""
    changed = Difference({}, {})
    for contig in sorted({*_contigs(before), *_contigs(after)}):
        found = compare(read_known(before, contig), read_known(after, contig))
        changed = Difference({**changed.before, **found.before}, {**changed.after, **found.after})
    return changed


def read_known(vcf: Path, contig: str | None = None) -> Iterator[tuple[str, Known]]:
    """Yield every allele of a ClinVar VCF, or of one contig of it, by its shortest form, as `allele_key` writes it.

    Source of the fields: ClinVar's VCF; its alleles are left-aligned, as calls are.
    """
    with pysam.VariantFile(str(vcf)) as records:
        if contig is not None and contig not in records.header.contigs:
            return
        for record in records.fetch(contig) if contig is not None else records:
            known = Known(
                clinvar_id=record.id or "", significance=_text(record, "CLNSIG"), review=_text(record, "CLNREVSTAT")
            )
            for alt in record.alts or ():
                if set(alt.upper()) <= _BASES:
                    yield allele_key(record.contig, record.pos, record.ref or "", alt), known


def compare(before: Iterable[tuple[str, Known]], after: Iterable[tuple[str, Known]]) -> Difference:
    """Return what differs between two versions. Of two records of one allele the first by id and words counts.

    Memory is that of the alleles of one version.
    """
    old = _by_allele(before)
    new: dict[str, Known] = {}
    for key, known in _by_allele(after).items():
        if key in old and _order(old[key]) == _order(known):  # pydantic's own comparison takes ten times as long
            del old[key]
        else:
            new[key] = known
    return Difference(old, new)


def find_changes(
    read: Callable[[], Iterable[VariantCall]], difference: Difference, scope: Scope, policy: Policy
) -> tuple[Change, ...]:
    """Return what changed of a sample's calls that passed the filters, in the order of their keys.

    `rule` is set where the change matters and the call is reported before it or after it.

    Args:
        read: gives the sample's calls from the beginning each time; once where nothing changed.
        difference: between the version in force and the new one.
        scope: what a report of the sample speaks of.
        policy: which changes matter.
    """
    keys = difference.before.keys() | difference.after.keys()
    changed = [call for call in read() if call.passed and allele_of(call) in keys]
    if not changed:
        return ()
    reported = {
        key
        for known_by_allele in (difference.before, difference.after)
        for key in _reported(_as_known(read(), keys, known_by_allele), scope)
    }
    changes = []
    for call in changed:
        allele, key = allele_of(call), variant_key(call)
        before, after = difference.before.get(allele), difference.after.get(allele)
        rule = policy.matters(before, after) if key in reported else None
        changes.append(Change(variant=key, gene=_gene_of(call), before=before, after=after, rule=rule))
    return tuple(sorted(changes, key=lambda change: change.variant))


def _as_known(
    calls: Iterable[VariantCall], keys: Set[str], known_by_allele: Mapping[str, Known]
) -> Iterator[VariantCall]:
    for call in calls:
        allele = allele_of(call)
        yield with_known(call, known_by_allele.get(allele)) if allele in keys else call


def with_known(call: VariantCall, known: Known | None) -> VariantCall:
    """Return a call as it is annotated with what ClinVar says, or with nothing."""
    said = (known.clinvar_id, known.significance) if known else (None, None)
    return replace(call, clinvar_id=said[0], clinvar_significance=said[1])


def allele_key(contig: str, position: int, ref: str, alt: str) -> str:
    """Return the key of an allele in its shortest form: shared bases go, behind before in front, one stays.

    >>> allele_key("c", 100, "CGGA", "CGA")
    'c:100:CG:C'
    """
    ref, alt = ref.upper(), alt.upper()
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        ref, alt, position = ref[1:], alt[1:], position + 1
    return f"{contig}:{position}:{ref}:{alt}"


def allele_of(call: VariantCall) -> str:
    """Return the key of a call's allele."""
    return allele_key(call.contig, call.position, call.ref, call.alt)


def _contigs(vcf: Path) -> list[str]:
    with pysam.VariantFile(str(vcf)) as records:
        return [str(name) for name in records.header.contigs]


def _by_allele(entries: Iterable[tuple[str, Known]]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for key, known in entries:
        if key not in found or _order(known) < _order(found[key]):
            found[key] = known
    return found


def _order(known: Known) -> tuple[str, str, str]:
    return known.clinvar_id, known.significance or "", known.review or ""


def allele_named(variant: str) -> str:
    """Return the key of the allele that `variant_key` names.

    >>> allele_named("HLA-A*01:01:7:CGGA:CGA")
    'HLA-A*01:01:7:CG:C'
    """
    contig, position, ref, alt = variant.rsplit(":", 3)
    return allele_key(contig, int(position), ref, alt)


def _reported(calls: Iterable[VariantCall], scope: Scope) -> set[str]:
    return {variant_key(finding.call) for finding in select_findings(calls, annotated=True, scope=scope).named}


def _gene_of(call: VariantCall) -> str:
    effect = call.chosen_consequence
    return effect.gene if effect else ""


def _text(record: pysam.VariantRecord, field: str) -> str | None:
    if field not in record.info:
        return None
    value = record.info[field]
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
