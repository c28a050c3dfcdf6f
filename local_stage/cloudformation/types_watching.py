"""CloudWatch's logs, alarms and dashboards."""

import json

from local_stage.cloudformation.resources import (
    Made,
    Request,
    ResourceError,
    ResourceType,
    again,
    attempt,
    confirm,
    leave,
)


def _create_group(request: Request) -> Made:
    name = request.name("LogGroupName", longest=512)
    asked = request.take("KmsKeyId", "LogGroupClass")
    attempt(
        lambda: request.call("logs", "CreateLogGroup", LogGroupName=name, **asked),
        "ResourceAlreadyExistsException",  # a retained group of an earlier stack, or one that a job has made
    )
    return _configure_group(request, Made(name))


def _configure_group(request: Request, made: Made) -> Made:
    name = made.physical_id
    if days := request.properties.get("RetentionInDays"):
        request.call("logs", "PutRetentionPolicy", LogGroupName=name, RetentionInDays=days)
    groups = request.call("logs", "DescribeLogGroups", LogGroupNamePrefix=name)["logGroups"]
    found = next(group for group in groups if group["logGroupName"] == name)
    confirm(request.take("RetentionInDays", "KmsKeyId"), found, f"log group {name}")
    made.attributes["Arn"] = found["arn"]
    return made


def _delete_group(request: Request, made: Made) -> None:
    attempt(lambda: request.call("logs", "DeleteLogGroup", LogGroupName=made.physical_id), "ResourceNotFoundException")


def _create_filter(request: Request) -> Made:
    name = request.name("FilterName", longest=512)
    asked = request.take("FilterPattern", "LogGroupName", "MetricTransformations")
    request.call("logs", "PutMetricFilter", FilterName=name, **asked)
    found = request.call("logs", "DescribeMetricFilters", LogGroupName=asked["LogGroupName"], FilterNamePrefix=name)
    confirm([asked], found["metricFilters"], f"metric filter {name}")
    return Made(name)


def _delete_filter(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("logs", "DeleteMetricFilter", FilterName=made.physical_id, **request.take("LogGroupName")),
        "ResourceNotFoundException",
    )


def _create_subscription(request: Request) -> Made:
    name = request.name("FilterName", longest=512)
    asked = request.take("FilterPattern", "LogGroupName", "DestinationArn")
    request.call("logs", "PutSubscriptionFilter", FilterName=name, **asked)
    found = request.call("logs", "DescribeSubscriptionFilters", LogGroupName=asked["LogGroupName"])
    confirm([asked], found["subscriptionFilters"], f"subscription filter {name}")
    return Made(name)


def _delete_subscription(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call(
            "logs", "DeleteSubscriptionFilter", FilterName=made.physical_id, **request.take("LogGroupName")
        ),
        "ResourceNotFoundException",
    )


def _create_log_policy(request: Request) -> Made:
    name, document = request.properties["PolicyName"], request.properties["PolicyDocument"]
    text = document if isinstance(document, str) else json.dumps(document)
    request.call("logs", "PutResourcePolicy", PolicyName=name, PolicyDocument=text)
    policies = request.call("logs", "DescribeResourcePolicies")["resourcePolicies"]
    confirm([{"policyName": name, "policyDocument": text}], policies, f"log policy {name}")
    return Made(name)


_ALARM = (
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)


def _create_alarm(request: Request) -> Made:
    name = request.name("AlarmName", longest=255)
    asked = request.take(*_ALARM)
    request.call("cloudwatch", "PutMetricAlarm", AlarmName=name, **asked)
    alarms = request.call("cloudwatch", "DescribeAlarms", AlarmNames=[name])["MetricAlarms"]
    if not alarms:
        raise ResourceError(f"alarm {name} is not there after creation")
    confirm(asked, alarms[0], f"alarm {name}")
    return Made(name, {"Arn": alarms[0]["AlarmArn"]})


def _create_composite(request: Request) -> Made:
    name = request.name("AlarmName", longest=255)
    asked = request.take(
        "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmRule", "InsufficientDataActions", "OKActions"
    )
    request.call("cloudwatch", "PutCompositeAlarm", AlarmName=name, **asked)
    found = request.call("cloudwatch", "DescribeAlarms", AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    confirm([asked], found["CompositeAlarms"], f"alarm {name}")
    return Made(name, {"Arn": found["CompositeAlarms"][0]["AlarmArn"]})


def _delete_alarm(request: Request, made: Made) -> None:
    attempt(lambda: request.call("cloudwatch", "DeleteAlarms", AlarmNames=[made.physical_id]), "ResourceNotFound")


def _create_dashboard(request: Request) -> Made:
    name = request.name("DashboardName", longest=255)
    body = request.properties["DashboardBody"]
    request.call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody=body)
    found = request.call("cloudwatch", "GetDashboard", DashboardName=name)["DashboardBody"]
    confirm(json.loads(body), found, f"dashboard {name}")
    return Made(name)


def _delete_dashboard(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("cloudwatch", "DeleteDashboards", DashboardNames=[made.physical_id]), "ResourceNotFound"
    )


def _alarm(request: Request, made: Made) -> object:
    found = request.call("cloudwatch", "DescribeAlarms", AlarmNames=[made.physical_id])["MetricAlarms"]
    if not found:
        raise ResourceError("it is gone")
    return found[0]


TYPES = [
    ResourceType(
        "AWS::Logs::LogGroup",
        _create_group,
        _delete_group,
        frozenset({"LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass"}),
        update=_configure_group,
    ),
    ResourceType(
        "AWS::Logs::MetricFilter",
        _create_filter,
        _delete_filter,
        frozenset({"FilterName", "FilterPattern", "LogGroupName", "MetricTransformations"}),
    ),
    ResourceType(
        "AWS::Logs::SubscriptionFilter",
        _create_subscription,
        _delete_subscription,
        frozenset({"FilterName", "FilterPattern", "LogGroupName", "DestinationArn"}),
    ),
    ResourceType(
        "AWS::Logs::ResourcePolicy",
        _create_log_policy,
        lambda request, made: request.call("logs", "DeleteResourcePolicy", PolicyName=made.physical_id),
        frozenset({"PolicyName", "PolicyDocument"}),
        update=again(_create_log_policy),
    ),
    ResourceType(
        "AWS::CloudWatch::Alarm",
        _create_alarm,
        _delete_alarm,
        frozenset({*_ALARM, "AlarmName"}),
        look=_alarm,
    ),
    ResourceType(
        "AWS::CloudWatch::CompositeAlarm",
        _create_composite,
        _delete_alarm,
        frozenset(
            {"AlarmName", "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmRule"}
            | {"InsufficientDataActions", "OKActions"}
        ),
    ),
    ResourceType(
        "AWS::CloudWatch::Dashboard",
        _create_dashboard,
        _delete_dashboard,
        frozenset({"DashboardName", "DashboardBody"}),
    ),
    ResourceType(
        "AWS::CDK::Metadata",
        lambda request: Made(request.logical_id),
        leave,
        frozenset(),
        {"Analytics": "it only counts which constructs are used"},
        update=again(lambda request: Made(request.logical_id)),
    ),
]
