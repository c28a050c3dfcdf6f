"""What a reviewer reads of the templates: who may do what, which ids must stay, which findings are acknowledged."""

import json
import re
from collections.abc import Iterator
from typing import Any

STATEFUL_TYPES = frozenset(
    {
        *("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::KMS::Alias", "AWS::DynamoDB::Table", "AWS::Glue::Database"),
        *("AWS::Glue::Table", "AWS::Athena::WorkGroup", "AWS::Backup::BackupVault"),
        "AWS::Cognito::UserPool",
    }
)
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")  # of what was packaged: it changes with every line of source
_OTHER_POLICIES = ("AWS::IAM::ManagedPolicy", "AWS::Batch::SchedulingPolicy")  # of roles; of no access at all


def permissions(assembly: Any) -> list[str]:
    """One line a role and resource, with the actions allowed on it; and who may use what shares itself."""
    lines = []
    for part, template in assembly.templates.items():
        resources = template["Resources"]
        for logical_id, resource in resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                    (who,) = statement["Principal"].values()
                    lines.append(f"{part} {_role(logical_id)} <- {_name(who)}{_condition(statement)}")
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                (role,) = resource["Properties"]["Roles"]
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    actions = ", ".join(sorted(_many(statement["Action"])))
                    lines += [
                        f"{part} {_role(role['Ref'])}: {actions} on {target}{_condition(statement)}"
                        for target in map(_name, _many(statement["Resource"]))
                    ]
            if resource["Type"] == "AWS::KMS::Key":
                lines += list(_resource_policy(part, logical_id, resource["Properties"]["KeyPolicy"]))
            if resource["Type"].endswith("Policy") and resource["Type"] not in _OTHER_POLICIES:
                lines += list(_resource_policy(part, logical_id, resource["Properties"]["PolicyDocument"]))
    return sorted({_DIGEST.sub("<digest>", line) for line in lines})


def stateful_ids(assembly: Any) -> list[str]:
    """One line a resource whose logical id must not change, because CloudFormation would make an empty one instead."""
    return sorted(
        f"{part} {resource['Type']} {logical_id}"
        for part, template in assembly.templates.items()
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] in STATEFUL_TYPES
    )


def acknowledged(assembly: Any) -> list[str]:
    """One line a finding of cdk-nag that stands: where, which, why."""
    return sorted(f"{path} {rule}: {reason}" for path, rule, reason in acknowledgements(assembly))


def acknowledgements(assembly: Any) -> Iterator[tuple[str, str, str]]:
    """Path of the construct, rule and reason of every acknowledgement of ours."""
    for part in assembly.templates:
        metadata = assembly.folder / f"{part}.metadata.json"
        for path, entries in json.loads(metadata.read_text(encoding="utf-8")).items():
            for entry in entries:
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    for rule, reason in entry["data"].items():
                        source, _, name = rule.partition("::")
                        if source == "Annotation":
                            yield path.strip("/"), name, reason


def _resource_policy(part: str, logical_id: str, document: dict[str, Any]) -> Iterator[str]:
    for statement in document["Statement"]:
        principal = "*" if statement["Principal"] in ("*", {"AWS": "*"}) else json.dumps(_plain(statement["Principal"]))
        for action in _many(statement["Action"]):
            yield f"{part} {logical_id[:-8]}: {statement['Effect']} {principal} {action}{_condition(statement)}"


def _role(logical_id: str) -> str:
    return logical_id[:-8].removesuffix("Role")


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _name(resource: Any) -> str:
    plain = _plain(resource)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _plain(value: Any) -> Any:
    """References as short words, so that the view tells what they point to and not how."""
    match value:
        case {"Fn::GetAtt": [str(logical_id), _]} | {"Ref": str(logical_id)}:
            return f"<{logical_id}>"
        case {"Fn::ImportValue": str(export)}:
            return f"<{export.partition(':ExportsOutput')[2].removeprefix('FnGetAtt').removeprefix('Ref')}>"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_name(part) for part in parts)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _condition(statement: dict[str, Any]) -> str:
    return f" if {json.dumps(_plain(statement['Condition']), sort_keys=True)}" if "Condition" in statement else ""
