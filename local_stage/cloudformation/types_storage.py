"""S3 buckets and their policies, KMS keys, DynamoDB tables, SSM parameters."""

import json
import time
from typing import Any

from local_stage.cloudformation.resources import (
    Made,
    Request,
    ResourceError,
    ResourceType,
    again,
    attempt,
    confirm,
    error_code,
    tags_as_list,
)
from local_stage.cloudformation.template import Json


def _create_bucket(request: Request) -> Made:
    name = request.name("BucketName", longest=63, lower=True)
    locked = _true(request.properties.get("ObjectLockEnabled"))
    lock: dict[str, Json] = {"ObjectLockEnabledForBucket": True} if locked else {}
    request.call("s3", "CreateBucket", Bucket=name, **lock)
    region = request.context.region
    attributes = {
        "Arn": f"arn:aws:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
    }
    return _configure_bucket(request, Made(name, attributes))


def _configure_bucket(request: Request, made: Made) -> Made:
    bucket, properties = made.physical_id, request.properties
    if request.name("BucketName", longest=63, lower=True) != bucket and "BucketName" in properties:
        raise ResourceError(f"bucket {bucket} cannot be renamed: its objects would stay behind")
    plan: list[tuple[str, str, str, Json]] = [
        ("VersioningConfiguration", "PutBucketVersioning", "VersioningConfiguration", None),
        ("ObjectLockConfiguration", "PutObjectLockConfiguration", "ObjectLockConfiguration", None),
        ("PublicAccessBlockConfiguration", "PutPublicAccessBlock", "PublicAccessBlockConfiguration", None),
        ("OwnershipControls", "PutBucketOwnershipControls", "OwnershipControls", None),
        ("BucketEncryption", "PutBucketEncryption", "ServerSideEncryptionConfiguration", _encryption),
        ("LifecycleConfiguration", "PutBucketLifecycleConfiguration", "LifecycleConfiguration", _lifecycle),
        ("LoggingConfiguration", "PutBucketLogging", "BucketLoggingStatus", _logging),
        ("NotificationConfiguration", "PutBucketNotificationConfiguration", "NotificationConfiguration", _notices),
        ("Tags", "PutBucketTagging", "Tagging", lambda tags: {"TagSet": tags_as_list(tags)}),
    ]
    for name, operation, argument, translate in plan:
        if name not in properties:
            continue
        value = translate(properties[name]) if translate else properties[name]
        if name == "ObjectLockConfiguration" and _default_retention(request, bucket) == value:
            continue  # S3 takes it for new buckets; an update that changes nothing is no change
        request.call("s3", operation, Bucket=bucket, **{argument: value})
        found = request.call("s3", operation.replace("Put", "Get", 1), Bucket=bucket)
        answer = found.get(argument, found)
        wanted = value["LoggingEnabled"] if name == "LoggingConfiguration" else value
        confirm(wanted, found["LoggingEnabled"] if name == "LoggingConfiguration" else answer, f"{bucket}: {name}")
    return made


def _default_retention(request: Request, bucket: str) -> Json:
    try:
        return request.call("s3", "GetObjectLockConfiguration", Bucket=bucket)["ObjectLockConfiguration"]
    except Exception as error:
        if error_code(error) == "ObjectLockConfigurationNotFoundError":
            return None
        raise


