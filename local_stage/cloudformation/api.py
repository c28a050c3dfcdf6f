"""CloudFormation's API in front of the stacks. What is not served says so.

It is an application of its own: moto's would import the models of every service that moto has, which takes a second.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.moto_server.werkzeug_app import BackendRequest
from moto.s3.models import s3_backends
from werkzeug.wrappers import Response

from local_stage.cloudformation.resources import error_code
from local_stage.cloudformation.stacks import Event, Resource, Stack, StackStore
from local_stage.cloudformation.template import TemplateError, read_template
from local_stage.context import StageContext

Answer = Callable[[StackStore, Any], ActionResult]


class CloudFormationApp:
    """A WSGI application that serves CloudFormation from stacks of its own."""

    def __init__(self, context: StageContext) -> None:
        self._store = StackStore(context)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = BackendRequest(environ)
        status, headers, body = _Call(self._store)._dispatch(request, request.raw_url, dict(request.headers))
        return Response(body, status, headers)(environ, start_response)


class _Refusal(ServiceException):
    """An error of CloudFormation. moto tells whose errors to look up by the second part of this module's name."""


class _Call(BaseResponse):
    """One call: moto's own reading of parameters and writing of answers around ours."""

    def __init__(self, store: StackStore) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True
        self._store = store

    def call_action(self) -> Any:
        """Answer the action that the request names."""
        try:
            return self.serialized(self._answer())
        except ServiceException as error:
            return self.serialized(ActionResult(error))

    def _answer(self) -> ActionResult:
        action = self._get_action()
        answer = _ANSWERS.get(action)
        if answer is None:
            text = f"the embedded AWS does not serve {action}: use CreateStack, UpdateStack and DeleteStack"
            raise _Refusal("ValidationError", text)
        try:
            return answer(self._store, self)
        except TemplateError as error:
            exists = str(error).endswith("already exists")
            raise _Refusal("AlreadyExistsException" if exists else "ValidationError", str(error)) from None


def _create(store: StackStore, ask: Any) -> ActionResult:
    body = _body(ask)
    if body is None:
        raise TemplateError("Either Template URL or Template Body must be specified.")
    stack = store.create(ask._get_param("StackName"), body, _given(ask, {}), ask._get_param("Tags") or [])
    return ActionResult({"StackId": stack.identity})


def _update(store: StackStore, ask: Any) -> ActionResult:
    name = ask._get_param("StackName")
    stack = store.update(name, _body(ask), _given(ask, store.get(name).parameters))
    return ActionResult({"StackId": stack.identity})


def _delete(store: StackStore, ask: Any) -> ActionResult:
    store.delete(ask._get_param("StackName"))
    return EmptyResult()


def _describe(store: StackStore, ask: Any) -> ActionResult:
    name = ask._get_param("StackName")
    stacks = [store.get(name)] if name else store.all()
    return ActionResult({"Stacks": [_stack(stack) for stack in stacks]})


def _describe_resource(store: StackStore, ask: Any) -> ActionResult:
    stack = store.get(ask._get_param("StackName"))
    wanted = ask._get_param("LogicalResourceId")
    if wanted not in stack.resources:
        raise TemplateError(f"Resource {wanted} does not exist for stack {stack.name}")
    described = _resource(stack, wanted, stack.resources[wanted])
    return ActionResult({"StackResourceDetail": {**described, "LastUpdatedTimestamp": described["Timestamp"]}})


def _describe_resources(store: StackStore, ask: Any) -> ActionResult:
    name, physical = ask._get_param("StackName"), ask._get_param("PhysicalResourceId")
    stacks = [store.get(name)] if name else store.all()
    wanted = ask._get_param("LogicalResourceId")
    found = [
        _resource(stack, logical_id, resource)
        for stack in stacks
        for logical_id, resource in stack.resources.items()
        if wanted in {None, logical_id} and physical in {None, resource.made.physical_id}
    ]
    return ActionResult({"StackResources": found})


def _describe_events(store: StackStore, ask: Any) -> ActionResult:
    stack = store.get(ask._get_param("StackName"))
    return ActionResult({"StackEvents": [_event(stack, event) for event in reversed(stack.events)]})


