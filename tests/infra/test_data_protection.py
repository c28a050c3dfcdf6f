"""What keeps patients' data where it belongs: ING-01, ING-10, SEC-03."""

import base64
import json
from pathlib import Path

import pytest

from strandline.aws.audit_entries import queue_beside
from tests.infra.views import permissions

TABLES = json.loads((Path(__file__).resolve().parents[2] / "strandline" / "lake" / "tables.json").read_text())
STATEFUL = {
    *("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::Glue::Database", "AWS::Glue::Table"),
    *("AWS::Athena::WorkGroup", "AWS::Backup::BackupVault"),
}


def bucket(assembly, purpose):
    (found,) = [
        properties
        for properties in assembly.properties("AWS::S3::Bucket")
        if f"-{assembly.stage}-{purpose}-" in properties["BucketName"]
    ]
    return found


def policy_statements(assembly, purpose):
    buckets = assembly.resources("AWS::S3::Bucket")
    (logical_id,) = [key for key, value in buckets.items() if value["Properties"] == bucket(assembly, purpose)]
    (policy,) = [
        properties
        for properties in assembly.properties("AWS::S3::BucketPolicy")
        if properties["Bucket"] == {"Ref": logical_id}
    ]
    return policy["PolicyDocument"]["Statement"]


@pytest.mark.parametrize(
    ("stage", "mode", "days"),
    [("local", "GOVERNANCE", 1), ("dev", "GOVERNANCE", 1), ("qa", "GOVERNANCE", 30), ("prod", "COMPLIANCE", 365)],
)
def test_ing_01_landed_objects_are_locked_in_the_mode_and_for_the_days_of_the_stage(assemblies, stage, mode, days):
    landing = bucket(assemblies[stage], "landing")

    assert landing["ObjectLockEnabled"] is True
    assert landing["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": mode, "Days": days}


def test_ing_01_every_bucket_is_versioned_and_closed_to_the_public(assembly):
    for properties in assembly.properties("AWS::S3::Bucket"):
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert properties["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }


def test_ing_01_every_data_bucket_is_under_the_key_of_its_data_class(assembly):
    key_by_purpose = {}
    for purpose in ("landing", "quarantine", "references", "analysis", "lake", "delivery", "audit"):
        (rule,) = bucket(assembly, purpose)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        key_by_purpose[purpose] = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]["Fn::GetAtt"][0]

    patients = key_by_purpose["landing"]
    assert {purpose for purpose, key in key_by_purpose.items() if key == patients} == {
        *("landing", "quarantine", "analysis", "delivery")
    }
    assert len(set(key_by_purpose.values())) == 4


def test_ing_01_every_bucket_refuses_plain_http_and_tls_before_1_2(assembly):
    for purpose in ("landing", "quarantine", "references", "analysis", "lake", "delivery", "audit", "access-logs"):
        denied = [
            statement["Condition"]
            for statement in policy_statements(assembly, purpose)
            if statement["Effect"] == "Deny"
            and statement["Principal"] == {"AWS": "*"}
            and statement["Action"] == "s3:*"
        ]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied


