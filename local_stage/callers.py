"""Who makes a request: whoever runs the stage, or a role that was assumed, which is held to its policies.

Any credentials will do here, as only this machine can connect; but a role that is tried out has to be refused what AWS
would refuse it. So requests under temporary keys pass `RoleFront`: what it cannot tell the action of is refused.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.models import STSBackend, sts_backends

from local_stage.context import ACCOUNT, StageContext
from local_stage.replacing import replace

_TEMPORARY: Final = "ASIA"
_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s]+)/[^/,\s]+/[^/,\s]+/([^/,\s]+)/aws4_request")
_TARGETS: Final = {"AmazonAthena": "athena", "AWSGlue": "glue"}
_BODY_LIMIT_BYTES: Final = 1 << 20

WsgiApp = Callable[[Any, Any], Iterable[bytes]]
FindWorkgroup = Callable[[str, Mapping[str, Any]], str | None]


def install(context: StageContext) -> None:
    """Let nobody take on a role that is not there: moto hands out keys for any name."""
    del context
    replace(STSBackend, "assume_role", _checking_role(STSBackend.assume_role))


class UnknownKeyError(Exception):
    """A temporary key that nobody was given, or that has expired."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A role that was assumed. `arn` is the role's own, as grants name it."""

    role: str
    arn: str

    def may(self, action: str, resource: str) -> bool:
        """Return whether the role's policies allow an action. A statement with a condition allows nothing here."""
        allowed = False
        for statement in _statements(self.role):
            if not _names(statement, "Action", action) or not _names(statement, "Resource", resource):
                continue
            if statement["Effect"] == "Deny":
                return False
            allowed |= "Condition" not in statement
        return allowed


def caller_of(authorization: str) -> Caller | None:
    """Return the role whose key signed a request; None for whoever runs the stage.

    Raises:
        UnknownKeyError: the key is a temporary one that is not known, or not any more.
    """
    found = _CREDENTIAL.search(authorization)
    if found is None or not found[1].startswith(_TEMPORARY):
        return None
    assumed = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(found[1])
    if assumed is None or assumed.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        raise UnknownKeyError
    return Caller(str(assumed.role_arn).rsplit("/", 1)[-1], str(assumed.role_arn))


class RoleFront:
    """Passes requests on to `app`; those of roles only where a policy of the role allows them."""

    def __init__(self, app: WsgiApp, context: StageContext, find_workgroup: FindWorkgroup) -> None:
        self._app = app
        self._context = context
        self._find_workgroup = find_workgroup

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        try:
            caller = caller_of(authorization)
        except UnknownKeyError:
            return _refuse(environ, start_response, "UnrecognizedClientException", "The security token is invalid.")
        if caller is None:
            return self._app(environ, start_response)
        asked = list(self._actions(environ, authorization))
        denied = [(action, resource) for action, resource in asked if not caller.may(action, resource)]
        if denied or not asked:
            action, resource = denied[0] if denied else ("this", "it")
            says = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            return _refuse(environ, start_response, "AccessDeniedException", says)
        return self._app(environ, start_response)

    def _actions(self, environ: Any, authorization: str) -> Iterator[tuple[str, str]]:
        """Yield the actions that a request is, each with its resource; none where that cannot be told."""
        found = _CREDENTIAL.search(authorization)
        service = found[2] if found else ""
        # moto also looks for a service or a bucket in the name of the host
        if not re.fullmatch(r"(127\.0\.0\.1|localhost)(:\d+)?", environ.get("HTTP_HOST", "")):
            return
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            prefix, _, operation = target.partition(".")
            if _TARGETS.get(prefix) == service:
                yield f"{service}:{operation}", self._resource(service, operation, _body(environ))
        elif service == "s3":
            yield from _s3_actions(environ)
        elif service == "sts" and parse_qs(_body(environ).decode()).get("Action") == ["GetCallerIdentity"]:
            yield "sts:GetCallerIdentity", "*"

    def _resource(self, service: str, operation: str, body: bytes) -> str:
        try:
            asked = json.loads(body or b"{}")
        except ValueError:
            return ""
        place = f"arn:aws:{service}:{self._context.region}:{self._context.account}"
        if service == "athena":
            workgroup = self._find_workgroup(operation, asked) if isinstance(asked, dict) else None
            return f"{place}:workgroup/{workgroup}" if workgroup else ""
        table = asked.get("Name") if operation == "GetTable" else asked.get("TableName", "*")
        database = asked.get("DatabaseName") or asked.get("Name") or "*"
        if operation.startswith("GetDatabase"):
            return f"{place}:database/{database}"
        return f"{place}:table/{database}/{table}"


