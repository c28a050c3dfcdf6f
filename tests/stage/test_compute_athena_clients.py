"""Clients that are written for Athena work against the embedded one with only the endpoint set."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import awswrangler
import pytest
from pyathena import connect
from pyathena.error import OperationalError

from tests.stage import athena_stage as athena
from tests.stage.athena_stage import athena_stage

# awswrangler uses keywords of pandas that the next pandas will not have
pytestmark = pytest.mark.filterwarnings("ignore:The (copy|inplace) keyword:DeprecationWarning")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with athena_stage(tmp_path_factory.mktemp("stage")) as context:
        yield context


@pytest.fixture
def ask(stage):
    return partial(athena.ask, stage)


@pytest.fixture(scope="module")
def variants(stage):
    return athena.make_variants(stage)


@pytest.fixture
def wrangler(stage, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": stage.endpoint_url,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return awswrangler


def test_awswrangler_reads_a_query_with_only_the_endpoint_set(wrangler, variants):
    frame = wrangler.athena.read_sql_query(
        f"SELECT contig, position, quality FROM {variants} ORDER BY position",
        database="db",
        ctas_approach=False,
        s3_output=athena.OUTPUT,
    )

    assert frame["position"].tolist() == [50, 100, 200]
    assert frame["contig"].tolist() == ["chr2", "chr1", "chr1"]
    assert frame["quality"].tolist()[:2] == [1e10, 30.5]


def test_a_partitioned_parquet_table_of_awswrangler_is_queried(wrangler, ask):
    import pandas  # noqa: PLC0415 - heavy, and needed by this test only

    frame = pandas.DataFrame({"pos": [1, 2, 3], "alt": ["A", "C", None], "chrom": ["1", "1", "X"]})
    wrangler.s3.to_parquet(
        frame, path="s3://lake/hive/", dataset=True, database="db", table="hive", partition_cols=["chrom"]
    )

    assert ask("SELECT pos, alt, chrom FROM hive ORDER BY pos") == [["1", "A", "1"], ["2", "C", "1"], ["3", None, "X"]]


def test_awswrangler_reads_a_query_by_a_table_that_it_makes_and_drops(wrangler, variants, ask):
    frame = wrangler.athena.read_sql_query(
        f"SELECT contig, position, quality FROM {variants}",
        database="db",
        ctas_approach=True,
        s3_output="s3://results/by_table/",
    )

    assert sorted(frame["position"].tolist()) == [50, 100, 200]
    assert [name for (name,) in ask("SHOW TABLES") if name.startswith("temp_table")] == []


def test_awswrangler_reads_an_unloaded_query(wrangler, variants):
    frame = wrangler.athena.read_sql_query(
        f"SELECT contig, position FROM {variants}",
        database="db",
        ctas_approach=False,
        unload_approach=True,
        s3_output="s3://results/unloaded/",
    )

    assert sorted(frame["position"].tolist()) == [50, 100, 200]


@pytest.fixture
def cursor(wrangler):
    connection = connect(s3_staging_dir=athena.OUTPUT, schema_name="db", region_name="us-east-1", poll_interval=0.05)
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def test_pyathena_reads_rows_with_their_types(cursor, variants):
    cursor.execute(f"SELECT contig, position, quality, phased, DECIMAL '1.50' AS p FROM {variants} ORDER BY position")

    assert [column[0] for column in cursor.description] == ["contig", "position", "quality", "phased", "p"]
    rows = cursor.fetchall()
    assert [row[:4] for row in rows] == [
        ("chr2", 50, 1e10, None),
        ("chr1", 100, 30.5, True),
        ("chr1", 200, None, False),
    ]
    assert str(rows[0][4]) == "1.50"
    assert cursor.data_scanned_in_bytes > 0


def test_pyathena_passes_parameters(cursor, variants):
    cursor.execute(
        f"SELECT position FROM {variants} WHERE contig = ? AND position > ?", ["'chr1'", "150"], paramstyle="qmark"
    )

    assert cursor.fetchall() == [(200,)]


def test_pyathena_is_told_why_a_query_fails(cursor, variants):
    with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND: Column 'nothing' cannot be resolved"):
        cursor.execute(f"SELECT nothing FROM {variants}")


def test_the_command_line_of_aws_runs_a_query(wrangler, variants):
    aws = Path(sys.executable).with_name("aws")

    def run(*words):
        done = subprocess.run([aws, "athena", *words, "--output", "json"], check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)

    query_id = run(
        "start-query-execution",
        "--query-string",
        f"SELECT contig FROM {variants} ORDER BY position LIMIT 1",
        "--query-execution-context",
        "Database=db",
        "--result-configuration",
        f"OutputLocation={athena.OUTPUT}",
    )["QueryExecutionId"]
    while run("get-query-execution", "--query-execution-id", query_id)["QueryExecution"]["Status"]["State"] in {
        "QUEUED",
        "RUNNING",
    }:
        time.sleep(0.1)

    rows = run("get-query-results", "--query-execution-id", query_id)["ResultSet"]["Rows"]
    assert [row["Data"][0]["VarCharValue"] for row in rows] == ["contig", "chr2"]
