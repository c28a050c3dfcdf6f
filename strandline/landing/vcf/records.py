"""One record at a time, every check on every column: the truth that the quick way must agree with.

Source: VCF 4.5, 1.6, and the same section of 4.1 to 4.4.
"""

import re
from dataclasses import dataclass
from typing import Final

from strandline.landing.vcf.alleles import BLOCK_ALLELES, AlleleKinds, check_alleles, kinds_of
from strandline.landing.vcf.genotypes import GenotypeChecks
from strandline.landing.vcf.header import CONTIG_NAME_FORM, VcfHeader
from strandline.landing.vcf.info import InfoChecks
from strandline.landing.vcf.rules import (
    ALT_UNDECLARED,
    CHROM_FORM,
    COLUMN_COUNT,
    CONTIG_COLON,
    FIELD_EMPTY,
    FIELD_SPACE,
    FILTER_FORM,
    FILTER_PASS_AMONG,
    FILTER_REPEATED,
    FILTER_UNDECLARED,
    FILTER_ZERO,
    ID_FORM,
    ID_LIST_REPEATED,
    POS_FORM,
    POS_RANGE,
    QUAL_FORM,
    QUAL_NEGATIVE,
    VcfFindings,
)
from strandline.landing.vcf.text import note_text_faults
from strandline.landing.vcf.values import LARGEST, MISSING, is_float, kind_of

_FIXED: Final = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_IN_ASSEMBLY: Final = re.compile(rb"<[^\s,<>]+>")
_SPACE: Final = re.compile(rb"[ \x0b\x0c]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands and what it is: `position` and `end` are 1-based, `end` is INFO END where there is one."""

    contig: bytes
    position: int
    identifier: bytes
    ref: bytes
    alt: bytes
    alleles: AlleleKinds
    end: int | None


class RecordChecks:
    """Checks of single records."""

    def __init__(self, header: VcfHeader, found: VcfFindings) -> None:
        self._header = header
        self._found = found
        self.info = InfoChecks(header, found)
        self.genotypes = GenotypeChecks(header, found)
        self._told: set[tuple[str, bytes]] = set()

    def check(self, text: bytes, line: int) -> Place | None:
        """Check a record and return its place, or None where it has none; `text` has no line end."""
        note_text_faults(text, line, self._found)
        columns = text.split(b"\t")
        if len(columns) != self._header.column_count:
            kind = "divided by spaces" if len(columns) == 1 and len(text.split()) >= len(_FIXED) else None
            kind = kind or f"{len(columns)} for {self._header.column_count}"
            self._found.add(COLUMN_COUNT, line=line, kind=kind)
            return None
        self._check_presence(columns, line)
        contig, pos, identifier, ref, alt, qual, filters, info = columns[:8]
        self._check_contig(contig, line)
        self._check_id(identifier, line)
        alts = alt.split(b",")
        check_alleles(ref, alts, line, self._found)
        alleles = kinds_of(ref, alts)
        for one in alts:
            symbol = one[1:-1]
            if one.startswith(b"<") and one not in BLOCK_ALLELES and symbol not in self._header.alts:
                self._tell(ALT_UNDECLARED.code, symbol, line)
        self._check_qual(qual, line)
        self._check_filters(filters, line)
        values = self.info.check(info, alleles, line)
        if len(columns) > len(_FIXED):
            self.genotypes.check(columns[8:], alleles.alt_count, line)
        position = self._check_pos(pos, line)
        end = values.get(b"END", b"")[:20]
        if position is None:
            return None
        return Place(contig, position, identifier, ref, alt, alleles, int(end) if end.lstrip(b"+-").isdigit() else None)

    def _check_presence(self, columns: list[bytes], line: int) -> None:
        for place, column in enumerate(columns):
            if not column and (place < 9 or self._header.minor < 5):
                self._found.add(FIELD_EMPTY, line=line, field=_FIXED[place] if place < len(_FIXED) else "sample")
            elif place < 7 and _SPACE.search(column):
                self._found.add(FIELD_SPACE, line=line, field=_FIXED[place])

    def _check_contig(self, contig: bytes, line: int) -> None:
        if _IN_ASSEMBLY.fullmatch(contig) or not contig:
            return
        if not CONTIG_NAME_FORM.fullmatch(contig):
            self._found.add(CHROM_FORM, line=line, field="CHROM", kind=kind_of(contig))
        if b":" in contig and self._header.minor < 3:
            self._tell(CONTIG_COLON.code, contig, line)

    def _check_pos(self, pos: bytes, line: int) -> int | None:
        if not pos.isdigit():
            if pos:
                self._found.add(POS_FORM, line=line, field="POS", kind=kind_of(pos))
            return None
        position = int(pos[:20])
        if position > LARGEST:
            self._found.add(POS_RANGE, line=line, field="POS")
        return position

    def _check_id(self, identifier: bytes, line: int) -> None:
        if b";" not in identifier:
            return
        parts = identifier.split(b";")
        if b"" in parts:
            self._found.add(ID_FORM, line=line, field="ID")
        elif len(set(parts)) < len(parts):
            self._found.add(ID_LIST_REPEATED, line=line, field="ID")

    def _check_qual(self, qual: bytes, line: int) -> None:
        if qual == MISSING:
            return
        if not is_float(qual):
            if qual:
                self._found.add(QUAL_FORM, line=line, field="QUAL", kind=kind_of(qual))
        elif float(qual) < 0:
            self._found.add(QUAL_NEGATIVE, line=line, field="QUAL")

    def _check_filters(self, filters: bytes, line: int) -> None:
        if filters in {b"PASS", MISSING, b""}:
            return
        parts = filters.split(b";")
        if b"" in parts or MISSING in parts:
            self._found.add(FILTER_FORM, line=line, field="FILTER")
        if len(set(parts)) < len(parts):
            self._found.add(FILTER_REPEATED, line=line, field="FILTER")
        if b"PASS" in parts and len(set(parts)) > 1:
            self._found.add(FILTER_PASS_AMONG, line=line, field="FILTER")
        if b"0" in parts:
            self._found.add(FILTER_ZERO, line=line, field="FILTER")
        for part in parts:
            if part not in self._header.filters and part not in {b"PASS", b"0", MISSING, b""}:
                self._tell(FILTER_UNDECLARED.code, part, line)

    def _tell(self, code: str, name: bytes, line: int) -> None:
        """Note that something is undeclared, once for each name, of the first ten thousand names."""
        if (code, name) not in self._told:
            if len(self._told) < 10_000:
                self._told.add((code, name))
            self._found.add(_NAMED[code], line=line, field=_COLUMN[code])


_NAMED: Final = {rule.code: rule for rule in (ALT_UNDECLARED, CONTIG_COLON, FILTER_UNDECLARED)}
_COLUMN: Final = {ALT_UNDECLARED.code: "ALT", CONTIG_COLON.code: "CHROM", FILTER_UNDECLARED.code: "FILTER"}
