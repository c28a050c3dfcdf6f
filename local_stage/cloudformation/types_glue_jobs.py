"""Glue's jobs, their triggers and how what they write is encrypted."""

from local_stage.cloudformation.resources import Made, Request, ResourceType, attempt, confirm

_JOB = (
    *("Command", "DefaultArguments", "NonOverridableArguments", "Description", "ExecutionProperty", "GlueVersion"),
    *("MaxRetries", "NumberOfWorkers", "Role", "SecurityConfiguration", "Timeout", "WorkerType", "ExecutionClass"),
)
_TRIGGER = ("Actions", "Description", "Schedule", "Type")


def _create_job(request: Request) -> Made:
    name, asked = request.name("Name", longest=255), request.take(*_JOB)
    request.call("glue", "CreateJob", Name=name, **asked, **request.take("Tags"))
    confirm(asked, request.call("glue", "GetJob", JobName=name)["Job"], f"job {name}")
    return Made(name)


def _delete_job(request: Request, made: Made) -> None:
    request.call("glue", "DeleteJob", JobName=made.physical_id)


def _create_trigger(request: Request) -> Made:
    name, asked = request.name("Name", longest=255), request.take(*_TRIGGER)
    request.call("glue", "CreateTrigger", Name=name, **asked, **request.take("StartOnCreation", "Tags"))
    found = request.call("glue", "GetTrigger", Name=name)["Trigger"]
    state = "ACTIVATED" if request.properties.get("StartOnCreation") else "CREATED"
    confirm({**asked, "State": state}, found, f"trigger {name}")
    return Made(name)


def _delete_trigger(request: Request, made: Made) -> None:
    attempt(lambda: request.call("glue", "DeleteTrigger", Name=made.physical_id), "EntityNotFoundException")


def _create_security(request: Request) -> Made:
    name, asked = str(request.properties["Name"]), request.take("EncryptionConfiguration")
    request.call("glue", "CreateSecurityConfiguration", Name=name, **asked)
    found = request.call("glue", "GetSecurityConfiguration", Name=name)["SecurityConfiguration"]
    # the property is S3Encryptions in a template and S3Encryption in the API
    kept = {key: value for key, value in asked["EncryptionConfiguration"].items() if key != "S3Encryptions"}
    confirm(kept, found["EncryptionConfiguration"], f"security configuration {name}")
    return Made(name)


def _delete_security(request: Request, made: Made) -> None:
    attempt(
        lambda: request.call("glue", "DeleteSecurityConfiguration", Name=made.physical_id), "EntityNotFoundException"
    )


TYPES = [
    ResourceType(
        "AWS::Glue::Job",
        _create_job,
        _delete_job,
        frozenset({"Name", "Tags", *_JOB}),
        look=lambda request, made: request.call("glue", "GetJob", JobName=made.physical_id),
    ),
    ResourceType(
        "AWS::Glue::Trigger",
        _create_trigger,
        _delete_trigger,
        frozenset({"Name", "StartOnCreation", "Tags", *_TRIGGER}),
        look=lambda request, made: request.call("glue", "GetTrigger", Name=made.physical_id),
    ),
    ResourceType(
        "AWS::Glue::SecurityConfiguration",
        _create_security,
        _delete_security,
        frozenset({"Name", "EncryptionConfiguration"}),
        look=lambda request, made: request.call("glue", "GetSecurityConfiguration", Name=made.physical_id),
    ),
]
