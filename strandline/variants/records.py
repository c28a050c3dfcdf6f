"""Variant records as the rest of Strandline reads them: one sample and one alternate allele each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pysam

from strandline.reads.quality import VariantSummary

_TRANSITIONS: Final = frozenset({("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")})
# most severe first; source: Ensembl's table of calculated variant consequences
SEVERITY: Final = (
    "splice_acceptor",
    "splice_donor",
    "stop_gained",
    "frameshift",
    "stop_lost",
    "start_lost",
    "inframe_insertion",
    "inframe_deletion",
    "inframe_altering",
    "missense",
    "splice_region",
    "stop_retained",
    "start_retained",
    "synonymous",
    "coding_sequence",
    "5_prime_utr",
    "3_prime_utr",
    "non_coding",
    "intron",
    "intergenic",
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """One effect on one transcript. `term` is bcftools csq's name; `protein_change` such as `12W>12*`."""

    term: str
    gene: str
    transcript: str
    protein_change: str | None
    coding_change: str | None


@dataclass(frozen=True, slots=True)
class VariantCall:
    """One allele of one sample. `position` is 1-based; depths in reads; qualities on the Phred scale."""

    contig: str
    position: int
    ref: str
    alt: str
    quality: float | None
    filters: tuple[str, ...]
    genotype: str
    zygosity: str
    phased: bool
    depth: int | None
    ref_depth: int | None
    alt_depth: int | None
    genotype_quality: int | None
    consequences: tuple[Consequence, ...]
    clinvar_id: str | None
    clinvar_significance: str | None
    identifier: str | None

    @property
    def end_position(self) -> int:
        """1-based inclusive position of the last reference base."""
        return self.position + len(self.ref) - 1

    @property
    def is_snv(self) -> bool:
        """Whether one base replaces one."""
        return len(self.ref) == 1 and len(self.alt) == 1

    @property
    def variant_type(self) -> str:
        """SNV, INSERTION, DELETION, MNV or COMPLEX."""
        if len(self.ref) == len(self.alt):
            return "SNV" if len(self.ref) == 1 else "MNV"
        if len(self.ref) == 1 and self.alt.startswith(self.ref):
            return "INSERTION"
        if len(self.alt) == 1 and self.ref.startswith(self.alt):
            return "DELETION"
        return "COMPLEX"

    @property
    def passed(self) -> bool:
        """Whether no filter failed."""
        return self.filters == ("PASS",)

    @property
    def worst_consequence(self) -> Consequence | None:
        """The most severe effect, or None outside of the gene models."""
        return min(self.consequences, key=lambda effect: _rank(effect.term), default=None)


def read_calls(vcf: Path) -> Iterator[VariantCall]:
    """Yield the records of a split, annotated single-sample VCF in file order."""
    with pysam.VariantFile(str(vcf)) as records:
        info = records.header.info
        for record in records:
            yield _call(record, has_csq="BCSQ" in info, has_clinvar="CLINVAR_ID" in info)


def summarise_calls(vcf: Path) -> VariantSummary:
    """Count the records of a filtered VCF; types, zygosity and base changes of those that passed."""
    counts: Counter[str] = Counter()
    by_filter: Counter[str] = Counter()
    for call in read_calls(vcf):
        counts["called"] += 1
        if not call.passed:
            by_filter.update(call.filters)
            continue
        counts["passed"] += 1
        counts["snv" if call.is_snv else "indel"] += 1
        counts["heterozygous" if call.zygosity == "HET" else "homozygous"] += 1
        if call.is_snv:
            counts["transitions" if (call.ref, call.alt) in _TRANSITIONS else "transversions"] += 1
    fields = ("called", "passed", "snv", "indel", "heterozygous", "homozygous", "transitions", "transversions")
    return VariantSummary(**{field: counts[field] for field in fields}, count_by_filter=dict(by_filter))


def parse_consequences(values: tuple[str, ...]) -> tuple[Consequence, ...]:
    """Parse `BCSQ`: `consequence|gene|transcript|biotype|strand|amino acid change|dna change`, later fields optional.

    `@N` points at the record where a compound effect is described and says nothing by itself; a leading `*` marks an
    effect after a stop gained upstream.

    >>> parse_consequences(("stop_gained|TOY1|T1|protein_coding|+|12W>12*|100G>A",))[0].protein_change
    '12W>12*'
    """
    parsed = []
    for value in values:
        if value.startswith("@"):
            continue
        term, gene, transcript, _, _, protein, coding = [*value.split("|"), *[""] * 7][:7]
        for part in term.removeprefix("*").split("&"):
            parsed.append(Consequence(part, gene, transcript, protein or None, coding or None))
    return tuple(parsed)


def _call(record: pysam.VariantRecord, *, has_csq: bool, has_clinvar: bool) -> VariantCall:
    sample = record.samples[0]
    alleles = sample["GT"]
    depths = sample.get("AD") or (None, None)
    known = has_clinvar and "CLINVAR_ID" in record.info
    return VariantCall(
        contig=record.contig,
        position=record.pos,
        ref=record.ref or "",
        alt=(record.alts or ("",))[0],
        quality=record.qual,
        filters=tuple(str(name) for name in record.filter) or ("PASS",),
        genotype=("|" if sample.phased else "/").join("." if allele is None else str(allele) for allele in alleles),
        zygosity=_zygosity(alleles),
        phased=bool(sample.phased) and len(alleles) > 1,
        depth=sample.get("DP"),
        ref_depth=depths[0],
        alt_depth=depths[1] if len(depths) > 1 else None,
        genotype_quality=sample.get("GQ"),
        consequences=parse_consequences(record.info["BCSQ"]) if has_csq and "BCSQ" in record.info else (),
        clinvar_id=_joined(record.info["CLINVAR_ID"]) if known else None,
        clinvar_significance=_joined(record.info["CLNSIG"]) if known and "CLNSIG" in record.info else None,
        identifier=record.id,
    )


def _zygosity(alleles: tuple[int | None, ...]) -> str:
    if len(alleles) == 1:
        return "HEMI"
    return "HOM_ALT" if all(allele == 1 for allele in alleles) else "HET"


def _joined(value: object) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


def _rank(term: str) -> int:
    return SEVERITY.index(term) if term in SEVERITY else len(SEVERITY)
