"""Stateless: what hears that files have landed, and what expires submissions that stay incomplete."""

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.permissions import (
    Permission,
    list_versions,
    publish,
    read_items,
    read_objects,
    receive_messages,
    seal_audit_log,
    sign_with,
    tell_audit_log,
    write_items,
    write_objects,
)
from infra.constructs.queue import dead_letter_queue
from infra.names import Names
from infra.stacks.catalog import CatalogStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stacks.workflow import WorkflowStack
from infra.stages import RETRY_WINDOW_DAYS, StageConfig

_REGISTER_TIMEOUT_S = 20
_RECEIVE_MAX = 12
"""A failed message comes again after 2, 4, 8 ... 120 seconds: twelve times are a quarter of an hour."""
_SWEEP_SETTLED_S = 300
_SEAL_TIMEOUT_S = 50


class IntakeStack(PartStack):
    """Landing bucket -> EventBridge -> queue -> `register_object`; on a schedule the sweep and the expiry."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        catalog: CatalogStack,
        network: NetworkStack,
        workflow: WorkflowStack,
    ) -> None:
        super().__init__(scope, "intake", stage=stage, names=names, contents="landed objects become submissions")
        self._stage, self._names, self._network = stage, names, network
        self._key = storage.keys.operations
        self._layers = Layers(self, "Layers", stage=stage)
        self.dead_letters = dead_letter_queue(self, "DeadLetters", name=names.of("intake-failed"), key=self._key)
        self.queue = self._landed_objects(storage)
        self.functions = [
            self._register_object(storage, catalog, workflow),
            self._sweep_landing(storage, catalog, workflow),
            self._expire_submissions(storage, catalog, workflow),
            self._seal_audit_log(storage, catalog),
        ]
        CfnOutput(self, "IntakeQueueUrl", value=self.queue.queue_url)
        CfnOutput(self, "IntakeDeadLetterUrl", value=self.dead_letters.queue_url)

    def _landed_objects(self, storage: StorageStack) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=self._names.of("intake"),
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(6 * _REGISTER_TIMEOUT_S),
            retention_period=Duration.days(RETRY_WINDOW_DAYS),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=_RECEIVE_MAX, queue=self.dead_letters),
        )
        rule = events.CfnRule(
            self,
            "ObjectLanded",
            name=self._names.of("object-landed"),
            description="Every object that lands under submissions/",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [storage.landing.name]},
                    "object": {"key": [{"prefix": "submissions/"}]},
                },
            },
            targets=[events.CfnRule.TargetProperty(id="intake", arn=queue.queue_arn)],
        )
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ObjectLandedEvents",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
        return queue

    def _function(
        self,
        name: str,
        environment: dict[str, str],
        permissions: list[Permission],
        timeout_s: int,
        *,
        reads_sequences: bool = False,
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
            key=self._key,
            failed_events=self.dead_letters,
            timeout_s=timeout_s,
            reads_sequences=reads_sequences,
        )

    @staticmethod
    def _machines(workflow: WorkflowStack) -> dict[str, str]:
        """The state machines that a landed file may start, by the variable that names each."""
        return {
            "STATE_MACHINE_ARN": workflow.workflow.state_machine.state_machine_arn,
            "VALIDATE_AHEAD_ARN": workflow.ahead.state_machine.state_machine_arn,
        }

    def _register_object(
        self, storage: StorageStack, catalog: CatalogStack, workflow: WorkflowStack
    ) -> PlatformFunction:
        registering = self._function(
            "register_object",
            {
                "LANDING_BUCKET": storage.landing.name,
                "SUBMISSIONS_TABLE": catalog.submissions.name,
                **self._machines(workflow),
                "INTAKE_QUEUE_URL": self.queue.queue_url,
            },
            [
                *read_objects(storage.landing, prefix="submissions/"),
                *read_items(catalog.submissions),
                *write_items(catalog.submissions, checks_others=True),
                *tell_audit_log(catalog.audit_queue),
                *receive_messages(self.queue.queue_arn, self._key),
                Permission(actions=["states:StartExecution"], resources=list(self._machines(workflow).values())),
            ],
            _REGISTER_TIMEOUT_S,
        )
        registering.function.add_event_source_mapping(
            "LandedObjects",
            event_source_arn=self.queue.queue_arn,
            batch_size=10,
            report_batch_item_failures=True,
            max_concurrency=20,
        )
        return registering

    def _sweep_landing(self, storage: StorageStack, catalog: CatalogStack, workflow: WorkflowStack) -> PlatformFunction:
        sweeping = self._function(
            "sweep_landing",
            {
                "LANDING_BUCKET": storage.landing.name,
                "SUBMISSIONS_TABLE": catalog.submissions.name,
                **self._machines(workflow),
                "SWEEP_SETTLED_S": str(_SWEEP_SETTLED_S),
                "SWEEP_WINDOW_S": str(2 * self._stage.incomplete_after_s),
            },
            [
                *read_objects(storage.landing, prefix="submissions/"),
                *list_versions(storage.landing),
                *read_items(catalog.submissions),
                *write_items(catalog.submissions, checks_others=True),
                *tell_audit_log(catalog.audit_queue),
                Permission(actions=["states:StartExecution"], resources=list(self._machines(workflow).values())),
            ],
            600,
        )
        self._every(15, "Register what landed without an event", sweeping)
        return sweeping

    def _expire_submissions(
        self, storage: StorageStack, catalog: CatalogStack, workflow: WorkflowStack
    ) -> PlatformFunction:
        expiring = self._function(
            "expire_submissions",
            {
                "LANDING_BUCKET": storage.landing.name,
                "QUARANTINE_BUCKET": storage.quarantine.name,
                "SUBMISSIONS_TABLE": catalog.submissions.name,
                "ALERTS_TOPIC_ARN": workflow.alerts.topic_arn,
                "INCOMPLETE_AFTER_S": str(self._stage.incomplete_after_s),
            },
            [
                *read_items(catalog.submissions, indexes=["by_state"]),
                *read_objects(storage.landing, prefix="submissions/"),
                *write_items(catalog.submissions),
                *tell_audit_log(catalog.audit_queue),
                *write_objects(storage.quarantine),
                *publish(workflow.alerts.topic_arn, self._key),
            ],
            240,
        )
        self._every(5, "Expire submissions whose files did not all come", expiring)
        return expiring

    def _seal_audit_log(self, storage: StorageStack, catalog: CatalogStack) -> PlatformFunction:
        sealing = self._function(
            "seal_audit_log",
            {
                "AUDIT_BUCKET": storage.audit.name,
                "AUDIT_QUEUE_TABLE": catalog.audit_queue.name,
                "AUDIT_LOG_TABLE": catalog.audit_log.name,
                "AUDIT_LOG": self._names.of("audit"),
                "AUDIT_SIGNING_KEY": storage.keys.audit_signing.key_arn,
            },
            [
                *seal_audit_log(catalog.audit_queue, catalog.audit_log),
                *write_objects(storage.audit, tags=False),
                *sign_with(storage.keys.audit_signing),
            ],
            _SEAL_TIMEOUT_S,
            reads_sequences=True,  # its layer brings what signs and verifies
        )
        self._every(1, "Give audit entries their places, and sign", sealing)
        return sealing

    def _every(self, minutes: int, description: str, function: PlatformFunction) -> None:
        word, unit = {1: ("Single", "minute"), 5: ("Five", "minutes"), 15: ("Fifteen", "minutes")}[minutes]
        rule = events.CfnRule(
            self,
            f"Every{word}Minutes",
            name=self._names.of(f"every-{word.lower()}-minutes"),
            description=description,
            schedule_expression=f"rate({minutes} {unit})",
            targets=[
                events.CfnRule.TargetProperty(id=function.name.replace("_", "-"), arn=function.function.function_arn)
            ],
        )
        lambda_.CfnPermission(
            self,
            f"Every{word}MinutesInvokes",
            action="lambda:InvokeFunction",
            function_name=function.function.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )
