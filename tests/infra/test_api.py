"""The programs' and the clinicians' door as they are deployed. Requirements: ING-02, CLN-02, SEC-01, SEC-02."""

import json

import pytest

from infra.stacks import fhir_api
from infra.stacks.api import ROUTES
from strandline.trust.acts import access_log_pattern


def test_every_route_wants_a_signed_caller(assembly):
    routes = assembly.properties("AWS::ApiGatewayV2::Route", "api")
    assert sorted(route["RouteKey"] for route in routes) == sorted(ROUTES)
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


def test_every_route_to_a_patient_wants_a_token_of_the_stages_own_pool(assembly):
    routes = {route["RouteKey"]: route for route in assembly.properties("AWS::ApiGatewayV2::Route", "fhir-api")}
    assert sorted(routes) == sorted((*fhir_api.OPEN_ROUTES, *fhir_api.ROUTES))
    assert {routes[key]["AuthorizationType"] for key in fhir_api.OPEN_ROUTES} == {"NONE"}
    ((authorizer, described),) = assembly.resources("AWS::ApiGatewayV2::Authorizer", "fhir-api").items()
    for key in fhir_api.ROUTES:
        assert (routes[key]["AuthorizationType"], routes[key]["AuthorizerId"]) == ("JWT", {"Ref": authorizer})
    trusted = described["Properties"]["JwtConfiguration"]
    assert "cognito-idp" in str(trusted["Issuer"])
    assert len(trusted["Audience"]) == 1


def test_who_signs_over_http_has_a_token_of_the_stages_own_pool(assembly):
    (route,) = assembly.properties("AWS::ApiGatewayV2::Route", "release-api")
    ((authorizer, _),) = assembly.resources("AWS::ApiGatewayV2::Authorizer", "release-api").items()
    assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", {"Ref": authorizer})


def test_no_browser_of_another_page_may_ask(assembly):
    for api in assembly.properties("AWS::ApiGatewayV2::Api"):
        assert "CorsConfiguration" not in api


@pytest.mark.parametrize("part", ["api", "fhir-api", "release-api"])
def test_what_is_logged_names_neither_a_path_nor_a_caller(assembly, part):
    (stage,) = assembly.properties("AWS::ApiGatewayV2::Stage", part)
    logged = stage["AccessLogSettings"]["Format"]
    assert "$context.requestId" in logged
    assert not any(word in logged for word in ("path", "identity", "authorizer", "sourceIp"))


@pytest.mark.parametrize("part", ["api", "fhir-api", "release-api"])
def test_whom_a_door_refuses_itself_is_told_to_the_audit_log(assembly, part):
    (told,) = assembly.properties("AWS::Logs::SubscriptionFilter", part)
    assert told["FilterPattern"] == access_log_pattern()
    (stage,) = assembly.properties("AWS::ApiGatewayV2::Stage", part)
    line = json.loads(stage["AccessLogSettings"]["Format"])
    read = {"requestId", "routeKey", "status", "integrationStatus"}  # by strandline.trust.access_logs
    assert {name: line[name] for name in read} == {name: f"$context.{name}" for name in read}
    group = stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]
    assert told["LogGroupName"] == {"Ref": group}
    (allowed,) = [
        one for one in assembly.properties("AWS::Lambda::Permission", part) if one["Principal"] == "logs.amazonaws.com"
    ]
    assert "NoteAct" in str(allowed["FunctionName"])
    assert "NoteAct" in str(told["DestinationArn"])
    assert allowed["SourceArn"] == {"Fn::GetAtt": [group, "Arn"]}
