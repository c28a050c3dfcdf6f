"""CloudFormation's API in front of the stacks. What is not served says so."""

from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult

from local_stage.cloudformation.resources import error_code
from local_stage.cloudformation.stacks import Event, Resource, Stack, StackStore
from local_stage.cloudformation.template import TemplateError, read_template
from local_stage.context import StageContext
from local_stage.replacing import replace

_UNSERVED = (
    "create_change_set",
    "delete_change_set",
    "describe_change_set",
    "execute_change_set",
    "list_change_sets",
    "create_stack_set",
    "create_stack_instances",
    "delete_stack_set",
    "delete_stack_instances",
    "describe_stack_set",
    "describe_stack_instance",
    "list_stack_sets",
    "list_stack_instances",
    "list_stack_set_operations",
    "stop_stack_set_operation",
    "describe_stack_set_operation",
    "list_stack_set_operation_results",
    "update_stack_set",
    "update_stack_instances",
    "get_stack_policy",
    "set_stack_policy",
    "get_template_summary",
)


def install(context: StageContext) -> None:
    """Answer CloudFormation's calls from an empty set of stacks."""
    store = StackStore(context)
    served: dict[str, Callable[[Any], ActionResult]] = {
        "create_stack": lambda ask: _create(store, ask),
        "update_stack": lambda ask: _update(store, ask),
        "delete_stack": lambda ask: _delete(store, ask),
        "describe_stacks": lambda ask: _describe(store, ask),
        "describe_stack_resource": lambda ask: _describe_resource(store, ask),
        "describe_stack_resources": lambda ask: _describe_resources(store, ask),
        "describe_stack_events": lambda ask: _describe_events(store, ask),
        "list_stacks": lambda ask: _list(store, ask),
        "list_stack_resources": lambda ask: _list_resources(store, ask),
        "list_exports": lambda _: _list_exports(store),
        "get_template": lambda ask: _get_template(store, ask),
        "validate_template": _validate,
    }
    for name, answer in served.items():
        replace(CloudFormationResponse, name, _with_errors(answer))
    replace(CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", {})
    for name in _UNSERVED:
        replace(CloudFormationResponse, name, _unserved(name))


def _with_errors(answer: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    def act(self: Any) -> ActionResult:
        try:
            return answer(self)
        except TemplateError as error:
            text = str(error)
            if text.endswith("already exists"):
                raise AlreadyExistsException(text) from None
            raise ValidationError(message=text) from None

    return act


def _unserved(name: str) -> Callable[[Any], ActionResult]:
    def act(self: Any) -> ActionResult:
        del self
        action = "".join(part.capitalize() for part in name.split("_"))
        raise ValidationError(message=f"the embedded AWS does not serve {action}: use CreateStack and UpdateStack")

    return act


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


def _list_exports(store: StackStore) -> ActionResult:
    exports = [
        {"ExportingStackId": identity, "Name": name, "Value": value}
        for name, (identity, value) in store.exports().items()
    ]
    return ActionResult({"Exports": exports})


def _get_template(store: StackStore, ask: Any) -> ActionResult:
    return ActionResult({"TemplateBody": store.get(ask._get_param("StackName")).template.body})


def _validate(ask: Any) -> ActionResult:
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
    from moto.s3.models import s3_backends  # noqa: PLC0415 - only for templates that were uploaded first

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
