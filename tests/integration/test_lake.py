"""Tables of an earlier version. LAK-01: what was loaded before stays, and old queries go on."""

from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.lake_on_disk import make_table, open_lake
from strandline.aws.lake import Lake
from strandline.lake.rows import LoadedSample
from strandline.lake.tables import lake_tables
from strandline.landing.manifest import SampleDeclaration
from tests.unit.lake_calls import variants_of
from tests.unit.made_up import NAMED, call

SCHEMA = lake_tables()["variants"].arrow_schema()
EARLIER = pa.schema([field for field in SCHEMA if not field.name.startswith(("hgvs", "most_severe", "population"))])


@pytest.fixture
def earlier_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with open_lake(tmp_path / "now") as catalog:
        catalog.drop_table(("lake", "variants"))
        make_table(catalog, f"file://{tmp_path}", lake_tables()["variants"], EARLIER)
        (rows,) = variants_of([call(position=7)], sample("s-0"))
        catalog.load_table(("lake", "variants")).append(rows.select(EARLIER.names).cast(EARLIER))
        yield catalog


def sample(submission_id: str) -> LoadedSample:
    return LoadedSample(submission_id, SampleDeclaration(sample_id="HG002"), "slice", "0c2b")


def test_a_table_of_an_earlier_version_gets_the_new_columns_and_keeps_its_rows(earlier_table):
    for _ in range(2):  # a step may run twice
        Lake("lake").replace_rows("variants", "s-1", lambda: variants_of([call(**NAMED)], sample("s-1")))
    table = earlier_table.load_table(("lake", "variants"))
    assert {field.name for field in table.schema().fields} == set(SCHEMA.names)
    rows = {row["submission_id"]: row for row in table.scan().to_arrow().to_pylist()}
    assert len(rows) == 2
    assert (rows["s-0"]["position"], rows["s-0"]["hgvs_genomic"]) == (7, None)
    assert rows["s-1"]["hgvs_genomic"] == "NC_000013.11:g.32316461G>A"
