"""Batch jobs of the embedded AWS run as on AWS: what they see, how they are tried again, how they end."""

import json
import os
import signal
import time

import psutil
import pytest
from botocore.exceptions import ClientError

from local_stage import batch
from local_stage.batch.attempt import OUT_OF_MEMORY, TIMED_OUT
from tests.stage.compute_stage import (
    log_lines,
    make_definition,
    make_image,
    make_queue,
    running_stage,
    wait_until,
)

JOB = """
import json, os, sys, time
what, *more = sys.argv[1:] or ["nothing"]
print("attempt", os.environ["AWS_BATCH_JOB_ATTEMPT"], what, *more, flush=True)
if what == "exit":
    sys.exit(int(more[0]))
if what == "sleep":
    time.sleep(float(more[0]))
if what == "environment":
    print(json.dumps({**os.environ, "cwd": os.getcwd(), "argv0": sys.argv[0]}))
if what == "third-time-lucky":
    sys.exit(0 if os.environ["AWS_BATCH_JOB_ATTEMPT"] == "3" else 75)
if what == "memory":
    held = b"x" * (int(more[0]) << 20)
    time.sleep(20)
if what == "child":
    import subprocess
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
"""
RETRY = {
    "attempts": 3,
    "evaluateOnExit": [
        {"onExitCode": "75", "action": "RETRY"},
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    image = make_image(folder / "image", JOB)
    with running_stage(folder / "state") as context:
        batch.install(context, lambda uri: image if uri == "image:tag" else folder / uri)
        yield context


@pytest.fixture(scope="module")
def queue(stage):
    return make_queue(stage)


@pytest.fixture(scope="module")
def definition(stage):
    return make_definition(stage, retryStrategy=RETRY)


@pytest.fixture
def submit(stage, queue, definition):
    def submit(*command, **request):
        overrides = {"command": [str(part) for part in command], **request.pop("containerOverrides", {})}
        asked = {"jobName": "job", "jobQueue": queue, "jobDefinition": definition, "containerOverrides": overrides}
        return stage.client("batch").submit_job(**{**asked, **request})["jobId"]

    return submit


@pytest.fixture
def ended(stage):
    def ended(job_id):
        def look():
            job = describe(stage, job_id)
            return job if job["status"] in {"SUCCEEDED", "FAILED"} else None

        return wait_until(look)

    return ended


def describe(stage, job_id):
    return stage.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]


def lines_of(stage, job):
    return log_lines(stage, "/aws/batch/job", job["container"]["logStreamName"])


def test_a_job_that_ends_well_succeeds_with_exit_code_0(ended, submit):
    job = ended(submit())

    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]


def test_what_a_job_prints_is_in_its_log_stream(stage, ended, submit):
    assert lines_of(stage, ended(submit("hello"))) == ["attempt 1 hello"]


def test_output_is_logged_while_the_job_runs(stage, submit):
    job_id = submit("sleep", 20)
    job = wait_until(lambda: (found := describe(stage, job_id))["status"] == "RUNNING" and found)

    wait_until(lambda: lines_of(stage, job) == ["attempt 1 sleep 20"])

    stage.client("batch").terminate_job(jobId=job_id, reason="seen")


def test_a_job_sees_its_variables_and_those_of_batch_and_of_the_embedded_aws(stage, ended, submit, queue):
    overrides = {"environment": [{"name": "SUBMISSION_ID", "value": "S1"}]}

    job = ended(submit("environment", containerOverrides=overrides))

    seen = json.loads(lines_of(stage, job)[1])
    assert seen["SUBMISSION_ID"] == "S1"
    assert (seen["AWS_BATCH_JOB_ID"], seen["AWS_BATCH_JQ_NAME"]) == (job["jobId"], queue.rpartition("/")[2])
    assert (seen["AWS_ENDPOINT_URL"], seen["AWS_DEFAULT_REGION"]) == (stage.endpoint_url, "us-east-1")
    assert seen["argv0"] == f"{seen['PYTHONPATH']}/job.py"


def test_the_scratch_folder_of_a_job_is_removed(stage, ended, submit):
    seen = json.loads(lines_of(stage, ended(submit("environment")))[1])

    wait_until(lambda: not os.path.exists(seen["cwd"]))  # noqa: PTH110 - a path from another process
    assert seen["cwd"] == seen["TMPDIR"] == seen["HOME"]


def test_exit_75_is_tried_again_until_it_works(ended, submit):
    job = ended(submit("third-time-lucky"))

    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75, 75, 0]


