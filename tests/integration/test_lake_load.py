"""Rows of the lake's tables from VCF and gVCF, as far as into Iceberg. LAK-01."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.lake_on_disk import DATABASE, open_lake
from strandline.aws.lake import Lake
from strandline.errors import RejectedInputError
from strandline.lake.load import LoadedFile, callable_rows, check_samples, site_rows, variant_rows
from strandline.lake.tables import lake_tables
from strandline.lake.vcf_columns import VcfBatch, read_vcf
from strandline.lake.vcf_source import VcfSource

HEADER = """##fileformat=VCFv4.3
##INFO=<ID=AC,Number=A,Type=Integer,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=SB,Number=2,Type=Integer,Description="x">
#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S1 S2
"""
LOADED = LoadedFile("s-1", "slice", "0c2b")
COHORT = (
    "chr1 100 rs7;COSV1 A C,G 50 PASS AC=2,1 GT:DP:PL:SB 1|1:30:90,9,0,91,92,93:1,2 0/2:20:9,8,7,0,5,6:3,4",
    "chr1 200 COSV2 TTT TAT . . . GT 0/0 ./1",
    "chr2 50 . G GA . LowQual . GT 0/1 0/0",
)


def batches(*records: str) -> list[VcfBatch]:
    text = HEADER.replace(" ", "\t") + "".join("\t".join(record.split()) + "\n" for record in records)
    return list(read_vcf(VcfSource([text.encode()], "cohort.vcf")))


def test_a_cohort_s_rows_are_those_that_carry_an_allele_in_the_columns_of_the_table():
    tables = list(variant_rows(batches(*COHORT), LOADED))
    rows = pa.concat_tables(tables).to_pylist()
    assert {table.schema for table in tables} == {lake_tables()["variants"].arrow_schema()}
    assert [(row["sample_id"], row["position"], row["ref"], row["alt"], row["zygosity"]) for row in rows] == [
        ("S1", 100, "A", "C", "HOM_ALT"),
        ("S2", 100, "A", "G", "HET"),
        ("S2", 201, "T", "A", "HET"),
        ("S1", 50, "G", "GA", "HET"),
    ]
    first, second, third, _ = rows
    assert (first["phred_likelihoods"], second["phred_likelihoods"]) == ([90, 9, 0], [9, 0, 6])
    assert (first["rsid"], third["rsid"]) == ("rs7;COSV1", None)
    assert (second["genotype"], second["called_genotype"], second["alt_number"]) == ("0/1", "0/2", 2)
    assert (third["source_position"], third["filters"]) == (200, ".")
    assert second["sample_fields"] == [("SB", "3,4")]
    assert {row["submission_id"] for row in rows} == {"s-1"}
    assert {row["gene"] for row in rows} == {None}


def test_sites_have_info_once_however_many_samples_there_are():
    rows = pa.concat_tables(site_rows(batches(*COHORT), LOADED)).to_pylist()
    assert [(row["position"], row["alt"], row["info"]) for row in rows] == [
        (100, "C", [("AC", "2")]),
        (100, "G", [("AC", "1")]),
        (201, "A", []),
        (50, "GA", []),
    ]


def test_a_block_is_callable_where_depth_and_quality_are_enough():
    records = (
        "chr1 1 . A <*> . . END=10 GT:DP:GQ 0/0:10:20 0/0:9:99",
        "chr1 11 . A <*> . . END=20 GT:DP:GQ 0/0:99:19 0/0:99:.",
        "chr1 21 . A <*> . . END=30 GT:DP ./.:99 0/0:.",
    )
    rows = pa.concat_tables(callable_rows(batches(*records), LOADED)).to_pylist()
    assert [(row["sample_id"], row["start0"], row["end_position"], row["is_callable"]) for row in rows] == [
        ("S1", 0, 10, True),
        ("S2", 0, 10, False),
        ("S1", 10, 20, False),
        ("S2", 10, 20, True),
        ("S1", 20, 30, False),
        ("S2", 20, 30, False),
    ]
    assert [row["minimum_depth"] for row in rows] == [10, 9, 99, 99, 99, None]


@settings(max_examples=60, deadline=None)
@given(
    sites=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9), st.booleans()), max_size=25),
    rows_per_batch=st.integers(1, 9),
)
def test_rows_come_in_the_order_of_their_positions_though_trimming_moved_them(sites, rows_per_batch):
    # T...TC to T...TG is a change of the last base: trimming moves it to the right by the T's before it
    records = [
        f"{'chr2' if is_second else 'chr1'} {position} . {'T' * shift}C {'T' * shift}G . . . GT 0/1 1/1"
        for is_second, position, shift in sorted((second, position, shift) for position, shift, second in sites)
    ]
    cut = [one for record in records for one in batches(record)] if rows_per_batch == 1 else batches(*records)
    for rows_of, copies in ((site_rows, 1), (variant_rows, 2)):
        rows = [row for table in rows_of(cut, LOADED) for row in table.to_pylist()]
        places = [(row["contig"], row["position"]) for row in rows]
        assert places == sorted(places)
        expected = [("chr2" if second else "chr1", position + shift) for position, shift, second in sites]
        assert sorted(places) == sorted(expected * copies)


def test_a_file_that_is_not_sorted_is_refused():
    with pytest.raises(RejectedInputError, match="vcf_unsorted"):
        list(variant_rows(batches("chr1 9 . A C . . . GT 0/1 0/1", "chr1 8 . A C . . . GT 0/1 0/1"), LOADED))


def test_a_sample_under_another_s_name_is_refused_without_telling_either():
    check_samples(["S2", "S1"], ["S1", "S2"], "cohort.vcf")
    with pytest.raises(RejectedInputError, match="lake_sample_name") as refused:
        check_samples(["S1"], ["NA12878"], "calls.vcf.gz")
    assert "NA12878" not in refused.value.message
    assert "S1" not in refused.value.message


@pytest.mark.filterwarnings("ignore:Delete operation did not match any records")
def test_a_load_into_iceberg_run_twice_is_there_once_with_lists_and_maps(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with open_lake(tmp_path) as catalog:
        lake = Lake(DATABASE, catalog)
        for _ in range(2):
            lake.replace_rows("variants", "s-1", lambda: variant_rows(batches(*COHORT), LOADED))
            lake.replace_rows("sites", "s-1", lambda: site_rows(batches(*COHORT), LOADED))
        variants, sites = (catalog.load_table((DATABASE, name)).scan().to_arrow() for name in ("variants", "sites"))
    assert (variants.num_rows, sites.num_rows) == (4, 4)
    (second,) = (row for row in variants.to_pylist() if row["alt"] == "G")
    assert (second["phred_likelihoods"], second["sample_fields"]) == ([9, 0, 6], [("SB", "3,4")])
    assert sorted(row["info"] for row in sites.to_pylist()) == [[], [], [("AC", "1")], [("AC", "2")]]
