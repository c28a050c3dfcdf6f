"""`RangedReader`: whole and of one version, whatever the connection does; bounded in memory and in requests."""

import itertools
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.aws import ranged_reading
from strandline.aws.ranged_reading import CHUNK_BYTES, RangedReader
from strandline.errors import RejectedInputError, TemporaryError
from tests.integration.fake_store import FakeStore

BODY = bytes(range(40))
PART = 10


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reading, "_PAUSE_S", 0)


def reader(store: FakeStore, version_id: str | None = None) -> RangedReader:
    return RangedReader(store, "bucket", "k", version_id)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART])
def test_an_object_of_one_part_is_one_request(size):
    store = FakeStore(BODY[:size])
    assert b"".join(reader(store).chunks(PART)) == BODY[:size]
    assert store.ranges == [(0, PART - 1)]


@pytest.mark.parametrize(
    ("size", "ranges"),
    [
        (PART + 1, [(0, 9), (10, 10)]),
        (2 * PART, [(0, 9), (10, 19)]),
        (2 * PART + 5, [(0, 9), (10, 19), (20, 24)]),
    ],
)
def test_each_byte_of_a_larger_object_is_asked_for_once(size, ranges):
    store = FakeStore(BODY[:size])
    assert b"".join(reader(store).chunks(PART)) == BODY[:size]
    assert store.ranges == ranges


@given(
    body=st.binary(max_size=60),
    part=st.integers(1, 20),
    faults=st.lists(st.lists(st.sampled_from(["cut", "timeout", "short"]), max_size=3), max_size=70),
)
def test_whatever_is_cut_less_than_four_times_comes_whole_and_only_its_range_comes_again(body, part, faults):
    of_each_range = [[*fault, ""] for fault in faults]
    store = FakeStore(body, faults=itertools.chain(*of_each_range))
    assert b"".join(reader(store).chunks(part)) == body
    count = max(1, -(-len(body) // part))
    # half of an empty answer is the empty answer: an object without bytes cannot be cut
    tries = [1 + len(fault) for fault in faults[:count]] + [1] * (count - len(faults)) if body else [1]
    assert [first for first, _ in store.ranges] == [
        number * part for number, times in enumerate(tries) for _ in range(times)
    ]


def test_a_range_that_is_cut_four_times_is_given_up():
    store = FakeStore(BODY, faults=["", *["cut"] * 4])
    with pytest.raises(TemporaryError, match=r"^stream_cut: the connection was lost while reading k$"):
        list(reader(store).chunks(PART))
    assert store.ranges.count((10, 19)) == 4


@pytest.mark.parametrize(("asked", "versions"), [(None, [None, "v1.1", "v1.1", "v1.1"]), ("v0", ["v0"] * 4)])
def test_the_version_of_the_first_answer_is_read_to_the_end(asked, versions):
    store = FakeStore(BODY, faults=["", "replaced"])
    assert b"".join(reader(store, asked).chunks(PART)) == BODY
    assert store.versions == versions


def test_where_there_are_no_versions_a_replaced_object_is_not_mixed_with_the_one_before():
    store = FakeStore(BODY, version_id=None, faults=["", "", "replaced"])
    chunks = reader(store).chunks(PART)
    assert next(chunks) + next(chunks) == BODY[:20]
    with pytest.raises(TemporaryError, match=r"^object_replaced: k was replaced while it was read"):
        next(chunks)


@pytest.mark.parametrize("faults", [["deleted"], ["", "deleted"]])
def test_an_object_that_is_not_there_or_no_longer_is_named(faults):
    with pytest.raises(RejectedInputError, match=r"^object_missing: k is not in its bucket"):
        list(reader(FakeStore(BODY, faults=faults)).chunks(PART))


def test_a_refusal_of_aws_is_no_cut_and_is_passed_on():
    class Denied(FakeStore):
        def get_object(self, **_: object) -> dict[str, object]:  # type: ignore[override]  # it answers nobody
            raise ranged_reading.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    with pytest.raises(ranged_reading.ClientError, match="AccessDenied"):
        list(reader(Denied(BODY)).chunks(PART))


def test_who_stops_early_asks_for_no_more_than_the_part_ahead():
    store = FakeStore(BODY)
    chunks = reader(store).chunks(PART)
    assert next(chunks) == BODY[:PART]
    chunks.close()
    assert store.ranges in ([(0, 9)], [(0, 9), (10, 19)])


def test_a_chunk_is_at_most_one_mebibyte_and_a_stream_holds_at_most_two_parts():
    class Zeros(FakeStore):
        """An object that takes no memory itself."""

        def __init__(self) -> None:
            super().__init__(b"")
            self._body: Sequence[int] = _Zeros(24 * CHUNK_BYTES)  # type: ignore[assignment]  # it is only sliced

    tracemalloc.start()
    try:
        sizes = [len(chunk) for chunk in reader(Zeros()).chunks(4 * CHUNK_BYTES)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes == [CHUNK_BYTES] * 24
    # the fake's own range and its stream are a part each, beside the two of the reader
    assert peak < 18 * CHUNK_BYTES


class _Zeros(Sequence[int]):
    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, item):
        return bytes(len(range(*item.indices(self._size))))
