"""Alleles that some sample of several has, in the order of the reference, and what each sample's files say of them.

Two files of each sample are read side by side from beginning to end: its variants, one allele a record, and its gVCF,
whose blocks say where the reference was seen. Memory depends on the number of samples and on how dense variants are.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region
from strandline.variants.haplotypes import Allele
from strandline.variants.joint_genotypes import Evidence, block_evidence
from strandline.variants.windows import WIDEST, Window, reach, record_alleles, trim_allele

_BEHIND: Final = 1_000  # bases that a question may lie before the one asked before


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """One sample's files, all indexed, and what is known of it.

    Attributes:
        sample_id: the column of its files and of the output.
        variants: VCF of variants as `finish_calls` writes it: normal form, one allele a record.
        gvcf: all positions, reference blocks with their least depth.
        reads: CRAM or BAM.
        callable_regions: where the absence of a variant means something; 0-based, half-open.
        regions: where the sample was analysed; None for everywhere.
    """

    sample_id: str
    variants: Path
    gvcf: Path
    reads: Path
    callable_regions: Sequence[Region]
    regions: Sequence[Region] | None = None


@dataclass(slots=True)
class Candidate:
    """An allele that somebody has. `start0` is 0-based and of `ref`'s first base, as in a VCF.

    `own` holds what the samples that have it say; None where their record does not tell all.
    """

    contig: str
    start0: int
    ref: str
    alt: str
    own: dict[int, Evidence | None] = field(default_factory=dict)

    @property
    def end0(self) -> int:
        """0-based, behind the last reference base."""
        return self.start0 + len(self.ref)

    @property
    def is_single(self) -> bool:
        """Whether one base replaces one."""
        return len(self.ref) == len(self.alt) == 1

    @property
    def allele(self) -> Allele:
        """The allele without shared bases, `start0` on the contig."""
        return trim_allele(self.start0, self.ref, self.alt)


@dataclass(slots=True)
class Cluster:
    """Neighbouring candidates; `window` is where reads can decide on all of them at once, None where it is too wide."""

    candidates: list[Candidate]
    window: Window | None


def read_candidates(
    files: Sequence[pysam.VariantFile], ranks: Mapping[str, int], regions: Sequence[Region] | None
) -> Iterator[Candidate]:
    """Yield each allele of the samples' variants once, in the order of the reference.

    Args:
        files: variants of each sample.
        ranks: place of each contig in the reference.
        regions: only what begins there; None for all.
    """
    streams = [_placed(file, sample, ranks, regions) for sample, file in enumerate(files)]
    for _, records in groupby(merge(*streams, key=lambda one: one[0]), key=lambda one: one[0]):
        found: dict[tuple[str, str], Candidate] = {}
        for _, sample, record in records:
            key = ((record.ref or "").upper(), (record.alts or ("",))[0].upper())
            candidate = found.setdefault(key, Candidate(record.contig, record.start, *key))
            candidate.own[sample] = own_evidence(record)
        yield from (found[key] for key in sorted(found))


def gather_clusters(candidates: Iterable[Candidate], reference: pysam.FastaFile) -> Iterator[Cluster]:
    """Yield neighbouring candidates together, as long as one window holds all that they can be written over."""
    cluster: Cluster | None = None
    for candidate in candidates:
        start0, end0 = reach(candidate.allele, candidate.contig, reference)
        fits = end0 - start0 <= WIDEST
        last = cluster.window if cluster else None
        if cluster and last and fits and last.contig == candidate.contig and start0 <= last.end0:
            low, high = min(start0, last.start0), max(end0, last.end0)
            if high - low <= WIDEST:
                last.start0, last.end0 = low, high
                last.alleles.append(candidate.allele)
                cluster.candidates.append(candidate)
                continue
        if cluster:
            yield cluster
        window = Window(candidate.contig, start0, end0, [candidate.allele]) if fits else None
        cluster = Cluster([candidate], window)
    if cluster:
        yield cluster


def own_evidence(record: pysam.VariantRecord) -> Evidence | None:
    """Return what a record of one sample and one allele says; None where it was part of one with several alleles.

    Splitting leaves such a record with likelihoods of only some of its genotypes.
    """
    sample = record.samples[0]
    likelihoods, depths = sample.get("PL"), sample.get("AD")
    if likelihoods is None or depths is None or len(likelihoods) != 3 or None in (*likelihoods, *depths):
        return None
    if min(likelihoods) != 0:
        return None
    return Evidence(tuple(likelihoods), sample.get("DP") or sum(depths), depths[0], depths[1])


def copies_evidence(record: pysam.VariantRecord, allele: Allele) -> Evidence | None:
    """Return what a record of one sample and several alleles says of one of them, or that it is none of them.

    A caller that saw enough of an allele would have named it. None where the record says nothing.
    """
    sample = record.samples[0]
    likelihoods, depths = sample.get("PL"), sample.get("AD")
    if not likelihoods or not depths or None in likelihoods or None in depths:
        return None
    depth = sample.get("DP") or sum(depths)
    alleles = record_alleles(record)
    if allele not in alleles or len(alleles) != len(record.alts or ()):
        quality = sample.get("GQ") or 0
        return Evidence((0, quality, max(quality, block_evidence(depth).likelihoods[2])), depth, depth, 0)
    number = alleles.index(allele) + 1
    best = [min(values) for values in by_copies(likelihoods, len(depths), number)]
    none, one, two = (value - min(best) for value in best)
    return Evidence((none, one, two), depth, sum(depths) - depths[number], depths[number])


class Cursor:
    """Answers what a sample's gVCF says of a place; places are asked for in about the order of the reference."""

    def __init__(self, records: Iterator[pysam.VariantRecord], ranks: Mapping[str, int]) -> None:
        self._records = records
        self._ranks = ranks
        self._held: deque[pysam.VariantRecord] = deque()
        self._next = next(records, None)

    def over(self, contig: str, start0: int, end0: int) -> list[pysam.VariantRecord]:
        """Return the records that overlap a place, 0-based and half-open."""
        rank = self._ranks[contig]
        while self._next is not None and (self._ranks[self._next.contig], self._next.start) < (rank, end0):
            self._held.append(self._next)
            self._next = next(self._records, None)
        while self._held and self._is_past(self._held[0], rank, start0 - _BEHIND):
            self._held.popleft()
        return [one for one in self._held if one.contig == contig and one.start < end0 and one.stop > start0]

    def _is_past(self, record: pysam.VariantRecord, rank: int, start0: int) -> bool:
        return (self._ranks[record.contig], record.stop) <= (rank, start0)


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a gVCF says of an allele that its sample's variants do not have.

    `evidence` is None where it says nothing; `is_open` where the reads have to be asked, for the sample has something
    else there.
    """

    evidence: Evidence | None
    is_open: bool


def look_at(records: Sequence[pysam.VariantRecord], candidate: Candidate) -> FirstLook:
    """Judge the records that overlap where an allele can be written."""
    others = [record for record in records if record.alts is not None]
    if others:
        allele = candidate.allele
        same = [record for record in others if allele in record_alleles(record)]
        at_place = [record for record in others if record.start < candidate.end0 and record.stop > candidate.start0]
        told = [copies_evidence(record, allele) for record in (same or at_place)[:1]]
        if told:
            return FirstLook(told[0], is_open=True)
    covered = candidate.start0
    depths = []
    for record in records:
        if record.alts is None and record.start <= covered < record.stop:
            covered = record.stop
            depths.append(_block_depth(record))
    if covered < candidate.end0 or not depths:
        return FirstLook(None, is_open=bool(others))
    return FirstLook(block_evidence(min(depths)), is_open=bool(others) and not candidate.is_single)


def _placed(
    file: pysam.VariantFile, sample: int, ranks: Mapping[str, int], regions: Sequence[Region] | None
) -> Iterator[tuple[tuple[int, int], int, pysam.VariantRecord]]:
    for record in read_within(file, regions, ranks):
        alts = record.alts or ()
        if len(alts) == 1 and set(alts[0].upper()) <= set("ACGTN"):
            yield (ranks[record.contig], record.start), sample, record


def read_within(
    file: pysam.VariantFile, regions: Sequence[Region] | None, ranks: Mapping[str, int]
) -> Iterator[pysam.VariantRecord]:
    """Yield the records of an indexed VCF that overlap regions, each once; all of them where None."""
    if regions is None:
        yield from file
        return
    for region in sorted(regions, key=lambda one: (ranks[one.contig], one.start0)):
        if region.contig in file.header.contigs:
            for record in file.fetch(region.contig, region.start0, region.end0):
                if record.start >= region.start0 or region.start0 == 0 or record.alts is None:
                    yield record


def _block_depth(record: pysam.VariantRecord) -> int:
    depth = record.samples[0].get("DP")
    return int(depth or 0)


def by_copies(likelihoods: Sequence[int], alleles: int, number: int) -> list[list[int]]:
    """Return the likelihoods of all genotypes with no, one and two copies of an allele.

    Their order is that of the VCF specification, section 1.6.2: genotype j/k (j <= k) at k (k + 1) / 2 + j.
    """
    grouped: list[list[int]] = [[], [], []]
    for high in range(alleles):
        for low in range(high + 1):
            grouped[(low == number) + (high == number)].append(likelihoods[high * (high + 1) // 2 + low])
    return grouped
