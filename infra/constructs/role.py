"""Roles whose permissions are exactly what was asked for."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from infra.constructs.acknowledgement import acknowledge
from infra.constructs.permissions import Permission

_NAMES_ITS_SOURCE = frozenset({"ecs-tasks.amazonaws.com", "states.amazonaws.com", "vpc-flow-logs.amazonaws.com"})
"""Services documented to say for which account they take on a role; others would be locked out by the condition."""


class LeastPrivilegeRole(Construct):
    """A role that one service may take on, with one managed policy and nothing that a construct adds by itself.

    Without a service it is one of people: of those whom the account lets assume it, each with a second factor.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        permissions: Sequence[Permission],
        service: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        account = Stack.of(self).account
        if service is None:
            second_factor = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
            principal: iam.IPrincipal = iam.PrincipalWithConditions(iam.AccountPrincipal(account), second_factor)
        else:
            principal = iam.ServicePrincipal(service)
        if service in _NAMES_ITS_SOURCE:
            same_account = {"StringEquals": {"aws:SourceAccount": account}}
            principal = iam.PrincipalWithConditions(principal, same_account)
        role = iam.Role(self, "Role", assumed_by=principal, role_name=name, description=description)
        policy = iam.ManagedPolicy(self, "Policy", statements=[permission.statement() for permission in permissions])
        policy.attach_to_role(role)
        for resource, reasons in _wildcards(permissions).items():
            if "" in reasons:
                raise ValueError(f"{self.node.path}: say why {resource} holds a wildcard")
            acknowledge(policy, (f"AwsSolutions-IAM5[Resource::{resource}]",), "; ".join(reasons))
        self.role: iam.IRole = role.without_policy_updates()
        self._policy = policy

    def complete_before(self, construct: IConstruct) -> None:
        """Have `construct` made only after the role may do all it is meant to."""
        construct.node.add_dependency(cast(iam.CfnManagedPolicy, self._policy.node.default_child))


def _wildcards(permissions: Sequence[Permission]) -> dict[str, list[str]]:
    """The reasons given for each resource that holds a wildcard, each said once."""
    reasons: dict[str, list[str]] = {}
    for permission in permissions:
        for resource in permission.resources:
            if "*" in resource and permission.wildcard_reason not in reasons.setdefault(resource, []):
                reasons[resource].append(permission.wildcard_reason)
    return reasons
