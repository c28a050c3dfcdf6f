"""Athena workgroups whose settings nobody can go past: results encrypted, in a folder of their own; bytes bounded."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_athena as athena
from aws_cdk import aws_kms as kms
from constructs import Construct


def bounded_workgroup(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    description: str,
    results: str,
    key: kms.IKey,
    account: str,
    cutoff_bytes: int,
) -> athena.CfnWorkGroup:
    """Make a workgroup. `results` is the address that its queries' results go below."""
    workgroup = athena.CfnWorkGroup(
        scope,
        construct_id,
        name=name,
        description=description,
        work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=cutoff_bytes,
            engine_version=athena.CfnWorkGroup.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
            result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                output_location=results,
                expected_bucket_owner=account,
                encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                    encryption_option="SSE_KMS", kms_key=key.key_arn
                ),
            ),
        ),
    )
    workgroup.apply_removal_policy(RemovalPolicy.RETAIN)
    return workgroup
