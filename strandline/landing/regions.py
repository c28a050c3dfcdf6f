"""BED files: checked as such, and parsed as the regions to analyse.

Source: BED v1.0 specification (GA4GH). Which columns behind the third are BED's own and which a lab's is told outside
the file, so that what is odd with them is a warning.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from strandline.errors import RejectedInputError
from strandline.landing.findings import FindingLog, Level, Rule
from strandline.landing.text_lines import has_control_character, numbered_lines

REGIONS_LIMIT_BYTES: Final = 64 << 20
_LINE_LIMIT_BYTES: Final = 1 << 20
_LARGEST: Final = 2**64 - 1
_WORD: Final = re.compile(rb"[A-Za-z0-9_]{1,255}")
_MOST_CONTIGS: Final = 1_000_000


def _rule(code: str, level: Level, section: str, says: str, advice: str) -> Rule:
    return Rule(code, level, f"BED 1.0, {section}", says, advice)


EMPTY: Final = _rule("regions_empty", Level.ERROR, "1.3", "the file holds no interval", "send the right file")
LINE_TOO_LONG: Final = _rule("bed_line_too_long", Level.ERROR, "1.4", "a line is over 1 MiB", "send a BED file")
NOT_ASCII: Final = _rule("bed_not_ascii", Level.ERROR, "1.3, field", "a line is not ASCII text", "save it as ASCII")
CONTROL: Final = _rule(
    "bed_control_character", Level.ERROR, "1.3, field", "a line has a control character", "remove it"
)
COLUMNS: Final = _rule("bed_columns", Level.ERROR, "1.5", "a line has fewer than three columns", "write all three")
COLUMNS_DIFFER: Final = _rule("bed_columns_differ", Level.ERROR, "1.5", "lines differ in columns", "write them alike")
START: Final = _rule("bed_start", Level.ERROR, "1.6 (2)", "chromStart is no integer from 0 on", "write it 0-based")
END: Final = _rule("bed_end", Level.ERROR, "1.6 (3)", "chromEnd is no integer from 0 on", "write where it ends")
END_BEFORE_START: Final = _rule(
    "bed_end_before_start", Level.ERROR, "1.6 (3)", "chromEnd is smaller than chromStart", "correct the interval"
)
OUTSIDE_CONTIG: Final = _rule(
    "region_outside_contig", Level.ERROR, "1.6 (3)", "the interval ends after the contig does",
    "use the reference that the intervals were made for",
)  # fmt: skip
CONTIG_UNKNOWN: Final = _rule(
    "contig_not_in_reference", Level.ERROR, "3.1 (chrom)", "a contig is not in the reference",
    "use the reference that the intervals were made for",
)  # fmt: skip
NO_BASES: Final = _rule(
    "bed_no_bases", Level.WARNING, "1.6 (3)", "an interval has no bases, and cannot be analysed", "remove or widen it"
)
CHROM: Final = _rule(
    "bed_chrom", Level.WARNING, "1.6 (1)", "a contig name is not letters, digits and '_'", "rename the contig"
)
TRACK: Final = _rule("bed_track_line", Level.WARNING, "6", "a track or browser line makes no BED file", "remove it")
UNSORTED: Final = _rule("bed_unsorted", Level.WARNING, "3.4", "the intervals are not in order", "sort the file")
SEPARATOR: Final = _rule("bed_separator", Level.WARNING, "3.5", "columns are not divided by one tab", "use one tab")
TEN_COLUMNS: Final = _rule(
    "bed_ten_columns", Level.WARNING, "1.5", "a file with 10 or 11 of BED's columns is ruled out", "write 9 or 12"
)
SCORE: Final = _rule("bed_score", Level.WARNING, "1.7 (5)", "score is no integer from 0 to 1000", "correct it")
STRAND: Final = _rule("bed_strand", Level.WARNING, "1.7 (6)", "strand is none of +, - and '.'", "correct it")
THICK: Final = _rule(
    "bed_thick", Level.WARNING, "1.8 (7, 8)", "thickStart and thickEnd do not lie within the interval", "correct them"
)
COLOUR: Final = _rule("bed_colour", Level.WARNING, "1.8 (9)", "itemRgb is neither 0 nor three bytes", "correct it")
BLOCKS: Final = _rule(
    "bed_blocks", Level.WARNING, "1.9", "the blocks do not fill their interval in order", "correct the blocks"
)

BED_RULES: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))


@dataclass(frozen=True, slots=True)
class Region:
    """Half-open, 0-based interval, as in BED."""

    contig: str
    start0: int
    end0: int

    @property
    def length(self) -> int:
        """Bases in the interval."""
        return self.end0 - self.start0


def parse_regions(body: bytes, name: str, length_by_contig: Mapping[str, int] | None) -> list[Region]:
    """Parse a BED file and check it against the contigs of the reference, where they are given.

    Raises:
        RejectedInputError: `regions_too_large`, `regions_invalid`, `contig_not_in_reference`,
            `region_outside_contig` or `regions_empty`, with the 1-based line.
    """
    if len(body) > REGIONS_LIMIT_BYTES:
        raise RejectedInputError("regions_too_large", f"{name} is over 64 MiB: merge neighbouring intervals")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise RejectedInputError("regions_invalid", f"{name} is not plain text (byte {error.start})") from None
    regions: list[Region] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        regions.append(_parse_line(line, f"{name}, line {number}", length_by_contig))
    if not regions:
        raise RejectedInputError("regions_empty", f"{name} holds no interval")
    return regions


@dataclass(frozen=True, slots=True)
class BedSummary:
    """What a BED file holds; intervals that overlap count their bases twice."""

    interval_count: int
    base_count: int


def validate_bed(pieces: Iterable[bytes], log: FindingLog, *, length_by_contig: Mapping[str, int] | None) -> BedSummary:
    """Check a BED file and write what is wrong into `log`.

    Args:
        pieces: the file's bytes, unpacked.
        log: carries the file's name.
        length_by_contig: contigs that intervals must stay within; None leaves that unchecked.
    """
    checks = _BedChecks(log, length_by_contig)
    for number, line in numbered_lines(pieces, log, limit_bytes=_LINE_LIMIT_BYTES, too_long=LINE_TOO_LONG):
        checks.check(line.removesuffix(b"\r"), number)
    if not checks.interval_count:
        log.add(EMPTY)
    return BedSummary(checks.interval_count, checks.base_count)


class _BedChecks:
    """Checks of lines in their order."""

    def __init__(self, log: FindingLog, length_by_contig: Mapping[str, int] | None) -> None:
        self._log = log
        self._lengths = length_by_contig
        self._width: int | None = None
        self._contig = b""
        self._start0 = 0
        self._seen: set[bytes] = set()
        self.interval_count = 0
        self.base_count = 0

    def check(self, line: bytes, number: int) -> None:
        """Check one line without its line end."""
        log = self._log
        if not line.strip() or line.startswith(b"#"):
            return
        if not line.isascii():
            log.add(NOT_ASCII, line=number)
            return
        if has_control_character(line):
            log.add(CONTROL, line=number)
            return
        cells = line.split(b"\t") if b"\t" in line else line.split()
        if cells[0] in {b"track", b"browser"} or line.startswith((b"track ", b"browser ")):
            log.add(TRACK, line=number)
            return
        if b"\t" not in line or b"" in cells[:3]:
            cells = line.split()
            self._tell(SEPARATOR, number)
        if len(cells) < 3:
            log.add(COLUMNS, line=number, kind=f"{len(cells)} columns")
            return
        self._check_width(len(cells), number)
        self._check_interval(cells, number)

    def _check_width(self, width: int, number: int) -> None:
        if self._width is None:
            self._width = width
            if width in {10, 11}:
                self._log.add(TEN_COLUMNS, line=number)
        elif width != self._width:
            self._log.add(COLUMNS_DIFFER, line=number, kind=f"{width} for {self._width}")

    def _check_interval(self, cells: list[bytes], number: int) -> None:
        log, (contig, first, last) = self._log, cells[:3]
        self.interval_count += 1
        for rule, cell, field in ((START, first, "chromStart"), (END, last, "chromEnd")):
            if not cell.isdigit() or int(cell[:21]) > _LARGEST:
                log.add(rule, line=number, field=field)
                return
        start0, end0 = int(first), int(last)
        if end0 < start0:
            log.add(END_BEFORE_START, line=number)
            return
        if end0 == start0:
            log.add(NO_BASES, line=number)
        self.base_count += end0 - start0
        self._follow(contig, start0, end0, number)
        if len(cells) > 4:
            self._check_more(cells, start0, end0, number)

    def _follow(self, contig: bytes, start0: int, end0: int, number: int) -> None:
        if contig != self._contig:
            if contig in self._seen:
                self._tell(UNSORTED, number)
            elif len(self._seen) < _MOST_CONTIGS:
                self._seen.add(contig)
            if not _WORD.fullmatch(contig):
                self._tell(CHROM, number)
        elif start0 < self._start0:
            self._tell(UNSORTED, number)
        self._contig, self._start0 = contig, start0
        if self._lengths is not None:
            length = self._lengths.get(contig.decode())
            if length is None:
                self._log.add(CONTIG_UNKNOWN, line=number, field="chrom")
            elif end0 > length:
                self._log.add(OUTSIDE_CONTIG, line=number, field="chromEnd")

    def _check_more(self, cells: list[bytes], start0: int, end0: int, number: int) -> None:
        """Check BED's own columns from the fifth on, as far as there are such."""
        if not cells[4].isdigit() or int(cells[4][:9]) > 1000:
            self._tell(SCORE, number)
        if len(cells) > 5 and cells[5] not in {b"+", b"-", b"."}:
            self._tell(STRAND, number)
        thick = [int(cell[:21]) if cell.isdigit() else -1 for cell in cells[6:8]]
        if any(not start0 <= place <= end0 for place in thick) or thick != sorted(thick):
            self._tell(THICK, number)
        if len(cells) > 8 and cells[8] != b"0" and not _is_colour(cells[8]):
            self._tell(COLOUR, number)
        if len(cells) == 12 and not _are_blocks(cells[9:], end0 - start0):
            self._tell(BLOCKS, number)

    def _tell(self, rule: Rule, number: int) -> None:
        """Note what is the same on many lines of a file at its first one."""
        if not self._log.count_by_code[rule.code]:
            self._log.add(rule, line=number)


