"""Lambda and Step Functions."""

import json
import re
from typing import Any

from local_stage.cloudformation.resources import (
    Made,
    Request,
    ResourceError,
    ResourceType,
    again,
    attempt,
    confirm,
    leave,
)
from local_stage.cloudformation.template import Json

_FUNCTION_DIRECT = (
    "Architectures",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)
_CHANGEABLE = tuple(name for name in _FUNCTION_DIRECT if name not in {"Architectures", "PackageType"})


def _create_function(request: Request) -> Made:
    name = request.name("FunctionName")
    asked = request.take(*_FUNCTION_DIRECT)
    tags = {tag["Key"]: tag["Value"] for tag in request.properties.get("Tags", [])}
    answer = request.call("lambda", "CreateFunction", FunctionName=name, Code=_code(request), Tags=tags, **asked)
    _confirm_function(request, name)
    return Made(name, {"Arn": answer["FunctionArn"]})


def _update_function(request: Request, made: Made) -> Made:
    name = made.physical_id
    request.call("lambda", "UpdateFunctionCode", FunctionName=name, **_code(request), **request.take("Architectures"))
    request.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, **request.take(*_CHANGEABLE))
    _confirm_function(request, name)
    return made


def _code(request: Request) -> dict[str, Json]:
    code = dict(request.properties["Code"])
    if "ZipFile" in code:
        raise ResourceError(f"{request.logical_id}: inline code is not handled here: use a folder")
    return code


def _confirm_function(request: Request, name: str) -> None:
    asked = request.take(*_FUNCTION_DIRECT)
    found = request.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    layers = asked.pop("Layers", [])
    confirm(asked, found, f"function {name}")
    confirm(layers, [layer["Arn"] for layer in found.get("Layers", [])], f"function {name}.Layers")


def _delete_function(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("lambda", "DeleteFunction", FunctionName=made.physical_id), "ResourceNotFoundException"
    )


