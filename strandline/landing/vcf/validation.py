"""A VCF file, checked while it streams: constant memory, known shapes of records the quick way, all others exactly.

Source: VCF 4.1 to 4.5 (samtools/hts-specs).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.findings import FindingLog
from strandline.landing.vcf.alleles import AlleleKinds, kinds_of
from strandline.landing.vcf.header import VcfHeader
from strandline.landing.vcf.order import RecordOrder, Reference
from strandline.landing.vcf.records import RecordChecks
from strandline.landing.vcf.rules import (
    ALT_UNDECLARED,
    BLANK_END,
    BLANK_LINE,
    BYTE_ORDER_MARK,
    CARRIAGE_RETURNS,
    CONTIG_COLON,
    EMPTY,
    FILTER_UNDECLARED,
    FORMAT_UNDECLARED,
    HEADER_MISSING,
    INFO_UNDECLARED,
    META_AFTER_HEADER,
    NO_FINAL_NEWLINE,
    NO_RECORDS,
    NOT_VCF,
    UTF16,
    VERSION_UNKNOWN,
    VcfFindings,
)
from strandline.landing.vcf.shapes import RecordShapes
from strandline.landing.vcf.text import StoredBytes, note_text_faults, whole_lines, without_line_end

_FILE_FORMAT: Final = re.compile(rb"##fileformat=VCFv4\.([1-5])")
_SOME_FILE_FORMAT: Final = re.compile(rb"##fileformat=VCFv[0-9.]+")
_TOLD_ONCE: Final = tuple(
    rule.code for rule in (ALT_UNDECLARED, CONTIG_COLON, FILTER_UNDECLARED, FORMAT_UNDECLARED, INFO_UNDECLARED)
)
_ALT_GROUP: Final = 5
_MOST_ALLELES_KEPT: Final = 20_000
_LONGEST_ALLELES_KEPT: Final = 64


@dataclass(slots=True)
class VcfSummary:
    """What a VCF file holds; a record with several ALT alleles counts once for each kind among them."""

    version: str | None = None
    record_count: int = 0
    sample_count: int = 0
    snv_count: int = 0
    indel_count: int = 0
    symbolic_count: int = 0
    block_count: int = 0

    @property
    def is_gvcf(self) -> bool:
        """Whether there are reference blocks."""
        return self.block_count > 0


def validate_vcf(
    chunks: Iterable[bytes],
    log: FindingLog,
    *,
    length_by_contig: Mapping[str, int] | None = None,
    reference: Reference | None = None,
) -> VcfSummary:
    """Check a VCF file and write what is wrong into `log`.

    Args:
        chunks: the file's bytes as stored (plain, bgzip or gzip), in order, in pieces of any size.
        log: carries the file's name.
        length_by_contig: contigs of the reference that records must stay within; None leaves that unchecked.
        reference: sequences that REF must agree with; None leaves that unchecked.

    Raises:
        RejectedInputError: where the compression is damaged (`gzip_truncated`, `gzip_corrupt`, `gzip_trailing_bytes`).
    """
    summary = VcfSummary()
    stored = StoredBytes(chunks)
    found = VcfFindings(log, 5)
    blocks = whole_lines(decompress_if_gzip(stored, log.file), found)
    first = next(blocks, b"")
    minor = _read_version(first, found)
    if minor is not None:
        summary.version = f"4.{minor}"
        found = VcfFindings(log, minor)
        _Body(found, summary, length_by_contig, reference).read(first, blocks)
    if minor is not None or stored.is_gzip_alone:
        stored.note_container_faults(found)
    return summary


def _read_version(first: bytes, found: VcfFindings) -> int | None:
    line = without_line_end(first[: first.find(b"\n") + 1 or len(first)])
    matched = _FILE_FORMAT.fullmatch(line)
    if matched:
        return int(matched[1])
    if not first:
        found.add(EMPTY)
    elif first.startswith((b"\xff\xfe", b"\xfe\xff")) or first[:4] in {b"#\0#\0", b"\0#\0#"}:
        found.add(UTF16, line=1)
    elif first.startswith(b"\xef\xbb\xbf"):
        found.add(BYTE_ORDER_MARK, line=1)
    elif _SOME_FILE_FORMAT.fullmatch(line):
        found.add(VERSION_UNKNOWN, line=1)
    else:
        found.add(NOT_VCF, line=1)
    return None


class _Body:
    """Everything from the second line on."""

    def __init__(
        self,
        found: VcfFindings,
        summary: VcfSummary,
        length_by_contig: Mapping[str, int] | None,
        reference: Reference | None,
    ) -> None:
        self._found = found
        self._summary = summary
        self._header = VcfHeader(found.minor)
        self._references = length_by_contig, reference
        self._line = 0
        self._blank_line: int | None = None
        self._kinds: dict[tuple[bytes, bytes], AlleleKinds | None] = {}

    def read(self, first: bytes, blocks: Iterator[bytes]) -> None:
        block, last = self._read_header(first, blocks)
        if block is None:
            self._found.add(HEADER_MISSING, line=self._line)
        else:
            last = self._read_records(block, blocks) or last
            if not self._summary.record_count:
                self._found.add(NO_RECORDS)
        if not last.endswith(b"\n"):
            self._found.add(NO_FINAL_NEWLINE, line=self._line)
        elif self._blank_line is not None:
            self._found.add(BLANK_END, line=self._blank_line)

    def _read_header(self, block: bytes, blocks: Iterator[bytes]) -> tuple[bytes | None, bytes]:
        """Return what follows the #CHROM line in its block, None where there is none, and that line or the last."""
        text = b""
        while block:
            place = 0
            while place < len(block):
                end = block.find(b"\n", place) + 1 or len(block)
                text = block[place:end]
                if not text.startswith(b"#") and text.strip():
                    return None, block[-1:]
                place = end
                self._line += 1
                if self._read_header_line(text):
                    return block[place:], text
            block = next(blocks, b"")
        return None, text

    def _read_header_line(self, text: bytes) -> bool:
        """Take in a line of the header; return whether it was the #CHROM line."""
        if text.endswith(b"\r\n"):
            self._note_carriage_returns()
        line = without_line_end(text)
        self._pass_blank_lines(line)
        note_text_faults(line, self._line, self._found)
        if line.startswith(b"##"):
            if self._line > 1 and line.startswith(b"##fileformat="):
                self._found.add(NOT_VCF, line=self._line, kind="a second ##fileformat line")
            self._header.read_meta_line(line, self._line, self._found)
        elif line:
            self._header.read_column_line(line, self._line, self._found)
            self._summary.sample_count = self._header.sample_count
            return True
        return False

    def _read_records(self, block: bytes, blocks: Iterator[bytes]) -> bytes:
        """Check all records and return the last byte of the file."""
        self._checks = RecordChecks(self._header, self._found)
        self._order = RecordOrder(self._header, self._found, *self._references)
        self._shapes = RecordShapes(
            self._found.minor, self._header.sample_count, self._checks.info, self._checks.genotypes
        )
        last = b""
        while True:
            if block:
                last = block[-1:]
                if b"\r\n" in block:
                    self._note_carriage_returns()
                    block = block.replace(b"\r\n", b"\n")
                place = 0
                while place < len(block):
                    place = self._read_block(block, place)
            following = next(blocks, None)
            if following is None:
                return last
            block = following

    def _read_block(self, block: bytes, place: int) -> int:
        """Check records from `place` on, up to the end or to where a new shape was learned; return that place."""
        slow_group = self._shapes.slow_group
        follow, kinds_by_alleles, summary = self._order.follow, self._kinds, self._summary
        line, size = self._line, len(block)
        for matched in self._shapes.pattern.finditer(block, place):
            line += 1
            last = matched.lastindex or slow_group
            if last != slow_group:
                contig, pos, identifier, ref, alt = matched.group(1, 2, 3, 4, 5)
                kinds = kinds_by_alleles.get((ref, alt)) or self._kinds_of(ref, alt)
                if kinds:
                    if self._blank_line is not None:
                        self._pass_blank_lines(contig)
                    follow(
                        contig=contig,
                        position=int(pos),
                        identifier=identifier,
                        ref=ref,
                        alt=alt,
                        alleles=kinds,
                        end=int(matched[last]) if last > _ALT_GROUP else None,
                        line=line,
                    )
                    summary.record_count += 1
                    summary.snv_count += kinds.has_snv
                    summary.indel_count += kinds.has_indel
                    summary.symbolic_count += kinds.has_symbolic
                    summary.block_count += kinds.is_block
                    continue
            if matched.start() == size:
                line -= 1
                break  # the expression matches nothing at the very end
            self._line = line
            if self._read_line(without_line_end(matched[0])):
                return matched.end()
        self._line = line
        return size

    def _kinds_of(self, ref: bytes, alt: bytes) -> AlleleKinds | None:
        """Return the kinds of alleles, or None where the exact checks must look at them."""
        alts = alt.split(b",")
        if ref in alts or len(set(alts)) < len(alts):
            return None
        kinds = kinds_of(ref, alts)
        if len(ref) + len(alt) <= _LONGEST_ALLELES_KEPT:
            if len(self._kinds) >= _MOST_ALLELES_KEPT:
                self._kinds.clear()
            self._kinds[ref, alt] = kinds
        return kinds

    def _read_line(self, text: bytes) -> bool:
        """Check a line exactly; return whether a new shape was learned."""
        self._pass_blank_lines(text)
        if not text.strip():
            return False
        if text.startswith(b"#"):
            self._found.add(META_AFTER_HEADER, line=self._line)
            return False
        before = self._fault_count()
        place = self._checks.check(text, self._line)
        self._summary.record_count += 1
        if place is None:
            return False
        is_faultless = self._fault_count() == before
        kinds = place.alleles
        self._order.follow(
            contig=place.contig,
            position=place.position,
            identifier=place.identifier,
            ref=place.ref,
            alt=place.alt,
            alleles=kinds,
            end=place.end,
            line=self._line,
        )
        self._summary.snv_count += kinds.has_snv
        self._summary.indel_count += kinds.has_indel
        self._summary.symbolic_count += kinds.has_symbolic
        self._summary.block_count += kinds.is_block
        return is_faultless and self._shapes.learn(text.split(b"\t"), kinds.alt_count)

    def _fault_count(self) -> int:
        """Return how often a rule was broken, but for those that are told once for each name."""
        counts = self._found.log.count_by_code
        return counts.total() - sum(counts[code] for code in _TOLD_ONCE)

    def _pass_blank_lines(self, text: bytes) -> None:
        """Remember a blank line; another line behind it makes it a fault."""
        if not text.strip():
            self._blank_line = self._blank_line or self._line
        elif self._blank_line is not None:
            self._found.add(BLANK_LINE, line=self._blank_line)
            self._blank_line = None

    def _note_carriage_returns(self) -> None:
        if self._found.minor < 3 and not self._found.log.count_by_code[CARRIAGE_RETURNS.code]:
            self._found.add(CARRIAGE_RETURNS, line=max(self._line, 1))
