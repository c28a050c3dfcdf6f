"""JointGenotype: the genotypes of several samples at every allele that one of them has.

A sample that has the allele is taken at its word; of the others a reference block says that they have the reference
there, and how many reads say so. Where a sample has something else at the place, where its record was part of a larger
one, and where a trio would break Mendel's rules, the reads decide: those of all whom it concerns are weighed against
the same sequences of the window around. Clusters are worked on in batches, so memory does not grow with the genome.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.coverage import CALLABLE_DEPTH
from strandline.variants.haplotypes import Genotype
from strandline.variants.joint_genotypes import (
    CallStatus,
    Evidence,
    SampleCall,
    estimate_frequency,
    judge_call,
    site_quality,
    to_probabilities,
)
from strandline.variants.joint_intervals import Intervals
from strandline.variants.joint_sites import (
    Candidate,
    Cluster,
    Cursor,
    SampleFiles,
    gather_clusters,
    look_at,
    read_candidates,
    read_within,
)
from strandline.variants.joint_trios import DeNovo, Genome, Inheritance, Trio, breaks_rules, judge_de_novo, ploidy_of
from strandline.variants.joint_windows import genotype_together
from strandline.variants.windows import Window, read_windows

MOST_SAMPLES: Final = 200
"""Each sample takes three open files and a hundredth of the work of its own calling; a process may open a thousand."""

_BATCH: Final = 4_096  # clusters times samples, and at least sixteen clusters
_FEWEST_CLUSTERS: Final = 16


@dataclass(frozen=True, slots=True)
class JointSite:
    """One allele and every sample's genotype; `frequency` among the chromosomes, `quality` on the Phred scale.

    `violations` are the trios whose genotypes break Mendel's rules, `filters` the reasons of the tool that marked it.
    """

    candidate: Candidate
    quality: float
    frequency: float
    calls: tuple[SampleCall, ...]
    violations: tuple[Trio, ...] = ()
    de_novos: tuple[DeNovo, ...] = ()
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Samples that are genotyped together, their sexes in the same order, and the trios among them."""

    samples: Sequence[SampleFiles]
    sexes: Sequence[Sex]
    trios: Sequence[Trio]
    genome: Genome


