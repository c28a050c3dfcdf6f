"""A sample's genotypes at common sites, and how nearly two samples are related by them.

Source: Manichaikul et al. 2010 (doi:10.1093/bioinformatics/btq559), the KING-robust estimator, which needs no allele
frequencies. A fingerprint is a person's genetic data: it lies with the calls and is as closely kept.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pysam
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from strandline.errors import RejectedInputError
from strandline.reads.known_sites import SiteCounts

FEWEST_SITES: Final = 100
"""Sites that both samples must have before a relation is named."""

LOWEST_DEPTH: Final = 8
_ERROR: Final = 0.005
_LEAST_RATIO: Final = math.log(100)  # the best genotype is 100 times as likely as the next
_BASES: Final = frozenset("ACGT")


class Relation(StrEnum):
    """What a kinship coefficient means, by the limits of Manichaikul et al. 2010, table 1."""

    SAME = "same person or identical twins"
    FIRST_DEGREE = "first degree: parent and child, or full siblings"
    SECOND_DEGREE = "second degree"
    THIRD_DEGREE = "third degree"
    UNRELATED = "unrelated"
    UNKNOWN = "too few common sites"


_LOWEST_KINSHIP: Final = (
    (2**-1.5, Relation.SAME),
    (2**-2.5, Relation.FIRST_DEGREE),
    (2**-3.5, Relation.SECOND_DEGREE),
    (2**-4.5, Relation.THIRD_DEGREE),
)


class Fingerprint(BaseModel):
    """Copies of the alternate allele (0, 1, 2) by site, `contig:position:ref:alt` with the position 1-based."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    reference: str
    copies: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples at the sites that both have.

    Attributes:
        site_count: sites with a genotype in both.
        both_heterozygous: sites where both are heterozygous.
        opposite_homozygous: sites where they share no allele.
        concordance: sites with the same genotype, as a fraction.
        kinship: KING-robust coefficient; None where one of the two has no heterozygous site.
    """

    site_count: int
    both_heterozygous: int
    opposite_homozygous: int
    concordance: float
    kinship: float | None

    @property
    def relation(self) -> Relation:
        """The relation that the kinship speaks for."""
        if self.kinship is None or self.site_count < FEWEST_SITES:
            return Relation.UNKNOWN
        reached = (relation for lowest, relation in _LOWEST_KINSHIP if self.kinship > lowest)
        return next(reached, Relation.UNRELATED)


def take_fingerprint(reference: str, counts: Iterable[SiteCounts]) -> Fingerprint:
    """Return the genotypes that the reads leave no doubt about; `reference` is the label of the bundle."""
    copies = {}
    for one in counts:
        genotype = _genotype(one)
        if genotype is not None:
            copies[one.site.name] = genotype
    return Fingerprint(reference=reference, copies=copies)


def read_genotypes(vcf: Path, sites: Iterable[str]) -> dict[str, int]:
    """Read the first sample's genotypes at the given sites from an indexed VCF or gVCF that holds them.

    A record of the reference alone (`<NON_REF>`, `<*>` or no ALT) that spans a site is 0 copies there.
    """
    found = {}
    with pysam.VariantFile(str(vcf)) as records:
        for site in sites:
            contig, position, ref, alt = site.rsplit(":", 3)
            if contig not in records.header.contigs:
                continue
            for record in records.fetch(contig, int(position) - 1, int(position)):
                copies = _copies_in(record, int(position), ref, alt)
                if copies is not None:
                    found[site] = copies
    return found


def compare_fingerprints(one: Mapping[str, int], other: Mapping[str, int]) -> Comparison:
    """Return how nearly two samples are related.

    The kinship is that of equation 11 of Manichaikul et al. 2010, for which the two need not be of one family.
    """
    shared = [(one[site], other[site]) for site in one.keys() & other.keys()]
    both = sum(first == second == 1 for first, second in shared)
    opposite = sum({first, second} == {0, 2} for first, second in shared)
    fewer, more = sorted((sum(first == 1 for first, _ in shared), sum(second == 1 for _, second in shared)))
    return Comparison(
        site_count=len(shared),
        both_heterozygous=both,
        opposite_homozygous=opposite,
        concordance=sum(first == second for first, second in shared) / len(shared) if shared else 0.0,
        kinship=(both - 2 * opposite) / (2 * fewer) + 0.5 - (fewer + more) / (4 * fewer) if fewer else None,
    )


def parse_fingerprint(body: bytes, name: str) -> Fingerprint:
    """Parse what `take_fingerprint` made.

    Raises:
        RejectedInputError: `fingerprint_invalid`.
    """
    try:
        return Fingerprint.model_validate_json(body)
    except ValidationError:
        raise RejectedInputError(
            "fingerprint_invalid", f"{name} is not a fingerprint: analyse the sample anew"
        ) from None


def _genotype(one: SiteCounts) -> int | None:
    if one.depth < LOWEST_DEPTH:
        return None
    likelihoods = [one.alt * math.log(shown) + one.ref * math.log(1 - shown) for shown in (_ERROR, 0.5, 1 - _ERROR)]
    best = max(range(3), key=likelihoods.__getitem__)
    second = max(value for copies, value in enumerate(likelihoods) if copies != best)
    return best if likelihoods[best] - second >= _LEAST_RATIO else None


def _copies_in(record: pysam.VariantRecord, position: int, ref: str, alt: str) -> int | None:
    alleles = record.samples[0]["GT"]
    if None in alleles or len(alleles) != 2:
        return None
    alts = record.alts or ()
    if record.pos == position and record.ref == ref and alt in alts:
        wanted = alts.index(alt) + 1
        return sum(1 for allele in alleles if allele == wanted)
    only_reference = all(allele == 0 for allele in alleles) and not any(set(other) <= _BASES for other in alts)
    return 0 if only_reference else None
