"""How often alleles are seen in a cohort, of how many copies that could have been seen; and whose genes they break.

A sample counts at a position where its reads tell what is there (`callable_regions`), or where it carries an allele.
Of X and Y outside the pseudoautosomal regions a male has one copy and a female two or none; a sample of unknown sex
is left out there. Source of the terms: VCF 4.3 section 1.6.1 (AC, AN, AF), gnomAD's allele number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strandline.lake.tables import lake_tables
from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.sex import without_pseudoautosomal

LOSS_OF_FUNCTION: Final = frozenset({"stop_gained", "frameshift", "splice_donor", "splice_acceptor", "start_lost"})
RARE: Final = 0.001
"""Highest frequency in any population of an allele that counts as rare."""
COUNTED_COLUMNS: Final = (
    "sample_id",
    "submission_id",
    "position",
    "end_position",
    "ref",
    "alt",
    "variant_type",
    "zygosity",
    "rsid",
    "gene",
    "consequence",
    "clinvar_significance",
    "population_frequency",
    "highest_population_frequency",
)
"""Columns of `variants` that counting reads, beside the partition's contig."""
_ALLELE: Final = ("position", "ref", "alt")
_TOLD: Final = (
    "end_position",
    "variant_type",
    "rsid",
    "gene",
    "consequence",
    "clinvar_significance",
    "population_frequency",
)
_SEXES: Final = (Sex.FEMALE.value, Sex.MALE.value, Sex.UNKNOWN.value)
_SPAN: Final = 1 << 32  # beyond the end of any contig
_LONGEST_CONTIG: Final = 1 << 31

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Members:
    """Samples of a cohort, in any order, with the sex that was declared of each."""

    sample_ids: tuple[str, ...]
    sexes: tuple[str | None, ...]

    def sex_codes(self) -> Array:
        """Return the place of each sample's sex in FEMALE, MALE, UNKNOWN."""
        return np.array([_SEXES.index(sex) if sex in _SEXES else 2 for sex in self.sexes], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class CallableSpans:
    """Where on one contig the members of a cohort were callable.

    Attributes:
        starts: sample's number times 2^32 plus the 0-based start, ascending, of intervals that do not overlap.
        ends: the same with the interval's 0-based half-open end.
        assumed: for each member, whether it has no callable regions on any contig and is taken as callable everywhere.
    """

    starts: Array
    ends: Array
    assumed: Array

    @classmethod
    def of(cls, regions: pa.Table, members: Members, known: frozenset[str]) -> "CallableSpans":
        """Return the spans from rows of `callable_regions` of one contig; `known` names samples that have any row."""
        assumed = np.array([sample_id not in known for sample_id in members.sample_ids], dtype=bool)
        rows = regions.filter(pc.is_in(regions["sample_id"], pa.array(members.sample_ids, pa.string())))
        rows = rows.filter(rows["is_callable"])
        base = _numbers(rows["sample_id"], members) * _SPAN
        starts, ends = base + rows["start0"].to_numpy(), base + rows["end_position"].to_numpy()
        order = np.lexsort((ends, starts))
        starts, reached = starts[order], np.maximum.accumulate(ends[order]) if len(ends) else ends
        is_new = np.append(True, starts[1:] > reached[:-1])[: len(starts)]
        return cls(starts[is_new], reached[np.append(is_new[1:], True)[: len(starts)]], assumed)

    def covers(self, samples: Array, positions: Array) -> Array:
        """Return whether each sample (its number) was callable at each position (1-based)."""
        if not len(self.starts):
            return self.assumed[samples]
        keys = samples * _SPAN + positions
        before = np.searchsorted(self.starts, keys, side="left") - 1
        return self.assumed[samples] | ((before >= 0) & (self.ends[before] >= keys))

    def counts(self, positions: Array, sexes: Array) -> Array:
        """Return, for each sex in a row, how many samples were callable at each position (1-based)."""
        owners = self.starts // _SPAN
        counted = []
        for sex in range(len(_SEXES)):
            mine = sexes[owners] == sex
            begun = np.searchsorted(np.sort(self.starts[mine] % _SPAN), positions, side="left")
            ended = np.searchsorted(np.sort(self.ends[mine] % _SPAN), positions, side="left")
            counted.append(begun - ended + int(self.assumed[sexes == sex].sum()))
        return np.array(counted, dtype=np.int64).reshape(len(_SEXES), len(positions))


def count_alleles(
    rows: pa.Table, contig: str, members: Members, spans: CallableSpans, *, cohort: str, assembly: str | None
) -> pa.Table:
    """Return rows of `cohort_frequencies` for rows of `variants` that hold every row of each of their positions.

    Args:
        rows: of one contig and of the cohort's samples, with COUNTED_COLUMNS.
        contig: their contig.
        members: samples of the cohort.
        spans: where on the contig they were callable.
        cohort: name of the cohort.
        assembly: GRCh37 or GRCh38, whose pseudoautosomal regions are known; of any other, all of X and Y is taken as
            outside of them.
    """
    if not rows.num_rows:
        return lake_tables()["cohort_frequencies"].arrow_schema().empty_table()
    sexes = members.sex_codes()
    samples, positions = _numbers(rows["sample_id"], members), rows["position"].to_numpy()
    ploidies = _ploidies(contig, positions, assembly)
    carried = rows["zygosity"].to_numpy(zero_copy_only=False)
    copies = np.minimum(np.where(carried == "HOM_ALT", 2, 1), ploidies[sexes[samples], np.arange(len(samples))])
    is_uncovered = ~spans.covers(samples, positions)
    figures: dict[str, Array] = {
        "allele_count": copies,
        "heterozygous_count": carried == "HET",
        "homozygous_count": carried == "HOM_ALT",
        "hemizygous_count": carried == "HEMI",
        "female_allele_count": copies * (sexes[samples] == 0),
        "male_allele_count": copies * (sexes[samples] == 1),
    }
    figures |= {f"uncovered_{sex}": is_uncovered & (sexes[samples] == number) for number, sex in enumerate(_SEXES)}
    told = pa.table(
        {name: rows[name] for name in (*_ALLELE, *_TOLD)}
        | {name: pa.array(values.astype(np.int64)) for name, values in figures.items()}
    )
    grouped = told.group_by(list(_ALLELE), use_threads=False).aggregate(
        [*((name, "max") for name in _TOLD), *((name, "sum") for name in figures)]
    )
    names = {f"{name}_max": name for name in _TOLD} | {f"{name}_sum": name for name in figures}
    alleles = grouped.rename_columns([names.get(name, name) for name in grouped.column_names])
    return _with_numbers(alleles, contig, members, spans, cohort=cohort, assembly=assembly)


def count_burden(rows: pa.Table) -> pa.Table:
    """Return, for each gene and sample of these rows of `variants`, copies of rare alleles that change the protein.

    Columns: gene, sample_id, loss_of_function_count, missense_count and is_homozygous (1 where a loss-of-function
    allele is). Rows of several contigs or pieces are added up by `join_burden`.
    """
    frequency = pc.coalesce(rows["highest_population_frequency"], rows["population_frequency"], pa.scalar(0.0))
    is_told = pc.and_(pc.less_equal(frequency, RARE), pc.is_valid(rows["gene"]))
    rare = rows.filter(is_told)
    breaks = pc.is_in(rare["consequence"], pa.array(sorted(LOSS_OF_FUNCTION)))
    is_both = pc.equal(rare["zygosity"], "HOM_ALT")
    copies = pc.add(pc.cast(is_both, pa.int64()), 1)
    zero = pa.scalar(0, pa.int64())
    counted = pa.table(
        {
            "gene": rare["gene"],
            "sample_id": rare["sample_id"],
            "loss_of_function_count": pc.if_else(breaks, copies, zero),
            "missense_count": pc.if_else(pc.equal(rare["consequence"], "missense"), copies, zero),
            "is_homozygous": pc.cast(pc.and_(breaks, is_both), pa.int64()),
        }
    )
    return _sum_burden(counted)


def join_burden(parts: Sequence[pa.Table], cohort: str) -> pa.Table:
    """Return rows of `gene_burden`, sorted by gene and sample, from what `count_burden` gave of each part."""
    schema = lake_tables()["gene_burden"].arrow_schema()
    if not parts:
        return schema.empty_table()
    summed = _sum_burden(pa.concat_tables(parts)).sort_by([("gene", "ascending"), ("sample_id", "ascending")])
    is_biallelic = pc.or_(pc.greater(summed["is_homozygous"], 0), pc.greater(summed["loss_of_function_count"], 1))
    columns = {name: summed[name] for name in summed.column_names} | {
        "cohort": pa.repeat(pa.scalar(cohort), summed.num_rows),
        "is_biallelic": is_biallelic,
    }
    return pa.table({field.name: columns[field.name] for field in schema}).cast(schema)


def _with_numbers(
    alleles: pa.Table, contig: str, members: Members, spans: CallableSpans, *, cohort: str, assembly: str | None
) -> pa.Table:
    """Add what of the cohort could have been seen at each allele."""
    positions = alleles["position"].to_numpy()
    uncovered = np.array([alleles[f"uncovered_{sex}"].to_numpy() for sex in _SEXES])
    called = spans.counts(positions, members.sex_codes()) + uncovered
    number = called * _ploidies(contig, positions, assembly)
    total, count = number.sum(axis=0), alleles["allele_count"].to_numpy()
    frequency = np.divide(count, total, out=np.full(len(total), np.nan), where=total > 0)
    columns = {name: alleles[name] for name in alleles.column_names} | {
        "cohort": pa.repeat(pa.scalar(cohort), len(positions)),
        "contig": pa.repeat(pa.scalar(contig), len(positions)),
        "allele_number": total,
        "allele_frequency": pa.array(frequency, from_pandas=True),
        "called_samples": called.sum(axis=0),
        "assumed_samples": np.full(len(positions), int(spans.assumed.sum())),
        "female_allele_number": number[0],
        "male_allele_number": number[1],
    }
    schema = lake_tables()["cohort_frequencies"].arrow_schema()
    made = pa.table({field.name: columns[field.name] for field in schema}).cast(schema)
    return made.sort_by([(name, "ascending") for name in _ALLELE])


def _ploidies(contig: str, positions: Array, assembly: str | None) -> Array:
    """Return copies of each position (1-based) in one sample: a row each for FEMALE, MALE and UNKNOWN."""
    name = contig.removeprefix("chr")
    copies = np.full((len(_SEXES), len(positions)), 2, dtype=np.int64)
    if name in {"X", "Y"}:
        is_linked = np.zeros(len(positions), dtype=bool)
        for region in without_pseudoautosomal([Region(contig, 0, _LONGEST_CONTIG)], assembly):
            is_linked |= (positions > region.start0) & (positions <= region.end0)
        copies[:, is_linked] = np.array([[2 if name == "X" else 0], [1], [0]])
    return copies


def _numbers(sample_ids: pa.ChunkedArray, members: Members) -> Array:
    found = pc.index_in(sample_ids, pa.array(members.sample_ids, pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _sum_burden(counted: pa.Table) -> pa.Table:
    figures = ["loss_of_function_count", "missense_count", "is_homozygous"]
    is_told = pc.greater(pc.add(counted["loss_of_function_count"], counted["missense_count"]), 0)
    grouped = counted.filter(is_told).group_by(["gene", "sample_id"], use_threads=False)
    summed = grouped.aggregate([(name, "sum") for name in figures])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
