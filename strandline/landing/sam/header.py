"""The header's lines, one after another: forms, required tags, names that must differ, chains that must end.

Source: SAM 1, 1.2.1 and 1.3.
"""

import re
from array import array
from dataclasses import dataclass, field
from typing import Final

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.tags import CONTIG_NAME

HEADER_LIMIT_BYTES: Final = 256 << 20
LONGEST_CONTIG: Final = (1 << 31) - 1

_LINE: Final = re.compile(rb"@(HD|SQ|RG|PG)(?:\t[A-Za-z][A-Za-z0-9]:[^\x00-\x1f\x7f]+)+")
_TYPE: Final = re.compile(rb"@(?:HD|SQ|RG|PG|CO)(?![A-Za-z0-9])")
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MAY_BE_UTF8: Final = frozenset((b"DS", b"CL"))
_REQUIRED: Final = {b"HD": (b"VN",), b"SQ": (b"SN", b"LN"), b"RG": (b"ID",), b"PG": (b"ID",)}

_NAME: Final = re.compile(CONTIG_NAME)
_FORMS: Final = {
    (b"HD", b"VN"): re.compile(rb"[0-9]+\.[0-9]+"),
    (b"HD", b"SO"): re.compile(rb"unknown|unsorted|queryname|coordinate"),
    (b"HD", b"GO"): re.compile(rb"none|query|reference"),
    (b"HD", b"SS"): re.compile(rb"(?:coordinate|queryname|unsorted)(?::[A-Za-z0-9_-]+)+"),
    (b"SQ", b"SN"): _NAME,
    (b"SQ", b"LN"): re.compile(rb"0*[1-9][0-9]{0,9}"),
    (b"SQ", b"AH"): re.compile(rb"\*|" + CONTIG_NAME + rb"(?::[0-9]+-[0-9]+)?"),
    (b"SQ", b"AN"): re.compile(CONTIG_NAME + rb"(?:," + CONTIG_NAME + rb")*"),
    (b"SQ", b"M5"): re.compile(rb"[0-9a-f]{32}"),
    (b"SQ", b"TP"): re.compile(rb"linear|circular"),
}
_DESCRIPTIONS: Final = {
    (b"RG", b"DT"): re.compile(
        rb"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?|(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))?"
        rb"(?:[T ](?:[01][0-9]|2[0-4]):?[0-5][0-9](?::?[0-6][0-9](?:[.,][0-9]+)?)?(?:Z|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
    ),
    (b"RG", b"FO"): re.compile(rb"\*|[ACMGRSVTWYHKDBN]+"),
    (b"RG", b"PI"): re.compile(rb"[0-9]+(?:\.[0-9]+)?"),
    (b"RG", b"PL"): re.compile(
        rb"CAPILLARY|DNBSEQ|DNB|ELEMENT|HELICOS|ILLUMINA|IONTORRENT|LS454|ONT|PACBIO|SINGULAR|SOLID|ULTIMA"
    ),
}


@dataclass(slots=True)
class Header:
    """What the header says.

    Attributes:
        number_by_contig: 0-based number of each contig, in the order of the @SQ lines.
        lengths: of the contigs, in bases; -1 where LN is not readable.
        checksum_by_contig: M5, 32 hexadecimal digits.
        previous_by_program: PP of each @PG line, None where it has none.
    """

    version: str | None = None
    sort_order: str = "unknown"
    sub_sort: str | None = None
    number_by_contig: dict[bytes, int] = field(default_factory=dict)
    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    circular: set[int] = field(default_factory=set)
    checksum_by_contig: dict[bytes, bytes] = field(default_factory=dict)
    read_groups: set[bytes] = field(default_factory=set)
    previous_by_program: dict[bytes, bytes | None] = field(default_factory=dict)


