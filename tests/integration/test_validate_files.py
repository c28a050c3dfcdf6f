"""`validate_files`: present, whole, unchanged and readable, or a refusal that says what and what to do."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, landing_key
from tests.integration.conftest import (
    READS,
    SAMPLE,
    Aws,
    Handler,
    fastq,
    landing_snapshot,
    manifest_of,
    names_nobody,
    register_reference_bundle,
)

REGIONS = {"regions.bed": b"c\t0\t1000\n"}
REQUEST = {"submission_id": "s-1"}


@pytest.fixture
def validate(aws: Aws, handler: Callable[[str], Handler]) -> Handler:
    register_reference_bundle(aws)
    return handler("validate_files")


def refused(validate: Handler) -> RejectedInputError:
    with pytest.raises(RejectedInputError) as caught:
        validate(REQUEST)
    return caught.value


def flipped(body: bytes) -> bytes:
    """One changed letter that leaves valid FASTQ."""
    return gzip.compress(gzip.decompress(body).replace(b"ACGTN", b"TCGTN", 1), compresslevel=0, mtime=0)


def test_a_whole_submission_is_accepted_and_its_pairs_are_counted(aws, validate, said):
    """ING-03, ING-04, ING-06."""
    aws.submit("s-1", READS | REGIONS, manifest_of(READS | REGIONS))
    before = landing_snapshot(aws)
    assert validate(REQUEST) == {"verdict": "ACCEPTED"}
    assert landing_snapshot(aws) == before
    assert '"ReadPairsValidated":[20' in said().replace(" ", "")


def test_validating_twice_is_validating_once(aws, validate):
    aws.submit("s-1", READS, manifest_of(READS))
    assert validate(REQUEST) == validate(REQUEST)


def test_one_flipped_byte_is_found_and_the_key_named(aws, validate):
    """ING-06."""
    changed = READS | {"R1.fastq.gz": flipped(READS["R1.fastq.gz"])}
    assert len(changed["R1.fastq.gz"]) == len(READS["R1.fastq.gz"])
    aws.submit("s-2", changed, manifest_of(READS))
    with pytest.raises(RejectedInputError, match=r"^checksum_mismatch: submissions/s-2/R1\.fastq\.gz: "):
        validate({"submission_id": "s-2"})


def test_a_changed_byte_explains_better_than_what_follows_from_it(aws, validate):
    """Where both the checksum and the format are wrong, the file changed on the way: that is what the lab is told."""
    body = bytearray(READS["R1.fastq.gz"])
    body[len(body) // 2] ^= 0xFF
    aws.submit("s-1", READS | {"R1.fastq.gz": bytes(body)}, manifest_of(READS))
    assert refused(validate).code == "checksum_mismatch"


@pytest.mark.parametrize(
    ("bodies", "declared", "code"),
    [
        (READS | {"R1.fastq.gz": READS["R1.fastq.gz"][:-1]}, READS, "size_mismatch"),
        ({"R1.fastq.gz": READS["R1.fastq.gz"]}, READS, "file_missing"),
        (READS | REGIONS, READS | {"regions.bed": b"c\t0\t999\n"}, "size_mismatch"),
    ],
)
def test_what_landed_must_be_what_was_declared(aws, validate, bodies, declared, code):
    aws.submit("s-1", bodies, manifest_of(declared))
    assert refused(validate).code == code


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        (READS | {"R2.fastq.gz": fastq(2, count=19)}, "mate_counts_differ"),
        (READS | {"R1.fastq.gz": fastq(1)[:-9]}, "gzip_truncated"),
        (READS | {"R1.fastq.gz": b""}, "mate_counts_differ"),
        (READS | {"R1.fastq.gz": b"##fileformat=VCFv4.3\n"}, "not_fastq"),
        (READS | {"regions.bed": b"c\t0\t1001\n"}, "region_outside_contig"),
        (READS | {"regions.bed": b"other\t0\t1\n"}, "contig_not_in_reference"),
    ],
)
def test_files_that_are_what_was_declared_must_be_readable_too(aws, validate, bodies, code):
    aws.submit("s-1", bodies, manifest_of(bodies))
    assert refused(validate).code == code


def test_a_reference_that_nobody_registered_is_refused(aws, handler):
    """ANA-09."""
    aws.submit("s-1", READS, manifest_of(READS))
    error = refused(handler("validate_files"))
    assert error.code == "reference_unknown"
    assert "slice/0c2b is not registered" in error.message


def test_a_reference_that_says_it_is_another_is_refused(aws, validate):
    key = "references/slice/0c2b/bundle.json"
    body = json.loads(aws.bucket("references").read(key, limit_bytes=10_000))
    aws.bucket("references").write(key, json.dumps(body | {"version": "ffff"}).encode())
    aws.submit("s-1", READS, manifest_of(READS))
    assert refused(validate).code == "bundle_invalid"


def test_more_than_a_function_can_read_in_time_goes_to_the_job(aws, handler, monkeypatch):
    total = sum(map(len, READS.values()))
    aws.submit("s-1", READS, manifest_of(READS))
    register_reference_bundle(aws)
    for limit, verdict in ((total - 1, "TOO_LARGE"), (total, "ACCEPTED")):
        monkeypatch.setitem(aws.environment, "LAMBDA_VALIDATION_LIMIT_BYTES", str(limit))
        monkeypatch.setenv("LAMBDA_VALIDATION_LIMIT_BYTES", str(limit))
        assert handler("validate_files")(REQUEST) == {"verdict": verdict}


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "manifest_not_json"), (b"[]", "manifest_invalid"), (b" " * (2 << 20), "manifest_too_large")],
)
def test_a_manifest_that_cannot_be_read_is_refused(aws, validate, body, code):
    aws.register("s-1", aws.land("s-1", MANIFEST_NAME, body))
    assert refused(validate).code == code


def test_a_submission_without_a_manifest_is_refused(aws, validate):
    aws.register("s-1", aws.land("s-1", "R1.fastq.gz", b"x"))
    assert refused(validate).code == "manifest_missing"


def test_the_registered_version_is_judged_and_not_what_lies_there_now(aws, validate):
    aws.submit("s-1", READS, manifest_of(READS))
    aws.s3.put_object(Bucket="landing", Key=landing_key("s-1", "R1.fastq.gz"), Body=b"replaced later")
    assert validate(REQUEST) == {"verdict": "ACCEPTED"}


def test_a_version_that_is_gone_is_named(aws, validate):
    aws.submit("s-1", READS, manifest_of(READS))
    version = next(file.version_id for file in aws.table.landed_files("s-1") if file.name == "R1.fastq.gz")
    aws.s3.delete_object(Bucket="landing", Key=landing_key("s-1", "R1.fastq.gz"), VersionId=version)
    assert refused(validate).code == "object_missing"


def test_no_line_and_no_refusal_names_the_sample_or_the_subject(aws, validate, said):
    aws.submit("s-1", READS, manifest_of(READS))
    aws.submit("s-2", READS | {"R1.fastq.gz": flipped(READS["R1.fastq.gz"])}, manifest_of(READS))
    validate(REQUEST)
    with pytest.raises(RejectedInputError) as caught:
        validate({"submission_id": "s-2"})
    assert names_nobody(said() + str(caught.value))


@pytest.mark.filterwarnings("ignore:No application metrics to publish")  # it fails before there is one to count
@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("validate_files", {"submission_id": ["ZZ-SAMPLE-77"]}),
        ("record_state", {"submission_id": "s-1", "state": "ZZ-SAMPLE-77", "reason": "x"}),
        ("conclude_failure", {"submission_id": "s-1", "step": "x", "error": "ZZ-SAMPLE-77 PT98765"}),
        ("expire_submissions", {"time": "ZZ-SAMPLE-77"}),
        ("build_bundle", {"submission_id": "s-1", "more": "PT98765"}),
        ("build_report", {"submission_id": "s-1", "more": "PT98765"}),
    ],
)
def test_an_event_of_the_wrong_shape_is_refused_without_repeating_it(
    aws: Aws, handler: Callable[[str], Handler], said: Callable[[], str], function: str, event: dict[str, Any]
):
    """SEC-06: what a model refuses ends in a log with its message."""
    with pytest.raises(ValidationError) as caught:
        handler(function)(event)
    assert names_nobody(f"{caught.value}{said()}")
    assert SAMPLE.sample_id in str(event) or str(SAMPLE.subject_id) in str(event)


def test_what_is_found_in_each_file_is_kept_with_the_submission(aws, handler):
    """ING-08."""
    bad = fastq_with_two_faults()
    bodies = {"R1.fastq.gz": bad, "R2.fastq.gz": READS["R2.fastq.gz"]}
    register_reference_bundle(aws)
    aws.submit("s-1", bodies, manifest_of(bodies))
    with pytest.raises(RejectedInputError, match=r"^bad_base: "):
        handler("validate_files")({"submission_id": "s-1"})
    first, second = aws.table.verdicts("s-1")
    assert [(finding["code"], finding["line"]) for finding in first.findings] == [("bad_base", 2), ("bad_base", 10)]
    assert (first.verdict, second.verdict) == ("REJECTED", "REJECTED")
    assert second.findings == []


def fastq_with_two_faults() -> bytes:
    """Return the first mates with a letter in two of the reads that is no base."""
    lines = gzip.decompress(READS["R1.fastq.gz"]).split(b"\n")
    for number in (1, 9):
        lines[number] = b"E" + lines[number][1:]
    return gzip.compress(b"\n".join(lines), compresslevel=0, mtime=0)


def test_the_verdict_on_good_files_says_what_they_hold(aws, handler):
    register_reference_bundle(aws)
    aws.submit("s-1", READS, manifest_of(READS))
    handler("validate_files")({"submission_id": "s-1"})
    assert [(v.file, v.verdict, v.summary) for v in aws.table.verdicts("s-1")] == [
        ("R1.fastq.gz", "ACCEPTED", "20 pairs of 50 to 50 bases"),
        ("R2.fastq.gz", "ACCEPTED", "20 pairs of 50 to 50 bases"),
    ]
