"""Stateless: what happens outside of our own code and leaves an entry in the audit log."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acts import event_rules
from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.permissions import Permission, tell_audit_log
from infra.names import Names
from infra.stacks.catalog import CatalogStack
from infra.stacks.identity import IdentityStack
from infra.stacks.intake import IntakeStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig


class ActsStack(PartStack):
    """Events of jobs, and of calls that CloudTrail tells -> `note_act` -> the queue of the audit log.

    EventBridge hands over calls where the account has a trail that logs management events; those of IAM come in
    us-east-1 alone.
    """

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
    ) -> None:
        super().__init__(scope, "acts", stage=stage, names=names, contents="what leaves an entry in the audit log")
        self.function = PlatformFunction(
            self,
            "NoteAct",
            name="note_act",
            stage=stage,
            names=names,
            layers=Layers(self, "Layers", stage=stage),
            environment={"SUBMISSIONS_TABLE": catalog.submissions.name},
            permissions=[
                Permission(actions=["dynamodb:PutItem"], resources=[catalog.submissions.arn]),
                *tell_audit_log(catalog.audit_queue),
            ],
            vpc=network.vpc,
            security_group=network.clients,
            key=storage.keys.operations,
            failed_events=intake.dead_letters,
            timeout_s=20,
        )
        ours = {"{stage}": names.of("").rstrip("-"), "{client}": identity.client.ref, "{pool}": identity.pool.ref}
        for name, pattern in event_rules().items():
            self._hand_over(name, _filled(pattern, ours), names)

    def _hand_over(self, name: str, pattern: Any, names: Names) -> None:
        title = "".join(word.title() for word in name.split("_"))
        rule = events.CfnRule(
            self,
            title,
            name=names.of(f"act-{name}"),
            description=f"Tells the audit log: {name.replace('_', ' ')}",
            event_pattern=pattern,
            targets=[events.CfnRule.TargetProperty(id="note-act", arn=self.function.function.function_arn)],
        )
        lambda_.CfnPermission(
            self,
            f"{title}Invokes",
            action="lambda:InvokeFunction",
            function_name=self.function.function.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )


def _filled(pattern: Any, ours: Mapping[str, str]) -> Any:
    if isinstance(pattern, dict):
        return {name: _filled(value, ours) for name, value in pattern.items()}
    if isinstance(pattern, list):
        return [_filled(value, ours) for value in pattern]
    text = str(pattern)
    for name, value in ours.items():
        text = text.replace(name, value)
    return text
