"""Stateless: the programs' door, an HTTP API whose callers sign with their AWS credentials."""

from aws_cdk import CfnOutput
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.access_log import log_access, tell_refusals
from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission, read_items, read_objects, write_items, write_objects
from infra.names import Names
from infra.stacks.acts import ActsStack
from infra.stacks.catalog import CatalogStack
from infra.stacks.intake import IntakeStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig

ROUTES = (
    "POST /ingest",
    "GET /ingest/{submission_id}",
    "POST /ingest/{submission_id}/complete",
    "GET /ingest/{submission_id}/files/{name}/parts",
    "POST /ingest/{submission_id}/files/{name}/parts",
    "POST /ingest/{submission_id}/files/{name}/complete",
)
_TIMEOUT_S = 29


class ApiStack(PartStack):
    """HTTP API -> `ingest`. Whoever may call it is granted `execute-api:Invoke` by the account's own policies."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        catalog: CatalogStack,
        network: NetworkStack,
        intake: IntakeStack,
        acts: ActsStack,
    ) -> None:
        super().__init__(scope, "api", stage=stage, names=names, contents="the programs' door")
        self.function = PlatformFunction(
            self,
            "Ingest",
            name="ingest",
            stage=stage,
            names=names,
            layers=Layers(self, "Layers", stage=stage),
            environment={"LANDING_BUCKET": storage.landing.name, "SUBMISSIONS_TABLE": catalog.submissions.name},
            permissions=[
                *read_objects(storage.landing, prefix="submissions/"),
                *write_objects(storage.landing, prefix="submissions/"),
                Permission(
                    actions=["s3:ListMultipartUploadParts"],
                    resources=[f"{storage.landing.arn}/submissions/*"],
                    wildcard_reason="object keys derive from submission ids, which are not known at deployment",
                ),
                *read_items(catalog.submissions),
                *write_items(catalog.submissions),
            ],
            vpc=network.vpc,
            security_group=network.clients,
            key=storage.keys.operations,
            failed_events=intake.dead_letters,
            timeout_s=_TIMEOUT_S,
        )
        api = apigateway.CfnApi(
            self, "Api", name=names.of("ingest"), protocol_type="HTTP", description="Uploads of programs"
        )
        integration = apigateway.CfnIntegration(
            self,
            "Integration",
            api_id=api.ref,
            integration_type="AWS_PROXY",
            integration_uri=self.function.function.function_arn,
            payload_format_version="2.0",
            timeout_in_millis=_TIMEOUT_S * 1000,
        )
        for route in ROUTES:
            apigateway.CfnRoute(
                self,
                "".join(word.strip("/{}").title().replace("_", "") for word in route.replace("/", " /").split()),
                api_id=api.ref,
                route_key=route,
                authorization_type="AWS_IAM",
                target=f"integrations/{integration.ref}",
            )
        log_group = encrypted_log_group(
            self, "AccessLogs", name=names.log_group("api", "ingest"), key=storage.keys.operations, stage=stage
        )
        tell_refusals(self, log_group, acts.function)
        apigateway.CfnStage(
            self,
            "Stage",
            api_id=api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=log_access(log_group),
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_burst_limit=100, throttling_rate_limit=50, detailed_metrics_enabled=True
            ),
        )
        lambda_.CfnPermission(
            self,
            "ApiInvokes",
            action="lambda:InvokeFunction",
            function_name=self.function.function.function_name,
            principal="apigateway.amazonaws.com",
            source_arn=names.arn("execute-api", f"{api.ref}/*/*/ingest*"),
        )
        CfnOutput(self, "IngestUrl", value=api.attr_api_endpoint)
