"""The release functions of a stage, called by a person: what they refuse comes back as what it is."""

import json
from dataclasses import dataclass
from typing import Any, Final

from strandline.aws.releases import Releases
from strandline.errors import RejectedInputError, TemporaryError

_ERRORS: Final = {"RejectedInputError": RejectedInputError, "TemporaryError": TemporaryError}


@dataclass(frozen=True, slots=True)
class ReleaseCalls:
    """`client` is one of Lambda; the functions are given by name."""

    client: Any
    open_function: str
    sign_function: str
    deliver_function: str
    releases: Releases

    def ask_desk(self, act: str, token: str, submission_id: str, **told: Any) -> dict[str, Any]:
        """Sign, amend or withdraw; see `release_desk.DeskRequest`.

        Raises:
            RejectedInputError: as the function refuses it.
        """
        request = {"act": act, "token": token, "submission_id": submission_id, **told}
        return _invoke(self.client, self.sign_function, request)

    def open(self, submission_id: str, version: int, who: str) -> dict[str, Any]:
        """Have a version rendered for its signers.

        Raises:
            RejectedInputError: as the function refuses it.
        """
        request = {"act": "open", "submission_id": submission_id, "version": version, "who": who}
        return _invoke(self.client, self.open_function, request)

    def deliver(self, submission_id: str, version: int) -> dict[str, Any]:
        """Have a version delivered, where everybody has signed.

        Raises:
            RejectedInputError: as the function refuses it.
        """
        return _invoke(self.client, self.deliver_function, {"submission_id": submission_id, "version": version})


def _invoke(client: Any, function: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
    told = json.loads(answer["Payload"].read())
    if not answer.get("FunctionError"):
        found: dict[str, Any] = told
        return found
    kind = _ERRORS.get(str(told.get("errorType")))
    if kind is None:
        raise RuntimeError(f"{function} failed: see its log")
    code, _, message = str(told.get("errorMessage")).partition(": ")
    raise kind(code, message)
