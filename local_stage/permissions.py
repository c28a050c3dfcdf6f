"""What the roles of functions, jobs and state machines may do, beside what they did and were refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from local_stage.context import stage_client

_SERVICES: Final = frozenset({"lambda", "ecs-tasks", "glue", "states"})


class Use(StrEnum):
    """How a role and an action go together."""

    USED = "used"
    NEVER_USED = "never used"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, order=True)
class RolePermission:
    """A role, an action, and whether it was used: `refused` is a policy that lacks it, or code that should not try."""

    role: str
    action: str
    use: Use


def list_permissions(endpoint_url: str, record: Path) -> list[RolePermission]:
    """Return, of every role that a function, a job or a state machine works under, its actions in alphabetical order.

    Args:
        endpoint_url: where the embedded AWS listens.
        record: what `PermissionRecord` wrote.
    """
    lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    used = {(line["role"], line["action"]) for line in lines if line["allowed"]}
    refused = {(line["role"], line["action"]) for line in lines if not line["allowed"]}
    roles = dict(_roles(endpoint_url))
    granted = {(role, action) for role, documents in roles.items() for action in _actions(documents)}
    found = [RolePermission(*pair, Use.USED if pair in used else Use.NEVER_USED) for pair in granted]
    return sorted([*found, *(RolePermission(*pair, Use.REFUSED) for pair in refused if pair[0] in roles)])


def _roles(endpoint_url: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    iam = stage_client("iam", endpoint_url)
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name, trust = role["RoleName"], role["AssumeRolePolicyDocument"]
            if not _is_of_service(trust):
                continue
            documents = []
            for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
                got = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
                documents.append(got["PolicyVersion"]["Document"])
            yield name, documents


def _is_of_service(trust: dict[str, Any]) -> bool:
    named = [statement.get("Principal", {}).get("Service", []) for statement in trust.get("Statement", [])]
    services = [one for each in named for one in (each if isinstance(each, list) else [each])]
    return any(service.partition(".")[0] in _SERVICES for service in services)


def _actions(documents: list[dict[str, Any]]) -> Iterator[str]:
    for document in documents:
        for statement in document["Statement"]:
            actions = statement["Action"]
            yield from actions if isinstance(actions, list) else [actions]
