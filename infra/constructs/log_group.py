"""Encrypted logs with an end."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.stages import StageConfig

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    2557: logs.RetentionDays.SEVEN_YEARS,
}


def encrypted_log_group(
    scope: Construct, construct_id: str, *, name: str, key: kms.IKey, stage: StageConfig
) -> logs.LogGroup:
    """A log group under `key` that keeps lines as long as the stage says and outlives its stack where data is kept."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        encryption_key=key,
        retention=_RETENTION[stage.log_retention_days],
        removal_policy=RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY,
    )
