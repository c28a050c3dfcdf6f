"""API Gateway's HTTP APIs: the API, its authorizers, integrations, routes and stage."""

from collections.abc import Callable

from local_stage.cloudformation.resources import Made, Request, ResourceError, ResourceType, attempt, confirm
from local_stage.http_api import endpoint_of

_API = "apigatewayv2"


def _create_api(request: Request) -> Made:
    asked = request.take("Name", "ProtocolType", "Description", "DisableExecuteApiEndpoint", "Tags")
    if asked.get("ProtocolType") != "HTTP":
        raise ResourceError("the embedded AWS serves HTTP APIs: ProtocolType must be HTTP")
    api_id = request.call(_API, "CreateApi", **asked)["ApiId"]
    confirm(asked, request.call(_API, "GetApi", ApiId=api_id), f"API {asked['Name']}")
    return Made(api_id, {"ApiId": api_id, "ApiEndpoint": endpoint_of(request.context, api_id)})


def _delete_api(request: Request, made: Made) -> None:
    attempt(lambda: request.call(_API, "DeleteApi", ApiId=made.physical_id), "NotFoundException")


def _part(kind: str, *names: str) -> tuple[Callable[[Request], Made], Callable[[Request, Made], None]]:
    """Return how one kind of part of an API is made and removed."""

    def create(request: Request) -> Made:
        api_id = request.properties["ApiId"]
        asked = request.take(*names)
        made = request.call(_API, f"Create{kind}", ApiId=api_id, **asked)
        identity = made["StageName"] if kind == "Stage" else made[f"{kind}Id"]
        found = request.call(_API, f"Get{kind}", ApiId=api_id, **_name(kind, identity))
        confirm(asked, found, f"{kind} {request.logical_id}")
        return Made(identity, {} if kind == "Stage" else {f"{kind}Id": identity})

    def delete(request: Request, made: Made) -> None:
        api_id, named = request.properties["ApiId"], _name(kind, made.physical_id)
        attempt(lambda: request.call(_API, f"Delete{kind}", ApiId=api_id, **named), "NotFoundException")

    return create, delete


def _create_authorizer(request: Request) -> Made:
    if request.properties["AuthorizerType"] != "JWT":
        raise ResourceError("the embedded AWS serves authorizers of the type JWT")
    return _part("Authorizer", *_AUTHORIZER)[0](request)


def _name(kind: str, identity: str) -> dict[str, str]:
    return {"StageName" if kind == "Stage" else f"{kind}Id": identity}


_INTEGRATION = ("IntegrationType", "IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis", "Description")
_ROUTE = ("RouteKey", "AuthorizationType", "AuthorizerId", "AuthorizationScopes", "Target", "OperationName")
_AUTHORIZER = ("Name", "AuthorizerType", "IdentitySource", "JwtConfiguration")
_STAGE = ("StageName", "AutoDeploy", "Description", "AccessLogSettings", "Tags")

TYPES = [
    ResourceType(
        "AWS::ApiGatewayV2::Api",
        _create_api,
        _delete_api,
        frozenset({"Name", "ProtocolType", "Description", "DisableExecuteApiEndpoint", "Tags"}),
        look=lambda request, made: request.call(_API, "GetApi", ApiId=made.physical_id),
    ),
    ResourceType(
        "AWS::ApiGatewayV2::Integration", *_part("Integration", *_INTEGRATION), frozenset({"ApiId", *_INTEGRATION})
    ),
    ResourceType(
        "AWS::ApiGatewayV2::Authorizer",
        _create_authorizer,
        _part("Authorizer", *_AUTHORIZER)[1],
        frozenset({"ApiId", *_AUTHORIZER}),
    ),
    ResourceType("AWS::ApiGatewayV2::Route", *_part("Route", *_ROUTE), frozenset({"ApiId", *_ROUTE})),
    ResourceType(
        "AWS::ApiGatewayV2::Stage",
        *_part("Stage", *_STAGE),
        frozenset({"ApiId", *_STAGE}),
        {"DefaultRouteSettings": "nothing is throttled on one machine"},
    ),
]
