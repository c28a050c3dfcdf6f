"""A lake that was exported by UNLOAD of its view, as a store is, is migrated into an empty one. LAK-03.

The questions answer the same, and every row that was read is accounted for.
"""

from datetime import UTC, datetime
from importlib.resources import files

import pyarrow.parquet as pq
import pytest

from strandline.aws.lake import Lake, open_catalog
from strandline.aws.lake_cohort import Target, load_cohort, raise_refusals
from strandline.aws.lake_export import ExportedStore
from strandline.aws.lake_gold import refresh
from strandline.aws.lake_loading import LakePlace
from strandline.aws.lake_migration import migrate_annotation_store, migrate_store
from strandline.aws.lake_spreading import over_processes
from strandline.aws.queries import AthenaQueries
from strandline.errors import RejectedInputError
from strandline.lake.annotations import Release
from strandline.lake.asking import find_question
from strandline.lake.load import LoadedFile, variant_rows
from strandline.lake.tables import lake_tables
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import VcfSource
from tests.integration.made_up_lake import row
from tests.stage.compute_stage import running_stage
from tests.stage.test_lake_questions import replace

REGION, NOW = "us-east-1", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
TARGET = Target("GRCh38", "1", None, NOW, "north")
VCF = """##fileformat=VCFv4.3
##INFO=<ID=AC,Number=A,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=FT,Number=1,Type=String,Description="x">
"""
RECORDS = (
    "chr1 100 rs7 A C 50.5 PASS AC=1 GT:DP:AD:GQ:PL:FT",
    "chr1 200 . AT A,ATT . q10;s50 AC=1,1 GT:DP:AD:GQ:PL:PS",
    "chr2 300 . G T 30 . . GT",
    "chrX 400 . C CA 30 PASS . GT",
)
GENOTYPES = {
    "A": ("0/1:21:12,9:99:50,0,60:PASS", "1|2:20:1,9,10:40:9,8,7,6,5,0:200", "1/1", "1"),
    "B": ("1|1:30:0,30:90:90,9,0:PASS", "0|1:10:5,5,0:30:3,0,3,3,3,3:200", "0/1", "0"),
}
QUESTIONS = {
    "carriers": {"contig": "chr1", "position": "100", "ref": "A", "alt": "C"},
    "clinvar_pathogenic": {},
    "cohort_frequency": {"cohort": "all", "least": "0.1"},
    "gene": {"gene": "G1"},
    "rare_loss_of_function": {"genes": "G1,G2", "most": "0.001"},
    "region": {"contig": "chr1", "first": "100", "last": "250"},
    "rsid": {"rsid": "rs7"},
    "sample": {"sample": "A"},
}
ANNOTATED = {"gene": "G1", "consequence": "stop_gained", "clinvar_significance": "Pathogenic", "clinvar_id": "9001"}


def vcf_text(*samples):
    columns = " ".join(["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT", *samples])
    genotypes = zip(*(GENOTYPES[name] for name in samples), strict=True)
    records = [" ".join([record, *of_one]) for record, of_one in zip(RECORDS, genotypes, strict=True)]
    return VCF + "".join("\t".join(line.split()) + "\n" for line in [columns, *records])


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as context, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for bucket in ("lake", "results"):
            context.client("s3").create_bucket(Bucket=bucket)
        context.client("athena").create_work_group(
            Name="lake", Configuration={"ResultConfiguration": {"OutputLocation": "s3://results/"}}
        )
        yield context


