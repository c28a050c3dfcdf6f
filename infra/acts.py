"""What leaves an entry in the audit log, from the file that the code reads too."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

ACTS: Final = Path(__file__).resolve().parents[1] / "strandline" / "trust" / "acts.json"


@cache
def _described() -> Mapping[str, Any]:
    described: Mapping[str, Any] = json.loads(ACTS.read_text(encoding="utf-8"))
    return described


def event_rules() -> Mapping[str, Any]:
    """The patterns of EventBridge by rule; `{stage}`, `{client}` and `{pool}` stand for those of the stage."""
    rules: Mapping[str, Any] = _described()["rules"]
    return rules


def access_log_pattern() -> str:
    """The filter pattern of CloudWatch Logs that finds callers whom API Gateway refused itself."""
    return str(_described()["access_log"])
