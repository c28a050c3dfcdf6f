"""Which service integrations run, and how a state waits for a Batch job or an Athena query (`.sync`)."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import StateCredentials
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
    ResourceRuntimePart,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local_stage import batch
from local_stage.step_functions.normalising import operation, to_request, to_result

# what runs here; anything else is refused when the state machine is created
RUNNABLE_SERVICES = frozenset(
    {"athena", "aws-sdk", "batch", "dynamodb", "events", "lambda", "sns", "sqs", "states"},
)
_WAIT_S = 0.5


class Awaited(Protocol):
    """Something a `.sync` state waits for."""

    def __call__(self) -> Any | None:
        """Wait a moment; return the result, None where there is none yet, or raise the state's failure."""

    def abandon(self) -> None:
        """End it: the state was stopped or timed out."""


class AwaitedJob:
    """A Batch job. Waits on the engine's own condition, so the state goes on as soon as the job has ended."""

    def __init__(self, state: StateTaskService, env: Environment, job_id: str) -> None:
        self._state = state
        self._env = env
        self._engine = batch.current_engine()
        job = self._engine.find(job_id)
        if job is None:
            raise LookupError(f"job {job_id} is unknown to Batch")
        self._job = job

    def __call__(self) -> Any | None:
        if not self._engine.wait(self._job, _WAIT_S):
            return None
        shape = _member_shape("batch", "describe_jobs", "jobs")
        described = to_result(self._job.describe(), shape, dates_as_text=False)
        if described["Status"] == "SUCCEEDED":
            return described
        raise task_failed(self._state, self._env, described)

    def abandon(self) -> None:
        self._engine.terminate(self._job, "the state that waits for the job was stopped or timed out")


class AwaitedQuery:
    """An Athena query."""

    def __init__(self, state: StateTaskService, env: Environment, client: Any, query_id: str) -> None:
        self._state = state
        self._env = env
        self._client = client
        self._query_id = query_id

    def __call__(self) -> Any | None:
        answer = self._client.get_query_execution(QueryExecutionId=self._query_id)
        status = answer["QueryExecution"]["Status"]["State"]
        if status in {"QUEUED", "RUNNING"}:
            return None
        answer.pop("ResponseMetadata", None)
        model = operation("athena", "get_query_execution")
        result = to_result(answer, model.output_shape if model else None, dates_as_text=False)
        if status == "SUCCEEDED":
            return result
        raise task_failed(self._state, self._env, result)

    def abandon(self) -> None:
        self._client.stop_query_execution(QueryExecutionId=self._query_id)


