"""What joint genotyping writes: a VCF of all samples, one allele a record, and what became of each trio.

Source: VCF 4.3 specification, sections 1.4 and 1.6 (FT: filters of one genotype; a haploid genotype has one allele).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pysam
from pydantic import BaseModel, ConfigDict

from strandline.variants.joint import JointSite
from strandline.variants.joint_genotypes import LOWEST_QUALITY, CallStatus, SampleCall
from strandline.variants.joint_trios import Confidence, DeNovo, Doubt, Trio

LOW_QUALITY_SITE: Final = "LowQual"
_FEWEST_ALLELES: Final = 50
_MOST_VIOLATIONS: Final = 0.05
_FIELDS: Final = (
    '##FILTER=<ID=LowQual,Description="Quality of the allele under 20">',
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of the allele in known genotypes">',
    '##INFO=<ID=AN,Number=1,Type=Integer,Description="Chromosomes in known genotypes">',
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency of the allele, from the genotype likelihoods">',
    '##INFO=<ID=MV,Number=1,Type=Integer,Description="Trios whose genotypes break Mendel\'s rules here">',
    '##INFO=<ID=DENOVO,Number=1,Type=String,Description="HIGH or LOW: the surest de novo of a child; see FORMAT/DN">',
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="1: this allele; 0: anything else; one number where there is '
    'one chromosome">',
    '##FORMAT=<ID=FT,Number=1,Type=String,Description="PASS, LowDepth (under 5 reads), LowGQ (under 20); without a '
    "genotype NotCallable (too few reads to say that the allele is absent), NotTested (outside of the sample's "
    'regions) or NoCopies (no such chromosome)">',
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads that tell; of a reference block the least">',
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads without and with the allele; none given where only a '
    'reference block was looked at">',
    "##FORMAT=<ID=GQ,Number=1,Type=Integer,Description=\"Phred-scaled quality of the genotype, with the allele's "
    'frequency in the cohort">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred-scaled likelihoods by copies of the allele">',
    '##FORMAT=<ID=DN,Number=1,Type=String,Description="HIGH or LOW: the child has the allele, and its parents have '
    'not">',
    '##FORMAT=<ID=DQ,Number=1,Type=Integer,Description="Phred-scaled probability that the allele did not come by '
    'mutation">',
    '##FORMAT=<ID=DR,Number=.,Type=String,Description="Why a de novo is LOW">',
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeNovoFound(_Frozen):
    """A variant that a child has and its parents have not; `position` is 1-based."""

    contig: str
    position: int
    ref: str
    alt: str
    confidence: Confidence
    posterior: float
    doubts: tuple[Doubt, ...]


class TrioReport(_Frozen):
    """One child. `alleles` that somebody of the three has, all genotypes and the allele's quality being trusted."""

    child: str
    father: str
    mother: str
    alleles: int
    violations: int
    de_novos: tuple[DeNovoFound, ...]


class CohortReport(_Frozen):
    """What joint genotyping found. `alleles` counts records, `low_quality` those under quality 20."""

    schema_version: int = 1
    reference: str
    samples: tuple[str, ...]
    alleles: int
    low_quality: int
    trios: tuple[TrioReport, ...]
    warnings: tuple[str, ...] = ()


class CohortWriter:
    """Writes sites into a BGZF VCF and counts what becomes of each trio."""

    def __init__(self, sample_ids: Sequence[str], trios: Sequence[Trio], reference: str) -> None:
        self._names = list(sample_ids)
        self._trios = list(trios)
        self._reference = reference
        self._counted = [0] * len(self._trios)
        self._violations = [0] * len(self._trios)
        self._found: list[list[DeNovoFound]] = [[] for _ in self._trios]
        self._alleles = self._low = 0

    def write(
        self, sites: Iterable[JointSite], vcf: Path, *, length_by_contig: Mapping[str, int], header: bytes
    ) -> CohortReport:
        """Write every site; `header` holds `##` lines to add, those of filters that sites name among them."""
        with pysam.BGZFile(str(vcf), "wb", None) as sink:
            for line in self._header(length_by_contig, header):
                sink.write(line.encode() + b"\n")
            for site in sites:
                self._count(site)
                sink.write(format_site(site).encode() + b"\n")
        return self._report()

    def _header(self, length_by_contig: Mapping[str, int], header: bytes) -> Iterator[str]:
        yield "##fileformat=VCFv4.3"
        yield from _FIELDS
        yield from (f"##contig=<ID={name},length={length}>" for name, length in length_by_contig.items())
        yield from header.decode().splitlines()
        yield "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *self._names))

    def _count(self, site: JointSite) -> None:
        self._alleles += 1
        self._low += site.quality < LOWEST_QUALITY
        for number, trio in enumerate(self._trios):
            if is_counted(site, trio):
                self._counted[number] += 1
                self._violations[number] += trio in site.violations
            self._found[number] += [_describe(site, one) for one in site.de_novos if one.child == trio.child]

    def _report(self) -> CohortReport:
        trios = [
            TrioReport(
                child=self._names[trio.child],
                father=self._names[trio.father],
                mother=self._names[trio.mother],
                alleles=self._counted[number],
                violations=self._violations[number],
                de_novos=tuple(self._found[number]),
            )
            for number, trio in enumerate(self._trios)
        ]
        return CohortReport(
            reference=self._reference,
            samples=tuple(self._names),
            alleles=self._alleles,
            low_quality=self._low,
            trios=tuple(trios),
            warnings=_warnings(trios),
        )


