"""Athena of the embedded AWS answers what Athena answers, or says what it cannot.

Expected values are those of Trino's documentation (https://trino.io/docs/current/functions.html), or computed by hand.
"""

import csv
import io
import time
from functools import partial

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.types import IntegerType, LongType, MapType, StringType

from local_stage.athena import iceberg
from local_stage.athena.iceberg import load_table
from tests.stage import athena_stage as athena
from tests.stage.athena_stage import athena_stage
from tests.stage.compute_stage import run_query, wait_until


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


@pytest.fixture(scope="module")
def variants(stage):
    return athena.make_variants(stage)


def test_creating_the_same_table_again_changes_nothing(stage):
    properties = athena.table_properties(athena.table_name())
    glue = stage.client("glue")

    def location():
        return glue.get_table(DatabaseName="db", Name=properties["Name"])["Table"]["Parameters"]["metadata_location"]

    assert iceberg.create_table(stage, properties) == properties["Name"]
    first = location()
    assert iceberg.create_table(stage, properties) == properties["Name"]

    assert location() == first


def test_creating_another_table_of_the_same_name_is_refused(stage):
    name = athena.table_name()
    iceberg.create_table(stage, athena.table_properties(name))

    with pytest.raises(iceberg.DifferentTableError, match=name):
        iceberg.create_table(stage, athena.table_properties(name, partition=None))


def test_a_deleted_table_leaves_the_catalog(stage, fail):
    properties = athena.table_properties(athena.table_name())
    name = iceberg.create_table(stage, properties)

    iceberg.delete_table(stage, properties)

    assert fail(f"SELECT * FROM {name}").startswith("TABLE_NOT_FOUND")


def test_an_empty_table_has_no_rows(stage, ask):
    name = iceberg.create_table(stage, athena.table_properties(athena.table_name()))

    assert ask(f"SELECT * FROM {name}") == []


def test_what_another_process_appends_and_overwrites_is_seen_at_once(stage, ask):
    name = iceberg.create_table(stage, athena.table_properties("loaded"))
    athena.write(stage, name, athena.ROWS)
    assert ask(f"SELECT count(*) FROM {name}") == [["3"]]

    athena.write(stage, name, [athena.ROWS[0] | {"sample_id": "S2"}], "contig == 'chr1'")

    assert ask(f"SELECT sample_id, contig, position FROM {name} ORDER BY contig") == [
        ["S2", "chr1", "100"],
        ["S1", "chr2", "50"],
    ]


@pytest.fixture
def evolving(stage):
    """A table with three rows of its first schema, and what changes the schema."""
    name = athena.make_variants(stage, athena.table_name())
    return name, lambda: load_table(stage, "db", name)


def test_a_column_that_came_later_is_null_in_files_that_lack_it(evolving, ask):
    """Iceberg specification, "Column Projection": a field that a file lacks, and without a default, is null."""
    name, opened = evolving
    with opened().update_schema() as update:
        update.add_column("note", StringType())
        update.add_column("counts", MapType(50, StringType(), 51, LongType(), value_required=False))
    assert ask(f"SELECT count(*), count(note), count(counts) FROM {name}") == [["3", "0", "0"]]
    assert ask(f"SELECT DISTINCT note, counts FROM {name}") == [[None, None]]

    later = {"sample_id": "S9", "contig": "chr1", "position": 7, "note": "new", "counts": [("a", 1)]}
    opened().append(pa.Table.from_pylist([later], schema=opened().schema().as_arrow()))

    assert ask(f"SELECT note, counts FROM {name} WHERE contig = 'chr1' ORDER BY note") == [
        ["new", "{a=1}"],
        [None, None],
        [None, None],
    ]
    assert ask(f"SELECT sample_id FROM {name} WHERE note = 'new'") == [["S9"]]
    assert len(ask(f'SELECT DISTINCT "$path" FROM {name}')) == 3


