"""Batch jobs: one image, one role, one log group."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import bundling
from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission, write_logs
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stages import StageConfig

ATTEMPTS = 3
EXIT_TRY_AGAIN = "75"


class PlatformJob(Construct):
    """`batch_images/{name}/` as a job definition: tried again when the host went or the job asked for it, else not."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: StageConfig,
        names: Names,
        environment: Mapping[str, str],
        permissions: Sequence[Permission],
        execution_role: LeastPrivilegeRole,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        size = stage.job_sizes[name]
        log_group = encrypted_log_group(self, "Logs", name=names.log_group("jobs", name), key=key, stage=stage)
        role = LeastPrivilegeRole(self, "Job", service="ecs-tasks.amazonaws.com", permissions=permissions)
        context = bundling.image_context(name)
        self.name = name
        self.definition = batch.EcsJobDefinition(
            self,
            "Definition",
            job_definition_name=names.of(name),
            propagate_tags=True,
            timeout=Duration.seconds(size.timeout_s),
            retry_attempts=ATTEMPTS,
            retry_strategies=[
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.custom(on_exit_code=EXIT_TRY_AGAIN)),
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.SPOT_INSTANCE_RECLAIMED),
                batch.RetryStrategy.of(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
            ],
            container=batch.EcsEc2ContainerDefinition(
                self,
                "Container",
                image=ecs.ContainerImage.from_docker_image_asset(
                    ecr_assets.DockerImageAsset(
                        self,
                        "Image",
                        directory=str(context.path),
                        platform=ecr_assets.Platform.LINUX_AMD64,
                        extra_hash=context.content_hash,
                        asset_name=name,
                    )
                ),
                cpu=size.vcpus,
                memory=Size.mebibytes(size.memory_mib),
                job_role=role.role,
                execution_role=execution_role.role,
                environment={
                    "STAGE": stage.name,
                    "POWERTOOLS_SERVICE_NAME": name,
                    "POWERTOOLS_METRICS_NAMESPACE": "Strandline",
                    "THREADS": str(size.vcpus),
                    **environment,
                },
                logging=ecs.LogDriver.aws_logs(stream_prefix=name, log_group=log_group),
                privileged=False,
            ),
        )
        role.complete_before(self.definition)

    @staticmethod
    def log_permissions(names: Names) -> list[Permission]:
        """What the execution role needs to write the logs of every job of the stage."""
        return write_logs(names.arn("logs", f"log-group:{names.log_group('jobs', '*')}"))
