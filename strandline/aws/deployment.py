"""What a deployed stage is called: the outputs of its stacks, and clients that reach it."""

import getpass
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from strandline.aws.audit_entries import queue_beside, waiting_entry
from strandline.aws.cohorts import CohortsTable
from strandline.aws.executions import ValidationAhead, Workflow
from strandline.aws.forecasting import PastRuns
from strandline.aws.intake import Intake
from strandline.aws.intake_queue import IntakeQueue
from strandline.aws.job_logs import JobLogs
from strandline.aws.lab_keys import LabKeys
from strandline.aws.objects import S3Objects
from strandline.aws.quarantine import Quarantine
from strandline.aws.queries import AthenaQueries
from strandline.aws.storage_costs import StorageCosts
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_batch import BatchClient

    from strandline.aws.audit_trail import AuditTrail, SigningKey
    from strandline.aws.destruction import Destruction
    from strandline.aws.fhir_audit import FhirAudit
    from strandline.aws.fhir_push import Pushing
    from strandline.aws.health_lake import HealthLakeImports
    from strandline.aws.holds import Holds
    from strandline.aws.lake import Lake
    from strandline.aws.lake_loading import LakePlace
    from strandline.aws.people import People
    from strandline.aws.release_calls import ReleaseCalls
    from strandline.aws.tokens import UserPool
    from strandline.fhir.served.access import Caller

