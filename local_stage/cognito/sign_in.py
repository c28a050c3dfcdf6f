"""Signing in: password, then the code of an authenticator, each checked, counted and used once.

Sources: "Authentication flows", "Adding TOTP software token MFA", Cognito developer guide. What an app client did not
ask for with `ExplicitAuthFlows` is refused, and so is SRP, which is not served here.
"""

import hmac
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moto.cognitoidp.exceptions import (
    CodeMismatchException,
    ExpiredCodeException,
    InvalidParameterException,
    NotAuthorizedError,
    ResourceNotFoundError,
)
from moto.cognitoidp.models import UserStatus

from local_stage.cognito.lockout import Lockout
from local_stage.cognito.totp import new_secret, step_of

_SESSION_S: Final = 180.0
_WRONG: Final = "Incorrect username or password."
_NEW_PASSWORD, _SETUP, _CODE = "NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA"


@dataclass(slots=True)
class _Authenticator:
    """`waiting` is a secret that was handed out and not confirmed yet; `last_step` that of the last code taken."""

    secret: str | None = None
    waiting: str | None = None
    last_step: int = -1


@dataclass(frozen=True, slots=True)
class _Session:
    pool: Any
    client: Any
    user: Any
    challenge: str
    ends: float


@dataclass(slots=True)
class SignIns:
    """Everybody's tries. `clock` returns seconds since 1970."""

    clock: Callable[[], float]
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _authenticators: dict[str, _Authenticator] = field(default_factory=lambda: defaultdict(_Authenticator))
    _lockouts: dict[str, Lockout] = field(default_factory=lambda: defaultdict(Lockout))

    def initiate_auth(
        self, backend: Any, client_id: str, auth_flow: str, auth_parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        """Take a password or a refresh token."""
        pool, client = _pool_of(backend, client_id)
        with self._lock:
            return self._begin(pool, client, auth_flow, auth_parameters)

    def admin_initiate_auth(
        self, backend: Any, user_pool_id: str, client_id: str, auth_flow: str, auth_parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        """Do the same for a caller with AWS credentials."""
        if client_id not in backend.describe_user_pool(user_pool_id).clients:
            raise ResourceNotFoundError(f"User pool client {client_id} does not exist.")
        return self.initiate_auth(backend, client_id, auth_flow, auth_parameters)

    def respond_to_auth_challenge(
        self, backend: Any, session: str, client_id: str, challenge_name: str, challenge_responses: Mapping[str, str]
    ) -> dict[str, Any]:
        """Take the answer to what `initiate_auth` asked."""
        del backend
        with self._lock:
            asked = self._take(session)
            if (asked.client.id, asked.challenge) != (client_id, challenge_name):
                raise NotAuthorizedError("Invalid session for the user.")
            if challenge_responses.get("USERNAME") not in {asked.user.username, asked.user.id}:
                raise NotAuthorizedError("Invalid session for the user.")
            if challenge_name == _NEW_PASSWORD:
                return self._renew_password(asked, challenge_responses.get("NEW_PASSWORD", ""))
            if challenge_name == _CODE:
                self._check_code(asked, challenge_responses.get("SOFTWARE_TOKEN_MFA_CODE", ""))
            elif self._authenticators[asked.user.id].secret is None:
                raise InvalidParameterException("User has not set up software token mfa")
            return self._let_in(asked.pool, asked.client, asked.user)

    def associate_software_token(self, backend: Any, access_token: str, session: str) -> dict[str, str]:
        """Hand out a new secret; it counts once `verify_software_token` was given a code of it."""
        with self._lock:
            user, asked = self._whose(backend, access_token, session)
            waiting = self._authenticators[user.id].waiting = new_secret()
            return {"SecretCode": waiting} | ({"Session": self._keep(asked)} if asked else {})

    def verify_software_token(
        self, backend: Any, access_token: str, session: str, user_code: str, friendly_device_name: str
    ) -> dict[str, str]:
        """Let the new secret count."""
        del friendly_device_name
        with self._lock:
            user, asked = self._whose(backend, access_token, session)
            authenticator = self._authenticators[user.id]
            if authenticator.waiting is None:
                raise NotAuthorizedError("No software token was associated.")
            step = step_of(user_code, authenticator.waiting, self.clock())
            if step is None:
                raise CodeMismatchException("Code mismatch")
            self._authenticators[user.id] = _Authenticator(authenticator.waiting, None, step)
            user.token_verified = user.software_token_mfa_enabled = True
            user.preferred_mfa_setting = _CODE
            return {"Status": "SUCCESS"} | ({"Session": self._keep(asked)} if asked else {})

    def _begin(self, pool: Any, client: Any, flow: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        plain = "REFRESH_TOKEN_AUTH" if flow == "REFRESH_TOKEN" else flow
        if f"ALLOW_{plain}" not in client.extended_config.get("ExplicitAuthFlows", []):
            raise InvalidParameterException(f"{plain} flow not enabled for this client")
        if plain == "REFRESH_TOKEN_AUTH":
            return _refresh(pool, client, parameters.get("REFRESH_TOKEN", ""))
        if plain not in {"USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"}:
            raise InvalidParameterException(f"{plain} is not served by the embedded AWS: use USER_PASSWORD_AUTH")
        user = pool._get_user(parameters.get("USERNAME", ""))
        if user is None:
            raise NotAuthorizedError(_WRONG)
        self._refuse_locked_out(user)
        given = parameters.get("PASSWORD", "").encode()
        if not hmac.compare_digest(given, str(user.password or "").encode()) or not user.password:
            self._lockouts[user.id].fail(self.clock())
            raise NotAuthorizedError(_WRONG)
        if not user.enabled:
            raise NotAuthorizedError("User is disabled.")
        if user.status is UserStatus.FORCE_CHANGE_PASSWORD:
            return self._ask(pool, client, user, _NEW_PASSWORD)
        return self._ask_code(pool, client, user)

    def _renew_password(self, asked: _Session, password: str) -> dict[str, Any]:
        asked.pool.backend._validate_password(asked.pool.id, password)
        asked.user.password, asked.user.status = password, UserStatus.CONFIRMED
        return self._ask_code(asked.pool, asked.client, asked.user)

    def _ask_code(self, pool: Any, client: Any, user: Any) -> dict[str, Any]:
        if self._authenticators[user.id].secret is not None:
            return self._ask(pool, client, user, _CODE)
        if pool.mfa_config == "ON":
            return self._ask(pool, client, user, _SETUP, {"MFAS_CAN_SETUP": '["SOFTWARE_TOKEN_MFA"]'})
        return self._let_in(pool, client, user)

    def _check_code(self, asked: _Session, code: str) -> None:
        self._refuse_locked_out(asked.user)
        authenticator = self._authenticators[asked.user.id]
        if authenticator.secret is None:
            raise NotAuthorizedError("Invalid session for the user.")
        step = step_of(code, authenticator.secret, self.clock(), authenticator.last_step)
        if step is not None:
            authenticator.last_step = step
            return
        self._lockouts[asked.user.id].fail(self.clock())
        if step_of(code, authenticator.secret, self.clock()) is not None:
            raise ExpiredCodeException("Your software token has already been used once.")
        raise CodeMismatchException("Invalid code received for user")

    def _refuse_locked_out(self, user: Any) -> None:
        if self._lockouts[user.id].is_on(self.clock()):
            raise NotAuthorizedError("Password attempts exceeded")

    def _let_in(self, pool: Any, client: Any, user: Any) -> dict[str, Any]:
        self._lockouts[user.id].succeed()
        answer: dict[str, Any] = pool.backend._log_user_in(pool, client, user.username)
        return answer

    def _ask(
        self, pool: Any, client: Any, user: Any, challenge: str, parameters: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        session = self._keep(_Session(pool, client, user, challenge, self.clock() + _SESSION_S))
        told = {"USER_ID_FOR_SRP": user.username, **(parameters or {})}
        return {"ChallengeName": challenge, "ChallengeParameters": told, "Session": session}

    def _keep(self, asked: _Session) -> str:
        now = self.clock()
        self._sessions = {name: one for name, one in self._sessions.items() if one.ends > now}
        session = uuid.uuid4().hex
        self._sessions[session] = asked
        return session

    def _take(self, session: str) -> _Session:
        asked = self._sessions.pop(session, None)
        if asked is None or asked.ends <= self.clock():
            raise NotAuthorizedError("Invalid session for the user, session is expired.")
        return asked

    def _whose(self, backend: Any, access_token: str, session: str) -> tuple[Any, _Session | None]:
        """Return the user who sets up an authenticator: signed in already, or asked to before being let in."""
        if session:
            asked = self._take(session)
            if asked.challenge != _SETUP:
                raise NotAuthorizedError("Invalid session for the user.")
            return asked.user, asked
        return backend.get_user(access_token), None


def _pool_of(backend: Any, client_id: str) -> tuple[Any, Any]:
    for pool in backend.user_pools.values():
        if client_id in pool.clients:
            return pool, pool.clients[client_id]
    raise ResourceNotFoundError(f"User pool client {client_id} does not exist.")


def _refresh(pool: Any, client: Any, refresh_token: str) -> dict[str, Any]:
    """Return new tokens; their `auth_time` is that of the first."""
    known = pool.refresh_tokens.get(refresh_token)
    if known is None or known[0] != client.id or not pool._get_user(known[1]).enabled:
        raise NotAuthorizedError("Refresh Token has been revoked")
    access_token, id_token, expires_in = pool.create_tokens_from_refresh_token(refresh_token)
    result = {"IdToken": id_token, "AccessToken": access_token, "ExpiresIn": expires_in, "TokenType": "Bearer"}
    return {"ChallengeParameters": {}, "AuthenticationResult": result}
