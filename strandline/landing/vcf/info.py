"""INFO. Source: VCF 4.5, 1.6.1 (8), 1.4.2 and 3, and the same sections of 4.1 to 4.4."""

from typing import Final

from strandline.landing.vcf.alleles import AlleleKinds
from strandline.landing.vcf.definitions import (
    FREQUENCIES_INFO,
    NEVER_NEGATIVE_INFO,
    UNKNOWN,
    FieldDefinition,
    reserved_info,
)
from strandline.landing.vcf.header import INFO_KEY_FORM, VcfHeader
from strandline.landing.vcf.rules import (
    FIELD_SPACE,
    FREQUENCY_RANGE,
    INFO_COUNT,
    INFO_EMPTY_PART,
    INFO_EQUALS,
    INFO_FLAG_DIGIT,
    INFO_FLAG_VALUE,
    INFO_KEY_REPEATED,
    INFO_TEXT_COUNT,
    INFO_TYPE,
    INFO_UNDECLARED,
    INFO_VALUE_MISSING,
    INTERVAL_FORM,
    NEGATIVE_COUNT,
    SVCLAIM_MISSING,
    SVCLAIM_VALUE,
    SVLEN_MISSING,
    VcfFindings,
)
from strandline.landing.vcf.rules import (
    INFO_KEY_FORM as KEY_FORM_RULE,
)
from strandline.landing.vcf.values import MISSING, fault_of, is_float, kind_of, percent_fault

_CLAIMS: Final = {
    b"DEL": (b"D", b"J", b"DJ"),
    b"DUP": (b"D", b"J", b"DJ"),
    b"CNV": (b"D", MISSING),
    b"INV": (b"J", b"DJ", MISSING),
    b"INS": (b"J", b"DJ", MISSING),
}
_INTERVALS: Final = (b"CIPOS", b"CIEND")


