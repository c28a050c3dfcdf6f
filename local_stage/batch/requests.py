"""Turns a SubmitJob request into jobs."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, JobDefinition, JobQueue

from local_stage.batch.engine import Engine
from local_stage.batch.job import Container, Job
from local_stage.batch.requirements import read_requirements
from local_stage.batch.retries import read_strategy
from local_stage.batch.sharing import refusal
from local_stage.context import StageContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
_DEFAULT_LOG_GROUP = "/aws/batch/job"
_MAX_ARRAY = 10_000
# a job's process has one writable folder, its working folder, which stands for these
_SCRATCH_MOUNTS = ("/scratch", "/tmp")  # noqa: S108 - paths inside an image


def build_jobs(request: Mapping[str, Any], backend: BatchBackend, engine: Engine, context: StageContext) -> list[Job]:
    """Return the job of a request, and for an array job its children after it.

    Raises:
        ClientException: the request is wrong, or asks what the embedded AWS cannot do.
    """
    definition, queue = _find(request, backend)
    _refuse_unknown_dependencies(request, engine)
    container = _container(request, definition)
    timeout = request.get("timeout") or definition.timeout or {}
    name = str(request["jobName"])

    def build(identifier: str, index: int | None = None, parent: Job | None = None) -> Job:
        return Job(
            id=identifier,
            name=name,
            arn=f"arn:aws:batch:{context.region}:{context.account}:job/{identifier}",
            queue_arn=queue.arn,
            definition_arn=definition.arn,
            container=container,
            retry=read_strategy(request.get("retryStrategy"), definition.retry_strategy),
            timeout_s=int(timeout["attemptDurationSeconds"]) if timeout.get("attemptDurationSeconds") else None,
            parameters={**definition.parameters, **(request.get("parameters") or {})},
            depends_on=list(request.get("dependsOn") or []),
            tags=dict(request.get("tags") or {}),
            share=request.get("shareIdentifier"),
            array_index=index,
            parent=parent,
        )

    job = build(str(uuid.uuid4()))
    size = (request.get("arrayProperties") or {}).get("size")
    if size is not None:
        if not 2 <= int(size) <= _MAX_ARRAY:
            raise ClientException(f"arrayProperties.size has to be from 2 to {_MAX_ARRAY}, not {size}")
        job.children = [build(f"{job.id}:{index}", index, job) for index in range(int(size))]
    return [job, *job.children]


def _find(request: Mapping[str, Any], backend: BatchBackend) -> tuple[JobDefinition, JobQueue]:
    if not _NAME.match(str(request.get("jobName") or "")):
        raise ClientException("jobName has to be letters, digits, hyphens and underscores, at most 128 of them")
    definition = backend.get_job_definition(str(request.get("jobDefinition")))
    if definition is None or definition.status != "ACTIVE":
        raise ClientException(f"Job definition {request.get('jobDefinition')} does not exist or is not active")
    queue = backend.get_job_queue(str(request.get("jobQueue")))
    if queue is None:
        raise ClientException(f"Job queue {request.get('jobQueue')} does not exist")
    if queue.state != "ENABLED":
        raise ClientException(f"Job queue {queue.name} is disabled")
    wrong = refusal(request.get("shareIdentifier"), has_policy=bool(queue.schedule_policy))
    if wrong:
        raise ClientException(wrong)
    properties = definition.container_properties
    if definition.type != "container" or properties is None:
        raise ClientException(f"{definition.name}: the embedded AWS runs container jobs only, not {definition.type}")
    if properties.get("secrets"):
        raise ClientException(f"{definition.name}: the embedded AWS does not put secrets into a job's environment")
    for mount in properties.get("mountPoints") or []:
        if mount.get("containerPath") not in _SCRATCH_MOUNTS:
            raise ClientException(f"{definition.name}: the embedded AWS mounts no {mount.get('containerPath')}")
    return definition, queue


def _refuse_unknown_dependencies(request: Mapping[str, Any], engine: Engine) -> None:
    for dependency in request.get("dependsOn") or []:
        identifier = dependency.get("jobId")
        if identifier is None and dependency.get("type") == "SEQUENTIAL":
            continue
        if engine.find(str(identifier)) is None:
            raise ClientException(f"dependsOn: job {identifier} does not exist")


def _container(request: Mapping[str, Any], definition: JobDefinition) -> Container:
    properties: Mapping[str, Any] = definition.container_properties or {}
    overrides: Mapping[str, Any] = request.get("containerOverrides") or {}
    parameters = {**definition.parameters, **(request.get("parameters") or {})}
    environment: dict[str, str] = {}
    for source in (properties, overrides):
        environment |= {item["name"]: str(item.get("value", "")) for item in source.get("environment") or []}
    options = (properties.get("logConfiguration") or {}).get("options") or {}
    return Container(
        image=str(properties["image"]),
        command=[_fill(str(part), parameters) for part in overrides.get("command") or properties.get("command") or []],
        environment=environment,
        requirements=read_requirements(properties, overrides),
        log_group=options.get("awslogs-group", _DEFAULT_LOG_GROUP),
        log_prefix=options.get("awslogs-stream-prefix", definition.name),
        settings=properties,
    )


def _fill(part: str, parameters: Mapping[str, str]) -> str:
    """Replace the names that follow `Ref::`.

    >>> _fill("--input=Ref::input", {"input": "s3://b/k"})
    '--input=s3://b/k'
    """
    return re.sub(r"Ref::([\w-]+)", lambda found: str(parameters.get(found[1], found[0])), part)
