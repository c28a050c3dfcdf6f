"""Stateless: the clinicians' door, an HTTP API for FHIR whose callers have a token of the stage's user pool."""

from aws_cdk import CfnOutput
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.people_api import PeopleApi
from infra.constructs.permissions import (
    Permission,
    append_items,
    read_items,
    read_objects,
    tell_audit_log,
    write_objects,
)
from infra.names import Names
from infra.stacks.acts import ActsStack
from infra.stacks.catalog import CatalogStack
from infra.stacks.identity import IdentityStack
from infra.stacks.intake import IntakeStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig

OPEN_ROUTES = ("GET /fhir/metadata", "GET /fhir/.well-known/smart-configuration")
"""What a client reads before it has a token: they tell what the server can do, and of no patient."""
ROUTES = ("GET /fhir/{proxy+}", "POST /fhir/{proxy+}", "DELETE /fhir/$export-status/{job_id}")
_TIMEOUT_S = 29
_RATE_PER_S = 100


class FhirApiStack(PartStack):
    """Deliveries -> `index_release` -> table; HTTP API -> `serve_fhir`, which reads it and tells the audit log."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        identity: IdentityStack,
        catalog: CatalogStack,
        network: NetworkStack,
        intake: IntakeStack,
        acts: ActsStack,
    ) -> None:
        super().__init__(scope, "fhir-api", stage=stage, names=names, contents="the clinicians' door")
        self._stage, self._names, self._network = stage, names, network
        self._storage, self._intake = storage, intake
        self._layers = Layers(self, "Layers", stage=stage)
        tables = {"FHIR_TABLE": catalog.fhir.name, "SUBMISSIONS_TABLE": catalog.submissions.name}
        indexing = self._function(
            "index_release",
            {"DELIVERY_BUCKET": storage.delivery.name, **tables},
            [
                *read_objects(storage.delivery),
                *read_items(catalog.fhir),
                *append_items(catalog.fhir),
                Permission(actions=["dynamodb:DeleteItem"], resources=[catalog.fhir.arn]),
                *tell_audit_log(catalog.audit_queue),
            ],
            timeout_s=300,
        )
        self._index_deliveries(indexing)
        door = PeopleApi(
            self,
            "Door",
            name="fhir",
            description="Released reports as FHIR",
            stage=stage,
            names=names,
            key=storage.keys.operations,
            issuer=identity.issuer,
            client_id=identity.client.ref,
            rate_per_s=_RATE_PER_S,
            note_act=acts.function,
        )
        exports = {"ANALYSIS_BUCKET": storage.analysis.name, **tables}
        exporting = self._function(
            "export_fhir",
            exports,
            [
                *read_items(catalog.fhir),
                Permission(actions=["dynamodb:PutItem"], resources=[catalog.fhir.arn]),
                *tell_audit_log(catalog.audit_queue),
                *write_objects(storage.analysis, prefix="exports/"),
            ],
            timeout_s=900,
        )
        serving = self._function(
            "serve_fhir",
            {
                "FHIR_BASE_URL": f"{door.endpoint}/fhir",
                "EXPORT_FUNCTION": exporting.function.function_name,
                **exports,
            },
            [
                *read_items(catalog.fhir),
                Permission(actions=["dynamodb:PutItem"], resources=[catalog.fhir.arn]),
                *tell_audit_log(catalog.audit_queue),
                *read_objects(storage.analysis, prefix="exports/"),
                Permission(actions=["lambda:InvokeFunction"], resources=[exporting.function.function_arn]),
            ],
            timeout_s=_TIMEOUT_S,
        )
        self.functions = [indexing, exporting, serving]
        door.send(ROUTES, serving, below="fhir", timeout_s=_TIMEOUT_S, open_routes=OPEN_ROUTES)
        for site in stage.sites:
            cognito.CfnUserPoolGroup(
                self,
                f"Site{site.title()}",
                user_pool_id=identity.pool.ref,
                group_name=f"site-{site}",
                description=f"Sees what was released of samples of {site}",
            )
        CfnOutput(self, "FhirUrl", value=f"{door.endpoint}/fhir")

    def _function(
        self, name: str, environment: dict[str, str], permissions: list[Permission], *, timeout_s: int
    ) -> PlatformFunction:
        return PlatformFunction(
            self,
            "".join(word.title() for word in name.split("_")),
            name=name,
            stage=self._stage,
            names=self._names,
            layers=self._layers,
            environment=environment,
            permissions=permissions,
            vpc=self._network.vpc,
            security_group=self._network.clients,
            key=self._storage.keys.operations,
            failed_events=self._intake.dead_letters,
            reads_sequences=True,  # its layer brings the reader and writer of JSON
            memory_mib=1769,
            timeout_s=timeout_s,
        )

    def _index_deliveries(self, indexing: PlatformFunction) -> None:
        """Run on the last file of each delivery."""
        rule = events.CfnRule(
            self,
            "Delivered",
            name=self._names.of("delivered"),
            description="A release, an amendment or a withdrawal was delivered",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [self._storage.delivery.name]},
                    "object": {"key": [{"suffix": "/released.json"}]},
                },
            },
            targets=[events.CfnRule.TargetProperty(id="index-release", arn=indexing.function.function_arn)],
        )
        lambda_.CfnPermission(
            self,
            "DeliveredInvokes",
            action="lambda:InvokeFunction",
            function_name=indexing.function.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )
