"""`S3Objects`: whole or not at all, by version, within limits. And what a lab does at the door."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strandline.aws.objects import S3Objects
from strandline.aws.ranged_reading import CHUNK_BYTES
from strandline.aws.submitting import LocalReads, prepare_submission, register_reference, upload_submission
from strandline.aws.uploading import FileToSend
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import landing_key, manifest_key, reference_key
from strandline.landing.manifest import FileRole, ReferenceName, parse_manifest
from strandline.reads.reference_bundle import BUNDLE_NAME, ReferenceFile, ReferenceRole
from tests.integration.conftest import READS, REFERENCE, SAMPLE
from tests.integration.fake_store import FakeStore


def test_a_connection_that_is_lost_again_and_again_leaves_no_file_and_can_be_tried_again(tmp_path):
    client = FakeStore(b"x" * 10, faults=itertools.repeat("cut"))
    with pytest.raises(TemporaryError, match=r"^stream_cut: the connection was lost while reading k$"):
        S3Objects(client, "bucket").download("k", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TemporaryError, match=r"^stream_cut: "):
        S3Objects(client, "bucket").read("k", limit_bytes=20)


def test_a_download_replaces_what_stood_there(aws, tmp_path):
    bucket = aws.bucket("analysis")
    body = bytes(range(256)) * 5000
    bucket.write("k", body)
    (tmp_path / "file").write_bytes(b"older")
    assert bucket.download("k", tmp_path / "file").read_bytes() == body
    assert [len(chunk) for chunk in bucket.stream("k")] == [CHUNK_BYTES, len(body) - CHUNK_BYTES]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_missing_object_leaves_what_stood_there_and_is_named(aws, tmp_path):
    (tmp_path / "file").write_bytes(b"older")
    with pytest.raises(RejectedInputError, match=r"^object_missing: k is not in its bucket"):
        aws.bucket("analysis").download("k", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_versions_are_told_apart(aws):
    bucket = aws.bucket("landing")
    first = aws.land("s-1", "f", b"first")
    second = aws.land("s-1", "f", b"second")
    key = landing_key("s-1", "f")
    assert bucket.read(key, limit_bytes=100, version_id=first.version_id) == b"first"
    assert bucket.read(key, limit_bytes=100, version_id=second.version_id) == b"second"
    assert bucket.read(key, limit_bytes=100) == b"second"


def test_at_most_one_byte_more_than_the_limit_is_read(aws):
    bucket = aws.bucket("analysis")
    bucket.write("k", b"0123456789")
    assert bucket.read("k", limit_bytes=10) == b"0123456789"
    assert bucket.read("k", limit_bytes=4) == b"01234"


def test_existence_is_told_and_an_upload_keeps_its_type(aws, tmp_path):
    bucket = aws.bucket("analysis")
    assert not bucket.exists("k")
    (tmp_path / "f").write_bytes(b"<html>")
    bucket.upload(tmp_path / "f", "k", content_type="text/html")
    assert bucket.exists("k")
    head = aws.s3.head_object(Bucket="analysis", Key="k", ChecksumMode="ENABLED")
    assert head["ContentType"] == "text/html"
    assert head["ChecksumSHA256"]


class Recorded(S3Objects):
    """A bucket that remembers in which order its objects were finished."""

    def __init__(self, client: Any, bucket: str) -> None:
        super().__init__(client, bucket)
        self.keys: list[str] = []

    def send(self, files: Sequence[FileToSend], **options: Any) -> None:
        super().send(files, **options)
        self.keys += [file.key for file in files]

    def write(self, key: str, body: bytes, **options: Any) -> None:
        super().write(key, body, **options)
        self.keys.append(key)


@pytest.fixture
def reads(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "one.fastq.gz", tmp_path / "two.fq.gz"
    for path, body in zip(paths, READS.values(), strict=True):
        path.write_bytes(body)
    return paths


def test_the_manifest_of_several_lanes_goes_first_and_once(aws, tmp_path, reads):
    """ING-03: each lane is validated while the others are on their way; a signature does not come after them."""
    other = tmp_path / "three.fastq.gz", tmp_path / "four.fastq.gz"
    for path, body in zip(other, READS.values(), strict=True):
        path.write_bytes(body + b"@r\n")
    lanes = [LocalReads(reads, "L1"), LocalReads(other, "L2")]
    submission = prepare_submission(SAMPLE, lanes, ReferenceName(name="slice", version="0c2b"), None)
    signature = tmp_path / "signature"
    signature.write_bytes(b"signed")
    landing = Recorded(aws.s3, "landing")
    for _ in range(2):
        upload_submission(landing, replace(submission, signature=signature), "s-1")
    assert landing.keys[:2] == [manifest_key("s-1"), landing_key("s-1", "manifest.sig")]
    assert landing.keys.count(manifest_key("s-1")) == 1


def test_the_manifest_goes_last_and_describes_what_was_uploaded(aws, tmp_path, reads):
    """ING-01, ING-02."""
    (tmp_path / "panel.bed").write_bytes(b"c\t0\t10\n")
    name = ReferenceName(name="slice", version="0c2b")
    submission = prepare_submission(SAMPLE, [LocalReads(reads)], name, tmp_path / "panel.bed")
    landing, told = Recorded(aws.s3, "landing"), []
    upload_submission(landing, submission, "s-1", watch=lambda name, there, size: told.append((name, there == size)))
    assert landing.keys[-1] == manifest_key("s-1")
    names = ["reads_1.fastq.gz", "reads_2.fastq.gz", "regions.bed"]
    assert sorted(landing.keys[:-1]) == sorted(landing_key("s-1", name) for name in names)
    assert told == [(name, whole) for name in names for whole in (False, True)]
    manifest = parse_manifest(landing.read(manifest_key("s-1"), limit_bytes=10_000))
    assert manifest == submission.manifest
    assert [file.role for file in manifest.files] == [FileRole.READS_1, FileRole.READS_2, FileRole.REGIONS]
    for file in manifest.files:
        assert len(landing.read(landing_key("s-1", file.name), limit_bytes=10_000)) == file.size_bytes


def test_a_file_that_is_not_there_or_is_given_twice_is_refused_before_anything_is_sent(tmp_path, reads):
    name = ReferenceName(name="slice", version="0c2b")
    with pytest.raises(RejectedInputError, match=r"^file_not_found: .*nowhere\.fq: No such file"):
        prepare_submission(SAMPLE, [LocalReads((reads[0], tmp_path / "nowhere.fq"))], name, None)
    with pytest.raises(RejectedInputError, match=r"^same_file_twice: "):
        prepare_submission(SAMPLE, [LocalReads((reads[0], reads[0]))], name, None)


def test_a_reference_is_there_whole_or_not_at_all(aws, tmp_path):
    """ANA-09: its description goes last; registering twice uploads once."""
    files = []
    for name in ("reference.fa", "reference.fa.fai"):
        (tmp_path / name).write_bytes(name.encode())
        files.append(ReferenceFile(name=name, role=ReferenceRole.FASTA, size_bytes=len(name), sha256="0" * 64))
    bundle = REFERENCE.model_copy(update={"files": tuple(files)})
    references = Recorded(aws.s3, "references")
    assert register_reference(references, bundle, tmp_path)
    assert references.keys[-1] == reference_key("slice", "0c2b", BUNDLE_NAME)
    assert len(references.keys) == 3
    assert not register_reference(references, bundle, tmp_path)
    assert len(references.keys) == 3


def test_a_reference_whose_upload_fails_is_not_registered(aws, tmp_path):
    missing = ReferenceFile(name="reference.fa", role=ReferenceRole.FASTA, size_bytes=1, sha256="0" * 64)
    references = aws.bucket("references")
    with pytest.raises(RejectedInputError, match=r"^file_not_found: "):
        register_reference(references, REFERENCE.model_copy(update={"files": (missing,)}), tmp_path)
    assert not references.exists(reference_key("slice", "0c2b", BUNDLE_NAME))


def test_ranges_of_an_object_lie_behind_one_another_in_the_file(aws, tmp_path):
    """Larger than one request takes, so that a range is fetched in two."""
    body = random.Random(5).randbytes(40 << 20)  # noqa: S311 - no secret
    aws.bucket("analysis").write("k", body)
    ranges = [(0, 10), (100, 100 + (33 << 20)), (len(body) - 38, len(body))]
    path = aws.bucket("analysis").download_ranges("k", tmp_path / "some", ranges)
    assert path.read_bytes() == b"".join(body[first:end] for first, end in ranges)
