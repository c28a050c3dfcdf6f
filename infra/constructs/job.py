"""Batch jobs: one image, one role, one log group."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import bundling
from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission, write_logs
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stages import JobSize, StageConfig

ATTEMPTS = 3
EXIT_TRY_AGAIN = "75"
_HOST_RECLAIMED = "Host EC2*"
_OUT_OF_MEMORY = "OutOfMemoryError*"  # the same again would end the same
_EXIT_KILLED = "137"  # by a signal from outside


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
        build_args: Mapping[str, str] | None = None,
        target: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        size = stage.size_of(name)
        log_group = encrypted_log_group(self, "Logs", name=names.log_group("jobs", name), key=key, stage=stage)
        role = LeastPrivilegeRole(self, "Job", service="ecs-tasks.amazonaws.com", permissions=permissions)
        context = bundling.image_context(name)
        image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(context.path),
            platform=ecr_assets.Platform.LINUX_AMD64,
            extra_hash=context.content_hash,
            asset_name=name,
            build_args=dict(build_args) if build_args else None,
            target=target,
        )
        variables = {
            "STAGE": stage.name,
            "POWERTOOLS_SERVICE_NAME": name,
            "POWERTOOLS_METRICS_NAMESPACE": "Strandline",
            "THREADS": str(size.vcpus),
            "CODE_VERSION": context.content_hash,
            **environment,
        }
        self.name = name
        self.role_arn = role.role.role_arn
        self.definition = batch.CfnJobDefinition(
            self,
            "Definition",
            type="container",
            job_definition_name=names.of(name),
            platform_capabilities=["EC2"],
            propagate_tags=True,
            timeout=batch.CfnJobDefinition.TimeoutProperty(attempt_duration_seconds=size.timeout_s),
            retry_strategy=_retry_strategy(),
            container_properties=batch.CfnJobDefinition.ContainerPropertiesProperty(
                image=image.image_uri,
                resource_requirements=_reserve(size),
                job_role_arn=role.role.role_arn,
                execution_role_arn=execution_role.role.role_arn,
                environment=[
                    batch.CfnJobDefinition.EnvironmentProperty(name=key, value=value)
                    for key, value in variables.items()
                ],
                log_configuration=batch.CfnJobDefinition.LogConfigurationProperty(
                    log_driver="awslogs",
                    options={
                        "awslogs-group": log_group.log_group_name,
                        "awslogs-region": names.region,
                        "awslogs-stream-prefix": name,
                    },
                ),
                privileged=False,
                readonly_root_filesystem=False,
            ),
        )
        role.complete_before(self.definition)

    @staticmethod
    def log_permissions(names: Names) -> list[Permission]:
        """What the execution role needs to write the logs of every job of the stage."""
        return write_logs(names.arn("logs", f"log-group:{names.log_group('jobs', '*')}"))


def _retry_strategy() -> batch.CfnJobDefinition.RetryStrategyProperty:
    """Batch takes the first line that fits how the attempt ended."""
    end = batch.CfnJobDefinition.EvaluateOnExitProperty
    return batch.CfnJobDefinition.RetryStrategyProperty(
        attempts=ATTEMPTS,
        evaluate_on_exit=[
            end(action="RETRY", on_exit_code=EXIT_TRY_AGAIN),
            end(action="RETRY", on_status_reason=_HOST_RECLAIMED),
            end(action="EXIT", on_reason=_OUT_OF_MEMORY),
            end(action="RETRY", on_exit_code=_EXIT_KILLED),
            end(action="EXIT", on_reason="*"),
        ],
    )


def _reserve(size: JobSize) -> list[batch.CfnJobDefinition.ResourceRequirementProperty]:
    need = batch.CfnJobDefinition.ResourceRequirementProperty
    reserved = [need(type="VCPU", value=str(size.vcpus)), need(type="MEMORY", value=str(size.memory_mib))]
    return [*reserved, need(type="GPU", value=str(size.gpus))] if size.gpus else reserved
