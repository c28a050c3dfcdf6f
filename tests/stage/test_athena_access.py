"""What a role may not see it cannot get at, whichever way it asks. LAK-06, SEC-02.

Two roles under Lake Formation: `blind` may not see samples' names, `north` sees the rows of one site alone. What AWS
says of each is in the Lake Formation developer guide (data filters) and the Athena user guide (lf-athena-limitations).
"""

import json
import re
from datetime import datetime
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends

from benchmarks.lake_on_disk import make_table
from local_stage.callers import Caller
from strandline.aws.lake import Lake, open_catalog
from strandline.aws.queries import AthenaQueries
from strandline.errors import RejectedInputError
from strandline.lake.tables import lake_tables
from tests.stage.access_stage import ACCOUNT, REGION, SAMPLES, TABLES, Somebody, client, fill, grant, make_role, permit
from tests.stage.compute_stage import running_stage

NOT_AUTHORIZED = "cannot be resolved or requester is not authorized to access requested resources"
INSUFFICIENT = r"Insufficient Lake Formation permission\(s\): Required {} on {}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as stage, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for bucket in ("lake", "results"):
            stage.client("s3").create_bucket(Bucket=bucket)
        stage.client("glue").create_database(DatabaseInput={"Name": "lake", "LocationUri": "s3://lake/tables/"})
        catalog = open_catalog(stage.endpoint_url, REGION)
        for name in TABLES:
            make_table(catalog, "s3://lake/tables", lake_tables()[name], lake_tables()[name].arrow_schema())
        fill(Lake("lake", catalog))
        stage.client("lakeformation").register_resource(
            ResourceArn="arn:aws:s3:::lake/tables", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/anyone"
        )
        for name in ("lake", "blind", "north", "slow", "none"):
            place = {"ResultConfiguration": {"OutputLocation": f"s3://results/{name}/"}}
            stage.client("athena").create_work_group(Name=name, Configuration=place)
        for name in ("blind", "north", "slow", "none"):
            make_role(stage, name)
        grant(stage)
        deployer = AthenaQueries(stage.client("athena"), "lake", "lake")
        deployer.run("CREATE VIEW carriers AS SELECT sample_id, gene, position FROM variants")
        stage.client("glue").create_database(DatabaseInput={"Name": "open"})
        deployer.run(
            "CREATE TABLE open.kept WITH (external_location = 's3://results/kept/', partitioned_by = ARRAY['day']) AS "
            "SELECT sample_id, '0' AS day FROM variants"
        )
        deployer.run("CREATE VIEW open.view_of_names AS SELECT sample_id AS x FROM lake.variants")
        deployer.run("CREATE VIEW places AS SELECT contig, position FROM variants")
        yield stage


@pytest.fixture(scope="module")
def lake(stage):
    return Lake("lake", open_catalog(stage.endpoint_url, REGION))


@pytest.fixture(scope="module")
def blind(stage):
    return Somebody(stage, "blind")


@pytest.fixture(scope="module")
def north(stage):
    return Somebody(stage, "north")


def flat(result):
    return [None if value is None else str(value) for found in result.rows for value in found]


def test_who_runs_the_stage_sees_everything(stage):
    everything = AthenaQueries(stage.client("athena"), "lake", "lake").run("SELECT * FROM variants ORDER BY sample_id")

    assert [found[0] for found in everything.rows] == sorted(SAMPLES)
    assert "site" in everything.columns