def _checking_role(original: Callable[..., Any]) -> Callable[..., Any]:
    def assume_role(self: STSBackend, **asked: Any) -> Any:
        arn = str(asked["role_arn"])
        if not any(role.arn == arn for role in list(iam_backends[ACCOUNT]["aws"].roles.values())):
            raise STSClientError(
                "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        return original(self, **asked)

    return assume_role


def _s3_actions(environ: Any) -> Iterator[tuple[str, str]]:
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if not bucket or ".." in key.split("/"):
        return
    plain = set(query) <= {
        *("uploads", "uploadId", "partNumber", "x-id", "list-type", "prefix", "delimiter", "max-keys", "encoding-type"),
        *("continuation-token", "start-after", "location"),
    }
    if not plain:
        return
    whole, part = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"
    if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
        yield "s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/').partition('?')[0]}"
    match (method, bool(key)):
        case ("GET" | "HEAD", True):
            yield "s3:GetObject", part
        case ("PUT" | "POST", True):
            yield "s3:PutObject", part
        case ("DELETE", True):
            yield ("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"), part
        case ("GET" | "HEAD", False):
            yield ("s3:GetBucketLocation" if "location" in query else "s3:ListBucket"), whole
        case _:
            yield f"s3:{method}", whole


def _body(environ: Any) -> bytes:
    """Return the body of a request, and put it back for whoever answers."""
    size = min(int(environ.get("CONTENT_LENGTH") or 0), _BODY_LIMIT_BYTES)
    body: bytes = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _refuse(environ: Any, start_response: Any, code: str, message: str) -> Iterable[bytes]:
    if environ.get("HTTP_X_AMZ_TARGET"):
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        code = "AccessDenied" if code == "AccessDeniedException" else "InvalidAccessKeyId"
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        of_s3 = "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
        kind, body = "application/xml", error if of_s3 else f"<ErrorResponse>{error}</ErrorResponse>"
    data = body.encode()
    start_response(
        "400 Bad Request" if environ.get("HTTP_X_AMZ_TARGET") else "403 Forbidden",
        [("Content-Type", kind), ("Content-Length", str(len(data)))],
    )
    return [data]


def _statements(role_name: str) -> Iterator[Mapping[str, Any]]:
    role = next((one for one in list(iam_backends[ACCOUNT]["aws"].roles.values()) if one.name == role_name), None)
    if role is None:
        return
    versions = (version for policy in role.managed_policies.values() for version in policy.versions)
    documents = [*role.policies.values(), *(version.document for version in versions if version.is_default)]
    for document in documents:
        statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
        yield from statements if isinstance(statements, list) else [statements]


def _names(statement: Mapping[str, Any], element: str, value: str) -> bool:
    given = statement.get(element, [])
    return any(_matches(pattern, value) for pattern in (given if isinstance(given, list) else [given]))


def _matches(pattern: str, value: str) -> bool:
    """Return whether a value is meant by a pattern with `*` and `?`.

    >>> _matches("s3:Get*", "s3:GetObject"), _matches("arn:aws:s3:::lake/a/*", "arn:aws:s3:::lake/b/1")
    (True, False)
    """
    parts = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), value, re.DOTALL) is not None
