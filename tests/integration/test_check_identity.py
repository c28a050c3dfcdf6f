"""CheckIdentity as the workflow calls it: what is compared, kept, and let pass. ANA-05, SEC: no identifier in logs."""

import json

import pytest

from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key
from strandline.reads.fingerprint import Fingerprint
from strandline.reads.gates import Verdict
from tests.integration.conftest import NOW, READS, Aws, Handler, manifest_of, names_nobody

ONE, OTHER = [0, 1, 2, 1] * 50, [2, 0, 0, 1] * 50


@pytest.fixture
def check(aws: Aws, handler, monkeypatch) -> Handler:
    monkeypatch.setenv("QUALITY_GATES", "{}")
    return handler("check_identity")


def measure(aws: Aws, submission_id: str, copies: list[int]) -> None:
    """Land a sample of the subject, and leave what MeasureQuality would."""
    aws.submit(submission_id, READS, manifest_of(READS))
    print_ = Fingerprint(reference="b:1", copies={f"c:{at}:A:G": one for at, one in enumerate(copies)})
    key = artifact_key(submission_id, Artifact.FINGERPRINT)
    aws.bucket("analysis").write(key, print_.model_dump_json().encode())


def kept(aws: Aws, submission_id: str) -> dict[str, object]:
    key = artifact_key(submission_id, Artifact.IDENTITY)
    return json.loads(aws.bucket("analysis").read(key, limit_bytes=1 << 20))


def test_a_subjects_first_sample_passes_and_its_second_is_compared_twice_as_once(aws, check):
    for submission_id in ("s-1", "s-2"):
        measure(aws, submission_id, ONE)
    assert check({"submission_id": "s-1"}) == {"verdict": Verdict.NOT_POSSIBLE}
    assert [check({"submission_id": "s-2"}) for _ in range(2)] == 2 * [{"verdict": Verdict.PASSED}]
    assert [one.submission_id for one in aws.table.submissions_of_subject("PT98765")] == ["s-1", "s-2"]


def test_a_swap_stops_the_later_sample_until_the_wrong_one_is_withdrawn(aws, check, said):
    measure(aws, "s-1", ONE)
    check({"submission_id": "s-1"})
    measure(aws, "s-2", OTHER)
    with pytest.raises(RejectedInputError) as refused:
        check({"submission_id": "s-2"})
    assert refused.value.code == "identity_mismatch"
    assert "submission s-1" in str(refused.value)
    assert kept(aws, "s-2")["verdict"] == Verdict.STOPPED
    assert names_nobody(said() + str(refused.value))
    assert [one.submission_id for one in aws.table.submissions_of_subject("PT98765")] == ["s-1"]

    aws.table.move("s-1", SubmissionState.VALIDATING, who="t", why="t", now=NOW)
    aws.table.move("s-1", SubmissionState.QUARANTINED, who="t", why="wrong tube", now=NOW)
    assert check({"submission_id": "s-2"}) == {"verdict": Verdict.NOT_POSSIBLE}


def test_another_subjects_sample_is_not_looked_at(aws, check):
    measure(aws, "s-1", ONE)
    check({"submission_id": "s-1"})
    aws.submit(
        "s-2", READS, manifest_of(READS, sample=manifest_of(READS).sample.model_copy(update={"subject_id": None}))
    )
    aws.bucket("analysis").write(artifact_key("s-2", Artifact.FINGERPRINT), b'{"reference":"b:1","copies":{}}')
    assert check({"submission_id": "s-2"}) == {"verdict": Verdict.NOT_POSSIBLE}
    assert kept(aws, "s-2")["message"] == "the submission names no subject"