def test_a_column_that_is_not_granted_is_no_part_of_a_star(blind):
    result = blind.run("SELECT * FROM variants")

    assert {"sample_id", "site"}.isdisjoint(result.columns)
    assert {"position", "genotype", "submission_id"} <= set(result.columns)
    assert len(result.rows) == len(SAMPLES)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sample_id FROM variants",
        "SELECT variants.sample_id FROM variants",
        "SELECT lake.variants.sample_id FROM lake.variants",
        "SELECT v.sample_id FROM variants AS v",
        "SELECT 1 FROM variants WHERE sample_id = 'ANNA'",
        "SELECT count(*) FROM variants WHERE sample_id LIKE 'A%'",
        "SELECT count(DISTINCT sample_id) FROM variants",
        "SELECT count(*) FROM variants GROUP BY sample_id",
        "SELECT position FROM variants ORDER BY sample_id",
        "SELECT max(position) FROM variants HAVING max(sample_id) > 'A'",
        "SELECT row_number() OVER (PARTITION BY sample_id ORDER BY position) FROM variants",
        "WITH v AS (SELECT * FROM variants) SELECT sample_id FROM v",
        "WITH v AS (SELECT sample_id AS x FROM variants) SELECT x FROM v",
        "SELECT x FROM (SELECT sample_id AS x FROM variants)",
        "SELECT (SELECT max(sample_id) FROM variants)",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM variants WHERE sample_id = 'ANNA')",
        "SELECT position FROM variants v WHERE 'ANNA' IN (SELECT sample_id FROM samples s)",
        "SELECT 1 FROM variants v JOIN samples s ON v.sample_id = s.sample_id",
        "SELECT position FROM variants UNION ALL SELECT sample_id FROM variants",
        "SELECT x FROM variants CROSS JOIN UNNEST(ARRAY[sample_id]) AS t(x)",
        "SELECT transform(ARRAY[1], i -> sample_id) FROM variants",
        "SELECT try(sample_id) FROM variants",
        'SELECT "sample_id" FROM variants',
        "SELECT SAMPLE_ID FROM VARIANTS",
        "SELECT sample_id FROM variants FOR TIMESTAMP AS OF current_timestamp",
        "SELECT gene FROM carriers",
        "SELECT count(*) FROM carriers",
        "EXPLAIN (TYPE VALIDATE) SELECT sample_id FROM variants",
        "EXPLAIN (TYPE IO, FORMAT JSON) SELECT gene FROM variants WHERE sample_id = 'ANNA'",
        "UNLOAD (SELECT sample_id FROM variants) TO 's3://results/blind/out/' WITH (format = 'PARQUET')",
        'SELECT "$path" FROM variants',
    ],
)
def test_a_column_that_is_not_granted_is_not_there_however_it_is_asked_for(blind, sql):
    with pytest.raises(RejectedInputError, match=NOT_AUTHORIZED) as refused:
        blind.run(sql)

    assert not re.search("ANNA'? |BERT|CLEO", str(refused.value).replace(sql, ""))


@pytest.mark.parametrize("kind", ["files", "history", "snapshots", "partitions", "refs"])
@pytest.mark.parametrize("role", ["blind", "north"])
def test_records_of_a_table_are_for_those_who_see_all_of_it(stage, role, kind):
    with pytest.raises(RejectedInputError, match="only for those who see all of variants"):
        Somebody(stage, role).run(f'SELECT * FROM "variants${kind}"')


