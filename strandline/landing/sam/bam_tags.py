"""Optional fields of BAM: the n-th fields of all records of a batch are walked over in one step.

Source: SAM 1, 1.5 and 4.2.4; SAMtags 1.
"""

from typing import Final

import numpy as np

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.gather import Bytes, Integers, Mask, gather, owners_of
from strandline.landing.sam.records import RecordChecks, RecordColumns
from strandline.landing.sam.tags import (
    MOST_TAGS,
    SUBTYPE_BY_TAG,
    TAG_NAME,
    VALUE_BY_TAG,
    VALUE_BY_TYPE,
    is_standard_type,
    text_type,
)

_STRING, _ARRAY, _UNKNOWN = -1, -2, -3
_WIDTH: Final = np.full(256, _UNKNOWN, dtype=np.int64)
for _types, _width in ((b"AcC", 1), (b"sS", 2), (b"iIf", 4), (b"ZH", _STRING), (b"B", _ARRAY)):
    _WIDTH[list(_types)] = _width
_ELEMENT_WIDTH: Final = np.zeros(256, dtype=np.int64)
for _types, _width in ((b"cC", 1), (b"sS", 2), (b"iIf", 4)):
    _ELEMENT_WIDTH[list(_types)] = _width
_SMALLEST_FIELD: Final = 4
_ARRAY_HEAD: Final = 8
_CHARACTER, _HEX, _PROGRAM, _GROUP = ord("A"), ord("H"), b"PG", b"RG"
_PRINTABLE: Final = np.zeros(256, dtype=np.bool_)
_PRINTABLE[0x20:0x7F] = True
_WATCHED: Final = frozenset((*VALUE_BY_TAG, _PROGRAM, _GROUP))

_Places = tuple[Integers, Integers, Integers]  # record within the batch, start and end of the value


class TagChecks:
    """Checks the optional fields of batches; what is true of a tag and type is worked out once a file."""

    def __init__(self, checks: RecordChecks, log: FindingLog) -> None:
        self._checks = checks
        self._log = log
        self._faults_by_code: dict[int, tuple[tuple[Rule, str | None], ...]] = {}

    def check(self, data: bytes, buffer: Bytes, starts: Integers, ends: Integers, columns: RecordColumns) -> None:
        """Check the fields that lie between `starts` and `ends` in `buffer`, which is `data`."""
        walk = _Walk(self, data, buffer, columns)
        walk.run(starts, ends)
        walk.check_repeated()
        walk.check_strings()
        walk.check_watched()

    def report(self, rule: Rule, records: Integers, columns: RecordColumns, field: str, kind: str | None) -> None:
        broken = np.zeros(len(columns.flag), dtype=np.bool_)
        broken[records] = True
        self._checks.report(rule, broken, columns.places, field, kind)

    def faults_of(self, code: int) -> tuple[tuple[Rule, str | None], ...]:
        """Return what is wrong with a tag and its type, given as three bytes in one number."""
        found = self._faults_by_code.get(code)
        if found is None:
            tag, kind = code.to_bytes(3, "big")[:2], code.to_bytes(3, "big")[2:]
            faults: list[tuple[Rule, str | None]] = []
            if not TAG_NAME.fullmatch(tag):
                faults.append((rules.TAG_FORM, "a tag of other characters"))
            if _WIDTH[kind[0]] != _UNKNOWN and not is_standard_type(tag, text_type(kind)):
                faults.append((rules.TAG_STANDARD_TYPE, None))
            found = self._faults_by_code[code] = tuple(faults)
        return found

    def is_known(self, tag: bytes, value: bytes) -> bool:
        """Whether a value of RG or PG is declared."""
        header = self._checks.header
        return value in (header.read_groups if tag == _GROUP else header.previous_by_program)

    @property
    def has_read_groups(self) -> bool:
        """Whether the header declares any."""
        return bool(self._checks.header.read_groups)

    @property
    def has_programs(self) -> bool:
        """Whether the header declares any."""
        return bool(self._checks.header.previous_by_program)


