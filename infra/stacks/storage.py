"""Stateful: keys and buckets."""

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.bucket import AccessLogBucket, PrivateBucket
from infra.constructs.keys import DataKeys
from infra.constructs.permissions import DataBucket
from infra.names import Names
from infra.stacks.part import PartStack
from infra.stages import StageConfig

COOL_TAG = ("tier", "cool")
"""What a job tags large results with (CRAM, gVCFs of callers as they were), so that they move to cooler storage."""

PASSING_TAG = ("tier", "passing")
"""What a job tags with that is put together with others and then needed no more."""

_RAW_DATA_TIERS = s3.LifecycleRule(
    id="raw-data-cool-then-archived",
    prefix="submissions/",
    transitions=[
        s3.Transition(storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=Duration.days(1)),
        s3.Transition(storage_class=s3.StorageClass.GLACIER, transition_after=Duration.days(90)),
    ],
)
_ALIGNED_READS_TIER = s3.LifecycleRule(
    id="aligned-reads-cool",
    prefix="submissions/",
    tag_filters=dict([COOL_TAG]),
    transitions=[s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(30))],
)
_PASSING_PARTS = s3.LifecycleRule(
    id="passing-parts-expire", prefix="submissions/", tag_filters=dict([PASSING_TAG]), expiration=Duration.days(7)
)
_PASSING_COHORT_PARTS = s3.LifecycleRule(
    id="passing-cohort-parts-expire", prefix="cohorts/", tag_filters=dict([PASSING_TAG]), expiration=Duration.days(7)
)

DELIVERS = "deliver_release"
"""The function that alone writes what leaves the platform."""


_EXPORTS = s3.LifecycleRule(id="bulk-exports-expire", prefix="exports/", expiration=Duration.days(1))


def _superseded_after(days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(id="expire-superseded-versions", noncurrent_version_expiration=Duration.days(days))


class StorageStack(PartStack):
    """What must outlive every deployment: each bucket is retained when its stack goes."""

    def __init__(self, scope: Construct, *, stage: StageConfig, names: Names) -> None:
        super().__init__(scope, "storage", stage=stage, names=names, contents="keys and buckets", stateful=True)
        self.keys = DataKeys(self, "Keys", names=names)
        self._names = names
        self._logs = AccessLogBucket(
            self, "AccessLogs", name=names.bucket("access-logs"), retention_days=stage.log_retention_days
        ).bucket
        self.landing = self._bucket(
            "Landing",
            self.keys.patients,
            lifecycle=[_RAW_DATA_TIERS],
            lock=_lock(stage, stage.landing_retention_days),
            sends_events=True,
        )
        self.quarantine = self._bucket("Quarantine", self.keys.patients)
        self.references = self._bucket("References", self.keys.references)
        self.analysis = self._bucket(
            "Analysis",
            self.keys.patients,
            lifecycle=[_ALIGNED_READS_TIER, _PASSING_PARTS, _PASSING_COHORT_PARTS, _EXPORTS, _superseded_after(30)],
        )
        self.lake = self._bucket("Lake", self.keys.lake, lifecycle=[_query_results(), _superseded_after(30)])
        self.delivery = self._bucket(
            "Delivery",
            self.keys.patients,
            lock=_lock(stage, stage.audit_retention_days),
            sends_events=True,
            written_by=names.role_arn(DELIVERS),
        )
        self.audit = self._bucket("Audit", self.keys.audit, lock=_lock(stage, stage.audit_retention_days))

    def _bucket(
        self,
        purpose: str,
        key: kms.IKey,
        *,
        lifecycle: list[s3.LifecycleRule] | None = None,
        lock: s3.ObjectLockRetention | None = None,
        sends_events: bool = False,
        written_by: str | None = None,
    ) -> DataBucket:
        private = PrivateBucket(
            self,
            purpose,
            name=self._names.bucket(purpose.lower()),
            key=key,
            access_logs=self._logs,
            lifecycle=lifecycle or [],
            lock=lock,
            sends_events=sends_events,
        )
        if written_by:
            private.leave_writing_to(written_by)
        CfnOutput(self, f"{purpose}Bucket", value=private.bucket.bucket_name)
        return private.data


def _lock(stage: StageConfig, days: int) -> s3.ObjectLockRetention:
    if stage.object_lock_mode == "COMPLIANCE":
        return s3.ObjectLockRetention.compliance(Duration.days(days))
    return s3.ObjectLockRetention.governance(Duration.days(days))


def _query_results() -> s3.LifecycleRule:
    return s3.LifecycleRule(id="expire-query-results", prefix="athena-results/", expiration=Duration.days(30))
