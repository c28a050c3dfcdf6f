"""What an HTTP API was asked and answered, and whom it refused before a function ran."""

import json
from typing import Final

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acts import access_log_pattern
from infra.constructs.function import PlatformFunction

_LOGGED: Final = (
    *("requestId", "requestTime", "routeKey", "status", "responseLength"),
    *("integrationStatus", "integrationErrorMessage"),
)
"""No path and no caller: a path has a patient's pseudonym in it, or may be typed with a sample's name."""


def log_access(group: logs.LogGroup) -> apigateway.CfnStage.AccessLogSettingsProperty:
    """The settings by which the stage of an API writes a line a request to `group`."""
    return apigateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=group.log_group_arn,
        format=json.dumps({name: f"$context.{name}" for name in _LOGGED}),
    )


def tell_refusals(scope: Construct, group: logs.LogGroup, note_act: PlatformFunction) -> None:
    """Have CloudWatch Logs hand the lines of refused callers to `note_act`, which tells the audit log of them."""
    name = note_act.function.function_name
    allowed = lambda_.CfnPermission(
        scope,
        "RefusalsInvoke",
        action="lambda:InvokeFunction",
        function_name=name,
        principal="logs.amazonaws.com",
        source_arn=group.log_group_arn,
    )
    told = logs.CfnSubscriptionFilter(
        scope,
        "Refusals",
        log_group_name=group.log_group_name,
        filter_pattern=access_log_pattern(),
        destination_arn=note_act.function.function_arn,
    )
    told.add_dependency(allowed)  # CloudWatch tries to reach the function at once
