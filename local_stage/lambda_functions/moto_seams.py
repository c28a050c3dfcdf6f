"""Where moto's Lambda is replaced. Each name used here is pinned by a contract test."""

import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from moto.awslambda import models
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction, LayerVersion
from moto.sqs.models import sqs_backends

from local_stage.context import StageContext
from local_stage.lambda_functions.event_sources import QueuePoller, refuse_short_visibility, refuse_unsupported
from local_stage.lambda_functions.invocation import Invoker
from local_stage.lambda_functions.packages import PackageStore
from local_stage.lambda_functions.pool import WorkerPool
from local_stage.lambda_functions.queue_safety import keep_queues_safe
from local_stage.lambda_functions.runtime import link_runtime, native_client
from local_stage.replacing import replace


@dataclass(slots=True)
class _Lambda:
    """What runs while the embedded AWS does."""

    context: StageContext
    packages: PackageStore
    pool: WorkerPool
    invoker: Invoker
    pollers: dict[str, QueuePoller] = field(default_factory=dict)


_running: list[_Lambda] = []  # none or one
_original: dict[str, Any] = {}


def install(context: StageContext) -> None:
    """Make moto's functions run for real."""
    stop()
    folder = context.state_dir / "lambda"
    packages = PackageStore(folder / "packages")
    pool = WorkerPool(context, link_runtime(folder / "runtime", native_client()))
    _running.append(_Lambda(context, packages, pool, Invoker(context, packages, pool)))
    keep_queues_safe()
    if LambdaFunction.invoke is not _invoke:  # never wrap what is wrapped already
        _replace()


def stop() -> None:
    """End pollers, retries and workers."""
    while _running:
        running = _running.pop()
        for poller in running.pollers.values():
            poller.stop()
        running.invoker.stop()
        running.pool.stop()


def _current() -> _Lambda:
    if not _running:
        raise RuntimeError("Lambda of the embedded AWS is not installed")
    return _running[0]


def _replace() -> None:
    _original.update(
        function_init=LambdaFunction.__init__,
        layer_init=LayerVersion.__init__,
        set_code=LambdaFunction._set_function_code,
        configuration=LambdaFunction.get_configuration,
        update=LambdaFunction.update_configuration,
        delete=LambdaBackend.delete_function,
        create_mapping=LambdaBackend.create_event_source_mapping,
        delete_mapping=LambdaBackend.delete_event_source_mapping,
        zip_content=models._zipfile_content,
    )
    replaced: dict[tuple[Any, str], Any] = {
        (LambdaFunction, "__init__"): _function_init,
        (LambdaFunction, "invoke"): _invoke,
        (LambdaFunction, "_set_function_code"): _set_function_code,
        (LambdaFunction, "get_configuration"): _get_configuration,
        (LambdaFunction, "update_configuration"): _update_configuration,
        (LayerVersion, "__init__"): _layer_init,
        (LambdaBackend, "delete_function"): _delete_function,
        (LambdaBackend, "create_event_source_mapping"): _create_mapping,
        (LambdaBackend, "delete_event_source_mapping"): _delete_mapping,
        (models, "_zipfile_content"): _zipfile_content,
        (models, "_s3_content"): _s3_content,
    }
    for (owner, name), replacement in replaced.items():
        replace(owner, name, replacement)


def _invoke(
    self: LambdaFunction,
    body: str | bytes | None,
    request_headers: Mapping[str, Any],
    response_headers: MutableMapping[str, Any],
) -> bytes:
    return _current().invoker.answer(self, body, request_headers, response_headers)


def _function_init(self: LambdaFunction, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    self.dead_letter_config = spec.get("DeadLetterConfig")  # type: ignore[attr-defined]
    _original["function_init"](self, account_id, spec, *args, **kwargs)
    _log_where_told(self, spec)


def _log_where_told(function: LambdaFunction, asked: Mapping[str, Any]) -> None:
    """Write the function's log to the group of its LoggingConfig; moto knows only the default one."""
    group = asked.get("LoggingConfig", {}).get("LogGroup")
    if group:
        function.logs_group_name = group


def _layer_init(self: LayerVersion, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    _original["layer_init"](self, spec, *args, **kwargs)
    self.content = {name: value for name, value in self.content.items() if name != "ZipFile"}


def _set_function_code(self: LambdaFunction, updated_spec: dict[str, Any]) -> None:
    _original["set_code"](self, updated_spec)
    self.code.pop("ZipFile", None)


def _get_configuration(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
    configuration: dict[str, Any] = _original["configuration"](self, on_create)
    if getattr(self, "dead_letter_config", None):
        configuration["DeadLetterConfig"] = self.dead_letter_config  # type: ignore[attr-defined]
    configuration["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
    return configuration


def _update_configuration(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
    if "DeadLetterConfig" in config_updates:
        self.dead_letter_config = config_updates["DeadLetterConfig"]  # type: ignore[attr-defined]
    _log_where_told(self, config_updates)
    configuration: dict[str, Any] = _original["update"](self, config_updates)
    _current().pool.discard(self.function_name)
    return configuration


def _delete_function(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    name = self.get_function(function_name, qualifier).function_name
    _original["delete"](self, function_name, qualifier)
    _current().pool.discard(name)


def _zipfile_content(zipfile_content: str | bytes) -> tuple[bytes, int, str, str]:
    content, *_ = _original["zip_content"](zipfile_content)
    return _keep(content)


def _s3_content(key: Any) -> tuple[bytes, int, str, str]:
    content = key.value
    if isinstance(content, bytes):
        return _keep(content)
    with tempfile.TemporaryFile() as file:  # the stage keeps objects on disk, and this one passes through no memory
        file.writelines(content)
        return _keep(file)


def _keep(content: bytes | BinaryIO) -> tuple[bytes, int, str, str]:
    """Extract a package; return what moto wants to know of it, without its bytes."""
    package = _current().packages.add(content)
    return b"", package.size_bytes, package.code_sha256, package.digest


def _create_mapping(self: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
    refuse_unsupported(spec)
    queues = sqs_backends[self.account_id][self.region_name].queues.values()
    queue = next((queue for queue in queues if queue.queue_arn == spec["EventSourceArn"]), None)
    if queue is not None:
        function = self.get_function(spec["FunctionName"])
        refuse_short_visibility(int(queue.visibility_timeout), int(function.timeout or 3))  # type: ignore[attr-defined]
    mapping: EventSourceMapping = _original["create_mapping"](self, spec)
    if queue is not None:
        queue.lambda_event_source_mappings.clear()  # else moto also runs the function inside SendMessage
    running = _current()
    running.pollers[mapping.uuid] = QueuePoller(mapping, running.context, running.invoker)
    return mapping


def _delete_mapping(self: LambdaBackend, uuid: str) -> EventSourceMapping | None:
    poller = _current().pollers.pop(uuid, None)
    if poller is not None:
        poller.stop()
    mapping: EventSourceMapping | None = _original["delete_mapping"](self, uuid)
    return mapping
