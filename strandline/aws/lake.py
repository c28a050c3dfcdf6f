"""The lake's Iceberg tables through the Glue catalog: replace a submission's rows in one commit."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import boto3
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.io.pyarrow import PyArrowFileIO

from strandline.errors import TemporaryError
from strandline.lake.tables import lake_tables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table

_COMMIT_ATTEMPTS: Final = 5


class Lake:
    """Writes the tables of one Glue database."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._catalog = _open_catalog()

    def replace_rows(self, table_name: str, submission_id: str, make_rows: "Callable[[], Iterable[pa.Table]]") -> int:
        """Replace the submission's rows of one table and return how many there are now.

        Readers see the old rows or the new ones, never neither. `make_rows` is called anew for each try, because
        another writer may commit first.

        Raises:
            TemporaryError: `lake_contended`.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            table = self._catalog.load_table((self._database, table_name))
            try:
                return _replace(table, submission_id, make_rows())
            except CommitFailedException:
                continue
        raise TemporaryError("lake_contended", f"other writers of {table_name} won every race")


def _replace(table: "Table", submission_id: str, batches: "Iterable[pa.Table]") -> int:
    count = 0
    _add_columns(table)
    with table.transaction() as transaction:
        transaction.delete(EqualTo(term=Reference("submission_id"), value=submission_id))
        for batch in batches:
            transaction.append(batch)
            count += batch.num_rows
    return count


def _add_columns(table: "Table") -> None:
    """Append the columns that the definition has and the table has not: one made by an earlier version lacks some.

    CloudFormation makes an Iceberg table and never alters it. Rows that are there have null in a new column.
    """
    wanted = lake_tables()[table.name()[-1]].arrow_schema()
    if not set(wanted.names) <= {field.name for field in table.schema().fields}:
        with table.update_schema() as update:
            update.union_by_name(wanted)


def _open_catalog() -> GlueCatalog:
    """Open the catalog where boto3 finds AWS: pyiceberg's own file access does not read AWS_ENDPOINT_URL."""
    session = boto3.Session()
    properties = {"py-io-impl": f"{PyArrowFileIO.__module__}.{PyArrowFileIO.__name__}"}
    properties |= {"glue.region": session.region_name or "", "s3.region": session.region_name or ""}
    endpoint = str(session.client("s3").meta.endpoint_url)
    if "amazonaws.com" not in endpoint:
        properties |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint}
    return GlueCatalog("glue", None, **properties)