class InfoChecks:
    """Checks of the INFO column."""

    def __init__(self, header: VcfHeader, found: VcfFindings) -> None:
        self._header = header
        self._found = found
        self._reserved = reserved_info(header.minor)
        self._told: set[bytes] = set()

    def definition(self, key: bytes) -> FieldDefinition:
        """Return what the header declares of a key, else what the specification reserves, else nothing."""
        return self._header.infos.get(key) or self._reserved.get(key) or UNKNOWN

    def check(self, info: bytes, alleles: AlleleKinds, line: int) -> dict[bytes, bytes]:
        """Check the column and return its values by key, a Flag's being empty."""
        if info == MISSING:
            values: dict[bytes, bytes] = {}
        else:
            values = self._split(info, line)
            for key, value in values.items():
                self._check_pair(key, value, alleles.alt_count, line)
        if b" " in info and self._found.minor < 3:
            self._found.add(FIELD_SPACE, line=line, field="INFO")
        if self._found.minor >= 4 and (alleles.structural or any(key in values for key in _INTERVALS)):
            self._check_structural(values, alleles, line)
        return {key: value[1:] for key, value in values.items()}

    def _split(self, info: bytes, line: int) -> dict[bytes, bytes]:
        """Return what follows each key: the equals sign and the value, or nothing."""
        values: dict[bytes, bytes] = {}
        for part in info.split(b";"):
            if not part:
                self._found.add(INFO_EMPTY_PART, line=line, field="INFO")
                continue
            key, equals, value = part.partition(b"=")
            if key in values:
                self._found.add(INFO_KEY_REPEATED, line=line, field=self._field(key))
            values[key] = equals + value
        return values

    def _check_pair(self, key: bytes, value: bytes, alt_count: int, line: int) -> None:
        found = self._found
        if not INFO_KEY_FORM.fullmatch(key):
            found.add(KEY_FORM_RULE, line=line, field="INFO", kind=kind_of(key))
        if key not in self._header.infos and key not in self._told:
            if len(self._told) < 10_000:
                self._told.add(key)
            found.add(INFO_UNDECLARED, line=line, field="INFO")
        definition = self.definition(key)
        if definition.type == b"Flag":
            if value in {b"=0", b"=1"}:
                found.add(INFO_FLAG_DIGIT, line=line, field=self._field(key))
            elif value:
                found.add(INFO_FLAG_VALUE, line=line, field=self._field(key))
        elif value in {b"", b"="}:
            if value or (definition is not UNKNOWN and definition.number != b"0"):
                found.add(INFO_VALUE_MISSING, line=line, field=self._field(key))
        else:
            self._check_values(key, value[1:], definition, alt_count, line)

    def _check_values(self, key: bytes, value: bytes, definition: FieldDefinition, alt_count: int, line: int) -> None:
        found, field = self._found, self._field(key)
        if b"=" in value:
            found.add(INFO_EQUALS, line=line, field=field)
        fault = percent_fault(value) if found.minor >= 3 else None
        if fault:
            found.add(fault, line=line, field=field)
        if value == MISSING:
            return
        parts = value.split(b",")
        if definition is not UNKNOWN:
            expected = _expected(definition.number, alt_count)
            if expected and len(parts) not in expected:
                is_text = definition.type == b"String" and definition.number.isdigit()
                found.add(
                    INFO_TEXT_COUNT if is_text else INFO_COUNT, line=line, field=field, kind=f"{len(parts)} values"
                )
        for part in parts:
            fault = fault_of(part, definition.type, INFO_TYPE)
            if fault:
                found.add(fault, line=line, field=field, kind=kind_of(part))
            elif definition.type == b"Integer" and part.startswith(b"-") and key in NEVER_NEGATIVE_INFO:
                found.add(NEGATIVE_COUNT, line=line, field=field)
            elif key in FREQUENCIES_INFO and is_float(part) and not 0 <= float(part) <= 1:
                found.add(FREQUENCY_RANGE, line=line, field=field)

    def _check_structural(self, values: dict[bytes, bytes], alleles: AlleleKinds, line: int) -> None:
        found = self._found
        if alleles.structural and b"SVLEN" not in values and b"END" not in values:
            found.add(SVLEN_MISSING, line=line, field="INFO")
        first_levels = [symbol.split(b":")[0] for symbol in alleles.structural]
        if b"SVCLAIM" not in values and any(level in {b"DEL", b"DUP"} for level in first_levels):
            found.add(SVCLAIM_MISSING, line=line, field="INFO")
        claims = values.get(b"SVCLAIM", b"=.")[1:].split(b",")
        if claims != [MISSING] and len(claims) == len(first_levels) == alleles.alt_count:
            for level, claim in zip(first_levels, claims, strict=True):
                if claim not in _CLAIMS[level]:
                    found.add(SVCLAIM_VALUE, line=line, field="SVCLAIM", kind=kind_of(claim))
        for key in _INTERVALS:
            if values.get(key, b"=.") != b"=." and not _is_interval(values[key][1:], alleles.alt_count):
                found.add(INTERVAL_FORM, line=line, field=key.decode())

    def _field(self, key: bytes) -> str:
        """Return the name of a key that the header or the standard knows; any other is the submitter's own text."""
        return key.decode() if key in self._reserved or (key in self._header.infos and key.isascii()) else "INFO"


def _expected(number: bytes, alt_count: int) -> tuple[int, ...]:
    """Return the numbers of values that may stand, none where any number may: G is not defined without a ploidy."""
    if number.isdigit():
        return (int(number),)
    if number == b"A":
        return (alt_count,) if alt_count else (0, 1)
    return (alt_count + 1,) if number == b"R" else ()


def _is_interval(value: bytes, alt_count: int) -> bool:
    """Whether there is a pair of integers around 0 for each ALT allele; '.' stands for either."""
    parts = value.split(b",")
    if len(parts) != 2 * alt_count:
        return False
    bounds = [0 if part == MISSING or not part.lstrip(b"+-").isdigit() else int(part[:20]) for part in parts]
    return all(low <= 0 <= high for low, high in zip(bounds[::2], bounds[1::2], strict=True))
