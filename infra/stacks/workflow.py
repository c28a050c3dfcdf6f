"""Stateless: the way of a sample, the functions it calls, and the topic that hears of trouble."""

import json
from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.function import Layers, PlatformFunction
from infra.constructs.permissions import (
    Permission,
    publish,
    read_items,
    read_objects,
    tell_audit_log,
    write_items,
    write_objects,
)
from infra.constructs.queue import dead_letter_queue
from infra.constructs.workflow import Workflow
from infra.names import Names
from infra.stacks.catalog import CatalogStack
from infra.stacks.compute import ComputeStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import JOINT_CALLS, WHOLE_CALLS, StageConfig

_SUBMISSIONS = "submissions/"
_COHORTS = "cohorts/"
_COHORT_FUNCTIONS = ("plan_genotyping", "conclude_cohort")
_COHORT_JOBS = ("joint_genotype", *JOINT_CALLS.values())
_STEADY_COHORT_JOBS = ("joint_gatk",)  # runs for a day: what Spot takes back is lost from its beginning
_RELEASE_JOBS = ("render_report",)


class WorkflowStack(PartStack):
    """`sample_to_release`, `validate_ahead`, `joint_genotype`, and what they call."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        catalog: CatalogStack,
        network: NetworkStack,
        compute: ComputeStack,
    ) -> None:
        super().__init__(scope, "workflow", stage=stage, names=names, contents="state machine, its functions, alerts")
        self._stage, self._names, self._network = stage, names, network
        self._key = storage.keys.operations
        self.layers = Layers(self, "Layers", stage=stage)
        self.failed_events = dead_letter_queue(
            self, "FailedEvents", name=names.of("workflow-failed-events"), key=self._key
        )
        self.alerts = self._alerts()
        self.functions = self._functions(storage, catalog)
        self.workflow = self._sample_to_release(compute)
        self.ahead = self._validate_ahead(compute)
        self.cohorts = self._joint_genotype(compute)
        CfnOutput(self, "SampleToReleaseArn", value=self.workflow.state_machine.state_machine_arn)
        CfnOutput(self, "ValidateAheadArn", value=self.ahead.state_machine.state_machine_arn)
        CfnOutput(self, "JointGenotypeArn", value=self.cohorts.state_machine.state_machine_arn)
        CfnOutput(self, "AlertsTopicArn", value=self.alerts.topic_arn)

    def _alerts(self) -> sns.Topic:
        topic = sns.Topic(self, "Alerts", topic_name=self._names.of("alerts"), master_key=self._key, enforce_ssl=True)
        for service, conditions in (
            ("cloudwatch", {"StringEquals": {"aws:SourceAccount": self._names.account}}),
            ("events", None),  # EventBridge meets no condition in a topic's policy
        ):
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"{service.title()}OfThisAccount",
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions=conditions,
                )
            )
        if self._stage.alarm_email:
            sns.Subscription(
                self,
                "AlertsByMail",
                topic=topic,
                protocol=sns.SubscriptionProtocol.EMAIL,
                endpoint=self._stage.alarm_email,
            )
        return topic

    def _function(
        self,
        name: str,
        *,
        environment: dict[str, str],
        permissions: list[Permission],
        reads_sequences: bool = False,
        memory_mib: int = 512,
        timeout_s: int = 60,
    ) -> PlatformFunction:
        return PlatformFunction(
            self,
            "".join(word.title() for word in name.split("_")),
            name=name,
            stage=self._stage,
            names=self._names,
            layers=self.layers,
            environment=environment,
            permissions=permissions,
            vpc=self._network.vpc,
            security_group=self._network.clients,
            key=self._key,
            failed_events=self.failed_events,
            reads_sequences=reads_sequences,
            memory_mib=memory_mib,
            timeout_s=timeout_s,
        )

    def _functions(self, storage: StorageStack, catalog: CatalogStack) -> dict[str, PlatformFunction]:
        table = catalog.submissions
        landed = read_objects(storage.landing, prefix=_SUBMISSIONS)
        references = read_objects(storage.references, versions=False)
        analysed = read_objects(storage.analysis, prefix=_SUBMISSIONS, versions=False)
        result = write_objects(storage.analysis, prefix=_SUBMISSIONS, tags=False)
        analyses = [*references, *analysed, *result]
        one_by_one = read_items(table, one_by_one=True)
        table_name = {"SUBMISSIONS_TABLE": table.name}
        tell = tell_audit_log(catalog.audit_queue)
        drafts = {"ANALYSIS_BUCKET": storage.analysis.name, "REFERENCES_BUCKET": storage.references.name, **table_name}
        functions = [
            self._function(
                "record_state",
                environment=table_name,
                permissions=[*one_by_one, *write_items(table), *tell],
            ),
            self._function(
                "validate_files",
                environment={
                    "LANDING_BUCKET": storage.landing.name,
                    "REFERENCES_BUCKET": storage.references.name,
                    "LAMBDA_VALIDATION_LIMIT_BYTES": str(self._stage.validation_limit_bytes),
                    **table_name,
                },
                permissions=[*landed, *references, *read_items(table), *write_items(table, checks_others=True)],
                reads_sequences=True,
                memory_mib=1769,
                timeout_s=900,
            ),
            self._function(
                "conclude_failure",
                environment={
                    "LANDING_BUCKET": storage.landing.name,
                    "QUARANTINE_BUCKET": storage.quarantine.name,
                    "ANALYSIS_BUCKET": storage.analysis.name,
                    "ALERTS_TOPIC_ARN": self.alerts.topic_arn,
                    **table_name,
                },
                permissions=[
                    *landed,
                    *analysed,
                    *write_objects(storage.quarantine),
                    *read_items(table),
                    *write_items(table),
                    *tell,
                    *publish(self.alerts.topic_arn, self._key),
                ],
                timeout_s=900,
            ),
            self._function(
                "check_identity",
                environment={
                    "ANALYSIS_BUCKET": storage.analysis.name,
                    "QUALITY_GATES": json.dumps(dict(self._stage.quality_gates)),
                    **table_name,
                },
                permissions=[
                    *analysed,
                    *result,
                    *read_items(table),
                    *write_items(table),
                ],
                reads_sequences=True,
                timeout_s=120,
            ),
            self._function(
                "plan_calling",
                environment={
                    **drafts,
                    "CALLING_PART_BYTES": str(self._stage.calling_part_bytes),
                    "CALLING_SIDE_BY_SIDE": str(self._stage.calling_side_by_side),
                    "JOBS_RUN_IN_IMAGES": str(self._stage.jobs_run_in_images).lower(),
                    "WHOLE_CALL_RESOURCES": json.dumps(_most_of_jobs(self._stage, WHOLE_CALLS)),
                },
                permissions=[*analyses, *one_by_one],
                reads_sequences=True,
                memory_mib=1769,
                timeout_s=120,
            ),
            self._function(
                "plan_genotyping",
                environment={
                    **drafts,
                    "CALLING_PART_BYTES": str(self._stage.calling_part_bytes),
                    "JOBS_RUN_IN_IMAGES": str(self._stage.jobs_run_in_images).lower(),
                    "JOINT_RESOURCES": json.dumps(_most_of_jobs(self._stage, JOINT_CALLS)),
                },
                permissions=[
                    *references,
                    *analysed,
                    *write_objects(storage.analysis, prefix=_COHORTS),
                    *read_items(table),
                    *write_items(table),
                    *tell,
                ],
                reads_sequences=True,
                memory_mib=1769,
                timeout_s=120,
            ),
            self._function(
                "conclude_cohort",
                environment={"ALERTS_TOPIC_ARN": self.alerts.topic_arn, **table_name},
                permissions=[
                    *read_items(table),
                    *write_items(table),
                    *tell,
                    *publish(self.alerts.topic_arn, self._key),
                ],
                reads_sequences=True,
            ),
            *(
                self._function(
                    name,
                    environment=drafts,
                    permissions=[*analyses, *reads],
                    reads_sequences=True,
                    memory_mib=1769,
                    timeout_s=300,
                )
                # of a release the bundle looks through all its versions for the one that it takes the place of
                for name, reads in (("build_bundle", read_items(table)), ("build_report", one_by_one))
            ),
        ]
        return {function.name: function for function in functions}

    def _sample_to_release(self, compute: ComputeStack) -> Workflow:
        jobs = sorted(set(compute.job_by_name) - set(_COHORT_JOBS) - set(_RELEASE_JOBS))
        return self._workflow(
            "sample_to_release",
            compute,
            [function for function in self.functions if function not in _COHORT_FUNCTIONS],
            jobs,
            numbers=_memory_of_jobs(self._stage, [job for job in jobs if job not in WHOLE_CALLS.values()]),
            also=_run_children(self._names, "sample_to_release"),
        )

    def _validate_ahead(self, compute: ComputeStack) -> Workflow:
        return self._workflow("validate_ahead", compute, ["validate_files"], ["validate_files"])

    def _joint_genotype(self, compute: ComputeStack) -> Workflow:
        return self._workflow(
            "joint_genotype",
            compute,
            list(_COHORT_FUNCTIONS),
            list(_COHORT_JOBS),
            numbers=_memory_of_jobs(self._stage, ["joint_genotype"]),
            also=_run_children(self._names, "joint_genotype"),
        )

    def _workflow(
        self,
        name: str,
        compute: ComputeStack,
        functions: list[str],
        jobs: list[str],
        *,
        numbers: Mapping[str, str] | None = None,
        also: Sequence[Permission] = (),
    ) -> Workflow:
        """A workflow that may call these functions and run these jobs, each kind on its queue."""
        function_arns = {function: self.functions[function].function.function_arn for function in functions}
        queues = {"CpuQueueArn": compute.cpu_queue.attr_job_queue_arn} | {
            f"{_title(job)}QueueArn": (
                compute.gpu_queue if self._stage.size_of(job).gpus else compute.steady_queue
            ).attr_job_queue_arn
            for job in jobs
            if job in WHOLE_CALLS.values() or job in _STEADY_COHORT_JOBS
        }
        return Workflow(
            self,
            _title(name),
            name=name,
            stage=self._stage,
            names=self._names,
            substitutions={
                **queues,
                **{f"{_title(function)}FunctionArn": arn for function, arn in function_arns.items()},
                **{f"{_title(job)}JobArn": compute.job_by_name[job].definition.ref for job in jobs},
                **(numbers or {}),
            },
            permissions=[
                Permission(actions=["lambda:InvokeFunction"], resources=list(function_arns.values())),
                *run_jobs(self._names, sorted(set(queues.values())), jobs),
                *also,
            ],
            key=self._key,
        )


def _title(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


def _memory_of_jobs(stage: StageConfig, jobs: Sequence[str]) -> dict[str, str]:
    """Return what each job is given at first, and what where it ran out of that."""
    return {
        f"{_title(job)}{which}MemoryMib": str(memory_mib)
        for job in jobs
        for which, memory_mib in (
            ("", stage.job_sizes[job].memory_mib),
            ("More", stage.job_sizes[job].more_memory_mib),
        )
    }


def _most_of_jobs(stage: StageConfig, job_by_tool: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return what the stage gives a genome, or a cohort of them, by the tool that takes it as a whole."""
    return {
        tool: {
            "vcpus": stage.size_of(job).vcpus,
            "memory_mib": stage.size_of(job).memory_mib,
            "gpus": stage.size_of(job).gpus,
            "scratch_gib": stage.scratch_gib,
        }
        for tool, job in job_by_tool.items()
    }