@pytest.fixture
def make_lake(stage, request):
    """Make an empty lake with its views, and return it with where it is and what asks it."""

    def make(name):
        catalog = open_catalog(stage.endpoint_url, REGION)
        database = f"{name}_{len(request.node.name)}"
        catalog.create_namespace(database)
        for table in lake_tables().values():
            columns = table.arrow_schema()
            catalog.create_table((database, table.name), columns, f"s3://lake/{database}/{table.name}")
            with catalog.load_table((database, table.name)).update_spec() as update:
                for column in table.partition:
                    update.add_identity(column)
        queries = AthenaQueries(stage.client("athena"), "lake", database)
        for view in ("omicsvariants", "omicsannotations"):
            lines = files("strandline.lake").joinpath(f"views/{view}.sql").read_text().splitlines()
            queries.run("\n".join([f"CREATE VIEW {view} AS", *(line for line in lines if not line.startswith("-- "))]))
        return Lake(database, catalog), LakePlace(database, stage.endpoint_url, REGION), queries

    return make


def fill(lake):
    """Samples A and B of one file, of which the alleles on chr2 are annotated."""
    loaded = LoadedFile("vcf-1", "GRCh38", "1")
    source = VcfSource([vcf_text("A", "B").encode()], "cohort.vcf")
    rows = [one for table in variant_rows(read_vcf(source), loaded) for one in table.to_pylist()]
    told = ANNOTATED | {"population_frequency": 0.0005}
    rows = [one | told if one["contig"] == "chr2" else one for one in rows]
    replace(lake, "variants", "vcf-1", rows)
    samples = [row("samples", sample_id=name, submission_id="vcf-1", loaded_at=NOW) for name in "AB"]
    replace(lake, "samples", "vcf-1", samples)
    return rows


def export(queries, stage, view):
    place = f"s3://results/export/{queries.database}/{view}/"
    queries.run(f"UNLOAD (SELECT * FROM {view}) TO '{place}' WITH (format = 'PARQUET')")
    return ExportedStore(place, view, stage.endpoint_url, REGION)


def answers(queries):
    found = {}
    for name, values in QUESTIONS.items():
        sql, literals = find_question(name).bind(values)
        found[name] = sorted(map(str, queries.run(sql, literals).rows))
    return found


def view_of(queries, view="omicsvariants"):
    result = queries.run(f"SELECT * FROM {view}")
    return result.columns, sorted(str(found[1:]) for found in result.rows)  # without the import's own id


def test_a_lake_that_was_exported_and_migrated_answers_every_question_as_before(stage, make_lake):
    lake, _, queries = make_lake("full")
    rows = fill(lake)
    other, place, other_queries = make_lake("empty")
    store = export(queries, stage, "omicsvariants")
    for jobs in (2, 1):  # a second time changes nothing
        outcomes = list(migrate_store(place, store, TARGET, jobs=jobs, dry=False))
        found = {(one.sample_id, one.contig): (one.read, one.written) for o in outcomes for one in o.counts}
        expected = {}
        for one in rows:
            count = expected.get((one["sample_id"], one["contig"]), (0, 0))[0] + 1
            expected[one["sample_id"], one["contig"]] = (count, count)
        assert found == expected
        assert all(not one.refused for o in outcomes for one in o.counts)
        raise_refusals(outcomes)
    refresh(lake)
    refresh(other)
    assert view_of(other_queries) == view_of(queries)
    assert answers(other_queries) == answers(queries)
    assert all(answers(queries).values())


def test_a_dry_run_counts_and_loads_nothing_and_another_content_is_refused(stage, make_lake):
    lake, _, queries = make_lake("full")
    fill(lake)
    other, place, other_queries = make_lake("empty")
    store = export(queries, stage, "omicsvariants")
    (first, _) = migrate_store(place, store, TARGET, jobs=1, dry=True)
    assert (first.sample_id, sum(one.written for one in first.counts)) == ("A", 5)
    assert view_of(other_queries)[1] == []
    there = [row("samples", sample_id="A", submission_id="s-elsewhere", loaded_at=NOW)]
    replace(other, "samples", "s-elsewhere", there)
    outcomes = list(migrate_store(place, store, TARGET, jobs=1, dry=False))
    assert [one.refusal and one.refusal[0] for one in outcomes] == ["lake_sample_loaded", None]
    with pytest.raises(RejectedInputError, match=r"^migrate_refused: 1 of 2 samples .*: 1 as lake_sample_loaded$"):
        raise_refusals(outcomes)
    for table in ("variants", "samples"):
        found = other_queries.run(f"SELECT DISTINCT sample_id FROM {table} WHERE site = 'north'").rows
        assert found == (("B",),)
    with pytest.raises(RejectedInputError, match=r"^site_code"):
        Target("GRCh38", "1", None, NOW, "north' OR '1'='1")


