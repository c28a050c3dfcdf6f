"""The manifest of a submission."""

import json
import re

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Manifest, derive_submission_id, parse_manifest

DIGEST = "0" * 64
DOCUMENT = {
    "manifest_version": "1",
    "sample": {"sample_id": "HG002", "subject_id": "PT00042", "sex": "MALE"},
    "reference": {"name": "slice", "version": "0c2b"},
    "files": [
        {"name": "R1.fastq.gz", "role": "READS_1", "size_bytes": 1, "sha256": DIGEST},
        {"name": "R2.fastq.gz", "role": "READS_2", "size_bytes": 1, "sha256": DIGEST},
    ],
}


def changed(path: str, value: object) -> bytes:
    document = json.loads(json.dumps(DOCUMENT))
    *parents, last = path.split(".")
    place = document
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return json.dumps(document).encode()


def test_a_manifest_survives_being_written_and_read():
    manifest = Manifest.model_validate(DOCUMENT)
    assert parse_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("sample.sample_id", "../x", "invalid_sample_id"),
        ("sample.subject_id", "John Smith", "manifest_invalid"),
        ("sample.unknown", 1, "manifest_invalid"),
        ("files.0.name", "a/b", "invalid_file_name"),
        ("files.0.name", "manifest.json", "manifest_lists_itself"),
        ("files.0.name", "R2.fastq.gz", "duplicate_file_name"),
        ("files.0.role", "READS_2", "wrong_read_files"),
        ("files.0.sha256", "xyz", "manifest_invalid"),
        ("files.0.size_bytes", -1, "manifest_invalid"),
        ("manifest_version", "2", "manifest_invalid"),
        ("reference.version", "../..", "invalid_file_name"),
    ],
)
def test_a_wrong_field_is_named_by_a_code(path, value, code):
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(changed(path, value))
    assert caught.value.code == code


def test_a_rejection_never_repeats_the_value():
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(changed("sample.subject_id", "Jane Doe"))
    assert "Jane" not in str(caught.value)
    assert "sample.subject_id" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "manifest_not_json"),
        (b"{", "manifest_not_json"),
        (b"\xff\xfe{\x00}\x00\x00", "manifest_not_json"),
        (b"[" * 100_000, "manifest_not_json"),
        (b"[]", "manifest_invalid"),
        (b" " * ((1 << 20) + 1), "manifest_too_large"),
    ],
)
def test_bytes_that_are_no_manifest_are_rejected(body, code):
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(body)
    assert caught.value.code == code


def test_the_same_content_is_the_same_submission_and_any_change_is_another():
    one = Manifest.model_validate(DOCUMENT)
    assert derive_submission_id(one) == derive_submission_id(Manifest.model_validate(DOCUMENT))
    other = parse_manifest(changed("files.0.size_bytes", 2))
    assert derive_submission_id(one) != derive_submission_id(other)
    assert re.fullmatch("s-[0-9a-f]{16}", derive_submission_id(one))  # no sample id in keys, logs and alerts
    assert derive_submission_id(one, attempt=2) == derive_submission_id(one) + "-r2"