def test_rows_of_another_site_are_not_there(north):
    assert flat(north.run("SELECT sample_id FROM variants")) == ["ANNA"]
    assert "site" not in north.run("SELECT * FROM samples").columns


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT count(*) FROM variants", ["1"]),
        ("SELECT count(sample_id) FROM variants", ["1"]),
        ("SELECT max(position), min(position) FROM variants", ["10", "10"]),
        ("SELECT sample_id FROM carriers", ["ANNA"]),
        ("SELECT position FROM places", ["10"]),
        ("SELECT v.sample_id FROM samples s JOIN variants v ON v.sample_id = s.sample_id", ["ANNA"]),
        ("SELECT s.sample_id FROM variants v FULL JOIN samples s ON v.position = 11", [None, "ANNA"]),
        ("SELECT a.sample_id FROM variants a, variants b WHERE a.position <= b.position", ["ANNA"]),
        ("WITH v AS (SELECT * FROM variants) SELECT sample_id FROM v WHERE position > 10", []),
        ("SELECT sample_id FROM variants WHERE sample_id = 'BERT' OR 1 = 1", ["ANNA"]),
        ("SELECT sample_id FROM variants WHERE sample_id IN ('BERT', 'CLEO')", []),
        ("SELECT count(*) FROM samples WHERE EXISTS (SELECT 1 FROM variants WHERE position = 11)", ["0"]),
        ("SELECT sample_id FROM variants FOR TIMESTAMP AS OF current_timestamp", ["ANNA"]),
        ("SELECT count(*) FROM (SELECT 1 FROM variants GROUP BY position)", ["1"]),
        ("SELECT sample_id FROM variants UNION SELECT sample_id FROM samples", ["ANNA"]),
        ("SELECT sample_id FROM variants EXCEPT SELECT 'ANNA'", []),
        ("SELECT approx_distinct(sample_id) FROM variants", ["1"]),
    ],
)
def test_rows_of_another_site_count_for_nothing(north, sql, expected):
    assert sorted(flat(north.run(sql)), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(
    "condition",
    [
        "100 / (position - 11) <> 0",
        "1 / (CASE WHEN sample_id = 'BERT' THEN 0 ELSE 1 END) = 1",
        "CAST(CASE WHEN sample_id = 'ANNA' THEN '1' ELSE sample_id END AS integer) = 1",
        "json_parse(CASE WHEN sample_id = 'ANNA' THEN '{}' ELSE sample_id END) IS NOT NULL",
        "date_parse(CASE WHEN sample_id = 'ANNA' THEN '2026' ELSE sample_id END, '%Y') IS NOT NULL",
    ],
)
@pytest.mark.parametrize("role", ["north", "slow"])
def test_no_error_tells_of_a_row_of_another_site(stage, role, condition):
    """An expression that fails for the rows of others, and would tell by failing that there are such rows."""
    queries = Somebody(stage, role)
    assert flat(queries.run(f"SELECT sample_id FROM variants WHERE {condition}")) == ["ANNA"]
    assert flat(queries.run(f"SELECT sample_id FROM (SELECT * FROM carriers) WHERE {condition}")) == ["ANNA"]


def test_the_column_of_the_filter_may_be_hidden_and_is(north):
    with pytest.raises(RejectedInputError, match=NOT_AUTHORIZED):
        north.run("SELECT site FROM variants")


def test_a_row_without_a_site_belongs_to_nobody(stage):
    told = {"TableCatalogId": ACCOUNT, "DatabaseName": "lake", "TableName": "samples", "Name": "others"}
    formation = stage.client("lakeformation")
    formation.create_data_cells_filter(
        TableData=told | {"RowFilter": {"FilterExpression": "site <> 'south'"}, "ColumnWildcard": {}}
    )
    make_role(stage, "others")
    permit(formation, "others", {"DataCellsFilter": told})
    place = {"ResultConfiguration": {"OutputLocation": "s3://results/others/"}}
    stage.client("athena").create_work_group(Name="others", Configuration=place)

    assert flat(Somebody(stage, "others").run("SELECT sample_id FROM samples")) == ["ANNA"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM variants", INSUFFICIENT.format("Select", "variants")),
        ("SELECT 1 FROM annotations", INSUFFICIENT.format("Select", "annotations")),
        ("SELECT count(*) FROM places", INSUFFICIENT.format("Select", "places")),
        ("DESCRIBE variants", INSUFFICIENT.format("Select", "variants")),
        ("SHOW COLUMNS IN variants", INSUFFICIENT.format("Select", "variants")),
        ("SHOW CREATE TABLE variants", INSUFFICIENT.format("Select", "variants")),
        ("SHOW CREATE VIEW carriers", INSUFFICIENT.format("Select", "carriers")),
    ],
)
def test_a_table_of_which_nothing_is_granted_is_refused_by_name(stage, sql, words):
    with pytest.raises(RejectedInputError, match=words):
        Somebody(stage, "none").run(sql)


@pytest.mark.parametrize("role", ["blind", "north"])
@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("INSERT INTO variants (sample_id) VALUES ('X')", INSUFFICIENT.format("Insert", "variants")),
        ("DELETE FROM variants", INSUFFICIENT.format("Insert", "variants")),
        ("UPDATE variants SET gene = 'G2'", INSUFFICIENT.format("Insert", "variants")),
        (
            "MERGE INTO variants t USING (VALUES 1) AS s(x) ON t.position = s.x WHEN MATCHED THEN DELETE",
            INSUFFICIENT.format("Insert", "variants"),
        ),
        ("OPTIMIZE variants REWRITE DATA USING BIN_PACK", INSUFFICIENT.format("Insert", "variants")),
        ("VACUUM variants", INSUFFICIENT.format("Insert", "variants")),
        ("DROP TABLE variants", INSUFFICIENT.format("Drop", "variants")),
        ("DROP VIEW carriers", INSUFFICIENT.format("Drop", "carriers")),
        ("CREATE VIEW mine AS SELECT 1 AS x", INSUFFICIENT.format("Create Table", "lake")),
        ("CREATE OR REPLACE VIEW carriers AS SELECT 1 AS x", INSUFFICIENT.format("Create Table", "lake")),
        ("CREATE TABLE mine AS SELECT 1 AS x", INSUFFICIENT.format("Create Table", "lake")),
        (
            "CREATE EXTERNAL TABLE mine (sample_id string) STORED AS PARQUET LOCATION 's3://lake/tables/variants/data/'",
            INSUFFICIENT.format("Create Table", "lake"),
        ),
        (
            "CREATE EXTERNAL TABLE open.mine (x string) STORED AS PARQUET LOCATION 's3://lake/tables/variants/data/'",
            "may not glue:CreateTable in open",
        ),
        (
            "ALTER TABLE open.kept ADD PARTITION (day = '1') LOCATION 's3://lake/tables/variants/data/'",
            "may not glue:UpdateTable in open",
        ),
        ("CREATE TABLE open.mine AS SELECT 1 AS x", "may not glue:CreateTable in open"),
        ("CREATE VIEW open.mine AS SELECT 1 AS x", "may not glue:CreateTable in open"),
        ("DROP TABLE open.kept", "may not glue:DeleteTable in open"),
        ("INSERT INTO open.kept VALUES ('X', '1')", "may not glue:UpdateTable in open"),
        ("MSCK REPAIR TABLE open.kept", "may not glue:UpdateTable in open"),
        ("CREATE DATABASE mine", "may not create or drop databases"),
        ("DROP DATABASE lake CASCADE", "may not create or drop databases"),
    ],
)
def test_a_statement_that_changes_something_is_refused_by_name(stage, lake, role, sql, words):
    with pytest.raises(RejectedInputError, match=words):
        Somebody(stage, role).run(sql)

    assert lake.load("variants").scan().count() == len(SAMPLES)


