"""State machines of the embedded AWS run to their end, whatever happens to what they call."""

import json
import os
import signal
import threading
import time

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from local_stage import batch
from local_stage.step_functions import executions
from tests.stage.compute_stage import (
    await_execution,
    chain,
    make_definition,
    make_function,
    make_image,
    make_machine,
    make_queue,
    new_name,
    run_machine,
    running_stage,
    task,
    wait_until,
)

FUNCTION = """
import os, time

class RejectedInputError(Exception):
    pass

class TemporaryError(Exception):
    pass

tries = 0

def lambda_handler(event, context):
    global tries
    tries += 1
    if event.get("reject"):
        raise RejectedInputError("no")
    if event.get("lucky") and tries < event["lucky"]:
        raise TemporaryError("again")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("die"):
        os._exit(3)
    return {"got": event}
"""
JOB = """
import sys, time
what, *more = sys.argv[1:] or ["nothing"]
if what == "exit":
    sys.exit(int(more[0]))
if what == "sleep":
    time.sleep(float(more[0]))
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    image = make_image(folder / "image", JOB)
    with running_stage(folder / "state") as context:
        batch.install(context, lambda _: image)
        yield context


@pytest.fixture(scope="module")
def function(stage):
    return make_function(stage, FUNCTION)


@pytest.fixture(scope="module")
def job(stage):
    queue, definition = make_queue(stage), make_definition(stage)

    def job(*command, **more):
        overrides = {"Command": [str(part) for part in command]}
        return {
            "JobName": "job",
            "JobQueue": queue,
            "JobDefinition": definition,
            "ContainerOverrides": overrides,
            **more,
        }

    return job


@pytest.fixture(scope="module")
def messages(stage):
    return stage.client("sqs").create_queue(QueueName="messages")["QueueUrl"]


def output(execution):
    assert execution["status"] == "SUCCEEDED", (execution.get("error"), execution.get("cause"))
    return json.loads(execution["output"])


def history(stage, execution):
    pages = stage.client("stepfunctions").get_paginator("get_execution_history")
    return [
        event["type"] for page in pages.paginate(executionArn=execution["executionArn"]) for event in page["events"]
    ]


def start(stage, definition, name=None, given=None):
    arn = make_machine(stage, definition)
    more = {"name": name} if name else {}
    return stage.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(given or {}), **more)[
        "executionArn"
    ]


def test_a_function_is_invoked_and_its_answer_selected(stage, function):
    machine = task(
        "lambda:invoke",
        {"FunctionName": function, "Payload": {"id.$": "$.id"}},
        ResultSelector={"answer.$": "$.Payload.got"},
        ResultPath="$.result",
    )

    assert output(run_machine(stage, machine, {"id": "S1"})) == {"id": "S1", "result": {"answer": {"id": "S1"}}}


def test_a_catch_names_the_class_that_a_function_raised(stage, function):
    machine = chain(
        Try={
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload": {"reject": True}},
            "Catch": [
                {"ErrorEquals": ["TemporaryError"], "Next": "Wrong"},
                {"ErrorEquals": ["RejectedInputError"], "ResultPath": "$.error", "Next": "Right"},
            ],
            "End": True,
        },
        Wrong={"Type": "Fail"},
        Right={"Type": "Pass", "End": True},
    )

    error = output(run_machine(stage, machine))["error"]

    assert error["Error"] == "RejectedInputError"
    assert json.loads(error["Cause"])["errorMessage"] == "no"


def test_a_retry_names_the_class_and_counts(stage):
    name = make_function(stage, FUNCTION)
    machine = task(
        "lambda:invoke",
        {"FunctionName": name, "Payload": {"lucky": 2}},
        Retry=[{"ErrorEquals": ["TemporaryError"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
    )

    execution = run_machine(stage, machine)

    assert output(execution)["Payload"]["got"] == {"lucky": 2}
    assert history(stage, execution).count("TaskFailed") == 1


def test_a_function_whose_worker_dies_fails_the_state_at_once(stage, function):
    execution = run_machine(stage, task("lambda:invoke", {"FunctionName": function, "Payload": {"die": True}}))

    assert (execution["status"], execution["error"]) == ("FAILED", "Runtime.ExitError")


def test_a_function_that_does_not_exist_is_an_error_of_lambda(stage):
    execution = run_machine(stage, task("lambda:invoke", {"FunctionName": "nobody", "Payload": {}}))

    assert execution["error"] == "Lambda.ResourceNotFoundException"


def test_a_state_that_takes_too_long_times_out(stage, function):
    machine = task("lambda:invoke", {"FunctionName": function, "Payload": {"sleep": 3}}, TimeoutSeconds=1)

    assert run_machine(stage, machine)["error"] == "States.Timeout"


def test_a_job_is_submitted_and_awaited(stage, job):
    result = output(run_machine(stage, task("batch:submitJob.sync", job("exit", 0))))

    assert (result["Status"], result["Container"]["ExitCode"]) == ("SUCCEEDED", 0)
    assert {"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"} in result["Container"]["Environment"]


def test_a_failed_job_fails_its_state_and_its_description_is_the_cause(stage, job):
    execution = run_machine(stage, task("batch:submitJob.sync", job("exit", 65)))

    cause = json.loads(execution["cause"])
    assert execution["error"] == "States.TaskFailed"
    assert (cause["Status"], cause["StatusReason"]) == ("FAILED", "Essential container in task exited")
    assert cause["Container"]["ExitCode"] == cause["Attempts"][0]["Container"]["ExitCode"] == 65
    assert cause["Container"]["LogStreamName"] == cause["Attempts"][0]["Container"]["LogStreamName"]


def test_a_job_whose_process_is_killed_fails_its_state_at_once(stage, job):
    before = set(stage.keeper.running_pids())
    arn = start(stage, task("batch:submitJob.sync", job("sleep", 30)))
    (pid,) = wait_until(lambda: set(stage.keeper.running_pids()) - before)

    os.kill(pid, signal.SIGKILL)

    execution = await_execution(stage, arn)
    assert (execution["status"], json.loads(execution["cause"])["Container"]["ExitCode"]) == ("FAILED", 137)


def test_a_failed_job_in_a_branch_is_caught_by_name_and_ends_the_other_branch(stage, job):
    machine = chain(
        Both={
            "Type": "Parallel",
            "Branches": [task("batch:submitJob.sync", job("exit", 3)), task("batch:submitJob.sync", job("sleep", 30))],
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught"}],
            "End": True,
        },
        Caught={"Type": "Pass", "End": True},
    )

    error = output(run_machine(stage, machine))["error"]

    assert json.loads(error["Cause"])["Container"]["ExitCode"] == 3
    wait_until(lambda: all(one.status.ended for one in batch.current_engine().jobs()))


def test_a_job_is_terminated_when_its_state_times_out(stage, job):
    execution = run_machine(stage, task("batch:submitJob.sync", job("sleep", 30), TimeoutSeconds=1))

    assert execution["error"] == "States.Timeout"
    wait_until(lambda: all(one.status.ended for one in batch.current_engine().jobs()))


def test_waiting_for_a_job_adds_little_to_it(stage, job):
    run_machine(stage, task("batch:submitJob.sync", job("exit", 0)))
    started = time.perf_counter()

    run_machine(stage, task("batch:submitJob.sync", job("exit", 0)))

    assert time.perf_counter() - started < 1


def test_a_map_runs_a_function_for_each_item_in_order(stage, function):
    machine = chain(
        Each={
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 3,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                **task("lambda:invoke", {"FunctionName": function, "Payload.$": "$"}, OutputPath="$.Payload.got.i"),
            },
            "End": True,
        }
    )

    assert output(run_machine(stage, machine, {"items": [{"i": i} for i in range(6)]})) == list(range(6))


def test_a_distributed_map_runs_over_inline_items(stage):
    machine = chain(
        Each={
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **chain(Keep={"Type": "Pass", "End": True}),
            },
            "End": True,
        }
    )

    assert output(run_machine(stage, machine, {"items": [1, 2, 3]})) == [1, 2, 3]


@pytest.mark.parametrize(
    ("tolerated", "error"),
    [
        ({}, "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailureCount": 1}, None),
        ({"ToleratedFailurePercentage": 20.5}, "States.ExceedToleratedFailureThreshold"),
    ],
)
def test_a_distributed_map_fails_where_more_items_fail_than_are_tolerated(stage, tolerated, error):
    """Step Functions developer guide, "Tolerated failure thresholds": by default one failed item fails the state."""
    machine = chain(
        Each={
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **chain(
                    Which={
                        "Type": "Choice",
                        "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}],
                        "Default": "Good",
                    },
                    Bad={"Type": "Fail", "Error": "Odd"},
                    Good={"Type": "Succeed"},
                ),
            },
            "End": True,
            **tolerated,
        }
    )

    assert run_machine(stage, machine, {"items": [1, 2, 3]}).get("error") == error


def test_a_choice_follows_what_an_item_of_a_table_says(stage):
    stage.client("dynamodb").create_table(
        TableName="chosen",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    stage.client("dynamodb").put_item(TableName="chosen", Item={"pk": {"S": "1"}, "state": {"S": "LOADED"}})
    machine = chain(
        Get={
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:getItem",
            "Parameters": {"TableName": "chosen", "Key": {"pk": {"S.$": "$.id"}}},
            "Next": "Which",
        },
        Which={
            "Type": "Choice",
            "Choices": [{"Variable": "$.Item.state.S", "StringEquals": "LOADED", "Next": "Loaded"}],
            "Default": "Other",
        },
        Loaded={"Type": "Pass", "Result": "loaded", "End": True},
        Other={"Type": "Fail"},
    )

    assert output(run_machine(stage, machine, {"id": "1"})) == "loaded"


def test_a_rule_of_a_choice_assigns_what_the_input_says(stage):
    """What a plan gives a job: the path is one of the state's input, and so is what passes on."""
    rule = {"Assign": {"given_mib.$": "$.machine.memory_mib"}, "Next": "Which"}
    machine = chain(
        Plan={
            "Type": "Choice",
            "Choices": [{"Variable": "$.caller", "StringEquals": "gatk", **rule}],
            "Default": "Other",
        },
        Which={"Type": "Pass", "Parameters": {"asked.$": "$given_mib", "caller.$": "$.caller"}, "End": True},
        Other={"Type": "Fail"},
    )
    given = {"caller": "gatk", "machine": {"memory_mib": "4096"}}
    assert output(run_machine(stage, machine, given)) == {"asked": "4096", "caller": "gatk"}