def _is_colour(cell: bytes) -> bool:
    parts = cell.split(b",")
    return len(parts) == 3 and all(part.isdigit() and int(part[:9]) <= 255 for part in parts)


def _are_blocks(cells: list[bytes], length: int) -> bool:
    """Whether blockCount, blockSizes and blockStarts tile an interval from its start to its end without overlap."""
    lists = [cell.removesuffix(b",").split(b",") for cell in cells]
    if not all(part.isdigit() for parts in lists for part in parts):
        return False
    (count,), sizes, starts = (
        ([int(part[:21]) for part in parts] for parts in lists) if len(lists[0]) == 1 else ((0,), [], [])
    )
    if not count == len(sizes) == len(starts) or count == 0 or starts[0] != 0:
        return False
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    return ends[-1] == length and all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def merge_regions(regions: list[Region]) -> list[Region]:
    """Return the same bases as sorted intervals that neither overlap nor touch.

    >>> merge_regions([Region("c", 5, 9), Region("c", 0, 5), Region("b", 1, 2)])
    [Region(contig='b', start0=1, end0=2), Region(contig='c', start0=0, end0=9)]
    """
    merged: list[Region] = []
    for region in sorted(regions, key=lambda r: (r.contig, r.start0, r.end0)):
        last = merged[-1] if merged else None
        if last and last.contig == region.contig and region.start0 <= last.end0:
            merged[-1] = Region(last.contig, last.start0, max(last.end0, region.end0))
        else:
            merged.append(region)
    return merged


def _parse_line(line: str, where: str, length_by_contig: Mapping[str, int] | None) -> Region:
    fields = line.split()
    if len(fields) < 3 or not fields[1].isdigit() or not fields[2].isdigit():
        raise RejectedInputError("regions_invalid", f"{where}: expected contig, start and end")
    region = Region(fields[0], int(fields[1]), int(fields[2]))
    if region.start0 >= region.end0:
        raise RejectedInputError("regions_invalid", f"{where}: start must be less than end (0-based, half-open)")
    if length_by_contig is None:
        return region
    if region.contig not in length_by_contig:
        raise RejectedInputError(
            "contig_not_in_reference",
            f"{where}: this contig is not in the reference; use the reference that the regions were made for",
        )
    if region.end0 > length_by_contig[region.contig]:
        raise RejectedInputError("region_outside_contig", f"{where}: the interval ends after the contig does")
    return region
