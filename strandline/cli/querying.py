"""`strandline query` and `tables`: the lake through Athena."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from strandline.aws.deployment import Deployment
from strandline.aws.queries import QueryForecast, QueryResult
from strandline.aws.storage_costs import billed_bytes, read_prices
from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.lake.tables import lake_tables

RoleOption = Annotated[
    str | None, typer.Option("--role", help="Ask as this role sees the lake, such as researcher or lab-north.")
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Tell bytes, price and the workgroup's limit; run nothing.")
]
_NUMBERS: Final = frozenset({"tinyint", "smallint", "integer", "bigint"})
_DECIMALS: Final = frozenset({"float", "double", "real"})


def query(
    sql: Annotated[str, typer.Argument(help="Athena SQL.")],
    stage: StageOption = LOCAL,
    role: RoleOption = None,
    explain: ExplainOption = False,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Ask the lake; with --explain, tell what it would read and cost instead.

    Example: strandline query --role researcher "SELECT gene, count(*) AS n FROM variants GROUP BY gene ORDER BY n DESC"
    """
    answer(connect(stage), role, sql, (), explain=explain, form=form)


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


def answer(
    deployment: Deployment,
    role: str | None,
    sql: str,
    literals: Sequence[str],
    *,
    explain: bool,
    form: OutputFormat,
) -> None:
    """Run a query as a role, or say what it would read and cost, and print what came of it."""
    queries = deployment.queries if role is None else deployment.queries_as(role)
    if explain:
        print_forecast(queries.forecast(sql, literals), form)
    else:
        print_result(queries.run(sql, literals), form)


def print_forecast(expected: QueryForecast, form: OutputFormat) -> None:
    """Print what a query would read of each table, and of all together what that costs and whether it may."""
    prices, read, limit = read_prices(), expected.read_bytes, expected.scan_limit_bytes
    price = None if read is None else prices.query(read)
    within = None if read is None else limit is None or read <= limit
    rows: list[tuple[Cell, ...]] = [(table, size, None, None, None, None) for table, size in expected.reads]
    billed = None if read is None else billed_bytes(read)
    shown = f"{price:.6f}" if form is OutputFormat.TABLE and price is not None else price
    rows.append(("total", read, billed, shown, limit, within))
    columns = ("table", "read_bytes", "billed_bytes", "price", "scan_limit_bytes", "within_limit")
    print_rows(columns, rows, form)
    say(f"{prices.currency}, prices of {prices.region} as of {prices.as_of}; nothing was read and nothing is charged")
    if within is False:
        say(f"the workgroup would refuse this query: it reads {read} bytes of {limit} at most")


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