def test_a_message_with_an_object_as_body_is_sent_as_json(stage, messages):
    run_machine(stage, task("sqs:sendMessage", {"QueueUrl": messages, "MessageBody": {"a.$": "$.b"}}), {"b": 5})

    (message,) = stage.client("sqs").receive_message(QueueUrl=messages, WaitTimeSeconds=2)["Messages"]
    assert json.loads(message["Body"]) == {"a": 5}


def test_an_answer_of_the_sdk_is_json_with_dates_as_text(stage):
    stage.client("s3").create_bucket(Bucket="listed")
    stage.client("s3").put_object(Bucket="listed", Key="k", Body=b"x")

    result = output(run_machine(stage, task("aws-sdk:s3:listObjectsV2", {"Bucket": "listed"})))

    assert result["Contents"][0]["Key"] == "k"
    assert result["Contents"][0]["LastModified"].endswith("Z")


def answer_token(stage, url, answer):
    def find():
        for message in stage.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            body = json.loads(message["Body"])
            if "token" in body:
                return body["token"]
        return None

    answer(stage.client("stepfunctions"), wait_until(find))


def waiting(url, **more):
    parameters = {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}
    return task("sqs:sendMessage.waitForTaskToken", parameters, **more)


def test_a_state_waits_for_its_task_token(stage):
    url = stage.client("sqs").create_queue(QueueName=new_name("tokens"))["QueueUrl"]
    arn = start(stage, waiting(url, TimeoutSeconds=20))

    answer_token(stage, url, lambda states, token: states.send_task_success(taskToken=token, output='{"signed": 1}'))

    assert output(await_execution(stage, arn)) == {"signed": 1}