def is_counted(site: JointSite, trio: Trio) -> bool:
    """Whether an allele counts for a trio: one of them has it, all that is known of it is trusted, nothing marks it.

    Somebody who has no such chromosome has no genotype that could break a rule, so is not asked for one.
    """
    calls = [site.calls[place] for place in (trio.child, trio.father, trio.mother)]
    known = [call for call in calls if call.status is not CallStatus.NO_COPIES]
    is_good = site.quality >= LOWEST_QUALITY and not site.filters
    return is_good and all(call.is_trusted for call in known) and any(call.copies for call in known)


def gather_reports(reports: Sequence[CohortReport]) -> CohortReport:
    """Put the reports of parts, in their order, together."""
    trios = [
        of_parts[0].model_copy(
            update={
                "alleles": sum(one.alleles for one in of_parts),
                "violations": sum(one.violations for one in of_parts),
                "de_novos": tuple(found for one in of_parts for found in one.de_novos),
            }
        )
        for of_parts in zip(*(report.trios for report in reports), strict=True)
    ]
    return reports[0].model_copy(
        update={
            "alleles": sum(report.alleles for report in reports),
            "low_quality": sum(report.low_quality for report in reports),
            "trios": tuple(trios),
            "warnings": _warnings(trios),
        }
    )


def format_site(site: JointSite) -> str:
    """Return the record of one allele, without the line end."""
    place, copies = site.candidate, [call for call in site.calls if call.copies is not None]
    info = [f"AC={sum(call.copies or 0 for call in copies)}", f"AN={sum(call.ploidy for call in copies)}"]
    info.append(f"AF={site.frequency:.4g}")
    if site.violations:
        info.append(f"MV={len(site.violations)}")
    keys = ["GT", "FT", "DP", "AD", "GQ", "PL"]
    if site.de_novos:
        is_high = any(one.confidence is Confidence.HIGH for one in site.de_novos)
        info.append(f"DENOVO={Confidence.HIGH if is_high else Confidence.LOW}")
        keys += ["DN", "DQ", "DR"]
    by_child = {one.child: one for one in site.de_novos}
    columns = [
        ":".join([*_call_fields(call), *(_de_novo_fields(by_child.get(sample)) if by_child else [])])
        for sample, call in enumerate(site.calls)
    ]
    low = [] if site.quality >= LOWEST_QUALITY else [LOW_QUALITY_SITE]
    marks = ";".join(dict.fromkeys([*low, *site.filters])) or "PASS"
    fixed = (place.contig, place.start0 + 1, ".", place.ref, place.alt, f"{site.quality:g}", marks, ";".join(info))
    return "\t".join([*map(str, fixed), ":".join(keys), *columns])


def _call_fields(call: SampleCall) -> list[str]:
    slots = max(1, call.ploidy)
    copies = call.copies
    alleles = ["."] * slots if copies is None else ["0"] * (slots - copies) + ["1"] * copies
    evidence = call.evidence
    if evidence is None:
        return ["/".join(alleles), call.status.value, ".", ".", ".", "."]
    none, one, two = evidence.likelihoods
    phred = (none, two) if call.ploidy == 1 else (none, one, two)
    depths = "." if evidence.is_of_block else f"{evidence.ref_depth},{evidence.alt_depth}"
    likelihoods = "." if evidence.is_of_block else ",".join(str(value - min(phred)) for value in phred)
    quality = "." if copies is None else str(call.quality)
    return ["/".join(alleles), call.status.value, str(evidence.depth), depths, quality, likelihoods]


def _de_novo_fields(found: DeNovo | None) -> list[str]:
    if found is None:
        return [".", ".", "."]
    return [found.confidence.value, str(found.quality), ",".join(found.doubts) or "."]


def _describe(site: JointSite, found: DeNovo) -> DeNovoFound:
    place = site.candidate
    return DeNovoFound(
        contig=place.contig,
        position=place.start0 + 1,
        ref=place.ref,
        alt=place.alt,
        confidence=found.confidence,
        posterior=round(found.posterior, 6),
        doubts=found.doubts,
    )


def _warnings(trios: Sequence[TrioReport]) -> tuple[str, ...]:
    """Doubt a pedigree that the genotypes contradict: genotyping errors break Mendel's rules in far fewer alleles."""
    return tuple(
        f"pedigree_doubtful: {one.violations} of {one.alleles} alleles of {one.child} break Mendel's rules: check who "
        "its parents are, and for swapped samples"
        for one in trios
        if one.alleles >= _FEWEST_ALLELES and one.violations > _MOST_VIOLATIONS * one.alleles
    )
