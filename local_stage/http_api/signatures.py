"""Signature version 4, checked as AWS checks it: in a header, or in the query of a presigned URL.

The signature is computed anew with botocore's own signer from the request as it came and the secret that belongs to
its access key. Source: "Authenticating Requests (AWS Signature Version 4)", S3 API reference.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_stage.context import ACCOUNT

_EMBEDDED: Final = "embedded"  # key and secret that `stage up` tells to export
_CLOCK_SKEW: Final = timedelta(minutes=5)
_LONGEST_PRESIGNED: Final = timedelta(days=7)
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class SignatureRefusedError(Exception):
    """A request that AWS would not take for signed; the text says why."""


@dataclass(frozen=True, slots=True)
class SigningCaller:
    """Whose key signed a request."""

    access_key: str
    arn: str


@dataclass(frozen=True, slots=True)
class _Scope:
    access_key: str
    region: str
    service: str


def verify_signed(method: str, url: str, headers: Mapping[str, str], body: bytes, now: datetime) -> SigningCaller:
    """Check the Authorization header of a request; header names are in lower case.

    Raises:
        SignatureRefusedError: absent, malformed, too old, of an unknown key, or over other bytes.
    """
    given = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None:
        raise SignatureRefusedError("Missing Authentication Token")
    stamp = _moment(headers.get("x-amz-date", ""))
    if abs(now - stamp) > _CLOCK_SKEW:
        raise SignatureRefusedError(f"Signature expired: {headers['x-amz-date']} is over five minutes from now")
    told = headers.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    if told != hashlib.sha256(body).hexdigest():
        raise SignatureRefusedError("The provided x-amz-content-sha256 does not match what was computed")
    scope = _scope(given["credential"], stamp)
    caller, secret = _caller(scope.access_key, headers.get("x-amz-security-token", ""))
    signed = {name: headers[name] for name in given["headers"].split(";") if name in headers}
    request = AWSRequest(method=method, url=url, headers=signed, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(scope.access_key, secret), scope.service, scope.region)
    _compare(signer, request, given["signature"])
    return caller


def verify_presigned(method: str, url: str, headers: Mapping[str, str], now: datetime) -> SigningCaller:
    """Check the signature in the query of a presigned S3 URL; header names are in lower case.

    Raises:
        SignatureRefusedError: expired, malformed, of an unknown key, or for another request.
    """
    base, _, query = url.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    try:
        stamp = _moment(parameters["X-Amz-Date"])
        lasts = timedelta(seconds=int(parameters["X-Amz-Expires"]))
        scope = _scope(parameters["X-Amz-Credential"], stamp)
        names = parameters["X-Amz-SignedHeaders"].split(";")
        signature = parameters.pop("X-Amz-Signature")
    except (KeyError, ValueError):
        raise SignatureRefusedError("Query-string authentication lacks one of its parameters") from None
    if not timedelta(0) < lasts <= _LONGEST_PRESIGNED:
        raise SignatureRefusedError("X-Amz-Expires must be less than a week")
    if now > stamp + lasts:
        raise SignatureRefusedError("Request has expired")
    caller, secret = _caller(scope.access_key, parameters.get("X-Amz-Security-Token", ""))
    unsigned = query.replace(f"&X-Amz-Signature={signature}", "").replace(f"X-Amz-Signature={signature}&", "")
    signed = {name: headers[name] for name in names if name in headers}
    request = AWSRequest(method=method, url=f"{base}?{unsigned}", headers=signed)
    request.context["timestamp"] = parameters["X-Amz-Date"]
    signer = S3SigV4QueryAuth(Credentials(scope.access_key, secret), scope.service, scope.region)
    _compare(signer, request, signature)
    return caller


def _compare(signer: Any, request: AWSRequest, signature: str) -> None:
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    if not hmac.compare_digest(expected, signature):
        raise SignatureRefusedError("The request signature we calculated does not match the signature you provided")


def _scope(credential: str, stamp: datetime) -> _Scope:
    parts = credential.split("/")
    if len(parts) != 5 or parts[1] != stamp.strftime("%Y%m%d") or parts[4] != "aws4_request":
        raise SignatureRefusedError("the credential's scope is not of the form KEY/DATE/REGION/SERVICE/aws4_request")
    return _Scope(parts[0], parts[2], parts[3])


def _caller(access_key: str, session_token: str) -> tuple[SigningCaller, str]:
    if access_key == _EMBEDDED:
        return SigningCaller(access_key, f"arn:aws:iam::{ACCOUNT}:root"), _EMBEDDED
    for user in list(iam_backends[ACCOUNT]["aws"].users.values()):
        for key in user.access_keys:
            if key.access_key_id == access_key:
                return SigningCaller(access_key, str(user.arn)), str(key.secret_access_key)
    role = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key)
    if role is not None:
        if not hmac.compare_digest(str(role.session_token), session_token):
            raise SignatureRefusedError("The security token included in the request is invalid")
        return SigningCaller(access_key, str(role.arn)), str(role.secret_access_key)
    raise SignatureRefusedError("The AWS access key ID you provided does not exist in our records")


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise SignatureRefusedError("the request's date is missing or malformed") from None
