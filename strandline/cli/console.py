"""Where the command line writes: results to stdout in the asked format, everything else to stderr."""

import csv
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH: Final = 200  # of tables that go to a file or a pager

messages = Console(stderr=True, highlight=False)
results = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


class OutputFormat(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Cell = str | int | float | bool | None


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]], form: OutputFormat) -> None:
    """Print rows on stdout: a table for people, one JSON object a line, or CSV with a header."""
    if form is OutputFormat.JSON:
        for row in rows:
            sys.stdout.write(json.dumps(dict(zip(columns, row, strict=True))) + "\n")
    elif form is OutputFormat.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    else:
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        results.print(table)


def say(message: str) -> None:
    """Tell a person something on stderr."""
    messages.print(message, markup=False, soft_wrap=True)