_PARTS: Final = (
    *("storage", "identity", "catalog", "compute", "workflow", "intake", "api"),
    *("release", "release-api", "fhir-api"),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where AWS is: None for the usual chain of credentials and regions."""

    url: str | None = None
    region: str | None = None
    keys: "Mapping[str, str] | None" = None

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        keys = dict(self.keys or {})
        if self.url is None:
            return boto3.client(service, config=Config(retries={"mode": "standard"}), **keys)  # type: ignore[call-overload]  # the service is a variable
        if not keys:  # the embedded AWS checks no signature
            keys = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
        return boto3.client(service, endpoint_url=self.url, region_name=self.region, **keys)  # type: ignore[call-overload]  # likewise

    def as_role(self, name: str) -> "Endpoint":
        """Return the same place under the keys of a role of this account, for an hour.

        Raises:
            RejectedInputError: `role_refused`.
        """
        sts = self.client("sts")
        try:
            account = sts.get_caller_identity()["Account"]
            session = re.sub(r"[^\w+=,.@-]", "-", getpass.getuser())[:64]
            given = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{name}", RoleSessionName=session)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            raise RejectedInputError(
                "role_refused",
                f"{name} may not be taken on: log in with a second factor, as somebody whom the account lets assume it",
            ) from None
        keys = given["Credentials"]
        return Endpoint(
            self.url,
            self.region,
            {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            },
        )


class Deployment:
    """One stage: its buckets, table, workflow and queries, found through the outputs of its stacks."""

    def __init__(self, stage: str, endpoint: Endpoint) -> None:
        self.stage = stage
        self._endpoint = endpoint
        self.outputs: Mapping[str, str] = _read_outputs(endpoint.client("cloudformation"), stage)

    @cached_property
    def landing(self) -> S3Objects:
        """The landing bucket."""
        return self._bucket("LandingBucket")

    @cached_property
    def references(self) -> S3Objects:
        """The bucket of reference bundles."""
        return self._bucket("ReferencesBucket")

    @cached_property
    def analysis(self) -> S3Objects:
        """The bucket of outputs."""
        return self._bucket("AnalysisBucket")

    @cached_property
    def delivery(self) -> S3Objects:
        """The bucket of what was released."""
        return self._bucket("DeliveryBucket")

    def bucket_of(self, purpose: str) -> S3Objects:
        """Return the bucket of a purpose, such as `audit`."""
        return self._bucket(f"{purpose.title()}Bucket")

    @cached_property
    def holds(self) -> "Holds":
        """Legal holds on submissions."""
        from strandline.aws.holds import Holds  # noqa: PLC0415 - what one command needs
        from strandline.trust.retention import held_classes  # noqa: PLC0415 - likewise

        buckets = {str(one.bucket): self.bucket_of(one.bucket) for one in held_classes().values()}
        return Holds(*self.submissions.place, buckets)

    @cached_property
    def destruction(self) -> "Destruction":
        """What destroys records that nothing keeps any more."""
        from strandline.aws.destruction import Destruction  # noqa: PLC0415 - what one command needs
        from strandline.trust.retention import record_classes  # noqa: PLC0415 - likewise

        wanted = {str(one.bucket) for one in record_classes().values() if one.destroyed_by_command}
        return Destruction(*self.submissions.place, {purpose: self.bucket_of(purpose) for purpose in wanted})

    @cached_property
    def fhir_pushing(self) -> "Pushing":
        """What hands releases to other systems, in the name of whoever's credentials these are."""
        from strandline.aws.fhir_push import Pushing  # noqa: PLC0415 - what one command needs
        from strandline.aws.fhir_store import FhirStore  # noqa: PLC0415 - likewise

        dynamodb, table = self._endpoint.client("dynamodb"), self.outputs["FhirTable"]
        return Pushing(dynamodb, table, FhirStore(dynamodb, table), *self._told())

    @cached_property
    def health_lake_imports(self) -> "HealthLakeImports":
        """What loads bulk exports into HealthLake, in the name of whoever's credentials these are."""
        from strandline.aws.fhir_exports import FhirExports  # noqa: PLC0415 - what one command needs
        from strandline.aws.health_lake import HealthLakeImports  # noqa: PLC0415 - likewise

        dynamodb, bucket = self._endpoint.client("dynamodb"), self.outputs["AnalysisBucket"]
        s3, table = self._endpoint.client("s3"), self.outputs["FhirTable"]
        exports = FhirExports(dynamodb, table, lambda: datetime.now(UTC), s3=s3, bucket=bucket, function=None)
        return HealthLakeImports(self._endpoint.client("healthlake"), bucket, exports, *self._told())

    def _told(self) -> "tuple[FhirAudit, Caller]":
        """Return the log that is told of what leaves by FHIR, and who does it."""
        from strandline.aws.fhir_audit import FhirAudit  # noqa: PLC0415 - what two commands need
        from strandline.fhir.served.access import Caller  # noqa: PLC0415 - likewise

        table = self.outputs["SubmissionsTable"]
        audit = FhirAudit(self._endpoint.client("dynamodb"), table, lambda: datetime.now(UTC))
        return audit, Caller(self._endpoint.client("sts").get_caller_identity()["Arn"], "operator", ())

    @cached_property
    def submissions(self) -> SubmissionsTable:
        """The submissions table."""
        return SubmissionsTable(self._endpoint.client("dynamodb"), self.outputs["SubmissionsTable"])

    @cached_property
    def people(self) -> "UserPool":
        """The user pool, whose tokens say who somebody is."""
        from strandline.aws.tokens import UserPool  # noqa: PLC0415 - what verifies, which few commands need

        client_ids = frozenset({self.outputs["UserPoolClientId"]})
        return UserPool(self._endpoint.client("cognito-idp"), self.outputs["UserPoolId"], client_ids)

    @cached_property
    def lab_keys(self) -> LabKeys:
        """The keys that labs sign with."""
        return LabKeys(*self.submissions.place)

    @cached_property
    def workflow(self) -> Workflow:
        """The sample_to_release state machine."""
        return Workflow(self._endpoint.client("stepfunctions"), self.outputs["SampleToReleaseArn"])

    @cached_property
    def cohorts(self) -> CohortsTable:
        """What is kept of cohorts."""
        return CohortsTable(*self.submissions.place)

    @cached_property
    def cohort_workflow(self) -> Workflow:
        """The joint_genotype state machine."""
        return Workflow(self._endpoint.client("stepfunctions"), self.outputs["JointGenotypeArn"], told="cohort_id")

    @cached_property
    def queries(self) -> AthenaQueries:
        """Athena over the lake."""
        return AthenaQueries(
            self._endpoint.client("athena"), self.outputs["AthenaWorkgroup"], self.outputs["GlueDatabase"]
        )

    def queries_as(self, role: str) -> AthenaQueries:
        """Athena over the lake as a role of people sees it, such as researcher or lab-north: in its own workgroup.

        Raises:
            RejectedInputError: `role_unknown`, `role_site_missing`; `role_refused`, where it may not be taken on or the
                stage has none of that name.
        """
        from strandline.trust.access import split_role  # noqa: PLC0415 - reads two files, which few commands need

        split_role(role)
        name = f"strandline-{self.stage}-{role}"
        client = self._endpoint.as_role(name).client("athena")
        return AthenaQueries(client, name, self.outputs["GlueDatabase"])

    @cached_property
    def lake(self) -> "Lake":
        """The lake's tables, to be written."""
        from strandline.aws.lake import Lake, open_catalog  # noqa: PLC0415 - half a second, which few commands need

        return Lake(self.outputs["GlueDatabase"], open_catalog(self._endpoint.url, self._endpoint.region))

    @cached_property
    def lake_place(self) -> "LakePlace":
        """Where processes of their own find the lake."""
        from strandline.aws.lake_loading import LakePlace  # noqa: PLC0415 - a second, which one command needs

        return LakePlace(self.outputs["GlueDatabase"], self._endpoint.url, self._endpoint.region)

    @cached_property
    def audit(self) -> "AuditTrail":
        """The audit log."""
        from strandline.aws.audit_trail import AuditTrail  # noqa: PLC0415 - what verifies, which few commands need

        client, table = self.submissions.place
        bucket = self._bucket("AuditBucket")
        name = f"strandline-{self.stage}-audit"
        return AuditTrail(client, queue_beside(table), self.outputs["AuditLogTable"], bucket, name)

    @cached_property
    def audit_key(self) -> "SigningKey":
        """The key that signs the audit log."""
        from strandline.aws.audit_trail import SigningKey  # noqa: PLC0415 - as above

        return SigningKey(self._endpoint.client("kms"), f"alias/strandline/{self.stage}/audit-signing")

    @cached_property
    def user_admin(self) -> "People":
        """The people of the stage, as an administrator and as each of them sees them."""
        from strandline.aws.people import People  # noqa: PLC0415 - as above

        idp = self._endpoint.client("cognito-idp")
        return People(idp, self.outputs["UserPoolId"], self.outputs["UserPoolClientId"])

    @cached_property
    def release_calls(self) -> "ReleaseCalls":
        """The functions of the release workflow, and what is known of releases."""
        from strandline.aws.release_calls import ReleaseCalls  # noqa: PLC0415 - as above
        from strandline.aws.releases import Releases  # noqa: PLC0415 - as above

        opens, signs, delivers = (self.outputs[f"{does}ReleaseFunction"] for does in ("Open", "Sign", "Deliver"))
        releases = Releases(*self.submissions.place)
        return ReleaseCalls(self._endpoint.client("lambda"), opens, signs, delivers, releases)

    @cached_property
    def release_key(self) -> "SigningKey":
        """The key that signs releases."""
        from strandline.aws.audit_trail import SigningKey  # noqa: PLC0415 - as above

        return SigningKey(self._endpoint.client("kms"), f"alias/strandline/{self.stage}/release-signing")

    def note_change(self, record: str, why: str) -> None:
        """Put a change of the configuration by whoever calls into the audit log."""
        now = datetime.now(UTC)
        table = self.outputs["SubmissionsTable"]
        entry = waiting_entry(table, "CONFIGURED", record, who=self.caller(), role="admin", why=why, now=now)
        self.submissions.transact([entry])

    def in_review(self) -> "list[SubmissionRecord]":
        """Return the submissions that may have a release in review, longest unchanged first."""
        states = (SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED)
        return [record for state in states for record in self.submissions.list_by_state(state)]

    @cached_property
    def intake(self) -> Intake:
        """The landing door."""
        ahead = ValidationAhead(self._endpoint.client("stepfunctions"), self.outputs["ValidateAheadArn"])
        return Intake(self.submissions, self.landing, self.workflow, ahead)

    @cached_property
    def intake_queue(self) -> IntakeQueue:
        """The queue of events about landed objects."""
        return IntakeQueue(self._endpoint.client("sqs"), self.outputs["IntakeQueueUrl"])

    @cached_property
    def dead_letters(self) -> IntakeQueue:
        """What registration gave up on."""
        return IntakeQueue(self._endpoint.client("sqs"), self.outputs["IntakeDeadLetterUrl"])

    @cached_property
    def quarantine(self) -> Quarantine:
        """What was kept out."""
        return Quarantine(self.submissions, self._bucket("QuarantineBucket"), self.workflow)

    @cached_property
    def past_runs(self) -> PastRuns:
        """What the finished submissions of the stage took."""
        return PastRuns(self.submissions, self.analysis)

    @cached_property
    def batch(self) -> "BatchClient":
        """A client of Batch."""
        client: BatchClient = self._endpoint.client("batch")
        return client

    @cached_property
    def job_logs(self) -> JobLogs:
        """What jobs wrote."""
        return JobLogs(self.batch, self._endpoint.client("logs"))

    @cached_property
    def storage_costs(self) -> StorageCosts:
        """What the submissions of the stage cost to keep."""
        purposes = ("Landing", "Quarantine", "Analysis", "Delivery")
        buckets = {purpose.lower(): self.outputs[f"{purpose}Bucket"] for purpose in purposes}
        return StorageCosts(self._endpoint.client("s3"), buckets)

    def caller(self) -> str:
        """Return who acts: the principal of the credentials, or the user of this machine where AWS is embedded."""
        if self._endpoint.url is not None:
            return getpass.getuser()
        return str(self._endpoint.client("sts").get_caller_identity()["Arn"])

    def _bucket(self, output: str) -> S3Objects:
        return S3Objects(self._endpoint.client("s3"), self.outputs[output])


def _read_outputs(cloudformation: Any, stage: str) -> dict[str, str]:
    outputs: dict[str, str] = {}
    for part in _PARTS:
        try:
            stack = cloudformation.describe_stacks(StackName=f"strandline-{stage}-{part}")["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise RejectedInputError(
                "stage_not_deployed", f"stack strandline-{stage}-{part} is not there: deploy stage {stage} first"
            ) from None
        outputs |= {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    return outputs
