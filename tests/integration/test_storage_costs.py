"""What stored objects cost, by the rules of the buckets themselves. Requirement: ING-09, ING-10.

Expected costs are worked out by hand from the list prices of us-east-1 that stand here.
"""

from datetime import UTC, datetime, timedelta

import pytest

from strandline.aws.storage_costs import LifecycleRule, StorageCosts, StoredObject, _rule, read_prices, tier_at
from tests.integration.conftest import Aws

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1 << 20
GIB = 1 << 30
RAW_DATA = {  # as infra/stacks/storage.py puts it on the landing bucket
    "ID": "raw-data-cool-then-archived",
    "Status": "Enabled",
    "Filter": {"Prefix": "submissions/"},
    "Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}, {"Days": 90, "StorageClass": "GLACIER"}],
}
ALIGNED = {
    "ID": "aligned-reads-cool",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "submissions/", "Tags": [{"Key": "tier", "Value": "cool"}]}},
    "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
}
SUPERSEDED = {
    "ID": "expire-superseded-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
}


def stored(size_bytes: int = GIB, **changes) -> StoredObject:
    given = {"key": "submissions/s-1/x", "size_bytes": size_bytes, "tier": "STANDARD", "modified": DAY_ZERO}
    return StoredObject(**(given | changes))


def rules(*described: dict, small_go_to: tuple[str, ...] = ()) -> list[LifecycleRule]:
    return [_rule(rule, small_go_to) for rule in described]


def tiers(one: StoredObject, found: list[LifecycleRule]) -> list[str | None]:
    return [tier_at(one, found, DAY_ZERO + timedelta(days=days)) for days in (0, 1, 30, 90)]


def test_raw_data_cools_on_the_first_day_and_is_archived_after_ninety():
    assert tiers(stored(), rules(RAW_DATA)) == ["STANDARD", "GLACIER_IR", "GLACIER_IR", "GLACIER"]
    assert tiers(stored(key="elsewhere/x"), rules(RAW_DATA)) == ["STANDARD"] * 4


def test_small_objects_stay_unless_the_bucket_or_the_rule_says_otherwise():
    small = stored((128 << 10) - 1)
    assert tiers(small, rules(RAW_DATA)) == ["STANDARD"] * 4
    assert tiers(small, rules(RAW_DATA, small_go_to=("GLACIER",)))[3] == "GLACIER"
    sized = RAW_DATA | {"Filter": {"And": {"Prefix": "submissions/", "ObjectSizeGreaterThan": 1000}}}
    assert tiers(small, rules(sized)) == ["STANDARD", "GLACIER_IR", "GLACIER_IR", "GLACIER"]
    assert tiers(stored(1000), rules(sized)) == ["STANDARD"] * 4


def test_only_what_is_tagged_cools_and_nothing_gets_warmer():
    tagged = stored(tags=frozenset({("tier", "cool")}))
    assert tiers(tagged, rules(ALIGNED)) == ["STANDARD", "STANDARD", "STANDARD_IA", "STANDARD_IA"]
    assert tiers(stored(), rules(ALIGNED)) == ["STANDARD"] * 4
    assert tiers(stored(tier="DEEP_ARCHIVE"), rules(RAW_DATA)) == ["DEEP_ARCHIVE"] * 4


def test_what_was_superseded_goes_when_its_time_is_up():
    old = stored(superseded=DAY_ZERO)
    assert tiers(old, rules(SUPERSEDED)) == ["STANDARD", "STANDARD", None, None]
    expiring = SUPERSEDED | {"Expiration": {"Days": 1}}
    assert tiers(stored(), rules(expiring)) == ["STANDARD", "STANDARD", "STANDARD", None]


def test_a_month_costs_what_the_price_list_says():
    prices = read_prices()
    assert prices.month("STANDARD", GIB) == pytest.approx(0.023)
    assert prices.month("GLACIER_IR", GIB) == pytest.approx(0.004)
    assert prices.month("STANDARD_IA", 1) == pytest.approx(0.0125 / 8192)  # 128 KiB are billed at least
    # 1 GiB and 32 KiB in the archive, 8 KiB beside it
    assert prices.month("GLACIER", GIB) == pytest.approx(0.0036 * (1 + 1 / 32768) + 0.023 / 131072)
    assert {"region", "as_of", "source"} <= prices.model_dump().keys()


def put(aws: Aws, bucket: str, key: str, size: int, **options) -> None:
    aws.s3.put_object(Bucket=bucket, Key=key, Body=bytes(size), **options)


def test_a_submission_is_summed_up_by_bucket_and_tier(aws):
    put_rules = aws.s3.put_bucket_lifecycle_configuration
    put_rules(Bucket="landing", LifecycleConfiguration={"Rules": [RAW_DATA]})
    put_rules(Bucket="analysis", LifecycleConfiguration={"Rules": [ALIGNED]})
    put(aws, "landing", "submissions/s-1/reads_1.fastq.gz", 2 * MIB)
    put(aws, "landing", "submissions/s-1/manifest.json", 500)
    put(aws, "landing", "submissions/s-2/reads_1.fastq.gz", 3 * MIB)
    put(aws, "analysis", "submissions/s-1/aligned.cram", MIB, Tagging="tier=cool")
    put(aws, "analysis", "submissions/s-1/calls.vcf.gz", MIB)
    costs = StorageCosts(aws.s3, {"landing": "landing", "quarantine": "quarantine", "analysis": "analysis"})
    found = costs.estimate("submissions/s-1/", read_prices(), datetime.now(UTC) + timedelta(minutes=1))
    assert [(c.after_days, c.bucket, c.tier, c.objects, c.size_bytes) for c in found] == [
        (0, "landing", "STANDARD", 2, 2 * MIB + 500),
        (0, "analysis", "STANDARD", 2, 2 * MIB),
        (1, "landing", "STANDARD", 1, 500),
        (1, "landing", "GLACIER_IR", 1, 2 * MIB),
        (1, "analysis", "STANDARD", 2, 2 * MIB),
        (30, "landing", "STANDARD", 1, 500),
        (30, "landing", "GLACIER_IR", 1, 2 * MIB),
        (30, "analysis", "STANDARD", 1, MIB),
        (30, "analysis", "STANDARD_IA", 1, MIB),
        (90, "landing", "STANDARD", 1, 500),
        (90, "landing", "GLACIER", 1, 2 * MIB),
        (90, "analysis", "STANDARD", 1, MIB),
        (90, "analysis", "STANDARD_IA", 1, MIB),
    ]
    assert found[0].once == pytest.approx(2 * 0.005 / 1000)
    assert found[3].once == pytest.approx(0.02 / 1000)
    assert found[3].month == pytest.approx(2 / 1024 * 0.004)


def test_versions_that_were_superseded_cost_too(aws):
    for size in (MIB, 2 * MIB):
        put(aws, "landing", "submissions/s-1/x", size)
    (now,) = (
        cost
        for cost in StorageCosts(aws.s3, {"landing": "landing"}).estimate("submissions/", read_prices(), DAY_ZERO)
        if cost.after_days == 0
    )
    assert (now.objects, now.size_bytes) == (2, 3 * MIB)
