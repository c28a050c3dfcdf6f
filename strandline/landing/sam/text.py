"""SAM as text: lines to header and record fields, each line matched as a whole and explained only where it fails.

Source: SAM 1, 1.3 to 1.5.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.header import HeaderReader
from strandline.landing.sam.lines import Ending, read_lines
from strandline.landing.sam.records import RecordChecks, RecordColumns, RecordPlaces
from strandline.landing.sam.tags import CONTIG_NAME
from strandline.landing.sam.text_tags import TextTagChecks

_BATCH_RECORDS: Final = 4096
_MANDATORY: Final = 11
_BEGINNING: Final = re.compile(rb"[!-?A-~]{1,254}\t[0-9]{1,5}\t(?:\*|" + CONTIG_NAME + rb")\t[0-9]{1,10}\t[0-9]{1,3}\t")

_INTEGER: Final = re.compile(rb"[0-9]{1,20}")
_HIGHEST: Final = (1 << 31) - 1
_FORMS: Final[tuple[tuple[str, Rule, re.Pattern[bytes]], ...]] = (
    ("QNAME", rules.NAME, re.compile(rb"[!-?A-~]{1,254}")),
    ("FLAG", rules.FLAG, re.compile(rb"[0-9]{1,20}")),
    ("RNAME", rules.CONTIG_FORM, re.compile(rb"\*|" + CONTIG_NAME)),
    ("POS", rules.POSITION, _INTEGER),
    ("MAPQ", rules.MAPQ, _INTEGER),
    ("CIGAR", rules.CIGAR, re.compile(rb"\*|(?:[0-9]+[MIDNSHPX=])+")),
    ("RNEXT", rules.CONTIG_FORM, re.compile(rb"\*|=|" + CONTIG_NAME)),
    ("PNEXT", rules.POSITION, _INTEGER),
    ("TLEN", rules.TEMPLATE_LENGTH, re.compile(rb"[-+]?[0-9]{1,20}")),
    ("SEQ", rules.SEQ, re.compile(rb"\*|[A-Za-z=.]+")),
    ("QUAL", rules.QUAL, re.compile(rb"[!-~]+")),
)
_LINE: Final = re.compile(
    rb"[!-?A-~]{1,254}\t[0-9]{1,5}\t(?:\*|"
    + CONTIG_NAME
    + rb")\t[0-9]{1,9}\t[0-9]{1,3}\t(?:\*|[0-9MIDNSHPX=]+)\t(?:\*|=|"
    + CONTIG_NAME
    + rb")\t[0-9]{1,9}\t-?[0-9]{1,9}\t(?:\*|[A-Za-z=.]+)\t[!-~]+(?:\t[^\0]*)?"
)  # what passes is right but for ranges and the CIGAR
_OPERATION: Final = re.compile(rb"([0-9]+)([MIDNSHPX=])")
_CIGAR: Final = re.compile(rb"(?:[0-9]+[MIDNSHPX=])+")
_CLIPS: Final = re.compile(rb"(?:[0-9]+H)?(?:[0-9]+S)?(?:[0-9]+[MIDNPX=])*(?:[0-9]+S)?(?:[0-9]+H)?")
_NOT_IN_BAM: Final = b"=ACMGRSVTWYHKDBNacmgrsvtwyhkdbn"
_LONGEST_OPERATION: Final = 10  # digits
_CIGARS_KEPT: Final = 20_000

_Row = tuple[int, int, int, int, int, int, int, int, bool, int, int, int, int]


class TextRecords:
    """Takes record lines, and hands their fields to the checks of all formats in batches."""

    def __init__(self, checks: RecordChecks, log: FindingLog) -> None:
        self._checks = checks
        self._log = log
        self._numbers = checks.header.number_by_contig
        self._is_free = not self._numbers  # without @SQ lines any contig may be named
        self._rows: list[_Row] = []
        self._names: list[bytes] = []
        self._cigars: dict[bytes, tuple[int, int]] = {}
        self._tags = TextTagChecks(checks.header, log)
        self._skipped = 0

    def add(self, line: bytes, line_number: int | None) -> None:
        """Take one record; `line_number` is 1-based, None where the text was made from another format."""
        record = self._checks.record_count + len(self._rows) + self._skipped + 1
        fields = line.split(b"\t", _MANDATORY)
        if (_LINE.fullmatch(line) is None or len(fields[1]) > 4) and not self._explain(fields, line_number, record):
            self._skipped += 1
            return
        name, flag, contig, position, quality, cigar, next_contig, next_position, template, bases, qualities = fields[
            :11
        ]
        if len(quality) > 2 and int(quality) > 255:
            self._log.add(rules.MAPQ, line=line_number, record=record, field="MAPQ", kind="over 255")
        spans = self._cigars.get(cigar) or self._measure(cigar, line_number, record)
        base_count = 0 if bases == b"*" else len(bases)
        if qualities != b"*" and len(qualities) != base_count:
            kind = "QUAL without SEQ" if bases == b"*" else "shorter" if len(qualities) < base_count else "longer"
            self._log.add(rules.QUAL_LENGTH, line=line_number, record=record, field="QUAL", kind=kind)
        if base_count and bases.translate(None, _NOT_IN_BAM):
            self._log.add(rules.SEQ_NOT_IN_BAM, line=line_number, record=record, field="SEQ")
        if len(fields) > _MANDATORY:
            self._tags.check(fields[_MANDATORY], line_number, record)
        number = self._number(contig)
        self._rows.append(
            (
                int(flag),
                number,
                int(position),
                int(quality),
                number if next_contig == b"=" else self._number(next_contig),
                int(next_position),
                int(template),
                base_count,
                spans[0] >= 0,
                spans[0],
                spans[1],
                line_number or 0,
                record,
            )
        )
        if self._checks.wants_names:
            self._names.append(name)
        if len(self._rows) >= _BATCH_RECORDS:
            self.flush()

    def skip(self) -> None:
        """Count a record that was too large to be taken."""
        self._skipped += 1

    def flush(self) -> None:
        """Check what was taken since the last batch."""
        skipped, self._skipped = self._skipped, 0
        if not self._rows:
            self._checks.skip(skipped)
            return
        table = np.array(self._rows, dtype=np.int64).T
        lines = table[11] if table[11].any() else None
        columns = RecordColumns(
            places=RecordPlaces(table[12], lines),
            flag=table[0],
            contig=table[1],
            position=table[2],
            quality=table[3],
            next_contig=table[4],
            next_position=table[5],
            template_length=table[6],
            base_count=table[7],
            has_cigar=table[8] > 0,
            query_span=table[9],
            reference_span=table[10],
        )
        self._checks.check(columns, self._names)
        self._checks.skip(skipped)
        self._rows.clear()
        self._names.clear()

    def _number(self, contig: bytes) -> int:
        if contig == b"*":
            return -1
        return 0 if self._is_free else self._numbers.get(contig, -2)

    def _measure(self, cigar: bytes, line: int | None, record: int) -> tuple[int, int]:
        """Return bases that a CIGAR takes of the read and of the contig, -1 where there is none to be used."""
        if cigar == b"*":
            return -1, 0
        if not _CIGAR.fullmatch(cigar):
            self._log.add(rules.CIGAR, line=line, record=record, field="CIGAR")
            return -1, 0
        operations = _OPERATION.findall(cigar)
        if any(len(length) > _LONGEST_OPERATION for length, _ in operations):
            self._log.add(rules.CIGAR, line=line, record=record, field="CIGAR", kind="a length over 2^31")
            return -1, 0
        kinds = [kind for _, kind in operations]
        is_right = _CLIPS.fullmatch(cigar) is not None
        if not is_right:
            self._log.add(rules.CIGAR_CLIP, line=line, record=record, field="CIGAR")
        if any(one == two for one, two in pairwise(kinds)):
            self._log.add(rules.CIGAR_ADJACENT, line=line, record=record, field="CIGAR")
            is_right = False
        query = sum(int(length) for length, kind in operations if kind in b"MIS=X")
        reference = sum(int(length) for length, kind in operations if kind in b"MDN=X")
        if is_right and len(self._cigars) < _CIGARS_KEPT:
            self._cigars[cigar] = query, reference
        return query, reference

    def _explain(self, fields: list[bytes], line: int | None, record: int) -> bool:
        """Say which fields are not of their form; True where all are."""
        if len(fields) < _MANDATORY or b"" in fields[:_MANDATORY]:
            kind = "an empty field" if len(fields) >= _MANDATORY else f"{len(fields)} fields"
            self._log.add(rules.FIELDS, line=line, record=record, kind=kind)
            return False
        is_right = True
        for (field, rule, form), value in zip(_FORMS, fields, strict=False):
            if rule is rules.CIGAR:
                continue  # `_measure` does that
            wrong = None if form.fullmatch(value) else describe(value)
            if wrong is None and form is _INTEGER and int(value) > _HIGHEST:
                wrong = "over 2^31-1"
            elif wrong is None and field == "FLAG" and int(value) > 0xFFFF:
                wrong = "over 65535"
            elif wrong is None and field == "TLEN" and abs(int(value)) > _HIGHEST:
                wrong = "over 2^31-1"
            if wrong is not None:
                self._log.add(rule, line=line, record=record, field=field, kind=wrong)
                is_right = False
        return is_right


def describe(value: bytes) -> str:
    """Return the kind of a value that has no place where it stands.

    >>> describe(b"-5"), describe(b"1.5"), describe(b"a b"), describe(b"*")
    ('a negative number', 'a fraction', 'with a space', 'other characters')
    """
    for kind, form in _KINDS:
        if form.fullmatch(value):
            return kind
    return "other characters"


_KINDS: Final = (
    ("a negative number", re.compile(rb"-[0-9]+")),
    ("an integer", re.compile(rb"[0-9]+")),
    ("a fraction", re.compile(rb"[-+]?[0-9]*\.[0-9]*")),
    ("letters", re.compile(rb"[A-Za-z]+")),
    ("NUL bytes", re.compile(rb"[^\0]*\0.*", re.DOTALL)),
    ("not ASCII", re.compile(rb"[\x00-\x7f]*[\x80-\xff].*", re.DOTALL)),
    ("with a space", re.compile(rb"[!-~]* [ -~]*")),
)


def check_text(pieces: Iterable[bytes], log: FindingLog) -> RecordChecks | None:
    """Check a whole SAM file; None where it is none, which then is in the log."""
    lines = enumerate(read_lines(pieces), start=1)
    header = HeaderReader(log)
    number, line = 0, b""
    ending = Ending.FEED
    for number, (line, ending) in lines:  # noqa: B007  the first record's line is used below
        if not line.startswith(b"@") or line.startswith(b"@\0") or ending is Ending.TOO_FAR:
            break
        if not header.add(line):
            return None
        line = b""  # noqa: PLW2901  taken
    if number == 0:
        log.add(rules.EMPTY)
        return None
    if header.line_count == 0 and not _begins_like_a_record(line):
        log.add(rules.UNREADABLE, line=1, kind=_describe_beginning(line))
        return None
    found = header.finish()
    checks = RecordChecks(found, log, any_contig=not found.number_by_contig)
    records = TextRecords(checks, log)
    if line or header.line_count < number:
        _add_line(records, line, number, ending, log)
    for number, (line, ending) in lines:
        _add_line(records, line, number, ending, log)
    records.flush()
    return checks


def _add_line(records: TextRecords, line: bytes, number: int, ending: Ending, log: FindingLog) -> None:
    if ending is Ending.TOO_FAR:
        rule = rules.RECORD_UNCHECKED if _BEGINNING.match(line) else rules.LINE_TOO_LONG
        log.add(rule, line=number)
        records.skip()
        return
    if ending is Ending.FILE and not line.startswith(b"@"):
        if _is_cut(line):
            log.add(rules.SAM_TRUNCATED, line=number)
            records.skip()
            return
        log.add(rules.LINE_OPEN, line=number)
    if line.endswith(b"\r"):
        log.add(rules.CRLF, line=number)
        line = line[:-1]
    if line.startswith(b"@") and line[3:4] == b"\t":
        log.add(rules.HEADER_LATE, line=number)
        return
    records.add(line, number)


def _is_cut(line: bytes) -> bool:
    """Whether a line that ends with the file lacks something."""
    fields = line.split(b"\t")
    if len(fields) < _MANDATORY or not _LINE.fullmatch(line):
        return True
    seq, qual = fields[9:11]
    return len(qual) < len(seq) and qual != b"*"


def _begins_like_a_record(line: bytes) -> bool:
    return line.count(b"\t") >= _MANDATORY - 1 and line.isascii() and b"\0" not in line


def _describe_beginning(line: bytes) -> str | None:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0@\0" in line[:8] or line.startswith(b"@\0"):
        return "UTF-16 text"
    if line.startswith(b"\xef\xbb\xbf"):
        return "a byte order mark"
    return "NUL bytes" if b"\0" in line else "not eleven fields between tabs"
