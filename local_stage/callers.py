"""Who makes a request: whoever runs the stage, or a role that was assumed, which is held to its policies.

Any credentials will do here, as only this machine can connect; but a role has to be refused what AWS would refuse it.
So requests under temporary keys pass `RoleFront`: what it cannot tell the action of is refused. Functions, jobs and
state machines work under keys of their own roles.
"""

import json
import logging
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from moto.iam.models import iam_backends
from moto.kms.exceptions import NotFoundException
from moto.sts.exceptions import STSClientError
from moto.sts.models import STSBackend, sts_backends

from local_stage import principals
from local_stage.context import ACCOUNT, StageContext
from local_stage.replacing import replace
from local_stage.request_actions import ANY, Action, FindWorkgroup, actions_of, signed_by

_log = logging.getLogger(__name__)

_TEMPORARY: Final = "ASIA"
_JSON_SERVICES: Final = frozenset({"lambda", "batch"})
_KEYS_LAST: Final = timedelta(days=30)
_READING: Final = frozenset({"s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt", "kms:GenerateDataKey"})
_OF_SERVICES: Final = secrets.token_hex(16)
"""What nobody but a service of this process says when it takes on a role."""

_issuing = threading.Lock()
_keys_by_role: dict[str, "RoleKeys"] = {}

WsgiApp = Callable[[Any, Any], Iterable[bytes]]


def install(context: StageContext) -> None:
    """Let nobody take on a role that is not there, or is a service's: moto hands out keys for any name."""
    del context
    stop()
    replace(STSBackend, "assume_role", _checking_role(STSBackend.assume_role))


def stop() -> None:
    """Forget the keys that roles were given."""
    with _issuing:
        _keys_by_role.clear()


class UnknownKeyError(Exception):
    """A temporary key that nobody was given, or that has expired."""


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """Temporary keys of a role."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: datetime

    def variables(self) -> dict[str, str]:
        """Return the environment variables that the SDKs read them from."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


def keys_of(role_arn: str) -> RoleKeys | None:
    """Return keys of a role for what a service runs in its name; None where there is no such role.

    They are good for two weeks at least, so that nothing that runs has to fetch new ones, as it would on AWS.
    """
    if _role_of(role_arn.rsplit("/", 1)[-1]) is None:
        return None
    now = datetime.now(UTC)
    with _issuing:
        keys = _keys_by_role.get(role_arn)
        if keys is None or keys.expires < now + _KEYS_LAST / 2:
            made = sts_backends[ACCOUNT]["aws"].assume_role(
                region_name="us-east-1",
                role_session_name="service",
                role_arn=role_arn,
                policy="",
                duration=int(_KEYS_LAST.total_seconds()),
                external_id=_OF_SERVICES,
            )
            expires = made.expiration.replace(tzinfo=UTC)
            keys = RoleKeys(made.access_key_id, made.secret_access_key, made.session_token, expires)
            _keys_by_role[role_arn] = keys
        return keys