def _encryption(value: Json) -> Json:
    return {
        "Rules": [
            {
                "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            }
            for rule in value["ServerSideEncryptionConfiguration"]
        ]
    }


def _lifecycle(value: Json) -> Json:
    return {"Rules": [_lifecycle_rule(index, rule) for index, rule in enumerate(value["Rules"])]}


def _lifecycle_rule(index: int, rule: Json) -> Json:
    rule = dict(rule)
    made: dict[str, Json] = {"ID": rule.pop("Id", f"rule-{index}"), "Status": rule.pop("Status")}
    prefix, tags = rule.pop("Prefix", None), rule.pop("TagFilters", [])
    if (prefix is not None and tags) or len(tags) > 1:
        made["Filter"] = {"And": {**({"Prefix": prefix} if prefix is not None else {}), "Tags": tags}}
    else:
        made["Filter"] = {"Tag": tags[0]} if tags else {"Prefix": prefix or ""}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule.pop("ExpirationInDays"))}
    if "ExpiredObjectDeleteMarker" in rule:
        made["Expiration"] = {"ExpiredObjectDeleteMarker": _true(rule.pop("ExpiredObjectDeleteMarker"))}
    if "Transitions" in rule:
        made["Transitions"] = [
            {"StorageClass": step["StorageClass"], "Days": int(step["TransitionInDays"])}
            for step in rule.pop("Transitions")
        ]
    if "NoncurrentVersionTransitions" in rule:
        made["NoncurrentVersionTransitions"] = [
            {"StorageClass": step["StorageClass"], "NoncurrentDays": int(step["TransitionInDays"])}
            for step in rule.pop("NoncurrentVersionTransitions")
        ]
    for same in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if same in rule:
            made[same] = rule.pop(same)
    if rule:
        raise ResourceError(f"lifecycle rule {made['ID']}: not handled here: {', '.join(rule)}")
    return made


def _logging(value: Json) -> Json:
    return {
        "LoggingEnabled": {
            "TargetBucket": value["DestinationBucketName"],
            "TargetPrefix": value.get("LogFilePrefix", ""),
        }
    }


def _notices(value: Json) -> Json:
    made: dict[str, Json] = {}
    if _true(value.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", "EventBridgeConfiguration" in value)):
        made["EventBridgeConfiguration"] = {}
    for kind, target, name in (
        ("QueueConfigurations", "Queue", "QueueArn"),
        ("TopicConfigurations", "Topic", "TopicArn"),
        ("LambdaConfigurations", "Function", "LambdaFunctionArn"),
    ):
        if value.get(kind):
            made["LambdaFunctionConfigurations" if target == "Function" else kind] = [
                {
                    name: item[target],
                    "Events": [item["Event"]],
                    **(
                        {"Filter": {"Key": {"FilterRules": item["Filter"]["S3Key"]["Rules"]}}}
                        if "Filter" in item
                        else {}
                    ),
                }
                for item in value[kind]
            ]
    return made


def _delete_bucket(request: Request, made: Made) -> None:
    attempt(lambda: request.call("s3", "DeleteBucket", Bucket=made.physical_id), "NoSuchBucket")


def _create_bucket_policy(request: Request) -> Made:
    bucket, document = request.properties["Bucket"], request.properties["PolicyDocument"]
    request.call("s3", "PutBucketPolicy", Bucket=bucket, Policy=json.dumps(document))
    confirm(document, request.call("s3", "GetBucketPolicy", Bucket=bucket)["Policy"], f"policy of {bucket}")
    return Made(bucket)


def _delete_bucket_policy(request: Request, made: Made) -> None:
    attempt(lambda: request.call("s3", "DeleteBucketPolicy", Bucket=made.physical_id), "NoSuchBucket")


def _create_key(request: Request) -> Made:
    policy = request.properties.get("KeyPolicy")
    asked = request.take("Description", "KeySpec", "KeyUsage", "MultiRegion")
    answer = request.call(
        "kms",
        "CreateKey",
        **asked,
        **({"Policy": json.dumps(policy)} if policy else {}),
        Tags=tags_as_list(request.properties.get("Tags", []), "TagKey", "TagValue"),
    )
    metadata = answer["KeyMetadata"]
    made = Made(metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]})
    confirm(asked, metadata, f"key {request.logical_id}")
    return _configure_key(request, made)


