"""The lake's questions and views through Athena of the embedded AWS. LAK-02, LAK-04.

The two queries of HealthOmics are those of its page on running queries on variant stores, as they stand there.
"""

from importlib.resources import files

import pyarrow as pa
import pytest

from benchmarks.lake_on_disk import make_table
from strandline.aws.lake import Lake, open_catalog
from strandline.aws.lake_gold import refresh
from strandline.aws.queries import AthenaQueries
from strandline.errors import RejectedInputError
from strandline.lake.asking import find_question, questions
from strandline.lake.tables import lake_tables
from tests.integration.made_up_lake import load, row
from tests.stage.compute_stage import running_stage

REGION = "us-east-1"
SCAN_LIMIT = 1024**4
VALUES = {
    "absence": {"contig": "chr1", "position": "10", "ref": "A", "alt": "C"},
    "carriers": {"contig": "chr1", "position": "10", "ref": "A", "alt": "C"},
    "clinvar_pathogenic": {},
    "cohort_frequency": {"cohort": "all", "least": "0.5"},
    "de_novo": {"child": "C", "father": "A", "mother": "B"},
    "gene": {"gene": "G1"},
    "rare_loss_of_function": {"genes": "G1,G2", "most": "0.001"},
    "region": {"contig": "chr1", "first": "15", "last": "25"},
    "rsid": {"rsid": "rs7"},
    "sample": {"sample": "A"},
}
HEALTHOMICS_JOIN = """SELECT variants.sampleid,
  variants.contigname,
  variants.start,
  variants."end",
  variants.referenceallele,
  variants.alternatealleles,
  variants.attributes AS variant_attributes,
  clinvar.attributes AS clinvar_attributes
FROM omicsvariants as variants
INNER JOIN omicsannotations as clinvar ON
  variants.contigname=CONCAT('chr',clinvar.contigname)
  AND variants.start=clinvar.start
  AND variants."end"=clinvar."end"
  AND variants.referenceallele=clinvar.referenceallele
  AND variants.alternatealleles=clinvar.alternatealleles
WHERE clinvar.attributes['CLNSIG']='Likely_pathogenic'
"""


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """Three samples: A and B at 10 and 20 of chr1 and chr2, C at 10 with a new allele at 30; ClinVar knows chr1:30."""
    with running_stage(tmp_path_factory.mktemp("stage")) as stage, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for bucket in ("lake", "results"):
            stage.client("s3").create_bucket(Bucket=bucket)
        catalog = open_catalog(stage.endpoint_url, REGION)
        catalog.create_namespace("lake")
        for table in lake_tables().values():
            make_table(catalog, "s3://lake", table, table.arrow_schema())
        fill(Lake("lake", catalog))
        configuration = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
        configuration["BytesScannedCutoffPerQuery"] = SCAN_LIMIT
        stage.client("athena").create_work_group(Name="lake", Configuration=configuration)
        yield AthenaQueries(stage.client("athena"), "lake", "lake")


def fill(lake):
    for sample, positions in {"A": [10, 20], "B": [10, 20], "C": [10, 30]}.items():
        load(lake, sample, positions)
    told = {"genotype": "0/1", "zygosity": "HET", "depth": 30, "genotype_quality": 99, "gene": "G1", "rsid": "rs7"}
    told |= {"consequence": "stop_gained", "clinvar_significance": "Likely_pathogenic", "sample_id": "C"}
    place = {"contig": "chr1", "position": 30, "end_position": 30, "ref": "A", "alt": "C"}
    split = {
        "called_genotype": "1|2",
        "phase_set": 10,
        "phred_likelihoods": [50, 0, 60],
        "sample_fields": {"FT": "PASS"},
    }
    common = split | {"submission_id": "s-C", "genotype": "1|.", "sample_id": "C", "position": 10, "end_position": 10}
    rows = [
        row("variants", **common, contig="chr1", ref="A", alt="C"),
        row("variants", **told, **place, submission_id="s-C"),
    ]
    replace(lake, "variants", "s-C", rows)
    regions = [("A", 0, 100), ("B", 25, 50), ("C", 0, 5)]
    for sample, start0, end in regions:
        values = {"sample_id": sample, "submission_id": f"s-{sample}", "contig": "chr1", "start0": start0}
        region = row("callable_regions", **values, end_position=end, is_callable=True)
        replace(lake, "callable_regions", f"s-{sample}", [region])
    for release, significance in (("2026-10-01", "Benign"), ("2026-11-01", "Likely_pathogenic")):
        source = {"release_id": f"clinvar-{release}", "source": "ClinVar", "release": release, "source_contig": "1"}
        annotation = row("annotations", **source, **place, attributes={"CLNSIG": significance})
        replace(lake, "annotations", f"clinvar-{release}", [annotation])
    refresh(lake)


