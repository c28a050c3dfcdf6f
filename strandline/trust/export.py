"""An exported audit log: a folder that anyone can verify years later with nothing but the log's public key.

`entries.ndjson` holds one entry a line, `heads.ndjson` one signed tree head a line, both in order. What is hashed is a
line without its end.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from strandline.errors import RejectedInputError
from strandline.trust.heads import SignedHead, parse_head

ENTRIES: Final = "entries.ndjson"
HEADS: Final = "heads.ndjson"
PUBLIC_KEY: Final = "audit.pem"
_LONGEST_LINE: Final = 1 << 16


def write_export(folder: Path, entries: Iterable[bytes], heads: Iterable[SignedHead]) -> None:
    """Write an export into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ENTRIES).open("wb") as sink:
        sink.writelines(entry + b"\n" for entry in entries)
    with (folder / HEADS).open("wb") as sink:
        sink.writelines(head.to_json() + b"\n" for head in heads)


def read_entries(folder: Path) -> Iterator[bytes]:
    """Yield the bytes of each entry.

    Raises:
        RejectedInputError: `audit_export_missing`; `audit_export_damaged`, where a line is longer than an entry can be.
    """
    yield from _lines(folder / ENTRIES)


def read_heads(path: Path) -> list[SignedHead]:
    """Read signed heads from an export's folder or from a file of such lines.

    Raises:
        RejectedInputError: `audit_export_missing`, `audit_export_damaged` or `audit_head_invalid`.
    """
    return [parse_head(line) for line in _lines(path / HEADS if path.is_dir() else path)]


def _lines(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise RejectedInputError("audit_export_missing", f"{path} is not there: give the folder of an exported log")
    with path.open("rb") as source:
        number = 0
        while line := source.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise RejectedInputError("audit_export_damaged", f"{path.name}, line {number}, is longer than an entry")
            yield line.removesuffix(b"\n")
