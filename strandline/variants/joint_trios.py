"""Parents and a child: who passes on which chromosome, what breaks Mendel's rules, and what is new in the child.

The probability of a mutation weighs every combination of genotypes of the three by what the reads say of each, by how
likely the parents are to have so many copies, and by how likely they pass on what the child has; after Ramu et al.
2013, doi:10.1038/nmeth.2611 (DeNovoGear). Rates a base and generation: single bases 1.2e-8 (Kong et al. 2012,
doi:10.1038/nature11396), insertions and deletions ten times fewer. High confidence asks besides for genotype qualities
of 20 or more in all three, as GATK's PossibleDeNovo does, and for reads that agree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.sex import without_pseudoautosomal
from strandline.variants.joint_genotypes import (
    INDEL_RATE,
    LOWEST_QUALITY,
    SINGLE_RATE,
    SampleCall,
    to_probabilities,
)

_SINGLE_MUTATION: Final = 1.2e-8
_INDEL_MUTATION: Final = 1.2e-9
_SURE: Final = 0.9
_LEAST_PARENT_DEPTH: Final = 10
_MOST_IN_PARENT: Final = 0.05  # of a parent's reads: one error in twenty
_FEWEST_READS: Final = 4
_LEAST_SHARE: Final = 0.25  # of a heterozygous child's reads
_LEAST_SHARE_OF_ONE: Final = 0.8  # where the child has one chromosome
_HIGHEST_QUALITY: Final = 99
_MITOCHONDRIAL: Final = frozenset({"M", "MT"})


class Inheritance(StrEnum):
    """Which parents a place is inherited from, and how many copies a person has of it."""

    BOTH = "BOTH"
    X = "X"
    Y = "Y"
    MITOCHONDRIAL = "MITOCHONDRIAL"


class Confidence(StrEnum):
    """How sure a de novo variant is."""

    HIGH = "HIGH"
    LOW = "LOW"


class Doubt(StrEnum):
    """Why a de novo variant is not of high confidence."""

    POSTERIOR = "posterior"
    """An inherited allele that was missed in a parent, or an error in the child, is not a tenth as likely."""
    GENOTYPE_QUALITY = "genotype_quality"
    PARENT_DEPTH = "parent_depth"
    PARENT_READS = "parent_reads"
    """More of a parent's reads have the allele than errors would, or they were not looked at."""
    CHILD_READS = "child_reads"
    """The child has too few reads with the allele, or too small a share."""
    SHARED = "shared"
    """Somebody else in the cohort has the allele, other than brothers, sisters and own children."""
    SITE_QUALITY = "site_quality"


@dataclass(frozen=True, slots=True)
class Trio:
    """A child and both parents, by their places among the samples; `sex` is the child's."""

    child: int
    father: int
    mother: int
    sex: Sex


@dataclass(frozen=True, slots=True)
class DeNovo:
    """A variant that a child has and its parents have not.

    `posterior` is the probability that it came by mutation, `quality` that of the contrary on the Phred scale.
    """

    child: int
    confidence: Confidence
    posterior: float
    doubts: tuple[Doubt, ...]

    @property
    def quality(self) -> int:
        """Phred-scaled, at most 99."""
        missed = 1 - self.posterior
        return _HIGHEST_QUALITY if missed <= 0 else int(min(_HIGHEST_QUALITY, -10 * math.log10(missed)))


class Genome:
    """Where a genome has one chromosome for two.

    Args:
        length_by_contig: in bases.
        assembly: GRCh37 or GRCh38, whose pseudoautosomal regions are known; of any other all of X and Y count as
            sex-linked.
    """

    def __init__(self, length_by_contig: Mapping[str, int], assembly: str | None) -> None:
        self._sex_linked: dict[str, list[Region]] = {}
        for contig, length in length_by_contig.items():
            if _plain(contig) in {"X", "Y"}:
                self._sex_linked[contig] = without_pseudoautosomal([Region(contig, 0, length)], assembly)

    def inheritance(self, contig: str, start0: int) -> Inheritance:
        """Return how a place is inherited."""
        name = _plain(contig)
        if name in _MITOCHONDRIAL:
            return Inheritance.MITOCHONDRIAL
        if any(region.start0 <= start0 < region.end0 for region in self._sex_linked.get(contig, ())):
            return Inheritance(name)
        return Inheritance.BOTH


def ploidy_of(inheritance: Inheritance, sex: Sex) -> int:
    """Return how many chromosomes a person has there; two where the sex is not known, as each sample was called.

    >>> ploidy_of(Inheritance.X, Sex.MALE), ploidy_of(Inheritance.Y, Sex.FEMALE)
    (1, 0)
    """
    if inheritance is Inheritance.MITOCHONDRIAL:
        return 1
    if inheritance is Inheritance.BOTH or sex is Sex.UNKNOWN:
        return 2
    if inheritance is Inheritance.X:
        return 1 if sex is Sex.MALE else 2
    return 1 if sex is Sex.MALE else 0


def givers(trio: Trio, inheritance: Inheritance) -> tuple[int, ...]:
    """Return the parents who pass on a chromosome there; nobody where that cannot be told.

    >>> givers(Trio(0, 1, 2, Sex.MALE), Inheritance.X)
    (2,)
    """
    if inheritance is Inheritance.BOTH:
        return trio.father, trio.mother
    if inheritance is Inheritance.MITOCHONDRIAL:
        return (trio.mother,)
    if trio.sex is Sex.UNKNOWN:
        return ()
    if inheritance is Inheritance.X:
        return (trio.mother,) if trio.sex is Sex.MALE else (trio.father, trio.mother)
    return (trio.father,) if trio.sex is Sex.MALE else ()


