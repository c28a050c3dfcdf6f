"""Batch: compute environments, queues, job definitions."""

from typing import Any

from local_stage.cloudformation.resources import Made, Request, ResourceError, ResourceType, attempt, confirm


def _create_environment(request: Request) -> Made:
    name = request.name("ComputeEnvironmentName", longest=128)
    asked = request.take("ComputeResources", "State")
    kind = str(request.properties["Type"]).upper()
    role = request.properties.get("ServiceRole") or _batch_role(request)
    arn = request.call(
        "batch", "CreateComputeEnvironment", ComputeEnvironmentName=name, Type=kind, ServiceRole=role, **asked
    )["computeEnvironmentArn"]
    found = request.call("batch", "DescribeComputeEnvironments", ComputeEnvironments=[arn])["computeEnvironments"][0]
    confirm({**asked, "Type": kind}, found, f"compute environment {name}")
    return Made(arn, {"ComputeEnvironmentArn": arn})


def _batch_role(request: Request) -> str:
    """Return the role that AWS makes for Batch on its own when a template names none."""
    arn = f"arn:aws:iam::{request.context.account}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
    attempt(
        lambda: request.call("iam", "CreateServiceLinkedRole", AWSServiceName="batch.amazonaws.com"),
        "InvalidInput",
        "EntityAlreadyExists",
        "EntityAlreadyExistsException",
    )
    roles = request.call("iam", "ListRoles", PathPrefix="/aws-service-role/batch.amazonaws.com/")["Roles"]
    return str(roles[0]["Arn"]) if roles else arn


def _delete_environment(request: Request, made: Made) -> None:
    environment = {"ComputeEnvironment": made.physical_id}
    request.call("batch", "UpdateComputeEnvironment", **environment, State="DISABLED")
    request.call("batch", "DeleteComputeEnvironment", **environment)


def _create_job_queue(request: Request) -> Made:
    name = request.name("JobQueueName", longest=128)
    asked = request.take(
        "ComputeEnvironmentOrder", "Priority", "State", "SchedulingPolicyArn", "JobStateTimeLimitActions"
    )
    arn = request.call("batch", "CreateJobQueue", JobQueueName=name, **{"State": "ENABLED", **asked})["jobQueueArn"]
    found = request.call("batch", "DescribeJobQueues", JobQueues=[arn])["jobQueues"][0]
    confirm(asked, found, f"job queue {name}")
    return Made(arn, {"JobQueueArn": arn})


def _delete_job_queue(request: Request, made: Made) -> None:
    request.call("batch", "UpdateJobQueue", JobQueue=made.physical_id, State="DISABLED")
    request.call("batch", "DeleteJobQueue", JobQueue=made.physical_id)


_JOB_DIRECT = (
    "ContainerProperties",
    "NodeProperties",
    "Parameters",
    "PlatformCapabilities",
    "PropagateTags",
    "RetryStrategy",
    "SchedulingPriority",
    "Timeout",
    "Type",
)


def _register_job(request: Request) -> Made:
    name = request.name("JobDefinitionName", longest=128)
    asked = request.take(*_JOB_DIRECT)
    arn = request.call("batch", "RegisterJobDefinition", JobDefinitionName=name, **asked)["jobDefinitionArn"]
    found = request.call("batch", "DescribeJobDefinitions", JobDefinitions=[arn])["jobDefinitions"][0]
    confirm(asked, found, f"job definition {name}")
    return Made(arn, {"JobDefinitionArn": arn})


def _deregister_job(request: Request, made: Made) -> None:
    request.call("batch", "DeregisterJobDefinition", JobDefinition=made.physical_id)


def _create_scheduling_policy(request: Request) -> Made:
    name = request.name("Name", longest=128)
    arn = request.call("batch", "CreateSchedulingPolicy", Name=name, **request.take("FairsharePolicy"))["arn"]
    found = request.call("batch", "DescribeSchedulingPolicies", Arns=[arn])["schedulingPolicies"][0]
    confirm(request.take("FairsharePolicy"), found, f"scheduling policy {name}")
    return Made(arn, {"Arn": arn})


def _only(found: list[Any]) -> object:
    if not found:
        raise ResourceError("it is gone")
    return found[0]


TYPES = [
    ResourceType(
        "AWS::Batch::ComputeEnvironment",
        _create_environment,
        _delete_environment,
        frozenset({"ComputeEnvironmentName", "ComputeResources", "ServiceRole", "State", "Type"}),
        {
            "ReplaceComputeEnvironment": "an update replaces the environment",
            "UpdatePolicy": "an update replaces the environment",
            "ComputeResources.UpdateToLatestImageVersion": "there are no machine images",
        },
        look=lambda request, made: _only(
            request.call("batch", "DescribeComputeEnvironments", ComputeEnvironments=[made.physical_id])[
                "computeEnvironments"
            ]
        ),
    ),
    ResourceType(
        "AWS::Batch::JobQueue",
        _create_job_queue,
        _delete_job_queue,
        frozenset({"ComputeEnvironmentOrder", "JobQueueName", "Priority", "State", "SchedulingPolicyArn"}),
        look=lambda request, made: _only(
            request.call("batch", "DescribeJobQueues", JobQueues=[made.physical_id])["jobQueues"]
        ),
    ),
    ResourceType(
        "AWS::Batch::JobDefinition",
        _register_job,
        _deregister_job,
        frozenset({*_JOB_DIRECT, "JobDefinitionName"}),
        {"ResourceRetentionPolicy": "superseded revisions are deregistered"},
        look=lambda request, made: _only(
            request.call("batch", "DescribeJobDefinitions", JobDefinitions=[made.physical_id])["jobDefinitions"]
        ),
    ),
    ResourceType(
        "AWS::Batch::SchedulingPolicy",
        _create_scheduling_policy,
        lambda request, made: request.call("batch", "DeleteSchedulingPolicy", Arn=made.physical_id),
        frozenset({"Name", "FairsharePolicy"}),
    ),
]