def _run_children(names: Names, workflow: str) -> list[Permission]:
    """Run the items of a Distributed Map, each an execution of the workflow's own."""
    name = names.of(workflow)
    return [
        Permission(actions=["states:StartExecution"], resources=[names.arn("states", f"stateMachine:{name}")]),
        Permission(
            actions=["states:DescribeExecution", "states:StopExecution"],
            resources=[names.arn("states", f"execution:{name}:*"), names.arn("states", f"execution:{name}/*")],
            wildcard_reason="Step Functions names the executions of a Distributed Map",
        ),
    ]


def run_jobs(names: Names, queue_arns: list[str], job_names: list[str]) -> list[Permission]:
    """Submit these jobs to these queues, and follow them to their end."""
    return [
        Permission(
            actions=["batch:SubmitJob"],
            resources=[
                *queue_arns,
                *(names.arn("batch", f"job-definition/{names.of(job)}:*") for job in job_names),
            ],
            wildcard_reason="a new revision of a job definition is submitted by a workflow that already runs",
        ),
        Permission(
            actions=["batch:TerminateJob"],
            resources=[names.arn("batch", "job/*")],
            wildcard_reason="Batch names jobs when they are submitted",
        ),
        Permission(
            actions=["batch:DescribeJobs"],
            resources=["*"],
            wildcard_reason="Batch gives this action no resource to name",
        ),
        Permission(
            actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            resources=[names.arn("events", "rule/StepFunctionsGetEventsForBatchJobsRule")],
        ),
    ]
