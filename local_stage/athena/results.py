"""Results as Athena hands them out: text, in a CSV object and in pages."""

import datetime
import decimal
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local_stage.athena.functions import double_text
from local_stage.athena.types import AthenaType

Row = Sequence[str | None]
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result."""

    name: str
    type: AthenaType

    def describe(self) -> dict[str, Any]:
        """Return the column as GetQueryResults shows it."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type.name,
            "Precision": self.type.precision,
            "Scale": self.type.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.type.name == "varchar",
        }


@dataclass(slots=True)
class Result:
    """A finished result, its rows in a file, one JSON list a line. With a header, the first line is the names."""

    columns: Sequence[Column]
    path: Path
    with_header: bool
    row_count: int = 0
    scanned_bytes: int = 0

    def page(self, token: str | None, limit: int) -> tuple[list[Row], str | None]:
        """Return rows from a token on, and the token of the next page if there is one."""
        rows: list[Row] = []
        with self.path.open("rb") as file:
            file.seek(int(token or 0))
            while len(rows) < limit and (line := file.readline()):
                rows.append(json.loads(line))
            place = file.tell()
            more = bool(file.readline())
        return rows, str(place) if more else None


class ResultWriter:
    """Writes a result's rows to its own file and to a CSV beside it, as they come."""

    def __init__(self, folder: Path, columns: Sequence[Column], *, with_header: bool, delimited: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._rows: IO[bytes] = tempfile.NamedTemporaryFile(dir=folder, suffix=".jsonl", delete=False)  # noqa: SIM115
        self._csv: IO[bytes] = tempfile.NamedTemporaryFile(dir=folder, suffix=".csv", delete=False)  # noqa: SIM115
        self._delimited = delimited
        self.result = Result(columns, Path(self._rows.name), with_header)
        self.csv_path = Path(self._csv.name)
        if with_header:
            self._write([column.name for column in columns])

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        for row in rows:
            self._write(row)
            self.result.row_count += 1

    def close(self) -> None:
        """Finish both files."""
        self._rows.close()
        self._csv.close()

    def _write(self, row: Row) -> None:
        self._rows.write(json.dumps(row).encode() + b"\n")
        if self._delimited:
            cells = ("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row)
            self._csv.write(",".join(cells).encode() + b"\n")
        else:
            self._csv.write("\t".join(cell or "" for cell in row).encode() + b"\n")


def as_text(value: Any) -> str | None:
    """Return a value as Athena's results show it; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return _timestamp_text(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_inner(part)}" for key, part in value.items()) + "}"
    if isinstance(value, tuple):
        return f"{_inner(value[0])}={_inner(value[1])}"
    if isinstance(value, list):
        pairs = bool(value) and all(isinstance(part, tuple) for part in value)  # so Arrow shows a map
        opening, closing = "{}" if pairs else "[]"
        return opening + ", ".join(_inner(part) for part in value) + closing
    return str(value)


def _inner(value: Any) -> str:
    shown = as_text(value)
    return "null" if shown is None else shown


def _timestamp_text(value: datetime.datetime) -> str:
    whole = value if value.tzinfo is None else value.astimezone(datetime.UTC)
    shown = whole.strftime("%Y-%m-%d %H:%M:%S.%f")
    shown = shown if whole.microsecond % 1000 else shown[:-3]
    return shown if value.tzinfo is None else f"{shown} UTC"
