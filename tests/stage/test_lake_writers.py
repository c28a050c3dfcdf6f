"""Many writers of the lake at once. LAK-01: the catalog takes one commit at a time, and each sample is there once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.lake_on_disk import DATABASE, make_table
from strandline.aws.lake import Lake, open_catalog
from strandline.aws.lake_maintenance import compact
from strandline.lake.tables import lake_tables
from tests.integration.made_up_lake import expected, found, load
from tests.stage.compute_stage import running_stage

REGION = "us-east-1"


@pytest.fixture
def open_lake(tmp_path):
    with running_stage(tmp_path) as stage:
        stage.client("s3").create_bucket(Bucket="lake")
        catalog = open_catalog(stage.endpoint_url, REGION)
        catalog.create_namespace(DATABASE)
        for table in lake_tables().values():
            make_table(catalog, "s3://lake", table, table.arrow_schema())
        yield lambda: Lake(DATABASE, open_catalog(stage.endpoint_url, REGION))


def test_samples_that_are_loaded_replaced_and_merged_at_once_are_each_there_once(open_lake):
    samples = {name: [10, 20 + number] for number, name in enumerate("ABCDEF")}
    load(open_lake(), "A", [1, 2, 3])

    def work(name):
        if name is None:
            return compact(open_lake(), most_runs=1)
        return load(open_lake(), name, samples[name])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [*"ABC", None, *"DEF"]))
    lake = open_lake()
    compact(lake, most_runs=1)
    assert found(lake) == found(lake, "sample_variants") == expected(**samples)
