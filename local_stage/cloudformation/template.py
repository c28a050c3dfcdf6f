"""Templates: reading them, resolving their functions, and finding out what needs what.

Source of the functions' meaning: "Intrinsic function reference", CloudFormation template reference.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

Json = Any  # what json.loads gives: a template may hold anything anywhere

_PSEUDO = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions"}
    | {"Resources", "Outputs"}
)
_RESOURCE_KEYS = frozenset(
    {"Type", "Properties", "Metadata", "DependsOn", "Condition"}
    | {"DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy"}
)
_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
NO_VALUE = object()


class TemplateError(Exception):
    """A template that cannot be deployed as it stands. The message says what and where."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, section by section, as JSON gives it."""

    body: str
    description: str | None
    parameters: Mapping[str, Json]
    rules: Mapping[str, Json]
    mappings: Mapping[str, Json]
    conditions: Mapping[str, Json]
    resources: Mapping[str, Json]
    outputs: Mapping[str, Json]


def read_template(body: str) -> Template:
    """Parse a template.

    Raises:
        TemplateError: it is no JSON object, or has sections or keys that CloudFormation does not know.
    """
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise TemplateError(f"the embedded AWS reads templates as JSON (`cdk synth` writes it): {error}") from None
    if not isinstance(document, dict) or not document.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    if unknown := set(document) - _SECTIONS:
        raise TemplateError(f"Template format error: not handled here: {', '.join(sorted(unknown))}")
    for name, resource in document["Resources"].items():
        if unknown := set(resource) - _RESOURCE_KEYS:
            raise TemplateError(f"Resource {name}: not handled here: {', '.join(sorted(unknown))}")
    return Template(
        body,
        document.get("Description"),
        *(
            document.get(name) or {}
            for name in ("Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs")
        ),
    )


@dataclass(slots=True)
class Resolver:
    """Replaces functions by values.

    `values` holds parameters and pseudo parameters; `reference` and `attribute` answer for resources that exist;
    `imported` answers for exports of other stacks.
    """

    template: Template
    values: Mapping[str, Json]
    reference: Callable[[str], Json]
    attribute: Callable[[str, str], Json]
    imported: Callable[[str], Json]
    _conditions: dict[str, bool] = field(default_factory=dict)

    def resolve(self, node: Json) -> Json:
        """Return `node` without functions; what came out as AWS::NoValue is left out of its list or object."""
        if isinstance(node, list):
            return [value for value in (self.resolve(item) for item in node) if value is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument) = next(iter(node.items()))
            if name == "Ref":
                return self._ref(argument)
            if name == "Condition" and isinstance(argument, str) and argument in self.template.conditions:
                return self.holds(argument)
            if name.startswith("Fn::"):
                function = _FUNCTIONS.get(name)
                if function is None:
                    raise TemplateError(f"{name} is not handled here")
                return function(self, argument)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def holds(self, condition: str) -> bool:
        """Say whether a named condition is true."""
        if condition not in self._conditions:
            if condition not in self.template.conditions:
                raise TemplateError(f"Template error: no condition named {condition}")
            self._conditions[condition] = bool(self.resolve(self.template.conditions[condition]))
        return self._conditions[condition]

    def _ref(self, name: str) -> Json:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.reference(name)

    def _get_att(self, argument: Json) -> Json:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self.attribute(name, self.resolve(attribute))

    def _sub(self, argument: Json) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument
        local = {key: self.resolve(value) for key, value in given.items()}

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in local:
                return _text(local[name])
            return _text(self._get_att(name) if "." in name else self._ref(name))

        return _SUBSTITUTION.sub(fill, text)

    def _select(self, argument: Json) -> Json:
        index, items = self.resolve(argument[0]), self.resolve(argument[1])
        try:
            return items[int(index)]
        except IndexError:
            raise TemplateError(f"Template error: Fn::Select cannot select item {index} of {len(items)}") from None

    def _find_in_map(self, argument: Json) -> Json:
        first, second, third = (self.resolve(part) for part in argument)
        try:
            return self.template.mappings[first][second][third]
        except KeyError:
            raise TemplateError(f"Template error: Fn::FindInMap finds no {first}.{second}.{third}") from None

    def _if(self, argument: Json) -> Json:
        condition, yes, no = argument
        return self.resolve(yes if self.holds(condition) else no)


_FUNCTIONS: Mapping[str, Callable[[Resolver, Json], Json]] = {
    "Fn::GetAtt": Resolver._get_att,
    "Fn::Sub": Resolver._sub,
    "Fn::Select": Resolver._select,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::If": Resolver._if,
    "Fn::Join": lambda to, arg: _text(arg[0]).join(_text(item) for item in to.resolve(arg[1])),
    "Fn::Split": lambda to, arg: _text(to.resolve(arg[1])).split(arg[0]),
    "Fn::ImportValue": lambda to, arg: to.imported(to.resolve(arg)),
    "Fn::Base64": lambda to, arg: base64.b64encode(_text(to.resolve(arg)).encode()).decode(),
    "Fn::ToJsonString": lambda to, arg: json.dumps(to.resolve(arg), separators=(",", ":")),
    "Fn::GetAZs": lambda to, arg: [f"{to.resolve(arg) or to.values['AWS::Region']}{zone}" for zone in "abc"],
    "Fn::Length": lambda to, arg: len(to.resolve(arg)),
    "Fn::Equals": lambda to, arg: to.resolve(arg[0]) == to.resolve(arg[1]),
    "Fn::Not": lambda to, arg: not to.resolve(arg[0]),
    "Fn::And": lambda to, arg: all(to.resolve(item) for item in arg),
    "Fn::Or": lambda to, arg: any(to.resolve(item) for item in arg),
    "Fn::Contains": lambda to, arg: to.resolve(arg[1]) in to.resolve(arg[0]),
}


def in_order(template: Template, names: set[str]) -> list[str]:
    """Return the resources `names` so that each comes after those it needs.

    Raises:
        TemplateError: they need each other in a circle, or something that the template does not have.
    """
    known = set(template.resources)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name in names:
        needed = set(_needs(template, name))
        if missing := needed - known:
            raise TemplateError(f"Template format error: resource {name} refers to what is not there: {missing.pop()}")
        sorter.add(name, *(needed & names))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        circle = ", ".join(error.args[1])
        raise TemplateError(f"Circular dependency between resources: [{circle}]") from None


def _needs(template: Template, name: str) -> Iterator[str]:
    resource = template.resources[name]
    after = resource.get("DependsOn", [])
    yield from [after] if isinstance(after, str) else after
    for found in references(resource.get("Properties", {})):
        if found not in _PSEUDO and found not in template.parameters:
            yield found


def references(node: Json) -> Iterator[str]:
    """Yield every name that a template node refers to, by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield value.split(".", 1)[0] if isinstance(value, str) else value[0]
        elif key == "Fn::Sub":
            text, given = (value, {}) if isinstance(value, str) else value
            for literal, name in _SUBSTITUTION.findall(text):
                if not literal and name not in given:
                    yield name.split(".", 1)[0]
            yield from references(list(given.values()))
        else:
            yield from references(value)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
