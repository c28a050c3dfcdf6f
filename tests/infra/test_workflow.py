"""Each ASL file as a graph, and how it is filled in: STYLE's eighth rule, ANA-01's resumable steps."""

import json
import re
from pathlib import Path

import pytest

from infra.workflow_names import refuse_other_names

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = {
    path.name.removesuffix(".asl.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "step_functions").glob("*.asl.json")
}
SUBMIT_JOB = "arn:aws:states:::batch:submitJob.sync"
INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = f"{INVOKE}.waitForTaskToken"
WHOLE_CALLS = {"CallGatk": "gatk", "CallDeepvariant": "deepvariant", "CallParabricks": "parabricks"}
JOINT_CALLS = {"JointGatk": "gatk", "JointGlnexus": "glnexus"}
STEADY = {*WHOLE_CALLS, "JointGatk"}  # what runs for many hours is lost whole where Spot takes its host back
STARTED_BEFORE_A_RELEASE = {"render_report"}  # with the memory it has: the way of a sample does not wait for it


def machines(definition, path="$"):
    """The definition and every branch and item processor in it."""
    yield path, definition
    for name, state in definition["States"].items():
        for number, branch in enumerate(state.get("Branches", [])):
            yield from machines(branch, f"{path}.{name}[{number}]")
        for key in ("ItemProcessor", "Iterator"):
            if key in state:
                yield from machines(state[key], f"{path}.{name}.{key}")


def all_machines():
    return [pair for name, definition in DEFINITIONS.items() for pair in machines(definition, name)]


def all_states():
    return {f"{path}.{name}": state for path, machine in all_machines() for name, state in machine["States"].items()}


def tasks():
    return {path: state for path, state in all_states().items() if state["Type"] == "Task"}


def next_states(state):
    named = [state.get("Next"), state.get("Default")]
    named += [choice.get("Next") for choice in state.get("Choices", [])]
    named += [catcher["Next"] for catcher in state.get("Catch", [])]
    return {name for name in named if name}


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("path", sorted(tasks()))
def test_every_task_says_what_it_does_and_how_it_ends_when_it_fails(path):
    task = tasks()[path]

    assert task["Comment"]
    assert task["TimeoutSeconds"] > 0
    assert task["Retry"]
    assert task["Catch"] or path.endswith("ConcludeFailure")


@pytest.mark.parametrize("path", sorted(tasks()))
def test_a_retry_names_only_errors_that_can_pass(path):
    for retrier in tasks()[path]["Retry"]:
        assert not set(retrier["ErrorEquals"]) & {"States.ALL", "States.TaskFailed", "RejectedInputError"}
        assert retrier["MaxAttempts"] <= 10


def test_every_state_is_reached_and_every_way_leads_somewhere():
    for path, machine in all_machines():
        reached, frontier = set(), {machine["StartAt"]}
        while frontier:
            name = frontier.pop()
            assert name in machine["States"], f"{path}: {name} is named and does not exist"
            reached.add(name)
            frontier |= next_states(machine["States"][name]) - reached
        assert reached == set(machine["States"]), path


def test_every_state_has_an_end_or_a_next():
    for path, state in all_states().items():
        ends = state["Type"] in {"Succeed", "Fail", "Choice"} or state.get("End") or "Next" in state
        assert ends, path


def test_every_job_state_has_its_image_and_every_function_state_its_folder():
    used = {"Job": set(), "Function": set()}
    for path, task in tasks().items():
        assert task["Resource"] in {SUBMIT_JOB, INVOKE, INVOKE_AND_WAIT}, path
        parameters = task["Parameters"]
        kind, target = (
            ("Job", parameters["JobDefinition"])
            if task["Resource"] == SUBMIT_JOB
            else ("Function", parameters["FunctionName"])
        )
        name = re.fullmatch(rf"\$\{{(\w+){kind}Arn\}}", target)
        assert name, f"{path} names {target}"
        used[kind].add(snake(name[1]))

    assert used["Job"] == {folder.parent.name for folder in (ROOT / "batch_images").glob("*/job.py")}
    assert used["Function"] <= {folder.parent.name for folder in (ROOT / "lambdas").glob("*/handler.py")}


def test_a_job_is_told_its_submission_or_cohort_and_its_queue():
    for path, task in tasks().items():
        if task["Resource"] == SUBMIT_JOB:
            environment = task["Parameters"]["ContainerOverrides"]["Environment"]
            subject = "COHORT_ID" if path.startswith("joint_genotype") else "SUBMISSION_ID"
            assert subject in {variable["Name"] for variable in environment}, path
            state = path.rpartition(".")[2]
            queue = f"${{{state}QueueArn}}" if state in STEADY else "${CpuQueueArn}"
            assert task["Parameters"]["JobQueue"] == queue, path
            assert {"ShareIdentifier", "ShareIdentifier.$"} & set(task["Parameters"]), path


def test_jobs_of_labs_share_each_queue_fairly(assembly):
    policies = assembly.resources("AWS::Batch::SchedulingPolicy")
    assert len(policies) == 1
    for queue in assembly.properties("AWS::Batch::JobQueue"):
        assert queue["SchedulingPolicyArn"] == {"Fn::GetAtt": [*policies, "Arn"]}


def test_each_job_of_a_sample_is_given_memory_that_is_raised_once_where_it_ran_out():
    """A job state takes its memory from a variable of its own, which one rule of GiveMoreMemory raises once."""
    states = DEFINITIONS["sample_to_release"]["States"]
    jobs = {name: state for name, state in states.items() if state.get("Resource") == SUBMIT_JOB}
    rules = {rule["Next"]: rule for rule in states["GiveMoreMemory"]["Choices"]}

    assert set(rules) == set(jobs)
    jobs = {name: state for name, state in jobs.items() if name not in WHOLE_CALLS}
    for name, state in jobs.items():
        job = state["Parameters"]["JobDefinition"].removesuffix("JobArn}")
        asked = state["Parameters"]["ContainerOverrides"]["ResourceRequirements"]
        variable = f"{snake(name)}_mib"
        assert asked == [{"Type": "MEMORY", "Value.$": f"${variable}"}]
        assert states["GiveMemory"]["Assign"][variable] == f"{job}MemoryMib}}"
        assert rules[name]["Assign"] == {variable: f"{job}MoreMemoryMib}}"}
        assert rules[name]["And"] == [
            {"Variable": "$failed_step", "StringEquals": name},
            {"Not": {"Variable": f"${variable}", "StringEquals": f"{job}MoreMemoryMib}}"}},
        ]
        (catcher,) = state["Catch"]
        assert (catcher["Assign"], catcher["Next"]) == ({"failed_step": name}, "WeighFailure")


def test_a_caller_that_takes_a_sample_as_a_whole_is_given_what_was_planned_for_the_sample():
    """ANA-02: the plan says processors and memory, and what to give once where that memory ran out."""
    states = DEFINITIONS["sample_to_release"]["States"]
    chosen = {rule["Next"]: rule for rule in states["ChooseCaller"]["Choices"]}
    rules = {rule["Next"]: rule for rule in states["GiveMoreMemory"]["Choices"]}

    assert set(chosen) == set(WHOLE_CALLS)
    for name, caller in WHOLE_CALLS.items():
        variable, overrides = f"{snake(name)}_mib", states[name]["Parameters"]["ContainerOverrides"]
        more = "$.calling.machine.more_memory_mib"
        assert chosen[name]["StringEquals"] == caller
        assert chosen[name]["Assign"] == {f"{variable}.$": "$.calling.machine.memory_mib"}
        assert overrides["ResourceRequirements"] == [
            {"Type": "MEMORY", "Value.$": f"${variable}"},
            {"Type": "VCPU", "Value.$": "$.calling.machine.vcpus"},
        ]
        assert {"Name": "THREADS", "Value.$": "$.calling.machine.vcpus"} in overrides["Environment"]
        assert {"Name": "MEMORY_MIB", "Value.$": f"${variable}"} in overrides["Environment"]
        assert rules[name]["Assign"] == {f"{variable}.$": more}
        assert rules[name]["And"][1] == {"Not": {"Variable": f"${variable}", "StringEqualsPath": more}}
        assert states[name]["Next"] == states["CallVariants"]["Next"]


def test_a_tool_that_takes_a_cohort_as_a_whole_is_chosen_by_the_plan_and_given_what_it_says():
    """ANA-02, ANA-03: one definition for every way of genotyping; memory is raised once where it ran out."""
    states = DEFINITIONS["joint_genotype"]["States"]
    chosen = {rule["Next"]: rule for rule in states["ChooseJoint"]["Choices"]}
    again = {rule["Next"]: rule for rule in states["WhichRanOut"]["Choices"]}

    assert set(chosen) == set(JOINT_CALLS)
    assert states["ChooseJoint"]["Default"] == "IsScattered"
    for name, joint in JOINT_CALLS.items():
        variable, overrides = f"{snake(name)}_mib", states[name]["Parameters"]["ContainerOverrides"]
        assert (chosen[name]["Variable"], chosen[name]["StringEquals"]) == ("$.genotyping.joint", joint)
        assert chosen[name]["Assign"] == {f"{variable}.$": "$.genotyping.machine.memory_mib"}
        assert overrides["ResourceRequirements"] == [
            {"Type": "MEMORY", "Value.$": f"${variable}"},
            {"Type": "VCPU", "Value.$": "$.genotyping.machine.vcpus"},
        ]
        assert {"Name": "THREADS", "Value.$": "$.genotyping.machine.vcpus"} in overrides["Environment"]
        assert {"Name": "MEMORY_MIB", "Value.$": f"${variable}"} in overrides["Environment"]
        assert again[name]["StringEquals"] == name
        assert again[name]["Assign"] == {f"{variable}.$": "$.genotyping.machine.more_memory_mib"}
        assert states[name]["Next"] == states["JointGenotype"]["Next"]
    assert {rule["Next"] for rule in states["WhichRanOut"]["Choices"]} == {*JOINT_CALLS, "GatherGenotypes"}


def test_more_memory_is_twice_what_the_job_reserves(assembly):
    reserved = {}
    for properties in assembly.properties("AWS::Batch::JobDefinition"):
        needs = {need["Type"]: need["Value"] for need in properties["ContainerProperties"]["ResourceRequirements"]}
        job = properties["JobDefinitionName"].removeprefix(f"strandline-{assembly.stage}-")
        reserved["".join(word.title() for word in job.split("-"))] = int(needs["MEMORY"])
    told = set()
    for properties in assembly.properties("AWS::StepFunctions::StateMachine"):
        if properties["StateMachineName"].removeprefix(f"strandline-{assembly.stage}-") in {
            "validate-ahead",
            "release",
        }:
            continue  # nothing waits for the one; a render of the other takes what it reserves
        values = properties["DefinitionString"]["Fn::Sub"][1]
        for job in (name.removesuffix("JobArn") for name in values if name.endswith("JobArn")):
            told.add(job)
            if job in {*WHOLE_CALLS, *JOINT_CALLS}:
                continue  # the plan says how much
            assert values[f"{job}MemoryMib"] == str(reserved[job]), job
            assert values[f"{job}MoreMemoryMib"] == str(2 * reserved[job]), job
    assert {snake(job) for job in told} | STARTED_BEFORE_A_RELEASE == {snake(job) for job in reserved}


def test_a_definition_that_asks_for_another_name_is_refused():
    with pytest.raises(ValueError, match=r"\['B'\].*\['C'\]"):
        refuse_other_names("${A} ${B}", {"A": "1", "C": "2"})


def test_each_state_machine_fills_in_every_name_and_logs_and_traces_every_step(assembly):
    found = assembly.properties("AWS::StepFunctions::StateMachine")
    texts = {}
    for properties in found:
        text, values = properties["DefinitionString"]["Fn::Sub"]
        texts[properties["StateMachineName"]] = json.loads(text)

        assert set(values) == set(re.findall(r"\$\{(\w+)\}", text))
        assert properties["LoggingConfiguration"]["Level"] == "ALL"
        assert properties["LoggingConfiguration"]["IncludeExecutionData"] is False
        assert properties["TracingConfiguration"] == {"Enabled": True}
    assert texts == {
        f"strandline-{assembly.stage}-{name.replace('_', '-')}": definition for name, definition in DEFINITIONS.items()
    }


def test_the_workflow_waits_at_least_as_long_as_each_job_may_run(assembly):
    limits = {
        properties["JobDefinitionName"].removeprefix(f"strandline-{assembly.stage}-"): properties["Timeout"][
            "AttemptDurationSeconds"
        ]
        for properties in assembly.properties("AWS::Batch::JobDefinition")
    }
    for task in tasks().values():
        if task["Resource"] == SUBMIT_JOB:
            job = snake(task["Parameters"]["JobDefinition"][2 : -len("JobArn}")]).replace("_", "-")
            assert limits[job] <= task["TimeoutSeconds"], job