def test_a_task_token_can_fail_a_state_with_its_cause(stage):
    url = stage.client("sqs").create_queue(QueueName=new_name("tokens"))["QueueUrl"]
    arn = start(stage, waiting(url, TimeoutSeconds=20))

    answer_token(
        stage, url, lambda states, token: states.send_task_failure(taskToken=token, error="Refused", cause="why")
    )

    execution = await_execution(stage, arn)
    assert (execution["status"], execution["error"], execution["cause"]) == ("FAILED", "Refused", "why")


def test_a_state_whose_task_token_never_comes_times_out(stage, messages):
    assert run_machine(stage, waiting(messages, TimeoutSeconds=1))["error"] == "States.Timeout"


def test_an_execution_that_takes_too_long_times_out(stage):
    machine = {**chain(Wait={"Type": "Wait", "Seconds": 30, "End": True}), "TimeoutSeconds": 1}

    execution = run_machine(stage, machine)

    assert execution["status"] == "TIMED_OUT"
    assert execution["stopDate"] > execution["startDate"]


def test_stopping_an_execution_that_waits_for_a_token_ends_it_at_once(stage, messages):
    arn = start(stage, waiting(messages, TimeoutSeconds=600))
    time.sleep(0.2)

    stage.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by hand")

    execution = stage.client("stepfunctions").describe_execution(executionArn=arn)
    assert (execution["status"], execution["error"], execution["cause"]) == ("ABORTED", "Stopped", "by hand")
    wait_until(lambda: history(stage, execution)[-1] == "ExecutionAborted")


def test_stopping_an_execution_terminates_its_job(stage, job):
    arn = start(stage, task("batch:submitJob.sync", job("sleep", 30)))
    wait_until(lambda: any(one.status == "RUNNING" for one in batch.current_engine().jobs()))

    stage.client("stepfunctions").stop_execution(executionArn=arn)

    wait_until(lambda: all(one.status.ended for one in batch.current_engine().jobs()))
    assert stage.client("stepfunctions").describe_execution(executionArn=arn)["status"] == "ABORTED"


