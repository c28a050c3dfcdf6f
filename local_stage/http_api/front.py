"""A WSGI layer that answers for HTTP APIs: route, check signature or token, call the function, shape its answer.

Sources: "Working with HTTP API Lambda proxy integrations" (payload format 2.0) and "IAM authorization", API Gateway
developer guide.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from moto.apigatewayv2.models import Api, Route, apigatewayv2_backends
from moto.awslambda.models import lambda_backends
from moto.core.exceptions import JsonRESTError

from local_stage.context import StageContext
from local_stage.http_api.access_log import AccessLog, Answer
from local_stage.http_api.signatures import SignatureRefusedError, SigningCaller, verify_presigned, verify_signed
from local_stage.http_api.tokens import TokenCaller, TokenRefusedError, verify_bearer

PREFIX: Final = "/execute-api/"
_BODY_LIMIT_BYTES: Final = 10 << 20  # API Gateway's own
_INVOKED_BODY_LIMIT_BYTES: Final = 6 << 20  # Lambda's own
WsgiApp = Callable[[Any, Any], Iterable[bytes]]


class RefusedError(Exception):
    """An answer that is not the function's."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: `path` without the API's prefix, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    request_id: str


def endpoint_of(context: StageContext, api_id: str) -> str:
    """Return the URL that stands for `https://{api_id}.execute-api.{region}.amazonaws.com`."""
    return f"{context.endpoint_url}{PREFIX}{api_id}"


class ApiFront:
    """Answers for APIs, checks presigned S3 URLs, and passes everything else on to `app`."""

    def __init__(self, app: WsgiApp, context: StageContext) -> None:
        self._app = app
        self._context = context
        self._access_log = AccessLog(context)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"].startswith(PREFIX):
            return self._answer(environ, start_response)
        if "X-Amz-Signature=" in environ.get("QUERY_STRING", ""):
            headers = _headers(environ)
            url = f"http://{headers.get('host', '')}{_raw_path(environ)}?{environ['QUERY_STRING']}"
            try:
                verify_presigned(environ["REQUEST_METHOD"], url, headers, datetime.now(UTC))
            except SignatureRefusedError as refused:
                return _s3_refuses(str(refused), environ, start_response)
        return self._app(environ, start_response)

    def _answer(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        answer = Answer(uuid.uuid4().hex, time.time())
        api: Api | None = None
        try:
            api = self._find(environ)
            answer.status, headers, body = self._call(api, environ, answer)
        except RefusedError as refused:
            answer.status, headers = refused.status, {"content-type": "application/json", **refused.headers}
            body = json.dumps({"message": refused.message}).encode()
        lines = [*headers.items(), ("content-length", str(len(body)))]
        start_response(f"{int(answer.status)} {HTTPStatus(answer.status).phrase}", lines)
        answer.size_bytes = len(body)
        if api is not None:
            self._access_log.write(api.stages["$default"], answer)
        return [body]

    def _find(self, environ: Any) -> Api:
        api_id, _, _ = environ["PATH_INFO"].removeprefix(PREFIX).partition("/")
        api: Api | None = apigatewayv2_backends[self._context.account][self._context.region].apis.get(api_id)
        if api is None or "$default" not in api.stages:
            raise RefusedError(HTTPStatus.NOT_FOUND, "Not Found")
        return api

    def _call(self, api: Api, environ: Any, answer: Answer) -> tuple[int, dict[str, str], bytes]:
        call = _read(environ, answer.request_id)
        route, path_parameters = _match(api, call)
        answer.route_key = str(route.route_key)
        caller = self._authorize(api, route, call, environ)
        integration = api.integrations[str(route.target).removeprefix("integrations/")]
        function = re.search(r"arn:aws:lambda:[^/]*:function:[^/]+", str(integration.integration_uri))
        if function is None:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        event = _event(api, route, call, path_parameters, caller)
        answer.integration_status = "200"  # the service was called: what the function itself says is the status
        return _shape(json.loads(self._invoke(function.group(0), json.dumps(event))))

    def _invoke(self, arn: str, event: str) -> bytes:
        """Run a function in this process: by way of a client every request would be two."""
        functions = lambda_backends[self._context.account][self._context.region]
        told: dict[str, str] = {}
        try:
            answered = functions.get_function(arn).invoke(event, {}, told)
        except JsonRESTError:  # it is gone, or runs as often as it may
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable") from None
        payload = answered.encode() if isinstance(answered, str) else answered
        if "x-amz-function-error" in told or len(payload) > _INVOKED_BODY_LIMIT_BYTES:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        return payload

    def _authorize(self, api: Api, route: Route, call: _Call, environ: Any) -> SigningCaller | TokenCaller | None:
        if route.authorization_type in {None, "NONE"}:
            return None
        if route.authorization_type == "JWT":
            return _verify_token(api, route, call)
        if route.authorization_type != "AWS_IAM":
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, f"{route.authorization_type} is not served here")
        query = f"?{call.query}" if call.query else ""
        url = f"http://{call.headers.get('host', '')}{_raw_path(environ)}{query}"
        try:
            return verify_signed(call.method, url, call.headers, call.body, datetime.now(UTC))
        except SignatureRefusedError as refused:
            raise RefusedError(HTTPStatus.FORBIDDEN, str(refused)) from None