def _create_layer(request: Request) -> Made:
    name = request.properties.get("LayerName") or f"{request.stack_name}-{request.logical_id}"
    asked = request.take("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
    made = request.call("lambda", "PublishLayerVersion", LayerName=name, Content=request.properties["Content"], **asked)
    found = request.call("lambda", "GetLayerVersion", LayerName=name, VersionNumber=made["Version"])
    confirm({key: value for key, value in asked.items() if key != "CompatibleArchitectures"}, found, f"layer {name}")
    return Made(made["LayerVersionArn"], {"LayerVersionArn": made["LayerVersionArn"]})


def _delete_layer(request: Request, made: Made) -> None:
    layer, version = made.physical_id.rsplit(":", 1)
    name = layer.rsplit(":", 1)[1]
    request.call("lambda", "DeleteLayerVersion", LayerName=name, VersionNumber=version)


def _create_permission(request: Request) -> Made:
    statement = request.name("Id", longest=100)
    asked = request.take("Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken")
    function = request.properties["FunctionName"]
    request.call("lambda", "AddPermission", FunctionName=function, StatementId=statement, **asked)
    policy = json.loads(request.call("lambda", "GetPolicy", FunctionName=function)["Policy"])
    found = [item for item in policy["Statement"] if item["Sid"] == statement]
    confirm([{"Action": asked["Action"]}], found, f"permission {statement} of {function}")
    if asked["Principal"] not in json.dumps(found) or asked.get("SourceArn", "") not in json.dumps(found):
        raise ResourceError(f"permission {statement} of {function} lost its principal or its source")
    return Made(statement, {"Id": statement})


def _delete_permission(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call(
            "lambda",
            "RemovePermission",
            FunctionName=request.properties["FunctionName"],
            StatementId=made.physical_id,
        ),
        "ResourceNotFoundException",
    )


_MAPPING_DIRECT = (
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
)


def _create_mapping(request: Request) -> Made:
    asked = request.take(*_MAPPING_DIRECT)
    identity = request.call("lambda", "CreateEventSourceMapping", **asked)["UUID"]
    found = request.call("lambda", "GetEventSourceMapping", UUID=identity)
    expected = {key: value for key, value in asked.items() if key not in {"FunctionName", "Enabled"}}
    confirm(expected, found, f"event source mapping of {asked['FunctionName']}")
    return Made(identity, {"Id": identity, "EventSourceMappingArn": found.get("EventSourceMappingArn", identity)})


def _delete_mapping(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("lambda", "DeleteEventSourceMapping", UUID=made.physical_id), "ResourceNotFoundException"
    )


def _create_version(request: Request) -> Made:
    answer = request.call(
        "lambda", "PublishVersion", FunctionName=request.properties["FunctionName"], **request.take("Description")
    )
    return Made(answer["FunctionArn"], {"Version": answer["Version"], "FunctionArn": answer["FunctionArn"]})


def _create_function_alias(request: Request) -> Made:
    asked = request.take("FunctionName", "FunctionVersion", "Name", "Description")
    answer = request.call("lambda", "CreateAlias", **asked)
    confirm({key: asked[key] for key in ("FunctionVersion", "Name")}, answer, f"alias {asked['Name']}")
    return Made(answer["AliasArn"], {"AliasArn": answer["AliasArn"]})


def _delete_function_alias(request: Request, made: Made) -> None:
    del made
    attempt(
        lambda: request.call("lambda", "DeleteAlias", **request.take("FunctionName", "Name")),
        "ResourceNotFoundException",
    )


def _create_invoke_config(request: Request) -> Made:
    asked = request.take("MaximumEventAgeInSeconds", "MaximumRetryAttempts", "DestinationConfig")
    function = request.properties["FunctionName"]
    request.call("lambda", "PutFunctionEventInvokeConfig", FunctionName=function, **asked)
    found = request.call("lambda", "GetFunctionEventInvokeConfig", FunctionName=function)
    confirm(asked, found, f"asynchronous invocation of {function}")
    return Made(f"{function}|{request.properties['Qualifier']}")


def _delete_invoke_config(request: Request, made: Made) -> None:
    del made
    attempt(
        lambda: request.call("lambda", "DeleteFunctionEventInvokeConfig", **request.take("FunctionName")),
        "ResourceNotFoundException",
    )


def _create_machine(request: Request) -> Made:
    name = request.name("StateMachineName", longest=80)
    arn = request.call(
        "stepfunctions",
        "CreateStateMachine",
        Name=name,
        Definition=_definition(request),
        RoleArn=request.properties["RoleArn"],
        Type=request.properties.get("StateMachineType", "STANDARD"),
        **request.take("LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration"),
    )["stateMachineArn"]
    return _confirm_machine(request, Made(arn, {"Arn": arn, "Name": name}))


def _update_machine(request: Request, made: Made) -> Made:
    request.call(
        "stepfunctions",
        "UpdateStateMachine",
        StateMachineArn=made.physical_id,
        Definition=_definition(request),
        RoleArn=request.properties["RoleArn"],
        **request.take("LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration"),
    )
    return _confirm_machine(request, made)


def _confirm_machine(request: Request, made: Made) -> Made:
    found = request.call("stepfunctions", "DescribeStateMachine", StateMachineArn=made.physical_id)
    confirm(json.loads(_definition(request)), found["definition"], f"state machine {request.logical_id}")
    asked = request.take("RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")
    confirm(asked, found, f"state machine {request.logical_id}")
    return made


def _definition(request: Request) -> str:
    properties = request.properties
    if "DefinitionS3Location" in properties:
        place = properties["DefinitionS3Location"]
        body: Any = request.call("s3", "GetObject", **{key: place[key] for key in ("Bucket", "Key")})["Body"]
        text = str(body.read().decode())
    elif "DefinitionString" in properties:
        text = str(properties["DefinitionString"])
    else:
        text = json.dumps(properties["Definition"])
    substitutions = properties.get("DefinitionSubstitutions", {})

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return str(substitutions.get(name, match.group(0)))

    return re.sub(r"\$\{([^}]+)\}", fill, text)


def _delete_machine(request: Request, made: Made) -> None:
    request.call("stepfunctions", "DeleteStateMachine", StateMachineArn=made.physical_id)


TYPES = [
    ResourceType(
        "AWS::Lambda::Function",
        _create_function,
        _delete_function,
        frozenset({*_FUNCTION_DIRECT, "FunctionName", "Code", "Tags"}),
        {
            "KmsKeyArn": "environment variables are not encrypted",
            "ReservedConcurrentExecutions": "concurrency is bounded by the machine",
            "LoggingConfig.LogFormat": "logs are text",
            "TracingConfig": "there is no X-Ray",
            "RecursiveLoop": "loops are not detected",
        },
        update=_update_function,
        look=lambda request, made: request.call("lambda", "GetFunctionConfiguration", FunctionName=made.physical_id),
    ),
    ResourceType(
        "AWS::Lambda::LayerVersion",
        _create_layer,
        _delete_layer,
        frozenset(
            {"LayerName", "Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo", "Content"}
        ),
    ),
    ResourceType(
        "AWS::Lambda::Permission",
        _create_permission,
        _delete_permission,
        frozenset({"Action", "FunctionName", "Principal", "SourceArn", "SourceAccount", "EventSourceToken"}),
    ),
    ResourceType(
        "AWS::Lambda::EventSourceMapping",
        _create_mapping,
        _delete_mapping,
        frozenset(_MAPPING_DIRECT),
        {"ScalingConfig": "concurrency is bounded by the machine", "KmsKeyArn": "filters are not encrypted"},
        look=lambda request, made: request.call("lambda", "GetEventSourceMapping", UUID=made.physical_id),
    ),
    ResourceType(
        "AWS::Lambda::Version",
        _create_version,
        leave,
        frozenset({"FunctionName", "Description"}),
        {"CodeSha256": "the code is what the function has"},
    ),
    ResourceType(
        "AWS::Lambda::Alias",
        _create_function_alias,
        _delete_function_alias,
        frozenset({"FunctionName", "FunctionVersion", "Name", "Description"}),
    ),
    ResourceType(
        "AWS::Lambda::EventInvokeConfig",
        _create_invoke_config,
        _delete_invoke_config,
        frozenset(
            {"FunctionName", "Qualifier", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "DestinationConfig"}
        ),
        update=again(_create_invoke_config),
    ),
    ResourceType(
        "AWS::StepFunctions::StateMachine",
        _create_machine,
        _delete_machine,
        frozenset(
            {"StateMachineName", "StateMachineType", "RoleArn", "LoggingConfiguration", "TracingConfiguration"}
            | {"EncryptionConfiguration", "Definition", "DefinitionString", "DefinitionS3Location"}
            | {"DefinitionSubstitutions"}
        ),
        update=_update_machine,
        look=lambda request, made: request.call(
            "stepfunctions", "DescribeStateMachine", StateMachineArn=made.physical_id
        ),
    ),
]
