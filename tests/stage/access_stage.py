"""A lake of three samples under Lake Formation, and roles that ask it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
import pyarrow as pa

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.jobs import Job
from local_stage.athena.statements import is_query, run_statement
from local_stage.callers import Caller
from local_stage.context import StageContext
from strandline.aws.queries import QueryResult
from strandline.errors import RejectedInputError
from strandline.lake.tables import lake_tables
from tests.integration.made_up_lake import row

REGION, ACCOUNT = "us-east-1", "123456789012"
TABLES = ("variants", "sample_variants", "samples", "annotations")
SAMPLES = {"ANNA": "north", "BERT": "south", "CLEO": None}
ALLELE = {"contig": "chr1", "ref": "A", "alt": "C", "genotype": "0/1", "zygosity": "HET", "gene": "G1"}
LOADED_AT = datetime(2026, 1, 2, tzinfo=UTC)


def fill(lake):
    """All rows of a table lie in one file: what keeps them apart is not which files are opened."""
    made = {"variants": [], "samples": []}
    described = {"reference_name": "slice", "reference_version": "1", "variant_count": 1, "loaded_at": LOADED_AT}
    for position, (sample, site) in enumerate(SAMPLES.items(), start=10):
        told = {"sample_id": sample, "submission_id": f"s-{sample.lower()[0]}", "site": site}
        place = {"position": position, "end_position": position, "depth": 7}
        made["variants"].append(row("variants", **ALLELE, **place, **told))
        made["samples"].append({**told, **described, "subject_id": f"PT0000{position}"})
    for name, rows in made.items():
        table = pa.Table.from_pylist(rows, schema=lake_tables()[name].arrow_schema())
        lake.replace_rows(name, "s-a", lambda table=table: [table])


def make_role(stage, name):
    iam = stage.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    statements = [
        {"Effect": "Allow", "Action": ["athena:*"], "Resource": f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{name}"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::results/{name}/*"},
        {"Effect": "Allow", "Action": ["glue:GetTable", "glue:GetDatabase"], "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)


def grant(stage):
    formation = stage.client("lakeformation")
    formation.create_lf_tag(TagKey="class", TagValues=["open", "phi"])
    for resource, value in [
        ({"Database": {"Name": "lake"}}, "phi"),
        *(({"Table": {"DatabaseName": "lake", "Name": name}}, "open") for name in (*TABLES, "carriers", "places")),
        *(
            ({"TableWithColumns": {"DatabaseName": "lake", "Name": name, "ColumnNames": columns}}, "phi")
            for name, columns in {
                "variants": ["sample_id", "site"],
                "sample_variants": ["sample_id", "site"],
                "samples": ["sample_id", "subject_id", "site"],
            }.items()
        ),
    ]:
        formation.add_lf_tags_to_resource(Resource=resource, LFTags=[{"TagKey": "class", "TagValues": [value]}])
    policy = {"ResourceType": "TABLE", "Expression": [{"TagKey": "class", "TagValues": ["open"]}]}
    permit(formation, "blind", {"LFTagPolicy": policy})
    for role, expression in {
        "north": "site='north'",
        "slow": "regexp_like(lower(concat(site, '-')), '^n[a-z]+th-')",
    }.items():
        for name in ("variants", "samples"):
            told = {"TableCatalogId": ACCOUNT, "DatabaseName": "lake", "TableName": name, "Name": role}
            what = {"RowFilter": {"FilterExpression": expression}, "ColumnWildcard": {"ExcludedColumnNames": ["site"]}}
            formation.create_data_cells_filter(TableData=told | what)
            permit(formation, role, {"DataCellsFilter": told})
        for name in ("carriers", "places"):
            permit(formation, role, {"Table": {"DatabaseName": "lake", "Name": name}})


def permit(formation, role, resource):
    principal = {"DataLakePrincipalIdentifier": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    formation.grant_permissions(Principal=principal, Resource=resource, Permissions=["SELECT"])


def client(stage, service, role):
    given = stage.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="trial")
    keys = given["Credentials"]
    return boto3.client(
        service,
        endpoint_url=stage.endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


@dataclass(frozen=True)
class Somebody:
    """A role that runs statements within this process: what a query of it comes to, without waiting for its turn."""

    stage: StageContext
    role: str

    def run(self, sql):
        who = Caller(self.role, f"arn:aws:iam::{ACCOUNT}:role/{self.role}")
        job = Job(self.stage, "one", "lake", f"s3://results/{self.role}/", caller=who)
        try:
            if not is_query(sql):
                done = run_statement(job, sql)
                return QueryResult(tuple(done.columns), (), tuple(map(tuple, done.rows)), done.scanned_bytes)
            session = job.open_session()
            try:
                columns, batches = session.run(sql)
                rows = tuple(found for batch in batches for found in batch)
            finally:
                job.close_session(session)
        except AthenaFailure as failure:
            raise RejectedInputError("query_failed", str(failure)) from None
        return QueryResult(tuple(column.name for column in columns), (), rows, session.scanned_bytes)
