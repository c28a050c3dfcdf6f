"""What the templates make of the matrix of access: LAK-06, SEC-01, SEC-02."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "strandline"
MATRIX = json.loads((ROOT / "trust" / "access.json").read_text())
TABLES = json.loads((ROOT / "lake" / "tables.json").read_text())
PEOPLE = {"researcher", "compliance", "admin", "lab-north", "lab-south", "clinician-north", "clinician-south"}


def role_name(assembly, reference):
    roles = assembly.resources("AWS::IAM::Role", "access")
    return roles[reference["Fn::GetAtt"][0]]["Properties"]["RoleName"].removeprefix(f"strandline-{assembly.stage}-")


def grants(assembly):
    """Permissions by role and resource; those of the platform's own roles come from another stack."""
    for properties in assembly.properties("AWS::LakeFormation::PrincipalPermissions", "access"):
        principal = properties["Principal"]["DataLakePrincipalIdentifier"]
        if "Fn::GetAtt" in principal:
            yield role_name(assembly, principal), properties["Resource"], set(properties["Permissions"])


def statements(assembly, role):
    for policy in assembly.properties("AWS::IAM::ManagedPolicy", "access"):
        roles = assembly.resources("AWS::IAM::Role", "access")
        (reference,) = policy["Roles"]
        if roles[reference["Ref"]]["Properties"]["RoleName"] == f"strandline-{assembly.stage}-{role}":
            yield from policy["PolicyDocument"]["Statement"]


def many(value):
    return value if isinstance(value, list) else [value]


def test_there_is_a_role_and_a_workgroup_a_group_and_site(assemblies):
    for kind, key in (("AWS::IAM::Role", "RoleName"), ("AWS::Athena::WorkGroup", "Name")):
        found = {properties[key] for properties in assemblies["local"].properties(kind, "access")}
        assert found == {f"strandline-local-{name}" for name in PEOPLE}


def test_the_lake_is_registered_before_its_database_is_made(assembly):
    (location,) = assembly.resources("AWS::LakeFormation::Resource", "catalog").items()
    (database,) = assembly.resources("AWS::Glue::Database", "catalog").values()

    assert location[1]["Properties"]["ResourceArn"].endswith("/tables")
    assert location[0] in database["DependsOn"]
    assert "HybridAccessEnabled" not in location[1]["Properties"]


def test_new_tables_are_open_to_nobody(assembly):
    """No default permissions are what Lake Formation calls a null value: its grants alone decide."""
    (settings,) = assembly.properties("AWS::LakeFormation::DataLakeSettings")

    assert "CreateTableDefaultPermissions" not in settings
    assert "CreateDatabaseDefaultPermissions" not in settings
    assert "IAM_ALLOWED_PRINCIPALS" not in json.dumps(assembly.templates)


def test_what_is_not_classified_is_phi(assembly):
    (tags,) = [
        one["LFTags"]
        for one in assembly.properties("AWS::LakeFormation::TagAssociation", "catalog")
        if "Database" in one["Resource"]
    ]
    assert [tag["TagValues"] for tag in tags] == [["phi"]]


@pytest.mark.parametrize("role", ["researcher", "compliance", "admin"])
def test_a_role_of_all_rows_is_granted_the_classes_that_it_reads(assembly, role):
    (policy,) = [
        resource["LFTagPolicy"] for who, resource, _ in grants(assembly) if who == role and "LFTagPolicy" in resource
    ]

    assert policy["ResourceType"] == "TABLE"
    assert [one["TagValues"] for one in policy["Expression"]] == [MATRIX["roles"][role]["reads"]]


def test_a_role_of_a_site_is_granted_filters_of_that_site_and_classes_that_belong_to_none(assemblies):
    assembly = assemblies["local"]
    filters = {
        (one["Name"], one["TableName"]): one
        for one in assembly.properties("AWS::LakeFormation::DataCellsFilter", "access")
    }
    for who, resource, permissions in grants(assembly):
        if "-" not in who:
            continue
        if "DataCellsFilter" in resource:
            named = resource["DataCellsFilter"]
            cells = filters[named["Name"], named["TableName"]]
            assert cells["RowFilter"] == {"FilterExpression": f"site='{who.partition('-')[2]}'"}
            assert permissions == {"SELECT"}
        if "LFTagPolicy" in resource:
            (expression,) = resource["LFTagPolicy"]["Expression"]
            assert set(expression["TagValues"]) <= {"open", "aggregate"}


def test_only_who_may_write_is_granted_more_than_to_read(assembly):
    for who, resource, permissions in grants(assembly):
        more = permissions - {"SELECT", "DESCRIBE"}
        assert not more or who == "admin", (who, resource)


def test_each_job_that_commits_to_tables_holds_a_grant_to(assembly):
    """Where Lake Formation decides, what IAM allows of the catalog is not enough."""
    committing = {
        policy["Roles"][0]["Ref"]
        for policy in assembly.properties("AWS::IAM::ManagedPolicy", "compute")
        if any("glue:UpdateTable" in many(one["Action"]) for one in policy["PolicyDocument"]["Statement"])
    }
    granted = [
        json.dumps(properties["Principal"])
        for properties in assembly.properties("AWS::LakeFormation::PrincipalPermissions", "access")
        if {"INSERT", "DELETE", "ALTER"} <= set(properties["Permissions"])
    ]

    assert committing
    assert {role for role in committing if any(role in principal for principal in granted)} == committing


@pytest.mark.parametrize("role", ["researcher", "compliance"])
def test_who_reads_reaches_no_file_of_the_lake_and_no_workgroup_but_its_own(assembly, role):
    for statement in statements(assembly, role):
        for resource in many(statement["Resource"]):
            actions = many(statement["Action"])
            if any(action.startswith(("s3:GetObject", "s3:PutObject")) for action in actions):
                assert resource.endswith(f"/athena-results/strandline-{assembly.stage}-{role}/*")
            if any(action.startswith("athena:") for action in actions):
                assert resource.endswith(f":workgroup/strandline-{assembly.stage}-{role}")


def test_the_questions_of_researchers_name_no_sample(assembly):
    queries = [
        query
        for query in assembly.properties("AWS::Athena::NamedQuery", "access")
        if "researcher" in json.dumps(query["WorkGroup"])
    ]
    assert len(queries) == 10
    assert not [query["Name"] for query in queries if "sample_id" in query["QueryString"]]


def test_a_site_that_could_end_its_filter_is_refused():
    code = "from infra.constructs.lake_access import groups; groups([\"x' OR '1'='1\"])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode != 0
    assert "are not codes of sites" in done.stderr
