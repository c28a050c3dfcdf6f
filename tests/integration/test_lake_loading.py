"""Whole VCFs into the lake by several processes, with moto's Glue and S3 where all of them reach it. LAK-01."""

import gzip
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from benchmarks.lake_on_disk import DATABASE, make_table
from strandline.aws.lake import open_catalog
from strandline.aws.lake_cohort import Reconciled, Target, load_cohort
from strandline.aws.lake_imports import list_vcfs
from strandline.aws.lake_loading import LakePlace, describe_files, load_files
from strandline.aws.lake_spreading import Spread, over_executors, over_processes
from strandline.errors import RejectedInputError
from strandline.lake.tables import lake_tables

pytestmark = pytest.mark.slow  # each process of the pool starts anew

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HEADER = """##fileformat=VCFv4.3
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
"""


@pytest.fixture(scope="module")
def place() -> Iterator[LakePlace]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "made"),
            ("AWS_SECRET_ACCESS_KEY", "up"),
            ("AWS_REGION", "us-east-1"),
        ):
            patch.setenv(name, value)
        host, port = server.get_host_and_port()
        found = LakePlace(DATABASE, f"http://{host}:{port}", "us-east-1")
        boto3.client("s3", endpoint_url=found.endpoint_url, region_name="us-east-1").create_bucket(Bucket="lake")
        catalog = open_catalog(found.endpoint_url, found.region)
        catalog.create_namespace(DATABASE)
        for table in lake_tables().values():
            make_table(catalog, "s3://lake", table, table.arrow_schema())
        yield found
    server.stop()
    for backend in s3_backends.values():
        for region in backend.values():
            region.reset()  # closes what objects lie in


def write_vcf(folder: Path, name: str, samples: tuple[str, ...], *records: str) -> Path:
    path = folder / name
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    lines = ["\t".join(columns), *("\t".join(record.split()) for record in records)]
    path.write_bytes(gzip.compress((HEADER + "\n".join(lines) + "\n").encode()))
    return path


def rows(place: LakePlace, table: str) -> list[dict[str, object]]:
    return place.open().load(table).scan().to_arrow().to_pylist()


def test_files_are_loaded_by_two_processes_in_one_commit_a_table_and_once_however_often(place, tmp_path):
    paths = [
        write_vcf(tmp_path, "a.vcf.gz", ("S1", "S2"), "chr1 6 . TT T . PASS . GT:DP 0/1:3 1/1:4"),
        write_vcf(
            tmp_path, "b.g.vcf.gz", ("S3",), "chr1 1 . A <*> . . END=6 GT:DP 0/0:30", "chr1 7 . A C . . . GT 0/1"
        ),
    ]
    fasta = tmp_path / "slice.fa"
    fasta.write_text(">chr1\nCCCATTTCCC\n")
    cohort = describe_files(paths, reference_name="slice", reference_version="1", reference=fasta, site="north")
    for jobs in (2, 1):
        counts = load_files(place, cohort, jobs=jobs, now=NOW)
    assert counts == {"variants": 3, "sites": 2, "sample_variants": 3, "callable_regions": 1, "samples": 3}
    assert sorted((row["sample_id"], row["position"], row["ref"]) for row in rows(place, "variants")) == [
        ("S1", 4, "AT"),  # one T of three is written behind the base before them
        ("S2", 4, "AT"),
        ("S3", 7, "A"),
    ]
    assert sorted(row["sample_id"] for row in rows(place, "sample_variants")) == ["S1", "S2", "S3"]
    assert {(row["sample_id"], row["variant_count"]) for row in rows(place, "samples")} == {
        ("S1", 2),
        ("S2", 2),
        ("S3", 1),
    }
    (block,) = rows(place, "callable_regions")
    assert (block["start0"], block["end_position"], block["is_callable"]) == (0, 6, True)
    assert len(place.open().load("variants").history()) == 2
    for table in ("variants", "sample_variants", "sites", "callable_regions", "samples"):
        assert {row["site"] for row in rows(place, table)} == {"north"}, table


def test_a_bad_file_or_a_sample_with_other_content_leaves_the_tables_as_before(place, tmp_path):
    good = write_vcf(tmp_path, "good.vcf.gz", ("S9",), "chr1 7 . A C . PASS . GT:DP 0/1:3")
    load_files(place, describe_files([good], reference_name="slice", reference_version="1"), jobs=1, now=NOW)
    before = {name: rows(place, name) for name in lake_tables()}
    lying = write_vcf(tmp_path, "lying.vcf.gz", ("S10",), "chr1 7 . A C . PASS . GT:DP 0/1:deep")
    other = write_vcf(tmp_path, "other.vcf.gz", ("S9",), "chr1 8 . A C . PASS . GT:DP 0/1:3")
    for path, code in ((lying, "vcf_genotype_type"), (other, "lake_sample_loaded")):
        with pytest.raises(RejectedInputError) as refused:
            load_files(place, describe_files([path], reference_name="slice", reference_version="1"), jobs=1, now=NOW)
        assert refused.value.code == code
        assert "S9" not in refused.value.message
    assert {name: rows(place, name) for name in lake_tables()} == before


