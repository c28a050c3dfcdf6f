"""`Uploader`: whole, checked, and resumed where it was cut. Requirement: ING-02, ING-06."""

import hashlib
from base64 import b64decode, b64encode
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from strandline.aws.uploading import MOST_PARTS, FileToSend, Uploader, _Parts
from strandline.errors import RejectedInputError, TemporaryError

PART = 5 << 20  # the least that S3 puts together
BODY = b"".join(bytes([n]) * (1 << 20) for n in range(17))  # three parts of 5 MiB and one of 2 MiB


class CutClient:
    """A client that counts the parts it passes on, and is cut after some of them."""

    def __init__(self, client: Any, *, cut_after: int = 1 << 30, error: BaseException | None = None) -> None:
        self._client = client
        self._left = cut_after
        self._error = error or ConnectionClosedError(endpoint_url="https://s3")
        self._lock = Lock()
        self.sent: list[int] = []
        self.bodies: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **request: Any) -> Any:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise self._error
        answer = self._client.upload_part(**request)
        with self._lock:
            self.sent.append(request["PartNumber"])
        return answer

    def put_object(self, **request: Any) -> Any:
        self.bodies.append(request["Key"])
        return self._client.put_object(**request)


@pytest.fixture
def file(tmp_path: Path) -> FileToSend:
    path = tmp_path / "reads_1.fastq.gz"
    path.write_bytes(BODY)
    return FileToSend(path, "submissions/s-1/reads_1.fastq.gz", path.name)


def uploader(client: Any, **options: Any) -> Uploader:
    return Uploader(client, "landing", part_bytes=PART, **options)


def versions(aws: Any) -> int:
    return len(aws.s3.list_object_versions(Bucket="landing").get("Versions", []))


def test_a_file_arrives_in_parts_each_with_its_sha_256(aws, file):
    client, told = CutClient(aws.s3), []
    uploader(client, watch=lambda *how_far: told.append(how_far)).send([file])
    assert sorted(client.sent) == [1, 2, 3, 4]
    assert aws.bucket("landing").read(file.key, limit_bytes=len(BODY)) == BODY
    assert told[0] == (file.name, 0, len(BODY))
    assert told[-1] == (file.name, len(BODY), len(BODY))
    digests = b"".join(hashlib.sha256(BODY[at : at + PART]).digest() for at in range(0, len(BODY), PART))
    found = aws.s3.head_object(Bucket="landing", Key=file.key, ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert found.partition("-")[0] == b64encode(hashlib.sha256(digests).digest()).decode()


@pytest.mark.parametrize("cut_after", [1, 2, 3])
def test_an_upload_that_was_cut_sends_only_the_parts_that_are_missing(aws, file, cut_after):
    cut = CutClient(aws.s3, cut_after=cut_after)
    with pytest.raises(TemporaryError, match=r"^upload_cut: .*run the same again to go on"):
        uploader(cut).send([file])
    assert versions(aws) == 0
    again = CutClient(aws.s3)
    uploader(again).send([file])
    assert sorted(cut.sent + again.sent) == [1, 2, 3, 4]
    assert aws.bucket("landing").read(file.key, limit_bytes=len(BODY)) == BODY
    assert aws.s3.list_multipart_uploads(Bucket="landing").get("Uploads", []) == []


def test_an_interrupt_is_passed_on_and_leaves_what_was_sent(aws, file):
    with pytest.raises(KeyboardInterrupt):
        uploader(CutClient(aws.s3, cut_after=2, error=KeyboardInterrupt()), threads=1).send([file])
    again = CutClient(aws.s3)
    uploader(again).send([file])
    assert sorted(again.sent) == [3, 4]


def test_a_part_of_other_bytes_is_sent_again(aws, file):
    with pytest.raises(TemporaryError):
        uploader(CutClient(aws.s3, cut_after=3), threads=1).send([file])
    changed = b"\xff" + BODY[1:]
    file.path.write_bytes(changed)
    again = CutClient(aws.s3)
    uploader(again).send([file])
    assert sorted(again.sent) == [1, 4]
    assert aws.bucket("landing").read(file.key, limit_bytes=len(BODY)) == changed


def test_an_unfinished_upload_cut_otherwise_is_left_alone(aws, file):
    """Programs upload the same keys in parts of another size: theirs goes on, and so does ours."""
    theirs = aws.s3.create_multipart_upload(Bucket="landing", Key=file.key, ChecksumAlgorithm="SHA256")["UploadId"]
    digest = b64encode(hashlib.sha256(BODY[: PART + 1]).digest()).decode()
    aws.s3.upload_part(
        Bucket="landing", Key=file.key, UploadId=theirs, PartNumber=1, Body=BODY[: PART + 1], ChecksumSHA256=digest
    )
    uploader(aws.s3).send([file])
    unfinished = aws.s3.list_multipart_uploads(Bucket="landing")["Uploads"]
    assert [upload["UploadId"] for upload in unfinished] == [theirs]


def test_what_is_there_already_is_not_sent_again(aws, file, tmp_path):
    small = FileToSend(tmp_path / "regions.bed", "submissions/s-1/regions.bed", "regions.bed")
    small.path.write_bytes(b"c\t0\t10\n")
    uploader(aws.s3).send([file, small])
    again, told = CutClient(aws.s3), []
    uploader(again, watch=lambda *how_far: told.append(how_far)).send([file, small])
    assert (again.sent, again.bodies, versions(aws)) == ([], [], 2)
    assert told == [(file.name, len(BODY), len(BODY)), ("regions.bed", 7, 7)]
    small.path.write_bytes(b"c\t0\t11\n")
    uploader(again).send([small])
    assert aws.bucket("landing").read(small.key, limit_bytes=10) == b"c\t0\t11\n"


def test_a_small_file_is_sent_with_its_own_sha_256(aws, tmp_path):
    """NIST, SHA-256 example of one block: "abc"."""
    (tmp_path / "f").write_bytes(b"abc")
    uploader(aws.s3).send([FileToSend(tmp_path / "f", "k", "f")])
    found = aws.s3.head_object(Bucket="landing", Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert b64decode(found).hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_empty_file_arrives_too_and_a_missing_one_is_named(aws, tmp_path):
    (tmp_path / "f").touch()
    uploader(aws.s3).send([FileToSend(tmp_path / "f", "k", "f")])
    assert aws.bucket("landing").read("k", limit_bytes=1) == b""
    with pytest.raises(RejectedInputError, match=r"^file_not_found: .*nowhere: No such file"):
        uploader(aws.s3).send([FileToSend(tmp_path / "nowhere", "k", "nowhere")])


@pytest.mark.parametrize("size", [1, 16 << 20, 156 << 30, (160 << 30) + 1, 5 << 40])
def test_parts_grow_so_that_there_are_never_over_ten_thousand(tmp_path, size):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("this file system takes no file of that size")
    parts = _Parts(path, 16 << 20)
    each, last = parts._size(1), parts._size(parts.count)
    assert parts.count <= MOST_PARTS
    assert (parts.count - 1) * each + last == size
    assert 0 < last <= each <= 5 << 30