def _read(environ: Any, request_id: str) -> _Call:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > _BODY_LIMIT_BYTES:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
    body = environ["wsgi.input"].read(size) if size else b""
    _, _, path = environ["PATH_INFO"].removeprefix(PREFIX).partition("/")
    return _Call(
        environ["REQUEST_METHOD"],
        f"/{path}",
        environ.get("QUERY_STRING", ""),
        _headers(environ),
        body,
        environ.get("REMOTE_ADDR", ""),
        request_id,
    )


def _verify_token(api: Api, route: Route, call: _Call) -> TokenCaller:
    authorizer = api.authorizers[str(route.authorizer_id)]
    trusted: Any = authorizer.jwt_config
    name = str(authorizer.identity_source[0]).removeprefix("$request.header.").lower()
    try:
        return verify_bearer(
            call.headers.get(name, ""), trusted["issuer"], trusted["audience"], route.authorization_scopes or ()
        )
    except TokenRefusedError as refused:
        challenge = {"www-authenticate": str(refused)}
        if refused.lacks_scope:
            raise RefusedError(HTTPStatus.FORBIDDEN, "Forbidden", challenge) from None
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "Unauthorized", challenge) from None


def _match(api: Api, call: _Call) -> tuple[Route, dict[str, str]]:
    """Return the route that a call takes, the most exact first, and its path's parameters."""
    found: list[tuple[int, int, Route, dict[str, str]]] = []
    for route in api.routes.values():
        if route.route_key == "$default":
            found.append((2, 99, route, {}))
            continue
        method, _, template = route.route_key.partition(" ")
        pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(template))
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
        fits = re.fullmatch(pattern, call.path)
        if fits and method in {call.method, "ANY"}:
            parameters = {name: unquote(value) for name, value in fits.groupdict().items()}
            found.append((int("+}" in template), template.count("{"), route, parameters))
    if not found:
        raise RefusedError(HTTPStatus.NOT_FOUND, "Not Found")
    _, _, route, parameters = min(found, key=lambda item: item[:2])
    return route, parameters


def _event(
    api: Api, route: Route, call: _Call, path_parameters: dict[str, str], caller: SigningCaller | TokenCaller | None
) -> dict[str, Any]:
    try:
        body, encoded = call.body.decode(), False
    except UnicodeDecodeError:
        body, encoded = base64.b64encode(call.body).decode(), True
    query: dict[str, str] = {}
    for name, value in parse_qsl(call.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": api.api_id,
        "domainName": call.headers.get("host", ""),
        "http": {
            "method": call.method,
            "path": call.path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip,
            "userAgent": call.headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": route.route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
        "timeEpoch": int(time.time() * 1000),
    }
    if isinstance(caller, TokenCaller):
        context["authorizer"] = {"jwt": {"claims": dict(caller.claims), "scopes": caller.scopes}}
    elif caller is not None:
        context["authorizer"] = {"iam": {"accessKey": caller.access_key, "userArn": caller.arn}}
    event = {
        "version": "2.0",
        "routeKey": route.route_key,
        "rawPath": call.path,
        "rawQueryString": call.query,
        "headers": dict(call.headers),
        "requestContext": context,
        "isBase64Encoded": encoded,
    }
    event |= {"queryStringParameters": query} if query else {}
    event |= {"pathParameters": path_parameters} if path_parameters else {}
    return event | ({"body": body} if body else {})


def _shape(answer: Any) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of what a function returned."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return HTTPStatus.OK, {"content-type": "application/json"}, json.dumps(answer).encode()
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    body = str(answer.get("body") or "").encode()
    if answer.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return int(answer["statusCode"]), {"content-type": "application/json", **headers}, body


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    named = {name[5:].replace("_", "-").lower(): str(v) for name, v in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            named[name.replace("_", "-").lower()] = str(environ[name])
    return named


def _raw_path(environ: Mapping[str, Any]) -> str:
    """Return the path as it was sent, still percent-encoded."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"])
    return re.sub(r"^https?://[^/]+", "", raw).partition("?")[0]


def _s3_refuses(message: str, environ: Any, start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>'
    )
    start_response("403 Forbidden", [("content-type", "application/xml"), ("content-length", str(len(body)))])
    return [body.encode()]