def test_outside_the_lake_the_roles_policies_decide(stage):
    """Somebody else's copy of the lake, in a database that Lake Formation does not look after."""
    with pytest.raises(RejectedInputError, match=INSUFFICIENT.format("Select", "kept")):
        Somebody(stage, "north").run("SELECT * FROM open.kept")
    with pytest.raises(RejectedInputError, match=NOT_AUTHORIZED):
        Somebody(stage, "blind").run("SELECT x FROM open.view_of_names")

    assert Somebody(stage, "north").run("SHOW TABLES IN open").rows == (("view_of_names",),)
    assert flat(Somebody(stage, "north").run("SELECT x FROM open.view_of_names")) == ["ANNA"]


def test_lists_show_what_is_seen_alone(stage, blind, north):
    assert flat(blind.run("SHOW TABLES")) == [
        "annotations",
        "carriers",
        "places",
        "sample_variants",
        "samples",
        "variants",
    ]
    assert flat(north.run("SHOW TABLES")) == ["carriers", "places", "samples", "variants"]
    assert Somebody(stage, "none").run("SHOW TABLES").rows == ()
    assert "sample_id" not in flat(blind.run("SHOW COLUMNS IN variants"))
    assert not any(line.startswith("sample_id") for line in flat(blind.run("DESCRIBE variants")))
    told = blind.run("SELECT column_name FROM information_schema.columns WHERE table_name = 'samples'")
    assert {"sample_id", "subject_id", "site"}.isdisjoint(flat(told))
    assert "sex" in flat(told)
    assert Somebody(stage, "none").run("SELECT * FROM information_schema.tables WHERE table_schema = 'lake'").rows == ()


def test_a_prepared_statement_is_run_with_the_rights_of_who_executes_it(stage):
    north = AthenaQueries(client(stage, "athena", "north"), "north", "lake")
    north.run("PREPARE mine FROM SELECT sample_id FROM variants WHERE position >= ?")

    assert flat(north.run("EXECUTE mine USING 1")) == ["ANNA"]


def test_what_is_unloaded_holds_what_is_seen_alone_and_lands_where_the_role_may_write(stage, north):
    sql = "UNLOAD (SELECT sample_id FROM variants) TO 's3://{}' WITH (format = 'PARQUET')"
    north.run(sql.format("results/north/out/"))
    stored = stage.client("s3").list_objects_v2(Bucket="results", Prefix="north/out/")["Contents"]
    bodies = [stage.client("s3").get_object(Bucket="results", Key=one["Key"])["Body"].read() for one in stored]

    assert [pa.parquet.read_table(pa.BufferReader(body)).to_pylist() for body in bodies] == [[{"sample_id": "ANNA"}]]
    with pytest.raises(RejectedInputError, match="may not write to s3://results/blind/out/"):
        north.run(sql.format("results/blind/out/"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda s3: s3.get_object(Bucket="lake", Key="tables/variants/metadata/x.json"),
        lambda s3: s3.list_objects_v2(Bucket="lake"),
        lambda s3: s3.copy_object(Bucket="results", Key="blind/x", CopySource="lake/tables/variants/data/x"),
        lambda s3: s3.put_object(Bucket="lake", Key="tables/variants/data/x", Body=b""),
        lambda s3: s3.delete_object(Bucket="results", Key="blind/x"),
        lambda s3: s3.get_object(Bucket="results", Key="north/x.csv"),
        lambda s3: s3.put_bucket_policy(Bucket="results", Policy="{}"),
        lambda s3: s3.list_buckets(),
    ],
    ids=["get", "list", "copy", "put", "delete", "results-of-others", "policy", "buckets"],
)
def test_the_files_below_are_closed_to_a_role(stage, ask):
    with pytest.raises(ClientError, match="AccessDenied"):
        ask(client(stage, "s3", "blind"))


