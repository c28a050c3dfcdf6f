"""S3 of the embedded AWS, as boto3 and plain HTTP see it. Checksums are computed here with the standard library."""

import base64
import binascii
import errno
import hashlib
import http.client
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from botocore.exceptions import ClientError

from local_stage import s3 as local_s3
from local_stage import server
from local_stage.s3.checksums import Crc32, ReflectedCrc, join_crcs, new_digest
from local_stage.s3.content import ContentWriter

MIB = 1 << 20


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    aws = server.start(tmp_path_factory.mktemp("stage"), extensions=())
    yield aws
    aws.stop()


@pytest.fixture
def s3(aws):
    return aws.context.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:40]
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def locked(s3, request):
    name = "locked-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:40]
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    retention = {"Mode": "COMPLIANCE", "Days": 7}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)
    return name


def upload_in_parts(s3, bucket: str, key: str, parts: list[bytes], **options) -> dict:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    sent = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, start=1)
    ]
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": sent})


def put_raw(aws, bucket: str, key: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(aws.context.endpoint_url).netloc)
    scope = "Credential=x/20260101/us-east-1/s3/aws4_request"
    authorization = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    connection.request("PUT", f"/{bucket}/{key}", body=body, headers=authorization | headers)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def stored_files(aws) -> list[Path]:
    return list((aws.context.state_dir / "objects").iterdir())


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_an_object_lies_in_a_file_and_comes_back_whole_or_in_ranges(aws, s3, bucket):
    body = os.urandom(3 * MIB + 7)
    answer = s3.put_object(Bucket=bucket, Key="a/b.bin", Body=body, Metadata={"kind": "reads"})

    found = s3.get_object(Bucket=bucket, Key="a/b.bin")
    assert found["Body"].read() == body
    assert found["Metadata"] == {"kind": "reads"}
    assert answer["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    for asked, expected in [("bytes=0-0", body[:1]), ("bytes=-5", body[-5:]), (f"bytes={MIB}-", body[MIB:])]:
        part = s3.get_object(Bucket=bucket, Key="a/b.bin", Range=asked)
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert part["Body"].read() == expected
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="a/b.bin", Range=f"bytes={len(body)}-")
    assert code_of(refused) == "InvalidRange"
    assert local_s3.local_path(aws.context, bucket, "a/b.bin").read_bytes() == body


def test_an_empty_object_is_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    assert s3.head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0


def test_deleting_an_object_removes_its_file(aws, s3, bucket):
    before = len(stored_files(aws))
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    assert len(stored_files(aws)) == before + 1

    s3.delete_object(Bucket=bucket, Key="gone")

    assert len(stored_files(aws)) == before


def test_a_copy_outlives_its_source_and_takes_no_room(aws, s3, bucket):
    before = len(stored_files(aws))
    s3.put_object(Bucket=bucket, Key="source", Body=b"same bytes")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "source"})
    s3.delete_object(Bucket=bucket, Key="source")

    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"same bytes"
    assert len(stored_files(aws)) == before + 1


def test_parts_become_one_object_without_being_written_again(aws, s3, bucket):
    before = len(stored_files(aws))
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"tail"]
    answer = upload_in_parts(s3, bucket, "big", parts, ChecksumAlgorithm="CRC32")

    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    assert answer["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-3"'
    assert len(stored_files(aws)) == before + 3
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == b"".join(parts)
    across = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")["Body"].read()
    assert across == parts[0][-2:] + parts[1][:2]
    assert s3.get_object(Bucket=bucket, Key="big", PartNumber=3)["Body"].read() == b"tail"
    composite = binascii.crc32(b"".join(binascii.crc32(part).to_bytes(4, "big") for part in parts)).to_bytes(4, "big")
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == base64.b64encode(composite).decode()
    assert local_s3.local_path(aws.context, bucket, "big").read_bytes() == b"".join(parts)
    assert len(stored_files(aws)) == before + 1


def test_a_part_can_be_a_range_of_another_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789" * MIB)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="made")["UploadId"]
    copied = s3.upload_part_copy(
        Bucket=bucket,
        Key="made",
        UploadId=upload,
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "source"},
        CopySourceRange="bytes=3-6",
    )
    part = {"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}
    s3.complete_multipart_upload(Bucket=bucket, Key="made", UploadId=upload, MultipartUpload={"Parts": [part]})
    assert s3.get_object(Bucket=bucket, Key="made")["Body"].read() == b"3456"


def test_aborting_an_upload_leaves_nothing(aws, s3, bucket):
    before = len(stored_files(aws))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="never", UploadId=upload, PartNumber=1, Body=b"x" * MIB)

    s3.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=upload)

    assert len(stored_files(aws)) == before


