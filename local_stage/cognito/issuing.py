"""Tokens under a key that the pool alone has, which end when the app client says and tell when the person signed in."""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final
from urllib.parse import urlparse

from joserfc import jwk, jwt
from moto.cognitoidp.models import CognitoIdpUserPool, cognitoidp_backends

from local_stage.context import ACCOUNT, REGION
from local_stage.replacing import replace

_UNITS_S: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DEFAULT_S: Final = {"access": 3600, "id": 3600}
_signed_in_at: dict[str, int] = {}
"""When the person signed in, seconds since 1970, by `origin_jti`: refreshed tokens tell of that time."""


def install_issuing(pool: type[CognitoIdpUserPool]) -> None:
    """Give each pool a key of its own, and its tokens the times that Cognito gives them."""
    replace(pool, "__init__", _with_own_key(pool.__init__))
    replace(pool, "create_jwt", _create_jwt)


def serve_keys(request: Any, full_url: str, headers: Any) -> tuple[int, Mapping[str, str], bytes]:
    """Answer for `/{pool}/.well-known/jwks.json`."""
    del request, headers
    pool_id = urlparse(full_url).path.strip("/").partition("/")[0]
    pool = cognitoidp_backends[ACCOUNT][REGION].user_pools.get(pool_id)
    if pool is None:
        return 404, {"Content-Type": "application/json"}, b'{"message":"User pool does not exist."}'
    public = pool.json_web_key.as_dict(private=False) | {"alg": "RS256", "use": "sig"}
    return 200, {"Content-Type": "application/json"}, json.dumps({"keys": [public]}).encode()


def _with_own_key(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        self.json_web_key = jwk.RSAKey.generate_key(2048, {"kid": uuid.uuid4().hex})

    return init


def _create_jwt(  # noqa: PLR0917 - as moto calls it
    self: Any,
    client_id: str,
    username: str,
    token_use: str,
    expires_in: int = 3600,
    extra_data: Mapping[str, Any] | None = None,
) -> tuple[str, int]:
    """Take the place of moto's. Source: "Understanding the access token" and "the ID token", Cognito guide."""
    del expires_in
    extra, now, user = dict(extra_data or {}), int(time.time()), self._get_user(username)
    lasts_s = _validity_s(self.clients[client_id].extended_config, token_use)
    signed_in = _signed_in_at.setdefault(str(extra.get("origin_jti", uuid.uuid4())), now)
    payload = {
        "iss": f"https://cognito-idp.{self.region}.amazonaws.com/{self.id}",
        "sub": user.id,
        "client_id" if token_use == "access" else "aud": client_id,  # noqa: S105 - the kind of a token
        "username" if token_use == "access" else "cognito:username": user.username,  # noqa: S105 - the kind of a token
        "token_use": token_use,
        "iat": now,
        "auth_time": signed_in,
        "exp": now + lasts_s,
        "jti": str(uuid.uuid4()),
        **extra,
    }
    header = {"kid": self.json_web_key.kid, "alg": "RS256"}
    return jwt.encode(header, payload, self.json_web_key), lasts_s


def _validity_s(client: Mapping[str, Any], token_use: str) -> int:
    name = f"{token_use.title()}Token"
    amount = client.get(f"{name}Validity")
    if not amount:
        return _DEFAULT_S[token_use]
    unit = (client.get("TokenValidityUnits") or {}).get(name, "hours")
    return int(amount) * _UNITS_S[unit]
