"""A VCF as its header and blocks of whole record lines, ready for the compiled readers.

Source: VCF 4.5, sections 1.2, 1.4 and 1.5.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from strandline.errors import RejectedInputError
from strandline.lake.text_scan import Bytes, Places
from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.findings import FindingLog
from strandline.landing.vcf.definitions import FieldDefinition, reserved_format, reserved_info
from strandline.landing.vcf.header import COLUMNS, VcfHeader
from strandline.landing.vcf.rules import NOT_VCF, VcfFindings
from strandline.landing.vcf.text import whole_lines, without_line_end

BLOCK_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 20
_FILE_FORMAT: Final = re.compile(rb"##fileformat=VCFv4\.([1-5])")
_NEWLINE: Final = 10


@contextmanager
def open_vcf(path: Path) -> Iterator["VcfSource"]:
    """Open a VCF of the disk."""
    with path.open("rb") as file:
        yield VcfSource(iter(lambda: file.read(_CHUNK_BYTES), b""), path.name)


@dataclass(frozen=True, slots=True)
class VcfText:
    """Some lines of records.

    Attributes:
        text: `prefix` of the source, then the lines.
        starts, ends: where each line that is not blank begins, and where it ends before its line end.
        first_line: 1-based number of the first of them in the file.
    """

    text: Bytes
    starts: Places
    ends: Places
    first_line: int


class VcfSource:
    """The header, read when this is made, and then `blocks`.

    Raises:
        RejectedInputError: `not_vcf`, `vcf_header_columns`, `vcf_header_missing`, `vcf_sample_name_repeated`; later
            what `decompress_if_gzip` raises, `vcf_not_utf8` and `vcf_line_too_long`.
    """

    def __init__(self, chunks: Iterable[bytes], name: str) -> None:
        self.name = name
        self._log = FindingLog(name)
        self._pieces = whole_lines(decompress_if_gzip(chunks, name), VcfFindings(self._log, 5))
        self._line = 0
        self.samples: tuple[str, ...] = ()
        self._rest = self._read_header()
        self.has_format = self.header.has_format

    def definition(self, key: bytes, *, of_info: bool) -> FieldDefinition | None:
        """Return what the header declares of a key of INFO or FORMAT, else what the specification reserves."""
        declared = (self.header.infos if of_info else self.header.formats).get(key)
        return declared or (reserved_info if of_info else reserved_format)(self.header.minor).get(key)

    def blocks(self, prefix: bytes) -> Iterator[VcfText]:
        """Yield the records, about 16 MiB at a time, each block behind `prefix`."""
        waiting, size = [prefix, self._rest], len(self._rest)
        for piece in self._pieces:
            if size >= BLOCK_BYTES:
                yield from self._block(b"".join(waiting), len(prefix))
                waiting, size = [prefix], 0
            waiting.append(piece)
            size += len(piece)
        yield from self._block(b"".join(waiting), len(prefix))
        self._log.refuse_errors()  # a line that no block holds

    def _block(self, text: bytes, begin: int) -> Iterator[VcfText]:
        if len(text) == begin:
            return
        if not text.isascii():
            self._check_utf8(text)
        if b"\r\n" in text:
            text = text[:begin] + text[begin:].replace(b"\r\n", b"\n")
        block = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(block[begin:] == _NEWLINE) + begin
        if text[-1] != _NEWLINE:
            ends = np.append(ends, len(text))
        starts = np.concatenate(([begin], ends[:-1] + 1))
        first_line, self._line = self._line + 1, self._line + len(ends)
        if (starts == ends).any():
            if text[begin:].strip():  # blank lines stand between records
                starts, ends = starts[starts < ends], ends[starts < ends]
            else:
                return
        yield VcfText(block, starts, ends, first_line)

    def _check_utf8(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            raise RejectedInputError(
                "vcf_not_utf8", f"{self.name}, behind line {self._line}: a line is not UTF-8; save the file as UTF-8"
            ) from None

    def _read_header(self) -> bytes:
        """Take in the header and return what follows it in its block."""
        self.header = VcfHeader(5)
        quiet = VcfFindings(FindingLog(self.name), 5)  # what validation says of a header keeps nothing out of here
        for block in self._pieces:
            place = 0
            while place < len(block):
                end = block.find(b"\n", place) + 1 or len(block)
                line = without_line_end(block[place:end])
                self._line += 1
                place = end
                if self._line == 1:
                    self._begin(line)
                elif line.startswith(b"##"):
                    self.header.read_meta_line(line, self._line, quiet)
                elif line.startswith(b"#CHROM"):
                    self._read_columns(line)
                    return block[place:]
                elif line.strip():
                    break
        self._log.refuse_errors()
        raise RejectedInputError(
            "vcf_header_missing", f"{self.name}, line {self._line}: there is no #CHROM line; send the whole file"
        )

    def _begin(self, line: bytes) -> None:
        matched = _FILE_FORMAT.fullmatch(line)
        if not matched:
            self._log.add(NOT_VCF, line=1)
            self._log.refuse_errors()
        else:
            self.header = VcfHeader(int(matched[1]))

    def _read_columns(self, line: bytes) -> None:
        names = line.split(b"\t")
        if tuple(names[:8]) != COLUMNS or (len(names) > 8 and names[8] != b"FORMAT"):
            raise RejectedInputError(
                "vcf_header_columns", f"{self.name}, line {self._line}: #CHROM does not name the columns; correct it"
            )
        self.header.has_format = len(names) > 8
        self.samples = tuple(name.decode(errors="replace") for name in names[9:])
        if len(set(self.samples)) < len(self.samples):
            raise RejectedInputError(
                "vcf_sample_name_repeated",
                f"{self.name}, line {self._line}: two samples have one name; give each its own",
            )
