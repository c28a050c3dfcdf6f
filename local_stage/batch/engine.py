"""Takes jobs, decides when they run, and follows them to their end.

Nothing here polls: whatever changes (a job comes, ends, is cancelled) sets off the next decision. One lock guards all
jobs; `changed` is its condition, on which callers can wait for a job's end.
"""

import logging
import os
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from local_stage.batch.attempt import EXITED, Process, Result
from local_stage.batch.dependencies import failed_dependency, ready
from local_stage.batch.image import ImageError, read_image
from local_stage.batch.job import Attempt, Job, JobStatus, now_ms
from local_stage.batch.requirements import Machine
from local_stage.batch.sharing import FairShares, Usage
from local_stage.batch.warm import WarmProcesses
from local_stage.callers import role_variables
from local_stage.context import StageContext
from local_stage.log_streams import LogStream

_log = logging.getLogger(__name__)

ResolveImage = Callable[[str], Path]


class QueueView:
    """What the engine has to know of a job queue. Without `shares` its jobs start in order."""

    __slots__ = ("environment", "max_vcpus", "name", "priority", "shares")

    def __init__(
        self, name: str, priority: int, environment: str, max_vcpus: float, shares: FairShares | None = None
    ) -> None:
        self.name = name
        self.priority = priority
        self.environment = environment
        self.max_vcpus = max_vcpus
        self.shares = shares


