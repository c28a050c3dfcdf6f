"""What stored objects cost a month, now and later, by the lifecycle rules that stand on their buckets.

Source: Amazon S3 user guide, "Managing the lifecycle of objects", "Transitioning objects" (the colder of two rules
wins; objects under 128 KiB stay unless a rule says otherwise) and "Amazon S3 pricing" (128 KiB billed at least in the
infrequent-access tiers; 32 KiB, and 8 KiB in STANDARD, added to each archived object). S3 moves objects at the midnight
after they are due; here they move when they are due.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOOKED_AHEAD_DAYS: Final = (0, 1, 30, 90)
_COLDER: Final = (
    *("STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
)
_BILLED_AT_LEAST: Final = frozenset({"STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"})
_ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_SMALL_BYTES: Final = 128 << 10
_ARCHIVE_ADDED_BYTES: Final = 32 << 10
_ARCHIVE_ADDED_STANDARD_BYTES: Final = 8 << 10
_GIB: Final = 1 << 30


class PriceList(BaseModel):
    """List prices of one region: by storage class a GiB-month and a thousand requests; an hour of a processor; queries.

    `vcpu_hour` is the On-Demand price of a general-purpose instance, divided by its processors (4 GiB come with each).
    `athena_tb` is that of 10^12 bytes which a query reads, where the price list's TB may mean more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    currency: str
    as_of: str
    source: str
    gib_month: dict[str, float]
    put_requests_1000: dict[str, float]
    transition_requests_1000: dict[str, float]
    vcpu_hour: float
    athena_tb: float | None = None

    def query(self, read_bytes: int) -> float | None:
        """Return what a query costs that reads so much; None where the list does not tell."""
        return None if self.athena_tb is None else billed_bytes(read_bytes) / 10**12 * self.athena_tb

    def month(self, tier: str, size_bytes: int) -> float:
        """Return what one object of this size costs a month."""
        billed = max(size_bytes, _SMALL_BYTES) if tier in _BILLED_AT_LEAST else size_bytes
        cost = billed / _GIB * self.gib_month[tier]
        if tier in _ARCHIVES:
            cost += _ARCHIVE_ADDED_BYTES / _GIB * self.gib_month[tier]
            cost += _ARCHIVE_ADDED_STANDARD_BYTES / _GIB * self.gib_month["STANDARD"]
        return cost


