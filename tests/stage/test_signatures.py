"""Signatures of requests to the embedded AWS are checked.

Source of the values: "Authenticating Requests: Using Query Parameters", S3 API reference, whose example gives the key,
the moment and the signature.
"""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_stage.http_api import SignatureRefusedError, signatures, verify_presigned, verify_signed

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DOCUMENTED = (
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    f"&X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
    "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)
HOST = {"host": "examplebucket.s3.amazonaws.com"}
SIGNED = datetime(2013, 5, 24, tzinfo=UTC)
URL = "http://localhost/execute-api/abc/ingest"


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    """The documentation's example key is known here."""
    caller = signatures.SigningCaller(KEY, "arn:aws:iam::123456789012:user/example")

    def find(access_key, session_token):
        assert session_token == ""
        if access_key != KEY:
            raise SignatureRefusedError("unknown key")
        return caller, SECRET

    monkeypatch.setattr(signatures, "_caller", find)


def test_the_documented_presigned_url_is_good_for_its_day():
    for moment in (SIGNED, SIGNED + timedelta(hours=24)):
        assert verify_presigned("GET", DOCUMENTED, HOST, moment).access_key == KEY
    with pytest.raises(SignatureRefusedError, match=r"^Request has expired$"):
        verify_presigned("GET", DOCUMENTED, HOST, SIGNED + timedelta(hours=24, seconds=1))


@pytest.mark.parametrize(
    ("method", "old", "new"),
    [
        ("PUT", "", ""),
        ("GET", "test.txt", "other.txt"),
        ("GET", "86400", "86401"),
        ("GET", "f604d404", "f604d405"),
        ("GET", "X-Amz-Date=20130524T000000Z", "X-Amz-Date=20130524T000001Z"),
    ],
)
def test_a_presigned_url_is_good_for_nothing_else(method, old, new):
    with pytest.raises(SignatureRefusedError, match="does not match"):
        verify_presigned(method, DOCUMENTED.replace(old, new), HOST, SIGNED)


def test_a_query_that_lacks_a_parameter_or_lasts_too_long_is_refused():
    with pytest.raises(SignatureRefusedError, match="lacks one of its parameters"):
        verify_presigned("GET", DOCUMENTED.replace("X-Amz-Expires=86400&", ""), HOST, SIGNED)
    with pytest.raises(SignatureRefusedError, match="less than a week"):
        verify_presigned("GET", DOCUMENTED.replace("=86400", "=604801"), HOST, SIGNED)


def test_what_boto3_presigns_is_taken():
    s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "a", "Key": "with space/ü+é.txt"}, ExpiresIn=60)
    if "X-Amz-Signature" in url:
        host = {"host": url.split("/")[2]}
        assert verify_presigned("GET", url, host, datetime.now(UTC)).access_key == KEY


def signed(body: bytes = b"{}") -> dict[str, str]:
    request = AWSRequest(method="POST", url=URL, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(KEY, SECRET), "execute-api", "us-east-1").add_auth(request)
    return {"host": "localhost", **{name.lower(): value for name, value in request.headers.items()}}


def test_a_signed_request_is_good_for_five_minutes_and_its_own_body():
    headers, now = signed(), datetime.now(UTC)
    assert verify_signed("POST", URL, headers, b"{}", now).access_key == KEY
    with pytest.raises(SignatureRefusedError, match=r"^Signature expired"):
        verify_signed("POST", URL, headers, b"{}", now + timedelta(minutes=6))
    with pytest.raises(SignatureRefusedError, match="does not match"):
        verify_signed("POST", URL, headers, b"{ }", now)
    with pytest.raises(SignatureRefusedError, match="does not match"):
        verify_signed("POST", f"{URL}/other", headers, b"{}", now)
    with pytest.raises(SignatureRefusedError, match="Missing Authentication Token"):
        verify_signed("POST", URL, {"host": "localhost"}, b"{}", now)
