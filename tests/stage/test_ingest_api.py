"""The programs' door of the deployed stage: declared, sent in parts that are checked, completed, on its way.

Requirements: ING-02, ING-06, SEC-06.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strandline.journey import SubmissionState, landing_key
from tests.integration.conftest import READS, manifest_of


@dataclass(frozen=True)
class Program:
    """A client as a lab would write it: it signs, cuts files into parts and follows what the door answers."""

    url: str
    key: str = "embedded"
    secret: str = "embedded"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        data = json.dumps(body).encode() if body is not None else b""
        headers = {"Content-Type": "application/json", **headers}
        request = AWSRequest(method=method, url=f"{self.url}{path}", data=data, headers=headers)
        if self.key:
            SigV4Auth(Credentials(self.key, self.secret), "execute-api", "us-east-1").add_auth(request)
        prepared = request.prepare()
        signed = dict(prepared.headers)
        return fetch(Request(prepared.url, data=data or None, headers=signed, method=method))  # noqa: S310 - see below

    def send(self, submission_id: str, name: str, content: bytes, *, sent: bytes | None = None) -> tuple[int, Any]:
        """Presign and send a file of one part; return S3's status and the answer of completing it."""
        part = {"part_number": 1, "sha256": base64.b64encode(hashlib.sha256(content).digest()).decode()}
        folder = f"/ingest/{submission_id}/files/{name}"
        status, answer = self.call("POST", f"{folder}/parts", {"parts": [part]})
        assert status == 200, answer
        (presigned,) = answer["parts"]
        status, etag = put(presigned["url"], content if sent is None else sent, presigned["headers"])
        if status != 200:
            return status, etag
        return self.call("POST", f"{folder}/complete", {"parts": [part | {"etag": etag}]})


def fetch(request: Request) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(request) as answer:  # noqa: S310 - the stage is on the loopback
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def put(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """PUT to S3; return the status and the ETag, or S3's error."""
    try:
        with urlopen(Request(url, data=body, headers=headers, method="PUT")) as answer:  # noqa: S310 - likewise
            return answer.status, answer.headers["ETag"]
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def program(deployed):
    return Program(deployed.outputs["IngestUrl"])


def declared(sample_id: str) -> dict[str, Any]:
    manifest = manifest_of(READS)
    sample = manifest.sample.model_copy(update={"sample_id": sample_id, "site": "north"})
    return {"manifest": manifest.model_copy(update={"sample": sample}).model_dump(mode="json")}


def begin(program, sample_id: str) -> str:
    status, answer = program.call("POST", "/ingest", declared(sample_id))
    assert status == 200, answer
    return answer["submission_id"]


def test_a_program_sends_a_submission_in_parts_and_it_starts(program, deployed, lab):
    submission_id = begin(program, "API-1")
    assert program.call("GET", f"/ingest/{submission_id}")[1]["state"] == "UPLOADING"
    for name, body in READS.items():
        assert program.send(submission_id, name, body) == (200, {"part_numbers": [1]})
    assert program.call("POST", f"/ingest/{submission_id}/complete")[1]["state"] == "RECEIVED"
    record = lab.wait(submission_id)
    assert (record.state, record.cause.code) == (SubmissionState.QUARANTINED, "reference_unknown")
    assert record.site == "north"
    _, answer = program.call("GET", f"/ingest/{submission_id}")
    assert (answer["state"], answer["code"]) == ("QUARANTINED", "reference_unknown")
    (version,) = deployed._endpoint.client("s3").list_object_versions(
        Bucket=deployed.landing.bucket, Prefix=landing_key(submission_id, "R1.fastq.gz")
    )["Versions"]
    assert version["Size"] == len(READS["R1.fastq.gz"])


def test_a_cut_upload_goes_on_where_it_was_and_each_step_may_be_repeated(program):
    submission_id = begin(program, "API-2")
    name, body = next(iter(READS.items()))
    assert program.call("GET", f"/ingest/{submission_id}/files/{name}/parts")[1] == {"part_numbers": []}
    assert program.send(submission_id, name, body)[0] == 200
    assert begin(program, "API-2") == submission_id
    assert program.call("GET", f"/ingest/{submission_id}/files/{name}/parts")[1] == {"part_numbers": [1]}
    status, answer = program.call("POST", f"/ingest/{submission_id}/complete")
    assert (status, answer["code"]) == (422, "files_missing")
    assert "R2.fastq.gz" in answer["message"]
    assert "R1.fastq.gz" not in answer["message"]


def test_other_bytes_than_those_declared_are_refused_by_s3(program):
    submission_id = begin(program, "API-3")
    status, message = program.send(submission_id, "R1.fastq.gz", READS["R1.fastq.gz"], sent=b"other bytes")
    assert status == 400
    assert "BadDigest" in message or "checksum" in message.lower()


def test_a_url_without_its_checksum_or_for_another_part_or_expired_is_refused(program):
    submission_id = begin(program, "API-4")
    part = {"part_number": 1, "sha256": base64.b64encode(hashlib.sha256(b"x").digest()).decode()}
    _, answer = program.call("POST", f"/ingest/{submission_id}/files/R1.fastq.gz/parts", {"parts": [part]})
    (presigned,) = answer["parts"]
    url, headers = presigned["url"], presigned["headers"]
    assert put(url, b"x", {})[0] == 403
    status, message = put(url.replace("partNumber=1", "partNumber=2"), b"x", headers)
    assert (status, "does not match the signature" in message) == (403, True)
    expired = url.replace("X-Amz-Date=2", "X-Amz-Date=1").replace("%2F2", "%2F1", 1)
    status, message = put(expired, b"x", headers)
    assert (status, "Request has expired" in message) == (403, True)


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([{"part_number": 2, "sha256": "A" * 43 + "="}], 422, "part_out_of_range"),
        ([{"part_number": 0, "sha256": "A" * 43 + "="}], 422, None),
        ([{"part_number": 1, "sha256": "no digest"}], 422, None),
        ([{"part_number": 1, "sha256": "A" * 43 + "="}] * 201, 422, None),
    ],
)
def test_a_wrong_part_is_refused_in_words(program, parts, status, code):
    submission_id = begin(program, "API-5")
    found, answer = program.call("POST", f"/ingest/{submission_id}/files/R1.fastq.gz/parts", {"parts": parts})
    assert found == status
    assert code is None or answer["code"] == code


