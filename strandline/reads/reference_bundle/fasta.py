"""The FASTA of a bundle: copied in with one kind of line ending, and refused where tools would misread it.

Source of the names: SAM specification section 1.2.1. Source of the letters: IUPAC-IUB 1984, doi:10.1093/nar/13.9.3021.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.reads.reference_bundle.description import Contig

_READ_BYTES: Final = 1 << 20
_NAME: Final = re.compile(rb"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
_LETTERS: Final = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"


def copy_fasta(fasta: Path, copy: Path) -> str:
    """Write the FASTA uncompressed, with LF where it has CRLF, and return the SHA-256 of the file as it was given.

    Raises:
        RejectedInputError: `reference_unreadable`, `reference_invalid` or a code of `decompress_if_gzip`.
    """
    digest = hashlib.sha256()
    with copy.open("wb") as sink:
        for plain in _plain(fasta, digest.update):
            sink.write(plain)
    return digest.hexdigest()


def survey_fasta(fasta: Path) -> list[Contig]:
    """Return the contigs of a FASTA, plain or gzip, and write nothing.

    Raises:
        RejectedInputError: as `copy_fasta`; `reference_invalid` too where a contig has no bases.
    """
    contigs = [contig for contig, _ in scan_contigs(_lines(_plain(fasta)))]
    if not contigs:
        raise RejectedInputError("reference_invalid", f"{fasta.name} has no contig with bases: give a FASTA file")
    return contigs


def scan_contigs(lines: Iterable[bytes]) -> Iterator[tuple[Contig, int]]:
    """Yield each contig that has bases, with the offset in bytes of its first one, without help of an index."""
    name, length, offset, place = "", 0, 0, 0
    digest = hashlib.md5(usedforsecurity=False)
    for line in lines:
        place += len(line)
        if line.startswith(b">"):
            if length:
                yield Contig(name=name, length=length, md5=digest.hexdigest()), offset
            words = line[1:].split(None, 1)
            name, length, offset = (words[0].decode(errors="replace") if words else ""), 0, place
            digest = hashlib.md5(usedforsecurity=False)
        else:
            bases = line.strip()
            length += len(bases)
            digest.update(bases.upper())
    if length:
        yield Contig(name=name, length=length, md5=digest.hexdigest()), offset


def check_fasta(fasta: Path, name: str) -> None:
    """Refuse what the FASTA index would pass over in silence.

    Raises:
        RejectedInputError: `reference_duplicate_contig`; `reference_invalid`, where a contig has no name, one that SAM
            does not allow, or no bases, or where a letter stands for no base.
    """
    seen: set[bytes] = set()
    is_empty = False
    with fasta.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.startswith(b">"):
                bases = line.rstrip()
                is_empty = is_empty and not bases
                if bases.translate(None, _LETTERS):
                    raise RejectedInputError(
                        "reference_invalid", f"{name}, line {number}: it holds what stands for no base in DNA"
                    )
                continue
            contig = line[1:].split(None, 1)[0] if line[1:].strip() else b""
            if is_empty or not contig:
                raise RejectedInputError(
                    "reference_invalid", f"{name}, line {number}: a contig has no name or the one before has no bases"
                )
            if not _NAME.fullmatch(contig):
                raise RejectedInputError(
                    "reference_invalid", f"{name}, line {number}: SAM allows no contig of that name; rename it"
                )
            if contig in seen:
                raise RejectedInputError(
                    "reference_duplicate_contig", f"{name}, line {number}: this contig stands twice; take one out"
                )
            seen.add(contig)
            is_empty = True
    if is_empty:
        raise RejectedInputError("reference_invalid", f"{name}: the last contig has no bases")


def read_contigs(fasta: Path) -> Iterator[Contig]:
    """Yield the contigs of a FASTA that has its index beside it."""
    with pysam.FastaFile(str(fasta)) as reader:
        for name in reader.references:
            bases = reader.fetch(name).upper().encode()
            yield Contig(name=name, length=len(bases), md5=hashlib.md5(bases, usedforsecurity=False).hexdigest())


def _plain(fasta: Path, read: Callable[[bytes], None] = lambda _chunk: None) -> Iterator[bytes]:
    """Yield the text of a FASTA; `read` is told of each chunk of the file as it is."""

    def chunks() -> Iterator[bytes]:
        try:
            with fasta.open("rb") as source:
                while chunk := source.read(_READ_BYTES):
                    read(chunk)
                    yield chunk
        except FileNotFoundError:
            raise RejectedInputError("reference_unreadable", f"{fasta} does not exist: check the path") from None
        except OSError as error:
            raise RejectedInputError("reference_unreadable", f"{fasta}: {error.strerror}") from None

    is_empty = True
    for plain in _with_line_feeds(decompress_if_gzip(chunks(), fasta.name)):
        if is_empty and plain and not plain.startswith(b">"):
            raise RejectedInputError("reference_invalid", f"{fasta.name} does not begin with '>': give a FASTA file")
        is_empty = is_empty and not plain
        yield plain
    if is_empty:
        raise RejectedInputError("reference_invalid", f"{fasta.name} is empty: give a FASTA file")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    yield rest


def _with_line_feeds(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Turn CRLF into LF, also where it falls between two chunks."""
    kept = b""
    for chunk in chunks:
        plain = kept + chunk
        kept = b"\r" if plain.endswith(b"\r") else b""
        yield plain[: len(plain) - len(kept)].replace(b"\r\n", b"\n")
    if kept:
        yield kept
