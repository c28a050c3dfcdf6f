"""The lake's tables with their files in a folder, and moto's Glue within the process for a catalog."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from moto import mock_aws
from pyiceberg.catalog.glue import GlueCatalog

from strandline.lake.tables import LakeTable, lake_tables

DATABASE = "lake"


@contextmanager
def open_lake(folder: Path) -> Iterator[GlueCatalog]:
    """Give a catalog with every table of the lake, empty."""
    with mock_aws():
        catalog = GlueCatalog("glue", None, **{"glue.region": "us-east-1"})
        catalog.create_namespace(DATABASE)
        for table in lake_tables().values():
            make_table(catalog, f"file://{folder}", table, table.arrow_schema())
        yield catalog


def make_table(catalog: GlueCatalog, place: str, table: LakeTable, columns: pa.Schema) -> None:
    """Create one table below a URI, with these columns and the partitions of its definition."""
    made = catalog.create_table((DATABASE, table.name), columns, f"{place}/{table.name}")
    with made.update_spec() as update:
        for column in table.partition:
            update.add_identity(column)
