"""IAM: kept, shown and read back. Who may do what is decided by AWS only, and proved on the templates."""

import json
from collections.abc import Mapping
from functools import partial

from local_stage.cloudformation.resources import Made, Request, ResourceType, again, attempt, confirm, tags_as_list
from local_stage.cloudformation.template import Json

_GONE = "NoSuchEntity"


def _create_role(request: Request) -> Made:
    name = request.name("RoleName")
    asked = request.take("Description", "MaxSessionDuration", "Path", "PermissionsBoundary")
    role = request.call(
        "iam",
        "CreateRole",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(request.properties["AssumeRolePolicyDocument"]),
        Tags=tags_as_list(request.properties.get("Tags", [])),
        **asked,
    )["Role"]
    return _configure_role(request, Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]}))


def _configure_role(request: Request, made: Made) -> Made:
    name, properties = made.physical_id, request.properties
    document = properties["AssumeRolePolicyDocument"]
    request.call("iam", "UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=json.dumps(document))
    wanted = properties.get("ManagedPolicyArns", [])
    for arn in wanted:
        request.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
    for policy in properties.get("Policies", []):
        _put_inline(request, name, policy["PolicyName"], policy["PolicyDocument"])
    found = request.call("iam", "GetRole", RoleName=name)["Role"]
    confirm(document, found["AssumeRolePolicyDocument"], f"role {name}.AssumeRolePolicyDocument")
    confirm(request.take("Description", "MaxSessionDuration", "Path", "Tags"), found, f"role {name}")
    attached = request.call("iam", "ListAttachedRolePolicies", RoleName=name)["AttachedPolicies"]
    confirm(list(wanted), [policy["PolicyArn"] for policy in attached], f"role {name}.ManagedPolicyArns")
    return made


def _delete_role(request: Request, made: Made) -> None:
    role = {"RoleName": made.physical_id}

    def remove() -> None:
        for policy in request.call("iam", "ListAttachedRolePolicies", **role)["AttachedPolicies"]:
            request.call("iam", "DetachRolePolicy", **role, PolicyArn=policy["PolicyArn"])
        for policy_name in request.call("iam", "ListRolePolicies", **role)["PolicyNames"]:
            request.call("iam", "DeleteRolePolicy", **role, PolicyName=policy_name)
        request.call("iam", "DeleteRole", **role)

    attempt(remove, _GONE)


def _put_inline(request: Request, role: str, name: str, document: Mapping[str, Json]) -> None:
    request.call("iam", "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    found = request.call("iam", "GetRolePolicy", RoleName=role, PolicyName=name)["PolicyDocument"]
    confirm(document, found, f"policy {name} of {role}")


def _create_policy(request: Request) -> Made:
    name = request.name("PolicyName", longest=128)
    for role in request.properties.get("Roles", []):
        _put_inline(request, role, name, request.properties["PolicyDocument"])
    return Made(name, {"Id": name})


def _delete_policy(request: Request, made: Made) -> None:
    for role in request.properties.get("Roles", []):
        attempt(partial(request.call, "iam", "DeleteRolePolicy", RoleName=role, PolicyName=made.physical_id), _GONE)


def _create_managed_policy(request: Request) -> Made:
    name = request.name("ManagedPolicyName", longest=128)
    asked = request.take("Path")
    document = request.properties["PolicyDocument"]
    made = request.call("iam", "CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(document), **asked)["Policy"]
    arn = made["Arn"]
    found = request.call("iam", "GetPolicy", PolicyArn=arn)["Policy"]
    confirm(asked, found, f"policy {name}")
    version = request.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=found["DefaultVersionId"])
    confirm(document, version["PolicyVersion"]["Document"], f"policy {name}.PolicyDocument")
    for role in request.properties.get("Roles", []):
        request.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
    return Made(arn, {"PolicyArn": arn, "PolicyId": made["PolicyId"]})


def _delete_managed_policy(request: Request, made: Made) -> None:
    def remove() -> None:
        attached = request.call("iam", "ListEntitiesForPolicy", PolicyArn=made.physical_id)["PolicyRoles"]
        for role in attached:
            request.call("iam", "DetachRolePolicy", RoleName=role["RoleName"], PolicyArn=made.physical_id)
        request.call("iam", "DeletePolicy", PolicyArn=made.physical_id)

    attempt(remove, _GONE)


def _create_profile(request: Request) -> Made:
    name = request.name("InstanceProfileName", longest=128)
    asked = request.take("Path")
    made = request.call("iam", "CreateInstanceProfile", InstanceProfileName=name, **asked)["InstanceProfile"]
    for role in request.properties["Roles"]:
        request.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)
    found = request.call("iam", "GetInstanceProfile", InstanceProfileName=name)["InstanceProfile"]
    confirm(list(request.properties["Roles"]), [role["RoleName"] for role in found["Roles"]], f"profile {name}.Roles")
    return Made(name, {"Arn": made["Arn"]})


def _delete_profile(request: Request, made: Made) -> None:
    profile = {"InstanceProfileName": made.physical_id}

    def remove() -> None:
        for role in request.call("iam", "GetInstanceProfile", **profile)["InstanceProfile"]["Roles"]:
            request.call("iam", "RemoveRoleFromInstanceProfile", **profile, RoleName=role["RoleName"])
        request.call("iam", "DeleteInstanceProfile", **profile)

    attempt(remove, _GONE)


TYPES = [
    ResourceType(
        "AWS::IAM::Role",
        _create_role,
        _delete_role,
        frozenset(
            {"RoleName", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "PermissionsBoundary"}
            | {"ManagedPolicyArns", "Policies", "Tags"}
        ),
        update=_configure_role,
        look=lambda request, made: request.call("iam", "GetRole", RoleName=made.physical_id),
    ),
    ResourceType(
        "AWS::IAM::Policy",
        _create_policy,
        _delete_policy,
        frozenset({"PolicyName", "PolicyDocument", "Roles"}),
        update=again(_create_policy),
    ),
    ResourceType(
        "AWS::IAM::ManagedPolicy",
        _create_managed_policy,
        _delete_managed_policy,
        frozenset({"ManagedPolicyName", "PolicyDocument", "Path", "Roles"}),
        {"Description": "moto does not keep it"},
        look=lambda request, made: request.call("iam", "GetPolicy", PolicyArn=made.physical_id),
    ),
    ResourceType(
        "AWS::IAM::InstanceProfile",
        _create_profile,
        _delete_profile,
        frozenset({"InstanceProfileName", "Path", "Roles"}),
        look=lambda request, made: request.call("iam", "GetInstanceProfile", InstanceProfileName=made.physical_id),
    ),
]
