"""Stateless: what must not go unnoticed."""

from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct

from infra.names import Names
from infra.stacks.acts import ActsStack
from infra.stacks.api import ApiStack
from infra.stacks.compute import ComputeStack
from infra.stacks.fhir_api import FhirApiStack
from infra.stacks.intake import IntakeStack
from infra.stacks.part import PartStack
from infra.stacks.release import ReleaseStack
from infra.stacks.workflow import WorkflowStack
from infra.stages import StageConfig

_OLDEST_MESSAGE_S = 900
_OLDEST_AUDIT_ENTRY_S = 600


class AlarmsStack(PartStack):
    """Alarms and the events of failed jobs, all told to the alerts topic."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        compute: ComputeStack,
        workflow: WorkflowStack,
        intake: IntakeStack,
        acts: ActsStack,
        api: ApiStack,
        fhir: FhirApiStack,
        release: ReleaseStack,
    ) -> None:
        super().__init__(scope, "alarms", stage=stage, names=names, contents="alarms")
        self._names = names
        self._alerts = workflow.alerts.topic_arn
        period = Duration.minutes(5)
        for queue_id, queue in (("Intake", intake.dead_letters), ("Workflow", workflow.failed_events)):
            self._alarm(
                f"{queue_id}DeadLetters",
                queue.metric_approximate_number_of_messages_visible(period=period, statistic="Maximum"),
                "An event could not be handled: read it in the queue, mend the cause, redrive",
            )
        self._alarm(
            "IntakeIsLate",
            intake.queue.metric_approximate_age_of_oldest_message(period=period, statistic="Maximum"),
            "Landed objects wait to be registered",
            threshold=_OLDEST_MESSAGE_S,
        )
        self._watch_workflows(workflow, period)
        self._alarm(
            "ReleasesFailed",
            release.workflow.state_machine.metric_failed(period=period, statistic="Sum"),
            "A release was refused, withdrawn or not signed in time: nothing of it was delivered; see the audit log",
        )
        for function in (
            *(*intake.functions, acts.function, *workflow.functions.values(), api.function),
            *(*release.functions.values(), *fhir.functions),
        ):
            self._alarm(
                f"{function.name.title().replace('_', '')}Errors",
                function.function.metric_errors(period=period, statistic="Sum"),
                f"{function.name} raised an error: /strandline/{stage.name}/functions/{function.name} has the trace",
            )
        for metric_name, service, description in (
            ("SubmissionsQuarantined", "conclude_failure", "its exception record lies in the quarantine bucket"),
            ("SubmissionsExpired", "expire_submissions", "its files did not all come in time"),
        ):
            self._alarm(
                metric_name,
                cloudwatch.Metric(
                    namespace="Strandline",
                    metric_name=metric_name,
                    dimensions_map={"service": service},
                    period=period,
                    statistic="Sum",
                ),
                f"A submission was set aside: {description}",
            )
        self._watch_audit_log(period)
        self._tell_of_failed_jobs(compute, workflow)

    def _watch_audit_log(self, period: Duration) -> None:
        """What seals the log runs each minute and always says how long entries waited: silence says that it stopped."""
        self._alarm(
            "AuditEntriesWait",
            cloudwatch.Metric(
                namespace="Strandline",
                metric_name="OldestAuditEntryWaited",
                dimensions_map={"service": "seal_audit_log"},
                period=period,
                statistic="Maximum",
            ),
            "Entries wait for their place in the audit log, or seal_audit_log stopped: docs/audit.md says what to do",
            threshold=_OLDEST_AUDIT_ENTRY_S,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _watch_workflows(self, workflow: WorkflowStack, period: Duration) -> None:
        state_machine, ahead = workflow.workflow.state_machine, workflow.ahead.state_machine
        cohorts = workflow.cohorts.state_machine
        for construct_id, metric, description in (
            (
                "ExecutionsFailed",
                state_machine.metric_failed(period=period, statistic="Sum"),
                "A submission ended in failure: its item in the submissions table says why",
            ),
            (
                "ExecutionsTimedOut",
                state_machine.metric_timed_out(period=period, statistic="Sum"),
                "A submission took longer than the workflow allows",
            ),
            (
                "CohortsFailed",
                cohorts.metric_failed(period=period, statistic="Sum"),
                "A cohort ended in failure: its item in the submissions table says why",
            ),
            (
                "CohortsTimedOut",
                cohorts.metric_timed_out(period=period, statistic="Sum"),
                "A cohort took longer than its workflow allows",
            ),
            (
                "ValidationsAheadFailed",
                ahead.metric_failed(period=period, statistic="Sum"),
                "Files could not be validated ahead, by no fault of theirs: their submission does it when it starts",
            ),
            (
                "ValidationsAheadTimedOut",
                ahead.metric_timed_out(period=period, statistic="Sum"),
                "Validating files ahead took longer than its workflow allows: their submission does it when it starts",
            ),
        ):
            self._alarm(construct_id, metric, description)

    def _alarm(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=self._names.of("".join(f"-{c.lower()}" if c.isupper() else c for c in construct_id).strip("-")),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=missing,
        )
        resource = cast(cloudwatch.CfnAlarm, alarm.node.default_child)
        resource.alarm_actions = [self._alerts]

    def _tell_of_failed_jobs(self, compute: ComputeStack, workflow: WorkflowStack) -> None:
        """Batch publishes no metric of failed jobs, but an event of each."""
        events.CfnRule(
            self,
            "JobFailed",
            name=self._names.of("job-failed"),
            description="A Batch job failed after its last attempt",
            event_pattern={
                "source": ["aws.batch"],
                "detail-type": ["Batch Job State Change"],
                "detail": {
                    "status": ["FAILED"],
                    "jobQueue": [compute.cpu_queue.attr_job_queue_arn, compute.gpu_queue.attr_job_queue_arn],
                },
            },
            targets=[events.CfnRule.TargetProperty(id="alerts", arn=workflow.alerts.topic_arn)],
        )
