"""Variant records as the rest of Strandline reads them: one sample and one alternate allele each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pysam

from strandline.reads.quality import VariantSummary
from strandline.variants.kinds import variant_type

_NO_POPULATION: Final = frozenset({"OTH", "REMAINING"})
_FREQUENCY: Final = "POP_AF"
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
class TranscriptName:
    """What the `HGVS` field says of one transcript; None is what it leaves empty.

    `ground` says why the transcript was chosen, as `transcripts.Ground` writes it; `term` is bcftools csq's. `coding`
    is such as `c.76A>T` or `n.76A>T`, `protein` such as `p.(Lys26Ter)`, of the sequence `protein_accession`.
    """

    transcript: str
    gene: str
    ground: str | None
    term: str
    coding: str | None
    protein_accession: str | None
    protein: str | None

    @property
    def full_coding(self) -> str | None:
        """The name with its transcript, such as `ENST00000380152.8:c.76A>T`."""
        return f"{self.transcript}:{self.coding}" if self.coding else None

    @property
    def full_protein(self) -> str | None:
        """The name with its protein where the gene models name one, such as `ENSP00000369497.3:p.(Lys26Ter)`."""
        return f"{self.protein_accession}:{self.protein}" if self.protein_accession else self.protein


@dataclass(frozen=True, slots=True)
class VariantCall:
    """One allele of one sample. `position` is 1-based; depths in reads; qualities on the Phred scale.

    `names` are those of transcripts, the chosen one first. Frequencies are of `alt` in the source of the reference
    bundle, between 0 and 1: of everybody, and by population as the source tells them apart. Genotypes of one
    `phase_set` say which alleles lie on the same copy of the chromosome (VCF 4.5, section 1.6.2, PS).
    """

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
    genomic_name: str | None = None
    names: tuple[TranscriptName, ...] = ()
    dbsnp_id: str | None = None
    population_frequency: float | None = None
    frequency_by_population: tuple[tuple[str, float], ...] = ()
    phase_set: int | None = None

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
        """What `variant_type` says of its alleles."""
        return variant_type(self.ref, self.alt)

    @property
    def passed(self) -> bool:
        """Whether no filter failed."""
        return self.filters == ("PASS",)

    @property
    def worst_consequence(self) -> Consequence | None:
        """The most severe effect, or None outside of the gene models."""
        return min(self.consequences, key=lambda effect: severity_rank(effect.term), default=None)

    @property
    def chosen(self) -> TranscriptName | None:
        """The transcript that a report names, or None outside of the gene models."""
        return self.names[0] if self.names else None

    @property
    def chosen_consequence(self) -> Consequence | None:
        """The effect on the chosen transcript; the most severe one where none was chosen."""
        chosen = self.chosen
        if chosen is None:
            return self.worst_consequence
        bare = chosen.transcript.split(".")[0]
        for effect in self.consequences:
            if effect.term == chosen.term and effect.transcript in {bare, chosen.transcript}:
                return effect
        return Consequence(chosen.term, chosen.gene, bare, None, None)

    @property
    def rsid(self) -> str | None:
        """The dbSNP id: of the reference bundle's dbSNP, else of the ID column where that is one."""
        if self.dbsnp_id:
            return self.dbsnp_id
        return self.identifier if self.identifier and self.identifier.startswith("rs") else None

    @property
    def highest_frequency(self) -> tuple[str, float] | None:
        """The population with the highest frequency; never the rest that belongs to none."""
        named = [(name, frequency) for name, frequency in self.frequency_by_population if name not in _NO_POPULATION]
        return max(named, key=lambda pair: pair[1], default=None)


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


def parse_names(values: tuple[str, ...]) -> tuple[TranscriptName, ...]:
    """Parse `HGVS`, as `naming` writes it.

    >>> parse_names(("T1.2|TOY1|MANE_Select|synonymous|c.99G>A|P1.1|p.(Lys33%3D)",))[0].full_protein
    'P1.1:p.(Lys33=)'
    """
    parsed = []
    for value in values:
        transcript, gene, ground, term, *rest = [unquote(part) for part in value.split("|")]
        coding, accession, protein = (part or None for part in rest)
        parsed.append(TranscriptName(transcript, gene, ground or None, term, coding, accession, protein))
    return tuple(parsed)


def severity_rank(term: str | None) -> int:
    """Return the place of a term among the most severe ones, 0 first; an unknown one comes last."""
    return SEVERITY.index(term) if term in SEVERITY else len(SEVERITY)


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
        genomic_name=_text(record, "HGVSg"),
        names=parse_names(tuple(record.info["HGVS"])) if "HGVS" in record.info else (),
        dbsnp_id=_text(record, "DBSNP_ID"),
        population_frequency=_number(record, _FREQUENCY),
        frequency_by_population=_frequencies(record),
        phase_set=sample.get("PS") if sample.phased and len(alleles) > 1 else None,
    )


def _text(record: pysam.VariantRecord, field: str) -> str | None:
    return _joined(record.info[field]) if field in record.info else None


def _number(record: pysam.VariantRecord, field: str) -> float | None:
    """Return a field of one number an alternate allele; None where it is absent."""
    if field not in record.info:
        return None
    value = record.info[field]
    first = value[0] if isinstance(value, tuple) else value
    return None if first is None else float(first)


def _frequencies(record: pysam.VariantRecord) -> tuple[tuple[str, float], ...]:
    found = ((name, _number(record, name)) for name in record.info if name.startswith(f"{_FREQUENCY}_"))
    return tuple((name.removeprefix(f"{_FREQUENCY}_"), value) for name, value in found if value is not None)


def _zygosity(alleles: tuple[int | None, ...]) -> str:
    if len(alleles) == 1:
        return "HEMI"
    return "HOM_ALT" if all(allele == 1 for allele in alleles) else "HET"


def _joined(value: object) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
