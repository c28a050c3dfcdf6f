"""The user pool as an administrator and as a person sees it: users made, and signing in with password and code."""

import secrets
import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from strandline.errors import RejectedInputError

_REFUSALS: Final = {
    "NotAuthorizedException": ("sign_in_refused", "user name, password or code are wrong, or too many tries were made"),
    "CodeMismatchException": ("code_wrong", "the code is not that of the authenticator now"),
    "EnableSoftwareTokenMFAException": ("code_wrong", "the code is not that of the authenticator now"),
    "ExpiredCodeException": ("code_used", "the code was used already: wait for the next one"),
    "InvalidPasswordException": ("password_weak", "14 characters or more: capital and small letters, digits, a symbol"),
    "UsernameExistsException": ("user_exists", "there is a user of that name: names are never given twice"),
    "UserNotFoundException": ("user_unknown", "there is no user of that name"),
    "ResourceNotFoundException": ("group_unknown", "there is no such group"),
    "InvalidParameterException": ("user_invalid", "the user pool does not take this name, password or group"),
}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An authenticator to be set up: `secret` in base32, and what goes on with it."""

    secret: str
    session: str


@dataclass(frozen=True, slots=True)
class People:
    """`client` is one of cognito-idp."""

    client: Any
    pool_id: str
    client_id: str

    def add(self, user_name: str, printed_name: str, groups: Sequence[str]) -> str:
        """Make a user in some groups; return the password for the first sign-in, which is good for a day.

        Raises:
            RejectedInputError: `user_exists`, `user_invalid` or `group_unknown`.
        """
        password = _first_password()
        with _refusing():
            self.client.admin_create_user(
                UserPoolId=self.pool_id,
                Username=user_name,
                TemporaryPassword=password,
                MessageAction="SUPPRESS",
                UserAttributes=[{"Name": "name", "Value": printed_name}],
            )
            for group in groups:
                self.client.admin_add_user_to_group(UserPoolId=self.pool_id, Username=user_name, GroupName=group)
        return password

    def disable(self, user_name: str) -> None:
        """Let a user sign in no more; what they signed stays theirs.

        Raises:
            RejectedInputError: `user_unknown`.
        """
        with _refusing():
            self.client.admin_disable_user(UserPoolId=self.pool_id, Username=user_name)
            self.client.admin_user_global_sign_out(UserPoolId=self.pool_id, Username=user_name)

    def begin_enrolment(self, user_name: str, first_password: str, password: str) -> Enrolment:
        """Change the first password, and return the secret for the authenticator.

        Raises:
            RejectedInputError: `sign_in_refused`, `password_weak` or `user_enrolled`.
        """
        with _refusing():
            asked = self._begin(user_name, first_password)
            if asked.get("ChallengeName") == "NEW_PASSWORD_REQUIRED":
                asked = self._answer(asked, user_name, NEW_PASSWORD=password)
            if asked.get("ChallengeName") != "MFA_SETUP":
                raise RejectedInputError("user_enrolled", "this user has an authenticator already")
            given = self.client.associate_software_token(Session=asked["Session"])
        return Enrolment(given["SecretCode"], given["Session"])

    def finish_enrolment(self, user_name: str, enrolment: Enrolment, code: str) -> None:
        """Prove that the authenticator is set up.

        Raises:
            RejectedInputError: `code_wrong`.
        """
        with _refusing():
            proved = self.client.verify_software_token(Session=enrolment.session, UserCode=code)
            self._answer({"ChallengeName": "MFA_SETUP", **proved}, user_name)

    def sign_in(self, user_name: str, password: str, code: str) -> str:
        """Return an ID token of a sign-in made now.

        Raises:
            RejectedInputError: `sign_in_refused`, `code_wrong`, `code_used` or `user_not_enrolled`.
        """
        with _refusing():
            asked = self._begin(user_name, password)
            if asked.get("ChallengeName") != "SOFTWARE_TOKEN_MFA":
                raise RejectedInputError("user_not_enrolled", "set up an authenticator first: strandline user enrol")
            result = self._answer(asked, user_name, SOFTWARE_TOKEN_MFA_CODE=code)["AuthenticationResult"]
        return str(result["IdToken"])

    def _begin(self, user_name: str, password: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.initiate_auth(
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user_name, "PASSWORD": password},
        )
        return answer

    def _answer(self, asked: dict[str, Any], user_name: str, **responses: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.respond_to_auth_challenge(
            ClientId=self.client_id,
            ChallengeName=asked["ChallengeName"],
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": user_name, **responses},
        )
        return answer


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _REFUSALS:
            raise
        raise RejectedInputError(*_REFUSALS[code]) from None


def _first_password() -> str:
    """Return a password of 20 characters that has each kind of them."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.")
    letters = [secrets.choice(kind) for kind in kinds]
    letters += [secrets.choice("".join(kinds)) for _ in range(20 - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)
