"""Athena of the embedded AWS answers what Athena answers, or says what it cannot.

Expected values are those of Trino's documentation (https://trino.io/docs/current/functions.html), or computed by hand.
"""

import csv
import io
import json
import os
import subprocess
import sys
import time

import awswrangler
import pytest
from botocore.exceptions import ClientError

from local_stage.athena import iceberg
from tests.stage.compute_stage import new_name, rows_of, run_query, running_stage, wait_until

OUTPUT = "s3://results/some/where/"
COLUMNS = [
    ("sample_id", "string", True),
    ("contig", "string", True),
    ("position", "long", True),
    ("quality", "double", False),
    ("depth", "int", False),
    ("phased", "boolean", False),
    ("loaded_at", "timestamptz", False),
]
# What a job does: only the endpoint of the environment, and pyarrow's own door to S3.
WRITER = """
import datetime, json, os, sys
import boto3
import pyarrow as pa
from pyiceberg.catalog import load_catalog

endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
catalog = load_catalog("lake", type="glue", **{"s3.endpoint": endpoint, "s3.region": region})
table = catalog.load_table(sys.argv[1])
rows = json.loads(sys.argv[2])
for row in rows:
    row["loaded_at"] = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)
data = pa.Table.from_pylist(rows, schema=table.schema().as_arrow())
if len(sys.argv) > 3:
    table.overwrite(data, overwrite_filter=sys.argv[3])
else:
    table.append(data)
"""
ROWS = [
    {"sample_id": "S1", "contig": "chr1", "position": 100, "quality": 30.5, "depth": 10, "phased": True},
    {"sample_id": "S1", "contig": "chr1", "position": 200, "quality": None, "depth": 3, "phased": False},
    {"sample_id": "S1", "contig": "chr2", "position": 50, "quality": 1e10, "depth": None, "phased": None},
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as context:
        for bucket in ("results", "lake"):
            context.client("s3").create_bucket(Bucket=bucket)
        context.client("glue").create_database(DatabaseInput={"Name": "db"})
        yield context


@pytest.fixture
def ask(stage):
    def ask(sql, *parameters):
        return rows_of(stage, sql, "db", OUTPUT, parameters)

    return ask


@pytest.fixture
def fail(stage):
    def fail(sql, *parameters):
        query = run_query(stage, sql, "db", OUTPUT, parameters)
        assert query["Status"]["State"] == "FAILED"
        return query["Status"]["StateChangeReason"]

    return fail


def table_properties(name, columns=COLUMNS, partition="contig"):
    ids = {column: number for number, (column, _, _) in enumerate(columns, start=1)}
    fields = [{"Id": ids[name_], "Name": name_, "Type": kind, "Required": needed} for name_, kind, needed in columns]
    table = {
        "Location": f"s3://lake/{name}",
        "Schema": {"Type": "struct", "SchemaId": 0, "Fields": fields},
        "WriteOrder": {
            "OrderId": 1,
            "Fields": [
                {"SourceId": ids["position"], "Transform": "identity", "Direction": "asc", "NullOrder": "nulls-first"}
            ],
        },
        "Properties": {"comment": "a table"},
    }
    if partition:
        spec = {"FieldId": 1000, "Name": partition, "SourceId": ids[partition], "Transform": "identity"}
        table["PartitionSpec"] = {"SpecId": 0, "Fields": [spec]}
    iceberg_input = {"MetadataOperation": "CREATE", "Version": "2", "IcebergTableInput": table}
    return {"DatabaseName": "db", "Name": name, "OpenTableFormatInput": {"IcebergInput": iceberg_input}}


def write(stage, table, rows, *overwrite):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": stage.endpoint_url,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    argv = [sys.executable, "-c", WRITER, f"db.{table}", json.dumps(rows), *overwrite]
    subprocess.run(argv, env=environment, check=True, timeout=60)


@pytest.fixture(scope="module")
def variants(stage):
    name = iceberg.create_table(stage, table_properties("variants"))
    write(stage, name, ROWS)
    return name


def test_creating_the_same_table_again_changes_nothing(stage):
    properties = table_properties(new_name("table").replace("-", "_"))
    glue = stage.client("glue")

    def location():
        return glue.get_table(DatabaseName="db", Name=properties["Name"])["Table"]["Parameters"]["metadata_location"]

    assert iceberg.create_table(stage, properties) == properties["Name"]
    first = location()
    assert iceberg.create_table(stage, properties) == properties["Name"]

    assert location() == first


def test_creating_another_table_of_the_same_name_is_refused(stage):
    name = new_name("table").replace("-", "_")
    iceberg.create_table(stage, table_properties(name))

    with pytest.raises(iceberg.DifferentTableError, match=name):
        iceberg.create_table(stage, table_properties(name, partition=None))


def test_a_named_query_is_kept_until_it_is_deleted(stage):
    athena = stage.client("athena")
    made = athena.create_named_query(Name="n", Database="default", QueryString="SELECT 1")["NamedQueryId"]
    assert athena.get_named_query(NamedQueryId=made)["NamedQuery"]["QueryString"] == "SELECT 1"
    for _ in range(2):
        athena.delete_named_query(NamedQueryId=made)
    assert made not in athena.list_named_queries()["NamedQueryIds"]


def test_a_deleted_table_leaves_the_catalog(stage, fail):
    properties = table_properties(new_name("table").replace("-", "_"))
    name = iceberg.create_table(stage, properties)

    iceberg.delete_table(stage, properties)

    assert fail(f"SELECT * FROM {name}").startswith("TABLE_NOT_FOUND")


def test_an_empty_table_has_no_rows(stage, ask):
    name = iceberg.create_table(stage, table_properties(new_name("table").replace("-", "_")))

    assert ask(f"SELECT * FROM {name}") == []


def test_what_another_process_appends_and_overwrites_is_seen_at_once(stage, ask):
    name = iceberg.create_table(stage, table_properties("loaded"))
    write(stage, name, ROWS)
    assert ask(f"SELECT count(*) FROM {name}") == [["3"]]

    write(stage, name, [ROWS[0] | {"sample_id": "S2"}], "contig == 'chr1'")

    assert ask(f"SELECT sample_id, contig, position FROM {name} ORDER BY contig") == [
        ["S2", "chr1", "100"],
        ["S1", "chr2", "50"],
    ]


def test_values_are_shown_as_athena_shows_them(variants, ask):
    assert ask(f"SELECT * FROM {variants} ORDER BY contig, position") == [
        ["S1", "chr1", "100", "30.5", "10", "true", "2026-01-02 03:04:05.678901 UTC"],
        ["S1", "chr1", "200", None, "3", "false", "2026-01-02 03:04:05.678901 UTC"],
        ["S1", "chr2", "50", "1.0E10", None, None, "2026-01-02 03:04:05.678901 UTC"],
    ]


def test_columns_have_athenas_types(stage, variants):
    query = run_query(stage, f"SELECT * FROM {variants}", "db", OUTPUT)
    result = stage.client("athena").get_query_results(QueryExecutionId=query["QueryExecutionId"])["ResultSet"]

    types = [column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]]

    assert types == ["varchar", "varchar", "bigint", "double", "integer", "boolean", "timestamp with time zone"]


