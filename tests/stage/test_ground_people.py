"""User pools of the embedded AWS: signing in takes a password and a code, once each, and failing costs time."""

import json
import time
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from joserfc import jwk, jwt

from local_stage import server
from local_stage.cognito.lockout import Lockout
from local_stage.cognito.totp import STEP_S, code_at, step_of
from tests.stage.authenticator import Authenticator

PASSWORD = "Correct-Horse-Battery-9"


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    aws = server.start(tmp_path_factory.mktemp("stage"), extensions=("cognito",))
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def pool(aws):
    """A pool that demands an authenticator, as the stage's."""
    idp = aws.context.client("cognito-idp")
    policy = {"MinimumLength": 14, "RequireSymbols": True}
    pool_id = idp.create_user_pool(
        PoolName="people",
        Policies={"PasswordPolicy": policy},
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
    )["UserPool"]["Id"]
    codes = {"Enabled": True}
    idp.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="ON", SoftwareTokenMfaConfiguration=codes)
    client_id = idp.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="line",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        AccessTokenValidity=15,
        IdTokenValidity=15,
        TokenValidityUnits={"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "minutes"},
        RefreshTokenValidity=480,
        ReadAttributes=["name"],
        WriteAttributes=["zoneinfo"],
    )["UserPoolClient"]["ClientId"]
    return Pool(idp, pool_id, client_id)


class Pool:
    def __init__(self, idp, pool_id, client_id):
        self.idp, self.pool_id, self.client_id = idp, pool_id, client_id

    def add(self, name):
        """Make a user who has set up an authenticator, and return that."""
        named = [{"Name": "name", "Value": f"{name.title()} Example"}]
        self.idp.admin_create_user(
            UserPoolId=self.pool_id, Username=name, TemporaryPassword="For-The-First-Time-1", UserAttributes=named
        )
        first = self.begin(name, "For-The-First-Time-1")
        assert first["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
        second = self.answer(first, name, NEW_PASSWORD=PASSWORD)
        assert second["ChallengeName"] == "MFA_SETUP"
        secret = self.idp.associate_software_token(Session=second["Session"])
        authenticator = Authenticator(secret["SecretCode"])
        proved = self.idp.verify_software_token(Session=secret["Session"], UserCode=authenticator.code())
        done = self.answer({"ChallengeName": "MFA_SETUP", **proved}, name)
        assert "IdToken" in done["AuthenticationResult"]
        return authenticator

    def begin(self, name, password=PASSWORD, flow="USER_PASSWORD_AUTH"):
        given = {"USERNAME": name, "PASSWORD": password}
        return self.idp.initiate_auth(ClientId=self.client_id, AuthFlow=flow, AuthParameters=given)

    def answer(self, asked, name, **responses):
        return self.idp.respond_to_auth_challenge(
            ClientId=self.client_id,
            ChallengeName=asked["ChallengeName"],
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": name, **responses},
        )

    def sign_in(self, name, code):
        return self.answer(self.begin(name), name, SOFTWARE_TOKEN_MFA_CODE=code)["AuthenticationResult"]


def refusal(act):
    with pytest.raises(ClientError) as refused:
        act()
    return refused.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("seconds", "code"),
    [  # RFC 6238, appendix B, SHA-1
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_specification(seconds, code):
    assert code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", seconds // STEP_S, digits=8) == code


def test_a_code_counts_for_the_steps_beside_it_and_once():
    secret, now = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1_000_000_020.0
    step = int(now) // STEP_S
    assert [step_of(code_at(secret, step + away), secret, now) for away in (-2, -1, 0, 1, 2)] == [
        *(None, step - 1, step, step + 1, None)
    ]
    assert step_of(code_at(secret, step), secret, now, last_used=step) is None


def test_the_lock_doubles_after_the_fifth_failure_and_fifteen_minutes_of_quiet_end_it():
    lockout, now, waits = Lockout(), 0.0, []
    for _ in range(16):
        assert not lockout.is_on(now)
        lockout.fail(now)
        waits.append(max(0.0, lockout.until - now))
        now = max(now, lockout.until)
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 0]


def test_signing_in_takes_password_and_a_code_that_was_not_used(pool):
    authenticator = pool.add("ada")
    code = authenticator.code()
    tokens = pool.sign_in("ada", code)
    assert refusal(lambda: pool.sign_in("ada", code)) == "ExpiredCodeException"
    assert refusal(lambda: pool.sign_in("ada", "000000")) == "CodeMismatchException"
    assert refusal(lambda: pool.begin("ada", "wrong")) == "NotAuthorizedException"
    assert tokens["ExpiresIn"] == 15 * 60


def test_tokens_verify_with_the_key_that_the_pool_shows_and_tell_when_the_person_signed_in(pool, aws):
    authenticator = pool.add("bob")
    tokens = pool.sign_in("bob", authenticator.code())
    with urlopen(f"{aws.context.endpoint_url}/{pool.pool_id}/.well-known/jwks.json") as answer:  # noqa: S310 - this machine
        keys = jwk.KeySet.import_key_set(json.load(answer))
    claims = jwt.decode(tokens["IdToken"], keys, ["RS256"]).claims
    assert (claims["name"], claims["token_use"], claims["aud"]) == ("Bob Example", "id", pool.client_id)
    time.sleep(1.1)  # tokens count seconds
    again = pool.idp.initiate_auth(
        ClientId=pool.client_id,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]},
    )["AuthenticationResult"]
    renewed = jwt.decode(again["IdToken"], keys, ["RS256"]).claims
    assert renewed["iat"] > claims["iat"]
    assert (renewed["auth_time"], renewed["origin_jti"]) == (claims["auth_time"], claims["origin_jti"])


def test_whoever_fails_five_times_is_locked_out_even_with_the_right_password(pool):
    pool.add("eve")
    for _ in range(5):
        assert refusal(lambda: pool.begin("eve", "guess")) == "NotAuthorizedException"
    with pytest.raises(ClientError, match="Password attempts exceeded"):
        pool.begin("eve")


def test_nobody_signs_up_writes_their_own_name_or_uses_a_flow_that_is_not_open(pool):
    authenticator = pool.add("mallory")
    token = pool.sign_in("mallory", authenticator.code())["AccessToken"]
    other = [{"Name": "name", "Value": "Dr Somebody Else"}]
    sign_up = {"ClientId": pool.client_id, "Username": "new", "Password": PASSWORD}
    assert refusal(lambda: pool.idp.sign_up(**sign_up)) == "NotAuthorizedException"
    assert refusal(lambda: pool.idp.update_user_attributes(AccessToken=token, UserAttributes=other)) == (
        "NotAuthorizedException"
    )
    assert refusal(lambda: pool.begin("mallory", flow="USER_SRP_AUTH")) == "InvalidParameterException"


def test_a_session_is_of_one_person_and_used_once(pool):
    ada, bob = pool.add("carol"), pool.add("dave")
    asked = pool.begin("carol")
    code = bob.code()
    assert refusal(lambda: pool.answer(asked, "dave", SOFTWARE_TOKEN_MFA_CODE=code)) == "NotAuthorizedException"
    again = ada.code()
    assert refusal(lambda: pool.answer(asked, "carol", SOFTWARE_TOKEN_MFA_CODE=again)) == "NotAuthorizedException"