def test_a_renamed_column_has_its_values_and_a_name_given_anew_has_not(evolving, ask, fail):
    name, opened = evolving
    with opened().update_schema() as update:
        update.rename_column("depth", "reads")
    assert ask(f"SELECT reads FROM {name} ORDER BY position") == [[None], ["10"], ["3"]]
    assert fail(f'SELECT "$path" FROM {name}').startswith("NOT_SUPPORTED")

    with opened().update_schema() as update:
        update.add_column("depth", IntegerType())
    assert ask(f"SELECT reads, depth FROM {name} ORDER BY position") == [[None, None], ["10", None], ["3", None]]


def test_values_are_shown_as_athena_shows_them(variants, ask):
    assert ask(f"SELECT * FROM {variants} ORDER BY contig, position") == [
        ["S1", "chr1", "100", "30.5", "10", "true", "2026-01-02 03:04:05.678901 UTC"],
        ["S1", "chr1", "200", None, "3", "false", "2026-01-02 03:04:05.678901 UTC"],
        ["S1", "chr2", "50", "1.0E10", None, None, "2026-01-02 03:04:05.678901 UTC"],
    ]


def test_columns_have_athenas_types(stage, variants):
    query = run_query(stage, f"SELECT * FROM {variants}", "db", athena.OUTPUT)
    result = stage.client("athena").get_query_results(QueryExecutionId=query["QueryExecutionId"])["ResultSet"]

    types = [column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]]

    assert types == ["varchar", "varchar", "bigint", "double", "integer", "boolean", "timestamp with time zone"]


def test_a_condition_on_the_partition_scans_less(stage, variants):
    whole = run_query(stage, f"SELECT position FROM {variants}", "db", athena.OUTPUT)["Statistics"]
    part = run_query(stage, f"SELECT position FROM {variants} WHERE contig = 'chr2'", "db", athena.OUTPUT)["Statistics"]

    assert 0 < part["DataScannedInBytes"] < whole["DataScannedInBytes"] * 2
    one = run_query(stage, f"SELECT count(contig) FROM {variants} WHERE contig = 'chr2'", "db", athena.OUTPUT)[
        "Statistics"
    ]
    assert one["DataScannedInBytes"] < whole["DataScannedInBytes"]


def test_one_column_scans_less_than_all(stage, variants):
    whole = run_query(stage, f"SELECT * FROM {variants}", "db", athena.OUTPUT)["Statistics"]["DataScannedInBytes"]
    one = run_query(stage, f"SELECT position FROM {variants}", "db", athena.OUTPUT)["Statistics"]["DataScannedInBytes"]

    assert 0 < one < whole


