"""Pools of machines for Batch."""

from collections.abc import Sequence

from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.permissions import join_cluster
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stacks.network import NetworkStack
from infra.stages import StageConfig


class Machines(Construct):
    """Machines in the isolated subnets with encrypted scratch space, whose metadata no container can reach."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: StageConfig, names: Names, network: NetworkStack
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = names
        self._subnets = network.vpc.isolated_subnets
        self._security_group = network.clients
        self._instance = LeastPrivilegeRole(
            self, "Instance", service="ec2.amazonaws.com", permissions=join_cluster(names)
        )
        self._profile = iam.CfnInstanceProfile(self, "Profile", roles=[self._instance.role.role_name])
        self._template = ec2.LaunchTemplate(
            self,
            "Template",
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        stage.scratch_gib,
                        encrypted=True,
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                        delete_on_termination=True,
                    ),
                )
            ],
            detailed_monitoring=True,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
        )

    def pool(
        self, construct_id: str, *, instances: Sequence[str], vcpus_max: int, spot: bool = False, gpu: bool = False
    ) -> batch.CfnComputeEnvironment:
        """A compute environment that shrinks to nothing when no job waits.

        Batch acts under its service-linked role, and chooses Spot capacity by price and by how long it is likely to
        stay.
        """
        name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in construct_id).strip("-")
        pool = batch.CfnComputeEnvironment(
            self,
            construct_id,
            compute_environment_name=self._names.of(name),
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=False,
            update_policy=batch.CfnComputeEnvironment.UpdatePolicyProperty(
                terminate_jobs_on_update=False, job_execution_timeout_minutes=60
            ),
            compute_resources=batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type="SPOT" if spot else "EC2",
                allocation_strategy="SPOT_PRICE_CAPACITY_OPTIMIZED" if spot else "BEST_FIT_PROGRESSIVE",
                minv_cpus=0,
                maxv_cpus=vcpus_max,
                instance_types=list(instances),
                instance_role=self._profile.attr_arn,
                subnets=[subnet.subnet_id for subnet in self._subnets],
                security_group_ids=[self._security_group.security_group_id],
                ec2_configuration=[
                    batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(
                        image_type="ECS_AL2023_NVIDIA" if gpu else "ECS_AL2023"
                    )
                ],
                launch_template=batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
                    launch_template_id=self._template.launch_template_id,
                    version=self._template.latest_version_number,
                ),
                update_to_latest_image_version=True,
            ),
        )
        self._instance.complete_before(pool)
        return pool
