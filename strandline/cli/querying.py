"""`strandline query` and `tables`: the lake through Athena."""

from typing import Annotated, Final

import typer

from strandline.aws.queries import QueryResult
from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.lake.tables import lake_tables

_NUMBERS: Final = frozenset({"tinyint", "smallint", "integer", "bigint"})
_DECIMALS: Final = frozenset({"float", "double", "real"})


def query(
    sql: Annotated[str, typer.Argument(help="Athena SQL.")],
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Ask the lake.

    Example: strandline query "SELECT gene, count(*) AS n FROM variants GROUP BY gene ORDER BY n DESC"
    """
    print_result(connect(stage).queries.run(sql), form)


def tables(form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE) -> None:
    """List the lake's tables and their columns.

    Example: strandline tables --format csv
    """
    rows = [
        (table.name, column.name, column.type, column.doc)
        for table in lake_tables().values()
        for column in table.columns
    ]
    print_rows(("table", "column", "type", "meaning"), rows, form)


def print_result(result: QueryResult, form: OutputFormat) -> None:
    """Print what a query answered, and what it scanned."""
    rows = [[_typed(value, kind) for value, kind in zip(row, result.types, strict=True)] for row in result.rows]
    print_rows(result.columns, rows, form)
    say(f"{len(rows)} rows, {result.scanned_bytes} bytes scanned")


def _typed(value: str | None, kind: str) -> Cell:
    if value is None:
        return None
    if kind in _NUMBERS:
        return int(value)
    if kind in _DECIMALS:
        return float(value)
    return value == "true" if kind == "boolean" else value