class AthenaTask(StateTaskServiceCallback):
    """Athena's optimised integration, which moto lacks."""

    _ACTIONS = ("getqueryexecution", "getqueryresults", "startqueryexecution", "stopqueryexecution")

    def __init__(self) -> None:
        patterns = {ResourceCondition(ResourceCondition.WaitForTaskToken), ResourceCondition(ResourceCondition.Sync)}
        super().__init__(supported_integration_patterns=patterns)

    def _get_supported_parameters(self) -> set[str] | None:
        action = self.resource.api_action
        model = operation("athena", self._get_boto_service_action())
        if action.lower() not in self._ACTIONS or model is None or model.input_shape is None:
            return None
        return set(model.input_shape.members)

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            name = f"Athena.{ex.response['Error']['Code']}"
            return failure(self, env, name, ex.response["Error"]["Message"])
        return super()._from_error(env=env, ex=ex)

    def _build_sync_resolver(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> Awaited:
        del normalised_parameters
        query_id = env.stack.pop()["QueryExecutionId"]
        return AwaitedQuery(self, env, _client("athena", resource_runtime_part, state_credentials), query_id)

    def _eval_service_task(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> None:
        client = _client("athena", resource_runtime_part, state_credentials)
        answer = getattr(client, self._get_boto_service_action())(**normalised_parameters)
        answer.pop("ResponseMetadata", None)
        env.stack.append(answer)


def choose_service(original: Callable[[str], StateTaskService]) -> Callable[[str], StateTaskService]:
    """Return moto's choice of a state's implementation, less what does not run here, plus Athena."""

    def state_task_service_for(service_name: str) -> StateTaskService:
        if service_name not in RUNNABLE_SERVICES:
            raise ValueError(
                f"the embedded AWS does not run the integration with {service_name}; it runs "
                + ", ".join(sorted(RUNNABLE_SERVICES))
            )
        return AthenaTask() if service_name == "athena" else original(service_name)

    return state_task_service_for


def batch_parameters(original: Callable[..., set[str] | None]) -> Callable[..., set[str] | None]:
    """Return StateTaskServiceBatch._get_supported_parameters with what a fair share needs, which moto drops silently.

    Source: AWS Step Functions developer guide, "Run AWS Batch workloads with Step Functions".
    """

    def supported(self: StateTaskService) -> set[str] | None:
        known = original(self)
        return known | {"PropagateTags", "SchedulingPriorityOverride", "ShareIdentifier"} if known else known

    return supported


def batch_resolver(
    self: StateTaskService,
    env: Environment,
    resource_runtime_part: ResourceRuntimePart,
    normalised_parameters: dict[str, Any],
    state_credentials: StateCredentials,
) -> Awaited:
    """Stand in for StateTaskServiceBatch._build_sync_resolver."""
    del resource_runtime_part, normalised_parameters, state_credentials
    return AwaitedJob(self, env, env.stack.pop()["JobId"])


def abandon_when_over(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return StateTaskServiceCallback._eval_sync so that it ends what nobody waits for any more."""

    def eval_sync(self: StateTaskService, env: Environment, sync_resolver: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, env, sync_resolver, *args, **kwargs)
        finally:
            abandon = getattr(sync_resolver, "abandon", None)
            if abandon is not None and not env.is_running():
                abandon()

    return eval_sync


def name_sdk_errors(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
    """Return a service's _from_error so that a failed connection is an error one can retry, as on AWS."""

    def from_error(self: StateTaskService, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, BotoCoreError):
            service = self.resource.service_name
            return failure(self, env, f"{service[:1].upper()}{service[1:]}.SdkClientException", str(ex))
        return original(self, env=env, ex=ex)

    return from_error


def normalise_parameters(
    self: StateTaskService,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Stand in for StateTaskService._normalise_parameters, which changes its argument."""
    model = operation(
        self._get_boto_service_name(boto_service_name), self._get_boto_service_action(service_action_name)
    )
    if model is not None:
        request = to_request(parameters, model.input_shape)
        parameters.clear()
        parameters.update(request)


def normalise_response(
    self: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Stand in for StateTaskService._normalise_response, which changes its argument."""
    if not isinstance(response, dict):
        return
    model = operation(
        self._get_boto_service_name(boto_service_name), self._get_boto_service_action(service_action_name)
    )
    as_text = self.resource.service_name == "aws-sdk"
    result = to_result(response, model.output_shape if model else None, dates_as_text=as_text)
    response.clear()
    response.update(result)


def task_failed(state: StateTaskService, env: Environment, described: Any) -> FailureEventException:
    """Return the failure of a `.sync` state: States.TaskFailed, its cause the description of what failed."""
    name = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
    return FailureEventException(
        failure(state, env, "States.TaskFailed", json.dumps(described, separators=(",", ":")), error_name=name)
    )


def failure(
    state: StateTaskService, env: Environment, error: str, cause: str, *, error_name: StatesErrorName | None = None
) -> FailureEvent:
    """Return a TaskFailed event."""
    details = TaskFailedEventDetails(
        error=error, cause=cause, resource=state._get_sfn_resource(), resourceType=state._get_sfn_resource_type()
    )
    return FailureEvent(
        env=env,
        error_name=error_name or CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]  # one of many keys
    )


def _member_shape(service: str, action: str, name: str) -> Any:
    """Return the shape of one element of a list in an action's answer."""
    model = operation(service, action)
    if model is None:
        raise LookupError(f"{service} has no action {action}")
    output: Any = model.output_shape
    return output.members[name].member


def _client(service: str, part: ResourceRuntimePart, credentials: StateCredentials) -> Any:
    from moto.stepfunctions.parser.asl.utils import boto_client  # noqa: PLC0415 - its function is replaced

    return boto_client.boto_client_for(region=part.region, service=service, state_credentials=credentials)