def _list(store: StackStore, ask: Any) -> ActionResult:
    wanted = ask._get_param("StackStatusFilter") or []
    summaries = [
        {
            "StackId": stack.identity,
            "StackName": stack.name,
            "TemplateDescription": stack.template.description,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
        }
        for stack in store.all(deleted=True)
        if not wanted or stack.status in wanted
    ]
    return ActionResult({"StackSummaries": summaries})


def _list_resources(store: StackStore, ask: Any) -> ActionResult:
    stack = store.get(ask._get_param("StackName"))
    summaries = [
        {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": resource.made.physical_id,
            "ResourceType": resource.request.type_name,
            "LastUpdatedTimestamp": resource.since,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical_id, resource in stack.resources.items()
    ]
    return ActionResult({"StackResourceSummaries": summaries})


def _list_exports(store: StackStore, ask: Any) -> ActionResult:
    del ask
    exports = [
        {"ExportingStackId": identity, "Name": name, "Value": value}
        for name, (identity, value) in store.exports().items()
    ]
    return ActionResult({"Exports": exports})


def _get_template(store: StackStore, ask: Any) -> ActionResult:
    return ActionResult({"TemplateBody": store.get(ask._get_param("StackName")).template.body})


def _validate(store: StackStore, ask: Any) -> ActionResult:
    del store
    template = read_template(_body(ask) or "")
    parameters = [
        {"ParameterKey": name, "DefaultValue": declared.get("Default"), "Description": declared.get("Description")}
        for name, declared in template.parameters.items()
    ]
    return ActionResult({"Parameters": parameters, "Description": template.description})


def _body(ask: Any) -> str | None:
    body: str | None = ask._get_param("TemplateBody")
    url: str | None = ask._get_param("TemplateURL")
    if not url:
        return body
    bucket, _, key = url.split("://", 1)[1].split("/", 1)[1].partition("/")
    try:
        found: Any = s3_backends[ask.current_account]["aws"].get_object(bucket, key)
    except Exception as error:
        raise TemplateError(f"{url} cannot be read: {error_code(error) or error}") from None
    if found is None:
        raise TemplateError(f"{url} is not there")
    return str(found.value.read().decode())


def _given(ask: Any, previous: dict[str, Any]) -> dict[str, str]:
    given = {}
    for parameter in ask._get_param("Parameters") or []:
        key = parameter["ParameterKey"]
        reuse = str(parameter.get("UsePreviousValue", "false")).lower() == "true"
        given[key] = previous[key] if reuse else parameter["ParameterValue"]
    return given


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.identity,
        "StackName": stack.name,
        "Description": stack.template.description,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": ",".join(value) if isinstance(value, list) else value}
            for name, value in stack.parameters.items()
        ],
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": False,
        "Outputs": [
            {"OutputKey": key, "OutputValue": value, "Description": description, "ExportName": export}
            for key, (value, description, export) in stack.outputs.items()
        ],
        "Tags": stack.tags,
    }


def _resource(stack: Stack, logical_id: str, resource: Resource) -> dict[str, Any]:
    return {
        "StackName": stack.name,
        "StackId": stack.identity,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": resource.made.physical_id,
        "ResourceType": resource.request.type_name,
        "Timestamp": resource.since,
        "ResourceStatus": "CREATE_COMPLETE",
    }


def _event(stack: Stack, event: Event) -> dict[str, Any]:
    return {
        "StackId": stack.identity,
        "EventId": event.identity,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type_name,
        "Timestamp": event.at,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
    }


_ANSWERS: Mapping[str, Answer] = {
    "CreateStack": _create,
    "UpdateStack": _update,
    "DeleteStack": _delete,
    "DescribeStacks": _describe,
    "DescribeStackResource": _describe_resource,
    "DescribeStackResources": _describe_resources,
    "DescribeStackEvents": _describe_events,
    "ListStacks": _list,
    "ListStackResources": _list_resources,
    "ListExports": _list_exports,
    "GetTemplate": _get_template,
    "ValidateTemplate": _validate,
}
