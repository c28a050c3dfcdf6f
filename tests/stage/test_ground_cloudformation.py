"""CloudFormation of the embedded AWS: functions, refusals, read-back, updates and exports."""

import json

import pytest
from botocore.exceptions import ClientError

from local_stage import server
from local_stage.cloudformation.catalogue import known_types
from local_stage.cloudformation.resources import ResourceError, confirm
from local_stage.cloudformation.template import Resolver, TemplateError, in_order, read_template


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    aws = server.start(tmp_path_factory.mktemp("stage"), extensions=())
    yield aws
    aws.stop()


@pytest.fixture
def cloudformation(aws):
    return aws.context.client("cloudformation")


def queue(**properties) -> dict:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def resolver(**sections) -> Resolver:
    template = read_template(json.dumps({"Resources": {"Any": queue()}, **sections}))
    values = {"AWS::Region": "us-east-1", "Name": "n", "List": ["a", "b"]}
    return Resolver(
        template, values, lambda name: f"ref-{name}", lambda name, part: f"{name}.{part}", lambda name: f"import-{name}"
    )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "Name"}, "n"),
        ({"Ref": "Queue"}, "ref-Queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "Queue.Arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "Queue.Arn"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 1]]}, "a-n-1"),
        ({"Fn::Sub": "${Name} ${Queue.Arn} ${!Kept} ${AWS::Region}"}, "n Queue.Arn ${Kept} us-east-1"),
        ({"Fn::Sub": ["${x}/${Name}", {"x": {"Ref": "Queue"}}]}, "ref-Queue/n"),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "size"]}, 3),
        ({"Fn::If": ["Yes", "then", "else"]}, "then"),
        ([{"Fn::If": ["No", "then", {"Ref": "AWS::NoValue"}]}, "rest"], ["rest"]),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-out"}}, "import-n-out"),
        ({"Fn::Base64": "a"}, "YQ=="),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}}}, '{"a":"n"}'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_functions_give_what_the_reference_says(node, expected):
    conditions = {
        "Yes": {"Fn::And": [{"Fn::Equals": [{"Ref": "Name"}, "n"]}, {"Fn::Not": [{"Condition": "No"}]}]},
        "No": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Contains": [["x"], "y"]}]},
    }
    mappings = {"Map": {"us-east-1": {"size": 3}}}
    assert resolver(Conditions=conditions, Mappings=mappings).resolve(node) == expected


def test_an_unknown_function_is_an_error():
    with pytest.raises(TemplateError, match="Fn::Transform is not handled here"):
        resolver().resolve({"Fn::Transform": {}})


def test_resources_come_after_what_they_need():
    resources = {
        "C": queue(QueueName={"Fn::Sub": "${B.Arn}"}),
        "B": {**queue(), "DependsOn": "A"},
        "A": queue(),
    }
    template = read_template(json.dumps({"Resources": resources}))
    assert in_order(template, set(resources)) == ["A", "B", "C"]


def test_a_circle_of_resources_is_refused():
    resources = {"A": {**queue(), "DependsOn": "B"}, "B": queue(QueueName={"Ref": "A"})}
    with pytest.raises(TemplateError, match="Circular dependency"):
        in_order(read_template(json.dumps({"Resources": resources})), set(resources))


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"Type": "AWS::Nowhere::Thing"}, "does not make AWS::Nowhere::Thing"),
        ({"Type": "Custom::Thing"}, "does not make Custom::Thing"),
        (queue(Colour="red"), "does not handle Colour of AWS::SQS::Queue"),
        (queue(QueueName={"Ref": "Missing"}), "refers to what is not there: Missing"),
        (queue(QueueName={"Fn::ImportValue": "nobody"}), "No export named nobody"),
    ],
    ids=["type", "custom", "property", "reference", "import"],
)
def test_what_cannot_be_made_is_refused_before_anything_is_made(cloudformation, resource, words):
    body = json.dumps({"Resources": {"Good": queue(QueueName="refused-good"), "Bad": resource}})
    with pytest.raises(ClientError, match=words) as refused:
        cloudformation.create_stack(StackName="refused", TemplateBody=body)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert "refused" not in {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}


def test_a_property_that_the_api_does_not_know_takes_the_stack_down_again(aws, cloudformation):
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": "odd",
            "ScheduleExpression": "rate(1 day)",
            "Targets": [{"Id": "a", "Arn": "b", "Odd": 1}],
        },
    }
    body = json.dumps({"Resources": {"Queue": queue(QueueName="rolled-back"), "Rule": {**rule, "DependsOn": "Queue"}}})
    cloudformation.create_stack(StackName="rolled-back", TemplateBody=body)
    stack = cloudformation.describe_stacks(StackName="rolled-back")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "has no Odd in the API" in stack["StackStatusReason"]
    assert not any("rolled-back" in url for url in aws.context.client("sqs").list_queues().get("QueueUrls", []))


