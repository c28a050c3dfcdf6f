"""SQS, SNS and EventBridge."""

import json
from functools import partial

from local_stage.cloudformation.resources import (
    Made,
    Request,
    ResourceError,
    ResourceType,
    again,
    attempt,
    confirm,
    leave,
    tags_as_list,
)
from local_stage.cloudformation.template import Json

_QUEUE_NUMBERS = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "KmsDataKeyReusePeriodSeconds",
)
_QUEUE_TEXTS = ("KmsMasterKeyId", "SqsManagedSseEnabled", "FifoQueue", "ContentBasedDeduplication")


def _create_queue(request: Request) -> Made:
    name = request.name("QueueName", longest=80)
    if str(request.properties.get("FifoQueue")).lower() == "true" and not name.endswith(".fifo"):
        name = f"{name[:75]}.fifo"
    url = request.call("sqs", "CreateQueue", QueueName=name, Attributes=_queue_attributes(request))["QueueUrl"]
    return _confirm_queue(request, Made(url, {"QueueName": name, "QueueUrl": url}))


def _update_queue(request: Request, made: Made) -> Made:
    fixed = {"FifoQueue"}
    attributes = {key: value for key, value in _queue_attributes(request).items() if key not in fixed}
    request.call("sqs", "SetQueueAttributes", QueueUrl=made.physical_id, Attributes=attributes)
    return _confirm_queue(request, made)


def _confirm_queue(request: Request, made: Made) -> Made:
    found = request.call("sqs", "GetQueueAttributes", QueueUrl=made.physical_id, AttributeNames=["All"])["Attributes"]
    confirm(_queue_attributes(request), found, f"queue {made.attributes['QueueName']}")
    made.attributes["Arn"] = found["QueueArn"]
    return made


def _queue_attributes(request: Request) -> dict[str, Json]:
    attributes = {name: str(value) for name, value in request.take(*_QUEUE_NUMBERS).items()}
    attributes |= {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in request.take(*_QUEUE_TEXTS).items()
    }
    for name in ("RedrivePolicy", "RedriveAllowPolicy"):
        if name in request.properties:
            attributes[name] = json.dumps(request.properties[name])
    return attributes


def _delete_queue(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("sqs", "DeleteQueue", QueueUrl=made.physical_id),
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    )


def _create_queue_policy(request: Request) -> Made:
    document = request.properties["PolicyDocument"]
    for url in request.properties["Queues"]:
        request.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": json.dumps(document)})
        found = request.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
        confirm(document, found["Policy"], f"policy of {url}")
    return Made(f"{request.stack_name}-{request.logical_id}")


