"""The header: meta lines and the #CHROM line. Source: VCF 4.5, 1.4 and 1.5, and the same sections of 4.1 to 4.4."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from strandline.landing.vcf.definitions import (
    FORMAT_NUMBERS_SINCE,
    FORMAT_TYPES,
    INFO_TYPES,
    NUMBERS_SINCE,
    STRUCTURAL,
    FieldDefinition,
    reserved_format,
    reserved_info,
)
from strandline.landing.vcf.rules import (
    CONTIG_COLON,
    CONTIG_LENGTH,
    CONTIG_MD5,
    CONTIG_NAME,
    CONTIG_NAME_RESERVED,
    HEADER_COLUMNS,
    HEADER_TRAILING_TAB,
    META_EMPTY,
    META_FLAG_NUMBER,
    META_FORM,
    META_ID_FORM,
    META_ID_MISSING,
    META_ID_REPEATED,
    META_KEY_MISSING,
    META_KEY_REPEATED,
    META_NOT_STRUCTURED,
    META_NUMBER,
    META_NUMBER_LATER,
    META_QUOTES,
    META_TYPE,
    META_UNQUOTED,
    META_UNQUOTED_BEFORE,
    META_VALUES,
    NO_SAMPLES,
    RESERVED_DEFINITION,
    SAMPLE_NAME_EMPTY,
    SAMPLE_NAME_REPEATED,
    VcfFindings,
)
from strandline.landing.vcf.values import kind_of

COLUMNS: Final = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO")
CONTIG_NAME_FORM: Final = re.compile(rb"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
INFO_KEY_FORM: Final = re.compile(rb"[A-Za-z_][0-9A-Za-z_.]*|1000G")
FORMAT_KEY_FORM: Final = re.compile(rb"[A-Za-z_][0-9A-Za-z_.]*")
_FILTER_ID_FORM: Final = re.compile(rb"[^\s;]+")
_ALT_ID_FORM: Final = re.compile(rb"[^\s,<>]+")
_META_LINE: Final = re.compile(rb"##([^=\s][^=]*)=(.*)", re.DOTALL)
_PAIR: Final = re.compile(rb'([^=,"<>\s]+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\]|(?!["\[])[^,]*)(?:,|$)', re.DOTALL)
_OPEN_QUOTE: Final = re.compile(rb'=\s*"(?:[^"\\]|\\.)*$', re.DOTALL)
_STRUCTURED: Final = frozenset({b"INFO", b"FORMAT", b"FILTER", b"ALT", b"contig", b"SAMPLE", b"PEDIGREE", b"META"})
_UNSTRUCTURED: Final = frozenset({b"pedigreeDB", b"assembly"})  # 4.1 and 4.2 write their URLs in < and >
_REQUIRED: Final = {
    b"INFO": (b"ID", b"Number", b"Type", b"Description"),
    b"FORMAT": (b"ID", b"Number", b"Type", b"Description"),
    b"FILTER": (b"ID", b"Description"),
    b"ALT": (b"ID", b"Description"),
    b"contig": (b"ID",),
}
_ID_FORMS: Final = {
    b"INFO": INFO_KEY_FORM,
    b"FORMAT": FORMAT_KEY_FORM,
    b"FILTER": _FILTER_ID_FORM,
    b"ALT": _ALT_ID_FORM,
}
_QUOTED: Final = frozenset({b"Description", b"Source", b"Version"})
_PLAIN: Final = frozenset({b"ID", b"Number", b"Type", b"IDX"})
_MD5: Final = re.compile(rb"[0-9a-f]{32}")
_NAMES_AT_ONCE_BYTES: Final = 1 << 20


@dataclass(slots=True)
class VcfHeader:
    """What the header says of the records.

    `length_by_contig` is None for a contig without a length, `reference` the value of `##reference`.
    """

    minor: int
    reference: bytes | None = None
    infos: dict[bytes, FieldDefinition] = field(default_factory=dict)
    formats: dict[bytes, FieldDefinition] = field(default_factory=dict)
    filters: set[bytes] = field(default_factory=set)
    alts: set[bytes] = field(default_factory=set)
    length_by_contig: dict[bytes, int | None] = field(default_factory=dict)
    has_format: bool = False
    sample_count: int = 0
    _ids: set[tuple[bytes, bytes]] = field(default_factory=set)

    @property
    def column_count(self) -> int:
        """Columns of every record."""
        return len(COLUMNS) + self.has_format + self.sample_count

    def read_meta_line(self, line: bytes, number: int, found: VcfFindings) -> None:
        """Take in one line that begins with ##; `number` is 1-based."""
        matched = _META_LINE.fullmatch(line)
        if not matched:
            found.add(META_FORM, line=number, kind="no key=value")
            return
        key, value = matched.groups()
        if key == b"reference":
            self.reference = value
        if not value:
            found.add(META_EMPTY, line=number)
        elif key not in _UNSTRUCTURED and value.startswith(b"<"):
            self._read_structured(key, value, number, found)
        elif key in _STRUCTURED:
            found.add(META_NOT_STRUCTURED, line=number)

    def read_column_line(self, line: bytes, number: int, found: VcfFindings) -> None:
        """Take in the #CHROM line; `number` is 1-based."""
        if line.endswith(b"\t"):
            found.add(HEADER_TRAILING_TAB, line=number)
            line = line.rstrip(b"\t")
        names = line.split(b"\t", 9)
        if tuple(names[:8]) != COLUMNS or (len(names) > 8 and names[8] != b"FORMAT"):
            spaces = b"\t" not in line and len(line.split()) >= len(COLUMNS)
            found.add(HEADER_COLUMNS, line=number, kind="divided by spaces" if spaces else None)
        self.has_format = len(names) > 8
        if len(names) == 10:
            start = len(line) - len(names[9])
            self.sample_count = line.count(b"\t", start) + 1
            _check_sample_names(line, start, number, found)
        elif self.has_format:
            found.add(NO_SAMPLES, line=number)

    def _read_structured(self, key: bytes, value: bytes, number: int, found: VcfFindings) -> None:
        if not value.endswith(b">"):
            unclosed = _OPEN_QUOTE.search(value)
            found.add(META_QUOTES if unclosed else META_FORM, line=number, kind=None if unclosed else "no closing >")
            return
        pairs = _pairs(value[1:-1], number, found)
        if pairs is None:
            return
        values = dict(pairs)
        if len(values) < len(pairs):
            found.add(META_KEY_REPEATED, line=number)
        missing = [name for name in _REQUIRED.get(key, ()) if name not in values]
        for name in missing:
            found.add(META_KEY_MISSING, line=number, field=name.decode())
        if b"ID" not in values:
            if b"ID" not in missing:
                found.add(META_ID_MISSING, line=number)
            return
        self._check_id(key, values[b"ID"], number, found)
        if key in _REQUIRED and key != b"contig":
            self._check_quotes(key, values, number, found)
        if key in {b"INFO", b"FORMAT"} and not missing:
            self._define(key, values, number, found)
        elif key == b"FILTER":
            self.filters.add(values[b"ID"])
        elif key == b"ALT":
            self.alts.add(values[b"ID"])
        elif key == b"contig":
            self._add_contig(values, number, found)
        elif key == b"META" and not values.get(b"Values", b"[]").startswith(b"["):
            found.add(META_VALUES, line=number)

    def _check_id(self, key: bytes, name: bytes, number: int, found: VcfFindings) -> None:
        if (key, name) in self._ids:
            found.add(META_ID_REPEATED, line=number)
        self._ids.add((key, name))
        form = _ID_FORMS.get(key)
        if not name or (form and not form.fullmatch(name)):
            found.add(META_ID_FORM, line=number, kind=kind_of(name))

    def _check_quotes(self, key: bytes, values: dict[bytes, bytes], number: int, found: VcfFindings) -> None:
        for name, value in values.items():
            if name in _PLAIN or value.startswith(b'"'):
                continue
            if name in _QUOTED:
                if key == b"ALT" and found.minor < 3:
                    continue  # 4.1 and 4.2 show it without quotes
                must = name == b"Description" or found.minor >= 3
                found.add(META_UNQUOTED if must else META_UNQUOTED_BEFORE, line=number, field=name.decode())
            elif found.minor >= 5:
                found.add(META_UNQUOTED_BEFORE, line=number)

    def _define(self, key: bytes, values: dict[bytes, bytes], number: int, found: VcfFindings) -> None:
        is_info = key == b"INFO"
        name, how_many, kind = values[b"ID"], values[b"Number"], values[b"Type"]
        since = NUMBERS_SINCE if is_info else FORMAT_NUMBERS_SINCE
        if since.get(how_many, 0) > found.minor:
            found.add(META_NUMBER_LATER, line=number)
        elif not how_many.isdigit() and how_many not in since:
            found.add(META_NUMBER, line=number, kind=kind_of(how_many))
            how_many = b"."
        if kind not in (INFO_TYPES if is_info else FORMAT_TYPES):
            found.add(META_TYPE, line=number, kind=kind_of(kind))
            kind = b"String"
        if (kind == b"Flag") != (how_many == b"0"):
            found.add(META_FLAG_NUMBER, line=number)
        definition = FieldDefinition(how_many, kind)
        reserved = (reserved_info if is_info else reserved_format)(found.minor).get(name)
        if found.minor >= 3 and reserved and reserved != definition:
            found.add(RESERVED_DEFINITION, line=number)
        (self.infos if is_info else self.formats).setdefault(name, definition)

    def _add_contig(self, values: dict[bytes, bytes], number: int, found: VcfFindings) -> None:
        name = values[b"ID"]
        if not CONTIG_NAME_FORM.fullmatch(name):
            found.add(CONTIG_NAME, line=number, kind=kind_of(name))
        if name in STRUCTURAL:
            found.add(CONTIG_NAME_RESERVED, line=number)
        if found.minor < 3 and b":" in name and not found.log.count_by_code[CONTIG_COLON.code]:
            found.add(CONTIG_COLON, line=number)
        length = values.get(b"length")
        if length is not None and (not length.isdigit() or int(length[:20]) == 0):
            found.add(CONTIG_LENGTH, line=number, kind=kind_of(length))
            length = None
        if b"md5" in values and not _MD5.fullmatch(values[b"md5"].strip(b'"')):
            found.add(CONTIG_MD5, line=number)
        self.length_by_contig[name] = int(length) if length else None


