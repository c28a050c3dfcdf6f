"""What cannot be released is refused with a code, stands where a person looks, and is in the audit log. TRU-02, TRU-05.

Nothing of it names a patient: neither the logs nor what is kept beside the version.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from strandline.aws.release_steps import ReleaseRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.errors import RejectedInputError
from strandline.fhir.bundle import MOST_VARIANTS
from strandline.journey import Artifact, SubmissionState, artifact_key
from tests.integration.conftest import NOW, Aws, Handler, names_nobody
from tests.integration.test_drafts import CALLS, analysed
from tests.integration.test_release_desk import Answers

__all__ = ["analysed"]  # the fixture: calls of contig c, their quality and the reference
S = SubmissionState
MANY = 100_000
FIRST = ReleaseRequest(submission_id="s-1", version=1)
RENDERED = {"step": "RenderReport", "error": {"Error": "States.TaskFailed", "Cause": '{"Container": {"ExitCode": 65}}'}}


def calls_of(count: int) -> bytes:
    """Return a VCF of so many variants, each of which ClinVar calls pathogenic."""
    head = "".join(line for line in CALLS.splitlines(keepends=True) if line.startswith("#"))
    head = head.replace("length=1000", f"length={count}")
    line = "c\t{}\t.\tC\tT\t60\tPASS\tCLINVAR_ID=15;CLNSIG=Pathogenic\tGT:AD\t0/1:15,14\n"
    return (head + "".join(map(line.format, range(1, count + 1)))).encode()


@dataclass
class Place:
    """A submission in review whose first version was opened."""

    aws: Aws
    handler: Callable[[str], Handler]
    steps: ReleaseSteps
    workflow: Answers

    def caught(self, function: str, event: dict[str, Any]) -> dict[str, str]:
        """Call a function that refuses, and return what Step Functions catches of it."""
        with pytest.raises(RejectedInputError) as refused:
            self.handler(function)(event)
        told = {"errorType": type(refused.value).__name__, "errorMessage": str(refused.value)}
        return {"Error": type(refused.value).__name__, "Cause": json.dumps(told)}

    def note(self, failed: dict[str, Any]) -> Any:
        """Say it as the workflow of a release does in its state NoteFailure."""
        return self.handler("prepare_release")({"submission_id": "s-1", "version": 1, "failed": failed})

    def open(self) -> bool:
        return self.steps.open(FIRST, "arn:a-reviewer", self.workflow, "arn", NOW)

    @property
    def version(self) -> Any:
        return self.steps.releases.version("s-1", 1)

    def refused(self) -> list[tuple[str, str, str]]:
        told = [entry for entry in self.aws.waiting() if entry["what"] == "REFUSED"]
        assert names_nobody(json.dumps(told))
        return [(entry["record"], entry["who"], entry["why"]) for entry in told]


@pytest.fixture
def opened(aws: Aws, analysed: Callable[[str], Handler], monkeypatch: pytest.MonkeyPatch) -> Place:
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        aws.table.move("s-1", state, who="sample_to_release", why="It was due", now=NOW)
    monkeypatch.setenv("RELEASE_POLICY", "two_persons")
    workflow = Answers()
    steps = ReleaseSteps(Releases(aws.dynamodb, "submissions"), aws.table, "two_persons", aws.bucket("analysis"))
    place = Place(aws, analysed, steps, workflow)
    assert steps.ask("s-1", NOW)
    assert place.open()
    return place


def test_more_variants_than_a_person_reads_are_left_out_and_the_bundle_says_how_many(aws, analysed):
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.CALLS), calls_of(600))
    assert analysed("build_bundle")({"submission_id": "s-1"}) == {"findings": 500}
    body = aws.bucket("analysis").read(artifact_key("s-1", Artifact.BUNDLE), limit_bytes=1 << 26)
    report = json.loads(body)["entry"][0]["resource"]
    assert "100 reportable variants are left out because the list is full: see the VCF" in report["conclusion"]


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name every variant: the bundle's own limit is the next one."""
    monkeypatch.setattr("strandline.reporting.findings.LONGEST_LIST", MANY)


