"""What a tool says of a cohort, as joint genotyping writes it: one allele a record, held to pedigree and depth.

The tool's genotypes stand: nothing is genotyped anew. Of a site with several alleles each becomes a record in its
normal form, whose genotypes count copies of that allele (Tan et al. 2015, doi:10.1093/bioinformatics/btv112).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.joint import Families, JointSite
from strandline.variants.joint_genotypes import (
    LOWEST_DEPTH,
    LOWEST_QUALITY,
    CallStatus,
    Evidence,
    SampleCall,
    estimate_frequency,
    to_probabilities,
)
from strandline.variants.joint_intervals import Intervals
from strandline.variants.joint_output import LOW_QUALITY_SITE
from strandline.variants.joint_sites import Candidate, by_copies
from strandline.variants.joint_trios import Genome, Trio, ploidy_of
from strandline.variants.refinement import open_unindexed

_HIGHEST_QUALITY: Final = 99
_FORMATS: Final = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Copies of the allele">',
    '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality of the genotype">',
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads">',
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads without and with the allele">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Likelihoods by copies of the allele">',
)


@dataclass(frozen=True, slots=True)
class GenotypedCohort:
    """Samples that a tool genotyped.

    Attributes:
        sample_ids: columns of its VCF, in the order of the output.
        sexes: in the same order.
        trios: by places among the samples.
        genome: where a person has one chromosome for two.
        callable_regions: of each sample, where the absence of a variant means something.
        regions: of each sample, where it was analysed; None for everywhere.
    """

    sample_ids: Sequence[str]
    sexes: Sequence[Sex]
    trios: Sequence[Trio]
    genome: Genome
    callable_regions: Sequence[Sequence[Region]]
    regions: Sequence[Sequence[Region] | None]


def normalise_command(reference: Path, split: Path, normal: Path) -> list[str]:
    """Return the command from single alleles to their normal form, in order."""
    return [*tool_command("bcftools"), "norm", "-f", str(reference), "-Ob1", "-o", str(normal), str(split)]


def read_genotyped(
    reference: Path, genotyped: Path, cohort: GenotypedCohort, length_by_contig: Mapping[str, int]
) -> Iterator[JointSite]:
    """Yield every allele that somebody carries, in the order of the reference.

    Args:
        reference: FASTA with its index.
        genotyped: VCF or BCF of the tool, each sample of the cohort a column; its folder takes what is written on the
            way.
        cohort: the samples.
        length_by_contig: of the reference, in its order.

    Raises:
        KeyError: where the file lacks a sample.
        subprocess.CalledProcessError: where bcftools failed.
    """
    split, normal = genotyped.with_suffix(".split.vcf"), genotyped.with_suffix(".normal.bcf")
    _split_alleles(genotyped, split, cohort.sample_ids, length_by_contig)
    run_pipeline([normalise_command(reference, split, normal)])
    split.unlink()
    judge = _Judge(cohort)
    with open_unindexed(normal) as records:
        for _, group in groupby(records, key=lambda one: (one.contig, one.start)):
            best: dict[tuple[str, str], pysam.VariantRecord] = {}
            for record in group:  # two sites may have one allele in its normal form: the surer one tells
                alleles = (record.ref or "", (record.alts or ("",))[0])
                if alleles not in best or (record.qual or 0) > (best[alleles].qual or 0):
                    best[alleles] = record
            for alleles in sorted(best):
                yield judge.site(best[alleles])
    normal.unlink()


def filter_lines(genotyped: Path) -> bytes:
    """Return the header lines of the filters that a tool may name, but of those that every cohort has."""
    with open_unindexed(genotyped) as records:
        lines = [str(one) for one in records.header.records if one.key == "FILTER"]
    kept = [one for one in lines if not any(f"<ID={name}," in one for name in ("PASS", LOW_QUALITY_SITE))]
    return "".join(kept).encode()


def _split_alleles(
    genotyped: Path, split: Path, sample_ids: Sequence[str], length_by_contig: Mapping[str, int]
) -> None:
    """Write each allele that somebody carries as a record of its own, not in its normal form yet."""
    with open_unindexed(genotyped) as records, split.open("w") as sink:
        filters = [str(one) for one in records.header.records if one.key == "FILTER"]
        contigs = [f"##contig=<ID={name},length={length}>\n" for name, length in length_by_contig.items()]
        sink.writelines(["##fileformat=VCFv4.3\n", *filters, *contigs, *(f"{line}\n" for line in _FORMATS)])
        head = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *sample_ids)
        sink.write("\t".join(head) + "\n")
        for record in records:
            for number, alt in enumerate(record.alts or (), start=1):
                carried = any(number in (record.samples[name].get("GT") or ()) for name in sample_ids)
                if carried and set(alt.upper()) <= set("ACGTN"):
                    sink.write(_allele_line(record, number, sample_ids))


def _allele_line(record: pysam.VariantRecord, number: int, sample_ids: Sequence[str]) -> str:
    marks = ";".join(_marks(record)) or "."
    alt = (record.alts or ())[number - 1]
    quality = "." if record.qual is None else f"{record.qual:g}"
    fixed = (record.contig, str(record.pos), ".", record.ref or "", alt, quality, marks, ".", "GT:GQ:DP:AD:PL")
    columns = (_allele_cell(record.samples[name], number) for name in sample_ids)
    return "\t".join([*fixed, *columns]) + "\n"


def _allele_cell(sample: pysam.VariantRecordSample, number: int) -> str:
    """Return a sample's genotype, quality, depths and likelihoods as they concern one allele of a site."""
    said = sample.get("GT") or (None,)
    copies = "/".join("." if one is None else str(int(one == number)) for one in (said * 2)[:2])
    depths, likelihoods = sample.get("AD"), sample.get("PL")
    depth, quality = sample.get("DP"), sample.get("GQ")
    read = told = "."
    if depths and None not in depths:
        read = f"{sum(depths) - depths[number]},{depths[number]}"
        depth = sum(depths) if depth is None else depth
        if likelihoods and None not in likelihoods and len(likelihoods) == len(depths) * (len(depths) + 1) // 2:
            best = [min(values) for values in by_copies(likelihoods, len(depths), number)]
            told = ",".join(str(value - min(best)) for value in best)
    known = ["." if one is None else str(one) for one in (quality, depth)]
    return ":".join([copies, *known, read, told])


