"""Functions: one folder, one role, one log group."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from aws_cdk import AssetHashType, Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import bundling
from infra.constructs.acknowledgement import acknowledge
from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission, send_messages, trace, use_network_interfaces, write_logs
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stages import StageConfig

_RUNTIMES = {
    "3.11": lambda_.Runtime.PYTHON_3_11,
    "3.12": lambda_.Runtime.PYTHON_3_12,
    "3.13": lambda_.Runtime.PYTHON_3_13,
}


class Layers(Construct):
    """The layers of a stack's functions, each made once and only when a function wants it."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: StageConfig) -> None:
        super().__init__(scope, construct_id)
        self._runtime = stage.function_runtime
        self.runtime = _RUNTIMES[stage.function_runtime.python]

    @cached_property
    def base(self) -> list[lambda_.ILayerVersion]:
        """What every function has: our source and the runtime requirements."""
        return [
            self._layer("Source", bundling.source_layer(), "The strandline package"),
            self._layer(
                "Runtime", bundling.requirements_layer("runtime", self._runtime), "What every function imports"
            ),
        ]

    @cached_property
    def genomics(self) -> lambda_.ILayerVersion:
        """What reads sequencing files and renders reports."""
        return self._layer(
            "Genomics", bundling.requirements_layer("genomics", self._runtime), "Readers of sequencing data"
        )

    def _layer(self, construct_id: str, package: bundling.Package, description: str) -> lambda_.ILayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            code=asset_code(package),
            compatible_runtimes=[self.runtime],
            compatible_architectures=[lambda_.Architecture.X86_64],
            description=description,
        )


def asset_code(package: bundling.Package) -> lambda_.AssetCode:
    """Code whose hash is known already, so that synthesis does not read the files again."""
    return lambda_.Code.from_asset(
        str(package.path),
        asset_hash=package.content_hash,
        asset_hash_type=AssetHashType.CUSTOM,
        exclude=["**/__pycache__"],
    )


class PlatformFunction(Construct):
    """`lambdas/{name}/` as a function in the private subnets, with a role of its own and nothing it does not use."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: StageConfig,
        names: Names,
        layers: Layers,
        environment: Mapping[str, str],
        permissions: Sequence[Permission],
        vpc: ec2.IVpc,
        security_group: ec2.ISecurityGroup,
        key: kms.IKey,
        failed_events: sqs.IQueue,
        reads_sequences: bool = False,
        memory_mib: int = 512,
        timeout_s: int = 60,
        role_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = encrypted_log_group(self, "Logs", name=names.log_group("functions", name), key=key, stage=stage)
        role = LeastPrivilegeRole(
            self,
            "Execution",
            service="lambda.amazonaws.com",
            name=role_name,
            permissions=[
                *permissions,
                *write_logs(names.arn("logs", f"log-group:{names.log_group('functions', name)}")),
                *send_messages(failed_events.queue_arn, key),
                *use_network_interfaces(),
                *trace(),
            ],
        )
        self.name = name
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=names.of(name),
            runtime=layers.runtime,
            architecture=lambda_.Architecture.X86_64,
            code=asset_code(bundling.function_package(name)),
            handler="handler.lambda_handler",
            layers=[*layers.base, *([layers.genomics] if reads_sequences else [])],
            role=role.role,
            environment={
                "STAGE": stage.name,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": "Strandline",
                **environment,
            },
            environment_encryption=key,
            memory_size=memory_mib,
            timeout=Duration.seconds(timeout_s),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[security_group],
            dead_letter_queue=failed_events,
            reserved_concurrent_executions=stage.reserved_concurrency,
        )
        role.complete_before(self.function)
        acknowledge(
            self.function,
            ("AwsSolutions-L1",),
            "the project supports and tests Python 3.11 to 3.13; a newer runtime follows with its next set of pins",
        )
