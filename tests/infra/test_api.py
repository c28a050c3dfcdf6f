"""The programs' door as it is deployed. Requirements: ING-02, SEC-01."""

from infra.stacks.api import ROUTES


def test_every_route_wants_a_signed_caller(assembly):
    routes = assembly.properties("AWS::ApiGatewayV2::Route")
    assert sorted(route["RouteKey"] for route in routes) == sorted(ROUTES)
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


def test_what_is_logged_names_neither_a_path_nor_a_caller(assembly):
    (stage,) = assembly.properties("AWS::ApiGatewayV2::Stage")
    logged = stage["AccessLogSettings"]["Format"]
    assert "$context.requestId" in logged
    assert not any(word in logged for word in ("path", "identity", "authorizer", "sourceIp"))
