"""Jobs of Glue run as processes of this machine and say how they ended; triggers start them at their time. LAK-03.

Source: AWS Glue API reference (StartJobRun, JobRun), AWS Glue developer guide (job parameters, cron expressions).
"""

import json
from datetime import UTC, datetime

import pytest

from local_stage import glue_jobs
from tests.stage.compute_stage import ROLE, log_lines, new_name, running_stage, wait_until, zip_of

SCRIPT = """
import json, sys
from packaged import VALUE
print(json.dumps({"argv": sys.argv[1:], "value": VALUE}))
sys.exit(int(sys.argv[sys.argv.index("--exit") + 1]))
"""
ENDED = {"SUCCEEDED", "FAILED", "TIMEOUT"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as context:
        s3 = context.client("s3")
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key="job.py", Body=SCRIPT.encode())
        s3.put_object(Bucket="code", Key="packaged.zip", Body=zip_of({"packaged/__init__.py": "VALUE = 7\n"}))
        yield context


@pytest.fixture
def job(stage):
    name = new_name("job")
    stage.client("glue").create_job(
        Name=name,
        Role=ROLE,
        Command={"Name": "glueetl", "ScriptLocation": "s3://code/job.py", "PythonVersion": "3"},
        DefaultArguments={"--extra-py-files": "s3://code/packaged.zip", "--exit": "0", "--kept": "yes"},
    )
    return name


def end_of(stage, name, run_id):
    def ended():
        run = stage.client("glue").get_job_run(JobName=name, RunId=run_id)["JobRun"]
        return run if run["JobRunState"] in ENDED else None

    return wait_until(ended, 60)


def test_a_run_has_its_arguments_and_packages_and_its_lines_are_kept(stage, job):
    run_id = stage.client("glue").start_job_run(JobName=job, Arguments={"--given": "now"})["JobRunId"]
    run = end_of(stage, job, run_id)
    assert run["JobRunState"] == "SUCCEEDED"
    assert run["CompletedOn"] >= run["StartedOn"]
    assert "ErrorMessage" not in run
    (line,) = log_lines(stage, "/aws-glue/jobs/output", run_id)
    said = json.loads(line)
    assert said["value"] == 7
    arguments = dict(zip(said["argv"][::2], said["argv"][1::2], strict=True))
    assert arguments == {"--JOB_NAME": job, "--JOB_RUN_ID": run_id, "--exit": "0", "--kept": "yes", "--given": "now"}


def test_a_run_that_fails_says_so_with_its_last_line_and_a_missing_script_too(stage, job):
    glue = stage.client("glue")
    run = end_of(stage, job, glue.start_job_run(JobName=job, Arguments={"--exit": "3"})["JobRunId"])
    assert run["JobRunState"] == "FAILED"
    assert json.loads(run["ErrorMessage"])["value"] == 7
    lost = new_name("job")
    glue.create_job(Name=lost, Role=ROLE, Command={"Name": "glueetl", "ScriptLocation": "s3://code/none.py"})
    run = end_of(stage, lost, glue.start_job_run(JobName=lost)["JobRunId"])
    assert run["JobRunState"] == "FAILED"
    assert "404" in run["ErrorMessage"]


def test_a_second_run_is_refused_while_the_first_one_runs(stage, job):
    glue = stage.client("glue")
    stage.client("s3").put_object(Bucket="code", Key="slow.py", Body=b"import time\ntime.sleep(60)\n")
    slow = new_name("job")
    glue.create_job(Name=slow, Role=ROLE, Command={"Name": "glueetl", "ScriptLocation": "s3://code/slow.py"})
    glue.start_job_run(JobName=slow)
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName=slow)


def test_a_trigger_starts_its_job_once_each_time_it_is_due(stage, job):
    glue = stage.client("glue")
    glue.create_trigger(
        Name=new_name("trigger"), Type="SCHEDULED", Schedule="cron(15 * * * ? *)", StartOnCreation=True,
        Actions=[{"JobName": job, "Arguments": {"--given": "by trigger"}}],
    )  # fmt: skip
    runner = glue_jobs._Runner(stage)
    runner.tick(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
    runner.tick(datetime(2026, 11, 22, 8, 14, tzinfo=UTC))
    assert glue.get_job_runs(JobName=job)["JobRuns"] == []
    for minute in (15, 16, 59):
        runner.tick(datetime(2026, 11, 22, 8, minute, tzinfo=UTC))
    (run,) = glue.get_job_runs(JobName=job)["JobRuns"]
    assert run["Arguments"]["--given"] == "by trigger"
    assert end_of(stage, job, run["Id"])["JobRunState"] == "SUCCEEDED"
    runner.tick(datetime(2026, 11, 22, 9, 15, tzinfo=UTC))
    assert len(glue.get_job_runs(JobName=job)["JobRuns"]) == 2
