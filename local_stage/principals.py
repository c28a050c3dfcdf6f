"""Who stands behind a request, and what the policies of buckets and keys deny to all but one role.

Functions work under keys of their roles. So a statement that denies an action to whoever is not a certain role
(`aws:PrincipalArn`) is decided here as on AWS, for everybody: it is how a bucket is written by one function alone, and
how one alone signs with a key. Other conditions are not decided here.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from local_stage.context import ACCOUNT, REGION

ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
_PRINCIPAL: Final = "aws:principalarn"
_OPERATORS: Final[Mapping[str, Callable[[bool], bool]]] = {
    **dict.fromkeys(("ArnEquals", "ArnLike", "StringEquals", "StringLike"), lambda found: found),
    **dict.fromkeys(("ArnNotEquals", "ArnNotLike", "StringNotEquals", "StringNotLike"), lambda found: not found),
}


def denied(actions: Iterable[tuple[str, str]], principal: str) -> tuple[str, str] | None:
    """Return the first of some actions, each with its resource, that a policy denies to a principal."""
    for action, resource in actions:
        for statement in _statements(action, resource):
            if _denies(statement, action, resource, principal):
                return action, resource
    return None


def _statements(action: str, resource: str) -> Iterator[Mapping[str, Any]]:
    service = action.partition(":")[0]
    if service == "s3":
        bucket = s3_backends[ACCOUNT]["aws"].buckets.get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
        policy: bytes | str | None = bucket.policy if bucket is not None else None
    else:
        policy = _key_policy(resource)
    if not policy:
        return
    text = policy.decode() if isinstance(policy, bytes) else str(policy)
    if _PRINCIPAL not in text.lower():
        return
    statements = json.loads(text)["Statement"]
    yield from statements if isinstance(statements, list) else [statements]


def _key_policy(name: str) -> str | None:
    backend = kms_backends[ACCOUNT][REGION]
    plain = name.rpartition("key/")[2]
    key_id = plain if plain in backend.keys else backend.get_key_id_from_alias(name.rpartition(":")[2]) or ""
    return str(backend.keys[key_id].policy) if key_id in backend.keys else None


def _denies(statement: Mapping[str, Any], action: str, resource: str, principal: str) -> bool:
    if statement.get("Effect") != "Deny" or not _matches_any(statement.get("Action", []), action):
        return False
    if action.startswith("s3:") and not _matches_any(statement.get("Resource", []), resource):
        return False
    conditions = statement.get("Condition", {})
    for operator, operands in conditions.items():
        if operator not in _OPERATORS or {str(name).lower() for name in operands} != {_PRINCIPAL}:
            return False  # not decided here
        (patterns,) = operands.values()
        if not _OPERATORS[operator](_matches_any(patterns, principal)):
            return False
    return bool(conditions)


def _matches_any(patterns: Any, value: str) -> bool:
    return any(_matches(str(one), value) for one in (patterns if isinstance(patterns, list) else [patterns]))


def _matches(pattern: str, value: str) -> bool:
    parts = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), value, re.DOTALL) is not None
