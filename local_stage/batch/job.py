"""One Batch job: what was asked, what became of it, and how AWS describes it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local_stage.batch.requirements import Requirements
from local_stage.batch.retries import RetryStrategy


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return int(time.time() * 1000)


class JobStatus(StrEnum):
    """The states of a job. Source: https://docs.aws.amazon.com/batch/latest/userguide/job_states.html"""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED)

    @property
    def waiting(self) -> bool:
        """Whether the job can still be cancelled."""
        return self in (JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE)


@dataclass(slots=True)
class Attempt:
    """One run of a job's process. Times are milliseconds since the epoch; `exit_code` is None where none ran."""

    task_arn: str
    log_stream: str
    started_ms: int
    stopped_ms: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the attempt as DescribeJobs shows it."""
        container: dict[str, Any] = {
            "taskArn": self.task_arn,
            "logStreamName": self.log_stream,
            "networkInterfaces": [],
        }
        _put(container, exitCode=self.exit_code, reason=self.reason)
        described: dict[str, Any] = {"container": container, "startedAt": self.started_ms}
        _put(described, stoppedAt=self.stopped_ms, statusReason=self.status_reason)
        return described


@dataclass(frozen=True, slots=True)
class Container:
    """What a job runs, after the definition, the overrides and the parameters were put together."""

    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    requirements: Requirements
    log_group: str
    log_prefix: str
    settings: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """Return the part of DescribeJobs' container detail that is known before the job runs."""
        shown = ("executionRoleArn", "fargatePlatformConfiguration", "jobRoleArn", "logConfiguration", "privileged")
        described = {name: self.settings[name] for name in shown if name in self.settings}
        described |= {
            "image": self.image,
            "command": list(self.command),
            "environment": [{"name": name, "value": value} for name, value in self.environment.items()],
            "resourceRequirements": self.requirements.describe(),
            "mountPoints": list(self.settings.get("mountPoints") or []),
            "networkInterfaces": [],
            "secrets": list(self.settings.get("secrets") or []),
            "ulimits": list(self.settings.get("ulimits") or []),
            "volumes": list(self.settings.get("volumes") or []),
        }
        return described


@dataclass(eq=False, slots=True)
class Job:
    """One job, one child of an array job, or the array job itself. The engine's lock guards what changes."""

    id: str
    name: str
    arn: str
    queue_arn: str
    definition_arn: str
    container: Container
    retry: RetryStrategy
    timeout_s: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    depends_on: Sequence[Mapping[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    share: str | None = None
    array_index: int | None = None
    children: list["Job"] = field(default_factory=list)
    parent: "Job | None" = None
    status: JobStatus = JobStatus.SUBMITTED
    status_reason: str | None = None
    created_ms: int = field(default_factory=now_ms)
    started_ms: int | None = None
    stopped_ms: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    stop_reason: str | None = None

    def summarize(self) -> dict[str, Any]:
        """Return the job as ListJobs shows it."""
        summary: dict[str, Any] = {
            "jobArn": self.arn,
            "jobId": self.id,
            "jobName": self.name,
            "createdAt": self.created_ms,
            "status": str(self.status),
            "jobDefinition": self.definition_arn,
        }
        _put(summary, startedAt=self.started_ms, stoppedAt=self.stopped_ms, statusReason=self.status_reason)
        last = self.attempts[-1] if self.attempts else None
        if last is not None and self.status.ended:
            container: dict[str, Any] = {}
            _put(container, exitCode=last.exit_code, reason=last.reason)
            summary["container"] = container
        if self.children:
            summary["arrayProperties"] = {"size": len(self.children)}
        elif self.array_index is not None:
            summary["arrayProperties"] = {"index": self.array_index}
        return summary

    def describe(self) -> dict[str, Any]:
        """Return the job as DescribeJobs shows it."""
        described = self.summarize()
        _put(described, shareIdentifier=self.share)
        container = self.container.describe()
        last = self.attempts[-1] if self.attempts else None
        if last is not None:
            container |= {"taskArn": last.task_arn, "logStreamName": last.log_stream}
            _put(container, exitCode=last.exit_code, reason=last.reason)
        described |= {
            "jobQueue": self.queue_arn,
            "attempts": [attempt.describe() for attempt in self.attempts if attempt.stopped_ms is not None],
            "retryStrategy": self.retry.describe(),
            "dependsOn": [dict(dependency) for dependency in self.depends_on],
            "parameters": dict(self.parameters),
            "container": container,
            "tags": dict(self.tags),
            "platformCapabilities": ["EC2"],
            "eksAttempts": [],
        }
        if self.timeout_s is not None:
            described["timeout"] = {"attemptDurationSeconds": self.timeout_s}
        if self.children:
            counts = {str(status): 0 for status in JobStatus}
            for child in self.children:
                counts[str(child.status)] += 1
            described["arrayProperties"] = {"size": len(self.children), "statusSummary": counts}
        return described


def _put(target: dict[str, Any], **values: Any) -> None:
    target.update({name: value for name, value in values.items() if value is not None})