class _Walk:
    """One batch."""

    def __init__(self, owner: TagChecks, data: bytes, buffer: Bytes, columns: RecordColumns) -> None:
        self._owner = owner
        self._data = data
        self._buffer = buffer
        self._columns = columns
        self._tags: list[Integers] = []
        self._records: list[Integers] = []
        self._strings: list[_Places] = []
        self._watched: dict[bytes, list[_Places]] = {}
        zeros = np.flatnonzero(buffer == 0)
        self._zeros: Integers = np.append(zeros, len(buffer))

    def run(self, starts: Integers, ends: Integers) -> None:
        """Step from field to field, all records at once, until none has another one."""
        records = np.flatnonzero(starts < ends)
        at = starts[records]
        for _ in range(MOST_TAGS + 1):
            if not len(records):
                break
            records, at = self._drop(records, at, at + _SMALLEST_FIELD > ends[records], "a field of under 4 bytes")
            first, second, kind = (self._buffer[at + step].astype(np.int64) for step in (0, 1, 2))
            code = (first << 16) | (second << 8) | kind
            after = self._find_ends(at, kind, ends[records])
            self._tags.append(code >> 8)
            self._records.append(records)
            self._check_codes(code, records, at, after, ends[records])
            unknown = _WIDTH[kind] == _UNKNOWN
            if unknown.any():
                self._report(rules.TAG_TYPE, records[unknown], "type")
            over = (after > ends[records]) & ~unknown
            if over.any():
                self._report(rules.TAG_OVERRUN, records[over], "value")
            more = (after < ends[records]) & ~unknown & ~over
            records, at = records[more], after[more]

    def check_repeated(self) -> None:
        """Find records that have a tag twice."""
        if not self._records:
            return
        key = np.concatenate([(records << 16) | tag for records, tag in zip(self._records, self._tags, strict=True)])
        key.sort()
        repeated = key[1:][key[1:] == key[:-1]]
        if len(repeated):
            self._report(rules.TAG_REPEATED, repeated >> 16, "tag")

    def check_strings(self) -> None:
        """Check the characters of all strings."""
        if not self._strings:
            return
        records, starts, ends = (np.concatenate(parts) for parts in zip(*self._strings, strict=True))
        wrong = ~_PRINTABLE[gather(self._buffer, starts, ends - starts)]
        if wrong.any():
            self._report(rules.TAG_VALUE, records[owners_of(wrong, ends - starts)], "Z", "not printable ASCII")

    def check_watched(self) -> None:
        """Check the values of tags that have a form of their own, each distinct value once."""
        for tag, parts in self._watched.items():
            records, starts, ends = (np.concatenate(part) for part in zip(*parts, strict=True))
            data = self._data
            values = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
            wrong = {value for value in set(values) if not self._is_right(tag, value)}
            if wrong:
                marked = np.fromiter((value in wrong for value in values), dtype=np.bool_, count=len(values))
                self._report(_rule_of(tag, self._owner.has_read_groups), records[marked], tag.decode("ascii"))

    def _is_right(self, tag: bytes, value: bytes) -> bool:
        if tag == _PROGRAM:
            return not self._owner.has_programs or self._owner.is_known(tag, value)
        if tag == _GROUP:
            return self._owner.is_known(tag, value)
        return VALUE_BY_TAG[tag].fullmatch(value) is not None

    def _find_ends(self, at: Integers, kind: Integers, ends: Integers) -> Integers:
        """Return where each field ends, past its record's end where its length is not to be believed."""
        width = _WIDTH[kind]
        after = at + 3 + width
        strings = np.flatnonzero(width == _STRING)
        if len(strings):
            after[strings] = self._zeros[np.searchsorted(self._zeros, at[strings] + 3)] + 1
        for index in np.flatnonzero(width == _ARRAY).tolist():
            start, end = int(at[index]), int(ends[index])
            after[index] = end + 1
            if start + _ARRAY_HEAD <= end:
                count = int.from_bytes(self._data[start + 4 : start + 8], "little", signed=True)
                element = int(_ELEMENT_WIDTH[self._data[start + 3]])
                if not element:
                    after[index] = end  # told as a type; where the next field begins nobody knows
                elif count >= 0:
                    after[index] = start + _ARRAY_HEAD + count * element
        return after

    def _check_codes(self, code: Integers, records: Integers, at: Integers, after: Integers, ends: Integers) -> None:
        whole = after <= ends
        for number in np.unique(code).tolist():
            tag, kind = number.to_bytes(3, "big")[:2], number & 0xFF
            chosen: Mask | None = None
            for rule, text in self._owner.faults_of(number):
                chosen = code == number if chosen is None else chosen
                self._report(rule, records[chosen], _name(tag), text)
            if kind == ord("Z"):
                chosen = (code == number) & whole
                places = records[chosen], at[chosen] + 3, after[chosen] - 1
                self._strings.append(places)
                if tag in _WATCHED:
                    self._watched.setdefault(tag, []).append(places)
            elif kind == _CHARACTER:
                value = self._buffer[at + 3]
                wrong = (code == number) & whole & ((value < 0x21) | (value > 0x7E))
                if wrong.any():
                    self._report(rules.TAG_VALUE, records[wrong], _name(tag), "not printable ASCII")
            elif kind == _HEX:
                self._check_hex(tag, np.flatnonzero((code == number) & whole), records, at, after)
            elif kind == ord("B"):
                self._check_arrays(tag, np.flatnonzero(code == number), records, at)

    def _check_hex(self, tag: bytes, chosen: Integers, records: Integers, at: Integers, after: Integers) -> None:
        form = VALUE_BY_TYPE[b"H"]
        for index in chosen.tolist():
            if not form.fullmatch(self._data, int(at[index]) + 3, int(after[index]) - 1):
                self._report(rules.TAG_VALUE, records[index : index + 1], _name(tag), "not hexadecimal")

    def _check_arrays(self, tag: bytes, chosen: Integers, records: Integers, at: Integers) -> None:
        subtype = self._buffer[at[chosen] + 3]
        unknown = _ELEMENT_WIDTH[subtype] == 0
        if unknown.any():
            self._report(rules.TAG_TYPE, records[chosen[unknown]], _name(tag), "a type of elements")
        expected = SUBTYPE_BY_TAG.get(tag)
        if expected is not None:
            other = ~unknown & (subtype != expected[0])
            if other.any():
                self._report(rules.TAG_STANDARD_TYPE, records[chosen[other]], _name(tag), "a type of elements")

    def _drop(self, records: Integers, at: Integers, over: Mask, kind: str) -> tuple[Integers, Integers]:
        if over.any():
            self._report(rules.TAG_OVERRUN, records[over], "tag", kind)
            return records[~over], at[~over]
        return records, at

    def _report(self, rule: Rule, records: Integers, field: str, kind: str | None = None) -> None:
        self._owner.report(rule, records, self._columns, field, kind)


def _rule_of(tag: bytes, has_read_groups: bool) -> Rule:
    if tag == _PROGRAM:
        return rules.PROGRAM_UNKNOWN
    if tag == _GROUP:
        return rules.READ_GROUP_UNKNOWN if has_read_groups else rules.READ_GROUP_UNDECLARED
    return rules.TAG_STANDARD_VALUE


def _name(tag: bytes) -> str:
    """Return a tag for a message, where it is one."""
    return tag.decode("ascii") if TAG_NAME.fullmatch(tag) else "tag"