def test_parts_that_do_not_fit_are_refused_and_the_upload_lives_on(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="odd")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="odd", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    named = {"Bucket": bucket, "Key": "odd", "UploadId": upload}
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]})
    assert code_of(refused) == "InvalidPart"
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    with pytest.raises(ClientError) as refused:
        s3.upload_part(**{**named, "UploadId": "none"}, PartNumber=1, Body=b"x")
    assert code_of(refused) == "NoSuchUpload"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ContentMD5": base64.b64encode(bytes(16)).decode()},
        {"ChecksumSHA256": base64.b64encode(bytes(32)).decode()},
        {"ChecksumCRC32": base64.b64encode(bytes(4)).decode()},
        {"ChecksumSHA1": base64.b64encode(bytes(20)).decode()},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_checksum_stores_nothing(aws, s3, bucket, wrong):
    before = len(stored_files(aws))
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="bad", Body=b"reads", **wrong)
    assert code_of(refused) == "BadDigest"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert len(stored_files(aws)) == before


@pytest.mark.parametrize("algorithm", ["CRC32C", "CRC64NVME"])
def test_checksums_of_other_clients_are_verified_too(aws, bucket, algorithm):
    body = os.urandom(200_000)
    digest = new_digest(algorithm)
    digest.update(body)
    header = f"x-amz-checksum-{algorithm.lower()}"
    right = base64.b64encode(digest.digest()).decode()
    assert put_raw(aws, bucket, "right", body, {header: right})[0] == 200
    status, text = put_raw(aws, bucket, "wrong", body + b"x", {header: right})
    assert (status, "<Code>BadDigest</Code>" in text) == (400, True)


def chunked(body: bytes, trailer: str) -> bytes:
    half = len(body) // 2
    pieces = [body[:half], body[half:]]
    framed = b"".join(b"%x;chunk-signature=0\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"0;chunk-signature=0\r\n" + trailer.encode() + b"\r\n\r\n"


def test_chunked_uploads_are_unwrapped_and_their_trailing_checksum_verified(aws, s3, bucket):
    body = os.urandom(100_001)
    right = base64.b64encode(binascii.crc32(body).to_bytes(4, "big")).decode()
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-decoded-content-length": str(len(body)),
        "Content-Encoding": "aws-chunked,gzip",
    }
    assert put_raw(aws, bucket, "k", chunked(body, f"x-amz-checksum-crc32:{right}"), headers)[0] == 200
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == body
    assert found["ContentEncoding"] == "gzip"
    assert found["ChecksumCRC32"] == right
    status, text = put_raw(aws, bucket, "bad", chunked(body[1:] + b"x", f"x-amz-checksum-crc32:{right}"), headers)
    assert (status, "<Code>BadDigest</Code>" in text) == (400, True)
    short = {**headers, "x-amz-decoded-content-length": str(len(body) + 1)}
    status, text = put_raw(aws, bucket, "bad", chunked(body, f"x-amz-checksum-crc32:{right}"), short)
    assert (status, "<Code>IncompleteBody</Code>" in text) == (400, True)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_a_full_disk_is_named_and_keeps_nothing(aws, s3, bucket, monkeypatch):
    before = len(stored_files(aws))

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ContentWriter, "write", full)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="big", Body=b"x" * MIB)
    assert code_of(refused) == "InsufficientStorage"
    assert str(aws.context.state_dir / "objects") in str(refused.value)
    assert "is full" in str(refused.value)
    monkeypatch.undo()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert len(stored_files(aws)) == before


def test_only_one_of_two_conditional_writes_wins(s3, bucket):
    s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="once", Body=b"2", IfNoneMatch="*")
    assert code_of(refused) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"1"


def test_default_retention_protects_single_and_multipart_objects(s3, locked):
    now = datetime.now(UTC)
    s3.put_object(Bucket=locked, Key="single", Body=b"x")
    upload_in_parts(s3, locked, "parts", [b"x" * 5 * MIB, b"y"])
    for key in ("single", "parts"):
        version = s3.list_object_versions(Bucket=locked, Prefix=key)["Versions"][0]["VersionId"]
        retention = s3.get_object_retention(Bucket=locked, Key=key, VersionId=version)["Retention"]
        assert retention["Mode"] == "COMPLIANCE"
        assert timedelta(days=6, hours=23) < retention["RetainUntilDate"] - now < timedelta(days=7, hours=1)
        for bypass in (False, True):
            with pytest.raises(ClientError) as refused:
                s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=bypass)
            assert code_of(refused) == "AccessDenied"
        s3.delete_object(Bucket=locked, Key=key)
        assert s3.get_object(Bucket=locked, Key=key, VersionId=version)["Body"].read()


