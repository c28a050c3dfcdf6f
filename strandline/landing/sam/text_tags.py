"""Optional fields of SAM lines.

Source: SAM 1, 1.5; SAMtags 1.
"""

import re
from dataclasses import dataclass
from typing import Final

from strandline.landing.findings import FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.header import Header
from strandline.landing.sam.tags import (
    MOST_TAGS,
    SAFE_DIGITS,
    SUBTYPE_BY_TAG,
    TAG_NAME,
    VALUE_BY_TAG,
    VALUE_BY_TYPE,
    is_array_in_range,
    is_in_range,
    is_standard_type,
)

_HEAD_BYTES: Final = 5  # as `NM:i:`
_KINDS_KEPT: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known of a tag and its type: form of the value, and what else is to be looked at."""

    form: re.Pattern[bytes]
    letter: bytes
    name: bytes
    inner: re.Pattern[bytes] | None
    is_declared: bool  # RG and PG, whose values stand in the header


class TextTagChecks:
    """Checks the optional part of lines; each tag and type is looked up once."""

    def __init__(self, header: Header, log: FindingLog) -> None:
        self._header = header
        self._log = log
        self._kinds: dict[bytes, _Kind | None] = {}

    def check(self, text: bytes, line: int | None, record: int) -> None:
        """Check fields between tabs, which follow the eleven mandatory ones."""
        entries = text.split(b"\t", MOST_TAGS + 1)[: MOST_TAGS + 1]
        if len(entries) > 1 and len({entry[:2] for entry in entries}) != len(entries):
            self._log.add(rules.TAG_REPEATED, line=line, record=record, field="tag")
        for entry in entries:
            head = entry[:_HEAD_BYTES]
            kind = self._kinds.get(head)
            if kind is None:
                kind = self._look_up(head, line, record)
                if kind is None:
                    continue
            if kind.form.fullmatch(entry, _HEAD_BYTES) is None:
                self._say(rules.TAG_VALUE, line, record, kind, None)
            elif kind.letter in b"iB" and len(entry) > _HEAD_BYTES + (kind.letter == b"i") * SAFE_DIGITS:
                self._check_numbers(kind, entry[_HEAD_BYTES:], line, record)
            elif kind.inner is not None and kind.inner.fullmatch(entry, _HEAD_BYTES) is None:
                self._say(rules.TAG_STANDARD_VALUE, line, record, kind, None)
            elif kind.is_declared:
                self._check_declared(kind, entry[_HEAD_BYTES:], line, record)

    def _look_up(self, head: bytes, line: int | None, record: int) -> _Kind | None:
        if len(head) < _HEAD_BYTES or head[2:3] != b":" or head[4:] != b":" or not TAG_NAME.fullmatch(head[:2]):
            self._log.add(rules.TAG_FORM, line=line, record=record, field="tag")
            return None
        name, letter = head[:2], head[3:4]
        form = VALUE_BY_TYPE.get(letter)
        if form is None:
            self._log.add(rules.TAG_TYPE, line=line, record=record, field=name.decode("ascii"))
            return None
        kind = _Kind(
            form, letter, name, VALUE_BY_TAG.get(name) if letter == b"Z" else None, head in {b"RG:Z:", b"PG:Z:"}
        )
        if not is_standard_type(name, letter):
            self._say(rules.TAG_STANDARD_TYPE, line, record, kind, None)
        elif len(self._kinds) < _KINDS_KEPT:
            self._kinds[head] = kind
        return kind

    def _check_numbers(self, kind: _Kind, value: bytes, line: int | None, record: int) -> None:
        if kind.letter == b"i":
            if not is_in_range(value):
                self._say(rules.TAG_VALUE, line, record, kind, "over 32 bits")
            return
        if not is_array_in_range(value):
            self._say(rules.TAG_VALUE, line, record, kind, "an element outside its type")
        elif SUBTYPE_BY_TAG.get(kind.name, value[:1]) != value[:1]:
            self._say(rules.TAG_STANDARD_TYPE, line, record, kind, "a type of elements")

    def _check_declared(self, kind: _Kind, value: bytes, line: int | None, record: int) -> None:
        if kind.name == b"RG":
            if value not in self._header.read_groups:
                declared = bool(self._header.read_groups)
                self._say(
                    rules.READ_GROUP_UNKNOWN if declared else rules.READ_GROUP_UNDECLARED, line, record, kind, None
                )
        elif self._header.previous_by_program and value not in self._header.previous_by_program:
            self._say(rules.PROGRAM_UNKNOWN, line, record, kind, None)

    def _say(self, rule: Rule, line: int | None, record: int, kind: _Kind, value_kind: str | None) -> None:
        self._log.add(rule, line=line, record=record, field=kind.name.decode("ascii"), kind=value_kind)
