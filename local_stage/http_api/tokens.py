"""JWT authorizers of HTTP APIs: bearer tokens checked as API Gateway checks them.

Source: "Control access to HTTP APIs with JWT authorizers", API Gateway developer guide: signature by a key of the
issuer (RSA alone), `iss`, `aud` or else `client_id`, `exp`, `nbf`, `iat`, and one of the route's scopes. Issuers are
user pools of the embedded AWS.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from moto.cognitoidp.models import cognitoidp_backends

from local_stage.context import ACCOUNT, REGION

_ALGORITHMS: Final = ["RS256", "RS384", "RS512"]
_LONGEST: Final = 8_192
_ISSUER: Final = f"https://cognito-idp.{REGION}.amazonaws.com/"


class TokenRefusedError(Exception):
    """A token that API Gateway would not take; the text is the header `www-authenticate`."""

    def __init__(self, challenge: str, *, lacks_scope: bool = False) -> None:
        super().__init__(challenge)
        self.lacks_scope = lacks_scope


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """Whom a token speaks of, as the event of a function tells it: every claim is text."""

    claims: Mapping[str, str]
    scopes: Sequence[str] | None


def verify_bearer(header: str, issuer: str, audience: Sequence[str], wanted: Sequence[str] = ()) -> TokenCaller:
    """Check an Authorization header; the word Bearer may be left out. `wanted`: scopes of which one is enough.

    Raises:
        TokenRefusedError: absent, malformed, of another issuer or audience, not valid now, or without a wanted scope.
    """
    first, _, rest = header.partition(" ")
    token = rest.strip() if first.lower() == "bearer" else header
    if not token:
        raise TokenRefusedError("Bearer")
    claims = _claims(token, issuer)
    _check_times(claims)
    told = claims.get("aud", claims.get("client_id"))
    if claims.get("iss") != issuer or not set(told if isinstance(told, list) else [told]) & set(audience):
        raise _invalid("the token is of another issuer or audience")
    scopes = str(claims.get("scope", claims.get("scp", ""))).split()
    if wanted and not set(scopes) & set(wanted):
        challenge = f'Bearer scope="{" ".join(wanted)}" error="insufficient_scope"'
        raise TokenRefusedError(challenge, lacks_scope=True)
    return TokenCaller({name: _text(value) for name, value in claims.items()}, scopes if wanted else None)


def _claims(token: str, issuer: str) -> Mapping[str, Any]:
    if len(token) > _LONGEST:
        raise _invalid("the token is too long")
    pool_id = issuer.removeprefix(_ISSUER)
    pool = cognitoidp_backends[ACCOUNT][REGION].user_pools.get(pool_id) if issuer.startswith(_ISSUER) else None
    if pool is None:
        raise _invalid("the keys of the issuer cannot be read")
    key = pool.json_web_key.as_dict(private=False)
    try:
        if jws.extract_compact(token.encode(), None).headers().get("kid") != key["kid"]:
            raise _invalid("no key of the issuer has the id that the token names")
        return jwt.decode(token, KeySet.import_key_set({"keys": [key]}), _ALGORITHMS).claims
    except (JoseError, ValueError, AttributeError):
        raise _invalid("the signature is not of the issuer") from None


def _check_times(claims: Mapping[str, Any]) -> None:
    now = time.time()
    try:
        is_over = float(claims["exp"]) <= now
        is_early = any(float(claims[name]) > now for name in ("nbf", "iat") if name in claims)
    except (KeyError, TypeError, ValueError):
        raise _invalid("the token tells no times") from None
    if is_over or is_early:
        raise _invalid("the token has expired" if is_over else "the token is not valid yet")


def _invalid(says: str) -> TokenRefusedError:
    return TokenRefusedError(f'Bearer scope="" error="invalid_token" error_description="{says}"')


def _text(value: object) -> str:
    """Write a claim as API Gateway hands it on: a list in brackets, its items apart by spaces."""
    if isinstance(value, list):
        return f"[{' '.join(_text(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