def billed_bytes(read_bytes: int) -> int:
    """Return the bytes that Athena charges for: whole megabytes, ten for any query. Source: its pricing page.

    >>> billed_bytes(0), billed_bytes(10_000_001)
    (10000000, 11000000)
    """
    return max(10, -(-read_bytes // 10**6)) * 10**6


def read_prices() -> PriceList:
    """Return the list prices of us-east-1; the list says as of when."""
    return PriceList.model_validate_json(files("strandline.aws").joinpath("prices_us_east_1.json").read_bytes())


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object. `superseded` is when another took its place; None while it is the current one."""

    key: str
    size_bytes: int
    tier: str
    modified: datetime
    superseded: datetime | None = None
    put_requests: int = 1
    tags: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """One rule of a bucket: what it applies to, and after how many days it moves or removes that."""

    prefix: str
    tags: frozenset[tuple[str, str]]
    larger_than: int | None
    smaller_than: int | None
    moves: tuple[tuple[int, str], ...]
    superseded_moves: tuple[tuple[int, str], ...]
    expires: int | None
    superseded_expires: int | None
    small_go_to: frozenset[str]

    def applies(self, stored: StoredObject) -> bool:
        """Tell whether the filter takes an object in."""
        return (
            stored.key.startswith(self.prefix)
            and self.tags <= stored.tags
            and (self.larger_than is None or stored.size_bytes > self.larger_than)
            and (self.smaller_than is None or stored.size_bytes < self.smaller_than)
        )

    def takes(self, stored: StoredObject, tier: str) -> bool:
        """Tell whether an object is large enough for a tier; a size in the filter goes before the general rule."""
        has_size = self.larger_than is not None or self.smaller_than is not None
        return has_size or stored.size_bytes >= _SMALL_BYTES or tier in self.small_go_to


def tier_at(stored: StoredObject, rules: Sequence[LifecycleRule], moment: datetime) -> str | None:
    """Return the storage class of an object at a moment to come; None once it is gone."""
    applying = [rule for rule in rules if rule.applies(stored)]
    superseded = stored.superseded
    if superseded is None:
        ends = [stored.modified + timedelta(days=rule.expires) for rule in applying if rule.expires is not None]
        superseded = min(ends, default=None)
    is_old = superseded is not None and superseded <= moment
    since = superseded if superseded is not None and is_old else stored.modified
    age = moment - since
    if is_old and any(
        rule.superseded_expires is not None and age >= timedelta(days=rule.superseded_expires) for rule in applying
    ):
        return None
    due = [
        tier
        for rule in applying
        for days, tier in (rule.superseded_moves if is_old else rule.moves)
        if age >= timedelta(days=days) and rule.takes(stored, tier)
    ]
    return max([stored.tier, *due], key=_COLDER.index)


@dataclass(slots=True)
class TierCost:
    """What lies in one tier of one bucket some days from now: a month of it, and once for getting there."""

    after_days: int
    bucket: str
    tier: str
    objects: int = 0
    size_bytes: int = 0
    month: float = 0.0
    once: float = 0.0


class StorageCosts:
    """Sums up what lies under the submissions of a stage. `bucket_by_purpose` says which bucket is for what."""

    def __init__(self, client: "S3Client", bucket_by_purpose: Mapping[str, str]) -> None:
        self._client = client
        self._buckets = bucket_by_purpose

    def estimate(self, prefix: str, prices: PriceList, now: datetime) -> list[TierCost]:
        """Return what lies under a prefix, by day, bucket and tier, the days in order."""
        costs: dict[tuple[int, str, str], TierCost] = {}
        for purpose, bucket in self._buckets.items():
            rules = self._rules(bucket)
            for stored in self._stored(bucket, prefix, rules):
                _add(costs, purpose, stored, rules=rules, prices=prices, now=now)
        order = list(self._buckets)
        return sorted(costs.values(), key=lambda c: (c.after_days, order.index(c.bucket), _COLDER.index(c.tier)))

    def _rules(self, bucket: str) -> list[LifecycleRule]:
        try:
            found: Any = self._client.get_bucket_lifecycle_configuration(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                return []
            raise
        varies = found.get("TransitionDefaultMinimumObjectSize") == "varies_by_storage_class"
        small_go_to = _ARCHIVES if varies else frozenset[str]()
        return [_rule(rule, small_go_to) for rule in found["Rules"] if rule["Status"] == "Enabled"]

    def _stored(self, bucket: str, prefix: str, rules: Sequence[LifecycleRule]) -> Iterator[StoredObject]:
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        previous: Any = None
        for version in (version for page in pages for version in page.get("Versions", [])):  # the newest first
            superseded = None
            if not version["IsLatest"]:
                follows = previous is not None and previous["Key"] == version["Key"]
                superseded = previous["LastModified"] if follows else version["LastModified"]
            previous = version
            tags = frozenset[tuple[str, str]]()
            if any(rule.tags and version["Key"].startswith(rule.prefix) for rule in rules):
                tags = self._tags(bucket, version)
            yield StoredObject(
                key=version["Key"],
                size_bytes=version["Size"],
                tier=str(version.get("StorageClass", "STANDARD")),
                modified=version["LastModified"],
                superseded=superseded,
                put_requests=_put_requests(version["ETag"]),
                tags=tags,
            )

    def _tags(self, bucket: str, version: Any) -> frozenset[tuple[str, str]]:
        found = self._client.get_object_tagging(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        return frozenset((tag["Key"], tag["Value"]) for tag in found["TagSet"])


def _add(
    costs: dict[tuple[int, str, str], TierCost],
    bucket: str,
    stored: StoredObject,
    *,
    rules: Sequence[LifecycleRule],
    prices: PriceList,
    now: datetime,
) -> None:
    before = None
    for days in LOOKED_AHEAD_DAYS:
        tier = stored.tier if days == 0 else tier_at(stored, rules, now + timedelta(days=days))
        if tier is None:
            return
        cost = costs.setdefault((days, bucket, tier), TierCost(days, bucket, tier))
        cost.objects += 1
        cost.size_bytes += stored.size_bytes
        cost.month += prices.month(tier, stored.size_bytes)
        if before is None:
            cost.once += stored.put_requests * prices.put_requests_1000["STANDARD"] / 1000
        elif tier != before:
            cost.once += prices.transition_requests_1000[tier] / 1000
        before = tier


def _put_requests(etag: str) -> int:
    """Return how many requests stored an object: each part, and one to begin and one to end an upload in parts."""
    parts = etag.strip('"').partition("-")[2]
    return int(parts) + 2 if parts.isdecimal() else 1


def _rule(rule: Any, small_go_to: Iterable[str]) -> LifecycleRule:
    given = rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}
    both = given.get("And", given)
    tags = [*both.get("Tags", []), *([both["Tag"]] if "Tag" in both else [])]
    return LifecycleRule(
        prefix=both.get("Prefix", ""),
        tags=frozenset((tag["Key"], tag["Value"]) for tag in tags),
        larger_than=both.get("ObjectSizeGreaterThan"),
        smaller_than=both.get("ObjectSizeLessThan"),
        moves=tuple((move["Days"], move["StorageClass"]) for move in rule.get("Transitions", []) if "Days" in move),
        superseded_moves=tuple(
            (move["NoncurrentDays"], move["StorageClass"]) for move in rule.get("NoncurrentVersionTransitions", [])
        ),
        expires=rule.get("Expiration", {}).get("Days"),
        superseded_expires=rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        small_go_to=frozenset(small_go_to),
    )
