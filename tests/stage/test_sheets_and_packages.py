"""Sample sheets, cut uploads and signed packages against the deployed stage. Requirements: ING-01, ING-02, ING-12."""

import hashlib
import json
import shutil
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from strandline.aws.uploading import FileToSend, Uploader
from strandline.cli.main import invoke
from strandline.errors import TemporaryError
from strandline.journey import LANDING_PREFIX, SubmissionState

PART = 5 << 20
ON_THEIR_WAY = {SubmissionState.RECEIVED, SubmissionState.VALIDATING}


@pytest.fixture
def folder(lab, made_up, tmp_path, monkeypatch) -> Path:
    """A lab's folder with a sheet as nf-core/sarek has it."""
    monkeypatch.chdir(tmp_path)
    for path, name in zip(made_up.reads, ("R1.fq.gz", "R2.fq.gz"), strict=True):
        shutil.copyfile(path, tmp_path / name)
    sheet = "patient,sample,lane,fastq_1,fastq_2\nPT00042,DRY-RUN,1,R1.fq.gz,R2.fq.gz\n"
    (tmp_path / "sarek.csv").write_text(sheet)
    return tmp_path


def printed(capsys) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(folder, deployed, made_up, capsys):
    before = {found.key for found in deployed.landing.list_current(LANDING_PREFIX)}
    reference = str(made_up.bundle_folder)
    assert invoke(["submit", "sarek.csv", "--reference", reference, "--dry-run", "--format", "json"]) == 0
    (row,) = printed(capsys)
    size = sum((folder / name).stat().st_size for name in ("R1.fq.gz", "R2.fq.gz"))
    assert (row["sample"], row["files"], row["bytes"], row["sent_before"]) == ("DRY-RUN", 2, size, False)
    assert {found.key for found in deployed.landing.list_current(LANDING_PREFIX)} == before
    assert deployed.submissions.get(row["submission"]) is None


class Cut:
    """A client whose connection is lost after some parts."""

    def __init__(self, client: Any, parts: int) -> None:
        self._client, self._left, self.sent = client, parts, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **request: Any) -> Any:
        if self.sent == self._left:
            raise ConnectionClosedError(endpoint_url="https://s3")
        answer = self._client.upload_part(**request)
        self.sent += 1
        return answer


def test_a_cut_upload_goes_on_where_it_stopped(deployed, tmp_path):
    body = b"".join(bytes([n]) * (1 << 20) for n in range(17))
    (tmp_path / "f").write_bytes(body)
    bucket, file = deployed.analysis, FileToSend(tmp_path / "f", "submissions/s-cut/f", "f")
    cut, rest = Cut(bucket._client, 3), Cut(bucket._client, 4)
    with pytest.raises(TemporaryError, match="upload_cut"):
        Uploader(cut, bucket.bucket, part_bytes=PART, threads=1).send([file])
    assert not bucket.exists(file.key)
    for _ in range(2):  # the second time everything is there
        Uploader(rest, bucket.bucket, part_bytes=PART).send([file])
    assert (cut.sent, rest.sent) == (3, 1)
    assert b"".join(bucket.stream(file.key)) == body
    head = bucket._client.head_object(Bucket=bucket.bucket, Key=file.key, ChecksumMode="ENABLED")
    digests = b"".join(hashlib.sha256(body[at : at + PART]).digest() for at in range(0, len(body), PART))
    assert head["ChecksumSHA256"].partition("-")[0] == b64encode(hashlib.sha256(digests).digest()).decode()


def settled(deployed, submission_id: str):
    for _ in range(600):
        record = deployed.submissions.get(submission_id)
        if record is not None and record.state not in ON_THEIR_WAY:
            return record
        time.sleep(0.1)
    raise AssertionError(f"{submission_id} did not leave validation")


def test_a_package_made_without_a_network_opens_the_door_only_with_a_good_signature(folder, deployed, lab, capsys):
    reference = f"{lab.made_up.bundle.name}/{lab.made_up.bundle.version}"
    assert invoke(["package", "keygen", "--out", "keys"]) == 0
    assert (folder / "keys/lab.pem").stat().st_mode & 0o777 == 0o600
    making = ["package", "make", "sarek.csv", "--key", "keys/lab.pem", "--reference", reference]
    for site in ("island", "stranger"):
        assert invoke([*making, "--site", site, "--out", f"{site}.strandpkg"]) == 0
    assert invoke(["package", "verify", "island.strandpkg", "--public-key", "keys/lab.pub"]) == 0
    assert invoke(["package", "register-key", "keys/lab.pub", "--site", "island"]) == 0
    for site in ("island", "stranger"):
        assert invoke(["package", "require", "--site", site]) == 0
    capsys.readouterr()
    sent = {}
    for site in ("island", "stranger"):
        assert invoke(["package", "send", f"{site}.strandpkg", "--format", "json"]) == 0
        sent[site] = printed(capsys)[0]["submission"]
    assert settled(deployed, sent["island"]).state is not SubmissionState.QUARANTINED
    lab.stop(sent["island"])
    assert settled(deployed, sent["stranger"]).cause.code == "signer_unknown"
    invoke(["submit", "sarek.csv", "--reference", str(lab.made_up.bundle_folder), "--site", "stranger"])
    assert settled(deployed, f"{sent['stranger']}-r2").cause.code == "signature_missing"
    (folder / "stranger.strandpkg/R").touch()
    assert invoke(["package", "verify", "stranger.strandpkg", "--keys", "keys"]) == 65
    assert "file_not_declared" in capsys.readouterr().err
