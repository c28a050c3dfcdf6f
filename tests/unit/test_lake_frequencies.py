"""How often alleles are seen. LAK-03. Expected figures are counted by hand, or person by person."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.lake.frequencies import (
    COUNTED_COLUMNS,
    CallableSpans,
    Members,
    count_alleles,
    count_burden,
    join_burden,
)
from strandline.lake.tables import lake_tables

COLUMNS = pa.schema([lake_tables()["variants"].arrow_schema().field(name) for name in COUNTED_COLUMNS])
MEMBERS = Members(("A", "B", "C", "D"), ("FEMALE", "MALE", "FEMALE", None))


def carrier(sample, position, zygosity="HET", **rest):
    described = {"sample_id": sample, "submission_id": f"s-{sample}", "position": position, "end_position": position}
    return described | {"ref": "A", "alt": "G", "variant_type": "SNV", "zygosity": zygosity} | rest


def rows(*carriers):
    return pa.Table.from_pylist(list(carriers), schema=COLUMNS)


def spans(*regions, members=MEMBERS, known="ABCD"):
    columns = ("sample_id", "start0", "end_position", "is_callable")
    schema = pa.schema([lake_tables()["callable_regions"].arrow_schema().field(name) for name in columns])
    table = pa.Table.from_pylist([dict(zip(columns, (*region, True)[:4], strict=True)) for region in regions], schema)
    return CallableSpans.of(table, members, frozenset(known))


def count(table, where, contig="chr1", members=MEMBERS, assembly="GRCh38"):
    counted = count_alleles(table, contig, members, where, cohort="all", assembly=assembly)
    assert counted.schema == lake_tables()["cohort_frequencies"].arrow_schema()
    return counted.to_pylist()


def test_only_samples_whose_reads_tell_are_in_the_denominator():
    """At 100 A (0-based 99 to 100) and C are callable; B ends one base before; D has the allele all the same."""
    where = spans(("A", 99, 100), ("B", 0, 99), ("C", 50, 150))
    (allele,) = count(rows(carrier("A", 100), carrier("D", 100, "HOM_ALT")), where)
    assert (allele["called_samples"], allele["allele_number"], allele["allele_count"]) == (3, 6, 3)
    assert allele["allele_frequency"] == 0.5
    assert (allele["heterozygous_count"], allele["homozygous_count"], allele["hemizygous_count"]) == (1, 1, 0)
    assert (allele["female_allele_count"], allele["female_allele_number"]) == (1, 4)
    assert (allele["male_allele_count"], allele["male_allele_number"]) == (0, 0)
    assert allele["assumed_samples"] == 0


def test_an_interval_that_is_not_callable_does_not_count():
    (allele,) = count(rows(carrier("A", 100)), spans(("A", 0, 200), ("C", 0, 200, False)))
    assert allele["called_samples"] == 1


def test_samples_without_any_callable_regions_are_counted_and_said_to_be_assumed():
    (allele,) = count(rows(carrier("A", 100)), spans(("A", 0, 200), known="AC"))
    assert (allele["called_samples"], allele["assumed_samples"]) == (3, 2)  # A, and B and D unseen; C not callable here


@pytest.mark.parametrize(
    ("contig", "position", "numbers", "count_of_male"),
    [
        ("chrX", 50_000_000, (5, 4, 1), 1),  # two each of A and C, one of B; of D it is not known
        ("X", 2_781_479, (8, 4, 2), 2),  # the last base of the first pseudoautosomal region of GRCh38
        ("X", 2_781_480, (5, 4, 1), 1),
        ("chrY", 10_000_000, (1, 0, 1), 1),
    ],
)
def test_sex_chromosomes_are_counted_by_the_copies_that_there_are(contig, position, numbers, count_of_male):
    where = spans(*((name, 0, 200_000_000) for name in "ABCD"))
    (allele,) = count(rows(carrier("B", position, "HOM_ALT")), where, contig=contig)
    names = ("allele_number", "female_allele_number", "male_allele_number")
    assert tuple(allele[name] for name in names) == numbers
    assert allele["allele_count"] == allele["male_allele_count"] == count_of_male


def test_without_a_known_assembly_all_of_x_is_taken_as_outside_the_pseudoautosomal_regions():
    where = spans(*((name, 0, 200_000_000) for name in "ABCD"))
    (allele,) = count(rows(carrier("A", 100_000)), where, contig="chrX", assembly=None)
    assert allele["allele_number"] == 5


def test_no_copies_at_all_give_no_frequency():
    (allele,) = count(rows(carrier("A", 10_000_000)), spans(("A", 0, 2 * 10**7)), contig="chrY")
    assert (allele["allele_number"], allele["allele_count"], allele["allele_frequency"]) == (0, 0, None)


SPANS = st.tuples(st.sampled_from("ABCD"), st.integers(0, 40), st.integers(1, 20))
CARRIERS = st.dictionaries(
    st.tuples(st.sampled_from("ABCD"), st.integers(1, 50)), st.sampled_from(["HET", "HOM_ALT"]), min_size=1
)


@given(st.lists(SPANS, max_size=15), CARRIERS)
def test_figures_are_those_of_counting_person_by_person(regions, carriers):
    where = spans(*((sample, start, start + length) for sample, start, length in regions))
    callable_at = {
        sample: {at for name, start, length in regions if name == sample for at in range(start + 1, start + length + 1)}
        for sample in "ABCD"
    }
    found = {row["position"]: row for row in count(rows(*(carrier(*who, how) for who, how in carriers.items())), where)}
    assert sorted(found) == sorted({at for _, at in carriers})
    for at, row in found.items():
        here = {sample: how for (sample, place), how in carriers.items() if place == at}
        called = {sample for sample in "ABCD" if at in callable_at[sample]} | set(here)
        assert row["called_samples"] == len(called)
        assert row["allele_number"] == 2 * len(called)
        assert row["allele_count"] == sum(2 if how == "HOM_ALT" else 1 for how in here.values())
        assert row["female_allele_number"] == 2 * len(called & {"A", "C"})
        assert row["male_allele_number"] == 2 * len(called & {"B"})


def test_burden_counts_rare_alleles_that_break_a_gene_and_says_where_two_are():
    lof, common = {"gene": "G1", "consequence": "stop_gained"}, {"population_frequency": 0.01}
    first = count_burden(
        rows(
            carrier("A", 1, **lof),
            carrier("B", 1, "HOM_ALT", **lof, population_frequency=0.001),
            carrier("C", 2, **lof, **common),
            carrier("D", 3, gene="G2", consequence="missense", highest_population_frequency=0.0005, **common),
            carrier("A", 4, gene="G1", consequence="synonymous"),
            carrier("A", 5, consequence="stop_gained"),
        )
    )
    second = count_burden(rows(carrier("A", 9, gene="G1", consequence="frameshift")))
    burden = join_burden([first, second], "all")
    assert burden.schema == lake_tables()["gene_burden"].arrow_schema()
    figures = ("gene", "sample_id", "loss_of_function_count", "missense_count", "is_biallelic")
    assert [tuple(row[name] for name in figures) for row in burden.to_pylist()] == [
        ("G1", "A", 2, 0, True),
        ("G1", "B", 2, 0, True),
        ("G2", "D", 0, 1, False),
    ]
    assert join_burden([], "all").num_rows == 0
