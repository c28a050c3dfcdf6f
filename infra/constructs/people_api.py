"""An HTTP API for people: each route but the open ones wants a token of the stage's user pool."""

from collections.abc import Sequence

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.access_log import log_access, tell_refusals
from infra.constructs.acknowledgement import acknowledge
from infra.constructs.function import PlatformFunction
from infra.constructs.log_group import encrypted_log_group
from infra.names import Names
from infra.stages import StageConfig


class PeopleApi(Construct):
    """API Gateway checks the token (signature, issuer, client, times) before a function runs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        stage: StageConfig,
        names: Names,
        key: kms.IKey,
        issuer: str,
        client_id: str,
        rate_per_s: int,
        note_act: PlatformFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = names
        self.api = apigateway.CfnApi(self, "Api", name=names.of(name), protocol_type="HTTP", description=description)
        self.endpoint = self.api.attr_api_endpoint
        self._authorizer = apigateway.CfnAuthorizer(
            self,
            "People",
            api_id=self.api.ref,
            name="people",
            authorizer_type="JWT",
            identity_source=["$request.header.Authorization"],
            jwt_configuration=apigateway.CfnAuthorizer.JWTConfigurationProperty(audience=[client_id], issuer=issuer),
        )
        log_group = encrypted_log_group(self, "AccessLogs", name=names.log_group("api", name), key=key, stage=stage)
        tell_refusals(self, log_group, note_act)
        apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=log_access(log_group),
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_burst_limit=2 * rate_per_s, throttling_rate_limit=rate_per_s, detailed_metrics_enabled=True
            ),
        )

    def send(
        self,
        routes: Sequence[str],
        to: PlatformFunction,
        *,
        below: str,
        timeout_s: int,
        open_routes: Sequence[str] = (),
    ) -> None:
        """Have a function answer routes, all below one folder; the open ones are answered without a token."""
        integration = apigateway.CfnIntegration(
            self,
            "Integration",
            api_id=self.api.ref,
            integration_type="AWS_PROXY",
            integration_uri=to.function.function_arn,
            payload_format_version="2.0",
            timeout_in_millis=timeout_s * 1000,
        )
        for number, route in enumerate((*open_routes, *routes)):
            is_open = number < len(open_routes)
            made = apigateway.CfnRoute(
                self,
                f"Route{number}",
                api_id=self.api.ref,
                route_key=route,
                authorization_type="NONE" if is_open else "JWT",
                authorizer_id=None if is_open else self._authorizer.ref,
                target=f"integrations/{integration.ref}",
            )
            if is_open:
                acknowledge(
                    made,
                    ("AwsSolutions-APIG4",),
                    "what a client has to read before it has a token; it tells of no patient",
                )
        lambda_.CfnPermission(
            self,
            "ApiInvokes",
            action="lambda:InvokeFunction",
            function_name=to.function.function_name,
            principal="apigateway.amazonaws.com",
            source_arn=self._names.arn("execute-api", f"{self.api.ref}/*/*/{below}/*"),
        )