def replace(lake, table, value, rows):
    made = pa.Table.from_pylist(rows, schema=lake_tables()[table].arrow_schema())
    lake.replace_rows(table, value, lambda: [made])


@pytest.fixture
def ask(queries):
    def ask(name, **values):
        sql, literals = find_question(name).bind(values or VALUES[name])
        result = queries.run(sql, literals)
        return [dict(zip(result.columns, found, strict=True)) for found in result.rows]

    return ask


@pytest.fixture(scope="module")
def views(queries):
    for name in ("omicsvariants", "omicsannotations"):
        lines = files("strandline.lake").joinpath(f"views/{name}.sql").read_text().splitlines()
        queries.run("\n".join([f"CREATE VIEW {name} AS", *(line for line in lines if not line.startswith("-- "))]))


@pytest.mark.parametrize("name", sorted(questions()))
def test_every_question_is_answered(ask, name):
    assert ask(name)


@pytest.mark.parametrize("name", sorted(questions()))
def test_a_question_is_billed_what_was_forecast(queries, name):
    sql, literals = find_question(name).bind(VALUES[name])

    expected = queries.forecast(sql, literals)

    assert expected.read_bytes == queries.run(sql, literals).scanned_bytes > 0
    assert all(table in lake_tables() for table, _ in expected.reads)


def test_a_forecast_tells_each_table_and_the_limit_of_the_workgroup(queries):
    expected = queries.forecast("SELECT v.gene FROM variants v JOIN samples s ON v.sample_id = s.sample_id")

    assert [table for table, _ in expected.reads] == ["variants", "samples"]
    assert expected.scan_limit_bytes == SCAN_LIMIT
    assert queries.forecast("SELECT count(*) FROM variants").read_bytes == 0  # footers tell how many


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM variants", "COLUMN_NOT_FOUND"),
        ("SELECT 1 FROM nowhere", "TABLE_NOT_FOUND"),
        ("DELETE FROM variants", "does not run EXPLAIN of DELETE"),
        ("SELEC 1", "does not run EXPLAIN of SELEC"),
    ],
)
def test_what_cannot_be_forecast_is_refused(queries, sql, words):
    with pytest.raises(RejectedInputError, match=rf"^query_failed: .*{words}"):
        queries.forecast(sql)


def test_carriers_are_those_that_have_the_allele(ask):
    assert [found["sample_id"] for found in ask("carriers")] == ["A", "B", "C"]
    assert [found["sample_id"] for found in ask("rsid")] == ["C"]


def test_absence_is_told_only_where_reads_tell_it(ask):
    """At 30 A (0 to 100) and B (25 to 50) are callable, C has the allele; at 20 C is not callable."""
    at_30 = {found["sample_id"]: found["allele"] for found in ask("absence", **{**VALUES["absence"], "position": "30"})}
    assert at_30 == {"A": "absent", "B": "absent", "C": "present"}
    at_20 = {found["sample_id"]: found["allele"] for found in ask("absence", **{**VALUES["absence"], "position": "20"})}
    assert at_20["C"] == "not known"


def test_what_neither_parent_has_is_found_with_how_many_of_them_were_callable(ask):
    (found,) = ask("de_novo")
    assert (found["contig"], found["position"], found["callable_parents"]) == ("chr1", "30", "2")


def test_a_value_cannot_become_sql(ask):
    assert ask("gene", gene="x' OR '1'='1") == []


def test_the_first_query_of_healthomics_runs_as_it_stands(queries, views):
    result = queries.run("SELECT * from omicsvariants limit 10")
    assert result.columns[:4] == ("importjobid", "contigname", "start", "end")
    assert 0 < len(result.rows) <= 10


def test_the_join_of_healthomics_runs_as_it_stands_with_the_last_release(queries, views):
    (found,) = queries.run(HEALTHOMICS_JOIN).rows
    assert found[:6] == ("C", "chr1", "29", "30", "A", "[C]")
    assert found[7] == "{CLNSIG=Likely_pathogenic}"


def test_the_view_has_0_based_half_open_positions_and_what_the_genotype_says(queries, views):
    """A split genotype, 1|2 in the file, has -1 for the other allele, as HealthOmics' transform (Glow) splits."""
    sql = """SELECT start, "end", calls, splitfrommultiallelic, ps, phredlikelihoods, information
        FROM omicsvariants WHERE sampleid = 'C' AND start = 9"""
    (found,) = queries.run(sql).rows
    assert found == ("9", "10", "[1, -1]", "true", "10", "[50, 0, 60]", "{FT=PASS}")
