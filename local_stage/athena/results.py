"""Results as Athena hands them out: text, in a CSV object and in pages."""

import datetime
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from local_stage.athena.moments import days_text, months_text
from local_stage.athena.number_text import double_text, real_text
from local_stage.athena.types import UTC, VARCHAR, AthenaType, TrinoType

Row = Sequence[str | None]
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result."""

    name: str
    type: AthenaType
    kind: TrinoType = VARCHAR

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


def as_text(value: Any, kind: TrinoType) -> str | None:
    """Return a value as Athena's results show it; None for null."""
    if value is None:
        return None
    shown = _TEXTS.get(kind.name)
    if shown is not None:
        return shown(value)
    if kind.name in {"timestamp", "timestamp with time zone"}:
        return _timestamp_text(value, kind)
    if kind.name == "array":
        return f"[{', '.join(_inner(part, kind.element) for part in value)}]"
    if kind.name == "map":
        pairs = value.items() if isinstance(value, Mapping) else value
        key_kind, item_kind = kind.arguments
        return "{" + ", ".join(f"{_inner(key, key_kind)}={_inner(item, item_kind)}" for key, item in pairs) + "}"
    if kind.name == "row":
        parts = zip(kind.fields, kind.arguments, value.values(), strict=True)
        named = (
            f"{name or f'field{number}'}={_inner(part, inner)}" for number, (name, inner, part) in enumerate(parts)
        )
        return "{" + ", ".join(named) + "}"
    return str(value)


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "decimal": lambda value: format(value, "f"),
    "double": double_text,
    "interval day to second": days_text,
    "interval year to month": months_text,
    "real": real_text,
    "varbinary": lambda value: value.hex(" "),
}


def _inner(value: Any, kind: TrinoType) -> str:
    shown = as_text(value, kind)
    return "null" if shown is None else shown


def _timestamp_text(value: datetime.datetime, kind: TrinoType) -> str:
    whole = value
    if kind.name == "timestamp with time zone" and kind.zone != UTC:
        whole = value.replace(tzinfo=datetime.UTC).astimezone(ZoneInfo(kind.zone))
    shown = whole.strftime("%Y-%m-%d %H:%M:%S.%f")
    digits = max(3, kind.size or 0)
    shown = shown[: len(shown) - 6 + digits]
    return shown if kind.name == "timestamp" else f"{shown} {kind.zone}"