class Engine:
    """The jobs of one embedded AWS."""

    def __init__(
        self,
        context: StageContext,
        resolve_image: ResolveImage,
        view_queue: Callable[[str], QueueView | None],
        on_change: Callable[[Job], None] | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.machine = machine or Machine()
        self.changed = threading.Condition()
        self._context = context
        self._resolve_image = resolve_image
        self._view_queue = view_queue
        self._on_change = on_change
        self._jobs: dict[str, Job] = {}
        self._runnable: list[Job] = []
        self._processes: dict[str, Process] = {}
        self._vcpus_used: dict[str, float] = defaultdict(float)
        self._usage: dict[str, Usage] = defaultdict(Usage)
        self._warm = WarmProcesses(context)
        self._stopped = False

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take a job, or an array job followed by its children."""
        with self.changed:
            for job in jobs:
                self._jobs[job.id] = job
                self._move(job, JobStatus.PENDING if job.depends_on or job.children else JobStatus.RUNNABLE)
            self._decide()

    def find(self, identifier: str) -> Job | None:
        """Return a job by id or ARN."""
        with self.changed:
            return self._jobs.get(identifier.rpartition("job/")[2])

    def jobs(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        with self.changed:
            return list(self._jobs.values())

    def wait(self, job: Job, timeout_s: float) -> bool:
        """Wait until the job has ended, at most so long; return whether it has."""
        with self.changed:
            return self.changed.wait_for(lambda: job.status.ended, timeout_s)

    def cancel(self, job: Job, reason: str) -> None:
        """End a job (and an array job's children) that has not started; one that has goes on."""
        with self.changed:
            for one in [*job.children, job]:
                if one.status.waiting and not one.children:
                    self._fail(one, reason)
            self._decide()

    def terminate(self, job: Job, reason: str) -> None:
        """End a job (and an array job's children), running or not. It is not tried again."""
        with self.changed:
            for one in [*job.children, job]:
                if one.status.ended or one.children:
                    continue
                one.stop_reason = reason
                process = self._processes.get(one.id)
                if one.status.waiting:
                    self._fail(one, reason)
                elif process is not None:
                    process.end(reason)
            self._decide()

    def stop(self) -> None:
        """Start nothing more and end what runs."""
        with self.changed:
            self._stopped = True
            self._runnable.clear()
            for process in self._processes.values():
                process.end("the embedded AWS is stopping")
        self._warm.stop()

    def _move(self, job: Job, status: JobStatus, reason: str | None = None) -> None:
        job.status = status
        job.status_reason = reason
        if status is JobStatus.RUNNABLE:
            self._runnable.append(job)
        if status is JobStatus.RUNNING and job.started_ms is None:
            job.started_ms = now_ms()
        if status.ended:
            job.stopped_ms = now_ms()
        if self._on_change is not None:
            self._on_change(job)

    def _fail(self, job: Job, reason: str) -> None:
        if job in self._runnable:
            self._runnable.remove(job)
        self._move(job, JobStatus.FAILED, reason)

    def _decide(self) -> None:
        """Move everything that can move. Called with the lock held, after every change."""
        if self._stopped:
            return
        while [job for job in self._jobs.values() if job.status is JobStatus.PENDING and self._settle(job)]:
            pass  # what moved may let others move
        self._start_what_fits()
        self.changed.notify_all()

    def _settle(self, job: Job) -> bool:
        """Move one pending job on where its children or dependencies allow it; return whether it moved."""
        if job.children:
            if not all(child.status.ended for child in job.children):
                return False
            failed = [child for child in job.children if child.status is JobStatus.FAILED]
            self._move(
                job, JobStatus.FAILED if failed else JobStatus.SUCCEEDED, "Array Child Job failed" if failed else None
            )
            return True
        if failed_dependency(job, self._jobs):
            self._fail(job, "Dependent Job failed")
            return True
        if ready(job, self._jobs):
            self._move(job, JobStatus.RUNNABLE)
            return True
        return False

    def _start_what_fits(self) -> None:
        """Start runnable jobs, by the priority of their queue, by fair share, then in order.

        A queue's first job holds up the rest.
        """
        queues = {arn: self._view_queue(arn) for arn in {job.queue_arn for job in self._runnable}}
        blocked: set[str] = set()
        waiting = list(self._runnable)
        while waiting:
            job = min(waiting, key=lambda one: self._turn(one, queues[one.queue_arn]))
            waiting.remove(job)
            queue = queues[job.queue_arn]
            if queue is None:
                self._fail(job, f"{job.queue_arn}: the job queue is gone")
                continue
            needs = job.container.requirements
            never = self.machine.never(needs)
            if needs.vcpus > queue.max_vcpus:
                never = f"the job needs {needs.vcpus:g} vCPUs, but {queue.environment} has at most {queue.max_vcpus:g}"
            if never:
                self._fail(job, f"MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - {never}")
                self._decide()
                return
            reason = self.machine.wait_reason(needs)
            if self._vcpus_used[queue.environment] + needs.vcpus > queue.max_vcpus:
                reason = f"{queue.environment} uses all of its {queue.max_vcpus:g} vCPUs"
            if reason or job.queue_arn in blocked:
                job.status_reason = f"waiting for room: {reason or 'a job before this one waits'}"
                blocked.add(job.queue_arn)
                continue
            self._start(job, queue)

    def _turn(self, job: Job, queue: QueueView | None) -> tuple[int, float]:
        """Return what the next job has the least of: a low priority, and a share that uses much."""
        if queue is None:
            return 0, 0.0
        if queue.shares is None or job.share is None:
            return -queue.priority, 0.0
        return -queue.priority, self._usage[job.queue_arn].load(job.share, queue.shares, time.monotonic())

    def _start(self, job: Job, queue: QueueView) -> None:
        self._runnable.remove(job)
        gpus = self.machine.take(job.container.requirements)
        self._vcpus_used[queue.environment] += job.container.requirements.vcpus
        self._move(job, JobStatus.STARTING)
        threading.Thread(target=self._run, args=(job, queue, gpus), name=f"batch-{job.name}", daemon=True).start()

    def _run(self, job: Job, queue: QueueView, gpus: Sequence[int]) -> None:
        task = uuid.uuid4().hex
        end = self._usage[job.queue_arn].begin(job.share or "", job.container.requirements.vcpus, time.monotonic())
        attempt = Attempt(
            task_arn=f"arn:aws:ecs:{self._context.region}:{self._context.account}:task/{queue.environment}/{task}",
            log_stream=f"{job.container.log_prefix}/default/{task}",
            started_ms=now_ms(),
        )
        try:
            result = self._run_attempt(job, queue, gpus, attempt)
        except Exception as error:
            _log.exception("job %s", job.id)
            result = Result(None, f"{type(error).__name__}: {error}")
        with self.changed:
            self._processes.pop(job.id, None)
            self.machine.give_back(job.container.requirements, gpus)
            self._vcpus_used[queue.environment] -= job.container.requirements.vcpus
            end(time.monotonic())
            self._finish(job, attempt, result)
            self._decide()

    def _run_attempt(self, job: Job, queue: QueueView, gpus: Sequence[int], attempt: Attempt) -> Result:
        try:
            image = read_image(self._resolve_image(job.container.image))
        except (ImageError, LookupError, OSError) as error:
            return Result(None, f"CannotPullContainerError: {_text(error)}")
        process = Process(
            self._context, self._warm, LogStream(self._context, job.container.log_group, attempt.log_stream)
        )
        with self.changed:
            job.attempts.append(attempt)
            if job.stop_reason is not None:
                return Result(None, job.stop_reason, stopped=True)
            self._processes[job.id] = process
            self._move(job, JobStatus.RUNNING)
            self.changed.notify_all()
        keys = role_variables(str(job.container.settings.get("jobRoleArn", "")))
        environment = keys | dict(job.container.environment) | _batch_variables(job, queue, gpus)
        command = job.container.command
        try:
            return process.run(image, command, environment, job.container.requirements, job.timeout_s)
        except (ImageError, OSError) as error:
            return Result(None, f"CannotStartContainerError: {_text(error)}")

    def _finish(self, job: Job, attempt: Attempt, result: Result) -> None:
        attempt.stopped_ms = now_ms()
        attempt.exit_code = result.exit_code
        attempt.reason = result.reason
        attempt.status_reason = result.status_reason
        if attempt not in job.attempts:
            job.attempts.append(attempt)
        if result.exit_code == 0 and not result.stopped and result.status_reason == EXITED and not result.reason:
            self._move(job, JobStatus.SUCCEEDED, EXITED)
        elif result.stopped or not job.retry.tries_again(
            len(job.attempts), result.exit_code, result.reason, result.status_reason
        ):
            self._move(job, JobStatus.FAILED, result.status_reason)
        else:
            self._move(job, JobStatus.RUNNABLE)


def _batch_variables(job: Job, queue: QueueView, gpus: Sequence[int]) -> dict[str, str]:
    """Return the variables that Batch sets.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    variables = {
        "AWS_BATCH_CE_NAME": queue.environment,
        "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts)),
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JQ_NAME": queue.name,
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
    }
    if job.array_index is not None and job.parent is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(len(job.parent.children))
    return variables


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error.args[0]) if error.args else type(error).__name__