def _delete_queue_policy(request: Request, made: Made) -> None:
    del made
    for url in request.properties["Queues"]:
        clear = partial(request.call, "sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
        attempt(clear, "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def _create_topic(request: Request) -> Made:
    name = request.name("TopicName", longest=256)
    attributes = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in request.take("DisplayName", "KmsMasterKeyId", "FifoTopic").items()
    }
    tags = tags_as_list(request.properties.get("Tags", []))
    arn = request.call("sns", "CreateTopic", Name=name, Attributes=attributes, Tags=tags)["TopicArn"]
    for item in request.properties.get("Subscription", []):
        request.call("sns", "Subscribe", TopicArn=arn, Protocol=item["Protocol"], Endpoint=item["Endpoint"])
    found = request.call("sns", "GetTopicAttributes", TopicArn=arn)["Attributes"]
    confirm(attributes, found, f"topic {name}")
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def _delete_topic(request: Request, made: Made) -> None:
    request.call("sns", "DeleteTopic", TopicArn=made.physical_id)


def _create_topic_policy(request: Request) -> Made:
    document = request.properties["PolicyDocument"]
    for arn in request.properties["Topics"]:
        request.call(
            "sns", "SetTopicAttributes", TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(document)
        )
        found = request.call("sns", "GetTopicAttributes", TopicArn=arn)["Attributes"]
        confirm(document, found["Policy"], f"policy of {arn}")
    return Made(f"{request.stack_name}-{request.logical_id}")


def _create_subscription(request: Request) -> Made:
    asked = request.take("TopicArn", "Protocol", "Endpoint")
    attributes = {
        key: json.dumps(value) if isinstance(value, dict | list) else str(value).lower()
        for key, value in request.take(
            "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"
        ).items()
    }
    answer = request.call("sns", "Subscribe", **asked, Attributes=attributes, ReturnSubscriptionArn=True)
    arn = answer["SubscriptionArn"]
    found = request.call("sns", "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
    confirm({**asked, **attributes}, found, f"subscription of {asked['TopicArn']}")
    return Made(arn, {"Arn": arn})


def _delete_subscription(request: Request, made: Made) -> None:
    request.call("sns", "Unsubscribe", SubscriptionArn=made.physical_id)


def _create_rule(request: Request) -> Made:
    return _configure_rule(request, Made(request.name("Name")))


def _configure_rule(request: Request, made: Made) -> Made:
    name, properties = made.physical_id, request.properties
    asked = request.take("Description", "ScheduleExpression", "State", "RoleArn", "EventBusName")
    if "EventPattern" in properties:
        asked["EventPattern"] = json.dumps(properties["EventPattern"])
    arn = request.call("events", "PutRule", Name=name, **asked)["RuleArn"]
    bus = request.take("EventBusName")
    confirm(asked, request.call("events", "DescribeRule", Name=name, **bus), f"rule {name}")
    listed = request.call("events", "ListTargetsByRule", Rule=name, **bus)["Targets"]
    wanted = properties.get("Targets", [])
    if gone := [item["Id"] for item in listed if item["Id"] not in {target["Id"] for target in wanted}]:
        request.call("events", "RemoveTargets", Rule=name, Ids=gone, **bus)
    if wanted:
        failed = request.call("events", "PutTargets", Rule=name, Targets=wanted, **bus)["FailedEntries"]
        if failed:
            raise ResourceError(f"rule {name}: target {failed[0]['TargetId']}: {failed[0]['ErrorMessage']}")
        found = request.call("events", "ListTargetsByRule", Rule=name, **bus)["Targets"]
        confirm(wanted, found, f"rule {name}.Targets")
    made.attributes["Arn"] = arn
    return made


def _delete_rule(request: Request, made: Made) -> None:
    bus = request.take("EventBusName")

    def remove() -> None:
        targets = request.call("events", "ListTargetsByRule", Rule=made.physical_id, **bus)["Targets"]
        if targets:
            request.call("events", "RemoveTargets", Rule=made.physical_id, Ids=[item["Id"] for item in targets], **bus)
        request.call("events", "DeleteRule", Name=made.physical_id, **bus)

    attempt(remove, "ResourceNotFoundException")


def _create_bus(request: Request) -> Made:
    name = request.properties["Name"]
    asked = request.take("Description")
    arn = request.call("events", "CreateEventBus", Name=name, **asked)["EventBusArn"]
    confirm(asked, request.call("events", "DescribeEventBus", Name=name), f"event bus {name}")
    return Made(name, {"Arn": arn, "Name": name})


def _delete_bus(request: Request, made: Made) -> None:
    request.call("events", "DeleteEventBus", Name=made.physical_id)


TYPES = [
    ResourceType(
        "AWS::SQS::Queue",
        _create_queue,
        _delete_queue,
        frozenset({*_QUEUE_NUMBERS, *_QUEUE_TEXTS, "QueueName", "RedrivePolicy", "RedriveAllowPolicy"}),
        update=_update_queue,
        look=lambda request, made: request.call("sqs", "GetQueueAttributes", QueueUrl=made.physical_id),
    ),
    ResourceType(
        "AWS::SQS::QueuePolicy",
        _create_queue_policy,
        _delete_queue_policy,
        frozenset({"PolicyDocument", "Queues"}),
        update=again(_create_queue_policy),
    ),
    ResourceType(
        "AWS::SNS::Topic",
        _create_topic,
        _delete_topic,
        frozenset({"TopicName", "DisplayName", "KmsMasterKeyId", "FifoTopic", "Subscription", "Tags"}),
        update=again(_create_topic),
        look=lambda request, made: request.call("sns", "GetTopicAttributes", TopicArn=made.physical_id),
    ),
    ResourceType(
        "AWS::SNS::TopicPolicy",
        _create_topic_policy,
        leave,
        frozenset({"PolicyDocument", "Topics"}),
        update=again(_create_topic_policy),
    ),
    ResourceType(
        "AWS::SNS::Subscription",
        _create_subscription,
        _delete_subscription,
        frozenset(
            {"TopicArn", "Protocol", "Endpoint", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery"}
            | {"RedrivePolicy", "DeliveryPolicy"}
        ),
        {"Region": "there is one region"},
        look=lambda request, made: request.call("sns", "GetSubscriptionAttributes", SubscriptionArn=made.physical_id),
    ),
    ResourceType(
        "AWS::Events::Rule",
        _create_rule,
        _delete_rule,
        frozenset(
            {"Name", "Description", "EventPattern", "ScheduleExpression", "State", "Targets", "RoleArn", "EventBusName"}
        ),
        update=_configure_rule,
        look=lambda request, made: request.call(
            "events", "DescribeRule", Name=made.physical_id, **request.take("EventBusName")
        ),
    ),
    ResourceType(
        "AWS::Events::EventBus",
        _create_bus,
        _delete_bus,
        frozenset({"Name", "Description"}),
        look=lambda request, made: request.call("events", "DescribeEventBus", Name=made.physical_id),
    ),
]