def test_a_condition_on_the_partition_scans_less(stage, variants):
    whole = run_query(stage, f"SELECT position FROM {variants}", "db", OUTPUT)["Statistics"]
    part = run_query(stage, f"SELECT position FROM {variants} WHERE contig = 'chr2'", "db", OUTPUT)["Statistics"]

    assert 0 < part["DataScannedInBytes"] < whole["DataScannedInBytes"] * 2
    one = run_query(stage, f"SELECT count(contig) FROM {variants} WHERE contig = 'chr2'", "db", OUTPUT)["Statistics"]
    assert one["DataScannedInBytes"] < whole["DataScannedInBytes"]


def test_one_column_scans_less_than_all(stage, variants):
    whole = run_query(stage, f"SELECT * FROM {variants}", "db", OUTPUT)["Statistics"]["DataScannedInBytes"]
    one = run_query(stage, f"SELECT position FROM {variants}", "db", OUTPUT)["Statistics"]["DataScannedInBytes"]

    assert 0 < one < whole


def test_the_result_lies_in_the_output_location(stage, variants):
    query = run_query(stage, f"SELECT contig, quality FROM {variants} ORDER BY position", "db", OUTPUT)
    location = query["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix("s3://results/")

    body = stage.client("s3").get_object(Bucket="results", Key=key)["Body"].read().decode()

    assert location == f"{OUTPUT}{query['QueryExecutionId']}.csv"
    assert body == '"contig","quality"\n"chr2","1.0E10"\n"chr1","30.5"\n"chr1",\n'
    stage.client("s3").head_object(Bucket="results", Key=f"{key}.metadata")


def test_quotes_and_lines_within_a_value_survive_the_csv(stage):
    query = run_query(stage, "SELECT 'a \"b\"' || chr(10) || 'c' AS text", "db", OUTPUT)
    key = query["ResultConfiguration"]["OutputLocation"].removeprefix("s3://results/")

    body = stage.client("s3").get_object(Bucket="results", Key=key)["Body"].read().decode()

    assert list(csv.reader(io.StringIO(body))) == [["text"], ['a "b"\nc']]


def test_a_workgroup_that_enforces_its_location_wins(stage):
    stage.client("athena").create_work_group(
        Name="strict",
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": "s3://results/strict/"},
        },
    )

    query_id = stage.client("athena").start_query_execution(
        QueryString="SELECT 1", WorkGroup="strict", ResultConfiguration={"OutputLocation": "s3://results/elsewhere/"}
    )["QueryExecutionId"]

    query = stage.client("athena").get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    assert query["ResultConfiguration"]["OutputLocation"] == f"s3://results/strict/{query_id}.csv"


