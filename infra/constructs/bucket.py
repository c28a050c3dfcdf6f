"""Buckets for data that must not leak, change or vanish."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.acknowledgement import acknowledge, in_packs
from infra.constructs.permissions import DataBucket

_ABORT_PARTS = s3.LifecycleRule(id="abort-unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(7))


class PrivateBucket(Construct):
    """Versioned bucket under its data class's key that answers TLS 1.2 and later only, and nobody outside the account.

    With `lock`, a version can be neither altered nor deleted before the retention ends; in COMPLIANCE mode not even by
    the account's root. Source: 21 CFR 11.10(c).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        key: kms.IKey,
        access_logs: s3.IBucket,
        lifecycle: Sequence[s3.LifecycleRule] = (),
        lock: s3.ObjectLockRetention | None = None,
        sends_events: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            object_lock_enabled=lock is not None,
            object_lock_default_retention=lock,
            lifecycle_rules=[_ABORT_PARTS, *lifecycle],
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"{construct_id.lower()}/",
            removal_policy=RemovalPolicy.RETAIN,
        )
        if sends_events:
            # The construct's own switch deploys a custom resource for what is a plain property.
            resource = cast(s3.CfnBucket, self.bucket.node.default_child)
            resource.add_property_override(
                "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
            )
        acknowledge(
            self.bucket,
            in_packs("S3BucketReplicationEnabled"),
            "there is no copy in a second region yet; versions and retention protect the data within this one",
        )
        self.data = DataBucket(name=name, key=key)

    def leave_writing_to(self, role_arn: str) -> None:
        """Deny putting, tagging and deleting objects to everybody but one role, whatever other policies allow.

        A legal hold may be put on what is there: it keeps, and the retention stays when it is lifted.
        """
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OneRoleWrites",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=[
                    *("s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject", "s3:DeleteObjectVersion"),
                    *("s3:PutObjectRetention", "s3:BypassGovernanceRetention"),
                ],
                resources=[self.bucket.arn_for_objects("*")],
                conditions={"ArnNotEquals": {"aws:PrincipalArn": role_arn}},
            )
        )


class AccessLogBucket(Construct):
    """Where S3 writes who read what. S3 delivers such logs only under its own key (SSE-S3)."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str, retention_days: int) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                _ABORT_PARTS,
                s3.LifecycleRule(
                    id="expire",
                    expiration=Duration.days(retention_days),
                    noncurrent_version_expiration=Duration.days(30),
                ),
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(
            self.bucket,
            in_packs("S3DefaultEncryptionKMS"),
            "S3 delivers server access logs only to buckets under SSE-S3",
        )
        acknowledge(
            self.bucket,
            in_packs("S3BucketReplicationEnabled"),
            "access logs concern the buckets of this region and are kept beside them",
        )
