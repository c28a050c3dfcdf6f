"""A job that runs out of memory is run once more with more; where that is not enough, the cause is said in words.

Batch of the stage ends a job that takes more than its definition or the state allows, as AWS does.
Requirements: ANA-01, ANA-02, ANA-13.
"""

import json

import pytest

from strandline.journey import SubmissionState
from tests.stage.conftest import ANALYSED
from tests.stage.test_steps_by_content import in_parts, steps_of, whole_genome

__all__ = ["in_parts"]  # a fixture

FAR_TOO_LITTLE, STILL_TOO_LITTLE, ENOUGH = "16", "32", "1024"  # MiB; Python with its libraries takes over 50


@pytest.fixture
def workflow_of(deployed):
    """Change the definition of the workflow; undone after the test."""
    client = deployed._endpoint.client("stepfunctions")
    (arn,) = [
        machine["stateMachineArn"]
        for machine in client.list_state_machines()["stateMachines"]
        if machine["name"].endswith("sample-to-release")
    ]
    before = client.describe_state_machine(stateMachineArn=arn)["definition"]

    def change(edit) -> None:
        definition = json.loads(before)
        edit(definition["States"])
        client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    yield change
    client.update_state_machine(stateMachineArn=arn, definition=before)


def give(variable: str, at_first: str, more: str):
    """Return the edit that gives one state other memory, at first and where it ran out."""

    def edit(states) -> None:
        states["GiveMemory"]["Assign"][variable] = at_first
        (rule,) = [rule for rule in states["GiveMoreMemory"]["Choices"] if list(rule["Assign"]) == [variable]]
        rule["Assign"][variable] = more
        rule["And"][1]["Not"]["StringEquals"] = more

    return edit


def memory_given(lab, submission_id: str, job_name: str) -> list[str]:
    """Return the memory of each job of a name that the execution submitted, in order."""
    history = lab.deployment.workflow.history(submission_id)
    asked = [
        json.loads(event["taskScheduledEventDetails"]["parameters"])
        for event in history
        if event["type"] == "TaskScheduled"
    ]
    return [
        one["ContainerOverrides"]["ResourceRequirements"][0]["Value"] for one in asked if one.get("JobName") == job_name
    ]


def test_a_job_that_ran_out_of_memory_succeeds_with_more(lab, workflow_of, analysed, tmp_path):
    workflow_of(give("measure_quality_mib", FAR_TOO_LITTLE, ENOUGH))
    submission_id = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 8))
    record = lab.wait(submission_id)

    assert record.state is SubmissionState.IN_REVIEW, record
    assert memory_given(lab, submission_id, "measure-quality") == [FAR_TOO_LITTLE, ENOUGH]
    assert memory_given(lab, submission_id, "align-reads") == ["3072"]  # the other jobs are given what they were


def test_a_job_that_needs_still_more_fails_and_says_so(lab, workflow_of, analysed, tmp_path):
    workflow_of(give("annotate_mib", FAR_TOO_LITTLE, STILL_TOO_LITTLE))
    submission_id = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 9))
    record = lab.wait(submission_id)

    assert record.state is SubmissionState.FAILED
    assert (record.cause.code, record.cause.step) == ("out_of_memory", "Annotate")
    assert "twice as much" in record.cause.message
    assert memory_given(lab, submission_id, "annotate") == [FAR_TOO_LITTLE, STILL_TOO_LITTLE]


def test_a_part_that_ran_out_of_memory_is_called_with_more(lab, tmp_path, workflow_of, in_parts, analysed):
    def edit(states) -> None:
        states["CallParts"]["ItemSelector"]["memory_mib"] = FAR_TOO_LITTLE

    workflow_of(edit)
    submission_id = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 6))
    record = lab.wait(submission_id)

    assert record.state is SubmissionState.IN_REVIEW, record
    assert "GatherCalls" in steps_of(lab, submission_id)


def test_a_part_that_needs_still_more_stops_the_sample_and_says_so(lab, tmp_path, workflow_of, in_parts, analysed):
    def edit(states) -> None:
        states["CallParts"]["ItemSelector"]["memory_mib"] = FAR_TOO_LITTLE
        inner = states["CallParts"]["ItemProcessor"]["States"]
        inner["GivePartMoreMemory"]["Result"] = STILL_TOO_LITTLE
        inner["WeighPartFailure"]["Choices"][0]["And"][0]["Not"]["StringEquals"] = STILL_TOO_LITTLE

    workflow_of(edit)
    submission_id = lab.send(ANALYSED, regions=whole_genome(lab, tmp_path, 7))
    record = lab.wait(submission_id)

    assert record.state is SubmissionState.FAILED
    assert (record.cause.code, record.cause.step) == ("out_of_memory", "CallParts")
