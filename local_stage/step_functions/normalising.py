"""Puts parameters and results of service integrations into the shape that each side expects.

A state machine writes `JobName` and gets `JobId` whatever the service's own spelling is; dates become what Step
Functions shows; moto leaves all of this undone.
"""

import datetime
import json
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.response import StreamingBody
from moto.stepfunctions.parser.utils import camel_to_snake_case, snake_to_camel_case


@cache
def operation(service: str, action: str) -> OperationModel | None:
    """Return the model of an API action; `action` in snake case. None where the service has no such action."""
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        if camel_to_snake_case(name) == action:
            return model.operation_model(name)
    return None


def to_request(value: Any, shape: Shape | None) -> Any:
    """Return parameters with the member names of the API; what is not text where text is asked becomes JSON."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {camel_to_snake_case(name): (name, member) for name, member in shape.members.items()}
        request: dict[str, Any] = {}
        for key, part in value.items():
            name, member = members.get(camel_to_snake_case(key), (key, None))
            request[name] = to_request(part, member)
        return request
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_request(part, shape.member) for part in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: to_request(part, shape.value) for key, part in value.items()}
    if isinstance(shape, StringShape) and not isinstance(value, str):
        return _json(value)
    if shape is not None and shape.type_name == "blob" and not isinstance(value, bytes):
        return (value if isinstance(value, str) else _json(value)).encode()
    return value


def to_result(value: Any, shape: Shape | None, *, dates_as_text: bool) -> Any:
    """Return an answer of an API with member names in Pascal case and without anything that is not JSON.

    Dates become ISO 8601 text for SDK integrations, and milliseconds since the epoch for optimised ones.
    """
    if isinstance(value, dict):
        members = shape.members if isinstance(shape, StructureShape) else None
        member = shape.value if isinstance(shape, MapShape) else None
        return {
            _pascal(key) if members is not None and key in members else key: to_result(
                part, members.get(key) if members is not None else member, dates_as_text=dates_as_text
            )
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        member = shape.member if isinstance(shape, ListShape) else None
        return [to_result(part, member, dates_as_text=dates_as_text) for part in value]
    if isinstance(value, datetime.datetime):
        if dates_as_text:
            return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return int(value.timestamp() * 1000)
    if isinstance(value, StreamingBody):
        return value.read().decode("utf-8", "replace")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _pascal(name: str) -> str:
    return snake_to_camel_case(camel_to_snake_case(name))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