def _configure_key(request: Request, made: Made) -> Made:
    key = {"KeyId": made.physical_id}
    if _true(request.properties.get("EnableKeyRotation")):
        request.call("kms", "EnableKeyRotation", **key)
        if not request.call("kms", "GetKeyRotationStatus", **key)["KeyRotationEnabled"]:
            raise ResourceError(f"key {request.logical_id} does not rotate after creation")
    if policy := request.properties.get("KeyPolicy"):
        request.call("kms", "PutKeyPolicy", **key, PolicyName="default", Policy=json.dumps(policy))
        found = request.call("kms", "GetKeyPolicy", **key, PolicyName="default")["Policy"]
        confirm(policy, found, f"key {request.logical_id}.KeyPolicy")
    return made


def _delete_key(request: Request, made: Made) -> None:
    request.call("kms", "ScheduleKeyDeletion", KeyId=made.physical_id, PendingWindowInDays=7)


def _create_alias(request: Request) -> Made:
    name = request.properties["AliasName"]
    attempt(lambda: request.call("kms", "DeleteAlias", AliasName=name), "NotFoundException")
    request.call("kms", "CreateAlias", AliasName=name, TargetKeyId=request.properties["TargetKeyId"])
    found = request.call("kms", "DescribeKey", KeyId=name)["KeyMetadata"]
    if request.properties["TargetKeyId"] not in {found["KeyId"], found["Arn"]}:
        raise ResourceError(f"{name} does not lead to its key")
    return Made(name, {"AliasName": name})


def _delete_alias(request: Request, made: Made) -> None:
    attempt(lambda: request.call("kms", "DeleteAlias", AliasName=made.physical_id), "NotFoundException")


_TABLE_DIRECT = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
    "TableClass",
)


def _create_table(request: Request) -> Made:
    name = request.name("TableName", longest=255)
    asked = request.take(*_TABLE_DIRECT)
    extra: dict[str, Json] = {}
    if sse := request.properties.get("SSESpecification"):
        extra["SSESpecification"] = {("Enabled" if key == "SSEEnabled" else key): value for key, value in sse.items()}
    if stream := request.properties.get("StreamSpecification"):
        extra["StreamSpecification"] = {"StreamEnabled": True, **stream}
    if tags := request.properties.get("Tags"):
        extra["Tags"] = tags_as_list(tags)
    request.call("dynamodb", "CreateTable", TableName=name, **asked, **extra)
    found = _table(request, name)
    expected = {key: value for key, value in asked.items() if key != "BillingMode"}
    confirm(expected, found, f"table {name}")
    if "BillingMode" in asked:
        confirm(asked["BillingMode"], found["BillingModeSummary"]["BillingMode"], f"table {name}.BillingMode")
    if sse and _true(sse.get("SSEEnabled")):
        confirm("ENABLED", found["SSEDescription"]["Status"], f"table {name}.SSESpecification")
    made = Made(name, {"Arn": found["TableArn"], "StreamArn": found.get("LatestStreamArn", "")})
    return _configure_table(request, made)


def _configure_table(request: Request, made: Made) -> Made:
    name, properties = made.physical_id, request.properties
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        request.call("dynamodb", "UpdateContinuousBackups", TableName=name, PointInTimeRecoverySpecification=recovery)
        backups = request.call("dynamodb", "DescribeContinuousBackups", TableName=name)["ContinuousBackupsDescription"]
        status = "ENABLED" if _true(recovery["PointInTimeRecoveryEnabled"]) else "DISABLED"
        confirm(status, backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], f"table {name}: PITR")
    if ttl := properties.get("TimeToLiveSpecification"):
        attempt(
            lambda: request.call("dynamodb", "UpdateTimeToLive", TableName=name, TimeToLiveSpecification=ttl),
            "ValidationException",  # it is set so already
        )
        found = request.call("dynamodb", "DescribeTimeToLive", TableName=name)["TimeToLiveDescription"]
        confirm(ttl["AttributeName"], found.get("AttributeName"), f"table {name}: time to live")
    return made


