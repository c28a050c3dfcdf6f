"""What an EventBridge target gets of an event.

Source: "EventBridge input transformation", EventBridge user guide.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\['([^']+)'\]")
_PLACE = re.compile(r"<([A-Za-z0-9_.\-]+)>")


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, rule_name: str) -> str:
    """Return the text that a target is sent: the event, a part of it, a constant, or what a template makes of it."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(find(event, target["InputPath"]))
    if "InputTransformer" not in target:
        return json.dumps(event)
    transformer = target["InputTransformer"]
    values = {name: find(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    return fill_template(str(transformer["InputTemplate"]), values)


def find(event: Any, path: str) -> Any:
    """Return what a JSON path leads to, or None.

    >>> find({"detail": {"keys": ["a", "b"]}}, "$.detail.keys[1]")
    'b'
    """
    found = event
    for name, index, quoted in _STEP.findall(path.removeprefix("$")):
        if index and isinstance(found, list) and int(index) < len(found):
            found = found[int(index)]
        elif isinstance(found, Mapping) and (name or quoted) in found:
            found = found[name or quoted]
        else:
            return None
    return found


def fill_template(template: str, values: Mapping[str, Any]) -> str:
    """Put values in the places of a template: as JSON where they stand alone, as plain text inside quotes.

    >>> fill_template('{"key": <key>, "text": "saw <key>", "size": <size>}', {"key": "a", "size": 3})
    '{"key": "a", "text": "saw a", "size": 3}'
    """
    filled, position = "", 0
    for match in _PLACE.finditer(template):
        if match.group(1) not in values:
            continue
        filled += template[position : match.start()]
        value = values[match.group(1)]
        if not _is_inside_quotes(template[: match.start()]):
            filled += json.dumps(value)
        elif isinstance(value, str):
            filled += json.dumps(value)[1:-1]
        else:
            filled += json.dumps(json.dumps(value))[1:-1] if value is not None else ""
        position = match.end()
    return filled + template[position:]


def _is_inside_quotes(text: str) -> bool:
    return len(re.findall(r'(?<!\\)"', text)) % 2 == 1
