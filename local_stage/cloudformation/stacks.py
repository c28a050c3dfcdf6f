"""Stacks: templates made real, changed and taken down, one resource after the other in the order they need."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local_stage.cloudformation.catalogue import find_type
from local_stage.cloudformation.resources import Made, Request, ResourceError
from local_stage.cloudformation.template import (
    Json,
    Resolver,
    Template,
    TemplateError,
    in_order,
    read_template,
)
from local_stage.context import StageContext


@dataclass(slots=True)
class Resource:
    """A resource of a stack: what was asked, and what stands for it."""

    request: Request
    made: Made
    deletion_policy: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a stack's history."""

    identity: str
    logical_id: str
    physical_id: str
    type_name: str
    status: str
    reason: str | None
    at: datetime


@dataclass(slots=True)
class Stack:
    """One stack. `resources` holds only what exists; `outputs` maps a key to value, description and export name."""

    name: str
    identity: str
    template: Template
    parameters: dict[str, Json]
    created: datetime
    tags: list[dict[str, str]] = field(default_factory=list)
    updated: datetime | None = None
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, tuple[str, str | None, str | None]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def say(self, logical_id: str, physical_id: str, kind: str, status: str, reason: str | None = None) -> None:
        """Add a line to the history."""
        self.events.append(Event(str(uuid.uuid4()), logical_id, physical_id, kind, status, reason, _now()))


