"""A token says who signed in, or it is refused. Tokens are put together here by hand, as RFC 7515 and RFC 7519 say."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.trust.tokens import verify_token

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example"
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


def encoded(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def public(key=KEY) -> dict:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}


def claims(**changes) -> dict:
    seconds = int(NOW.timestamp())
    return {
        "sub": "5f7c0f0e",
        "iss": ISSUER,
        "aud": "line",
        "token_use": "id",
        "cognito:username": "ada",
        "cognito:groups": ["author"],
        "name": "Ada Example",
        "auth_time": seconds - 30,
        "iat": seconds - 30,
        "exp": seconds + 870,
        "jti": "t-1",
        "origin_jti": "s-1",
        **changes,
    }


def token(body: dict, header: dict | None = None, key=KEY) -> str:
    head = {"alg": "RS256", "kid": "k1", **(header or {})}
    signed = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(body).encode())}"
    return f"{signed}.{encoded(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def verify(text: str, **changes):
    asked = {"issuer": ISSUER, "clients": {"line"}, "use": "id", "now": NOW, **changes}
    return verify_token(text, {"keys": [public()]}, **asked)


def refusal(text: str, **changes) -> str:
    with pytest.raises(RejectedInputError) as refused:
        verify(text, **changes)
    assert text[:20] not in refused.value.message
    assert "ada" not in refused.value.message
    return refused.value.code


def test_a_token_says_who_signed_in_when_and_in_which_groups():
    identity = verify(token(claims()))
    assert (identity.sub, identity.user_name, identity.printed_name) == ("5f7c0f0e", "ada", "Ada Example")
    assert identity.groups == {"author"}
    assert (identity.signed_in, identity.expires) == (NOW - timedelta(seconds=30), NOW + timedelta(seconds=870))
    assert (identity.token_id, identity.sign_in_id) == ("t-1", "s-1")


def test_an_access_token_carries_scopes_and_names_its_client_otherwise():
    body = claims(token_use="access", client_id="line", username="ada", scope="user/Patient.rs openid")
    del body["aud"], body["cognito:username"]
    identity = verify(token(body), use="access")
    assert identity.scopes == {"user/Patient.rs", "openid"}
    assert identity.all_scopes == {"user/Patient.rs", "openid", "user/*.rs"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": int(NOW.timestamp())}, "token_expired"),
        ({"iss": ISSUER + "x"}, "token_issuer"),
        ({"aud": "another"}, "token_client"),
        ({"token_use": "access"}, "token_use"),
        ({"iat": int(NOW.timestamp()) + 60}, "token_from_the_future"),
        ({"auth_time": int(NOW.timestamp()) + 60}, "token_from_the_future"),
        ({"auth_time": True}, "token_malformed"),
        ({"auth_time": "yesterday"}, "token_malformed"),
        ({"exp": 1e300}, "token_malformed"),
        ({"sub": ""}, "token_malformed"),
        ({"jti": None}, "token_malformed"),
        ({"cognito:groups": "author"}, "token_malformed"),
    ],
)
def test_a_token_whose_claims_do_not_fit_is_refused_for_that(changes, code):
    assert refusal(token(claims(**changes))) == code


def test_a_clock_that_was_moved_back_refuses_a_token_of_now():
    assert refusal(token(claims()), now=NOW - timedelta(hours=1)) == "token_from_the_future"


def test_no_other_algorithm_and_no_other_key_is_believed():
    unsigned = ".".join([encoded(b'{"alg":"none"}'), encoded(json.dumps(claims()).encode()), ""])
    head = encoded(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
    body = f"{head}.{encoded(json.dumps(claims()).encode())}"
    shared = public()["n"].encode()  # the public key as if it were a secret
    forged = f"{body}.{encoded(hmac.digest(shared, body.encode(), hashlib.sha256))}"
    assert refusal(unsigned) == "token_algorithm"
    assert refusal(forged) == "token_algorithm"
    assert refusal(token(claims(), key=OTHER)) == "token_signature"
    assert refusal(token(claims(), {"kid": "k2"})) == "token_signature"
    assert refusal(token(claims(), {"crit": ["x"], "x": 1})) == "token_signature"


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "x" * 10_000, "é.é.é", "e30.e30.e30"])
def test_what_is_no_token_is_refused(text):
    with pytest.raises(RejectedInputError, match=r"^token_"):
        verify(text)


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_token_with_one_bit_changed_is_refused(at, bit):
    good = token(claims()).encode()
    place = at % len(good)
    bad = bytearray(good)
    bad[place] ^= 1 << bit
    head, body, signature = good.split(b".")
    if place > len(head) + len(body) + 1 and len(signature) % 4 and place == len(good) - 1:
        return  # the last letter of base64 holds bits that mean nothing
    with pytest.raises(RejectedInputError, match=r"^token_"):
        verify(bad.decode("latin-1"))