class HeaderReader:
    """Takes the header's lines as they come; line numbers are 1-based."""

    def __init__(self, log: FindingLog) -> None:
        self.header = Header()
        self.line_count = 0
        self._log = log
        self._size_bytes = 0
        self._has_hd = False
        self._names: set[bytes] = set()  # alternative names; those of SN are the keys of number_by_contig
        self._line_by_program: dict[bytes, int] = {}

    def add(self, line: bytes) -> bool:
        """Take one line without its line feed; False where the header grew over what this check reads."""
        self.line_count += 1
        self._size_bytes += len(line)
        if self._size_bytes > HEADER_LIMIT_BYTES:
            self._log.add(rules.HEADER_TOO_LARGE, line=self.line_count)
            return False
        if line.endswith(b"\r"):
            self._log.add(rules.CRLF, line=self.line_count)
            line = line[:-1]
        matched = _LINE.fullmatch(line)
        if matched is None:
            self._add_odd(line)
            return True
        kind = matched[1]
        fields = line[4:].split(b"\t")
        value_by_tag = {entry[:2]: entry[3:] for entry in fields}
        if len(value_by_tag) != len(fields):
            self._say(rules.HEADER_TAG_REPEATED, kind)
        if not line.isascii():
            self._check_encoding(kind, value_by_tag)
        self._check_values(kind, value_by_tag)
        match kind:
            case b"HD":
                self._add_hd(value_by_tag)
            case b"SQ":
                self._add_contig(value_by_tag)
            case b"RG":
                self._add_read_group(value_by_tag)
            case _:
                self._add_program(value_by_tag)
        return True

    def finish(self) -> Header:
        """Check what only the whole header shows, and return it."""
        if not self._has_hd:
            self._log.add(rules.HD_MISSING)
        previous = self.header.previous_by_program
        done: set[bytes] = set()
        for program, line in self._line_by_program.items():
            chain: set[bytes] = set()
            at: bytes | None = program
            while at is not None and at not in done and at not in chain:
                chain.add(at)
                at = previous[at] if previous[at] in previous else None
            if at is not None and at in chain:
                self._log.add(rules.PROGRAM_CHAIN, line=line, field="@PG PP", kind="a circle")
            if previous[program] is not None and previous[program] not in previous:
                self._log.add(rules.PROGRAM_CHAIN, line=line, field="@PG PP", kind="no such ID")
            done |= chain
        return self.header

    def _say(self, rule: Rule, kind: bytes, tag: bytes = b"", value_kind: str | None = None) -> None:
        place = f"@{kind.decode('ascii')} {tag.decode('ascii')}".rstrip()
        self._log.add(rule, line=self.line_count, field=place, kind=value_kind)

    def _add_odd(self, line: bytes) -> None:
        """Say what is wrong with a line that is none of tags, and take comments."""
        if _CONTROLS.search(line) or not _is_utf8(line):
            self._log.add(rules.HEADER_ENCODING, line=self.line_count, kind=_describe_bytes(line))
        elif line == b"@CO" or line.startswith(b"@CO\t"):
            if line == b"@CO":
                self._log.add(rules.HEADER_LINE, line=self.line_count, field="@CO", kind="no tab")
        elif _TYPE.match(line) is None:
            self._log.add(rules.HEADER_LINE, line=self.line_count, kind="another record type")
        else:
            fields = line.split(b"\t")[1:]
            kind = "no tab" if not fields else "an empty value" if _has_empty(fields) else "not TAG:VALUE"
            self._log.add(rules.HEADER_LINE, line=self.line_count, field=line[:3].decode("ascii"), kind=kind)
            self._keep_names(line[1:3], fields)

    def _keep_names(self, kind: bytes, fields: list[bytes]) -> None:
        """Take an ID or a contig from a line that is wrong elsewhere, so that one fault is told once."""
        value_by_tag = {entry[:2]: entry[3:] for entry in fields if entry[2:3] == b":" and entry[3:]}
        if kind == b"HD":
            self._has_hd = True
        elif kind == b"SQ" and b"SN" in value_by_tag:
            self.header.number_by_contig.setdefault(value_by_tag[b"SN"], len(self.header.number_by_contig))
            length = value_by_tag.get(b"LN", b"")
            if len(self.header.lengths) < len(self.header.number_by_contig):
                self.header.lengths.append(int(length) if length.isdigit() and len(length) <= 10 else -1)
        elif kind == b"RG" and b"ID" in value_by_tag:
            self.header.read_groups.add(value_by_tag[b"ID"])
        elif kind == b"PG" and b"ID" in value_by_tag:
            self.header.previous_by_program.setdefault(value_by_tag[b"ID"], value_by_tag.get(b"PP"))

    def _check_encoding(self, kind: bytes, value_by_tag: dict[bytes, bytes]) -> None:
        for tag, value in value_by_tag.items():
            if value.isascii():
                continue
            if not _is_utf8(value):
                self._say(rules.HEADER_ENCODING, kind, tag, "not UTF-8")
            elif tag not in _MAY_BE_UTF8:
                self._say(rules.HEADER_NOT_ASCII, kind, tag)

    def _check_values(self, kind: bytes, value_by_tag: dict[bytes, bytes]) -> None:
        for tag in _REQUIRED[kind]:
            if tag not in value_by_tag:
                self._say(rules.HEADER_TAG_MISSING, kind, tag)
        for tag, value in value_by_tag.items():
            form = _FORMS.get((kind, tag))
            if form is not None and not form.fullmatch(value):
                self._say(rules.HEADER_VALUE, kind, tag, _describe(value))
            form = _DESCRIPTIONS.get((kind, tag))
            if form is not None and not form.fullmatch(value):
                self._say(rules.HEADER_DESCRIPTION, kind, tag, _describe(value))

    def _add_hd(self, value_by_tag: dict[bytes, bytes]) -> None:
        if self.line_count != 1 or self._has_hd:
            self._say(rules.HD_PLACE, b"HD")
        if b"SO" in value_by_tag and value_by_tag.get(b"GO", b"none") != b"none":
            self._say(rules.HD_BOTH_ORDERS, b"HD")
        self._has_hd = True
        self.header.version = value_by_tag.get(b"VN", b"").decode("ascii", "replace") or None
        self.header.sort_order = value_by_tag.get(b"SO", b"unknown").decode("ascii", "replace")
        sub_sort = value_by_tag.get(b"SS", b"").decode("ascii", "replace")
        if sub_sort.startswith(f"{self.header.sort_order}:"):  # another major order makes SS void
            self.header.sub_sort = sub_sort.removeprefix(f"{self.header.sort_order}:")

    def _add_contig(self, value_by_tag: dict[bytes, bytes]) -> None:
        name = value_by_tag.get(b"SN", b"")
        numbers = self.header.number_by_contig
        repeated = name in numbers or name in self._names
        for other in value_by_tag[b"AN"].split(b",") if b"AN" in value_by_tag else ():
            if other != name:
                repeated |= other in numbers or other in self._names
                self._names.add(other)
        if repeated:
            self._say(rules.CONTIG_REPEATED, b"SQ")
        length = value_by_tag.get(b"LN", b"")
        size = int(length) if length.isdigit() and len(length) <= 20 else -1
        if size > LONGEST_CONTIG and len(length) <= 10:
            self._say(rules.HEADER_VALUE, b"SQ", b"LN", "over 2^31-1")
        if name in numbers:
            return
        if value_by_tag.get(b"TP") == b"circular":
            self.header.circular.add(len(numbers))
        if b"M5" in value_by_tag:
            self.header.checksum_by_contig[name] = value_by_tag[b"M5"]
        numbers[name] = len(numbers)
        self.header.lengths.append(min(size, LONGEST_CONTIG))

    def _add_read_group(self, value_by_tag: dict[bytes, bytes]) -> None:
        name = value_by_tag.get(b"ID")
        if name is None:
            return
        if name in self.header.read_groups:
            self._say(rules.READ_GROUP_REPEATED, b"RG", b"ID")
        self.header.read_groups.add(name)

    def _add_program(self, value_by_tag: dict[bytes, bytes]) -> None:
        name = value_by_tag.get(b"ID")
        if name is None:
            return
        if name in self.header.previous_by_program:
            self._say(rules.PROGRAM_REPEATED, b"PG", b"ID")
            return
        self.header.previous_by_program[name] = value_by_tag.get(b"PP")
        self._line_by_program[name] = self.line_count


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_empty(fields: list[bytes]) -> bool:
    return any(len(entry) == 3 and entry.endswith(b":") for entry in fields)


def _describe_bytes(line: bytes) -> str:
    if b"\0" in line:
        return "NUL bytes"
    return "control characters" if _CONTROLS.search(line) else "not UTF-8"


def _describe(value: bytes) -> str:
    """Return the kind of a value.

    >>> _describe(b"0"), _describe(b"-1"), _describe(b"abc"), _describe(b"a b")
    ('digits', 'a negative number', 'letters', 'text')
    """
    if value.isdigit():
        return "digits"
    if value[:1] == b"-" and value[1:].isdigit():
        return "a negative number"
    return "letters" if value.isalpha() else "text"