def test_an_annotation_store_becomes_a_release(stage, make_lake):
    lake, _, queries = make_lake("full")
    told = {"release_id": "clinvar-1", "source": "ClinVar", "release": "1", "source_contig": "1", "contig": "chr1"}
    told |= {"end_position": 30, "ref": "A", "alt": "C", "attributes": {"CLNSIG": "Benign"}, "identifier": "9001"}
    replace(lake, "annotations", "clinvar-1", [row("annotations", **told, position=at) for at in (30, 20)])
    other, place, _ = make_lake("empty")
    store = export(queries, stage, "omicsannotations")
    for _ in range(2):
        (done,) = migrate_annotation_store(place, store, Release("ClinVar", "1"), contig_prefix="chr", dry=False)
        assert (done.contig, done.read, done.written, done.is_whole) == ("1", 2, 1, True)
    assert done.refused == {"no_allele": 1}  # the row at 20 says that it ends at 30, and has one base
    (kept,) = other.load("annotations").scan().to_arrow().to_pylist()
    assert (kept["contig"], kept["position"], kept["identifier"]) == ("chr1", 30, "9001")


def test_an_export_by_sample_is_read_as_it_lies_and_what_is_no_export_is_refused(stage, make_lake, tmp_path):
    lake, _, queries = make_lake("full")
    fill(lake)
    exported = export(queries, stage, "omicsvariants")
    with exported.by_sample() as (arranged, counts):
        assert arranged.place != exported.place  # the files of UNLOAD mix samples
        for sample in counts:
            rows = pq.read_table(f"{arranged.place}/sorted.parquet", filters=[("sampleid", "=", sample)])
            folder = tmp_path / "export" / f"sampleid={sample}"
            folder.mkdir(parents=True)
            pq.write_table(rows.drop_columns(["sampleid"]), folder / "20261122_part")
        store = ExportedStore(str(tmp_path / "export"))
        with store.by_sample() as (same, again):
            assert same is store
            assert again == counts
            assert store.rows(contig="chr1", sample_id="B").num_rows == counts["B"]["chr1"]
    (tmp_path / "none").mkdir()
    with pytest.raises(RejectedInputError, match="migrate_source_empty"), ExportedStore(f"{tmp_path}/none").by_sample():
        pass


def test_a_folder_of_vcfs_is_counted_and_a_broken_one_leaves_the_others(make_lake, tmp_path):
    _, place, queries = make_lake("vcfs")
    paths = [tmp_path / f"{name}.vcf" for name in "AB"]
    for path in paths:
        path.write_text(vcf_text(path.stem))
    broken = tmp_path / "C.vcf"
    broken.write_text(vcf_text("A").replace("chr2\t300", "chr2\tnowhere").replace("FORMAT\tA", "FORMAT\tC"))
    with over_processes(1) as spread:
        outcomes = load_cohort(place, [str(path) for path in (*paths, broken)], TARGET, spread)
    found = {one.sample_id: {n.contig: (n.read, n.written) for n in one.counts} for one in outcomes if not one.refusal}
    assert found == {
        "A": {"chr1": (3, 3), "chr2": (1, 1), "chrX": (1, 1)},
        "B": {"chr1": (2, 2), "chr2": (1, 1)},
    }
    assert [one.refusal[0] for one in outcomes if one.refusal] == ["vcf_position"]
    assert queries.run("SELECT sample_id, count(*) FROM variants GROUP BY 1 ORDER BY 1").rows == (
        ("A", "5"),
        ("B", "3"),
    )