def role_variables(role_arn: str) -> dict[str, str]:
    """Return what a process finds in its environment to work in a role's name; without a role it may do nothing."""
    keys = keys_of(role_arn)
    return keys.variables() if keys else {"AWS_ACCESS_KEY_ID": f"{_TEMPORARY}NOBODY", "AWS_SECRET_ACCESS_KEY": "none"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A role that was assumed. `arn` is the role's own, as grants name it."""

    role: str
    arn: str

    def may(self, action: str, resource: str) -> bool:
        """Return whether the role's policies allow an action. A statement with a condition allows nothing here."""
        return _allow(_documents(self.role), action, resource)


def caller_of(environ: Mapping[str, Any]) -> Caller | None:
    """Return the role whose key signed a request; None for whoever runs the stage.

    Raises:
        UnknownKeyError: the key is a temporary one that is not known, or not any more.
    """
    signed = signed_by(environ)
    if signed is None or not signed.key_id.startswith(_TEMPORARY):
        return None
    assumed = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(signed.key_id)
    if assumed is None or assumed.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        raise UnknownKeyError
    return Caller(str(assumed.role_arn).rsplit("/", 1)[-1], str(assumed.role_arn))


class PermissionRecord:
    """Which role did what, and what it was refused: a line of JSON each the first time, `role`, `action`, `allowed`.

    What a policy allows and nobody ever did is too much of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)  # another embedded AWS wrote it
        self._seen: set[tuple[str, str, bool]] = set()
        self._writing = threading.Lock()

    def add(self, role: str, action: str, *, allowed: bool) -> None:
        """Note what a role did or tried."""
        seen = role, action, allowed
        if seen in self._seen:
            return
        with self._writing:
            if seen not in self._seen:
                self._seen.add(seen)
                with self._path.open("a") as lines:
                    lines.write(json.dumps({"role": role, "action": action, "allowed": allowed}) + "\n")


class RoleFront:
    """Passes requests on to `app`; those of roles only where a policy of the role allows them."""

    def __init__(self, app: WsgiApp, find_workgroup: FindWorkgroup, record: PermissionRecord) -> None:
        self._app = app
        self._find_workgroup = find_workgroup
        self._record = record

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            caller = caller_of(environ)
        except UnknownKeyError:
            return _refuse(environ, start_response, "UnrecognizedClientException", "The security token is invalid.")
        signed = signed_by(environ)
        if signed and (refused := principals.denied(self._guarded(environ, signed.service), _arn_of(caller))):
            return _refuse(environ, start_response, "AccessDeniedException", _not_authorized(*refused, caller))
        if caller is None or signed is None:
            return self._app(environ, start_response)
        asked = actions_of(environ, signed.service, self._find_workgroup)
        denied = [(action, resource) for action, resource in asked if not caller.may(action, resource)]
        for action, resource in asked:
            self._record.add(caller.role, action, allowed=(action, resource) not in denied)
        if denied or not asked:
            action, resource = denied[0] if denied else ("what is not known here", "it")
            _log.warning("%s was refused %s on %s", caller.role, action, resource)
            return _refuse(environ, start_response, "AccessDeniedException", _not_authorized(action, resource, caller))
        return self._app(environ, start_response)

    def _guarded(self, environ: Any, service: str) -> list[Action]:
        """Return what a request does that a policy may leave to one role: changing objects, signing with a key."""
        if service == "s3" and environ["REQUEST_METHOD"] in {"PUT", "POST", "DELETE"}:
            return [one for one in actions_of(environ, service, self._find_workgroup) if one[0] not in _READING]
        if environ.get("HTTP_X_AMZ_TARGET") == "TrentService.Sign":
            with suppress(NotFoundException):  # the service says so
                return actions_of(environ, service, self._find_workgroup)
        return []


def _arn_of(caller: Caller | None) -> str:
    return caller.arn if caller else principals.ROOT


def _not_authorized(action: str, resource: str, caller: Caller | None) -> str:
    return f"User: {_arn_of(caller)} is not authorized to perform: {action} on resource: {resource}"


def _checking_role(original: Callable[..., Any]) -> Callable[..., Any]:
    def assume_role(self: STSBackend, **asked: Any) -> Any:
        arn, of_services = str(asked["role_arn"]), asked.get("external_id") == _OF_SERVICES
        roles = list(iam_backends[ACCOUNT]["aws"].roles.values())
        if not any(role.arn == arn and (of_services or _is_of_people(role)) for role in roles):
            raise STSClientError(
                "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        return original(self, **asked)

    return assume_role


def _is_of_people(role: Any) -> bool:
    """Return whether a role is not one of services alone, by its trust policy: those nobody takes on by STS."""
    document = role.assume_role_policy_document
    found = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    statements = found if isinstance(found, list) else [found]
    return not statements or any(set(one.get("Principal", {})) != {"Service"} for one in statements)


def _refuse(environ: Any, start_response: Any, code: str, message: str) -> Iterable[bytes]:
    signed = signed_by(environ)
    service = signed.service if signed else ""
    if not environ.get("HTTP_X_AMZ_TARGET") and service not in _JSON_SERVICES:
        code = "AccessDenied" if code == "AccessDeniedException" else "InvalidAccessKeyId"
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        text = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
        status, kind = "403 Forbidden", "application/xml"
    else:
        text = json.dumps({"__type": code, "message": message})
        status = "400 Bad Request" if environ.get("HTTP_X_AMZ_TARGET") else "403 Forbidden"
        kind = "application/x-amz-json-1.1"
    data = text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(data))), ("x-amzn-ErrorType", code)]
    start_response(status, [*headers, ("x-amzn-RequestId", str(uuid.uuid4()))])
    return [data]


def _role_of(name: str) -> Any:
    return next((one for one in list(iam_backends[ACCOUNT]["aws"].roles.values()) if one.name == name), None)


def _documents(role_name: str) -> tuple[str, ...]:
    """Return a role's policies as they are in force now."""
    role = _role_of(role_name)
    if role is None:
        return ()
    versions = (version for policy in role.managed_policies.values() for version in policy.versions)
    documents = [*role.policies.values(), *(version.document for version in versions if version.is_default)]
    return tuple(document if isinstance(document, str) else json.dumps(document) for document in documents)


@lru_cache(maxsize=1 << 14)
def _allow(documents: tuple[str, ...], action: str, resource: str) -> bool:
    allowed: bool = False
    for document in documents:
        for statement in _statements(document):
            if not _names(statement, "Action", action) or not _names(statement, "Resource", resource):
                continue
            if statement["Effect"] == "Deny":
                return False
            allowed = allowed or "Condition" not in statement
    return allowed


@lru_cache(maxsize=1 << 10)
def _statements(document: str) -> tuple[Mapping[str, Any], ...]:
    statements = json.loads(document)["Statement"]
    return tuple(statements) if isinstance(statements, list) else (statements,)


def _names(statement: Mapping[str, Any], element: str, value: str) -> bool:
    given = statement.get(element, [])
    if value == ANY:
        return bool(statement["Effect"] == "Allow" or given == "*")
    return any(_matches(pattern, value) for pattern in (given if isinstance(given, list) else [given]))


def _matches(pattern: str, value: str) -> bool:
    """Return whether a value is meant by a pattern with `*` and `?`.

    >>> _matches("s3:Get*", "s3:GetObject"), _matches("arn:aws:s3:::lake/a/*", "arn:aws:s3:::lake/b/1")
    (True, False)
    """
    found: re.Match[str] | None = _compiled(pattern).fullmatch(value)
    return found is not None


@lru_cache(maxsize=1 << 12)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    return re.compile(".*".join(parts), re.DOTALL)