def test_who_does_not_sign_or_signs_wrongly_is_not_let_in(program):
    for other in (replace(program, key=""), replace(program, secret="guessed"), replace(program, key="AKIAUNKNOWN")):
        status, answer = other.call("POST", "/ingest", declared("API-6"))
        assert status == 403, answer


def test_another_caller_sees_nothing_of_an_upload(program, deployed):
    submission_id = begin(program, "API-7")
    iam = deployed._endpoint.client("iam")
    iam.create_user(UserName="other-lab")
    key = iam.create_access_key(UserName="other-lab")["AccessKey"]
    other = replace(program, key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert other.call("GET", f"/ingest/{submission_id}")[0] == 404
    status, answer = other.call("POST", "/ingest", declared("API-7"))
    assert (status, answer["code"]) == (409, "already_submitted")
    assert other.call("GET", f"/ingest/{submission_id}")[1]["code"] == "upload_unknown"


@pytest.mark.parametrize("name", ["../../etc/passwd", "R1.fastq.gz%00", "=cmd|x", "a" * 200])
def test_a_manifest_with_a_name_that_is_no_file_name_is_refused(program, name):
    body = declared("API-8")
    body["manifest"]["files"][0]["name"] = name
    status, answer = program.call("POST", "/ingest", body)
    assert status == 422
    assert name not in json.dumps(answer)


def test_a_body_that_is_no_json_and_a_path_that_is_no_route_are_refused(program):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = program.call("POST", "/ingest", {"PT00042": 1}, **form)
    assert (status, "PT00042" in answer["message"]) == (422, False)
    assert program.call("POST", "/ingest", "no object")[0] == 422
    assert program.call("GET", "/ingest/s-0/other")[0] == 404
    assert program.call("GET", "/ingest/s-0000000000000000")[0] == 404
