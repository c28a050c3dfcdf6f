"""Tokens of a user pool: who signed in, when, and for what. Verified without asking anybody.

Sources: "Verifying JSON web tokens", Cognito developer guide; RFC 7519 (claims), RFC 8725 (algorithms are the
verifier's choice, never the token's).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from strandline.errors import RejectedInputError
from strandline.trust.people import people

Use = Literal["id", "access"]

CLOCKS_APART: Final = timedelta(seconds=10)
"""How far ahead of ours a token's times may be: what is later comes from a clock that was moved."""

_ALGORITHM: Final = "RS256"
_LONGEST: Final = 8_192
_ANEW: Final = "sign in again"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks of. Times are in UTC.

    Attributes:
        sub: the pool's own id of the person; never given twice.
        user_name: what the person signs in with.
        printed_name: the name in words, which only an administrator may set; empty in access tokens.
        groups: of the pool.
        scopes: of an access token.
        signed_in: when password and second factor were given: a refreshed token has the time of the first.
        expires: when the token ends.
        token_id: `jti`: this token's own.
        sign_in_id: `origin_jti`: that of every token that came of one sign-in.
        use: what the token is for.
        client_id: the app client that it was given to.
    """

    sub: str
    user_name: str
    printed_name: str
    groups: frozenset[str]
    scopes: frozenset[str]
    signed_in: datetime
    expires: datetime
    token_id: str
    sign_in_id: str
    use: Use
    client_id: str

    @property
    def all_scopes(self) -> frozenset[str]:
        """The FHIR scopes of the token and those that the person's groups have."""
        return self.scopes | people().scopes_of(self.groups)


def key_id_of(token: str) -> str:
    """Return the id of the key that a token says it is signed with, before anything of it is believed.

    Raises:
        RejectedInputError: `token_malformed` or `token_algorithm`.
    """
    if len(token) > _LONGEST:
        raise RejectedInputError("token_malformed", f"this is no token of the user pool: {_ANEW}")
    try:
        header = jws.extract_compact(token.encode(), None).headers()
    except (JoseError, ValueError, AttributeError):
        raise RejectedInputError("token_malformed", f"this is no token of the user pool: {_ANEW}") from None
    if header.get("alg") != _ALGORITHM:
        raise RejectedInputError("token_algorithm", f"the user pool signs with {_ALGORITHM} alone: {_ANEW}")
    return str(header.get("kid", ""))


def verify_token(
    token: str,
    keys: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    issuer: str,
    clients: Collection[str],
    use: Use,
    now: datetime,
) -> Identity:
    """Return whom a token speaks of.

    Args:
        token: as the pool gave it out.
        keys: the pool's JSON Web Key Set.
        issuer: the pool, as tokens name it.
        clients: app clients whose tokens are taken.
        use: `id` says who somebody is, `access` what they may do.
        now: the time, in UTC.

    Raises:
        RejectedInputError: `token_malformed`, `token_algorithm`, `token_signature`, `token_issuer`, `token_client`,
            `token_use`, `token_expired` or `token_from_the_future`.
    """
    key_id_of(token)
    try:
        claims = jwt.decode(
            token, KeySet.import_key_set({"keys": [dict(key) for key in keys["keys"]]}), [_ALGORITHM]
        ).claims
    except (JoseError, ValueError):
        raise RejectedInputError("token_signature", f"no key of the user pool signed this token: {_ANEW}") from None
    _refuse(claims.get("iss") != issuer, "token_issuer", "the token is of another user pool")
    _refuse(claims.get("token_use") != use, "token_use", f"an {use} token is asked for here")
    client = str(claims.get("client_id" if use == "access" else "aud", ""))
    _refuse(client not in clients, "token_client", "the token was given to another application")
    try:
        identity = _identity(claims, use, client)
        issued = _moment(claims["iat"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RejectedInputError("token_malformed", f"the token lacks what each of the pool's has: {_ANEW}") from None
    _refuse(identity.expires <= now, "token_expired", "the token has expired")
    ahead = max(issued, identity.signed_in) - now
    _refuse(ahead > CLOCKS_APART, "token_from_the_future", "the token is later than this clock, which was moved back")
    return identity


def _identity(claims: Mapping[str, Any], use: Use, client_id: str) -> Identity:
    groups = claims.get("cognito:groups", [])
    if not isinstance(groups, list):
        raise TypeError("groups are a list")
    return Identity(
        sub=_text(claims["sub"]),
        user_name=_text(claims["username" if use == "access" else "cognito:username"]),
        printed_name=str(claims.get("name", "")),
        groups=frozenset(str(group) for group in groups),
        scopes=frozenset(str(claims.get("scope", "")).split()) if use == "access" else frozenset(),
        signed_in=_moment(claims["auth_time"]),
        expires=_moment(claims["exp"]),
        token_id=_text(claims["jti"]),
        sign_in_id=_text(claims["origin_jti"]),
        use=use,
        client_id=client_id,
    )


def _moment(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError("a time is a number of seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a name is a text")
    return value


def _refuse(wrong: bool, code: str, says: str) -> None:
    if wrong:
        raise RejectedInputError(code, f"{says}: {_ANEW}")