def test_compliance_can_only_be_made_longer(s3, locked):
    s3.put_object(Bucket=locked, Key="k", Body=b"x")
    until = datetime.now(UTC) + timedelta(days=30)
    for weaker in (
        {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)},
        {"Mode": "GOVERNANCE", "RetainUntilDate": until},
    ):
        with pytest.raises(ClientError) as refused:
            s3.put_object_retention(Bucket=locked, Key="k", Retention=weaker, BypassGovernanceRetention=True)
        assert code_of(refused) == "AccessDenied"
    s3.put_object_retention(Bucket=locked, Key="k", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
    found = s3.get_object_retention(Bucket=locked, Key="k")["Retention"]["RetainUntilDate"]
    assert abs(found - until) < timedelta(seconds=2)


def test_governance_yields_only_to_a_bypass(s3, request):
    s3.create_bucket(Bucket="governed-bucket", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    version = s3.put_object(
        Bucket="governed-bucket", Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    with pytest.raises(ClientError):
        s3.delete_object(Bucket="governed-bucket", Key="k", VersionId=version)
    s3.delete_object(Bucket="governed-bucket", Key="k", VersionId=version, BypassGovernanceRetention=True)


def test_a_legal_hold_protects_until_it_is_lifted(s3):
    s3.create_bucket(Bucket="held-bucket", ObjectLockEnabledForBucket=True)
    version = s3.put_object(Bucket="held-bucket", Key="k", Body=b"x")["VersionId"]
    named = {"Bucket": "held-bucket", "Key": "k", "VersionId": version}
    s3.put_object_legal_hold(**named, LegalHold={"Status": "ON"})
    with pytest.raises(ClientError) as refused:
        s3.delete_object(**named, BypassGovernanceRetention=True)
    assert code_of(refused) == "AccessDenied"
    s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
    s3.delete_object(**named)


def test_versioning_cannot_be_suspended_under_object_lock(s3, locked):
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Suspended"})
    assert code_of(refused) == "InvalidBucketState"


def test_a_policy_with_conditions_is_kept_and_does_not_block_this_machine(s3, bucket):
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [deny]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == document
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_each_object_sends_exactly_one_event_in_the_documented_shape(aws, s3, bucket):
    sqs, events = aws.context.client("sqs"), aws.context.client("events")
    queue = sqs.create_queue(QueueName="one-event")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "submissions/"}]}},
    }
    events.put_rule(Name="one-event", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="one-event", Targets=[{"Id": "q", "Arn": arn}])

    body = b"x" * 10
    version = s3.put_object(Bucket=bucket, Key="submissions/put", Body=body)["VersionId"]
    s3.put_object(Bucket=bucket, Key="elsewhere", Body=body)
    upload_in_parts(s3, bucket, "submissions/parts", [b"x" * 5 * MIB, b"y"])
    s3.copy_object(Bucket=bucket, Key="submissions/copy", CopySource={"Bucket": bucket, "Key": "elsewhere"})

    received = {}
    deadline = time.monotonic() + 30
    while len(received) < 3 and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            assert event["detail"]["object"]["key"] not in received
            received[event["detail"]["object"]["key"]] = event
    time.sleep(0.3)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert {key: event["detail"]["reason"] for key, event in received.items()} == {
        "submissions/put": "PutObject",
        "submissions/parts": "CompleteMultipartUpload",
        "submissions/copy": "CopyObject",
    }
    event = received["submissions/put"]
    assert event["detail"]["object"]["etag"] == hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert event["detail"]["object"]["version-id"] == version
    assert event["detail"]["object"]["size"] == 10
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    datetime.fromisoformat(event["time"])
    events.remove_targets(Rule="one-event", Ids=["q"])
    events.delete_rule(Name="one-event")


def test_known_check_values_of_the_crcs_come_out():
    # the check values that the catalogue of CRC algorithms gives for the nine digits
    for crc, expected in (
        (ReflectedCrc(32, 0x82F63B78), "e3069283"),
        (ReflectedCrc(64, 0x9A6C9329AC4BC9B5), "ae8b14860a799888"),
        (Crc32(), "cbf43926"),
    ):
        crc.update(b"123456789")
        assert crc.digest().hex() == expected


def test_the_fast_crc_agrees_with_the_standard_library_whatever_the_pieces():
    data = os.urandom(MIB + 12_345)
    crc = ReflectedCrc(32, 0xEDB88320)
    for start in range(0, len(data), 300_001):
        crc.update(data[start : start + 300_001])
    assert crc.digest() == binascii.crc32(data).to_bytes(4, "big")
    left, right = data[:777], data[777:]
    crcs = [binascii.crc32(piece).to_bytes(4, "big") for piece in (left, right)]
    assert join_crcs("CRC32", *crcs, len(right)) == crc.digest()


@pytest.mark.slow
def test_a_big_upload_does_not_pass_through_memory(s3, bucket, tmp_path):
    file = tmp_path / "big"
    with file.open("wb") as stream:
        stream.truncate(700 * MIB)
    process = psutil.Process()
    before = process.memory_info().rss
    s3.upload_file(str(file), bucket, "big")
    assert s3.head_object(Bucket=bucket, Key="big")["ContentLength"] == 700 * MIB
    assert process.memory_info().rss - before < 300 * MIB  # client and server together
