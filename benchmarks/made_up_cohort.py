"""A made-up cohort on chr20, each time the same: real sites and frequencies, chance genotypes.

Sites are those of the HG002 truth set, with positions and alleles as they are, and, between them, those of the 1000
Genomes slice of 100 kb, laid side by side over the contig with the frequencies that they have there. A site of the
truth set was seen in one person, so its frequency is drawn from the slice's in proportion to the frequency itself.
Genotypes follow Hardy and Weinberg, one sample after the other; the third sample is the child of the first two, and
has 40 new variants. Genes of 60 kb stand every 100 kb; consequences, rs numbers and ClinVar entries are made up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pysam

from strandline.lake.tables import lake_tables

CONTIG: Final = "chr20"
CONTIG_LENGTH: Final = 64_444_167
FATHER, MOTHER, CHILD = "S0001", "S0002", "S0003"
NEW_VARIANTS: Final = 40
_TILE: Final = 100_000
_GENE_LENGTH: Final = 60_000
_TRUTH: Final = "HG002_GRCh38_1_22_v4.2.1_benchmark.chr20.vcf.gz"
_CONFIDENT: Final = "HG002_GRCh38_1_22_v4.2.1_benchmark.chr20.bed"
_FREQUENCIES: Final = "cohort-chr20_100k.vcf.gz"
_CONSEQUENCES: Final = ("intron", "synonymous", "missense", "stop_gained", "frameshift", "splice_donor")
_SHARES: Final = (0.975, 0.011, 0.011, 0.0012, 0.001, 0.0008)
_SIGNIFICANCES: Final = ("Benign", "Likely_benign", "Uncertain_significance", "Likely_pathogenic", "Pathogenic")

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Sites with one row an allele, in the order of the contig, and how often each is in the population.

    Attributes:
        sites: the columns of `variants` that belong to an allele and not to a sample.
        frequencies: of each allele, 0 to 1.
        confident: 0-based start and half-open end of each interval in which the truth set is sure, ascending.
        seed: of the chances.
    """

    sites: pa.Table
    frequencies: Array
    confident: Array
    seed: int

    def samples(self, count: int) -> Iterator[tuple[str, pa.Table]]:
        """Yield samples with their rows of `variants`, in the order of the contig."""
        parents: list[Array] = []
        for number in range(1, count + 1):
            chance = np.random.default_rng([self.seed, number])
            sample_id = f"S{number:04d}"
            alleles = _child(parents, chance) if sample_id == CHILD else chance.binomial(2, self.frequencies)
            if number <= len((FATHER, MOTHER)):
                parents.append(alleles)
            yield sample_id, _rows(self.sites, alleles, sample_id, chance)

    def regions(self, sample_id: str) -> pa.Table:
        """Return a sample's rows of `callable_regions`: the truth set's confident regions, but for one of twenty."""
        chance = np.random.default_rng([self.seed, int(sample_id[1:]), 1])
        kept = np.flatnonzero(chance.random(len(self.confident)) >= 0.05)
        count, (starts, ends) = len(kept), self.confident[kept].T
        columns: dict[str, Any] = {
            "sample_id": pa.repeat(pa.scalar(sample_id), count),
            "submission_id": pa.repeat(pa.scalar(submission_of(sample_id)), count),
            "contig": pa.repeat(pa.scalar(CONTIG), count),
            "start0": starts,
            "end_position": ends,
            "is_callable": pa.repeat(pa.scalar(True), count),
        }
        schema = lake_tables()["callable_regions"].arrow_schema()
        return pa.table({field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in schema}).cast(
            schema
        )


def submission_of(sample_id: str) -> str:
    """Return the submission that brought a sample."""
    return f"made-up-{sample_id.lower()}"


def make_cohort(data: Path, *, seed: int = 20) -> Cohort:
    """Return the cohort's sites from the folder that holds the truth set and the frequencies."""
    chance = np.random.default_rng(seed)
    slice_sites = [
        (record.pos % _TILE, record.ref or "", alt, float(frequency))
        for record in pysam.VariantFile(str(data / _FREQUENCIES))
        for alt, frequency in zip(record.alts or (), record.info["AF"], strict=True)
    ]
    spectrum = np.array([site[3] for site in slice_sites])
    found: dict[tuple[int, str, str], float] = {}
    for record in pysam.VariantFile(str(data / _TRUTH)):
        for alt in record.alts or ():
            found[record.pos, record.ref or "", alt] = float(chance.choice(spectrum, p=spectrum / spectrum.sum()))
    for start in range(_TILE, CONTIG_LENGTH - 2 * _TILE, _TILE):
        for offset, ref, alt, frequency in slice_sites:
            found.setdefault((start + offset, ref, alt), frequency)
    keys = sorted(found)
    frequencies = np.array([found[key] for key in keys])
    return Cohort(_annotate(keys, frequencies, chance), frequencies, _confident(data / _CONFIDENT), seed)


def _confident(path: Path) -> Array:
    lines = (line.split("\t") for line in path.read_text(encoding="ascii").splitlines())
    return np.array([(int(fields[1]), int(fields[2])) for fields in lines if fields[0] == CONTIG])


