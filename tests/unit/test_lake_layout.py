"""The order of rows in the lake's files. LAK-01, LAK-07: what is at one place lies together, and rows stay the same."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.lake.layout import (
    MOST_STREAMS,
    ROWS_PER_GROUP,
    FileRange,
    bloom_filters,
    conform,
    merge_sorted,
    rows_per_batch,
    runs_of,
    sort_pieces,
)
from strandline.lake.tables import lake_tables

PLACES = st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda place: (place[0], place[0] + place[1]))


@given(st.lists(PLACES, max_size=30))
def test_runs_hold_each_file_once_do_not_overlap_and_are_as_many_as_files_over_one_position(places):
    runs = runs_of([FileRange(first, last, number) for number, (first, last) in enumerate(places)])
    assert sorted(file.file for run in runs for file in run) == list(range(len(places)))
    assert all(one.last < other.first for run in runs for one, other in itertools.pairwise(run))
    deepest = max((sum(a <= at <= b for a, b in places) for at in range(1, 90)), default=0)
    assert len(runs) == deepest


ROWS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from("ACGT")), max_size=40)


def stream(rows, size):
    ordered = sorted(rows)
    for start in range(0, len(ordered), size):
        part = ordered[start : start + size]
        yield pa.table({"position": [row[0] for row in part], "ref": [row[1] for row in part]})


@given(st.lists(ROWS, max_size=6), st.integers(1, 7))
def test_merged_rows_are_all_rows_in_order_whatever_the_size_of_the_pieces(streams, size):
    merged = list(merge_sorted([stream(rows, size) for rows in streams], ("position", "ref")))
    pairs = [(row["position"], row["ref"]) for table in merged for row in table.to_pylist()]
    assert pairs == sorted(row for rows in streams for row in rows)


def test_a_stream_that_is_not_in_order_is_refused():
    backwards = iter([pa.table({"position": [7, 9], "ref": ["A", "A"]}), pa.table({"position": [3], "ref": ["A"]})])
    other = iter([pa.table({"position": [20], "ref": ["A"]})])
    with pytest.raises(ValueError, match="not in the order of position"):
        list(merge_sorted([backwards, other], ("position", "ref")))


@given(ROWS, st.integers(1, 7))
def test_pieces_are_sorted_and_hold_the_same_rows(rows, size):
    schema = pa.schema([("position", pa.int64()), ("ref", pa.string())])
    sorted_pieces = sort_pieces(stream(rows, size), ("ref", "position"), schema)
    pieces = [(row["ref"], row["position"]) for table in sorted_pieces for row in table.to_pylist()]
    assert sorted(pieces) == sorted((ref, position) for position, ref in rows)
    if len({ref for _, ref in rows}) > 1 and size > len(rows):
        assert pieces == sorted(pieces)


MAPS = st.lists(st.none() | st.dictionaries(st.sampled_from("AB"), st.none() | st.text(max_size=2)), max_size=8)


@given(MAPS, st.integers(0, 3), st.booleans())
def test_rows_get_the_columns_asked_for_and_maps_keep_their_entries(maps, skipped, is_sorted):
    plain = pa.map_(pa.string(), pa.string())
    numbered = pa.map_(pa.field("key", pa.string(), nullable=False, metadata={"id": "1"}), pa.string())
    entries = [None if one is None else list(one.items()) for one in maps]
    rows = pa.table({"n": pa.array(range(len(maps), 0, -1), pa.int32()), "m": pa.array(entries, plain)})
    rows = (rows.sort_by("n") if is_sorted else rows).slice(skipped)
    asked = pa.schema([("x", pa.string()), ("m", numbered), ("n", pa.int64())])
    made = conform(rows, asked)
    made.validate(full=True)
    assert made.schema == asked
    assert made["m"].to_pylist() == rows["m"].to_pylist()
    assert made["n"].to_pylist() == rows["n"].to_pylist()
    assert made["x"].null_count == rows.num_rows


def test_bloom_filters_are_on_what_is_asked_for_by_name_and_smaller_than_a_column():
    """A filter of 8,192 names that errs once in a hundred takes 9.6 bits a name: some 10 kB (Bloom 1970)."""
    filters = bloom_filters(lake_tables()["variants"])
    assert set(filters) == {"rsid", "gene"}
    assert filters["rsid"] == {"ndv": ROWS_PER_GROUP // 8, "fpp": 0.01}
    assert bloom_filters(lake_tables()["samples"]) == {}


@given(st.integers(0, 4 * MOST_STREAMS))
def test_streams_that_are_merged_are_held_in_memory_as_few_rows_each_as_they_are_many(streams):
    assert streams * rows_per_batch(streams) <= max(1 << 20, streams * 1024)


def test_a_copy_of_a_table_has_its_columns_in_another_order_of_rows():
    copy, original = lake_tables()["sample_variants"], lake_tables()["variants"]
    assert copy.columns == original.columns
    assert copy.copy_of == "variants"
    assert copy.sort[0] == "sample_id"


@pytest.mark.parametrize("name", lake_tables())
def test_what_a_template_can_say_of_a_column_is_short_enough(name):
    """AWS::Glue::Table IcebergStructField: Doc has at most 255 characters."""
    assert all(len(column.doc) <= 255 for column in lake_tables()[name].columns)
