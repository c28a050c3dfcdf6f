"""AWS inside this process: the tables, buckets, topic and state machine that handlers and jobs work with."""

import gzip
import hashlib
import importlib.util
import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local_stage import dynamodb
from local_stage.context import StageContext
from local_stage.replacing import restore
from strandline.aws import drafts
from strandline.aws.audit_entries import WAITING, queue_beside, read_told
from strandline.aws.audit_trail import AuditTrail
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import LandedFile, SubmissionsTable
from strandline.aws.telemetry import logger, metrics
from strandline.journey import MANIFEST_NAME, landing_key, reference_key
from strandline.landing.manifest import DeclaredFile, FileRole, Manifest, ReferenceName, SampleDeclaration
from strandline.reads.reference_bundle import BUNDLE_NAME, Contig, ReferenceBundle

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SAMPLE = SampleDeclaration(sample_id="ZZ-SAMPLE-77", subject_id="PT98765")
REFERENCE = ReferenceBundle(
    name="slice", version="0c2b", contigs=(Contig(name="c", length=1000, md5="0" * 32),), files=()
)
DEFINITION = {"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}}


@dataclass(frozen=True, slots=True)
class Aws:
    """Names and clients of what was made."""

    s3: Any
    dynamodb: Any
    stepfunctions: Any
    sqs: Any
    topic_arn: str
    alerts_url: str
    state_machine_arn: str
    validate_ahead_arn: str
    environment: dict[str, str]

    @property
    def table(self) -> SubmissionsTable:
        return SubmissionsTable(self.dynamodb, "submissions")

    def bucket(self, name: str) -> S3Objects:
        return S3Objects(self.s3, name)

    def land(self, submission_id: str, name: str, body: bytes) -> LandedFile:
        """Upload one file as a lab does."""
        stored = self.s3.put_object(Bucket="landing", Key=landing_key(submission_id, name), Body=body)
        return LandedFile(name, stored.get("VersionId", "null"), len(body))

    def register(self, submission_id: str, *files: LandedFile) -> None:
        """Note files in the table, as `register_object` does."""
        for number, file in enumerate(files):
            assert self.table.register_file(submission_id, file, sequencer=f"{number:016X}", now=NOW)

    def submit(self, submission_id: str, bodies: dict[str, bytes], manifest: Manifest) -> None:
        """Upload and register files and their manifest; nothing starts."""
        files = [self.land(submission_id, name, body) for name, body in bodies.items()]
        landed = self.land(submission_id, MANIFEST_NAME, manifest.to_json())
        self.register(submission_id, *files, landed)
        assert self.table.register_manifest(submission_id, manifest, version_id=landed.version_id)

    def executions(self) -> list[str]:
        """Names of every execution of `sample_to_release`."""
        found = self.stepfunctions.list_executions(stateMachineArn=self.state_machine_arn)["executions"]
        return sorted(execution["name"] for execution in found)

    def ahead(self) -> list[dict[str, str]]:
        """What every execution of `validate_ahead` was asked for, in the order of their starts."""
        found = self.stepfunctions.list_executions(stateMachineArn=self.validate_ahead_arn)["executions"]
        found.sort(key=lambda execution: execution["startDate"])
        arns = [execution["executionArn"] for execution in found]
        return [json.loads(self.stepfunctions.describe_execution(executionArn=arn)["input"]) for arn in arns]

    def waiting(self) -> list[dict[str, str]]:
        """Entries that wait for their place in the audit log, in the order in which they will get it."""
        items = self.dynamodb.query(
            TableName=queue_beside("submissions"),
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": WAITING}},
        )["Items"]
        return [entry for item in items for entry in read_told(item)]

    def trail(self) -> AuditTrail:
        """The audit log, in a bucket of its own."""
        self.s3.create_bucket(Bucket="audit")
        return AuditTrail(
            self.dynamodb, queue_beside("submissions"), "audit-log", self.bucket("audit"), "strandline-test"
        )

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts published so far, each once."""
        messages = self.sqs.receive_message(QueueUrl=self.alerts_url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for every client: reading a service's model anew takes longer than most tests."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture(scope="session")
def own_transactions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """DynamoDB as the embedded AWS has it: moto copies every item of a table for each transaction."""
    dynamodb.install(StageContext("http://127.0.0.1:1", tmp_path_factory.mktemp("no_stage")))
    yield
    restore()


@pytest.fixture
def aws(session: boto3.Session, own_transactions: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An empty account with one of each."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)  # what handlers make their clients from
        yield make_account(session)


def make_account(session: boto3.Session) -> Aws:
    """Make one of each in the account of the running mock."""
    s3, dynamodb = session.client("s3"), session.client("dynamodb")
    for name in ("landing", "quarantine", "references", "analysis"):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
    indexes = {"by_state": "gsi1", "by_sample": "gsi2", "by_site": "gsi3", "by_day": "gsi4"}
    names = ["pk", "sk", *(f"{prefix}{part}" for prefix in indexes.values() for part in ("pk", "sk"))]

    def keys(prefix: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": f"{prefix}{part}", "KeyType": kind} for part, kind in (("pk", "HASH"), ("sk", "RANGE"))
        ]

    dynamodb.create_table(  # as infra/stacks/catalog.py makes it
        TableName="submissions",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=keys(""),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": keys(prefix), "Projection": {"ProjectionType": "ALL"}}
            for index, prefix in indexes.items()
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in (queue_beside("submissions"), "audit-log"):
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            KeySchema=keys(""),
            BillingMode="PAY_PER_REQUEST",
        )
    sns, sqs, stepfunctions = session.client("sns"), session.client("sqs"), session.client("stepfunctions")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:alerts")
    machine, ahead = (
        stepfunctions.create_state_machine(
            name=name, definition=json.dumps(DEFINITION), roleArn="arn:aws:iam::123456789012:role/workflow"
        )["stateMachineArn"]
        for name in ("sample_to_release", "validate_ahead")
    )
    environment = {
        "LANDING_BUCKET": "landing",
        "QUARANTINE_BUCKET": "quarantine",
        "REFERENCES_BUCKET": "references",
        "ANALYSIS_BUCKET": "analysis",
        "SUBMISSIONS_TABLE": "submissions",
        "STATE_MACHINE_ARN": machine,
        "VALIDATE_AHEAD_ARN": ahead,
        "INTAKE_QUEUE_URL": sqs.create_queue(QueueName="intake")["QueueUrl"],
        "SWEEP_SETTLED_S": "300",
        "SWEEP_WINDOW_S": "86400",
        "ALERTS_TOPIC_ARN": topic,
        "INCOMPLETE_AFTER_S": "3600",
        "LAMBDA_VALIDATION_LIMIT_BYTES": "1000000",
    }
    return Aws(s3, dynamodb, stepfunctions, sqs, topic, queue, machine, ahead, environment)


class Context:
    """What Lambda hands to a handler beside the event."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


Handler = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def handler(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Handler]:
    """Load a function anew, with its environment, and return what calls its `lambda_handler`."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metrics.provider, "namespace", "Strandline")
    monkeypatch.setattr(metrics.provider, "service", "tests")
    drafts._connect.cache_clear()

    def load_handler(name: str) -> Handler:
        module = load(ROOT / "lambdas" / name / "handler.py")
        return lambda event: module.lambda_handler(event, Context())

    return load_handler


def load(path: Path) -> ModuleType:
    """Import a script by its path."""
    specification = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Return everything that was logged or printed, metrics and tracebacks among it."""
    lines = io.StringIO()
    listener = logging.StreamHandler(lines)
    listener.setFormatter(logger.registered_formatter)
    logger.addHandler(listener)
    caplog.set_level(logging.INFO)

    def everything() -> str:
        printed = capsys.readouterr()
        return f"{lines.getvalue()}{caplog.text}{printed.out}{printed.err}"

    yield everything
    logging.getLogger(logger.name).removeHandler(listener)


def names_nobody(text: str) -> bool:
    """Whether neither the sample nor the subject of these tests stands in a text."""
    return SAMPLE.sample_id.lower() not in text.lower() and str(SAMPLE.subject_id) not in text


def fastq(mate: int, count: int = 20) -> bytes:
    """Return gzip of level 0, so that one letter changed in it changes its length by nothing."""
    records = (b"@r%d/%d\n%s\n+\n%s\n" % (i, mate, b"ACGTN" * 10, b"I" * 50) for i in range(count))
    return gzip.compress(b"".join(records), compresslevel=0, mtime=0)


READS = {"R1.fastq.gz": fastq(1), "R2.fastq.gz": fastq(2)}
ROLES = {"R1.fastq.gz": FileRole.READS_1, "R2.fastq.gz": FileRole.READS_2, "regions.bed": FileRole.REGIONS}


def manifest_of(bodies: dict[str, bytes], **changes: Any) -> Manifest:
    """Describe files as a lab would."""
    files = tuple(
        DeclaredFile(name=name, role=ROLES[name], size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        for name, body in bodies.items()
    )
    reference = ReferenceName(name=REFERENCE.name, version=REFERENCE.version)
    return Manifest(**{"sample": SAMPLE, "reference": reference, "files": files, **changes})


def register_reference_bundle(aws: Aws, bundle: ReferenceBundle = REFERENCE) -> None:
    aws.bucket("references").write(reference_key(bundle.name, bundle.version, BUNDLE_NAME), bundle.to_json())


def landing_snapshot(aws: Aws) -> list[tuple[str, str, str]]:
    """Every object version in the landing bucket, with its checksum."""
    versions = aws.s3.list_object_versions(Bucket="landing").get("Versions", [])
    return sorted((version["Key"], version["VersionId"], version["ETag"]) for version in versions)
