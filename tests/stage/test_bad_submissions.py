"""What is wrong ends quarantined, in words, with its files untouched. Requirements: ING-03, ING-06, ING-07, SEC-06."""

import gzip
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from strandline.journey import SubmissionState, exception_record_key, landing_key, manifest_key
from strandline.landing.manifest import FileRole
from strandline.synthetic.family import make_family
from strandline.synthetic.genome import make_genome
from strandline.synthetic.reads import write_reads


@dataclass(frozen=True)
class Wrong:
    """A submission that must be stopped, and the code that must stop it."""

    submission_id: str
    code: str


def upload(lab, submission_id, manifest, bodies):
    """Upload files as they are, then the manifest, as any S3 client could."""
    for name, body in bodies.items():
        lab.deployment.landing.write(landing_key(submission_id, name), body)
    document = manifest if isinstance(manifest, bytes) else manifest.to_json()
    lab.deployment.landing.write(manifest_key(submission_id), document)


def with_reads(lab, folder, name, first, second):
    """Send a pair of bodies under a manifest that fits them."""
    paths = folder / f"{name}_1.fastq.gz", folder / f"{name}_2.fastq.gz"
    for path, body in zip(paths, (first, second), strict=True):
        path.write_bytes(body)
    return lab.send(name, reads=paths)


