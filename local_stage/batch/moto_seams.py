"""Where moto's Batch is replaced: everything about jobs. Each name used here is pinned by a contract test.

Compute environments, queues and job definitions stay moto's.
"""

import importlib
import json
from functools import partial
from pathlib import Path
from typing import Any, cast

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, batch_backends
from moto.batch.responses import BatchResponse

from local_stage.batch.engine import Engine, QueueView, ResolveImage
from local_stage.batch.job import Job, JobStatus
from local_stage.batch.requests import build_jobs
from local_stage.batch.sharing import read_policy
from local_stage.context import StageContext
from local_stage.replacing import replace
from local_stage.state_change_events import StateChangeEvents

_running: list[tuple[StageContext, Engine, StateChangeEvents]] = []  # none or one
_UNLIMITED = 1e9


def install(context: StageContext, resolve_image: ResolveImage | None = None) -> None:
    """Make Batch run its jobs as processes. `resolve_image` finds an image's folder; left out, the stage's own does."""
    stop()
    events = StateChangeEvents(context, "aws.batch", "Batch Job State Change")
    engine = Engine(context, resolve_image or _resolve, partial(_view_queue, context), partial(_tell, events))
    _running.append((context, engine, events))
    for name, answer in {
        "submitjob": _submit,
        "describejobs": _describe,
        "listjobs": _list,
        "canceljob": _cancel,
        "terminatejob": _terminate,
    }.items():
        if getattr(BatchResponse, name) is not answer:
            replace(BatchResponse, name, answer)


def stop() -> None:
    """End every job."""
    while _running:
        _, engine, events = _running.pop()
        engine.stop()
        events.stop()


def current_engine() -> Engine:
    """Return the engine of the stage that is installed."""
    if not _running:
        raise RuntimeError("Batch of the embedded AWS is not installed")
    return _running[0][1]


def _tell(events: StateChangeEvents, job: Job) -> None:
    if events.wanted:
        events.tell(job.arn, job.describe())


def _resolve(uri: str) -> Path:
    return cast(Path, importlib.import_module("local_stage.images").resolve(uri))


def _backend(context: StageContext) -> BatchBackend:
    backend: BatchBackend = batch_backends[context.account][context.region]
    return backend


def _view_queue(context: StageContext, arn: str) -> QueueView | None:
    queue = _backend(context).get_job_queue_by_arn(arn)
    if queue is None:
        return None
    environments = [environment for environment in queue.environments if environment.state == "ENABLED"]
    if not environments:
        return QueueView(queue.name, int(queue.priority), "no enabled compute environment", 0)
    first = environments[0]
    limit = (first.compute_resources or {}).get("maxvCpus")
    policies = _backend(context).describe_scheduling_policies([queue.schedule_policy or ""])
    shares = read_policy(policies[0].fairshare_policy or {}) if policies else None
    return QueueView(queue.name, int(queue.priority), first.name, float(limit) if limit else _UNLIMITED, shares)


def _submit(self: BatchResponse) -> str:
    context, engine, _ = _running[0]
    jobs = build_jobs(json.loads(self.body or "{}"), _backend(context), engine, context)
    engine.submit(jobs)
    return json.dumps({"jobArn": jobs[0].arn, "jobId": jobs[0].id, "jobName": jobs[0].name})


def _describe(self: BatchResponse) -> str:
    engine = current_engine()
    found = [engine.find(identifier) for identifier in self._get_param("jobs") or []]
    with engine.changed:
        return json.dumps({"jobs": [job.describe() for job in found if job is not None]})


def _list(self: BatchResponse) -> str:
    context, engine, _ = _running[0]
    array_id, queue_name = self._get_param("arrayJobId"), self._get_param("jobQueue")
    filters = self._get_param("filters") or []
    status = self._get_param("jobStatus") or (None if filters or array_id else JobStatus.RUNNING)
    if array_id:
        parent = engine.find(array_id)
        jobs = [] if parent is None else list(parent.children)
    else:
        queue = _backend(context).get_job_queue(queue_name or "")
        if queue is None:
            raise ClientException(f"Job queue {queue_name} does not exist")
        jobs = [job for job in engine.jobs() if job.queue_arn == queue.arn and job.parent is None]
    with engine.changed:
        summaries = [job.summarize() for job in jobs if _matches(job, filters) and status in (None, job.status)]
    return json.dumps({"jobSummaryList": summaries})


def _matches(job: Job, filters: list[dict[str, Any]]) -> bool:
    for one in filters:
        if one["name"] != "JOB_NAME":
            raise ClientException(f"filters: the embedded AWS lists jobs by JOB_NAME only, not {one['name']}")
        names = [str(value).lower() for value in one["values"]]
        prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        if job.name.lower() not in names and not (prefixes and job.name.lower().startswith(prefixes)):
            return False
    return True


def _cancel(self: BatchResponse) -> str:
    job, reason = _named_job(self)
    if job is not None:
        current_engine().cancel(job, reason)
    return "{}"


def _terminate(self: BatchResponse) -> str:
    job, reason = _named_job(self)
    if job is not None:
        current_engine().terminate(job, reason)
    return "{}"


def _named_job(response: BatchResponse) -> tuple[Job | None, str]:
    identifier, reason = response._get_param("jobId"), response._get_param("reason")
    if not identifier or not reason:
        raise ClientException("jobId and reason are required")
    return current_engine().find(identifier), str(reason)