def test_ing_01_landing_tells_eventbridge_and_logs_who_reads(assembly):
    landing = bucket(assembly, "landing")

    assert landing["NotificationConfiguration"]["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    assert landing["LoggingConfiguration"]["LogFilePrefix"] == "landing/"


def test_ing_10_raw_reads_cool_at_once_and_are_archived_after_90_days(assembly):
    rules = {rule["Id"]: rule for rule in bucket(assembly, "landing")["LifecycleConfiguration"]["Rules"]}

    assert [
        (step["StorageClass"], step["TransitionInDays"]) for step in rules["raw-data-cool-then-archived"]["Transitions"]
    ] == [("GLACIER_IR", 1), ("GLACIER", 90)]
    assert rules["abort-unfinished-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_ing_10_aligned_reads_cool_and_calls_stay_hot(assembly):
    rules = {rule["Id"]: rule for rule in bucket(assembly, "analysis")["LifecycleConfiguration"]["Rules"]}

    assert rules["aligned-reads-cool"]["TagFilters"] == [{"Key": "tier", "Value": "cool"}]
    assert not [rule for rule in rules.values() if "Transitions" in rule and not rule.get("TagFilters")]


def test_audit_objects_are_locked_in_every_stage(assembly):
    retention = bucket(assembly, "audit")["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]

    assert retention["Mode"] == ("COMPLIANCE" if assembly.stage == "prod" else "GOVERNANCE")


def test_sec_03_every_key_rotates(assembly):
    """KMS rotates no key that signs: others keep its public half for years (KMS developer guide, "Rotate keys")."""
    keys = assembly.properties("AWS::KMS::Key")
    assert [key["EnableKeyRotation"] for key in keys if "KeyUsage" not in key] == [True] * 5
    assert [(key["KeyUsage"], key["KeySpec"]) for key in keys if "KeyUsage" in key] == [
        ("SIGN_VERIFY", "ECC_NIST_P256")  # of the audit log
    ] * 2  # and of releases


def test_every_stateful_resource_outlives_its_stack(assembly):
    for template in assembly.templates.values():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] in STATEFUL:
                assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), logical_id


def test_the_tables_can_be_restored_and_are_encrypted(assembly):
    for table in assembly.properties("AWS::DynamoDB::Table"):
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"]["SSEType"] == "KMS"
        assert table.get("DeletionProtectionEnabled", False) is (assembly.stage in {"qa", "prod"})
    assert bool(assembly.resources("AWS::Backup::BackupSelection")) is (assembly.stage in {"qa", "prod"})


def test_waiting_audit_entries_are_put_by_many_and_seen_or_taken_out_by_the_one_who_seals(assembly):
    """TRU-01: what a writer may not read it cannot name, and so not put anew; and nobody may update one."""
    queue = queue_beside(f"strandline-{assembly.stage}-submissions")
    told = [line.partition(": ") for line in permissions(assembly) if line.endswith(f":table/{queue}")]
    may = {who: actions.partition(" on ")[0] for who, _, actions in told}
    sealing = may.pop("intake SealAuditLogExecution")
    assert sealing == "dynamodb:BatchWriteItem, dynamodb:DeleteItem, dynamodb:Query"
    assert len(may) > 10
    assert set(may.values()) == {"dynamodb:PutItem"}
    log = [line for line in permissions(assembly) if line.endswith(f":table/strandline-{assembly.stage}-audit-log")]
    assert [line.partition(": ")[0] for line in log] == ["intake SealAuditLogExecution"]


def test_ing_08_submissions_are_found_by_id_state_sample_site_and_day(assembly):
    tables = assembly.properties("AWS::DynamoDB::Table")
    (table,) = (one for one in tables if one["TableName"].endswith("-submissions"))

    def names(schema):
        return [key["AttributeName"] for key in schema]

    assert names(table["KeySchema"]) == ["pk", "sk"]
    assert [(index["IndexName"], names(index["KeySchema"])) for index in table["GlobalSecondaryIndexes"]] == [
        ("by_state", ["gsi1pk", "gsi1sk"]),
        ("by_sample", ["gsi2pk", "gsi2sk"]),
        ("by_site", ["gsi3pk", "gsi3sk"]),
        ("by_day", ["gsi4pk", "gsi4sk"]),
    ]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_lake_tables_have_the_columns_partitions_and_order_of_the_definition(assembly, name):
    """A template has no form for maps and lists: the first write adds them."""
    (table,) = [table for table in assembly.properties("AWS::Glue::Table") if table.get("Name") == name]
    columns = TABLES[TABLES[name].get("copy_of", name)]["columns"]
    iceberg = table["OpenTableFormatInput"]["IcebergInput"]
    written = iceberg["IcebergTableInput"]
    name_by_id = {field["Id"]: field["Name"] for field in written["Schema"]["Fields"]}

    assert (iceberg["MetadataOperation"], iceberg["Version"]) == ("CREATE", "2")
    assert [
        {"name": field["Name"], "type": field["Type"], "required": field["Required"], "doc": field["Doc"]}
        for field in written["Schema"]["Fields"]
    ] == [
        {key: value for key, value in column.items() if key != "data_class"}
        for column in columns
        if not column["type"].startswith(("map<", "list<"))
    ]
    assert [
        {"source": name_by_id[part["SourceId"]], "transform": part["Transform"]}
        for part in written.get("PartitionSpec", {"Fields": []})["Fields"]
    ] == TABLES[name]["partition"]
    assert [name_by_id[part["SourceId"]] for part in written["WriteOrder"]["Fields"]] == TABLES[name]["sort"]


@pytest.mark.parametrize("name", ["omicsvariants", "omicsannotations"])
def test_views_are_kept_as_athena_keeps_them_with_the_columns_of_healthomics(assembly, name):
    """Columns and types: the table scripts that AWS gives for moving off HealthOmics stores, of VCF, without VEP's."""
    (view,) = [
        table["TableInput"]
        for table in assembly.properties("AWS::Glue::Table")
        if table.get("TableInput", {}).get("Name") == name
    ]
    assert view["TableType"] == "VIRTUAL_VIEW"
    text = view["ViewOriginalText"]
    stored = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
    assert (stored["catalog"], stored["schema"]) == ("awsdatacatalog", f"strandline_{assembly.stage}")
    assert stored["originalSql"].startswith("SELECT")
    columns = {column["Name"]: column["Type"] for column in view["StorageDescriptor"]["Columns"]}
    assert [column["name"] for column in stored["columns"]] == list(columns)
    assert columns == {
        "importjobid": "string",
        "contigname": "string",
        "start": "bigint",
        "end": "bigint",
        "names": "array<string>",
        "referenceallele": "string",
        "alternatealleles": "array<string>",
        "qual": "double",
        "filters": "array<string>",
        "splitfrommultiallelic": "boolean",
        "attributes": "map<string,string>",
        "phased": "boolean",
        "calls": "array<int>",
        "genotypelikelihoods": "array<double>",
        "phredlikelihoods": "array<int>",
        "alleledepths": "array<int>",
        "conditionalquality": "int",
        "spl": "array<int>",
        "depth": "int",
        "ps": "int",
        "sampleid": "string",
        "information": "map<string,string>",
    }


def test_the_named_questions_are_in_the_workgroup_with_a_mark_for_each_value(assembly):
    queries = {query["Name"]: query for query in assembly.properties("AWS::Athena::NamedQuery", "catalog")}
    assert len(queries) == 10
    assert all(query["WorkGroup"] == f"strandline-{assembly.stage}" for query in queries.values())
    region = queries["region"]["QueryString"]
    assert "-- question marks, in order: contig, last, first\n" in region
    assert "contig = ? AND position <= ? AND end_position >= ?" in region
    assert ":" not in region.split("SELECT")[1]


def test_queries_are_encrypted_and_bounded_whatever_the_client_asks(assembly):
    for workgroup in assembly.properties("AWS::Athena::WorkGroup"):
        configuration = workgroup["WorkGroupConfiguration"]
        place = configuration["ResultConfiguration"]["OutputLocation"]
        own = "" if workgroup["Name"] == f"strandline-{assembly.stage}" else f"{workgroup['Name']}/"

        assert configuration["EnforceWorkGroupConfiguration"] is True
        assert configuration["BytesScannedCutoffPerQuery"] == 1024**4
        assert configuration["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
        assert place.endswith(f"/athena-results/{own}")


def test_every_log_is_encrypted_and_ends(assembly):
    for properties in assembly.properties("AWS::Logs::LogGroup"):
        assert "KmsKeyId" in properties
        assert properties["RetentionInDays"] in {7, 30, 90, 2557}
