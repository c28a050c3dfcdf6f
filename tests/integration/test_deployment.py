"""A deployed stage found through its stacks, executions followed, and answers of Athena read. LAK-04."""

import json
from typing import Any

import boto3
import pytest
from moto.athena.models import QueryResults, athena_backends

from strandline.aws.deployment import Deployment, Endpoint
from strandline.aws.executions import Workflow
from strandline.aws.queries import AthenaQueries
from strandline.aws.settings import ExpirySettings, StateSettings
from strandline.aws.storage_costs import billed_bytes, read_prices
from strandline.errors import RejectedInputError


def test_a_stage_that_is_not_deployed_says_which_stack_is_missing(aws):
    with pytest.raises(RejectedInputError, match=r"^stage_not_deployed: stack strandline-qa-storage is not there"):
        Deployment("qa", Endpoint())


def test_outputs_of_every_stack_lead_to_its_parts(aws):
    cloudformation = boto3.client("cloudformation")
    outputs = {
        "storage": {"LandingBucket": "landing", "ReferencesBucket": "references", "AnalysisBucket": "analysis"},
        "identity": {"UserPoolId": "us-east-1_Example", "UserPoolClientId": "line"},
        "catalog": {"SubmissionsTable": "submissions", "AthenaWorkgroup": "primary", "GlueDatabase": "lake"},
        "compute": {},
        "workflow": {"SampleToReleaseArn": aws.state_machine_arn},
        "intake": {},
        "api": {},
        "fhir-api": {},
        "release": {},
        "release-api": {},
    }
    for part, values in outputs.items():
        template = {
            "Resources": {f"Queue{part.replace('-', '')}": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {key: {"Value": value} for key, value in values.items()},
        }
        cloudformation.create_stack(StackName=f"strandline-dev-{part}", TemplateBody=json.dumps(template))
    deployment = Deployment("dev", Endpoint())
    names = (deployment.landing.bucket, deployment.references.bucket, deployment.analysis.bucket)
    assert names == ("landing", "references", "analysis")
    assert deployment.submissions.get("s-1") is None
    assert deployment.workflow.status("s-1") is None
    assert deployment.queries.database == "lake"
    assert deployment.people.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example"


def test_an_execution_is_named_after_its_submission_and_started_once(aws):
    workflow = Workflow(aws.stepfunctions, aws.state_machine_arn)
    assert workflow.status("s-1") is None
    assert workflow.start("s-1")
    workflow.start("s-1")  # Step Functions answers a running execution of the same name and input as if it were new
    assert aws.executions() == ["s-1"]
    found = workflow.status("s-1")
    assert found is not None
    assert (found.status, found.error, found.cause) == ("RUNNING", None, None)


def test_an_execution_that_has_ended_is_not_started_again(aws):
    workflow = Workflow(aws.stepfunctions, aws.state_machine_arn)
    workflow.start("s-1")
    arn = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:s-1"
    aws.stepfunctions.stop_execution(executionArn=arn, error="x", cause="y")
    assert not workflow.start("s-1")
    assert aws.executions() == ["s-1"]


@pytest.fixture
def answers(aws: Any) -> Any:
    """Tell moto what Athena answers next, and return what asks."""

    def queue(rows: list[list[str | None]]) -> AthenaQueries:
        data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
        columns = [{"Name": name, "Type": "varchar"} for name in ("a", "b")]
        athena_backends["123456789012"]["us-east-1"].query_results_queue.append(QueryResults(data, columns))
        return AthenaQueries(boto3.client("athena"), "primary", "lake")

    return queue


def test_rows_come_without_the_repeated_header_and_null_is_none(answers):
    result = answers([["a", "b"], ["1", None], ["", "x"]]).run("SELECT a, b FROM t")
    assert result.columns == ("a", "b")
    assert result.rows == (("1", None), ("", "x"))


def test_an_answer_without_rows_has_none(answers):
    assert answers([["a", "b"]]).run("SELECT a, b FROM t WHERE false").rows == ()


class FailingAthena:
    """A client whose queries end as Athena reports a failure."""

    def start_query_execution(self, **_: Any) -> dict[str, str]:
        return {"QueryExecutionId": "q"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        reason = "line 1:8: Column 'x' cannot be resolved"
        return {"QueryExecution": {"Status": {"State": "FAILED", "StateChangeReason": reason}}}


def test_a_query_that_fails_gives_the_reason_that_athena_gave():
    with pytest.raises(RejectedInputError, match=r"^query_failed: line 1:8: Column 'x' cannot be resolved$"):
        AthenaQueries(FailingAthena(), "primary", "lake").run("SELECT x")


class GreedyAthena(FailingAthena):
    """A client whose queries reach the limit of their workgroup; the words are Athena's."""

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        reason = "Bytes scanned limit was exceeded"
        return {"QueryExecution": {"Status": {"State": "CANCELLED", "StateChangeReason": reason}}}

    def get_work_group(self, **_: Any) -> dict[str, Any]:
        return {"WorkGroup": {"Configuration": {"BytesScannedCutoffPerQuery": 10_000_000}}}


def test_a_query_over_the_limit_is_refused_with_what_it_may_read_and_how_to_see_what_it_would():
    with pytest.raises(RejectedInputError, match=r"^query_reads_too_much: .* read 10000000 bytes; .*--explain"):
        AthenaQueries(GreedyAthena(), "primary", "lake").run("SELECT * FROM variants")


@pytest.mark.parametrize(("read", "billed", "price"), [(0, 10**7, 0.00005), (10**7 + 1, 11 * 10**6, 0.000055)])
def test_a_query_costs_whole_megabytes_ten_at_least(read, billed, price):
    """Athena's pricing page: 5 USD a TB in us-east-1, rounded up to the megabyte, ten megabytes for any query."""
    assert billed_bytes(read) == billed
    assert read_prices().query(read) == pytest.approx(price)


def test_a_planner_without_statistics_makes_no_forecast_of_nothing(answers):
    plan = {
        "inputTableColumnInfos": [
            {"table": {"schemaTable": {"table": "t"}}, "estimate": {"outputSizeInBytes": size}} for size in ("NaN", 7.0)
        ]
    }
    forecast = answers([[line, None] for line in json.dumps(plan, indent=1).splitlines()]).forecast("SELECT a FROM t")

    assert forecast.reads == (("t", None), ("t", 7))
    assert forecast.read_bytes is None


def test_settings_name_every_variable_that_is_missing_or_wrong_and_no_value(monkeypatch):
    monkeypatch.setenv("INCOMPLETE_AFTER_S", "soon")
    monkeypatch.setenv("LANDING_BUCKET", "landing")
    for name in ("QUARANTINE_BUCKET", "SUBMISSIONS_TABLE", "ALERTS_TOPIC_ARN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError) as caught:
        ExpirySettings.from_env()
    missing = "ALERTS_TOPIC_ARN, INCOMPLETE_AFTER_S, QUARANTINE_BUCKET, SUBMISSIONS_TABLE"
    assert str(caught.value) == f"environment variables missing or wrong: {missing}"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SUBMISSIONS_TABLE", "submissions")
    assert StateSettings.from_env().submissions_table == "submissions"