@pytest.fixture(scope="module")
def wrong(lab, tmp_path_factory):
    """Every kind of wrong submission, sent at once and followed to its end."""
    folder = tmp_path_factory.mktemp("wrong")
    first, second = (path.read_bytes() for path in lab.made_up.reads)
    lines = gzip.decompress(second).splitlines(keepends=True)
    shuffled = gzip.compress(b"".join(lines[400:] + lines[:400]), 1)
    vcf = gzip.compress(lab.made_up.truth.read_bytes())
    rng = np.random.default_rng(99)
    elsewhere = make_genome(rng)
    write_reads(make_family(elsewhere, rng).child, elsewhere, rng, folder / "e1.gz", folder / "e2.gz", depth=4)
    foreign = [(folder / name).read_bytes() for name in ("e1.gz", "e2.gz")]
    bed = folder / "other.bed"
    bed.write_text("chrOther\t0\t100\n")
    sent = {
        "truncated": Wrong(with_reads(lab, folder, "TRUNCATED", first[:-2000], second), "gzip_truncated"),
        "disagreeing": Wrong(with_reads(lab, folder, "DISAGREEING", first, shuffled), "mates_disagree"),
        "empty": Wrong(with_reads(lab, folder, "EMPTY", b"", gzip.compress(b"")), "fastq_empty"),
        "vcf": Wrong(with_reads(lab, folder, "VCF", vcf, second), "not_fastq"),
        "foreign": Wrong(with_reads(lab, folder, "FOREIGN", *foreign), "low_mapping_rate"),
        "regions": Wrong(lab.send("REGIONS", regions=bed), "contig_not_in_reference"),
    }
    manifest = lab.manifest_of("CHECKSUM")
    names = [manifest.file_by_role(role).name for role in (FileRole.READS_1, FileRole.READS_2)]
    flipped = bytearray(first)
    flipped[len(flipped) // 2] ^= 1
    upload(lab, "wrong-checksum", manifest, dict(zip(names, (bytes(flipped), second), strict=True)))
    sent["checksum"] = Wrong("wrong-checksum", "checksum_mismatch")
    path = json.loads(manifest.to_json())
    path["sample"]["sample_id"] = "../../etc"
    upload(lab, "wrong-path", json.dumps(path).encode(), dict(zip(names, (first, second), strict=True)))
    sent["path"] = Wrong("wrong-path", "invalid_sample_id")
    upload(lab, "wrong-manifest", b'{"manifest_version": "1"', {})
    sent["manifest"] = Wrong("wrong-manifest", "manifest_not_json")
    unknown = json.loads(manifest.to_json())
    unknown["reference"]["version"] = "never-made"
    upload(lab, "wrong-reference", json.dumps(unknown).encode(), dict(zip(names, (first, second), strict=True)))
    sent["reference"] = Wrong("wrong-reference", "reference_unknown")
    for case in sent.values():
        lab.wait(case.submission_id)
    return sent


KINDS = ("truncated", "disagreeing", "empty", "vcf", "foreign", "regions", "checksum", "path", "manifest", "reference")


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_submission_is_quarantined_with_its_cause_in_words(wrong, deployed, kind):
    record = deployed.submissions.get(wrong[kind].submission_id)
    assert record.state is SubmissionState.QUARANTINED
    assert record.cause.code == wrong[kind].code
    assert "\n" not in record.cause.message


@pytest.mark.parametrize("kind", KINDS)
def test_its_exception_record_names_the_versions_judged_and_its_files_are_untouched(wrong, deployed, kind):
    submission_id = wrong[kind].submission_id
    s3 = deployed._endpoint.client("s3")
    body = s3.get_object(Bucket=deployed.outputs["QuarantineBucket"], Key=exception_record_key(submission_id))["Body"]
    record = json.loads(body.read())
    assert record["code"] == wrong[kind].code
    for file in record["files"]:
        key = landing_key(submission_id, file["name"])
        versions = s3.list_object_versions(Bucket=deployed.landing.bucket, Prefix=key)["Versions"]
        assert [(v["VersionId"], v["Size"]) for v in versions] == [(file["version_id"], file["size_bytes"])]
        kept = s3.get_object_retention(Bucket=deployed.landing.bucket, Key=key, VersionId=file["version_id"])
        assert kept["Retention"]["RetainUntilDate"] > datetime.now(UTC)


def test_nothing_of_a_wrong_submission_reaches_the_lake(wrong, deployed):
    names = ", ".join(f"'{case.submission_id}'" for case in wrong.values())
    for table in ("variants", "samples"):
        answer = deployed.queries.run(f"SELECT count(*) FROM {table} WHERE submission_id IN ({names})")
        assert answer.rows == (("0",),)


def test_a_manifest_that_names_a_file_that_never_came_expires_and_says_which(lab):
    manifest = lab.manifest_of("MISSING")
    present, missing = (file.name for file in manifest.files)
    upload(lab, "wrong-missing", manifest, {present: lab.made_up.reads[0].read_bytes()})
    function = lab.deployment._endpoint.client("lambda")
    while (record := lab.deployment.submissions.get("wrong-missing")) is None or record.sample_id is None:
        time.sleep(0.1)
    assert record.state is SubmissionState.RECEIVED
    (name,) = [
        item["FunctionName"]
        for item in function.list_functions()["Functions"]
        if "expire-submissions" in item["FunctionName"]
    ]
    later = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    function.invoke(FunctionName=name, Payload=json.dumps({"time": later}))
    record = lab.deployment.submissions.get("wrong-missing")
    assert record.state is SubmissionState.QUARANTINED
    assert record.cause.code == "incomplete_submission"
    assert missing in record.cause.message
    assert present not in record.cause.message


def test_an_event_that_comes_twice_starts_nothing_twice(lab, analysed):
    record = lab.deployment.submissions.get(analysed)
    sqs = lab.deployment._endpoint.client("sqs")
    event = {
        "time": "2026-01-01T00:00:00Z",
        "detail": {"object": {"key": manifest_key(analysed), "size": 1, "version-id": "old", "sequencer": "0"}},
    }
    for _ in range(3):
        sqs.send_message(QueueUrl=lab.deployment.outputs["IntakeQueueUrl"], MessageBody=json.dumps(event))
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while any(
        int(value)
        for value in sqs.get_queue_attributes(QueueUrl=lab.deployment.outputs["IntakeQueueUrl"], AttributeNames=counts)[
            "Attributes"
        ].values()
    ):
        time.sleep(0.1)
    assert lab.deployment.submissions.get(analysed) == record
