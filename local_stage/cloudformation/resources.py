"""What a resource type is here, and the two checks that keep a property from being lost on the way.

A template's properties are turned into an API call by the call's own shape: a property that the shape does not know is
an error. What the API then answers about the resource must contain what was asked: a property that was dropped is an
error too.
"""

import json
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_stage.cloudformation.template import Json
from local_stage.context import StageContext


class ResourceError(Exception):
    """A resource that could not be made, changed or removed as the template asks."""


@dataclass(frozen=True, slots=True)
class Request:
    """One resource as a template asks for it, with every function resolved."""

    context: StageContext
    stack_name: str
    stack_id: str
    logical_id: str
    type_name: str
    properties: Mapping[str, Json]

    def call(self, service: str, operation: str, **parameters: Json) -> Json:
        """Call an operation, with parameters as templates write them.

        Raises:
            ResourceError: a parameter is none of the operation's.
        """
        client = self.context.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        arguments = _fit(parameters, shape, operation) if shape is not None else {}
        return getattr(client, xform_name(operation))(**arguments)

    def take(self, *names: str) -> dict[str, Json]:
        """Return those of the named properties that the template gives."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def name(self, property_name: str, *, longest: int = 64, lower: bool = False) -> str:
        """Return the name that the template gives, or one made as CloudFormation does."""
        given = self.properties.get(property_name)
        if given:
            return str(given)
        suffix = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))
        made = f"{self.stack_name[: longest - len(suffix) - len(self.logical_id) - 2]}-{self.logical_id}"
        made = f"{made[: longest - len(suffix) - 1]}-{suffix}"
        return made.lower() if lower else made


@dataclass(slots=True)
class Made:
    """A resource that exists. `Ref` gives `physical_id`; `Fn::GetAtt` gives `attributes`."""

    physical_id: str
    attributes: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How one type of resource is made, changed, removed and looked at.

    `acted` names the properties that `create` passes on and reads back. `recorded` maps further ones to the reason why
    nothing here acts on them (a dotted path names a nested one); they are part of what `stage status` lists. A type
    without `update` is replaced when it changes.
    """

    name: str
    create: Callable[[Request], Made]
    delete: Callable[[Request, Made], None]
    acted: frozenset[str]
    recorded: Mapping[str, str] = field(default_factory=dict)
    update: Callable[[Request, Made], Made] | None = None
    look: Callable[[Request, Made], object] | None = None

    def without_recorded(self, properties: Mapping[str, Json]) -> dict[str, Json]:
        """Return the properties that are acted on.

        Raises:
            ResourceError: the type has none of that name here.
        """
        top = {path for path in self.recorded if "." not in path}
        if unknown := set(properties) - self.acted - top:
            raise ResourceError(
                f"the embedded AWS does not handle {', '.join(sorted(unknown))} of {self.name}: "
                "add it to local_stage/cloudformation"
            )
        kept = {name: value for name, value in properties.items() if name not in top}
        for path in self.recorded:
            if "." in path:
                kept = _without(kept, path.split("."))
        return kept


def confirm(asked: Json, found: Json, where: str) -> None:
    """Check that everything asked for is there; keys may differ in case, numbers and booleans may be text.

    Raises:
        ResourceError: something was dropped or changed.
    """
    if isinstance(asked, Mapping) and isinstance(found, str):
        found = _parsed(found)
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        found_by_key = {str(key).lower(): value for key, value in found.items()}
        for key, value in asked.items():
            if str(key).lower() not in found_by_key:
                raise ResourceError(f"{where}.{key} was asked for and is not there after creation")
            confirm(value, found_by_key[str(key).lower()], f"{where}.{key}")
        return
    if isinstance(asked, list):
        _confirm_list(asked, found if isinstance(found, list) else [found], where)
        return
    if isinstance(found, str) and found.startswith(("{", "[")) and _parsed(found) == _parsed(str(asked)):
        return
    if _plain(asked) != _plain(found):
        raise ResourceError(f"{where} was asked to be {_short(asked)} and is {_short(found)} after creation")


def again(create: Callable[[Request], Made]) -> Callable[[Request, Made], Made]:
    """Return an update for a type whose creation overwrites what is there."""

    def update(request: Request, made: Made) -> Made:
        del made
        return create(request)

    return update


def leave(request: Request, made: Made) -> None:
    """Delete nothing: the resource goes with what it belongs to."""
    del request, made


def attempt(act: Callable[[], object], *codes: str) -> None:
    """Run `act`; an AWS error with one of these codes is as good as done."""
    try:
        act()
    except Exception as error:
        if error_code(error) not in codes:
            raise


def error_code(error: Exception) -> str:
    """Return AWS's code of a client error, or an empty text."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if isinstance(response, dict) else ""


def tags_as_list(tags: Json, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Return tags in the list form that most calls take."""
    pairs = tags.items() if isinstance(tags, Mapping) else [(tag["Key"], tag["Value"]) for tag in tags]
    return [{key: str(name), value: str(text)} for name, text in pairs]


def _confirm_list(asked: Sequence[Json], found: Sequence[Json], where: str) -> None:
    if len(asked) > len(found):
        raise ResourceError(f"{where} was asked to have {len(asked)} items and has {len(found)} after creation")
    left = list(found)
    for index, item in enumerate(asked):
        for candidate in left:
            try:
                confirm(item, candidate, where)
            except ResourceError:
                continue
            left.remove(candidate)
            break
        else:
            raise ResourceError(f"{where}[{index}] was asked to be {_short(item)}: no such item after creation")


def _plain(value: Json) -> str:
    text = str(value).strip().lower()
    try:
        return repr(float(text))
    except ValueError:
        return text


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}..."


def _without(node: Json, path: Sequence[str]) -> Json:
    if isinstance(node, list):
        return [_without(item, path) for item in node]
    if not isinstance(node, dict) or path[0] not in node:
        return node
    if len(path) == 1:
        return {key: value for key, value in node.items() if key != path[0]}
    return {key: _without(value, path[1:]) if key == path[0] else value for key, value in node.items()}


def _fit(value: Json, shape: Shape, where: str) -> Json:
    if isinstance(shape, StructureShape):
        if not isinstance(value, Mapping):
            raise ResourceError(f"{where} must be an object")
        members = {name.lower(): name for name in shape.members}
        fitted = {}
        for key, item in value.items():
            if key.lower() not in members:
                raise ResourceError(f"{where} has no {key} in the API: the embedded AWS cannot pass it on")
            name = members[key.lower()]
            fitted[name] = _fit(item, shape.members[name], f"{where}.{key}")
        return fitted
    if isinstance(shape, ListShape):
        items = value if isinstance(value, list) else [value]
        return [_fit(item, shape.member, where) for item in items]
    if isinstance(shape, MapShape):
        pairs = {tag["Key"]: tag["Value"] for tag in value} if isinstance(value, list) else value
        return {key: _fit(item, shape.value, f"{where}.{key}") for key, item in pairs.items()}
    return _fit_scalar(value, shape)


def _fit_scalar(value: Json, shape: Shape) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "string" if isinstance(value, dict | list):
            return json.dumps(value)
        case "string" if isinstance(value, bool):
            return str(value).lower()
        case "string":
            return str(value)
    return value