def is_violation(child: int, parents: Sequence[tuple[int, int]]) -> bool:
    """Whether no chromosome of each parent gives the child its copies.

    Args:
        child: copies.
        parents: copies and ploidy of each parent who passes one on.

    >>> is_violation(1, [(0, 2), (1, 2)]), is_violation(1, [(1, 1), (2, 2)]), is_violation(1, [(0, 2)])
    (False, True, True)
    """
    passed = [{int(copies > 0), int(copies == ploidy)} for copies, ploidy in parents]
    return child not in {sum(gametes) for gametes in product(*passed)}


def breaks_rules(trio: Trio, inheritance: Inheritance, calls: Sequence[SampleCall]) -> bool | None:
    """Whether the genotypes of a trio break Mendel's rules; None where one is not known, or nobody has the allele."""
    parents = givers(trio, inheritance)
    copies = calls[trio.child].copies
    known = [(call.copies, call.ploidy) for call in (calls[place] for place in parents) if call.copies is not None]
    if not parents or copies is None or len(known) < len(parents) or not copies + sum(one for one, _ in known):
        return None
    return is_violation(copies, known)


def mutation_posterior(child: Sequence[float], parents: Sequence[Sequence[float]], *, is_single: bool) -> float:
    """Return the probability that the child has the allele by mutation: no parent has a copy, and the child has.

    Args:
        child: likelihoods by copies from 0 to the ploidy.
        parents: those of each parent who passes on a chromosome.
        is_single: one base for one.
    """
    rate, mutation = (SINGLE_RATE, _SINGLE_MUTATION) if is_single else (INDEL_RATE, _INDEL_MUTATION)
    ploidies = [len(one) - 1 for one in parents]
    total = new = 0.0
    for held in product(*(range(ploidy + 1) for ploidy in ploidies)):
        seen = math.prod(one[copies] for one, copies in zip(parents, held, strict=True))
        weight = _expected(held, ploidies, rate) * seen
        shares = [copies / ploidy for copies, ploidy in zip(held, ploidies, strict=True)]
        passed = _passed_on([share * (1 - mutation) + (1 - share) * mutation for share in shares])
        for copies, chance in enumerate(passed):
            joint = weight * chance * child[copies]
            total += joint
            new += joint if copies and not any(held) else 0.0
    return new / total if total else 0.0


def judge_de_novo(
    trio: Trio,
    inheritance: Inheritance,
    calls: Sequence[SampleCall],
    *,
    is_single: bool,
    site_quality: float,
    is_shared: bool,
) -> DeNovo | None:
    """Return what is new in the child, None where a parent has the allele, or a genotype is not known.

    Args:
        trio: who.
        inheritance: of the place.
        calls: of all samples.
        is_single: one base for one.
        site_quality: Phred-scaled quality of the allele.
        is_shared: somebody has the allele who cannot have it from the same mutation.
    """
    parents = [calls[place] for place in givers(trio, inheritance)]
    child = calls[trio.child]
    if not parents or not child.copies or child.evidence is None or any(call.copies != 0 for call in parents):
        return None
    seen = [call.evidence for call in parents if call.evidence is not None]
    posterior = mutation_posterior(
        to_probabilities(child.evidence, child.ploidy),
        [to_probabilities(one, call.ploidy) for one, call in zip(seen, parents, strict=True)],
        is_single=is_single,
    )
    alt, ref = child.evidence.alt_depth or 0, child.evidence.ref_depth or 0
    share = _LEAST_SHARE if child.ploidy == 2 else _LEAST_SHARE_OF_ONE
    doubtful = {
        Doubt.POSTERIOR: posterior < _SURE,
        Doubt.GENOTYPE_QUALITY: min(call.quality for call in (child, *parents)) < LOWEST_QUALITY,
        Doubt.PARENT_DEPTH: min(one.depth for one in seen) < _LEAST_PARENT_DEPTH,
        Doubt.PARENT_READS: any(one.alt_depth is None or one.alt_depth > _MOST_IN_PARENT * one.depth for one in seen),
        Doubt.CHILD_READS: alt < _FEWEST_READS or alt < share * (alt + ref),
        Doubt.SHARED: is_shared,
        Doubt.SITE_QUALITY: site_quality < LOWEST_QUALITY,
    }
    doubts = tuple(doubt for doubt, holds in doubtful.items() if holds)
    return DeNovo(trio.child, Confidence.LOW if doubts else Confidence.HIGH, posterior, doubts)


def _expected(held: Sequence[int], ploidies: Sequence[int], rate: float) -> float:
    """Return how likely unrelated parents have these copies: k among n chromosomes with probability rate / k.

    Source: the frequency spectrum of neutral sites, Fu 1995, doi:10.1006/tpbi.1995.1025.
    """
    chromosomes, copies = sum(ploidies), sum(held)
    if not copies:
        return 1 - rate * sum(1 / k for k in range(1, chromosomes + 1))
    ways = math.prod(math.comb(ploidy, one) for ploidy, one in zip(ploidies, held, strict=True))
    return rate / copies * ways / math.comb(chromosomes, copies)


def _passed_on(chances: Sequence[float]) -> list[float]:
    """Return the probability of each number of copies, given that of each gamete to have one."""
    passed = [1.0]
    for chance in chances:
        passed = [
            (passed[copies] if copies < len(passed) else 0.0) * (1 - chance)
            + (passed[copies - 1] if copies else 0.0) * chance
            for copies in range(len(passed) + 1)
        ]
    return passed


def _plain(contig: str) -> str:
    return contig.removeprefix("chr")
