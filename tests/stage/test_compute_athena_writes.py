"""Statements of Athena that write: what they leave behind is read by a query, and lies where Athena puts it.

The statements are those of the Athena user guide (https://docs.aws.amazon.com/athena/latest/ug/); what they give is
computed by hand.
"""

import io
from functools import partial

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.stage import athena_stage as athena
from tests.stage.athena_stage import athena_stage
from tests.stage.compute_stage import run_query


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with athena_stage(tmp_path_factory.mktemp("stage")) as context:
        yield context


@pytest.fixture
def ask(stage):
    return partial(athena.ask, stage)


@pytest.fixture
def fail(stage):
    return partial(athena.fail, stage)


@pytest.fixture
def people(stage, ask):
    """An Iceberg table with the rows (1, 'a'), (2, 'b') and (3, 'c')."""
    name = athena.table_name()
    ask(
        f"CREATE TABLE {name} (id bigint, name string, seen timestamp) PARTITIONED BY (bucket(4, id))"
        f" LOCATION 's3://lake/{name}/' TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet')"
    )
    ask(f"INSERT INTO {name} (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    return name


def keys(stage, bucket, prefix):
    found = stage.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents") or []
    return [item["Key"] for item in found]


def test_a_query_becomes_a_table_of_parquet_files(stage, ask):
    name = athena.table_name()

    query = run_query(
        stage,
        f"CREATE TABLE {name} WITH (format = 'PARQUET', external_location = 's3://lake/{name}/') AS"
        " SELECT 1 AS id, 2.50 AS price, ARRAY['x'] AS tags, CAST(ROW(1, 'y') AS row(a integer, b varchar)) AS pair,"
        " timestamp '2020-01-02 03:04:05.678' AS at, map(ARRAY['k'], ARRAY[1e0]) AS m",
        "db",
        athena.OUTPUT,
    )

    assert query["Status"]["State"] == "SUCCEEDED", query["Status"]
    assert ask(f"SELECT *, pair.b FROM {name}") == [
        ["1", "2.50", "[x]", "{a=1, b=y}", "2020-01-02 03:04:05.678", "{k=1.0}", "y"]
    ]
    (written,) = keys(stage, "lake", f"{name}/")
    manifest = query["Statistics"]["DataManifestLocation"].removeprefix("s3://results/")
    listed = stage.client("s3").get_object(Bucket="results", Key=manifest)["Body"].read().decode()
    assert listed == f"s3://lake/{written}\n"


def test_a_query_becomes_a_table_with_partitions(ask):
    name = athena.table_name()

    ask(
        f"CREATE TABLE {name} WITH (partitioned_by = ARRAY['contig']) AS"
        " SELECT * FROM (VALUES (1, 'chr1'), (2, 'chr2'), (3, 'chr1')) AS t(position, contig)"
    )
    ask(f"INSERT INTO {name} VALUES (4, 'chr3'), (5, NULL)")

    assert ask(f"SHOW PARTITIONS {name}") == [
        ["contig=__HIVE_DEFAULT_PARTITION__"],
        ["contig=chr1"],
        ["contig=chr2"],
        ["contig=chr3"],
    ]
    assert ask(f"SELECT position FROM {name} WHERE contig = 'chr1' ORDER BY 1") == [["1"], ["3"]]
    assert ask(f"SELECT position FROM {name} WHERE contig IS NULL") == [["5"]]


def test_a_query_becomes_an_iceberg_table(ask):
    name = athena.table_name()

    ask(
        f"CREATE TABLE {name} WITH (table_type = 'ICEBERG', is_external = false, location = 's3://lake/{name}/',"
        " partitioning = ARRAY['month(day)']) AS SELECT date '2020-01-31' AS day, 1 AS n"
    )

    assert ask(f"SELECT * FROM {name}") == [["2020-01-31", "1"]]
    assert ask(f'SELECT operation FROM "{name}$snapshots"') == [["append"]]


def test_a_table_that_exists_is_not_made_again(ask, fail, people):
    assert fail(f"CREATE TABLE {people} AS SELECT 1 AS x").startswith("TABLE_ALREADY_EXISTS")
    assert ask(f"CREATE TABLE IF NOT EXISTS {people} AS SELECT 1 AS x") == []
    assert fail("CREATE TABLE unnamed AS SELECT 1").startswith("MISSING_COLUMN_NAME")


def test_rows_of_other_types_are_not_inserted(fail, ask, people):
    assert fail(f"INSERT INTO {people} VALUES ('4', 'd', NULL)") == (
        "TYPE_MISMATCH: Insert query has mismatched column types: Table: [bigint, varchar, timestamp(6)],"
        " Query: [varchar(1), varchar(1), unknown]"
    )
    assert ask(f"SELECT count(*) FROM {people}") == [["3"]]


def test_rows_are_deleted_and_updated_in_one_snapshot_each(ask, people):
    ask(f"DELETE FROM {people} WHERE id = 2")
    ask(f"UPDATE {people} SET name = name || '!', seen = timestamp '2020-01-01 00:00:00' WHERE id > 2")

    assert ask(f"SELECT * FROM {people} ORDER BY id") == [
        ["1", "a", None],
        ["3", "c!", "2020-01-01 00:00:00.000000"],
    ]
    assert ask(f'SELECT operation FROM "{people}$snapshots" ORDER BY committed_at') == [
        ["append"],
        ["overwrite"],
        ["overwrite"],
    ]


def test_rows_whose_condition_is_null_are_not_deleted(ask, people):
    ask(f"DELETE FROM {people} WHERE seen > timestamp '2020-01-01 00:00:00'")

    assert ask(f"SELECT count(*) FROM {people}") == [["3"]]


def test_rows_are_merged(ask, people):
    ask(
        f"MERGE INTO {people} t USING (VALUES (1, 'gone'), (2, 'new'), (3, 'kept'), (9, 'more')) AS s(id, name)"
        " ON t.id = s.id WHEN MATCHED AND s.name = 'gone' THEN DELETE"
        " WHEN MATCHED AND s.name = 'new' THEN UPDATE SET name = s.name"
        " WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)"
    )

    assert ask(f"SELECT id, name FROM {people} ORDER BY id") == [["2", "new"], ["3", "c"], ["9", "more"]]


def test_a_row_is_not_merged_twice(ask, fail, people):
    statement = (
        f"MERGE INTO {people} t USING (VALUES 1, 1) AS s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'x'"
    )

    assert fail(statement).startswith("MERGE_TARGET_ROW_MULTIPLE_MATCHES")
    assert ask(f"SELECT name FROM {people} WHERE id = 1") == [["a"]]


def test_a_table_is_read_as_it_was(ask, fail, people):
    first = ask(f'SELECT snapshot_id FROM "{people}$history"')[0][0]
    ask(f"DELETE FROM {people} WHERE true")

    assert ask(f"SELECT count(*) FROM {people}") == [["0"]]
    assert ask(f"SELECT count(*) FROM {people} FOR VERSION AS OF {first}") == [["3"]]
    assert ask(f"SELECT count(*) FROM {people} FOR TIMESTAMP AS OF current_timestamp") == [["0"]]
    assert fail(f"SELECT * FROM {people} FOR VERSION AS OF 1").startswith("INVALID_ARGUMENTS")
    assert fail(f"SELECT * FROM {people} FOR TIMESTAMP AS OF timestamp '2000-01-01 00:00:00 UTC'").startswith(
        "INVALID_ARGUMENTS"
    )


def test_small_files_become_one(ask, stage, people):
    name = athena.table_name()
    ask(f"CREATE TABLE {name} (id int) LOCATION 's3://lake/{name}' TBLPROPERTIES ('table_type'='ICEBERG')")
    ask(f"INSERT INTO {name} VALUES 1")
    ask(f"INSERT INTO {name} VALUES 2")
    assert ask(f'SELECT count(*) FROM "{name}$files"') == [["2"]]

    ask(f"OPTIMIZE {name} REWRITE DATA USING BIN_PACK")
    ask(f"VACUUM {name}")

    assert ask(f'SELECT count(*), sum(record_count) FROM "{name}$files"') == [["1", "2"]]
    assert ask(f"SELECT id FROM {name} ORDER BY 1") == [["1"], ["2"]]


def test_a_query_is_unloaded(stage, ask, fail, people):
    prefix = f"unloaded/{people}/"
    statement = (
        f"UNLOAD (SELECT id, name FROM {people} WHERE id < 3) TO 's3://lake/{prefix}'"
        " WITH (format = 'PARQUET', compression = 'SNAPPY')"
    )

    ask(statement)

    (key,) = keys(stage, "lake", prefix)
    body = stage.client("s3").get_object(Bucket="lake", Key=key)["Body"].read()
    found = pq.read_table(io.BytesIO(body)).to_pydict()
    assert dict(sorted(zip(found["id"], found["name"], strict=True))) == {1: "a", 2: "b"}
    assert fail(statement).startswith("HIVE_PATH_ALREADY_EXISTS")


def test_folders_become_partitions(stage, ask):
    name = athena.table_name()
    ask(
        f"CREATE EXTERNAL TABLE {name} (position bigint) PARTITIONED BY (contig string) STORED AS PARQUET"
        f" LOCATION 's3://lake/{name}/'"
    )
    ask(f"UNLOAD (SELECT BIGINT '7' AS position) TO 's3://lake/{name}/contig=chrX/' WITH (format = 'PARQUET')")
    assert ask(f"SELECT * FROM {name}") == []

    lines = ask(f"MSCK REPAIR TABLE {name}")

    assert lines[1] == [f"Repair: Added partition to metastore {name}:contig=chrX"]
    assert ask(f"SELECT * FROM {name}") == [["7", "chrX"]]
    path = ask(f'SELECT "$path" FROM {name}')[0][0]
    assert [path] == [f"s3://lake/{key}" for key in keys(stage, "lake", f"{name}/")]


def test_a_prepared_statement_is_made_run_and_given_up(ask, people):
    ask(f"PREPARE by_id FROM SELECT name FROM {people} WHERE id = ? AND name <> ?")

    assert ask("EXECUTE by_id USING 2, 'x, y'") == [["b"]]
    assert ask("EXECUTE by_id", "3", "''") == [["c"]]
    ask("DEALLOCATE PREPARE by_id")
    with pytest.raises(ClientError, match="PreparedStatement by_id was not found"):
        ask("EXECUTE by_id USING 2, 'x'")


def test_databases_tables_and_views_are_shown_and_dropped(ask, fail, people):
    ask("CREATE DATABASE IF NOT EXISTS other COMMENT 'another' LOCATION 's3://lake/other/'")
    ask(f"CREATE VIEW other.names AS SELECT name FROM db.{people}")

    assert ask("SHOW SCHEMAS LIKE 'oth*'") == [["other"]]
    assert ask("SHOW CREATE VIEW other.names")[0] == ["CREATE VIEW other.names AS"]
    assert ask(f"SHOW CREATE TABLE {people}")[:2] == [[f"CREATE TABLE `db.{people}`("], ["  `id` bigint, "]]
    assert fail("DROP TABLE other.names").startswith("TABLE_NOT_FOUND")
    assert fail("DROP DATABASE other").startswith("FAILED_EXECUTION")
    ask("DROP DATABASE other CASCADE")
    ask(f"DROP TABLE {people}")
    assert fail(f"SELECT * FROM {people}").startswith("TABLE_NOT_FOUND")
    assert ask(f"DROP TABLE IF EXISTS {people}") == []


NOT_RUN = "NOT_SUPPORTED: the embedded Athena does not run"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS x", f"{NOT_RUN} tables with the format ORC"),
        ("CREATE TABLE t WITH (bucket_count = 3) AS SELECT 1 AS x", f"{NOT_RUN} the table property bucket_count"),
        ("UNLOAD (SELECT 1 AS x) TO 's3://lake/x/' WITH (format = 'CSV')", f"{NOT_RUN} UNLOAD with the format CSV"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS ORC LOCATION 's3://lake/t/'", f"{NOT_RUN} tables stored as ORC"),
        ("ALTER TABLE t RENAME TO u", f"{NOT_RUN} ALTER TABLE"),
        ("CREATE TABLE t (a int) LOCATION 's3://lake/t/'", "SYNTAX_ERROR"),
        ("SHOW PARTITIONS nothing", "TABLE_NOT_FOUND"),
    ],
)
def test_a_statement_that_is_not_run_says_so(fail, sql, reason):
    assert fail(sql).startswith(reason)
