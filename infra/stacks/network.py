"""Stateless: where functions and jobs run, without a way to the internet."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.acknowledgement import acknowledge, in_packs
from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig

_SERVICES = {
    # pulling images and reporting to the cluster, for Batch's instances
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "EcsAgent": ec2.InterfaceVpcEndpointAwsService.ECS_AGENT,
    "EcsTelemetry": ec2.InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    # what functions and jobs call
    "StepFunctions": ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "Sns": ec2.InterfaceVpcEndpointAwsService.SNS,
    "Glue": ec2.InterfaceVpcEndpointAwsService.GLUE,
    "Kms": ec2.InterfaceVpcEndpointAwsService.KMS,
    "Lambda": ec2.InterfaceVpcEndpointAwsService.LAMBDA_,
    # the keys that verify tokens
    "CognitoIdp": ec2.InterfaceVpcEndpointAwsService.COGNITO_IDP,
}


class NetworkStack(PartStack):
    """Isolated subnets, endpoints for what is called from them, and a log of every flow."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, "network", stage=stage, names=names, contents="isolated subnets and endpoints")
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(stage.cidr),
            availability_zones=[f"{names.region}{suffix}" for suffix in stage.zone_suffixes],
            nat_gateways=0,
            create_internet_gateway=False,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20)
            ],
        )
        acknowledge(
            self.vpc,
            in_packs("VPCDefaultSecurityGroupClosed"),
            "nothing is placed in the default group; closing it takes a custom resource with rights over every group",
        )
        self._log_flows(stage, names, storage)
        self._add_endpoints(stage)
        self.clients = self._security_group("Clients", "functions and jobs: out by HTTPS, nothing in")
        self.clients.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "endpoints alone: the subnets have no route to the internet"
        )

    def _security_group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, construct_id, vpc=self.vpc, description=description, allow_all_outbound=False)

    def _add_endpoints(self, stage: StageConfig) -> None:
        endpoints = self._security_group("Endpoints", "interface endpoints: in by HTTPS from this network")
        endpoints.add_ingress_rule(ec2.Peer.ipv4(stage.cidr), ec2.Port.HTTPS, "HTTPS from this network")
        for construct_id, service in _SERVICES.items():
            self.vpc.add_interface_endpoint(
                construct_id, service=service, open=False, security_groups=[endpoints], private_dns_enabled=True
            )
        s3 = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        s3.add_to_policy(_own_resources("s3:*", self.account))
        s3.add_to_policy(
            iam.PolicyStatement(
                sid="LayersOfImages",
                principals=[iam.AnyPrincipal()],
                actions=["s3:GetObject"],
                resources=[f"arn:aws:s3:::prod-{self.region}-starport-layer-bucket/*"],
            )
        )
        dynamodb = self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        dynamodb.add_to_policy(_own_resources("dynamodb:*", self.account))

    def _log_flows(self, stage: StageConfig, names: Names, storage: StorageStack) -> None:
        name = names.log_group("network", "flows")
        log_group = encrypted_log_group(self, "FlowLogs", name=name, key=storage.keys.operations, stage=stage)
        delivery = LeastPrivilegeRole(
            self,
            "FlowLogDelivery",
            service="vpc-flow-logs.amazonaws.com",
            permissions=[
                Permission(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    resources=[names.arn("logs", f"log-group:{name}:*")],
                    wildcard_reason="the service names log streams when it makes them",
                ),
                Permission(
                    actions=["logs:DescribeLogGroups"],
                    resources=["*"],
                    wildcard_reason="CloudWatch Logs gives this action no resource to name",
                ),
            ],
        )
        flow_log = ec2.FlowLog(
            self,
            "Flows",
            resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
            traffic_type=ec2.FlowLogTrafficType.ALL,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, delivery.role),
        )
        delivery.complete_before(flow_log)


def _own_resources(actions: str, account: str) -> iam.PolicyStatement:
    """Let nothing out to another account's buckets or tables, whatever a role would allow."""
    return iam.PolicyStatement(
        sid="ResourcesOfThisAccount",
        principals=[iam.AnyPrincipal()],
        actions=[actions],
        resources=["*"],
        conditions={"StringEquals": {"aws:ResourceAccount": account}},
    )
