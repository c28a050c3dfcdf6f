"""A pair of reads is judged on the deployed stage while the other is still to come. Requirements: ING-03, ING-04."""

import gzip
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strandline.aws.submitting import LocalReads, Submission, prepare_submission
from strandline.cli.analysis import declare_sample
from strandline.journey import SubmissionState, landing_key, manifest_key

BEFORE_ANALYSIS = {SubmissionState.RECEIVED, SubmissionState.VALIDATING}


@pytest.fixture(scope="module")
def lanes(lab, tmp_path_factory) -> list[LocalReads]:
    """The sample's reads, dealt to two lanes."""
    folder = tmp_path_factory.mktemp("lanes")
    paths: list[list[Path]] = [[], []]
    for mate, whole in enumerate(lab.made_up.reads, 1):
        lines = gzip.decompress(whole.read_bytes()).splitlines(keepends=True)
        middle = len(lines) // 8 * 4
        for lane, part in enumerate((lines[:middle], lines[middle:])):
            path = folder / f"L{lane}_R{mate}.fastq.gz"
            path.write_bytes(gzip.compress(b"".join(part), 1))
            paths[lane].append(path)
    return [LocalReads(tuple(pair), f"FC1.{lane}") for lane, pair in enumerate(paths, 1)]


def land(lab, submission_id: str, submission: Submission, numbers: range) -> None:
    for number in numbers:
        file = submission.files[number]
        lab.deployment.landing.write(landing_key(submission_id, file.name), file.path.read_bytes())


def verdicts(lab, submission_id: str) -> dict[str, tuple[str, str]]:
    return {said.file: (said.verdict, said.checked_at) for said in lab.deployment.submissions.verdicts(submission_id)}


def wait_for(what, patience_s: int = 120):
    """Return what comes of asking again and again; nothing waits for ever."""
    for _ in range(patience_s * 5):
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("it never came")


def test_a_pair_is_judged_before_the_other_lands_and_is_not_read_again(lab, lanes):
    submission = prepare_submission(declare_sample("AHEAD"), lanes, lab.made_up.reference_name, None)
    submission_id, table = submission.submission_id(), lab.deployment.submissions
    lab.deployment.landing.write(manifest_key(submission_id), submission.manifest.to_json())
    land(lab, submission_id, submission, range(2))
    ahead = wait_for(lambda: verdicts(lab, submission_id))
    first = {file.name for file in submission.files[:2]}
    assert {name: verdict for name, (verdict, _) in ahead.items()} == dict.fromkeys(first, "ACCEPTED")
    assert table.get(submission_id).state is SubmissionState.RECEIVED
    command = [Path(sys.executable).with_name("strandline"), "status", submission_id]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("ACCEPTED") == 2

    land(lab, submission_id, submission, range(2, 4))
    wait_for(lambda: table.get(submission_id).state not in BEFORE_ANALYSIS)
    lab.stop(submission_id)
    assert table.get(submission_id).cause is None
    judged = verdicts(lab, submission_id)
    # a unit that the workflow reads gets a verdict of that moment
    assert {name: judged[name] for name in first} == ahead
    assert {name for name, (verdict, _) in judged.items() if verdict == "ACCEPTED"} == {
        file.name for file in submission.files
    }


def test_a_file_that_is_refused_ahead_can_be_replaced_before_the_rest_is_there(lab, lanes):
    submission = prepare_submission(declare_sample("MENDED"), lanes, lab.made_up.reference_name, None)
    submission_id, table = submission.submission_id(), lab.deployment.submissions
    wrong = submission.files[0]
    changed = gzip.compress(gzip.decompress(wrong.path.read_bytes())[:-200], 1)
    lab.deployment.landing.write(manifest_key(submission_id), submission.manifest.to_json())
    lab.deployment.landing.write(landing_key(submission_id, wrong.name), changed)
    land(lab, submission_id, submission, range(1, 2))
    refused = wait_for(lambda: verdicts(lab, submission_id))
    assert {verdict for verdict, _ in refused.values()} == {"REJECTED"}
    assert table.get(submission_id).state is SubmissionState.RECEIVED
    land(lab, submission_id, submission, range(1))
    wait_for(lambda: {verdict for verdict, _ in verdicts(lab, submission_id).values()} == {"ACCEPTED"})
    assert table.get(submission_id).state is SubmissionState.RECEIVED
    assert table.late_files(submission_id) == []


@pytest.fixture
def tiny_limit(deployed):
    """A function that passes everything on to the job."""
    functions = deployed._endpoint.client("lambda")
    name = "strandline-local-validate-files"
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    tiny = {"Variables": {**before["Variables"], "LAMBDA_VALIDATION_LIMIT_BYTES": "1"}}
    functions.update_function_configuration(FunctionName=name, Environment=tiny)
    yield
    functions.update_function_configuration(FunctionName=name, Environment=before)


@pytest.mark.usefixtures("tiny_limit")
def test_a_pair_that_is_too_large_for_the_function_is_judged_ahead_by_the_job(lab, deployed, lanes):
    submission = prepare_submission(declare_sample("LARGE"), lanes, lab.made_up.reference_name, None)
    submission_id = submission.submission_id()
    lab.deployment.landing.write(manifest_key(submission_id), submission.manifest.to_json())
    land(lab, submission_id, submission, range(2))
    judged = wait_for(lambda: verdicts(lab, submission_id))
    assert {verdict for verdict, _ in judged.values()} == {"ACCEPTED"}
    stepfunctions = deployed._endpoint.client("stepfunctions")
    (execution,) = [
        found
        for found in stepfunctions.list_executions(stateMachineArn=deployed.outputs["ValidateAheadArn"])["executions"]
        if found["name"].startswith(f"{submission_id}.")
    ]
    arn = execution["executionArn"]
    wait_for(lambda: stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED")
    history = stepfunctions.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    entered = [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]
    assert entered == ["ValidateFiles", "IsTooLarge", "ValidateLargeFiles", "Validated"]
