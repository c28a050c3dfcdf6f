"""Jobs of Glue: one script, one role, and our package beside it."""

from collections.abc import Mapping, Sequence

from aws_cdk import AssetHashType
from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra import bundling
from infra.constructs.permissions import Permission
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names

GLUE_VERSION = "5.0"  # of Python 3.11
_TIMEOUT_MINUTES = 480
FEWEST_WORKERS = 2  # that Glue gives a Spark job
_REQUIREMENTS = "load_lake"


class GlueSecurity(Construct):
    """What Glue writes for itself is encrypted: logs with the key of operations, and what it keeps between runs."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        of = glue.CfnSecurityConfiguration
        self.name = names.of("glue")
        self.configuration = of(
            self,
            "Configuration",
            name=self.name,
            encryption_configuration=of.EncryptionConfigurationProperty(
                cloud_watch_encryption=of.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=key.key_arn
                ),
                job_bookmarks_encryption=of.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key.key_arn
                ),
            ),
        )


class GlueJob(Construct):
    """`glue_jobs/{name}.py` as a job: one run at a time, tried once more where it failed.

    The script's libraries are those of the image that loads the lake. Glue installs them from the package index when a
    run starts: the job is in no network of ours. `workers` is how many it has at most: Glue gives back those that have
    nothing to do.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        names: Names,
        arguments: Mapping[str, str],
        permissions: Sequence[Permission],
        security: GlueSecurity,
        key: kms.IKey,
        description: str,
        workers: int = FEWEST_WORKERS,
    ) -> None:
        super().__init__(scope, construct_id)
        script = assets.Asset(self, "Script", path=str(bundling.ROOT / "glue_jobs" / f"{name}.py"))
        package = bundling.source_package()
        source = assets.Asset(
            self,
            "Source",
            path=str(package.path),
            asset_hash=package.content_hash,
            asset_hash_type=AssetHashType.CUSTOM,
        )
        role = LeastPrivilegeRole(
            self,
            "Job",
            service="glue.amazonaws.com",
            permissions=[*permissions, *_read_assets(script, source), *_write_logs(names, key)],
        )
        self.role_arn = role.role.role_arn
        self.job = glue.CfnJob(
            self,
            "Definition",
            name=names.of(name),
            description=description,
            role=self.role_arn,
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=script.s3_object_url
            ),
            glue_version=GLUE_VERSION,
            worker_type="G.1X",
            number_of_workers=workers,
            timeout=_TIMEOUT_MINUTES,
            max_retries=1,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=1),
            security_configuration=security.name,
            default_arguments={
                "--extra-py-files": source.s3_object_url,
                "--enable-auto-scaling": "true",
                "--additional-python-modules": ",".join(bundling.pins_of_image(_REQUIREMENTS)),
                **arguments,
            },
        )
        self.job.add_resource_dependency(security.configuration)
        role.complete_before(self.job)


def _read_assets(*read: assets.Asset) -> list[Permission]:
    """Get the script and our package, and nothing else of what was deployed."""
    return [
        Permission(
            actions=["s3:GetObject"],
            resources=[f"arn:aws:s3:::{one.s3_bucket_name}/{one.s3_object_key}" for one in read],
        )
    ]


def _write_logs(names: Names, key: kms.IKey) -> list[Permission]:
    """Write logs. Source: AWS Glue developer guide, "Setting up encryption in AWS Glue" (AssociateKmsKey)."""
    return [
        Permission(
            actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"],
            resources=[names.arn("logs", "log-group:/aws-glue/jobs*")],
            wildcard_reason="Glue makes its log groups itself and names them after the security configuration and role",
        ),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"], resources=[key.key_arn]),
    ]
