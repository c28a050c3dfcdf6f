"""From a submission back to bytes, code and people. LAK-10."""

import hashlib
import http.server
import json
import threading

import pytest

from strandline.aws.container import running_image
from strandline.aws.lineage import trace
from strandline.aws.steps import Making
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState
from tests.integration.conftest import NOW, READS, REFERENCE, Aws, register_reference_bundle
from tests.integration.test_steps import ALIGN, CALL, Lab


@pytest.fixture
def lab(aws: Aws) -> Lab:
    register_reference_bundle(aws)
    return Lab(aws)


def test_a_result_leads_back_to_object_versions_digests_code_and_changes(aws: Aws, lab: Lab):
    lab.run("s-1", ALIGN, reads={"aligner": "bwa 0.7.18"})
    lab.run("s-1", CALL, code="c2")
    aws.table.move("s-1", SubmissionState.VALIDATING, who="sample_to_release", why="All files landed", now=NOW)
    found = trace("s-1", table=aws.table, references=aws.bucket("references"))

    assert {file.name: file.sha256 for file in found.files} == {
        name: hashlib.sha256(body).hexdigest() for name, body in READS.items()
    }
    for file in found.files:
        stored = aws.s3.get_object(Bucket="landing", Key=f"submissions/s-1/{file.name}", VersionId=file.version_id)
        assert stored["Body"].read() == READS[file.name]
    assert MANIFEST_NAME not in {file.name for file in found.files}
    assert found.bundle_sha256 == hashlib.sha256(REFERENCE.to_json()).hexdigest()
    assert [(step.name, step.making) for step in found.steps] == [
        ("AlignReads", Making("c1", {"aligner": "bwa 0.7.18"})),
        ("CallVariants", Making("c2", {"sample": "S"})),
    ]
    assert [(change.before, change.after, change.who) for change in found.changes] == [
        (None, SubmissionState.RECEIVED, "register_object"),
        (SubmissionState.RECEIVED, SubmissionState.VALIDATING, "sample_to_release"),
    ]


def test_what_was_taken_over_says_from_whom(aws: Aws, lab: Lab):
    lab.run("s-1", ALIGN)
    lab.run("s-2", ALIGN)
    (step,) = trace("s-2", table=aws.table, references=aws.bucket("references")).steps
    assert step.making == Making("c1", {"sample": "S"}, taken_over_from="s-1")


def test_a_submission_that_is_not_there_is_said_to_be_unknown(aws: Aws):
    with pytest.raises(RejectedInputError, match="no submission s-9"):
        trace("s-9", table=aws.table, references=aws.bucket("references"))


class Told(http.server.BaseHTTPRequestHandler):
    """The task metadata endpoint, with the two fields of the developer guide's example."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"Image": "registry/align:1", "ImageID": "sha256:9f2c"}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_image_of_a_container_is_what_its_host_says(monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), Told) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", f"http://127.0.0.1:{server.server_port}/v4/1")
        assert running_image() == "registry/align:1@sha256:9f2c"


@pytest.mark.parametrize("place", ["", "file:///etc/passwd", "http://127.0.0.1:9/v4/1"])
def test_a_job_in_no_container_has_no_image(monkeypatch, place):
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", place)
    assert running_image() is None