def test_a_query_without_an_output_location_is_refused(stage):
    with pytest.raises(ClientError, match="No output location provided"):
        stage.client("athena").start_query_execution(QueryString="SELECT 1")


def test_a_large_result_comes_in_pages(ask):
    rows = ask("SELECT x FROM unnest(sequence(1, 2500)) AS t(x) ORDER BY x")

    assert [row[0] for row in rows] == [str(number) for number in range(1, 2501)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % -4", "3"),
        ("7 / 2e0", "3.5"),
        ("1 / 0e0", "Infinity"),
        ("1.0 / 3", "0.3"),
        ("5 / 2.00", "2.50"),
        ("2.0 / 3 / 1.00", "0.70"),
        ("100.0 * 1 / 3", "33.3"),
        ("CAST(2.5e0 AS integer)", "3"),
        ("CAST(-2.5 AS bigint)", "-3"),
        ("CAST(1e10 AS varchar)", "1.0E10"),
        ("CAST(0.001e0 AS varchar)", "0.001"),
        ("CAST(true AS varchar)", "true"),
        ("CAST(timestamp '2020-01-02 03:04:05' AS varchar)", "2020-01-02 03:04:05"),
        ("TRY_CAST('x' AS integer)", None),
        ("try(1 / 0)", None),
        ("ARRAY[1, 2][2]", "2"),
        ("element_at(ARRAY[1, 2], 3)", None),
        ("element_at(ARRAY[1, 2], -1)", "2"),
        ("map(ARRAY['a'], ARRAY[1])['a']", "1"),
        ("element_at(map(ARRAY['a'], ARRAY[1]), 'b')", None),
        ("ARRAY[1, NULL]", "[1, null]"),
        ("map(ARRAY['a'], ARRAY[1])", "{a=1}"),
        ("substr('abc', 0)", ""),
        ("substr('abc', -2)", "bc"),
        ("split_part('a,b', ',', 3)", None),
        ("split('a,b', ',')[2]", "b"),
        ("regexp_extract('abc', 'x')", None),
        ("regexp_extract('chr12', 'chr(\\d+)', 1)", "12"),
        ("regexp_replace('aXbX', 'X', 'y')", "ayby"),
        ("json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a.b')", "1"),
        ("json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a')", None),
        ("'a' || NULL", None),
        ("greatest(1, NULL)", None),
        ("date '2020-01-31' + interval '1' day", "2020-02-01"),
        ("date_add('day', -1, date '2020-03-01')", "2020-02-29"),
        ("date_trunc('month', date '2020-05-06')", "2020-05-01"),
        ("date_diff('day', date '2020-02-28', date '2020-03-01')", "2"),
        ("date_diff('day', timestamp '2020-01-01 12:00:00', timestamp '2020-01-02 11:00:00')", "0"),
        ("date_format(timestamp '2020-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')", "2020-01-02 03:04:05"),
        ("day_of_week(date '2020-01-05')", "7"),
        ("round(2.5e0)", "3.0"),
        ("array_join(ARRAY['a', NULL, 'b'], ',')", "a,b"),
        ("cardinality(filter(ARRAY[1, 2, 3], x -> x > 1))", "2"),
        ("1 IN (2, NULL)", None),
    ],
)
def test_an_expression_means_what_it_means_in_trino(ask, expression, value):
    assert ask(f"SELECT {expression}") == [[value]]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 1 % 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 1.0 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT ARRAY[1, 2][3]", "Array subscript must be less than or equal to array length: 3 > 2"),
        ("SELECT ARRAY[1, 2][0]", "SQL array indices start at 1"),
        ("SELECT map(ARRAY['a'], ARRAY[1])['b']", "Key not present in map: b"),
        ("SELECT CAST('1.5' AS integer)", "Cannot cast '1.5' to INTEGER"),
        ("SELECT 2147483647 + 1", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("SELECT 'a' = 1", "TYPE_MISMATCH: Cannot apply operator: varchar(1) = integer"),
        ("SELECT nothing FROM variants", "COLUMN_NOT_FOUND: Column 'nothing' cannot be resolved"),
        ("SELECT * FROM nothing", "TABLE_NOT_FOUND: Table 'awsdatacatalog.db.nothing' does not exist"),
        ("SELECT * FROM nowhere.nothing", "SCHEMA_NOT_FOUND: Schema 'nowhere' does not exist"),
        ("SELEC 1", "SYNTAX_ERROR: mismatched input 'SELEC'"),
        ("SELECT FROM WHERE", "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", "SYNTAX_ERROR"),
    ],
)
def test_a_wrong_query_fails_and_says_why(variants, fail, sql, reason):
    assert reason in fail(sql)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT format('%d', 1)", "the function format"),
        ("SELECT * FROM read_parquet('/etc/passwd')", "the table function read_parquet"),
        ("SELECT * FROM other.db.variants", "queries over the catalog other"),
        ("INSERT INTO variants SELECT * FROM variants", "INSERT INTO"),
        ("CREATE TABLE copy AS SELECT 1 AS x", "CREATE TABLE"),
        ("MSCK REPAIR TABLE variants", "MSCK REPAIR"),
    ],
)
def test_what_cannot_be_run_with_trinos_meaning_is_refused_by_name(variants, fail, sql, named):
    assert fail(sql).startswith(f"NOT_SUPPORTED: the embedded Athena does not run {named}")


