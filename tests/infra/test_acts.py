"""What the deployed rules hand over to the audit log: events of this stage, and of no other. TRU-02."""

import json

import pytest
from moto.events.models import EventPattern

from strandline.trust.acts import kinds, rules
from tests.unit.test_acts import EXAMPLES


def patterns(assembly):
    """Return the patterns of the deployed rules by name; ids of the user pool stand as `client` and `pool`."""
    found = {}
    for rule in assembly.properties("AWS::Events::Rule", "acts"):
        pattern = rule["EventPattern"]
        named = pattern["detail"].get("requestParameters", {})
        for parameter, value in (("clientId", "client"), ("userPoolId", "pool")):
            if parameter in named:
                assert "Fn::ImportValue" in named[parameter][0]
                named[parameter] = [value]
        found[rule["Name"].partition("-act-")[2]] = EventPattern.load(json.dumps(pattern))
    return found


def of_stage(kind, stage):
    """Return the example of an act as it happens on a stage."""
    example = json.loads(json.dumps(EXAMPLES[kind.act]).replace("strandline-dev", f"strandline-{stage}"))
    detail = example["detail"]
    if kind.way == "jobs":
        detail["jobDefinition"] = f"arn:aws:batch:us-east-1:1:job-definition/strandline-{stage}-align-reads:1"
    if kind.way in {"sign_ins", "people"}:
        ids = ("x", "x") if stage == "other" else ("client", "pool")
        detail.setdefault("requestParameters", {}).update(zip(("clientId", "userPoolId"), ids, strict=True))
    return example


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.way in rules()], ids=lambda kind: kind.act)
def test_each_act_is_handed_over_by_its_rule_and_that_of_another_stage_by_none(assembly, kind):
    deployed = patterns(assembly)
    assert set(deployed) == {name.replace("_", "-") for name in rules()}
    matching = {name for name, one in deployed.items() if one.matches_event(of_stage(kind, assembly.stage))}
    assert matching == {kind.way.replace("_", "-")}
    assert not any(one.matches_event(of_stage(kind, "other")) for one in deployed.values())
