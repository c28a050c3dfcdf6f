"""Infra writes what the code reads, name by name, and nothing beside it."""

import ast
from pathlib import Path

import pytest

from strandline.aws import settings

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = {"STAGE", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
GIVEN_BY_THE_WORKFLOW = {"SUBMISSION_ID", "UNIT", "PART", "MEMORY_MIB", "COHORT_ID", "GATHER", "PURPOSE"}


def imports(file):
    """Module and name of everything that a file imports from `strandline.aws`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("strandline.aws."):
            yield from ((node.module, alias.name) for alias in node.names)


def settings_of(file):
    """The settings models that an entry point reads, itself or by the adapter it leaves that to."""
    own = {name for module, name in imports(file) if module == "strandline.aws.settings"}
    if own:
        return [getattr(settings, name) for name in sorted(own)]
    adapters = {ROOT / f"{module.replace('.', '/')}.py" for module, _ in imports(file)}
    return [model for adapter in sorted(adapters) for model in (settings_of(adapter) if has_settings(adapter) else [])]


def has_settings(file):
    return any(module == "strandline.aws.settings" for module, _ in imports(file))


def asked(file):
    """Environment variables that the file's settings read."""
    return {field.upper() for model in settings_of(file) for field in model.model_fields}


def function_environments(assembly):
    for properties in assembly.properties("AWS::Lambda::Function"):
        variables = properties["Environment"]["Variables"]
        yield variables["POWERTOOLS_SERVICE_NAME"], variables


def job_environments(assembly):
    for properties in assembly.properties("AWS::Batch::JobDefinition"):
        variables = {pair["Name"]: pair["Value"] for pair in properties["ContainerProperties"]["Environment"]}
        yield variables["POWERTOOLS_SERVICE_NAME"], variables


def test_each_function_is_given_exactly_what_its_settings_read(assembly):
    given = {name: set(variables) - EVERYWHERE for name, variables in function_environments(assembly)}

    assert given == {name: asked(ROOT / "lambdas" / name / "handler.py") for name in given}


def test_each_job_is_given_exactly_what_its_settings_read(assembly):
    given = {name: set(variables) - EVERYWHERE for name, variables in job_environments(assembly)}
    read = {name: asked(ROOT / "batch_images" / name / "job.py") - GIVEN_BY_THE_WORKFLOW for name in given}

    assert given == read


def test_every_entry_point_knows_its_stage_and_its_own_name(assembly):
    for name, variables in [*function_environments(assembly), *job_environments(assembly)]:
        assert variables["STAGE"] == assembly.stage, name
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Strandline", name


def test_a_job_may_use_as_many_threads_as_it_reserves_processors(assembly):
    for properties in assembly.properties("AWS::Batch::JobDefinition"):
        container = properties["ContainerProperties"]
        reserved = {need["Type"]: need["Value"] for need in container["ResourceRequirements"]}
        variables = {pair["Name"]: pair["Value"] for pair in container["Environment"]}
        assert variables["THREADS"] == reserved["VCPU"]


@pytest.mark.parametrize("model", [value for value in vars(settings).values() if isinstance(value, type)])
def test_every_setting_is_given_by_some_template_or_by_the_workflow(prod, model):
    given = {name for _, variables in [*function_environments(prod), *job_environments(prod)] for name in variables}
    fields = {field.upper() for field in getattr(model, "model_fields", {})}

    assert fields <= given | GIVEN_BY_THE_WORKFLOW


def test_jobs_are_tried_again_for_a_lost_host_a_killed_worker_or_when_they_ask_and_never_else(assembly):
    for properties in assembly.properties("AWS::Batch::JobDefinition"):
        assert properties["RetryStrategy"] == {
            "Attempts": 3,
            "EvaluateOnExit": [
                {"Action": "RETRY", "OnExitCode": "75"},
                {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
                {"Action": "EXIT", "OnReason": "OutOfMemoryError*"},
                {"Action": "RETRY", "OnExitCode": "137"},
                {"Action": "EXIT", "OnReason": "*"},
            ],
        }