class _Judge:
    """Makes sites of records of one allele."""

    def __init__(self, cohort: GenotypedCohort) -> None:
        self._cohort = cohort
        self._families = Families(cohort.trios)
        self._callable = [Intervals(regions) for regions in cohort.callable_regions]
        self._tested = [None if one is None else Intervals(one) for one in cohort.regions]

    def site(self, record: pysam.VariantRecord) -> JointSite:
        place = Candidate(record.contig, record.start, (record.ref or "").upper(), (record.alts or ("",))[0].upper())
        inheritance = self._cohort.genome.inheritance(place.contig, place.start0)
        ploidies = [ploidy_of(inheritance, sex) for sex in self._cohort.sexes]
        calls = tuple(
            self._call(sample, place, record.samples[name], ploidy)
            for sample, (name, ploidy) in enumerate(zip(self._cohort.sample_ids, ploidies, strict=True))
        )
        filters = _marks(record)
        quality = round(record.qual or 0.0, 1)
        told = [to_probabilities(call.evidence, call.ploidy) for call in calls if call.evidence and call.ploidy]
        judged = self._families.judge(place, inheritance, calls, 0.0 if filters else quality)
        return JointSite(place, quality, estimate_frequency(told), calls, *judged, filters)

    def _call(self, sample: int, place: Candidate, said: pysam.VariantRecordSample, ploidy: int) -> SampleCall:
        tested = self._tested[sample]
        if tested is not None and not tested.cover(place.contig, place.start0, place.start0 + 1):
            return SampleCall(CallStatus.NOT_TESTED, ploidy)
        if not ploidy:
            return SampleCall(CallStatus.NO_COPIES, ploidy)
        evidence = _evidence(said)
        found = _copies(said, evidence, ploidy)
        is_absent = found is not None and not found[0]
        if found is None or (is_absent and not self._callable[sample].cover(place.contig, place.start0, place.end0)):
            return SampleCall(CallStatus.NOT_CALLABLE, ploidy, evidence=evidence)
        copies, quality = found
        depth = said.get("DP") or 0
        return SampleCall(
            _status(depth, quality), ploidy, copies, quality, evidence or _from_quality(copies, quality, depth)
        )


def _marks(record: pysam.VariantRecord) -> tuple[str, ...]:
    return tuple(str(name) for name in record.filter if name != "PASS")


def _status(depth: int, quality: int) -> CallStatus:
    return {
        (False, False): CallStatus.PASSED,
        (True, False): CallStatus.LOW_DEPTH,
        (False, True): CallStatus.LOW_QUALITY,
        (True, True): CallStatus.LOW_DEPTH_AND_QUALITY,
    }[depth < LOWEST_DEPTH, quality < LOWEST_QUALITY]


def _evidence(said: pysam.VariantRecordSample) -> Evidence | None:
    likelihoods, depths = said.get("PL"), said.get("AD")
    if not likelihoods or not depths or None in (*likelihoods, *depths) or not sum(depths):
        return None
    none, one, two = likelihoods
    return Evidence((none, one, two), said.get("DP") or sum(depths), depths[0], depths[1])


def _copies(said: pysam.VariantRecordSample, evidence: Evidence | None, ploidy: int) -> tuple[int, int] | None:
    """Return the copies that the tool says, and how sure they are; None where it does not say.

    Of somebody with one chromosome, whom tools genotype as if there were two, the likelier of none and all is taken.
    A genotype of which half is known is carried where that half has the allele, and then of no quality.
    """
    genotype, quality = said.get("GT") or (None,), int(said.get("GQ") or 0)
    seen = sum(one or 0 for one in genotype)
    if None in genotype:
        return (min(seen, ploidy), 0) if seen else None
    if ploidy == 2:
        return seen, min(quality, _HIGHEST_QUALITY)
    if evidence is None:
        return (seen // 2, min(quality, _HIGHEST_QUALITY)) if seen != 1 else None
    none, _, two = evidence.likelihoods
    return int(two < none), min(abs(none - two), _HIGHEST_QUALITY)


def _from_quality(copies: int, quality: int, depth: int) -> Evidence:
    """Return what a genotype without likelihoods says: any other is as unlikely as its quality tells."""
    none, one, two = (0 if number == copies else quality for number in range(3))
    return Evidence((none, one, two), depth)
