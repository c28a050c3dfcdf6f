"""A query reads the columns and row groups that it needs, and its bytes are those of their column chunks.

Source of what Athena bills: https://docs.aws.amazon.com/athena/latest/ug/columnar-storage.html; sizes are those that
Parquet's footer states (`ColumnMetaData.total_compressed_size`).
"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local_stage.athena.rows import View
from local_stage.athena.scans import Condition
from local_stage.athena.sources import scanned_bytes
from local_stage.athena.types import BIGINT, VARCHAR
from tests.unit.trino_sessions import MemoryCatalog, answer

KINDS = {"contig": VARCHAR, "position": BIGINT, "depth": BIGINT, "note": VARCHAR}
DATA = pa.table(
    {
        "contig": ["chr1", "chr1", "chr2", "chr2"],
        "position": [100, 200, 50, 60],
        "depth": [1, 2, 3, None],
        "note": ["a", "b", "c", "d"],
    }
)
NARROW = View("SELECT contig, position, depth, note FROM variants WHERE depth > 1", "db", KINDS)


def reads(sql):
    """Return the columns and the conditions of each scan of a query."""
    catalog = MemoryCatalog({"variants": (KINDS, DATA)}, {"narrow": NARROW})
    answer(sql, catalog=catalog)
    return [(scan.used, scan.conditions) for scan in catalog.scans]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT position FROM variants", [{"position"}]),
        ("SELECT count(*) FROM variants", [set()]),
        ("SELECT count(note) FROM variants", [{"note"}]),
        ("SELECT position FROM variants WHERE contig = 'chr1' ORDER BY depth", [{"position", "contig", "depth"}]),
        ("SELECT contig, sum(depth) FROM variants GROUP BY contig", [{"contig", "depth"}]),
        ("SELECT position FROM (SELECT * FROM variants)", [{"position"}]),
        ("SELECT DISTINCT position FROM (SELECT DISTINCT * FROM variants)", [set(KINDS)]),
        ("WITH v AS (SELECT * FROM variants) SELECT a.depth FROM v a JOIN v b ON a.position = b.position",
         [{"depth", "position"}, {"position"}]),
        ("SELECT (SELECT max(note) FROM variants u WHERE u.position = v.position) FROM variants v",
         [{"position"}, {"note", "position"}]),
        ("SELECT position FROM narrow", [{"position", "depth"}]),
        ("SELECT position, row_number() OVER (PARTITION BY contig ORDER BY depth) FROM variants",
         [{"position", "contig", "depth"}]),
        ("SELECT 1 FROM variants UNION ALL SELECT depth FROM variants", [set(), {"depth"}]),
    ],
)  # fmt: skip
def test_a_query_reads_the_columns_that_it_needs(sql, columns):
    assert [used for used, _ in reads(sql)] == columns


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ("contig = 'chr1'", [Condition("contig", "=", ("chr1",))]),
        (
            "'chr1' = contig AND position >= 100",
            [Condition("contig", "=", ("chr1",)), Condition("position", ">=", (100,))],
        ),
        ("position BETWEEN -5 AND 60", [Condition("position", "BETWEEN", (-5, 60))]),
        ("(contig IN ('chr1', 'chr2'))", [Condition("contig", "IN", ("chr1", "chr2"))]),
        ("contig = 'chr1' OR position = 1", []),
        ("NOT (contig = 'chr1')", []),
        ("contig || 'x' = 'chr1x'", []),
        ("position = depth", []),
    ],
)
def test_a_condition_that_every_row_has_to_meet_is_known(where, conditions):
    assert reads(f"SELECT 1 FROM variants WHERE {where}")[0][1] == conditions


def test_a_condition_reaches_the_table_through_a_view_but_not_through_a_limit():
    through_view = reads("SELECT 1 FROM narrow WHERE contig = 'chr1'")
    through_limit = reads("SELECT 1 FROM (SELECT contig FROM variants LIMIT 1) WHERE contig = 'chr1'")

    assert Condition("contig", "=", ("chr1",)) in through_view[0][1]
    assert through_limit[0][1] == []


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "variants.parquet"
    pq.write_table(DATA, path, row_group_size=2)  # chr1 in the first row group, chr2 in the second
    return path


@pytest.mark.parametrize(
    ("columns", "conditions", "chunks"),
    [
        ({"position"}, [], [(0, 1), (1, 1)]),
        ({"position", "contig"}, [Condition("contig", "=", ("chr2",))], [(1, 0), (1, 1)]),
        ({"position"}, [Condition("position", ">", (60,))], [(0, 1)]),
        ({"position"}, [Condition("position", ">=", (60,))], [(0, 1), (1, 1)]),
        ({"position"}, [Condition("position", "<", (50,))], []),
        ({"position"}, [Condition("position", "BETWEEN", (61, 99))], []),
        ({"note"}, [Condition("contig", "IN", ("chr1", "chr3"))], [(0, 3)]),
        ({"note"}, [Condition("contig", "=", (1,))], [(0, 3), (1, 3)]),  # of another type: nothing is known
        (set(), [], []),
    ],
)
def test_bytes_are_those_of_the_column_chunks_that_are_read(file, columns, conditions, chunks):
    metadata = pq.read_metadata(file)
    expected = sum(metadata.row_group(group).column(column).total_compressed_size for group, column in chunks)

    assert scanned_bytes([file], columns, conditions) == expected