def _pairs(inner: bytes, number: int, found: VcfFindings) -> list[tuple[bytes, bytes]] | None:
    """Return the key=value pairs between < and >, or note why there are none."""
    pairs: list[tuple[bytes, bytes]] = []
    place = 0
    while place < len(inner):
        matched = _PAIR.match(inner, place)
        if not matched:
            unclosed = b'"' in inner[place:]
            found.add(META_QUOTES if unclosed else META_FORM, line=number, kind=None if unclosed else "no key=value")
            return None
        pairs.append((matched[1], matched[2]))
        place = matched.end()
    if not pairs or (inner.endswith(b",") and not inner.endswith(b'",')):
        found.add(META_FORM, line=number, kind="empty" if not pairs else "a comma at the end")
        return None
    return pairs


def _check_sample_names(line: bytes, start: int, number: int, found: VcfFindings) -> None:
    """Check the names from byte `start` on by their hashes, eight bytes each: there may be millions of them."""
    parts = [np.array([hash(name) for name in names], dtype=np.int64) for names in _sample_names(line, start)]
    hashes = np.concatenate(parts)
    hashes.sort()
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]][:1000].tolist())
    seen: set[bytes] = set()
    is_empty = is_repeated = False
    for names in _sample_names(line, start):
        is_empty |= b"" in names
        for name in (name for name in names if suspects and hash(name) in suspects):
            is_repeated |= name in seen
            seen.add(name)
    if is_empty:
        found.add(SAMPLE_NAME_EMPTY, line=number)
    if is_repeated:
        found.add(SAMPLE_NAME_REPEATED, line=number)


def _sample_names(line: bytes, start: int) -> Iterator[list[bytes]]:
    """Yield the names from byte `start` on, some thousands at a time."""
    while start <= len(line):
        end = line.find(b"\t", start + _NAMES_AT_ONCE_BYTES)
        end = len(line) if end < 0 else end
        yield line[start:end].split(b"\t")
        start = end + 1
