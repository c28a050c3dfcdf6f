"""Roles of functions, jobs and workflows: what they lack is refused as on AWS, and what nobody uses is said. SEC-01.

`unused_permissions.json` is the reviewed list of what a sample's way leaves unused, each with the reason.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local_stage import lifecycle
from local_stage.permissions import Use
from tests.stage.compute_stage import invoke, make_function, new_name, running_stage, wait_until

UNUSED = json.loads((Path(__file__).parent / "unused_permissions.json").read_text())
REFUSED = {("LoadLake", "s3:DeleteObject")}
"""Where another load commits first, pyiceberg would clear away what its own commit left; no job deletes in the lake."""
ON_THE_WAY = {  # but not ValidateFiles, which is a function for a small file and a job for a large one
    *("RegisterObject", "CheckIdentity", "PlanCalling", "RecordState", "BuildBundle", "BuildReport"),
    *("AlignReads", "MeasureQuality", "CallVariants", "Annotate", "FilterAndQc", "LoadLake", "SampleToRelease"),
}
TRIES = """
import boto3
def lambda_handler(event, context):
    s3 = boto3.client("s3")
    said = {}
    for name, call in {
        "read": lambda: s3.get_object(Bucket="data", Key="open/a")["Body"].read(),
        "other": lambda: s3.get_object(Bucket="data", Key="closed/a"),
        "write": lambda: s3.put_object(Bucket="data", Key="open/b", Body=b""),
        "table": lambda: boto3.client("dynamodb").describe_table(TableName="t"),
    }.items():
        try:
            call()
            said[name] = "done"
        except Exception as error:
            said[name] = error.response["Error"]["Code"]
    return said
"""


def short(role):
    """Return what the construct of a role is called: CloudFormation puts the stack before it and letters behind."""
    return role.partition("Role")[0].rpartition("-")[2].removesuffix("Execution").removesuffix("Job")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as context:
        context.client("s3").create_bucket(Bucket="data")
        for key in ("open/a", "closed/a"):
            context.client("s3").put_object(Bucket="data", Key=key, Body=b"here")
        yield context


def role_that_may(stage, *statements):
    name = new_name("role")
    made = stage.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
    stage.client("iam").put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(document))
    return made


def test_a_function_may_do_what_its_role_may_and_nothing_else(stage):
    role = role_that_may(stage, {"Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::data/open/*"})
    said, error = invoke(stage, make_function(stage, TRIES, Role=role))
    assert error is None
    assert said == {
        "read": "done",
        "other": "AccessDenied",
        "write": "AccessDenied",
        "table": "AccessDeniedException",
    }


def test_a_state_machine_invokes_only_the_function_that_its_role_names(stage):
    functions = [make_function(stage, "def lambda_handler(event, context):\n    return 7\n") for _ in range(2)]
    arns = [
        stage.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"] for name in functions
    ]
    role = role_that_may(stage, {"Action": "lambda:InvokeFunction", "Resource": arns[0]})
    client, ended = stage.client("stepfunctions"), []
    for arn in arns:
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": arn, "Payload": {}},
        }
        definition = json.dumps({"StartAt": "Ask", "States": {"Ask": {**task, "End": True}}})
        machine = client.create_state_machine(name=new_name("machine"), definition=definition, roleArn=role)
        started = client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
        ended.append(wait_until(lambda arn=started: end_of(client, arn)))
    assert [one["status"] for one in ended] == ["SUCCEEDED", "FAILED"], ended[0].get("cause")
    assert "not authorized to perform: lambda:InvokeFunction" in ended[1]["cause"]


def end_of(client, arn):
    found = client.describe_execution(executionArn=arn)
    return found if found["status"] != "RUNNING" else None


def test_a_key_of_a_role_that_is_gone_opens_nothing(stage):
    role = role_that_may(stage, {"Action": "*", "Resource": "*"})
    function = make_function(stage, TRIES, Role=role)
    assert invoke(stage, function)[0]["read"] == "done"
    name = role.rpartition("/")[2]
    stage.client("iam").delete_role_policy(RoleName=name, PolicyName="may")
    assert invoke(stage, function)[0]["read"] == "AccessDenied"


def test_keys_that_nobody_was_given_open_nothing(stage):
    from boto3 import client  # noqa: PLC0415 - the stage's own client has other keys

    stranger = client(
        "s3",
        endpoint_url=stage.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="ASIASTRANGER",
        aws_secret_access_key="made-up",
        aws_session_token="made-up",
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.get_object(Bucket="data", Key="open/a")


def test_a_sample_on_its_way_is_refused_nothing_and_leaves_unused_what_was_reviewed(analysed):
    found = lifecycle.permissions("local")
    assert {(short(one.role), one.action) for one in found if one.use is Use.REFUSED} <= REFUSED
    assert {short(one.role) for one in found if one.use is Use.USED} >= ON_THE_WAY
    unused = {(short(one.role), one.action) for one in found if one.use is Use.NEVER_USED} - {
        (role, action)
        for role, action in {(short(one.role), one.action) for one in found}
        for entry in UNUSED
        if role in entry.get("roles", [role]) and any(fnmatchcase(action, each) for each in entry["actions"])
    }
    assert sorted(pair for pair in unused if pair[0] in ON_THE_WAY) == []
