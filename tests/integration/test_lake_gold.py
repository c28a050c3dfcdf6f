"""Tables that are made of others. LAK-03: counted over every file and partition, of a cohort that does not change."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from benchmarks.lake_on_disk import open_lake
from strandline.aws.lake import Lake
from strandline.aws.lake_gold import freeze, refresh
from strandline.aws.lake_maintenance import compact, erase_subject, expire
from strandline.errors import RejectedInputError
from strandline.lake.tables import lake_tables
from tests.integration.made_up_lake import load, row

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with open_lake(tmp_path) as catalog:
        yield Lake("lake", catalog)


def counts(lake, cohort):
    rows = lake.load("cohort_frequencies").scan().to_arrow().to_pylist()
    return sorted(
        (row["contig"], row["position"], row["allele_count"], row["allele_number"])
        for row in rows
        if row["cohort"] == cohort
    )


def both(*figures):
    return [(contig, *figure) for contig in ("chr1", "chr2") for figure in figures]


@pytest.mark.parametrize("is_merged", [False, True])
def test_alleles_of_every_sample_are_counted_whether_or_not_files_were_merged(lake, is_merged):
    for sample, positions in {"A": [10, 20], "B": [10], "C": [30]}.items():
        load(lake, sample, positions)
    if is_merged:
        compact(lake, most_runs=1)
    for _ in range(2):
        refreshed = refresh(lake)
    assert (refreshed.samples, refreshed.alleles) == (3, 6)
    assert counts(lake, "all") == both((10, 2, 6), (20, 1, 6), (30, 1, 6))  # each het, all three taken as callable


def test_a_frozen_cohort_is_counted_as_it_was_whatever_is_loaded_later(lake):
    load(lake, "A", [10])
    load(lake, "B", [10])
    assert freeze(lake, "pair", "SELECT ...", ["A", "B"], now=NOW) == 2
    load(lake, "A", [99])
    load(lake, "C", [10])
    expire(lake, datetime(2100, 1, 1, tzinfo=UTC))
    refresh(lake, "pair")
    assert counts(lake, "pair") == both((10, 2, 4))
    refresh(lake)
    assert counts(lake, "all") == both((10, 2, 6), (99, 1, 6))
    assert counts(lake, "pair") == both((10, 2, 4))


def test_a_cohort_is_frozen_once(lake):
    load(lake, "A", [10])
    load(lake, "B", [10])
    for _ in range(2):
        assert freeze(lake, "one", "SELECT ...", ["A"], now=NOW) == 1
    with pytest.raises(RejectedInputError, match="frozen with other samples"):
        freeze(lake, "one", "SELECT ...", ["A", "B"], now=NOW)
    with pytest.raises(RejectedInputError, match="1 of 2 chosen are not in the lake"):
        freeze(lake, "two", "SELECT ...", ["A", "Z"], now=NOW)
    with pytest.raises(RejectedInputError, match="chose no sample"):
        freeze(lake, "none", "SELECT ...", [], now=NOW)


def test_a_cohort_that_was_never_frozen_is_refused(lake):
    with pytest.raises(RejectedInputError, match="freeze it first"):
        refresh(lake, "nobody")


def test_frequencies_that_counted_an_erased_subject_are_gone_until_they_are_made_anew(lake):
    load(lake, "A", [10], subject="PT1")
    load(lake, "B", [20], subject="PT2")
    freeze(lake, "second", "SELECT ...", ["B"], now=NOW)
    refresh(lake)
    refresh(lake, "second")
    assert erase_subject(lake, "PT1")["cohort_frequencies"] == 4
    assert (counts(lake, "all"), counts(lake, "second")) == ([], both((20, 1, 2)))
    refresh(lake)
    assert counts(lake, "all") == both((20, 1, 2))


def test_an_erased_subject_is_no_longer_kept_by_a_frozen_cohort(lake):
    load(lake, "A", [10], subject="PT1")
    load(lake, "B", [10], subject="PT2")
    freeze(lake, "pair", "SELECT ...", ["A", "B"], now=NOW)
    assert erase_subject(lake, "PT1")["cohorts"] == 1
    assert lake.load("variants").metadata.refs.keys() == {"main"}
    with pytest.raises(RejectedInputError, match="a subject was erased"):
        refresh(lake, "pair")


def test_burden_is_kept_by_gene_and_sample(lake):
    load(lake, "A", [])
    described = {"sample_id": "A", "submission_id": "s-A", "gene": "G1", "consequence": "frameshift"}
    broken = row("variants", zygosity="HET", **described)
    rows = pa.Table.from_pylist([broken], schema=lake_tables()["variants"].arrow_schema())
    lake.replace_rows("variants", "s-A", lambda: [rows])
    assert refresh(lake).genes_and_samples == 1
    (burden,) = lake.load("gene_burden").scan().to_arrow().to_pylist()
    assert (burden["gene"], burden["sample_id"], burden["loss_of_function_count"]) == ("G1", "A", 1)