def test_too_many_variants_for_a_bundle_stop_a_release_where_its_opener_and_the_log_see_it(opened, unlimited, said):
    over = MOST_VARIANTS + 1
    opened.aws.bucket("analysis").write(artifact_key("s-1", Artifact.CALLS), calls_of(over))
    opened.aws.bucket("analysis").write(artifact_key("s-1", Artifact.REPORT_PDF), b"%PDF-1.7")
    caught = opened.caught("build_bundle", {"submission_id": "s-1", "purpose": "release"})
    assert opened.note({"step": "BuildBundle", "error": caught}) == {"code": "too_many_variants"}

    stopped = opened.version.stopped
    assert (stopped.step, stopped.code) == ("BuildBundle", "too_many_variants")
    assert stopped.message == (
        "2501 variants of the filtered calls are to be named and a bundle holds at most 2500: order a panel, or send "
        "regions"
    )
    assert opened.refused() == [("release/s-1/0001", "release", "BuildBundle refused: too_many_variants")]
    assert opened.aws.table.get("s-1").state is S.IN_REVIEW
    assert not opened.aws.bucket("analysis").exists(artifact_key("s-1", Artifact.BUNDLE))
    text = said()
    assert "ReleasesStopped" in text
    assert names_nobody(text)
    assert opened.open()  # once the cause is mended; then it is not said any more
    assert opened.version.stopped is None


def test_too_many_variants_for_a_bundle_quarantine_a_sample_and_the_log_names_the_code(
    aws, analysed, handler, unlimited, said
):
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED):
        aws.table.move("s-1", state, who="sample_to_release", why="It was due", now=NOW)
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.CALLS), calls_of(MANY))
    place = Place(aws, analysed, ReleaseSteps(Releases(aws.dynamodb, "submissions"), aws.table), Answers())
    caught = place.caught("build_bundle", {"submission_id": "s-1"})
    handler("conclude_failure")({"submission_id": "s-1", "step": "BuildBundle", "error": caught})

    assert aws.table.get("s-1").state is S.QUARANTINED
    last = [entry for entry in aws.waiting() if entry["record"] == "submission/s-1"][-1]
    assert last["why"].startswith("too_many_variants: 100000 variants of the filtered calls")
    (alert,) = aws.alerts()
    assert "s-1 was quarantined in BuildBundle: too_many_variants" in alert["Message"]
    assert names_nobody(said() + json.dumps(last) + json.dumps(alert))


def test_a_report_that_could_not_be_rendered_is_told_with_the_cause_that_its_job_recorded(opened):
    cause = ("consent_withdrawn", "the subject withdrew consent")
    item = {"pk": {"S": "SUBMISSION#s-1"}, "sk": {"S": "FAILURE#RenderReport"}}
    assert opened.note(RENDERED) == {"code": "tool_failed"}  # it left no word
    opened.aws.dynamodb.put_item(
        TableName="submissions", Item=item | {"code": {"S": cause[0]}, "message": {"S": cause[1]}}
    )
    assert opened.note(RENDERED) == {"code": cause[0]}
    assert (opened.version.stopped.code, opened.version.stopped.message) == cause
    assert [why for _, _, why in opened.refused()] == [
        "RenderReport refused: tool_failed",
        "RenderReport refused: consent_withdrawn",
    ]


def test_what_cannot_be_frozen_says_why_beside_its_version_until_it_is(opened):
    with pytest.raises(RejectedInputError, match="release_file_missing"):
        opened.steps.prepare(FIRST, NOW)
    assert (opened.version.stopped.step, opened.version.stopped.code) == ("PrepareRelease", "release_file_missing")
    assert [why for _, _, why in opened.refused()] == ["refused: release_file_missing"]


def test_a_failure_of_a_version_that_nobody_asked_for_is_in_the_log_alone(opened):
    asked = {"submission_id": "s-1", "version": 7, "failed": RENDERED}
    assert opened.handler("prepare_release")(asked) == {"code": "tool_failed"}
    assert opened.refused() == [("release/s-1/0007", "release", "RenderReport refused: tool_failed")]
    assert [one.version for one in opened.steps.releases.versions("s-1")] == [1]


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("failed", [{}, {"step": "Other", "error": {"Error": "x"}}, {"step": "BuildBundle"}])
def test_what_is_no_failure_of_a_step_is_noted_nowhere(opened, failed):
    with pytest.raises(Exception, match="validation error"):
        opened.note(failed)
    assert opened.refused() == []


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_what_is_no_event_of_a_function_is_not_repeated_in_its_error(opened, said, monkeypatch):
    monkeypatch.setenv("RELEASE_ARN", "arn")
    for function, event in (
        ("prepare_release", {"submission_id": "s-1", "version": "ZZ-OWNER"}),
        ("open_release", {"act": "open", "submission_id": "s-1", "version": "ZZ-OWNER", "who": "ann"}),
    ):
        with pytest.raises(Exception, match="validation error") as refused:
            opened.handler(function)(event)
        assert "ZZ-OWNER" not in str(refused.value) + said()