def test_a_failure_carries_an_athena_error(stage):
    status = run_query(stage, "SELECT 1 / 0", "db", OUTPUT)["Status"]

    assert status["AthenaError"]["ErrorCategory"] == 2
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "SELECT contig, count(*), sum(depth) / count(*) FROM variants GROUP BY 1 ORDER BY 2 DESC",
            [["chr1", "2", "6"], ["chr2", "1", None]],
        ),
        (
            "SELECT count_if(depth > 3), max_by(contig, position), approx_distinct(contig) FROM variants",
            [["1", "chr1", "2"]],
        ),
        ("SELECT sum(depth) FILTER (WHERE phased) FROM variants", [["10"]]),
        (
            "SELECT position, row_number() OVER (PARTITION BY contig ORDER BY position DESC) AS n"
            " FROM variants ORDER BY 1",
            [["50", "1"], ["100", "2"], ["200", "1"]],
        ),
        (
            "WITH deep AS (SELECT * FROM variants WHERE depth > 2) "
            "SELECT a.position FROM deep a JOIN variants b ON a.position = b.position ORDER BY 1",
            [["100"], ["200"]],
        ),
        ("SELECT depth FROM variants ORDER BY depth DESC", [["10"], ["3"], [None]]),
        ("SELECT depth FROM variants ORDER BY depth", [["3"], ["10"], [None]]),
        ("SELECT contig FROM variants UNION SELECT 'chrM' ORDER BY 1 LIMIT 2", [["chr1"], ["chr2"]]),
        ("SELECT part FROM (VALUES ARRAY['a', 'b']) AS t(parts) CROSS JOIN UNNEST(parts) AS u(part)", [["a"], ["b"]]),
        (
            "SELECT DISTINCT CASE WHEN quality > 20 THEN 'high' ELSE 'low' END AS k FROM variants ORDER BY k",
            [["high"], ["low"]],
        ),
        ('SELECT "contig" FROM "db"."variants" WHERE Position BETWEEN 60 AND 150', [["chr1"]]),
        ("SELECT position FROM variants WHERE contig IN ('chr2') AND quality IS NOT NULL", [["50"]]),
    ],
)
def test_a_query_over_a_table_answers(variants, ask, sql, rows):
    assert ask(sql) == rows


def test_columns_without_names_are_numbered(stage, variants):
    query = run_query(
        stage, f"SELECT contig, count(*), 1 AS one, 2 FROM {variants} GROUP BY 1 ORDER BY 2", "db", OUTPUT
    )
    result = stage.client("athena").get_query_results(QueryExecutionId=query["QueryExecutionId"])["ResultSet"]

    assert [cell["VarCharValue"] for cell in result["Rows"][0]["Data"]] == ["contig", "_col1", "one", "_col3"]


