"""The release desk over HTTP: what a request asks for, and how an answer or a refusal reads.

`POST /releases/{submission_id}/{act}` with the ID token of a sign-in just made as bearer, and as body what the act
needs beside it: `version`, `record_sha256` and `meaning`, or `reason`. Source: RFC 9457 (problem details).
"""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import ValidationError

from strandline.aws.release_desk import Answer, DeskRequest
from strandline.errors import RejectedInputError, TemporaryError

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_STATUS_BY_BEGINNING: Final = {
    "token_": HTTPStatus.UNAUTHORIZED,
    "sign_in_": HTTPStatus.UNAUTHORIZED,
    "signer_": HTTPStatus.FORBIDDEN,
    "signature_same_person": HTTPStatus.FORBIDDEN,
    "release_unknown": HTTPStatus.NOT_FOUND,
    "submission_unknown": HTTPStatus.NOT_FOUND,
    "reason_": HTTPStatus.BAD_REQUEST,
    "request_": HTTPStatus.BAD_REQUEST,
}
"""What else is refused does not fit what is there: another record, out of turn, moved on."""

_BEARER: Final = "bearer "


def is_http(event: Mapping[str, Any]) -> bool:
    """Whether an event is of an HTTP API, and not a request as the command line makes it."""
    return "http" in event.get("requestContext", {})


def read_request(event: Mapping[str, Any]) -> DeskRequest:
    """Return what is asked for.

    Raises:
        RejectedInputError: `request_malformed`, naming no value.
    """
    named = event.get("pathParameters") or {}
    header = str({name.lower(): value for name, value in event["headers"].items()}.get("authorization", ""))
    token = header[len(_BEARER) :] if header.lower().startswith(_BEARER) else header
    try:
        body = json.loads(_body(event) or b"{}")
        if not isinstance(body, dict) or not {"act", "token", "submission_id"}.isdisjoint(body):
            raise TypeError("these are told by path and header")
        told = {**body, "act": named.get("act"), "submission_id": named.get("submission_id"), "token": token.strip()}
        return DeskRequest.model_validate(told)
    except (ValueError, TypeError) as wrong:
        fields = _fields(wrong)
        raise RejectedInputError("request_malformed", f"the request is not one for this desk{fields}") from None


def show_answer(answer: Answer) -> dict[str, Any]:
    """Return what the API answers where the desk did it."""
    return _shown(HTTPStatus.OK, "application/json", answer.as_json())


def show_refusal(refused: RejectedInputError | TemporaryError) -> dict[str, Any]:
    """Return what the API answers where the desk did not."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(refused, TemporaryError) else _status_of(refused.code)
    told = {"title": refused.code, "status": int(status), "detail": refused.message}
    return _shown(status, "application/problem+json", told)


def _shown(status: HTTPStatus, kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"statusCode": int(status), "headers": {**_HEADERS, "content-type": kind}, "body": json.dumps(told)}


def _status_of(code: str) -> HTTPStatus:
    found = [status for beginning, status in _STATUS_BY_BEGINNING.items() if code.startswith(beginning)]
    return found[0] if found else HTTPStatus.CONFLICT


def _body(event: Mapping[str, Any]) -> bytes:
    body = str(event.get("body") or "")
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def _fields(wrong: Exception) -> str:
    if not isinstance(wrong, ValidationError):
        return ": its body is a JSON object"
    named = sorted({str(error["loc"][0]) for error in wrong.errors(include_input=False, include_url=False)})
    known = [name for name in named if name in DeskRequest.model_fields]
    return f": look at {', '.join(known) or 'its fields'}"