@pytest.mark.parametrize(
    ("service", "ask"),
    [
        ("sts", lambda sts: sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/anyone", RoleSessionName="up")),
        ("iam", lambda iam: iam.list_roles()),
        ("lakeformation", lambda formation: formation.get_data_lake_settings()),
        ("glue", lambda glue: glue.delete_table(DatabaseName="lake", Name="variants")),
        ("dynamodb", lambda dynamodb: dynamodb.list_tables()),
        ("athena", lambda athena: athena.list_query_executions(WorkGroup="lake")),
        ("athena", lambda athena: athena.list_work_groups()),
        ("athena", lambda athena: athena.start_query_execution(QueryString="SELECT 1", WorkGroup="lake")),
        ("athena", lambda athena: athena.start_query_execution(QueryString="SELECT 1")),
    ],
)
def test_what_the_roles_policies_do_not_allow_is_refused(stage, service, ask):
    with pytest.raises(ClientError, match="AccessDenied"):
        ask(client(stage, service, "blind"))


def test_results_of_another_workgroup_are_closed(stage):
    ran = stage.client("athena").start_query_execution(
        QueryString="SELECT sample_id FROM variants",
        WorkGroup="lake",
        QueryExecutionContext={"Database": "lake"},
    )["QueryExecutionId"]

    for ask in ("get_query_results", "get_query_execution", "stop_query_execution"):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client(stage, "athena", "blind"), ask)(QueryExecutionId=ran)


def test_a_denial_goes_before_what_is_allowed_and_a_condition_allows_nothing(stage):
    """IAM user guide, "Policy evaluation logic"; what a condition would say is not known here."""
    iam = stage.client("iam")
    iam.create_role(RoleName="mixed", AssumeRolePolicyDocument="{}")
    statements = [
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::results/*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::results/secret/*"},
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::lake/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="mixed", PolicyName="may", PolicyDocument=document)
    mixed = Caller("mixed", f"arn:aws:iam::{ACCOUNT}:role/mixed")

    assert mixed.may("s3:GetObject", "arn:aws:s3:::results/open/x")
    assert not mixed.may("s3:GetObject", "arn:aws:s3:::results/secret/x")
    assert not mixed.may("s3:PutObject", "arn:aws:s3:::results/open/x")
    assert not mixed.may("s3:GetObject", "arn:aws:s3:::lake/x")
    assert not Caller("gone", f"arn:aws:iam::{ACCOUNT}:role/gone").may("s3:GetObject", "arn:aws:s3:::results/open/x")


def test_a_key_that_has_expired_opens_nothing(stage):
    s3 = client(stage, "s3", "north")
    s3.put_object(Bucket="results", Key="north/mine", Body=b"")
    sts_backends[ACCOUNT]["aws"].assumed_roles[-1].expiration = datetime(2026, 1, 1)

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.get_object(Bucket="results", Key="north/mine")


def test_a_temporary_key_that_nobody_was_given_opens_nothing(stage):
    asked = Request(  # noqa: S310 - on the loopback
        f"{stage.endpoint_url}/lake?list-type=2",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=ASIAMADEUP/20260101/us-east-1/s3/aws4_request, x"},
    )

    with pytest.raises(Exception, match="403"):
        urlopen(asked)  # noqa: S310 - likewise


def test_a_role_cannot_name_another_host_to_reach_a_bucket(stage):
    keys = stage.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/blind", RoleSessionName="trial")
    key = keys["Credentials"]["AccessKeyId"]
    asked = Request(  # noqa: S310 - on the loopback
        f"{stage.endpoint_url}/blind/x",
        headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request, x",
            "Host": "results.s3.amazonaws.com",
        },
    )

    with pytest.raises(Exception, match="403"):
        urlopen(asked)  # noqa: S310 - likewise
