"""Contigs of a FASTA: lengths and MD5 sums, to be held against the @SQ lines of a header.

Source: SAM 1, 1.3.2.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam.header import Header

_CHUNK_BYTES: Final = 1 << 20
_NOT_SEQUENCE: Final = bytes(range(33)) + bytes(range(127, 256))


@dataclass(frozen=True, slots=True)
class Contig:
    """A sequence's length in bases and its MD5, in hexadecimal digits."""

    length: int
    checksum: bytes


def measure_reference(fasta: Path) -> dict[bytes, Contig]:
    """Return the contigs of a FASTA, plain or compressed, by name; a file is read once as long as it stays the same."""
    status = fasta.stat()
    return _measure(fasta, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _measure(fasta: Path, _changed_ns: int, _size_bytes: int) -> dict[bytes, Contig]:
    found: dict[bytes, Contig] = {}
    name, length, digest = b"", 0, hashlib.md5(usedforsecurity=False)
    carried = b""  # a name's line that the piece cut
    with fasta.open("rb") as source:
        for piece in decompress_if_gzip(iter(lambda: source.read(_CHUNK_BYTES), b""), fasta.name):
            text = carried + piece
            carried = b""
            while text:
                at = text.find(b">")
                bases = (text if at < 0 else text[:at]).upper().translate(None, _NOT_SEQUENCE)
                digest.update(bases)
                length += len(bases)
                if at < 0:
                    break
                end = text.find(b"\n", at)
                if end < 0:
                    carried = text[at:]
                    break
                if name:
                    found[name] = Contig(length, digest.hexdigest().encode())
                name = (text[at + 1 : end].split() or [b""])[0]
                length, digest = 0, hashlib.md5(usedforsecurity=False)
                text = text[end + 1 :]
    if name:
        found[name] = Contig(length, digest.hexdigest().encode())
    return found


def compare_contigs(
    header: Header, reference: Mapping[bytes, Contig], rule: Rule, log: FindingLog, needed: Collection[int] | None
) -> None:
    """Note each contig that differs, and each of the `needed` ones (None: all) that the reference lacks."""
    for name, number in header.number_by_contig.items():
        contig = reference.get(name)
        kind = None
        if contig is None:
            if needed is None or number in needed:
                kind = "not in the reference"
        elif header.lengths[number] not in {contig.length, -1}:
            kind = "another length"
        elif header.checksum_by_contig.get(name, contig.checksum) != contig.checksum:
            kind = "another MD5"
        if kind is not None:
            log.add(rule, field="@SQ", kind=f"contig {number + 1}, {kind}")