def _annotate(keys: list[tuple[int, str, str]], frequencies: Array, chance: np.random.Generator) -> pa.Table:
    count = len(keys)
    positions = np.array([key[0] for key in keys])
    refs, alts = [key[1] for key in keys], [key[2] for key in keys]
    genic = positions % _TILE < _GENE_LENGTH
    numbers_of_genes = chance.permutation(CONTIG_LENGTH // _TILE + 1)  # a real gene's name says nothing of its place
    genes = [
        f"GENE{numbers_of_genes[place // _TILE]:04d}" if inside else None
        for place, inside in zip(positions, genic, strict=True)
    ]
    terms = chance.choice(len(_CONSEQUENCES), size=count, p=_SHARES)
    terms[(terms > 2) & (frequencies > 0.01)] = 0  # what breaks a gene is rare
    known, judged = chance.random(count) < 0.9, (chance.random(count) < 0.01) & genic
    significances = chance.integers(len(_SIGNIFICANCES), size=count)
    significances[frequencies > 0.01] = 0
    numbers = chance.permutation(count) + 1_000_000
    transcripts = [None if gene is None else f"ENST{20_000_000 + int(gene[4:]):011d}" for gene in genes]
    consequences = [_CONSEQUENCES[term] if inside else None for term, inside in zip(terms, genic, strict=True)]
    return pa.table(
        {
            "contig": pa.repeat(pa.scalar(CONTIG), count),
            "position": positions,
            "end_position": positions + np.array([len(ref) for ref in refs]) - 1,
            "ref": refs,
            "alt": alts,
            "variant_type": [_variant_type(ref, alt) for ref, alt in zip(refs, alts, strict=True)],
            "gene": pa.array(genes, pa.string()),
            "transcript": pa.array(transcripts, pa.string()),
            "consequence": pa.array(consequences, pa.string()),
            "rsid": pa.array(
                [f"rs{number}" if is_known else None for number, is_known in zip(numbers, known, strict=True)]
            ),
            "clinvar_id": pa.array(
                [str(number) if is_judged else None for number, is_judged in zip(numbers, judged, strict=True)]
            ),
            "clinvar_significance": pa.array(
                [
                    _SIGNIFICANCES[which] if is_judged else None
                    for which, is_judged in zip(significances, judged, strict=True)
                ]
            ),
            "hgvs_genomic": [f"NC_000020.11:g.{key[0]}{key[1]}>{key[2]}" for key in keys],
            "hgvs_coding": pa.array(
                [
                    f"{name}.3:c.{key[0] % _TILE}{key[1]}>{key[2]}" if name else None
                    for name, key in zip(transcripts, keys, strict=True)
                ]
            ),
            "most_severe_consequence": pa.array(consequences, pa.string()),
            "most_severe_transcript": pa.array(transcripts, pa.string()),
            "population_frequency": pa.array(frequencies),
            "highest_population_frequency": pa.array(np.minimum(1.0, frequencies * 1.7)),
        }
    )


def _child(parents: list[Array], chance: np.random.Generator) -> Array:
    """Draw one allele of each parent's two; somewhere both have none, put the new ones."""
    alleles = chance.binomial(1, parents[0] / 2) + chance.binomial(1, parents[1] / 2)
    nowhere = np.flatnonzero((parents[0] == 0) & (parents[1] == 0))
    alleles[chance.choice(nowhere, NEW_VARIANTS, replace=False)] = 1
    return np.asarray(alleles)


def _rows(sites: pa.Table, alleles: Array, sample_id: str, chance: np.random.Generator) -> pa.Table:
    carried = np.flatnonzero(alleles)
    count, is_both = len(carried), alleles[carried] == 2
    depth = chance.poisson(32, count).clip(4)
    alt_depth = np.where(is_both, depth, chance.binomial(depth, 0.5))
    columns: dict[str, Any] = {
        "sample_id": pa.repeat(pa.scalar(sample_id), count),
        "submission_id": pa.repeat(pa.scalar(submission_of(sample_id)), count),
        "quality": np.round(chance.gamma(9.0, 40.0, count), 1),
        "filters": pa.repeat(pa.scalar("PASS"), count),
        "genotype": np.where(is_both, "1/1", "0/1"),
        "zygosity": np.where(is_both, "HOM_ALT", "HET"),
        "phased": pa.repeat(pa.scalar(False), count),
        "depth": depth.astype(np.int32),
        "ref_depth": (depth - alt_depth).astype(np.int32),
        "alt_depth": alt_depth.astype(np.int32),
        "genotype_quality": chance.integers(20, 100, count).astype(np.int32),
        "reference_name": pa.repeat(pa.scalar("GRCh38"), count),
        "reference_version": pa.repeat(pa.scalar("made-up"), count),
    }
    chosen = sites.take(pa.array(carried))
    columns |= {name: chosen[name] for name in chosen.column_names}
    schema = lake_tables()["variants"].arrow_schema()
    made = {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in schema}
    return pa.table(made).cast(schema)


def _variant_type(ref: str, alt: str) -> str:
    if len(ref) == len(alt):
        return "SNV" if len(ref) == 1 else "MNV"
    return "INSERTION" if len(ref) < len(alt) else "DELETION"
