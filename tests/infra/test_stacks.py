"""The stacks as a whole: order, names, outputs, and what CloudFormation would say to them."""

import json
from itertools import pairwise

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

PARTS = (
    "storage",
    "identity",
    "catalog",
    "network",
    "compute",
    "workflow",
    "intake",
    "acts",
    "api",
    "release",
    "release-api",
    "fhir-api",
    "access",
    "alarms",
)
OUTPUTS = {
    "storage": {
        *("LandingBucket", "QuarantineBucket", "ReferencesBucket", "AnalysisBucket"),
        *("LakeBucket", "DeliveryBucket", "AuditBucket"),
    },
    "catalog": {"SubmissionsTable", "AuditLogTable", "FhirTable", "GlueDatabase", "AthenaWorkgroup"},
    "compute": {"CpuQueueArn", "GpuQueueArn"},
    "workflow": {"JointGenotypeArn", "SampleToReleaseArn", "ValidateAheadArn", "AlertsTopicArn"},
    "intake": {"IntakeQueueUrl", "IntakeDeadLetterUrl"},
    "api": {"IngestUrl"},
    "release-api": {"ReleaseUrl"},
    "fhir-api": {"FhirUrl"},
}
UNHEEDED = [
    "W3005",  # the CDK's function construct states a dependency that its role already implies
    "W3010",  # zones are named so that synthesis needs no look-up in the account
]


def test_ops_01_stacks_carry_the_stage_and_their_part_in_their_names(assembly):
    named = {part: assembly.manifest["artifacts"][part]["properties"]["stackName"] for part in PARTS}

    assert named == {part: f"strandline-{assembly.stage}-{part}" for part in PARTS}


def test_ops_01_each_stack_waits_for_the_one_before_it(assembly):
    for earlier, later in pairwise(PARTS):
        assert earlier in assembly.manifest["artifacts"][later]["dependencies"]


def test_ops_01_every_resource_is_tagged_at_deployment_with_stage_and_part(assembly):
    for part in PARTS:
        tags = assembly.manifest["artifacts"][part]["properties"]["tags"]
        assert tags == {"strandline:part": part, "strandline:stage": assembly.stage}


def test_code_finds_resources_by_these_outputs(assembly):
    for part, expected in OUTPUTS.items():
        own = {key for key, output in assembly.template(part)["Outputs"].items() if "Export" not in output}
        assert own == expected


def test_no_stage_needs_a_custom_resource(assembly):
    types = {
        resource["Type"] for template in assembly.templates.values() for resource in template["Resources"].values()
    }

    assert not {kind for kind in types if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"}


def test_no_stage_looks_anything_up_in_the_account(assembly):
    assert "missing" not in assembly.manifest


def test_ops_02_the_local_templates_hold_the_same_resources_as_those_of_dev(assemblies):
    def shape(stage):
        return {
            part: {key: resource["Type"] for key, resource in template["Resources"].items() if "Layers" not in key}
            for part, template in assemblies[stage].templates.items()
        }

    assert shape("local") == shape("dev")


def test_stateful_stacks_refuse_deletion_where_data_is_kept(assemblies):
    protected = {
        stage: [
            part
            for part in PARTS
            if assembly.manifest["artifacts"][part]["properties"].get("terminationProtection", False)
        ]
        for stage, assembly in assemblies.items()
        if stage != "prod-unacknowledged"
    }

    kept = ["storage", "identity", "catalog"]
    assert protected == {"local": [], "dev": [], "qa": kept, "prod": kept}


def test_cloudformation_lint_has_nothing_to_say_of_any_stage(assemblies):
    templates = [
        str(assembly.folder / f"{part}.template.json")
        for stage, assembly in assemblies.items()
        for part in PARTS
        if stage != "prod-unacknowledged"
    ]
    unheeded = [argument for check in UNHEEDED for argument in ("--ignore-checks", check)]

    found = list(Runner(ConfigMixIn([*unheeded, "--", *templates])).run())

    assert len(templates) == 4 * len(PARTS)
    assert [str(match) for match in found] == []


def test_templates_fit_cloudformation(assembly):
    for part, template in assembly.templates.items():
        assert len(json.dumps(template)) < 1_000_000, part
        assert len(template["Resources"]) < 500, part
