"""The lake's Iceberg tables through the Glue catalog: what belongs to one submission is replaced in one commit."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.io.pyarrow import PyArrowFileIO

from strandline.aws.lake_files import DataFileWriter, read_column, read_rows
from strandline.errors import RejectedInputError, TemporaryError
from strandline.lake.layout import ROWS_PER_GROUP, sort_pieces
from strandline.lake.tables import LakeTable, lake_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

_COMMIT_ATTEMPTS: Final = 5
_GLUE_CONFIG: Final = Config(retries={"mode": "standard", "max_attempts": 10})  # as pyiceberg would
_PROPERTIES: Final = {
    # other writers than ours: Athena, Spark
    "write.parquet.compression-codec": "zstd",
    "write.parquet.row-group-limit": str(ROWS_PER_GROUP),
    # names are compared as a whole, and statistics are cut to 16 characters unless told
    "write.metadata.metrics.column.submission_id": "full",
    "write.metadata.metrics.column.sample_id": "full",
    "commit.retry.num-retries": "10",  # where nobody touched the same rows; else we begin anew
    "commit.retry.max-wait-ms": "2000",
}


class Lake:
    """Writes the tables of one Glue database."""

    def __init__(self, database: str, catalog: "Catalog | None" = None) -> None:
        self._database = database
        self._catalog = catalog or open_catalog()

    def replace_rows(self, table_name: str, value: str, make_rows: "Callable[[], Iterable[pa.Table]]") -> int:
        """Replace what belongs to one submission (release, cohort) in one table, and return how many rows it has now.

        Readers see the old rows or the new ones, never neither. `make_rows` is called anew for each try, because
        another writer may commit first, and for a table of which there is a copy in another order. Rows should come in
        the order of the table. One submission is not to be loaded twice at a time: executions are named after it.

        Raises:
            TemporaryError: `lake_contended`.
        """
        # A copy is written first. Only what it has had can be among the merged rows of many samples, which are long to
        # search; a first load need not look there.
        copies = [definition for definition in lake_tables().values() if definition.copy_of == table_name]
        was_there = not copies or self.holds("samples", value)
        for copy in copies:
            was_there |= self.holds(copy.name, value)
            self._replace(copy, value, partial(_make_sorted, make_rows, copy), search_merged=True)
        return self._replace(lake_tables()[table_name], value, make_rows, search_merged=was_there)

    def load(self, table_name: str) -> "Table":
        """Open a table, with the columns and properties of today.

        Raises:
            RejectedInputError: `table_missing`.
            TemporaryError: `lake_contended`.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            try:
                table = self._catalog.load_table((self._database, table_name))
            except NoSuchTableError:
                says = f"the stage was deployed before there was a table {table_name}: deploy it anew"
                raise RejectedInputError("table_missing", says) from None
            try:
                prepare_table(table, lake_tables()[table_name])
            except CommitFailedException:  # another writer prepares it at this moment
                continue
            return table
        raise _contended(table_name)

    def holds(self, table_name: str, value: str) -> bool:
        """Return whether rows of a submission (release, cohort) are in a table."""
        definition = lake_tables()[table_name]
        table = self.load(table_name)
        tasks = table.scan(row_filter=_equal(definition.replaced_by, value)).plan_files()
        return any(value in read_column(table, task, definition.replaced_by).unique().to_pylist() for task in tasks)

    def commit(self, table_name: str, change: "Callable[[Table], int]") -> int:
        """Make a change that is one commit, anew from the current state where another writer's commit was first.

        Raises:
            TemporaryError: `lake_contended`.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            try:
                return change(self.load(table_name))
            except (CommitFailedException, ValidationException):
                continue
        raise _contended(table_name)

    def _replace(
        self, definition: LakeTable, value: str, make_rows: "Callable[[], Iterable[pa.Table]]", *, search_merged: bool
    ) -> int:
        def change(table: "Table") -> int:
            return _replace(table, definition, value, make_rows(), search_merged=search_merged)

        return self.commit(definition.name, change)


def _make_sorted(make_rows: "Callable[[], Iterable[pa.Table]]", definition: LakeTable) -> "Iterator[pa.Table]":
    return sort_pieces(make_rows(), definition.sort, definition.arrow_schema())


def _contended(table_name: str) -> TemporaryError:
    return TemporaryError("lake_contended", f"other writers of {table_name} won every race")


def replace_files(table: "Table", old: "Iterable[DataFile]", new: "Iterable[DataFile]", *, of: Any = None) -> None:
    """Commit files in place of others. Rows that another writer added meanwhile and that match `of` are a conflict.

    Raises:
        CommitFailedException, ValidationException: another commit was first.
    """
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
        if of is not None:
            snapshot.delete_by_predicate(of)
        for file in old:
            snapshot.delete_data_file(file)
        for file in new:
            snapshot.append_data_file(file)


def keep_other_rows(
    table: "Table", definition: LakeTable, column: str, values: "frozenset[str]", *, search_merged: bool = True
) -> "tuple[list[DataFile], list[DataFile]]":
    """Return the files that hold rows with these values, and files with what else was in them."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and not needed to start a command
    import pyarrow.compute as pc  # noqa: PLC0415

    old: list[DataFile] = []
    writer = DataFileWriter(table, definition)
    wanted = pa.array(sorted(values))
    for task in _tasks_with(table, column, values):
        if not search_merged and _spans(table, task, column):
            continue
        present = pc.is_in(read_column(table, task, column), wanted)
        if not pc.any(present).as_py():
            continue
        old.append(task.file)
        if not pc.all(present).as_py():
            for rows in read_rows(table, task, ROWS_PER_GROUP):
                writer.write(rows.filter(pc.invert(pc.is_in(rows[column], wanted))))
    return old, writer.close()


