"""Calls as rows of the lake. LAK-01. The column list is that of the table definitions which infra deploys."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.lake.rows import LoadedSample, sample_row, variant_batches
from strandline.lake.tables import lake_tables
from strandline.landing.manifest import SampleDeclaration
from tests.unit.lake_calls import batches_of, variants_of
from tests.unit.made_up import NAME, NAMED, QUALITY, call, consequence

SAMPLE = SampleDeclaration(sample_id="HG002", subject_id="PT00042", site="north")
LOADED = LoadedSample("s-1", SAMPLE, "slice", "0c2b")
DEFINITIONS = json.loads(files("strandline.lake").joinpath("tables.json").read_bytes())
ICEBERG_TYPES = {"boolean", "int", "long", "float", "double", "date", "timestamp", "timestamptz", "string"}
ICEBERG_TYPES |= {"list<int>", "map<string,string>"}


@pytest.mark.parametrize("name", ["variants", "sites", "samples", "callable_regions"])
def test_a_table_is_defined_soundly(name):
    """Iceberg specification, primitive types; every partition and sort column exists; every column says what it is."""
    table = DEFINITIONS[name]
    columns = {column["name"]: column for column in table["columns"]}
    assert len(columns) == len(table["columns"])
    for column in columns.values():
        assert set(column) - {"data_class"} == {"name", "type", "required", "doc"}
        assert column["type"] in ICEBERG_TYPES
        assert column["doc"].endswith(".")
    assert table["description"]
    assert {part["source"] for part in table["partition"]} <= set(columns)
    assert {part["transform"] for part in table["partition"]} <= {"identity"}
    assert table["sort"]
    assert set(table["sort"]) <= set(columns)
    assert columns["submission_id"]["required"]  # what a load replaces rows by


def test_the_arrow_schema_says_types_and_what_must_be_there():
    schema = lake_tables()["variants"].arrow_schema()
    assert schema.field("position") == pa.field("position", pa.int64(), nullable=False)
    assert schema.field("quality") == pa.field("quality", pa.float64(), nullable=True)
    loaded_at = lake_tables()["samples"].arrow_schema().field("loaded_at")
    assert loaded_at.type == pa.timestamp("us", tz="UTC")


def test_a_call_becomes_one_row_column_by_column():
    (table,) = variants_of([call(**NAMED)], replace(LOADED, annotation_sources={"Genes": "Ensembl 110"}))
    assert table.schema == lake_tables()["variants"].arrow_schema()
    assert table.to_pylist() == [
        {
            "sample_id": "HG002",
            "submission_id": "s-1",
            "contig": "chr13",
            "position": 32_316_461,
            "end_position": 32_316_461,
            "ref": "G",
            "alt": "A",
            "variant_type": "SNV",
            "quality": 221.3,
            "filters": "PASS",
            "genotype": "0/1",
            "zygosity": "HET",
            "phased": False,
            "depth": 33,
            "ref_depth": 18,
            "alt_depth": 14,
            "genotype_quality": 99,
            "gene": "BRCA2",
            "transcript": "ENST00000380152",
            "consequence": "stop_gained",
            "protein_change": "12W>12*",
            "clinvar_id": "900001",
            "clinvar_significance": "Pathogenic",
            "rsid": "rs80358981",
            "reference_name": "slice",
            "reference_version": "0c2b",
            "hgvs_genomic": "NC_000013.11:g.32316461G>A",
            "hgvs_coding": "ENST00000380152.8:c.36G>A",
            "hgvs_protein": "ENSP00000369497.3:p.(Trp12Ter)",
            "transcript_choice": "MANE_Select",
            "most_severe_consequence": "stop_gained",
            "most_severe_transcript": "ENST00000380152",
            "population_frequency": 0.25,
            "highest_population_frequency": 0.5,
            "highest_population": "EUR",
            "annotation_sources": '{"Genes": "Ensembl 110"}',
            **dict.fromkeys(["phase_set", "phred_likelihoods", "called_genotype", "sample_fields"]),
            "alt_number": 1,
            "source_position": 32_316_461,
            "site": "north",
        }
    ]


def test_a_row_is_of_the_chosen_transcript_and_says_what_is_worse_on_another():
    effects = (consequence("frameshift", transcript="ENST2"), consequence("missense", protein_change="12W>12R"))
    chosen = replace(NAME, term="missense")
    (table,) = variants_of([call(consequences=effects, names=(chosen,))], LOADED)
    (row,) = table.to_pylist()
    assert (row["consequence"], row["transcript"], row["protein_change"]) == ("missense", "ENST00000380152", "12W>12R")
    assert (row["most_severe_consequence"], row["most_severe_transcript"]) == ("frameshift", "ENST2")


def test_what_is_absent_is_null_and_never_an_empty_text_or_zero():
    bare = call(
        quality=None,
        depth=None,
        ref_depth=None,
        alt_depth=None,
        genotype_quality=None,
        consequences=(),
        clinvar_id=None,
        clinvar_significance=None,
        identifier=None,
    )
    in_intron = replace(bare, consequences=(consequence("intron", transcript="", protein_change=None),))
    named_otherwise = replace(bare, identifier="COSV52")
    of_no_site = replace(LOADED, sample=SAMPLE.model_copy(update={"site": None}))
    (table,) = variants_of([bare, in_intron, named_otherwise], of_no_site)
    told = {"alt_number", "source_position"}
    optional = [field.name for field in table.schema if field.nullable and field.name not in told]
    first, second, third = table.select(optional).to_pylist()
    assert set(first.values()) == set(third.values()) == {None}
    assert {key: value for key, value in second.items() if value is not None} == {
        "gene": "BRCA2",
        "consequence": "intron",
        "most_severe_consequence": "intron",
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), max_size=20))
def test_calls_that_carry_nothing_have_no_row_and_the_others_keep_their_annotations(carried):
    calls = [
        call(position=1 + place, genotype="0/1" if carries else "0/0", clinvar_id=str(place))
        for place, carries in enumerate(carried)
    ]
    rows = [row for table in variants_of(calls, LOADED) for row in table.to_pylist()]
    assert [(row["position"], row["clinvar_id"]) for row in rows] == [
        (1 + place, str(place)) for place, carries in enumerate(carried) if carries
    ]


def test_annotations_of_another_file_are_never_put_beside_a_row():
    (table,) = variants_of([call()], LOADED)
    assert table.num_rows == 1
    for others in ([], [call(position=7)], [call(), call()]):
        with pytest.raises(RuntimeError, match="row"):
            list(variant_batches(batches_of([call()], LOADED), others, LOADED))


def test_a_sample_becomes_one_row():
    now = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    table = sample_row(LOADED, QUALITY, variant_count=12, now=now)
    assert table.to_pylist() == [
        {
            "sample_id": "HG002",
            "submission_id": "s-1",
            "subject_id": "PT00042",
            "sex": "UNKNOWN",
            "assay": "WGS",
            "reference_name": "slice",
            "reference_version": "0c2b",
            "variant_count": 12,
            "mean_depth": 31.4,
            "loaded_at": now,
            "site": "north",
        }
    ]