def test_the_result_lies_in_the_output_location(stage, variants):
    query = run_query(stage, f"SELECT contig, quality FROM {variants} ORDER BY position", "db", athena.OUTPUT)
    location = query["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix("s3://results/")

    body = stage.client("s3").get_object(Bucket="results", Key=key)["Body"].read().decode()

    assert location == f"{athena.OUTPUT}{query['QueryExecutionId']}.csv"
    assert body == '"contig","quality"\n"chr2","1.0E10"\n"chr1","30.5"\n"chr1",\n'
    stage.client("s3").head_object(Bucket="results", Key=f"{key}.metadata")


def test_quotes_and_lines_within_a_value_survive_the_csv(stage):
    query = run_query(stage, "SELECT 'a \"b\"' || chr(10) || 'c' AS text", "db", athena.OUTPUT)
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


def test_a_query_that_would_scan_more_than_its_workgroup_allows_is_cancelled(stage, ask):
    limit = 10_000_000  # the least that a workgroup can be given
    ask(
        "CREATE TABLE large WITH (write_compression = 'NONE') AS"
        " SELECT x * 10 + y AS id, to_hex(sha512(to_utf8(CAST(x * 10 + y AS varchar)))) AS text"  # 128 characters
        " FROM unnest(sequence(1, 10000)) AS a(x) CROSS JOIN unnest(sequence(0, 9)) AS b(y)"
    )
    client = stage.client("athena")
    configuration = {
        "BytesScannedCutoffPerQuery": limit,
        "ResultConfiguration": {"OutputLocation": athena.OUTPUT},
    }
    client.create_work_group(Name="bounded", Configuration=configuration)

    def run(sql):
        query_id = client.start_query_execution(
            QueryString=sql, WorkGroup="bounded", QueryExecutionContext={"Database": "db"}
        )["QueryExecutionId"]

        def ended():
            query = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            return query if query["Status"]["State"] not in {"QUEUED", "RUNNING"} else None

        query = wait_until(ended)
        status = query["Status"]
        return status["State"], status.get("StateChangeReason"), query["Statistics"]["DataScannedInBytes"] > limit

    assert run("SELECT max(text) FROM large") == ("CANCELLED", "Bytes scanned limit was exceeded", True)
    assert run("CREATE TABLE copy AS SELECT * FROM large")[:2] == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert run("SELECT max(id) FROM large") == ("SUCCEEDED", None, False)


def test_a_query_without_an_output_location_is_refused(stage):
    with pytest.raises(ClientError, match="No output location provided"):
        stage.client("athena").start_query_execution(QueryString="SELECT 1")


def test_a_large_result_comes_in_pages(ask):
    rows = ask("SELECT x FROM unnest(sequence(1, 2500)) AS t(x) ORDER BY x")

    assert [row[0] for row in rows] == [str(number) for number in range(1, 2501)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT nothing FROM variants", "COLUMN_NOT_FOUND: Column 'nothing' cannot be resolved"),
        ("SELECT * FROM nothing", "TABLE_NOT_FOUND: Table 'awsdatacatalog.db.nothing' does not exist"),
        ("SELECT * FROM nowhere.nothing", "SCHEMA_NOT_FOUND: Schema 'nowhere' does not exist"),
        ("SELEC 1", "SYNTAX_ERROR: mismatched input 'SELEC'"),
        ("EXPLAIN SELECT 1", "NOT_SUPPORTED: the embedded Athena does not run EXPLAIN (TYPE DISTRIBUTED"),
        (
            "SELECT * FROM read_parquet('/etc/passwd')",
            "NOT_SUPPORTED: the embedded Athena does not run the table function",
        ),
    ],
)
def test_a_wrong_query_fails_and_says_why(variants, fail, sql, reason):
    assert reason in fail(sql)


def test_a_named_query_is_kept_until_it_is_deleted(stage):
    client = stage.client("athena")
    made = client.create_named_query(Name="n", Database="default", QueryString="SELECT 1")["NamedQueryId"]
    assert client.get_named_query(NamedQueryId=made)["NamedQuery"]["QueryString"] == "SELECT 1"
    for _ in range(2):
        client.delete_named_query(NamedQueryId=made)
    assert made not in client.list_named_queries()["NamedQueryIds"]


def test_a_failure_carries_an_athena_error(stage):
    status = run_query(stage, "SELECT 1 / 0", "db", athena.OUTPUT)["Status"]

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
        stage, f"SELECT contig, count(*), 1 AS one, 2 FROM {variants} GROUP BY 1 ORDER BY 2", "db", athena.OUTPUT
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
    client = stage.client("athena")
    sql = (
        "SELECT count(*) FROM unnest(sequence(1, 10000)) AS a(x) CROSS JOIN unnest(sequence(1, 10000)) AS b(y)"
        " CROSS JOIN unnest(sequence(1, 100)) AS c(z)"
        " WHERE x * y % 7 = 3"
    )
    query_id = client.start_query_execution(QueryString=sql, ResultConfiguration={"OutputLocation": athena.OUTPUT})[
        "QueryExecutionId"
    ]

    def state():
        return client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]

    wait_until(lambda: state() == "RUNNING")
    time.sleep(0.2)

    client.stop_query_execution(QueryExecutionId=query_id)

    assert state() == "CANCELLED"