def test_exit_65_is_not_tried_again_where_the_rules_say_so(ended, submit):
    rules = {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}, {"onExitCode": "*", "action": "EXIT"}],
    }

    job = ended(submit("exit", 65, retryStrategy=rules))

    assert (job["status"], job["container"]["exitCode"], len(job["attempts"])) == ("FAILED", 65, 1)
    assert job["statusReason"] == "Essential container in task exited"


def test_a_failure_that_no_rule_names_is_tried_again(ended, submit):
    assert len(ended(submit("exit", 1, retryStrategy={"attempts": 2}))["attempts"]) == 2


def test_a_job_whose_process_is_killed_ends_with_137(stage, submit, ended):
    before = set(stage.keeper.running_pids())
    job_id = submit("sleep", 30, retryStrategy={"attempts": 1})
    (pid,) = wait_until(lambda: set(stage.keeper.running_pids()) - before)
    wait_until(lambda: describe(stage, job_id)["status"] == "RUNNING")

    os.kill(pid, signal.SIGKILL)

    job = ended(job_id)
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 137)
    assert "reason" not in job["container"]


def test_a_job_over_its_memory_ends_with_137_and_says_why(ended, submit):
    job = ended(submit("memory", 600, retryStrategy={"attempts": 1}))

    assert (job["container"]["exitCode"], job["container"]["reason"]) == (137, OUT_OF_MEMORY)


def test_a_rule_can_name_the_reason_of_a_job_over_its_memory(ended, submit):
    rules = {"attempts": 3, "evaluateOnExit": [{"onReason": "OutOfMemoryError*", "action": "EXIT"}]}

    assert len(ended(submit("memory", 600, retryStrategy=rules))["attempts"]) == 1


def test_a_job_over_its_time_is_ended_and_not_tried_again(stage, ended, submit):
    definition = make_definition(stage, timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    engine = batch.current_engine()
    job_id = submit("sleep", 30, jobDefinition=definition)
    engine.find(job_id).timeout_s = 60
    wait_until(lambda: describe(stage, job_id)["status"] == "RUNNING")

    engine._processes[job_id].end(TIMED_OUT)  # what the clock does after a minute, the least that Batch allows

    job = ended(job_id)
    assert (job["status"], job["statusReason"], len(job["attempts"])) == ("FAILED", TIMED_OUT, 1)


def test_a_terminated_job_fails_with_the_reason_given(stage, ended, submit):
    job_id = submit("sleep", 30)
    wait_until(lambda: describe(stage, job_id)["status"] == "RUNNING")

    stage.client("batch").terminate_job(jobId=job_id, reason="not needed")

    job = ended(job_id)
    assert (job["status"], job["statusReason"], len(job["attempts"])) == ("FAILED", "not needed", 1)


def test_what_a_job_leaves_running_ends_with_it(stage, ended, submit):
    ended(submit("child"))

    mine = psutil.Process()
    assert [child for child in mine.children(recursive=True) if "time.sleep(60)" in " ".join(child.cmdline())] == []


def test_jobs_wait_for_room_in_the_compute_environment(stage, submit, ended):
    small = make_queue(stage, max_vcpus=1)
    first, second = submit("sleep", 1, jobQueue=small), submit("exit", 0, jobQueue=small)
    wait_until(lambda: describe(stage, first)["status"] == "RUNNING")

    waiting = describe(stage, second)

    assert waiting["status"] == "RUNNABLE"
    assert "waiting for room" in waiting["statusReason"]
    assert ended(second)["startedAt"] >= ended(first)["stoppedAt"]


def test_a_lab_that_uses_little_goes_before_what_a_busy_one_sent_earlier(stage, submit, ended):
    """With one place: of north's jobs the second waits until south, which came last, had its turn."""
    shared = make_queue(stage, max_vcpus=1, shares=[])

    def send(share, *command):
        return submit(*command, jobQueue=shared, shareIdentifier=share)

    running = send("north", "sleep", 2)
    wait_until(lambda: describe(stage, running)["status"] == "RUNNING")
    second, other = send("north", "exit", 0), send("south", "exit", 0)
    assert describe(stage, other)["shareIdentifier"] == "south"
    assert ended(other)["startedAt"] <= ended(second)["startedAt"]


@pytest.mark.parametrize(
    ("shares", "asked", "words"),
    [
        ([], {}, "must have a shareIdentifier"),
        ([], {"shareIdentifier": "north-1"}, "letters and digits"),
        (None, {"shareIdentifier": "north"}, "no scheduling policy"),
    ],
)
def test_a_share_is_asked_for_where_the_queue_has_a_policy_and_there_alone(stage, submit, shares, asked, words):
    queue = make_queue(stage, shares=shares)
    with pytest.raises(ClientError, match=words):
        submit("exit", 0, jobQueue=queue, **asked)


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ({"type": "MEMORY", "value": "99999999"}, "99999999 MiB of memory, but this machine has"),
        ({"type": "VCPU", "value": "64"}, "64 vCPUs, but"),
        ({"type": "GPU", "value": "512"}, "512 GPU(s), but this machine has"),
    ],
)
def test_a_job_that_can_never_fit_fails_and_says_what_is_missing(stage, submit, ended, requirement, reason):
    small = make_queue(stage, max_vcpus=2)

    job = ended(submit("exit", 0, jobQueue=small, containerOverrides={"resourceRequirements": [requirement]}))

    assert job["status"] == "FAILED"
    assert reason in job["statusReason"]