class StackStore:
    """All stacks of one embedded AWS. Each stack is worked on by one caller at a time."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._stacks: dict[str, Stack] = {}
        self._gone: list[Stack] = []
        self._lock = threading.RLock()

    def create(self, name: str, body: str, parameters: Mapping[str, str], tags: list[dict[str, str]]) -> Stack:
        """Make a stack. Where a resource fails, those before it are taken down again and the stack says why.

        Raises:
            TemplateError: the template cannot be deployed, or the stack exists; nothing was made.
        """
        template = read_template(body)
        with self._lock:
            if name in self._stacks:
                raise TemplateError(f"Stack [{name}] already exists")
            identity = (
                f"arn:aws:cloudformation:{self._context.region}:{self._context.account}:stack/{name}/{uuid.uuid4()}"
            )
            stack = Stack(name, identity, template, {}, _now(), tags)
            stack.parameters = self._parameters(template, parameters)
            order = self._plan(stack, template)
            self._stacks[name] = stack
        stack.say(name, identity, "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS")
        try:
            for logical_id in order:
                self._make(stack, logical_id)
            self._set_outputs(stack)
        except Exception as error:
            stack.reason = _words(error)
            self._take_down(stack, list(stack.resources))
            self._end(stack, "ROLLBACK_COMPLETE" if not stack.resources else "ROLLBACK_FAILED")
            return stack
        self._end(stack, "CREATE_COMPLETE")
        return stack

    def update(self, name: str, body: str | None, parameters: Mapping[str, str]) -> Stack:
        """Change a stack into what the template says; resources that are the same stay untouched.

        Raises:
            TemplateError: the template cannot be deployed, or nothing would change; nothing was touched.
        """
        stack = self.get(name)
        template = read_template(body) if body is not None else stack.template
        if stack.status.startswith(("ROLLBACK", "DELETE")):
            raise TemplateError(f"Stack:{stack.identity} is in {stack.status} state and can not be updated.")
        values = self._parameters(template, parameters)
        same_resources = template.resources == stack.template.resources and values == stack.parameters
        if same_resources and template.outputs == stack.template.outputs and stack.status != "UPDATE_FAILED":
            raise TemplateError("No updates are to be performed.")
        previous = stack.template, stack.parameters
        stack.template, stack.parameters = template, values
        try:
            order = self._plan(stack, template)
        except TemplateError:
            stack.template, stack.parameters = previous
            raise
        stack.say(name, stack.identity, "AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS")
        try:
            for logical_id in order:
                self._make_or_change(stack, logical_id)
            self._take_down(stack, [known for known in stack.resources if known not in order])
            self._set_outputs(stack)
        except Exception as error:
            stack.reason = _words(error)
            self._end(stack, "UPDATE_FAILED")
            return stack
        stack.updated, stack.reason = _now(), None
        self._end(stack, "UPDATE_COMPLETE")
        return stack

    def delete(self, name: str) -> None:
        """Take a stack down, apart from what its template wants retained. A stack that is not there is no error.

        Raises:
            TemplateError: another stack imports one of its exports.
        """
        try:
            stack = self.get(name)
        except TemplateError:
            return
        for export in (export for _, _, export in stack.outputs.values() if export):
            if users := self.importers(export):
                raise TemplateError(f"Export {export} cannot be deleted as it is in use by {', '.join(users)}")
        retained = [known for known, resource in stack.resources.items() if resource.deletion_policy == "Retain"]
        self._take_down(stack, [known for known in stack.resources if known not in retained])
        left = [known for known in stack.resources if known not in retained]
        self._end(stack, "DELETE_FAILED" if left else "DELETE_COMPLETE")
        if not left:
            with self._lock:
                self._gone.append(self._stacks.pop(stack.name))

    def get(self, name_or_id: str) -> Stack:
        """Return a stack by name, or by id even after it was deleted.

        Raises:
            TemplateError: there is none.
        """
        with self._lock:
            for stack in [*self._stacks.values(), *reversed(self._gone)]:
                if name_or_id == stack.identity or (stack.name in self._stacks and name_or_id == stack.name):
                    return stack
        raise TemplateError(f"Stack with id {name_or_id} does not exist")

    def all(self, *, deleted: bool = False) -> list[Stack]:
        """Return the stacks, latest first."""
        with self._lock:
            stacks = [*self._stacks.values(), *(self._gone if deleted else [])]
        return sorted(stacks, key=lambda stack: stack.created, reverse=True)

    def exports(self) -> dict[str, tuple[str, str]]:
        """Return every export: its name to the id of its stack and its value."""
        return {
            export: (stack.identity, value)
            for stack in self.all()
            for value, _, export in stack.outputs.values()
            if export is not None
        }

    def importers(self, export: str) -> list[str]:
        """Return the names of the stacks that import an export."""
        return [stack.name for stack in self.all() if export in set(_imports(stack.template.resources))]

    def _parameters(self, template: Template, given: Mapping[str, str]) -> dict[str, Json]:
        if unknown := set(given) - set(template.parameters):
            raise TemplateError(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
        values: dict[str, Json] = {}
        for name, declared in template.parameters.items():
            value = given.get(name, declared.get("Default"))
            if value is None:
                raise TemplateError(f"Parameters: [{name}] must have values")
            if "AllowedValues" in declared and value not in declared["AllowedValues"]:
                raise TemplateError(f"Parameter '{name}' must be one of AllowedValues")
            values[name] = self._typed(name, str(declared["Type"]), str(value))
        return values

    def _typed(self, name: str, kind: str, value: str) -> Json:
        if kind.startswith("AWS::SSM::Parameter::Value"):
            try:
                found = self._context.client("ssm").get_parameter(Name=value)["Parameter"]["Value"]
            except Exception as error:
                raise TemplateError(f"Unable to fetch parameter [{value}] for {name}: {error}") from None
            return found.split(",") if "List" in kind else found
        if "List" in kind:
            return [item.strip() for item in value.split(",")]
        return value

    def _resolver(self, stack: Stack) -> Resolver:
        region, account = self._context.region, self._context.account
        values = {
            **stack.parameters,
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.identity,
            "AWS::NotificationARNs": [],
        }

        def existing(logical_id: str) -> Resource:
            if logical_id not in stack.resources:
                raise TemplateError(f"{logical_id} is referred to and does not exist")
            return stack.resources[logical_id]

        def attribute(logical_id: str, name: str) -> Json:
            resource = existing(logical_id)
            if name not in resource.made.attributes:
                raise TemplateError(f"{resource.request.type_name} has no attribute {name} here ({logical_id})")
            return resource.made.attributes[name]

        def imported(export: str) -> Json:
            exports = self.exports()
            if export not in exports:
                raise TemplateError(f"No export named {export} found.")
            return exports[export][1]

        return Resolver(stack.template, values, lambda name: existing(name).made.physical_id, attribute, imported)

    def _plan(self, stack: Stack, template: Template) -> list[str]:
        """Return the resources to make, in order, after checking all that can be checked before anything is made."""
        resolver = self._resolver(stack)
        for name, rule in template.rules.items():
            for assertion in rule["Assertions"]:
                if not resolver.resolve(assertion["Assert"]):
                    raise TemplateError(f"Template validation error: rule {name}: {assertion['AssertDescription']}")
        wanted = {
            name
            for name, resource in template.resources.items()
            if "Condition" not in resource or resolver.holds(resource["Condition"])
        }
        for name in wanted:
            resource = template.resources[name]
            try:
                find_type(resource["Type"]).without_recorded(resource.get("Properties", {}))
            except ResourceError as error:
                raise TemplateError(f"resource {name}: {error}") from None
        for export in set(_imports([template.resources[name] for name in wanted])):
            resolver.imported(export)
        return in_order(template, wanted)

    def _request(self, stack: Stack, logical_id: str) -> Request:
        declared = stack.template.resources[logical_id]
        resolved = self._resolver(stack).resolve(declared.get("Properties", {}))
        properties = find_type(declared["Type"]).without_recorded(resolved)
        return Request(self._context, stack.name, stack.identity, logical_id, declared["Type"], properties)

    def _make(self, stack: Stack, logical_id: str) -> None:
        request = self._request(stack, logical_id)
        try:
            made = find_type(request.type_name).create(request)
        except Exception as error:
            stack.say(logical_id, "", request.type_name, "CREATE_FAILED", _words(error))
            raise ResourceError(f"{logical_id} ({request.type_name}): {_words(error)}") from error
        policy = stack.template.resources[logical_id].get("DeletionPolicy", "Delete")
        stack.resources[logical_id] = Resource(request, made, policy, _now())
        stack.say(logical_id, made.physical_id, request.type_name, "CREATE_COMPLETE")

    def _make_or_change(self, stack: Stack, logical_id: str) -> None:
        if logical_id not in stack.resources:
            self._make(stack, logical_id)
            return
        request, resource = self._request(stack, logical_id), stack.resources[logical_id]
        resource.deletion_policy = stack.template.resources[logical_id].get("DeletionPolicy", "Delete")
        same_type = request.type_name == resource.request.type_name
        if same_type and request.properties == resource.request.properties:
            return
        change = find_type(request.type_name).update
        try:
            if same_type and change is not None:
                resource.made, resource.request = change(request, resource.made), request
                stack.say(logical_id, resource.made.physical_id, request.type_name, "UPDATE_COMPLETE")
                return
            find_type(resource.request.type_name).delete(resource.request, resource.made)
            del stack.resources[logical_id]
        except Exception as error:
            stack.say(logical_id, resource.made.physical_id, request.type_name, "UPDATE_FAILED", _words(error))
            raise ResourceError(f"{logical_id} ({request.type_name}): {_words(error)}") from error
        self._make(stack, logical_id)

    def _take_down(self, stack: Stack, logical_ids: list[str]) -> None:
        for logical_id in reversed(logical_ids):
            resource = stack.resources[logical_id]
            kind, physical_id = resource.request.type_name, resource.made.physical_id
            try:
                find_type(kind).delete(resource.request, resource.made)
            except Exception as error:  # what one resource says must not keep the others alive
                stack.say(logical_id, physical_id, kind, "DELETE_FAILED", _words(error))
                continue
            del stack.resources[logical_id]
            stack.say(logical_id, physical_id, kind, "DELETE_COMPLETE")

    def _set_outputs(self, stack: Stack) -> None:
        resolver = self._resolver(stack)
        outputs: dict[str, tuple[str, str | None, str | None]] = {}
        for key, declared in stack.template.outputs.items():
            if "Condition" in declared and not resolver.holds(declared["Condition"]):
                continue
            value = str(resolver.resolve(declared["Value"]))
            export = resolver.resolve(declared["Export"]["Name"]) if "Export" in declared else None
            outputs[key] = (value, declared.get("Description"), export)
        taken = {name for name, (owner, _) in self.exports().items() if owner != stack.identity}
        if clash := taken & {export for _, _, export in outputs.values() if export}:
            raise TemplateError(f"Export with name {clash.pop()} is already exported by another stack")
        stack.outputs = outputs

    @staticmethod
    def _end(stack: Stack, status: str) -> None:
        stack.status = status
        stack.say(stack.name, stack.identity, "AWS::CloudFormation::Stack", status, stack.reason)


def _imports(node: Json) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _imports(item)]
    if not isinstance(node, Mapping):
        return []
    found = []
    for key, value in node.items():
        if key == "Fn::ImportValue" and isinstance(value, str):
            found.append(value)
        else:
            found += _imports(value)
    return found


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _now() -> datetime:
    return datetime.now(UTC)