def _update_table(request: Request, made: Made) -> Made:
    found = _table(request, made.physical_id)
    confirm(
        request.take("AttributeDefinitions", "KeySchema"), found, f"table {made.physical_id} cannot change in place"
    )
    if "DeletionProtectionEnabled" in request.properties:
        request.call("dynamodb", "UpdateTable", TableName=made.physical_id, **request.take("DeletionProtectionEnabled"))
    confirm(request.take("GlobalSecondaryIndexes"), _table(request, made.physical_id), f"table {made.physical_id}")
    return _configure_table(request, made)


def _table(request: Request, name: str) -> Any:
    deadline = time.monotonic() + 10
    while True:
        found = request.call("dynamodb", "DescribeTable", TableName=name)["Table"]
        if found["TableStatus"] == "ACTIVE" or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _delete_table(request: Request, made: Made) -> None:
    attempt(lambda: request.call("dynamodb", "DeleteTable", TableName=made.physical_id), "ResourceNotFoundException")


def _create_parameter(request: Request) -> Made:
    name = request.name("Name", longest=200)
    asked = request.take("Type", "Value", "Description", "Tier", "AllowedPattern", "DataType")
    request.call("ssm", "PutParameter", Name=name, **asked, Overwrite=True)
    found = request.call("ssm", "GetParameter", Name=name)["Parameter"]
    confirm(request.take("Type", "Value"), found, f"parameter {name}")
    return Made(name, {"Type": found["Type"], "Value": found["Value"]})


def _delete_parameter(request: Request, made: Made) -> None:
    attempt(lambda: request.call("ssm", "DeleteParameter", Name=made.physical_id), "ParameterNotFound")


def _true(value: Json) -> bool:
    return str(value).lower() == "true"


TYPES = [
    ResourceType(
        "AWS::S3::Bucket",
        _create_bucket,
        _delete_bucket,
        frozenset(
            {
                "BucketName",
                "ObjectLockEnabled",
                "ObjectLockConfiguration",
                "VersioningConfiguration",
                "PublicAccessBlockConfiguration",
                "OwnershipControls",
                "BucketEncryption",
                "LifecycleConfiguration",
                "LoggingConfiguration",
                "NotificationConfiguration",
                "Tags",
            }
        ),
        update=_configure_bucket,
        look=lambda request, made: request.call("s3", "HeadBucket", Bucket=made.physical_id),
    ),
    ResourceType(
        "AWS::S3::BucketPolicy",
        _create_bucket_policy,
        _delete_bucket_policy,
        frozenset({"Bucket", "PolicyDocument"}),
        update=again(_create_bucket_policy),
        look=lambda request, made: request.call("s3", "GetBucketPolicy", Bucket=made.physical_id),
    ),
    ResourceType(
        "AWS::KMS::Key",
        _create_key,
        _delete_key,
        frozenset({"Description", "EnableKeyRotation", "KeyPolicy", "KeySpec", "KeyUsage", "MultiRegion", "Tags"}),
        {"PendingWindowInDays": "a key lives as long as the stage"},
        update=_configure_key,
        look=lambda request, made: request.call("kms", "DescribeKey", KeyId=made.physical_id),
    ),
    ResourceType(
        "AWS::KMS::Alias",
        _create_alias,
        _delete_alias,
        frozenset({"AliasName", "TargetKeyId"}),
        look=lambda request, made: request.call("kms", "DescribeKey", KeyId=made.physical_id),
    ),
    ResourceType(
        "AWS::DynamoDB::Table",
        _create_table,
        _delete_table,
        frozenset(
            {*_TABLE_DIRECT, "TableName", "PointInTimeRecoverySpecification", "TimeToLiveSpecification"}
            | {"SSESpecification", "StreamSpecification", "Tags"}
        ),
        update=_update_table,
        look=lambda request, made: request.call("dynamodb", "DescribeTable", TableName=made.physical_id),
    ),
    ResourceType(
        "AWS::SSM::Parameter",
        _create_parameter,
        _delete_parameter,
        frozenset({"Name", "Type", "Value", "Description", "Tier", "AllowedPattern", "DataType"}),
        update=again(_create_parameter),
        look=lambda request, made: request.call("ssm", "GetParameter", Name=made.physical_id),
    ),
]
