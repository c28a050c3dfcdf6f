"""Tells EventBridge of some calls as CloudTrail does: sign-ins, changes of users, queries.

A layer around all others that reads a call and its answer; nothing is told where no rule asks for it. Sources:
"Contents of a CloudTrail record", CloudTrail user guide; "Logging Amazon Cognito API calls" (who signs in is told by
`sub`, what is secret is hidden); "Log Athena API calls" (texts of queries are left out).
"""

import io
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.cognitoidp.models import cognitoidp_backends

from local_stage.callers import UnknownKeyError, caller_of
from local_stage.context import ACCOUNT, REGION, StageContext
from local_stage.principals import ROOT
from local_stage.state_change_events import StateChangeEvents

WsgiApp = Callable[[Any, Any], Iterable[bytes]]

_HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
_SIGN_INS: Final = frozenset({"InitiateAuth", "RespondToAuthChallenge"})
_COGNITO: Final = "AWSCognitoIdentityProviderService"
_TOLD: Final[Mapping[str, str]] = {
    **{f"{_COGNITO}.{name}": "aws.cognito-idp" for name in _SIGN_INS},
    **{
        f"{_COGNITO}.{name}": "aws.cognito-idp"
        for name in (
            *("AdminCreateUser", "AdminDeleteUser", "AdminDisableUser", "AdminEnableUser", "AdminAddUserToGroup"),
            *("AdminRemoveUserFromGroup", "AdminSetUserPassword", "AdminSetUserMFAPreference"),
            *("AdminUpdateUserAttributes", "CreateGroup", "DeleteGroup", "UpdateUserPool", "UpdateUserPoolClient"),
        )
    },
    "AmazonAthena.StartQueryExecution": "aws.athena",
}
_SHOWN: Final = frozenset({"clientId", "userPoolId", "workGroup", "authFlow", "challengeName", "groupName"})
_BODY_LIMIT_BYTES: Final = 1 << 20


class TrailFront:
    """Answers as `app` does."""

    def __init__(self, app: WsgiApp, context: StageContext) -> None:
        self._app = app
        self._events = {
            source: StateChangeEvents(context, source, "AWS API Call via CloudTrail") for source in set(_TOLD.values())
        }

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request, and tell of it where a rule asks for such calls."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        events = self._events.get(_TOLD.get(target, ""))
        if events is None or not events.wanted:
            return self._app(environ, start_response)
        asked = _read(environ)
        status: list[str] = []

        def starting(line: str, headers: Any, *more: Any) -> Any:
            status.append(line)
            return start_response(line, headers, *more)

        body = b"".join(self._app(environ, starting))
        name = target.rpartition(".")[2]
        identity = {"type": "Unknown", "principalId": "Anonymous"} if name in _SIGN_INS else _identity(environ)
        record = _record(name, _TOLD[target], identity, asked) | _answered(_parsed(body), status[0].startswith("2"))
        events.tell(ROOT, record)
        return [body]

    def stop(self) -> None:
        """Tell no more."""
        for events in self._events.values():
            events.stop()


def _record(name: str, source: str, identity: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    shown = {_lower(key): value for key, value in asked.items() if _lower(key) in _SHOWN}
    record: dict[str, Any] = {
        "eventVersion": "1.08",
        "userIdentity": identity,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{source.removeprefix('aws.')}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "requestParameters": shown,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
    }
    if source == "aws.cognito-idp" and (sub := _sub(asked)):
        record["additionalEventData"] = {"sub": sub}
    return record


def _answered(answered: Mapping[str, Any], is_good: bool) -> dict[str, Any]:
    if is_good:
        return {"responseElements": _elements(answered)}
    code = str(answered.get("__type", "")).rpartition("#")[2]
    return {"responseElements": None, "errorCode": code, "errorMessage": str(answered.get("message") or "")}


def _elements(answered: Mapping[str, Any]) -> dict[str, Any]:
    found = {_lower(key): value for key, value in answered.items() if key in {"ChallengeName", "QueryExecutionId"}}
    return found | ({"authenticationResult": _HIDDEN} if answered.get("AuthenticationResult") else {})


def _identity(environ: Any) -> dict[str, Any]:
    try:
        caller = caller_of(environ)
    except UnknownKeyError:
        return {"type": "Unknown", "principalId": "Anonymous"}
    if caller is None:
        return {"type": "Root", "arn": ROOT}
    issuer = {"type": "Role", "userName": caller.role, "arn": caller.arn}
    return {"type": "AssumedRole", "arn": caller.arn, "sessionContext": {"sessionIssuer": issuer}}


def _sub(asked: Mapping[str, Any]) -> str | None:
    told = asked.get("AuthParameters") or asked.get("ChallengeResponses") or asked
    name = str(told.get("USERNAME") or told.get("Username") or "")
    for pool in cognitoidp_backends[ACCOUNT][REGION].user_pools.values():
        if pool.id == asked.get("UserPoolId") or asked.get("ClientId") in pool.clients:
            user = pool._get_user(name)
            return str(user.id) if user else None
    return None


def _read(environ: Any) -> Mapping[str, Any]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > _BODY_LIMIT_BYTES:
        return {}
    body = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = io.BytesIO(body)
    return _parsed(body)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
