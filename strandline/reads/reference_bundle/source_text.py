"""Text of an annotation source: read line by line from plain or gzip, written as BGZF."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pysam

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.description import Contig, SourceOrigin

_READ_BYTES: Final = 1 << 20
_LONGEST_LINE_BYTES: Final = 256 << 20
_WORDS_LIMIT: Final = 80

NO_SUCH_CONTIG: Final = "contig not in the FASTA, or of another length"
BEYOND_THE_END: Final = "beyond the end of its contig"
OTHER_BASES: Final = "REF is not what the FASTA has"


class SourceText:
    """A source as it was given: numbered lines without line endings, and the SHA-256 of what was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line_number = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, once all lines were read."""
        return self._digest.hexdigest()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines, CR and LF taken off.

        Raises:
            RejectedInputError: `source_unreadable`, `source_invalid` or a code of `decompress_if_gzip`.
        """
        rest = b""
        for plain in decompress_if_gzip(self._chunks(), self.path.name):
            *whole, rest = (rest + plain).split(b"\n")
            for line in whole:
                self.line_number += 1
                yield line.rstrip(b"\r")
            if len(rest) > _LONGEST_LINE_BYTES:
                raise self.invalid("is longer than any record: this is no text file")
        if rest:
            self.line_number += 1
            yield rest.rstrip(b"\r")

    def invalid(self, what: str) -> RejectedInputError:
        """Return the refusal of the line that was read last."""
        return RejectedInputError("source_invalid", f"{self.path.name}, line {self.line_number}: {what}")

    def _chunks(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as source:
                while chunk := source.read(_READ_BYTES):
                    self._digest.update(chunk)
                    yield chunk
        except OSError as error:
            raise RejectedInputError("source_unreadable", f"{self.path}: {error.strerror}; check the path") from None


class BgzfSink:
    """A BGZF file and the SHA-256 of the text in it."""

    def __init__(self, path: Path) -> None:
        self._file = pysam.BGZFile(str(path), "wb", None)
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the text written so far."""
        return self._digest.hexdigest()

    def write(self, line: bytes) -> None:
        """Write one line."""
        text = line + b"\n"
        self._digest.update(text)
        self._file.write(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class Placement:
    """Where a source's records go: contigs by the source's names, and counts of what was kept and left out."""

    def __init__(self, source: SourceText, names: ContigNames) -> None:
        self._source = source
        self._names = names
        self._contig_by_name: dict[str, Contig | None] = {}
        self._name_by_contig: dict[str, str] = {}
        self._lengths: dict[str, tuple[int | None, str | None]] = {}
        self.kept = 0
        self.left_out: Counter[str] = Counter()
        self._foreign: dict[str, None] = {}  # a set that keeps its order

    def declare(self, name: str, *, length: int | None, md5: str | None = None) -> None:
        """Take what the source's header says of a contig; the next `place` goes by it."""
        self._lengths[name] = (length, md5)
        self._contig_by_name.pop(name, None)

    def find(self, name: str) -> Contig | None:
        """Return the contig for a name, or None."""
        if name not in self._contig_by_name:
            length, md5 = self._lengths.get(name, (None, None))
            self._contig_by_name[name] = self._names.match(name, length=length, md5=md5)
        return self._contig_by_name[name]

    def place(self, name: str) -> Contig | None:
        """Return the contig for a name, or None, in which case the record is counted as left out.

        Raises:
            RejectedInputError: `source_ambiguous`, where two names of the source are one contig of the FASTA.
        """
        contig = self.find(name)
        if contig is None:
            self.left_out[NO_SUCH_CONTIG] += 1
            self._foreign[name] = None
            return None
        if self._name_by_contig.setdefault(contig.name, name) != name:
            raise RejectedInputError(
                "source_ambiguous",
                f"{self._source.path.name}, line {self._source.line_number}: two of its contigs are {contig.name} of "
                "the FASTA: give a source with one naming",
            )
        return contig

    def leave_out(self, why: str) -> None:
        """Count a record that does not go into the bundle."""
        self.left_out[why] += 1

    def check(self) -> None:
        """Refuse a source of which nothing fits.

        Raises:
            RejectedInputError: `source_empty` or `source_of_another_reference`.
        """
        if self.kept:
            return
        name = self._source.path.name
        if not self.left_out:
            raise RejectedInputError("source_empty", f"{name} has no records: give the whole file")
        told = "; ".join(f"{count:,} {why}" for why, count in self.left_out.items())
        raise RejectedInputError(
            "source_of_another_reference", f"no record of {name} fits the FASTA ({told}): give the one of its build"
        )

    def describe(self, content_sha256: str) -> SourceOrigin:
        """Return the origin for `bundle.json`."""
        return SourceOrigin(
            file_name=self._source.path.name,
            sha256=self._source.sha256,
            content_sha256=content_sha256,
            record_count=self.kept,
            renamed={given: name for name, given in self._name_by_contig.items() if given != name},
            left_out=dict(self.left_out),
            foreign_contigs=tuple(self._foreign),
        )


def whole_number(source: SourceText, text: bytes) -> int:
    """Return a coordinate.

    Raises:
        RejectedInputError: `source_invalid`, naming the line.
    """
    if not text.isdigit():
        raise source.invalid("a position is not a whole number")
    return int(text)


def version_words(header: Mapping[str, str], wanted: Sequence[str]) -> str:
    """Return what a source's header says of its origin and release, as one line of plain characters.

    >>> version_words({"source": "ClinVar", "fileDate": "2026-01-04"}, ("source", "dbSNP_BUILD_ID", "fileDate"))
    'ClinVar 2026-01-04'
    """
    words = " ".join(header[key] for key in wanted if key in header)
    return "".join(letter for letter in words if letter.isascii() and letter.isprintable())[:_WORDS_LIMIT].strip()