def test_two_files_with_a_sample_of_one_name_are_refused_before_anything_is_read(tmp_path):
    paths = [write_vcf(tmp_path, f"{n}.vcf.gz", ("S1",), f"chr1 {n} . A C . . . GT 0/1") for n in (1, 2)]
    with pytest.raises(RejectedInputError, match="lake_sample_repeated"):
        describe_files(paths, reference_name="slice", reference_version="1")


def test_a_site_that_is_no_code_of_one_is_refused():
    with pytest.raises(RejectedInputError, match=r"^site_code: "):
        describe_files([], reference_name="slice", reference_version="1", site="x' OR '1'='1")


@contextmanager
def over_spark() -> Iterator[Spread]:
    """A cluster of two executors of one core each, which are processes of their own, as Glue's are."""
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed: pip install pyspark")
    if shutil.which("java") is None:
        pytest.skip("there is no Java, which Spark runs on")
    settings = pyspark.SparkConf().setMaster("local-cluster[2,1,1024]").set("spark.ui.enabled", "false")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        with pyspark.SparkContext(conf=settings) as spark:
            yield over_executors(spark)


LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of pyspark


@pytest.mark.parametrize(
    "make_spread",
    [pytest.param(partial(over_processes, 2), id="processes"), pytest.param(over_spark, marks=LEFT_OPEN, id="spark")],
)
def test_a_cohort_in_s3_is_committed_once_and_what_is_wrong_in_it_is_left_out(place, tmp_path, make_spread):
    name = make_spread.func.__name__ if isinstance(make_spread, partial) else "spark"
    good = [
        write_vcf(tmp_path, "1.vcf.gz", (f"{name}1", f"{name}2"), "chr1 6 . TT T . PASS . GT:DP 0/1:3 1/1:4"),
        write_vcf(tmp_path, "2.vcf.gz", (f"{name}3",), "chr1 7 . A C . . . GT 0/1", "chr2 9 . G T . . . GT 1/1"),
    ]
    lying = write_vcf(tmp_path, "3.vcf.gz", (f"{name}4",), "chr1 7 . A C . PASS . GT:DP 0/1:deep")
    twice = [write_vcf(tmp_path, f"{n}.vcf.gz", (f"{name}5",), f"chr1 {n} . A C . . . GT 0/1") for n in (4, 5)]
    client = boto3.client("s3", endpoint_url=place.endpoint_url, region_name=place.region)
    for path in (*good, lying, *twice):
        client.upload_file(str(path), "lake", f"imports/{name}/{path.name}")
    sources = list_vcfs(f"s3://lake/imports/{name}/", place.endpoint_url)
    tables = ("variants", "sample_variants", "sites", "samples")
    commits = {table: len(place.open().load(table).history()) for table in tables}
    before = len(rows(place, "variants"))
    with make_spread() as spread:
        outcomes = load_cohort(place, sources, Target("slice", "1", None, NOW, "north"), spread)
    assert [(one.sample_id.removeprefix(name), one.counts) for one in outcomes if not one.refusal] == [
        ("1", (Reconciled(f"{name}1", "chr1", 1, 1),)),
        ("2", (Reconciled(f"{name}2", "chr1", 1, 1),)),
        ("3", (Reconciled(f"{name}3", "chr1", 1, 1), Reconciled(f"{name}3", "chr2", 1, 1))),
    ]
    assert [(one.file_number, one.refusal[0]) for one in outcomes if one.refusal] == [
        (3, "vcf_genotype_type"),
        (4, "lake_sample_repeated"),
        (5, "lake_sample_repeated"),
    ]
    assert len(rows(place, "variants")) == before + 4
    assert {table: len(place.open().load(table).history()) - commits[table] for table in tables} == dict.fromkeys(
        tables, 1
    )
    with over_processes(1) as spread:
        again = load_cohort(place, sources, Target("slice", "1", None, NOW, "north"), spread)
    assert again == outcomes
    assert len(rows(place, "variants")) == before + 4


def test_a_file_that_changes_between_its_header_and_its_rows_is_refused(place, tmp_path):
    path = write_vcf(tmp_path, "moving.vcf.gz", ("M1",), "chr1 7 . A C . . . GT 0/1")

    def change_between(work, items):
        made = list(map(work, items))
        write_vcf(tmp_path, "moving.vcf.gz", ("M1",), "chr1 8 . A G . . . GT 0/1")
        return made

    (outcome,) = load_cohort(place, [str(path)], Target("slice", "1", None, NOW), change_between)
    assert outcome.refusal
    assert outcome.refusal[0] == "import_changed"
    assert "M1" not in {row["sample_id"] for row in rows(place, "samples")}


def test_counting_only_loads_nothing(place, tmp_path):
    path = write_vcf(tmp_path, "dry.vcf.gz", ("D1",), "chr1 7 . A C . . . GT 0/1", "chr1 8 . A G . . . GT 0/0")
    with over_processes(1) as spread:
        (outcome,) = load_cohort(place, [str(path)], Target("slice", "1", None, NOW), spread, dry=True)
    assert outcome.counts == (Reconciled("D1", "chr1", 1, 1),)
    assert "D1" not in {row["sample_id"] for row in rows(place, "samples")}
