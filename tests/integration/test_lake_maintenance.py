"""Replacing, merging, erasing, forgetting. LAK-01: each may run twice, and rows stay what they were."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.exceptions import CommitFailedException

from benchmarks.lake_on_disk import open_lake
from strandline.aws import lake as lake_module
from strandline.aws import lake_files
from strandline.aws.lake import Lake
from strandline.aws.lake_files import read_column
from strandline.aws.lake_maintenance import compact, erase_subject, expire, history
from strandline.errors import TemporaryError
from tests.integration.made_up_lake import OTHERS, expected, found, load, rows_of


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with open_lake(tmp_path) as catalog:
        yield Lake("lake", catalog)


@pytest.mark.parametrize("is_merged", [False, True])
def test_a_sample_is_replaced_in_both_orders_before_and_after_merging(lake, is_merged):
    load(lake, "A", [10, 20])
    load(lake, "B", [10, 30])
    if is_merged:
        compact(lake, most_runs=1)
    for _ in range(2):  # a step may run twice
        assert load(lake, "A", [11]) == 2
    assert found(lake) == found(lake, "sample_variants") == expected(A=[11], B=[10, 30])


def test_merged_rows_are_the_same_rows_in_one_sorted_file_a_contig(lake):
    for sample, positions in {"A": [10, 20, 400], "B": [5, 20], "C": [300]}.items():
        load(lake, sample, positions)
    before = found(lake)
    merged = compact(lake, most_runs=1)
    assert (merged.files_before, merged.files_after, merged.rows_written) == (6, 2, 12)
    assert found(lake) == before
    for task in lake.load("variants").scan().plan_files():
        with lake.load("variants").io.new_input(task.file.file_path).open() as source:
            positions = pq.read_table(source)["position"].to_pylist()
        assert positions == [5, 10, 20, 20, 300, 400]
    assert compact(lake, most_runs=1).rows_written == 0


def test_maps_and_lists_are_the_same_after_merging(lake):
    for sample in "BA":
        load(lake, sample, [10, 20])
    compact(lake, most_runs=1)
    rows = lake.load("variants").scan().to_arrow().to_pylist()
    assert [dict(row["sample_fields"]) for row in rows] == [OTHERS["sample_fields"]] * 8
    assert [row["phred_likelihoods"] for row in rows] == [OTHERS["phred_likelihoods"]] * 8


def test_many_small_files_after_merging_do_not_share_a_position_and_are_not_merged_again(lake, monkeypatch):
    monkeypatch.setattr(lake_files, "ROWS_PER_FILE", 4)
    monkeypatch.setattr(lake_files, "ROWS_PER_GROUP", 2)
    monkeypatch.setattr("strandline.aws.lake_maintenance.rows_per_batch", lambda _: 3)
    positions = list(range(10, 40))
    for sample in "ABC":
        load(lake, sample, positions)
    merged = compact(lake, most_runs=1)
    assert merged.rows_written == 180
    assert merged.files_after > 2
    assert found(lake) == expected(A=positions, B=positions, C=positions)
    assert compact(lake, most_runs=1).rows_written == 0


def test_small_files_of_single_samples_are_put_together_once_they_are_many(lake, monkeypatch):
    monkeypatch.setattr("strandline.aws.lake_maintenance.MOST_SMALL", 3)
    samples = {name: [10, 20] for name in ("D", "B", "C", "A")}
    for sample, positions in list(samples.items())[:3]:
        load(lake, sample, positions)
    assert compact(lake, "sample_variants").rows_written == compact(lake, "samples").rows_written == 0
    load(lake, "A", samples["A"])
    for table, rows in {"sample_variants": 16, "samples": 4}.items():
        merged = compact(lake, table)
        assert (merged.files_before, merged.files_after, merged.rows_written) == (4, 1, rows)
        assert compact(lake, table).rows_written == 0
    assert found(lake, "sample_variants") == expected(**samples)
    assert load(lake, "B", [30]) == 2
    assert found(lake) == found(lake, "sample_variants") == expected(**{**samples, "B": [30]})


def test_rows_that_another_writer_left_out_of_order_are_merged_too(lake):
    load(lake, "A", [10, 20])
    rows = rows_of("B", [30, 5, 15])
    lake.load("variants").append(rows.sort_by([("contig", "ascending"), ("position", "descending")]))
    compact(lake, most_runs=1)
    assert found(lake) == expected(A=[10, 20], B=[5, 15, 30])
    assert compact(lake, most_runs=1).rows_written == 0
    table = lake.load("variants")
    for task in table.scan().plan_files():
        assert read_column(table, task, "position").to_pylist() == [5, 10, 15, 20, 30]


def test_several_samples_of_one_submission_lie_by_sample_in_the_copy(lake):
    by_position = pa.concat_tables([rows_of(sample, [at]) for at in (10, 20) for sample in "BA"])
    lake.replace_rows("variants", "s-A", lambda: [by_position])
    (task,) = lake.load("sample_variants").scan().plan_files()
    assert read_column(lake.load("sample_variants"), task, "sample_id").to_pylist() == ["A"] * 4 + ["B"] * 4
    assert found(lake, "sample_variants") == found(lake) == expected(A=[10, 20], B=[10, 20])


def test_files_of_one_sample_and_of_several_are_put_together(lake, monkeypatch):
    """What is sorted has other types of text than what is not."""
    monkeypatch.setattr("strandline.aws.lake_maintenance.MOST_SMALL", 1)
    lake.replace_rows("variants", "s-A", lambda: [pa.concat_tables([rows_of(sample, [10]) for sample in "CA"])])
    load(lake, "B", [20])
    assert compact(lake, "sample_variants").files_after == 1
    assert found(lake, "sample_variants") == found(lake) == expected(A=[10], B=[20], C=[10])


def test_a_few_files_over_one_position_are_left_alone(lake):
    for sample in "ABCD":
        load(lake, sample, [10, 20])
    assert compact(lake).rows_written == 0
    load(lake, "E", [10, 20])
    assert compact(lake).rows_written == 20


def test_an_erased_subject_is_in_no_table_and_the_others_are_as_they_were(lake):
    load(lake, "A", [10, 20], subject="PT1")
    load(lake, "B", [10, 30], subject="PT2")
    load(lake, "C", [10, 40], subject="PT1")
    compact(lake, most_runs=1)
    erased = erase_subject(lake, "PT1")
    assert {name: count for name, count in erased.items() if count} == {
        "variants": 8,
        "sample_variants": 8,
        "samples": 2,
    }
    assert found(lake) == found(lake, "sample_variants") == expected(B=[10, 30])
    assert lake.load("samples").scan().to_arrow()["sample_id"].to_pylist() == ["B"]
    assert erase_subject(lake, "PT1") == {}


def test_what_was_erased_is_gone_from_the_disk_once_snapshots_have_expired(lake, tmp_path):
    load(lake, "SAMPLE-TO-ERASE", [10], subject="PT1")
    load(lake, "B", [10], subject="PT2")
    erase_subject(lake, "PT1")

    def holders():
        return [path for path in tmp_path.rglob("*") if path.is_file() and b"SAMPLE-TO-ERASE" in path.read_bytes()]

    assert holders()
    for _ in range(2):
        expire(lake, datetime.now(UTC) + timedelta(seconds=1))
    assert holders() == []
    assert found(lake) == expected(B=[10])


def test_expiry_keeps_what_is_young_and_the_last_snapshot(lake):
    load(lake, "A", [10])
    load(lake, "A", [11])
    load(lake, "A", [12])
    kept = len(history(lake, "variants"))
    assert all(table.snapshots == table.files == 0 for table in expire(lake, datetime.now(UTC) - timedelta(hours=1)))
    assert len(history(lake, "variants")) == kept
    expire(lake, datetime.now(UTC) + timedelta(seconds=1))
    (last,) = history(lake, "variants")
    assert last.is_current
    assert found(lake) == expected(A=[12])


def test_an_earlier_snapshot_is_read_as_it_was(lake):
    load(lake, "A", [10])
    before = history(lake, "variants")[0]
    load(lake, "B", [20])
    table = lake.load("variants")
    assert len(table.scan(snapshot_id=before.snapshot_id).to_arrow()) == before.total_rows == 2
    assert [change.total_rows for change in history(lake, "variants")] == [4, 2]


def test_a_load_that_commits_while_files_are_merged_is_kept(lake, monkeypatch):
    for sample in "AB":
        load(lake, sample, [10, 20])
    during = iter([lambda: load(lake, "C", [15])])
    commit = lake_module.replace_files

    def commit_after_another(table, old, new, **rest):
        next(during, lambda: None)()
        commit(table, old, new, **rest)

    monkeypatch.setattr("strandline.aws.lake_maintenance.replace_files", commit_after_another)
    compact(lake, most_runs=1)
    assert found(lake) == expected(A=[10, 20], B=[10, 20], C=[15])


def test_a_sample_replaced_while_files_are_merged_is_as_it_was_replaced(lake, monkeypatch):
    for sample in "AB":
        load(lake, sample, [10, 20])
    during = iter([lambda: load(lake, "A", [99])])
    commit = lake_module.replace_files

    def commit_after_another(table, old, new, **rest):
        next(during, lambda: None)()
        commit(table, old, new, **rest)

    monkeypatch.setattr("strandline.aws.lake_maintenance.replace_files", commit_after_another)
    compact(lake, most_runs=1)
    assert found(lake) == expected(A=[99], B=[10, 20])


def test_a_writer_that_loses_every_race_says_so(lake, monkeypatch):
    def lose(*_, **__):
        raise CommitFailedException("another was first")

    monkeypatch.setattr(lake_module, "replace_files", lose)
    with pytest.raises(TemporaryError, match="variants"):
        load(lake, "A", [10])
