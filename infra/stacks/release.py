"""Stateless: the release workflow. What leaves the platform leaves it here, signed."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import CfnOutput
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.keys import SIGNS_RELEASES
from infra.constructs.permissions import (
    Permission,
    read_items,
    read_objects,
    read_public_key,
    sign_with,
    tell_audit_log,
    write_items,
    write_objects,
)
from infra.constructs.workflow import Workflow
from infra.names import Names
from infra.stacks.catalog import CatalogStack
from infra.stacks.compute import ComputeStack
from infra.stacks.identity import IdentityStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import DELIVERS, StorageStack
from infra.stacks.workflow import WorkflowStack, run_jobs
from infra.stages import StageConfig

_STEPS: Final = ("prepare_release", "await_signatures", "deliver_release")
_RENDERS: Final = "render_report"
_SIGN_IN_LASTS_S: Final = 120


class ReleaseStack(PartStack):
    """`open_release` queues what came to review; opened by a person it becomes a `release`, which awaits signatures."""

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
        compute: ComputeStack,
        workflow: WorkflowStack,
    ) -> None:
        super().__init__(scope, "release", stage=stage, names=names, contents="signatures and delivery")
        self._stage, self._names, self._network = stage, names, network
        self._key, self._failed_events = storage.keys.operations, workflow.failed_events
        self._layers = Layers(self, "Layers", stage=stage)
        self.release_arn = names.arn("states", f"stateMachine:{names.of('release')}")
        table = {"SUBMISSIONS_TABLE": catalog.submissions.name}
        items = [
            *read_items(catalog.submissions),
            *write_items(catalog.submissions, checks_others=True),
            *tell_audit_log(catalog.audit_queue),
        ]
        go_on = Permission(actions=["states:SendTaskSuccess"], resources=[self.release_arn])
        give_up = Permission(actions=["states:SendTaskFailure"], resources=[self.release_arn])
        start = Permission(actions=["states:StartExecution"], resources=[self.release_arn])
        analysed = read_objects(storage.analysis, prefix="submissions/")
        policy = {"RELEASE_POLICY": stage.release_policy}
        signing = {"RELEASE_SIGNING_KEY": storage.keys.release_signing.key_arn}
        made = [
            self._function("open_release", {**table, "RELEASE_ARN": self.release_arn}, [*items, start]),
            self._function(
                "prepare_release",
                {**table, **policy, "ANALYSIS_BUCKET": storage.analysis.name},
                [*items, *analysed],
            ),
            self._function("await_signatures", table, [*items, go_on]),
            self._function(
                SIGNS_RELEASES,
                {
                    **table,
                    **policy,
                    **signing,
                    "RELEASE_ARN": self.release_arn,
                    "USER_POOL_ID": identity.pool.ref,
                    "USER_POOL_CLIENTS": identity.client.ref,
                    "SIGN_IN_LASTS_S": str(_SIGN_IN_LASTS_S),
                },
                [*items, *sign_with(storage.keys.release_signing), go_on, give_up, start],
                role_name=names.role_of(SIGNS_RELEASES),
            ),
            self._function(
                DELIVERS,
                {
                    **table,
                    **policy,
                    **signing,
                    "ANALYSIS_BUCKET": storage.analysis.name,
                    "DELIVERY_BUCKET": storage.delivery.name,
                },
                [
                    *items,
                    *analysed,
                    *read_objects(storage.delivery, prefix="releases/"),
                    *write_objects(storage.delivery, prefix="releases/"),
                    *read_public_key(storage.keys.release_signing),
                ],
                role_name=names.role_of(DELIVERS),
                timeout_s=240,
            ),
        ]
        self.functions = {function.name: function for function in made}
        self.workflow = self._workflow(compute, workflow)
        self._open_what_comes_to_review(workflow)
        CfnOutput(self, "ReleaseArn", value=self.workflow.state_machine.state_machine_arn)
        CfnOutput(self, "OpenReleaseFunction", value=names.of("open_release"))
        CfnOutput(self, "SignReleaseFunction", value=names.of(SIGNS_RELEASES))
        CfnOutput(self, "DeliverReleaseFunction", value=names.of(DELIVERS))

    def _function(
        self,
        name: str,
        environment: Mapping[str, str],
        permissions: Sequence[Permission],
        *,
        role_name: str | None = None,
        timeout_s: int = 60,
    ) -> PlatformFunction:
        return PlatformFunction(
            self,
            _title(name),
            name=name,
            stage=self._stage,
            names=self._names,
            layers=self._layers,
            environment=environment,
            permissions=permissions,
            vpc=self._network.vpc,
            security_group=self._network.clients,
            key=self._key,
            failed_events=self._failed_events,
            reads_sequences=True,  # its layer brings what signs and verifies
            memory_mib=1024,
            timeout_s=timeout_s,
            role_name=role_name,
        )

    def _workflow(self, compute: ComputeStack, workflow: WorkflowStack) -> Workflow:
        functions = {name: self.functions[name] for name in _STEPS} | {
            "build_bundle": workflow.functions["build_bundle"]
        }
        arns = {name: function.function.function_arn for name, function in functions.items()}
        queue = compute.cpu_queue.attr_job_queue_arn
        return Workflow(
            self,
            "Release",
            name="release",
            stage=self._stage,
            names=self._names,
            substitutions={
                "CpuQueueArn": queue,
                f"{_title(_RENDERS)}JobArn": compute.job_by_name[_RENDERS].definition.ref,
                **{f"{_title(name)}FunctionArn": arn for name, arn in arns.items()},
            },
            permissions=[
                Permission(actions=["lambda:InvokeFunction"], resources=list(arns.values())),
                *run_jobs(self._names, [queue], [_RENDERS]),
            ],
            key=self._key,
        )

    def _open_what_comes_to_review(self, workflow: WorkflowStack) -> None:
        """The analysis ends when its submission is in review; what comes after takes none of its time."""
        opening = self.functions["open_release"]
        rule = events.CfnRule(
            self,
            "CameToReview",
            name=self._names.of("came-to-review"),
            description="An analysis has ended well: its submission is in review",
            event_pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "status": ["SUCCEEDED"],
                    "stateMachineArn": [workflow.workflow.state_machine.state_machine_arn],
                },
            },
            targets=[events.CfnRule.TargetProperty(id="open-release", arn=opening.function.function_arn)],
        )
        lambda_.CfnPermission(
            self,
            "CameToReviewInvokes",
            action="lambda:InvokeFunction",
            function_name=opening.function.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )


def _title(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))