def test_starting_the_same_name_with_the_same_input_while_it_runs_starts_nothing_new(stage, messages):
    machine = make_machine(stage, waiting(messages, TimeoutSeconds=600))
    states = stage.client("stepfunctions")

    arns = {states.start_execution(stateMachineArn=machine, name="S1", input="{}")["executionArn"] for _ in range(3)}

    assert len(arns) == len(states.list_executions(stateMachineArn=machine)["executions"]) == 1
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=machine, name="S1", input='{"other": 1}')
    states.stop_execution(executionArn=arns.pop())
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=machine, name="S1", input="{}")


def test_one_name_started_from_many_threads_runs_once(stage, messages):
    machine = make_machine(stage, waiting(messages, TimeoutSeconds=600))
    states = stage.client("stepfunctions")
    threads = [
        threading.Thread(target=states.start_execution, kwargs={"stateMachineArn": machine, "name": "S2"})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (one,) = states.list_executions(stateMachineArn=machine)["executions"]
    states.stop_execution(executionArn=one["executionArn"])


@pytest.mark.parametrize("name", ["a/b", "a b", "x" * 81, "a*"])
def test_a_name_that_is_none_is_refused(stage, name):
    with pytest.raises(ClientError, match="InvalidName"):
        start(stage, chain(Keep={"Type": "Pass", "End": True}), name=name)


@pytest.mark.parametrize("resource", ["glue:startJobRun.sync", "sagemaker:createTransformJob.sync", "ecs:runTask.sync"])
def test_an_integration_that_does_not_run_here_is_refused_when_the_machine_is_created(stage, resource):
    with pytest.raises(ClientError, match=f"InvalidDefinition.*does not run the integration with {resource[:3]}"):
        make_machine(stage, task(resource, {}))


def test_a_mistake_of_the_machine_itself_is_not_caught_by_states_all(stage):
    machine = chain(
        Wrong={
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName.$": "$.missing"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
            "End": True,
        },
        Caught={"Type": "Pass", "End": True},
    )

    execution = run_machine(stage, machine)

    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert "$.missing" in execution["cause"]


def test_a_defect_of_the_interpreter_fails_the_execution_instead_of_hanging_it(stage, monkeypatch):
    def broken(self):
        raise RuntimeError("a defect")

    monkeypatch.setattr(executions.ExecutionWorker, "_get_evaluation_environment", broken)

    execution = run_machine(stage, chain(Keep={"Type": "Pass", "End": True}))

    assert (execution["status"], execution["cause"]) == ("FAILED", "RuntimeError: a defect")


def test_a_query_is_started_and_awaited(stage):
    stage.client("s3").create_bucket(Bucket="query-results")
    parameters = {
        "QueryString": "SELECT 1 + 1 AS two",
        "WorkGroup": "primary",
        "ResultConfiguration": {"OutputLocation": "s3://query-results/"},
    }

    result = output(run_machine(stage, task("athena:startQueryExecution.sync", parameters)))

    assert result["QueryExecution"]["Status"]["State"] == "SUCCEEDED"


def test_a_failed_query_fails_its_state(stage):
    parameters = {
        "QueryString": "SELECT 1 / 0",
        "WorkGroup": "primary",
        "ResultConfiguration": {"OutputLocation": "s3://query-results/"},
    }

    execution = run_machine(stage, task("athena:startQueryExecution.sync", parameters))

    assert execution["error"] == "States.TaskFailed"
    assert "Division by zero" in execution["cause"]


def test_status_changes_are_events_for_a_rule_that_asks(stage):
    sqs, events = stage.client("sqs"), stage.client("events")
    url = sqs.create_queue(QueueName="execution-events")["QueueUrl"]
    pattern = {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED"]}}
    events.put_rule(Name="executions", EventPattern=json.dumps(pattern))
    events.put_targets(
        Rule="executions", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:execution-events"}]
    )

    execution = run_machine(stage, chain(Keep={"Type": "Pass", "Result": 1, "End": True}))

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    detail = json.loads(message["Body"])["detail"]
    assert (detail["executionArn"], detail["output"]) == (execution["executionArn"], "1")
    events.remove_targets(Rule="executions", Ids=["1"])
    events.delete_rule(Name="executions")


def test_a_definition_is_read_once_and_each_execution_has_a_program_of_its_own(stage):
    definition = json.dumps(chain(Only={"Type": "Pass", "End": True}))
    (one, tree), (other, again) = (AmazonStateLanguageParser.parse(definition) for _ in range(2))
    assert one is not other
    assert tree is again
