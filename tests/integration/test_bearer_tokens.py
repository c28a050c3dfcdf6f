"""JWT authorizers of the embedded API Gateway take what AWS would take, and nothing else. SEC-02.

Source of what is expected: "Control access to HTTP APIs with JWT authorizers", API Gateway developer guide.
"""

import base64
import hmac
import json
import time

import boto3
import pytest
from joserfc import jwk, jwt
from moto.cognitoidp.models import cognitoidp_backends

from local_stage.context import ACCOUNT, REGION
from local_stage.http_api.tokens import TokenRefusedError, verify_bearer

CLIENT = "client-1"
STRANGER = jwk.RSAKey.generate_key(2048, {"kid": "stranger"})


@pytest.fixture
def issuer(aws):
    """The name of a user pool that there is."""
    pool_id = boto3.client("cognito-idp").create_user_pool(PoolName="people")["UserPool"]["Id"]
    return f"https://cognito-idp.{REGION}.amazonaws.com/{pool_id}"


def pool_key(issuer):
    return cognitoidp_backends[ACCOUNT][REGION].user_pools[issuer.rpartition("/")[2]].json_web_key


def token_of(issuer, *, key=None, header=None, algorithm="RS256", **claims):
    now = int(time.time())
    said = {"iss": issuer, "client_id": CLIENT, "iat": now - 1, "exp": now + 60, "sub": "u-1", "scope": "a b", **claims}
    kid = pool_key(issuer).as_dict(private=False)["kid"]
    given = {"kid": kid, "alg": algorithm, **(header or {})}
    return jwt.encode(
        given, {name: value for name, value in said.items() if value is not None}, key or pool_key(issuer)
    )


def test_a_token_of_the_pool_is_taken_and_its_claims_are_handed_on_as_text(issuer):
    groups = {"cognito:groups": ["clinician", "site-north"]}
    caller = verify_bearer(f"Bearer {token_of(issuer, **groups)}", issuer, [CLIENT])
    assert caller.claims["cognito:groups"] == "[clinician site-north]"
    assert caller.claims["exp"].isdigit()
    assert caller.scopes is None
    assert verify_bearer(token_of(issuer), issuer, [CLIENT], ["b", "c"]).scopes == ["a", "b"]
    assert verify_bearer(f"bearer {token_of(issuer, client_id=None, aud=[CLIENT])}", issuer, [CLIENT])


WRONG = (
    {"exp": 1},
    {"exp": None},
    {"exp": "soon"},
    {"iat": int(time.time()) + 3_600},
    {"nbf": int(time.time()) + 3_600},
    {"client_id": "client-2"},
    {"client_id": None},
    {"aud": "client-2"},  # `aud` goes before `client_id`
    {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other"},
    {"key": STRANGER},
    {"header": {"kid": "another"}},
)


def test_a_token_that_is_wrong_in_one_thing_is_refused(issuer):
    for wrong in WRONG:
        with pytest.raises(TokenRefusedError, match="invalid_token"):
            verify_bearer(f"Bearer {token_of(issuer, **wrong)}", issuer, [CLIENT])


def test_a_token_whose_claims_were_changed_is_refused(issuer):
    head, body, signature = token_of(issuer).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "u-2"}).encode()).decode().rstrip("=")
    with pytest.raises(TokenRefusedError):
        verify_bearer(f"Bearer {head}.{changed}.{signature}", issuer, [CLIENT])


def test_a_token_without_a_signature_or_signed_with_the_public_key_is_refused(issuer):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = token_of(issuer).split(".")[1]
    kid = pool_key(issuer).as_dict(private=False)["kid"]
    signed = f"{part({'alg': 'HS256', 'kid': kid})}.{body}"
    digest = hmac.digest(pool_key(issuer).as_pem(private=False), signed.encode(), "sha256")
    symmetric = f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    for token in (f"{part({'alg': 'none', 'kid': kid})}.{body}.", symmetric):
        with pytest.raises(TokenRefusedError):
            verify_bearer(f"Bearer {token}", issuer, [CLIENT])


def test_what_is_no_token_is_refused(issuer):
    for header in ("", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic dTpw", "Bearer " + "A" * 9_000, "é"):
        with pytest.raises(TokenRefusedError):
            verify_bearer(header, issuer, [CLIENT])


def test_a_token_without_the_routes_scope_is_told_apart(issuer):
    with pytest.raises(TokenRefusedError) as refused:
        verify_bearer(f"Bearer {token_of(issuer)}", issuer, [CLIENT], ["c"])
    assert refused.value.lacks_scope


def test_another_issuer_is_asked_for_no_keys(issuer):
    for elsewhere in ("https://example.com/", f"{issuer}-2", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a"):
        with pytest.raises(TokenRefusedError):
            verify_bearer(f"Bearer {token_of(issuer)}", elsewhere, [CLIENT])