def prepare_table(table: "Table", definition: LakeTable) -> None:
    """Append the columns that the definition has and the table has not, and set what other writers go by.

    CloudFormation makes an Iceberg table and never alters it. Rows that are there have null in a new column.
    """
    wanted = definition.arrow_schema()
    properties = table.metadata.properties
    missing = {name: value for name, value in _PROPERTIES.items() if properties.get(name) != value}
    lacks = not set(wanted.names) <= {field.name for field in table.schema().fields}
    if not missing and not lacks:
        return
    with table.transaction() as transaction:
        if missing:
            transaction.set_properties(missing)
        if lacks:
            with transaction.update_schema() as update:
                update.union_by_name(wanted)


def open_catalog(endpoint_url: str | None = None, region: str | None = None) -> GlueCatalog:
    """Open the catalog where boto3 finds AWS: pyiceberg's own file access does not read AWS_ENDPOINT_URL.

    With an endpoint, that of an embedded AWS, no credentials are looked for.
    """
    own = "embedded" if endpoint_url else None
    glue = boto3.client(
        "glue",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=own,
        aws_secret_access_key=own,
        config=_GLUE_CONFIG,
    )
    endpoint = endpoint_url or str(boto3.client("s3", region_name=region).meta.endpoint_url)
    properties = {
        "py-io-impl": f"{PyArrowFileIO.__module__}.{PyArrowFileIO.__name__}",
        "s3.region": glue.meta.region_name,
    }
    if "amazonaws.com" not in endpoint:
        properties["s3.endpoint"] = endpoint
    if own:
        properties |= {"client.access-key-id": own, "client.secret-access-key": own}
    return GlueCatalog("glue", glue, **properties)


def _replace(
    table: "Table", definition: LakeTable, value: str, batches: "Iterable[pa.Table]", *, search_merged: bool
) -> int:
    column = definition.replaced_by
    old, kept = keep_other_rows(table, definition, column, frozenset({value}), search_merged=search_merged)
    writer = DataFileWriter(table, definition)
    for batch in batches:
        writer.write(batch)
    new = writer.close()
    if old or new:
        replace_files(table, old, [*kept, *new], of=_equal(column, value))
    return writer.rows


def _tasks_with(table: "Table", column: str, values: "frozenset[str]") -> "list[FileScanTask]":
    """Return the files whose statistics do not exclude the values."""
    from pyiceberg.expressions import In  # noqa: PLC0415

    return list(table.scan(row_filter=In(term=Reference(column), literals=values)).plan_files())


def _spans(table: "Table", task: "FileScanTask", column: str) -> bool:
    """Return whether a file holds rows of several submissions, as merged ones do."""
    field_id = table.schema().find_field(column).field_id
    return bool(task.file.lower_bounds[field_id] != task.file.upper_bounds[field_id])


def _equal(column: str, value: str) -> EqualTo:
    return EqualTo(term=Reference(column), value=value)