def test_a_dropped_property_is_an_error():
    confirm({"Delay": 5, "Tags": [{"Key": "a"}]}, {"delay": "5", "tags": [{"key": "a", "value": ""}]}, "queue")
    with pytest.raises(ResourceError, match=r"queue.Delay was asked for and is not there"):
        confirm({"Delay": 5}, {"Other": 5}, "queue")
    with pytest.raises(ResourceError, match=r"queue.Delay was asked to be 5 and is 0"):
        confirm({"Delay": 5}, {"Delay": 0}, "queue")
    with pytest.raises(ResourceError, match="no such item"):
        confirm([{"Key": "a"}], [{"Key": "b"}], "tags")


def test_a_bucket_gets_all_that_its_template_asks_for(aws, cloudformation):
    properties = {
        "BucketName": "all-asked-for",
        "ObjectLockEnabled": True,
        "ObjectLockConfiguration": {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 7}},
        },
        "VersioningConfiguration": {"Status": "Enabled"},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "RestrictPublicBuckets": True},
        "LifecycleConfiguration": {"Rules": [{"Id": "x", "Status": "Enabled", "ExpirationInDays": 30}]},
    }
    body = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}})
    cloudformation.create_stack(StackName="buckets", TemplateBody=body)
    assert cloudformation.describe_stacks(StackName="buckets")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"

    s3, named = aws.context.client("s3"), {"Bucket": "all-asked-for"}
    lock = s3.get_object_lock_configuration(**named)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"].items() >= {"Mode": "COMPLIANCE", "Days": 7}.items()
    assert s3.get_bucket_versioning(**named)["Status"] == "Enabled"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(**named)
    assert s3.get_bucket_lifecycle_configuration(**named)["Rules"][0]["Expiration"] == {"Days": 30}
    assert s3.get_public_access_block(**named)["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"]


def test_a_stack_is_made_changed_imported_from_and_taken_down(aws, cloudformation):
    sqs = aws.context.client("sqs")
    first = {
        "Resources": {
            "Kept": queue(QueueName="kept", VisibilityTimeout=30),
            "Gone": queue(),
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Kept", "Arn"]}, "Export": {"Name": "kept-arn"}}},
    }
    importing = {"Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}}}}
    importing["Resources"]["Parameter"]["Properties"] |= {"Name": "/kept", "Value": {"Fn::ImportValue": "kept-arn"}}
    cloudformation.create_stack(StackName="exporting", TemplateBody=json.dumps(first))
    cloudformation.create_stack(StackName="importing", TemplateBody=json.dumps(importing))
    arn = cloudformation.describe_stacks(StackName="exporting")["Stacks"][0]["Outputs"][0]["OutputValue"]
    assert aws.context.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == arn

    with pytest.raises(ClientError, match="already exists"):
        cloudformation.create_stack(StackName="exporting", TemplateBody=json.dumps(first))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName="exporting", TemplateBody=json.dumps(first))
    with pytest.raises(ClientError, match="in use by importing"):
        cloudformation.delete_stack(StackName="exporting")

    second = {**first, "Resources": {"Kept": queue(QueueName="kept", VisibilityTimeout=60), "New": queue()}}
    cloudformation.update_stack(StackName="exporting", TemplateBody=json.dumps(second))
    resources = cloudformation.describe_stack_resources(StackName="exporting")["StackResources"]
    assert {item["LogicalResourceId"] for item in resources} == {"Kept", "New"}
    url = next(item["PhysicalResourceId"] for item in resources if item["LogicalResourceId"] == "Kept")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert found == {"VisibilityTimeout": "60"}

    cloudformation.delete_stack(StackName="importing")
    cloudformation.delete_stack(StackName="exporting")
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="exporting")
    statuses = {item["StackName"]: item["StackStatus"] for item in cloudformation.list_stacks()["StackSummaries"]}
    assert statuses["exporting"] == "DELETE_COMPLETE"
    assert url not in sqs.list_queues().get("QueueUrls", [])


def test_what_is_to_be_retained_stays_when_its_stack_goes(aws, cloudformation):
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "retained-bucket"}}
    cloudformation.create_stack(StackName="retaining", TemplateBody=json.dumps({"Resources": {"Bucket": bucket}}))
    cloudformation.delete_stack(StackName="retaining")
    aws.context.client("s3").head_bucket(Bucket="retained-bucket")


def test_a_change_set_is_refused_in_words(cloudformation):
    with pytest.raises(ClientError, match="does not serve CreateChangeSet: use CreateStack"):
        cloudformation.create_change_set(StackName="a", ChangeSetName="b", TemplateBody="{}")


def test_a_recorded_property_is_accepted_with_a_reason_for_each():
    for known in known_types().values():
        assert all(known.recorded.values())
        assert not known.acted & {path for path in known.recorded if path not in {"LoggingConfig", "TracingConfig"}}
