"""What reviewers see: goldens of permissions, ids and acknowledgements; SEC-01 and SEC-04."""

import json
from pathlib import Path

import pytest

from tests.infra import views

GOLDEN = Path(__file__).with_name("golden")
PACKS = {"AwsSolutions", "HIPAA.Security", "NIST.800.53.R5"}


def findings(assembly):
    report = json.loads((assembly.folder / "validation-report.json").read_text(encoding="utf-8"))
    return {
        (construct["constructPath"], violation["ruleName"])
        for plugin in report["pluginReports"]
        if plugin["pluginName"] in PACKS
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


def is_within(path, ancestor):
    return path == ancestor or path.startswith(f"{ancestor}/")


@pytest.mark.parametrize("view", [views.permissions, views.stateful_ids, views.acknowledged], ids=lambda v: v.__name__)
def test_reviewed_view_is_unchanged(prod, view, pytestconfig):
    golden, now = GOLDEN / f"{view.__name__}.txt", "\n".join(view(prod)) + "\n"
    if pytestconfig.getoption("--update-golden"):
        golden.write_text(now, encoding="utf-8")
    assert now == golden.read_text(encoding="utf-8"), "review the change, then: pytest tests/infra --update-golden"


def test_sec_04_no_finding_of_the_three_packs_is_left(prod):
    assert findings(prod) == set()


def test_sec_04_the_three_packs_do_look_at_every_kind_of_thing(unacknowledged):
    found = findings(unacknowledged)

    assert {rule.partition("-")[0] for _, rule in found} == PACKS
    assert {path.partition("/")[0] for path, _ in found} >= {"storage", "network", "compute", "workflow", "intake"}


def test_sec_04_each_acknowledgement_meets_a_finding_on_its_own_construct(prod, unacknowledged):
    found = findings(unacknowledged)
    idle = [
        (path, rule)
        for path, rule, _ in views.acknowledgements(prod)
        if not any(rule == found_rule and is_within(found_path, path) for found_path, found_rule in found)
    ]

    assert idle == []


def test_sec_04_acknowledgements_are_narrow_and_say_why(prod):
    given = list(views.acknowledgements(prod))

    assert len(given) > 0
    for path, rule, reason in given:
        assert path.count("/") >= 1, f"{rule} is acknowledged for the whole stack {path}"
        assert len(reason.split()) >= 6, f"{path} {rule}: {reason}"


def test_sec_01_no_role_has_a_wildcard_among_its_actions(assembly):
    for logical_id, policy in assembly.resources("AWS::IAM::ManagedPolicy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert [action for action in actions if "*" in action] == [], logical_id


def test_sec_01_every_function_and_job_has_a_role_of_its_own(assembly):
    roles = [json.dumps(properties["Role"]) for properties in assembly.properties("AWS::Lambda::Function")]
    roles += [
        json.dumps(properties["ContainerProperties"]["JobRoleArn"])
        for properties in assembly.properties("AWS::Batch::JobDefinition")
    ]

    assert len(set(roles)) == len(roles) == 38


def test_sec_01_no_role_carries_a_policy_written_by_somebody_else(assembly):
    for role in assembly.properties("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role
        assert "Policies" not in role
    assert assembly.properties("AWS::IAM::Policy") == []


def test_sec_01_services_that_say_for_whom_take_on_roles_for_this_account_only(assembly):
    silent = {
        *("lambda.amazonaws.com", "ec2.amazonaws.com", "backup.amazonaws.com", "lakeformation.amazonaws.com"),
        "glue.amazonaws.com",  # documented to say it when it asks for resources, and not when it takes on a job's role
    }

    for logical_id, role in assembly.resources("AWS::IAM::Role").items():
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            if statement["Principal"].get("Service", "lambda.amazonaws.com") not in silent:
                assert "aws:SourceAccount" in statement["Condition"]["StringEquals"], logical_id


def test_sec_02_people_take_on_a_role_with_a_second_factor_only(assembly):
    for logical_id, role in assembly.resources("AWS::IAM::Role", "access").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, logical_id
        assert statement["Action"] == "sts:AssumeRole"
