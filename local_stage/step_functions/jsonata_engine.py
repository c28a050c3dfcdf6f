"""Variables and JSONata expressions: moto brings their grammar and no engine, this is the engine.

Source: "Passing data between states with variables", Step Functions developer guide; jsonata.org for the language.
"""

import json
from typing import Any

from jsonata import Jsonata
from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException


def evaluate(expression: str) -> Any:
    """Evaluate one expression and return plain JSON.

    Raises:
        JSONataException: as moto's interpreter expects it, with the engine's words.
    """
    try:
        return json.loads(json.dumps(Jsonata(expression).evaluate(None), default=_plain))
    except Exception as error:  # the engine raises errors of its own and Python's alike
        raise JSONataException("UNKNOWN", str(error)) from error


def _plain(value: Any) -> Any:
    """Turn the engine's own null and numbers into JSON's."""
    return None if type(value).__name__ in {"NoneType", "NullValue"} else float(value)