def test_parameters_take_the_place_of_question_marks(variants, ask, fail):
    sql = f"SELECT position FROM {variants} WHERE contig = ? AND position > ?"

    assert ask(sql, "'chr1'", "150") == [["200"]]
    assert fail(sql, "'chr1'").startswith("INVALID_PARAMETER_USAGE")


def test_a_prepared_statement_is_executed(stage, variants, ask):
    stage.client("athena").create_prepared_statement(
        StatementName="by_contig",
        WorkGroup="primary",
        QueryStatement=f"SELECT position FROM {variants} WHERE contig = ?",
    )

    assert ask("EXECUTE by_contig USING 'chr2'") == [["50"]]


def test_a_view_is_created_queried_replaced_and_dropped(variants, ask, fail):
    ask("CREATE VIEW deep AS SELECT contig, position FROM variants WHERE depth > 5")
    assert ask("SELECT * FROM deep") == [["chr1", "100"]]
    assert fail("CREATE VIEW deep AS SELECT 1 AS x").startswith("ALREADY_EXISTS")

    ask("CREATE OR REPLACE VIEW deep AS SELECT count(*) AS n FROM variants")
    ask("CREATE VIEW deeper AS SELECT n + 1 AS m FROM deep")

    assert ask("SELECT m FROM deeper") == [["4"]]
    assert ask("SHOW VIEWS") == [["deep"], ["deeper"]]
    ask("DROP VIEW deeper")
    ask("DROP VIEW deep")
    assert fail("SELECT * FROM deep").startswith("TABLE_NOT_FOUND")


def test_the_catalog_is_listed_and_described(variants, ask):
    assert ["variants"] in ask("SHOW TABLES")
    assert ask("SHOW TABLES IN db 'varia*'") == [["variants"]]
    assert ["db"] in ask("SHOW DATABASES")
    assert ask("SHOW COLUMNS IN variants")[:2] == [["sample_id"], ["contig"]]
    assert [part.strip() for part in ask("DESCRIBE variants")[2][0].split("\t")] == ["position", "bigint", ""]
    assert ask(
        "SELECT data_type FROM information_schema.columns WHERE table_name = 'variants' AND column_name = 'quality'"
    ) == [["double"]]


def test_a_query_that_takes_long_can_be_cancelled(stage):
    athena = stage.client("athena")
    sql = (
        "SELECT count(*) FROM unnest(sequence(1, 10000)) AS a(x) CROSS JOIN unnest(sequence(1, 10000)) AS b(y)"
        " CROSS JOIN unnest(sequence(1, 100)) AS c(z)"
        " WHERE x * y % 7 = 3"
    )
    query_id = athena.start_query_execution(QueryString=sql, ResultConfiguration={"OutputLocation": OUTPUT})[
        "QueryExecutionId"
    ]

    def state():
        return athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]

    wait_until(lambda: state() == "RUNNING")
    time.sleep(0.2)

    athena.stop_query_execution(QueryExecutionId=query_id)

    assert state() == "CANCELLED"


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


# awswrangler uses keywords of pandas that the next pandas will not have
@pytest.mark.filterwarnings("ignore:The (copy|inplace) keyword:DeprecationWarning")
def test_awswrangler_reads_a_query_with_only_the_endpoint_set(wrangler, variants):
    frame = wrangler.athena.read_sql_query(
        f"SELECT contig, position, quality FROM {variants} ORDER BY position",
        database="db",
        ctas_approach=False,
        s3_output=OUTPUT,
    )

    assert frame["position"].tolist() == [50, 100, 200]
    assert frame["contig"].tolist() == ["chr2", "chr1", "chr1"]
    assert frame["quality"].tolist()[:2] == [1e10, 30.5]


# awswrangler uses keywords of pandas that the next pandas will not have
@pytest.mark.filterwarnings("ignore:The (copy|inplace) keyword:DeprecationWarning")
def test_a_partitioned_parquet_table_of_awswrangler_is_queried(wrangler, ask):
    import pandas  # noqa: PLC0415 - heavy, and needed by this test only

    frame = pandas.DataFrame({"pos": [1, 2, 3], "alt": ["A", "C", None], "chrom": ["1", "1", "X"]})
    wrangler.s3.to_parquet(
        frame, path="s3://lake/hive/", dataset=True, database="db", table="hive", partition_cols=["chrom"]
    )

    assert ask("SELECT pos, alt, chrom FROM hive ORDER BY pos") == [["1", "A", "1"], ["2", "C", "1"], ["3", None, "X"]]
