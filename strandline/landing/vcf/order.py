"""What records say of one another: order, contigs, duplicates, reference blocks. Source: VCF 4.5, 1.6.1 and 5.5."""

from collections.abc import Mapping
from typing import Final, Protocol

from strandline.landing.vcf.alleles import AlleleKinds
from strandline.landing.vcf.header import VcfHeader
from strandline.landing.vcf.rules import (
    BLOCK_OVERLAP,
    CONTIG_LENGTH_DIFFERS,
    CONTIG_NOT_IN_REFERENCE,
    CONTIG_SPLIT,
    CONTIG_UNDECLARED,
    DUPLICATE_RECORD,
    END_BEFORE_POS,
    ID_REPEATED,
    POS_OUTSIDE_CONTIG,
    POS_UNSORTED,
    REF_DIFFERS,
    VcfFindings,
)
from strandline.landing.vcf.values import MISSING

_NO_END: Final = 1 << 62
_KEPT_AT_A_POSITION: Final = 1000
_WINDOW: Final = 1 << 16  # bases of the reference that are fetched at once
_ANY_BASE: Final = frozenset(b"RYSWKMBDHVryswkmbdhv")  # of a reference; in VCF they stand as a concrete base


class Reference(Protocol):
    """Sequences by contig, such as `pysam.FastaFile`."""

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        """Return the bases of a half-open, 0-based interval."""
        ...


class RecordOrder:
    """Follows the records of a file; `position` is that of the last one, 1-based."""

    def __init__(
        self,
        header: VcfHeader,
        found: VcfFindings,
        length_by_contig: Mapping[str, int] | None,
        reference: Reference | None,
    ) -> None:
        self._header = header
        self._found = found
        self._lengths = None if length_by_contig is None else {k.encode(): v for k, v in length_by_contig.items()}
        self._bases = ReferenceWindow(reference) if reference else None
        self._seen: set[bytes] = set()
        self.contig: bytes | None = None
        self.position = 0
        self._last_base = _NO_END
        self._block_end = 0
        self._here: set[tuple[bytes, bytes]] = set()
        self._ids_here: set[bytes] = set()

    def follow(
        self,
        *,
        contig: bytes,
        position: int,
        identifier: bytes,
        ref: bytes,
        alt: bytes,
        alleles: AlleleKinds,
        end: int | None,
        line: int,
    ) -> None:
        """Take in the next record."""
        if contig != self.contig:
            self._begin(contig, line)
        elif position <= self.position:
            if position < self.position:
                self._found.add(POS_UNSORTED, line=line, field="POS")
            else:
                self._compare_at_position((ref, alt), identifier, alleles, line)
        if position != self.position:
            self._here.clear()
            self._ids_here.clear()
            self.position = position
        if len(self._here) < _KEPT_AT_A_POSITION:
            self._here.add((ref, alt))
            self._ids_here.add(identifier)
        last = position + len(ref) - 1
        if end is not None:
            if end < position:
                self._found.add(END_BEFORE_POS, line=line, field="END")
            last = max(last, end)
        if last > self._last_base:
            self._check_end(position, last, line)
        if alleles.is_block:
            if position <= self._block_end:
                self._found.add(BLOCK_OVERLAP, line=line)
            self._block_end = max(self._block_end, last)
        if self._bases and position and not self._bases.agrees(contig, position - 1, ref):
            self._found.add(REF_DIFFERS, line=line, field="REF")

    def _compare_at_position(self, pair: tuple[bytes, bytes], identifier: bytes, kinds: AlleleKinds, line: int) -> None:
        if pair in self._here and not kinds.has_symbolic:
            self._found.add(DUPLICATE_RECORD, line=line)
        elif identifier in self._ids_here and identifier != MISSING:
            self._found.add(ID_REPEATED, line=line, field="ID")

    def _begin(self, contig: bytes, line: int) -> None:
        if contig in self._seen:
            self._found.add(CONTIG_SPLIT, line=line, field="CHROM")
        else:
            self._check_contig(contig, line)
        self._seen.add(contig)
        lengths = [table.get(contig) for table in (self._header.length_by_contig, self._lengths or {})]
        self._last_base = min((length for length in lengths if length), default=_NO_END)
        self.contig, self.position, self._block_end = contig, -1, 0

    def _check_contig(self, contig: bytes, line: int) -> None:
        if contig.startswith(b"<"):
            return  # a contig of the assembly file
        declared = self._header.length_by_contig.get(contig)
        if contig not in self._header.length_by_contig:
            self._found.add(CONTIG_UNDECLARED, line=line, field="CHROM")
        if self._lengths is not None:
            if contig not in self._lengths:
                self._found.add(CONTIG_NOT_IN_REFERENCE, line=line, field="CHROM")
            elif declared and declared != self._lengths[contig]:
                self._found.add(CONTIG_LENGTH_DIFFERS, line=line, field="CHROM")

    def _check_end(self, position: int, last: int, line: int) -> None:
        telomere = self._last_base + 1
        if not position == last == telomere:
            self._found.add(POS_OUTSIDE_CONTIG, line=line, field="POS" if position > self._last_base else "END")


class ReferenceWindow:
    """Compares alleles with a reference that is fetched in windows, since records come in order."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._contig = b""
        self._start0 = 0
        self._bases = b""

    def agrees(self, contig: bytes, start0: int, ref: bytes) -> bool:
        """Whether the reference has these bases at `start0`; ambiguous bases, and contigs it lacks, agree with all."""
        offset = start0 - self._start0
        if contig != self._contig or offset < 0 or offset + len(ref) > len(self._bases):
            self._fetch(contig, start0, max(_WINDOW, len(ref)))
            offset = 0
        there = self._bases[offset : offset + len(ref)]
        if there == ref or not there:
            return True
        return len(there) == len(ref) and all(
            one == other or one in _ANY_BASE for one, other in zip(there, ref.upper(), strict=True)
        )

    def _fetch(self, contig: bytes, start0: int, length: int) -> None:
        try:
            self._bases = self._reference.fetch(contig.decode(), start0, start0 + length).upper().encode()
        except (KeyError, ValueError, UnicodeDecodeError):
            self._bases = b""  # said elsewhere: the contig is not in the reference
        self._contig, self._start0 = contig, start0