def genotype_jointly(
    reference: Path,
    cohort: Cohort,
    contigs: Sequence[str],
    *,
    keep: Sequence[Region] | None = None,
    read: Sequence[Region] | None = None,
) -> Iterator[JointSite]:
    """Yield every allele of the cohort with all genotypes, in the order of the reference.

    Args:
        reference: FASTA with its index.
        cohort: the samples.
        contigs: in the order of the reference.
        keep: only alleles that begin there; None for all.
        read: what of the files is read, a little wider than `keep`; None for all.
    """
    with ExitStack() as stack:
        bases = stack.enter_context(pysam.FastaFile(str(reference)))
        work = _Work(reference, cohort, contigs, bases, regions=read, stack=stack)
        inside = None if keep is None else Intervals(keep)
        variants = [stack.enter_context(pysam.VariantFile(str(one.variants))) for one in cohort.samples]
        clusters = gather_clusters(read_candidates(variants, work.ranks, read), bases)
        for batch in _batches(clusters, max(_FEWEST_CLUSTERS, _BATCH // len(cohort.samples))):
            for site in work.genotype(batch):
                place = site.candidate
                if inside is None or inside.cover(place.contig, place.start0, place.start0 + 1):
                    yield site


class Families:
    """The trios of a cohort, and who may have an allele by the same mutation as each child."""

    def __init__(self, trios: Sequence[Trio]) -> None:
        self._trios = trios
        self._kin = [_kin(trio, trios) for trio in trios]

    def judge(
        self, candidate: Candidate, inheritance: Inheritance, calls: Sequence[SampleCall], quality: float
    ) -> tuple[tuple[Trio, ...], tuple[DeNovo, ...]]:
        """Return the trios whose genotypes of an allele break Mendel's rules, and what is new in a child."""
        violations = tuple(trio for trio in self._trios if breaks_rules(trio, inheritance, calls))
        de_novos = [
            judge_de_novo(
                trio,
                inheritance,
                calls,
                is_single=candidate.is_single,
                site_quality=quality,
                is_shared=any(call.copies and sample not in kin for sample, call in enumerate(calls)),
            )
            for trio, kin in zip(self._trios, self._kin, strict=True)
        ]
        return violations, tuple(one for one in de_novos if one)


@dataclass(slots=True)
class _Open:
    """A cluster on its way: what is known of each candidate and sample, and whose reads were asked."""

    cluster: Cluster
    evidence: list[list[Evidence | None]]
    to_read: set[int] = field(default_factory=set)
    was_read: set[int] = field(default_factory=set)

    @property
    def window(self) -> Window:
        """The window of a cluster that has one."""
        if self.cluster.window is None:
            raise ValueError("no window holds this cluster")
        return self.cluster.window


class _Work:
    """The open files of a cohort."""

    def __init__(
        self,
        reference: Path,
        cohort: Cohort,
        contigs: Sequence[str],
        bases: pysam.FastaFile,
        *,
        regions: Sequence[Region] | None,
        stack: ExitStack,
    ) -> None:
        self.ranks = {contig: rank for rank, contig in enumerate(contigs)}
        self._cohort = cohort
        self._bases = bases
        samples = cohort.samples
        gvcfs = [stack.enter_context(pysam.VariantFile(str(one.gvcf))) for one in samples]
        self._cursors = [Cursor(read_within(file, regions, self.ranks), self.ranks) for file in gvcfs]
        self._reads = [
            stack.enter_context(pysam.AlignmentFile(str(one.reads), reference_filename=str(reference)))
            for one in samples
        ]
        self._callable = [Intervals(one.callable_regions) for one in samples]
        self._tested = [None if one.regions is None else Intervals(one.regions) for one in samples]
        self._families = Families(cohort.trios)

    def genotype(self, clusters: Sequence[Cluster]) -> Iterator[JointSite]:
        """Genotype a batch: from the files, from reads where those do not say, and again where a trio disagrees."""
        batch = [self._look(cluster) for cluster in clusters]
        self._ask_reads([one for one in batch if one.to_read and one.cluster.window])
        judged = [self._judge(one) for one in batch]
        for one, sites in zip(batch, judged, strict=True):
            one.to_read = {place for site in sites for trio in site.violations for place in _members(trio)}
        again = [one for one in batch if one.to_read and one.cluster.window]
        self._ask_reads(again)
        asked = {id(one) for one in again}
        for one, sites in zip(batch, judged, strict=True):
            yield from self._judge(one) if id(one) in asked else sites

    def _look(self, cluster: Cluster) -> _Open:
        found = _Open(cluster, [])
        for candidate in cluster.candidates:
            row: list[Evidence | None] = []
            for sample, cursor in enumerate(self._cursors):
                if sample in candidate.own:
                    evidence = candidate.own[sample]
                    is_open = evidence is None
                else:
                    start0, end0 = candidate.start0, candidate.end0
                    if cluster.window and not candidate.is_single:
                        start0, end0 = min(start0, cluster.window.start0), max(end0, cluster.window.end0)
                    look = look_at(cursor.over(candidate.contig, start0, end0), candidate)
                    evidence, is_open = look.evidence, look.is_open
                row.append(evidence)
                if is_open:
                    found.to_read.add(sample)
            found.evidence.append(row)
        return found

    def _ask_reads(self, batch: Sequence[_Open]) -> None:
        """Let the reads decide in the windows that were opened, those of all samples it was opened for together."""
        by_sample: dict[int, list[_Open]] = defaultdict(list)
        for one in batch:
            for sample in one.to_read:
                by_sample[sample].append(one)
        reads: dict[int, dict[int, list[pysam.AlignedSegment]]] = defaultdict(dict)
        for sample, opened in by_sample.items():
            opened.sort(key=lambda one: one.window.start0)
            passing = read_windows([one.window for one in opened], self._reads[sample])
            for one, (_, touching) in zip(opened, passing, strict=True):
                reads[id(one)][sample] = touching
        for one in batch:
            carried = [
                [candidate.allele for candidate in one.cluster.candidates if sample in candidate.own]
                for sample in range(len(self._reads))
            ]
            decided = genotype_together(one.window, reads[id(one)], carried, self._bases)
            one.was_read |= set(decided)
            for sample, by_allele in decided.items():
                for candidate, row in zip(one.cluster.candidates, one.evidence, strict=True):
                    if candidate.allele in by_allele:
                        row[sample] = _read_evidence(by_allele[candidate.allele])

    def _judge(self, one: _Open) -> list[JointSite]:
        rows = zip(one.cluster.candidates, one.evidence, strict=True)
        return [self._judge_site(one, candidate, row) for candidate, row in rows]

    def _judge_site(self, one: _Open, candidate: Candidate, row: Sequence[Evidence | None]) -> JointSite:
        cohort = self._cohort
        inheritance = cohort.genome.inheritance(candidate.contig, candidate.start0)
        ploidies = [ploidy_of(inheritance, sex) for sex in cohort.sexes]
        known = [
            to_probabilities(evidence, ploidy)
            for sample, (evidence, ploidy) in enumerate(zip(row, ploidies, strict=True))
            if evidence and ploidy and self._is_tested(sample, candidate)
        ]
        frequency = estimate_frequency(known)
        quality = site_quality(known, frequency, is_single=candidate.is_single)
        calls = tuple(
            self._judge_call(one, sample, candidate, (evidence, ploidies[sample], frequency))
            for sample, evidence in enumerate(row)
        )
        violations, de_novos = self._families.judge(candidate, inheritance, calls, quality)
        return JointSite(candidate, quality, frequency, calls, violations, de_novos)

    def _judge_call(
        self, one: _Open, sample: int, candidate: Candidate, known: tuple[Evidence | None, int, float]
    ) -> SampleCall:
        evidence, ploidy, frequency = known
        if not self._is_tested(sample, candidate):
            return SampleCall(CallStatus.NOT_TESTED, ploidy)
        if not ploidy:
            return SampleCall(CallStatus.NO_COPIES, ploidy)
        if evidence is None:
            return SampleCall(CallStatus.NOT_CALLABLE, ploidy)
        is_callable = self._callable[sample].cover(candidate.contig, candidate.start0, candidate.end0)
        if not is_callable and sample in one.was_read and evidence.depth >= CALLABLE_DEPTH:
            edges = one.window.start0, one.window.end0 - 1  # between them a deletion takes depth away
            is_callable = all(self._callable[sample].cover(candidate.contig, at, at + 1) for at in edges)
        return judge_call(evidence, ploidy, frequency, is_callable=is_callable)

    def _is_tested(self, sample: int, candidate: Candidate) -> bool:
        tested = self._tested[sample]
        return tested is None or tested.cover(candidate.contig, candidate.start0, candidate.start0 + 1)


def _batches(clusters: Iterator[Cluster], most: int) -> Iterator[list[Cluster]]:
    """Yield clusters in order, a number of them at a time, never of two contigs."""
    for _, of_contig in groupby(clusters, key=lambda cluster: cluster.candidates[0].contig):
        batch: list[Cluster] = []
        for cluster in of_contig:
            batch.append(cluster)
            if len(batch) == most:
                yield batch
                batch = []
        if batch:
            yield batch


def _members(trio: Trio) -> tuple[int, int, int]:
    return trio.child, trio.father, trio.mother


def _kin(trio: Trio, trios: Sequence[Trio]) -> set[int]:
    """Return who may have an allele by the same mutation as the child: it, brothers and sisters, their descendants."""
    kin = {one.child for one in trios if (one.father, one.mother) == (trio.father, trio.mother)}
    while True:
        more = {one.child for one in trios if {one.father, one.mother} & kin} - kin
        if not more:
            return kin
        kin |= more


def _read_evidence(genotype: Genotype) -> Evidence:
    return Evidence(genotype.likelihoods, genotype.depth, genotype.ref_depth, genotype.alt_depth)