def test_a_waiting_job_can_be_cancelled(stage, submit, ended):
    small = make_queue(stage, max_vcpus=1)
    running, waiting = submit("sleep", 30, jobQueue=small), submit("exit", 0, jobQueue=small)

    stage.client("batch").cancel_job(jobId=waiting, reason="changed my mind")
    stage.client("batch").terminate_job(jobId=running, reason="done")

    assert ended(waiting)["statusReason"] == "changed my mind"


def test_an_array_job_runs_each_index_and_counts_them(stage, submit, ended):
    job_id = submit("environment", arrayProperties={"size": 3})

    job = ended(job_id)

    assert (job["status"], job["arrayProperties"]["statusSummary"]["SUCCEEDED"]) == ("SUCCEEDED", 3)
    children = stage.client("batch").list_jobs(arrayJobId=job_id, jobStatus="SUCCEEDED")["jobSummaryList"]
    seen = [json.loads(lines_of(stage, describe(stage, child["jobId"]))[1]) for child in children]
    assert sorted(one["AWS_BATCH_JOB_ARRAY_INDEX"] for one in seen) == ["0", "1", "2"]


def test_an_array_job_fails_when_a_child_fails(ended, submit):
    job = ended(submit("exit", 3, arrayProperties={"size": 2}, retryStrategy={"attempts": 1}))

    assert (job["status"], job["arrayProperties"]["statusSummary"]["FAILED"]) == ("FAILED", 2)


def test_a_job_starts_after_those_it_depends_on(ended, submit):
    first = submit("sleep", 0.3)
    second = submit("exit", 0, dependsOn=[{"jobId": first}])

    assert ended(second)["startedAt"] >= ended(first)["stoppedAt"]


def test_a_job_fails_with_one_it_depends_on(ended, submit):
    first = submit("exit", 1, retryStrategy={"attempts": 1})
    second = submit("exit", 0, dependsOn=[{"jobId": first}])

    assert ended(second)["statusReason"] == "Dependent Job failed"


def test_parameters_fill_the_command(stage, ended, queue):
    definition = make_definition(
        stage, parameters={"who": "nobody"}, containerProperties={"command": ["hi", "Ref::who"]}
    )
    job_id = stage.client("batch").submit_job(
        jobName="job", jobQueue=queue, jobDefinition=definition, parameters={"who": "you"}
    )["jobId"]

    assert lines_of(stage, ended(job_id)) == ["attempt 1 hi you"]


def test_an_image_that_cannot_be_found_fails_the_job_by_name(stage, submit, ended):
    job = ended(submit("exit", 0, jobDefinition=make_definition(stage, image="nowhere:1")))

    assert job["statusReason"].startswith("CannotPullContainerError: ")
    assert "nowhere:1" in job["statusReason"]


def test_a_job_queue_that_does_not_exist_is_refused(submit):
    with pytest.raises(ClientError, match="Job queue nowhere does not exist"):
        submit("exit", 0, jobQueue="nowhere")


def test_a_jobs_end_is_known_within_fifty_milliseconds(stage, submit):
    engine = batch.current_engine()
    job = engine.find(submit("sleep", 0.2))

    assert engine.wait(job, 10)
    assert time.time() * 1000 - job.stopped_ms < 50


def test_state_changes_are_events_for_a_rule_that_asks(stage, submit, ended):
    sqs, events = stage.client("sqs"), stage.client("events")
    url = sqs.create_queue(QueueName="job-events")["QueueUrl"]
    pattern = {"source": ["aws.batch"], "detail": {"status": ["SUCCEEDED"]}}
    events.put_rule(Name="jobs", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="jobs", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:job-events"}])

    job_id = submit("exit", 0)

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]["jobId"]) == ("Batch Job State Change", job_id)
    events.remove_targets(Rule="jobs", Ids=["1"])
    events.delete_rule(Name="jobs")
