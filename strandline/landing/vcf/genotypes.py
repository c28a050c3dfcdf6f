"""FORMAT and the samples' columns. Source: VCF 4.5, 1.6.2, and the same section of 4.1 to 4.4."""

import re
from typing import Final

from strandline.landing.vcf.definitions import (
    FREE_COUNT_FORMAT,
    FREQUENCIES_FORMAT,
    LOCAL_NUMBERS,
    NEVER_NEGATIVE_FORMAT,
    UNKNOWN,
    FieldDefinition,
    reserved_format,
)
from strandline.landing.vcf.header import FORMAT_KEY_FORM, VcfHeader
from strandline.landing.vcf.rules import (
    FIELD_SPACE,
    FORMAT_KEY_EMPTY,
    FORMAT_KEY_REPEATED,
    FORMAT_UNDECLARED,
    FREQUENCY_RANGE,
    GENOTYPE_COUNT,
    GENOTYPE_TYPE,
    GT_ALLELE,
    GT_FORM,
    GT_LEADING_PHASE,
    GT_NOT_FIRST,
    LOCAL_ALLELES,
    LOCAL_ORDER,
    NEGATIVE_COUNT,
    PHASE_SETS,
    SAMPLE_PARTS,
    SAMPLE_VALUE_EMPTY,
    SAMPLES_WITHOUT_FORMAT,
    VcfFindings,
)
from strandline.landing.vcf.rules import (
    FORMAT_KEY_FORM as KEY_FORM_RULE,
)
from strandline.landing.vcf.values import MISSING, fault_of, genotype_count, is_float, kind_of, percent_fault

_GENOTYPE: Final = re.compile(rb"[/|]?(?:[0-9]+|\.)(?:[/|](?:[0-9]+|\.))*")
_DIVIDER: Final = re.compile(rb"[/|]")
_DIPLOID: Final = 2
_MOST_FORMATS_KEPT: Final = 64
_MOST_SAMPLES_KEPT: Final = 2000
_LONGEST_SAMPLE_KEPT: Final = 64


class GenotypeChecks:
    """Checks of the columns from FORMAT on."""

    def __init__(self, header: VcfHeader, found: VcfFindings) -> None:
        self._header = header
        self._found = found
        self._reserved = reserved_format(header.minor)
        self._keys_by_format: dict[bytes, list[bytes]] = {}
        self._told: set[bytes] = set()
        self._good: dict[tuple[bytes, int], set[bytes]] = {}

    def check(self, columns: list[bytes], alt_count: int, line: int) -> None:
        """Check FORMAT, the first of `columns`, and the samples behind it."""
        keys = self._keys(columns[0], line)
        if columns[0] == MISSING:
            if any(sample != MISSING for sample in columns[1:]):
                self._found.add(SAMPLES_WITHOUT_FORMAT, line=line)
            return
        good = self._good_samples(columns[0], alt_count)
        counts = self._found.log.count_by_code
        for sample in columns[1:]:
            if sample in good:
                continue
            before = counts.total()
            self._check_sample(sample, keys, alt_count, line)
            if counts.total() == before and len(good) < _MOST_SAMPLES_KEPT and len(sample) <= _LONGEST_SAMPLE_KEPT:
                good.add(sample)

    def _good_samples(self, form: bytes, alt_count: int) -> set[bytes]:
        """Return the columns that were found faultless under a FORMAT and a number of ALT alleles."""
        if len(self._good) > _MOST_FORMATS_KEPT:
            self._good.clear()
        return self._good.setdefault((form, alt_count), set())

    def definition(self, key: bytes) -> FieldDefinition:
        """Return what the header declares of a key, else what the specification reserves, else nothing."""
        return self._header.formats.get(key) or self._reserved.get(key) or UNKNOWN

    def _field(self, key: bytes) -> str:
        """Return the name of a key that the header or the standard knows; any other is the submitter's own text."""
        return key.decode() if key in self._reserved or (key in self._header.formats and key.isalnum()) else "FORMAT"

    def _keys(self, form: bytes, line: int) -> list[bytes]:
        if form in self._keys_by_format:
            return self._keys_by_format[form]
        before = self._found.log.first_error
        keys = form.split(b":")
        if form != MISSING:
            self._check_keys(keys, line)
        if self._found.log.first_error is before and len(self._keys_by_format) < 1000:
            self._keys_by_format[form] = keys
        return keys

    def _check_keys(self, keys: list[bytes], line: int) -> None:
        found = self._found
        if b"" in keys or MISSING in keys:
            found.add(FORMAT_KEY_EMPTY, line=line, field="FORMAT")
        if len(set(keys)) < len(keys):
            found.add(FORMAT_KEY_REPEATED, line=line, field="FORMAT")
        if b"GT" in keys[1:]:
            found.add(GT_NOT_FIRST, line=line, field="FORMAT")
        for key in keys:
            if key and key != MISSING and not FORMAT_KEY_FORM.fullmatch(key):
                found.add(KEY_FORM_RULE, line=line, field="FORMAT", kind=kind_of(key))
            if key not in self._header.formats and key not in self._told:
                self._told.add(key)
                found.add(FORMAT_UNDECLARED, line=line, field="FORMAT")
        local = [place for place, key in enumerate(keys) if self.definition(key).number in LOCAL_NUMBERS]
        if local and found.minor >= 5:
            laa = keys.index(b"LAA") if b"LAA" in keys else len(keys)
            if laa > min(local) or laa > (keys[0] == b"GT"):
                found.add(LOCAL_ORDER, line=line, field="FORMAT")

    def _check_sample(self, sample: bytes, keys: list[bytes], alt_count: int, line: int) -> None:
        values = sample.split(b":")
        if len(values) > len(keys):
            self._found.add(SAMPLE_PARTS, line=line, kind=f"{len(values)} values for {len(keys)} keys")
        ploidies: tuple[int, ...] = (_DIPLOID,)
        local_count: int | None = None
        value_by_key = dict(zip(keys, values, strict=False))
        for key, value in value_by_key.items():
            if key == b"GT":
                ploidies = self._check_gt(value, alt_count, line)
            elif not value:
                if not (self._header.minor >= 5 and (key == b"LAA" or self.definition(key).number in LOCAL_NUMBERS)):
                    self._found.add(SAMPLE_VALUE_EMPTY, line=line, field=self._field(key))
            elif value != MISSING:
                if key == b"LAA" and self._header.minor >= 5:
                    local_count = self._check_local(value, alt_count, line)
                self._check_value(key, value, (alt_count, local_count or 0), ploidies, line)
        if self._header.minor >= 4 and all(value_by_key.get(key, MISSING) != MISSING for key in (b"PS", b"PSL")):
            self._found.add(PHASE_SETS, line=line)

    def _check_gt(self, value: bytes, alt_count: int, line: int) -> tuple[int, ...]:
        """Return the ploidies that the genotype may have: a lone '.' may stand for a haploid or a diploid one."""
        if not _GENOTYPE.fullmatch(value):
            self._found.add(GT_FORM, line=line, field="GT", kind=kind_of(value))
            return ()
        if value[:1] in b"/|":
            if self._header.minor < 4:
                self._found.add(GT_LEADING_PHASE, line=line, field="GT")
            value = value[1:]
        alleles = _DIVIDER.split(value)
        if any(allele != MISSING and int(allele[:20]) > alt_count for allele in alleles):
            self._found.add(GT_ALLELE, line=line, field="GT")
        return (1, _DIPLOID) if value == MISSING else (len(alleles),)

    def _check_local(self, value: bytes, alt_count: int, line: int) -> int:
        parts = value.split(b",")
        good = all(part.isdigit() and 1 <= int(part[:20]) <= alt_count for part in parts)
        if not good or len(set(parts)) < len(parts):
            self._found.add(LOCAL_ALLELES, line=line, field="LAA", kind=kind_of(value))
        return len(parts)

    def _check_value(
        self, key: bytes, value: bytes, counts: tuple[int, int], ploidies: tuple[int, ...], line: int
    ) -> None:
        found, definition = self._found, self.definition(key)
        parts = value.split(b",")
        expected = () if key in FREE_COUNT_FORMAT else _expected(definition.number, *counts, ploidies)
        if expected and len(parts) not in expected:
            found.add(GENOTYPE_COUNT, line=line, field=self._field(key), kind=f"{len(parts)} values")
        for part in parts:
            if not part and definition.type in {b"Integer", b"Float", b"Character"}:
                found.add(SAMPLE_VALUE_EMPTY, line=line, field=self._field(key))
                continue
            fault = fault_of(part, definition.type, GENOTYPE_TYPE)
            if fault:
                found.add(fault, line=line, field=self._field(key), kind=kind_of(part))
            elif definition.type == b"Integer" and part.startswith(b"-") and key in NEVER_NEGATIVE_FORMAT:
                found.add(NEGATIVE_COUNT, line=line, field=self._field(key))
            elif key in FREQUENCIES_FORMAT and found.minor >= 3 and is_float(part) and not 0 <= float(part) <= 1:
                found.add(FREQUENCY_RANGE, line=line, field=self._field(key))
        if b" " in value and found.minor < 3:
            found.add(FIELD_SPACE, line=line, field=self._field(key))
        fault = percent_fault(value) if found.minor >= 3 else None
        if fault:
            found.add(fault, line=line, field=self._field(key))


def _expected(number: bytes, alt_count: int, local_count: int, ploidies: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of values that may stand, none where any number may."""
    if number.isdigit():
        return (int(number),)
    match number:
        case b"A":
            return (alt_count,) if alt_count else (0, 1)
        case b"R":
            return (alt_count + 1,)
        case b"G":
            return tuple(genotype_count(alt_count + 1, ploidy) for ploidy in ploidies)
        case b"P":
            return ploidies
        case b"LA":
            return (local_count,) if local_count else (0, 1)
        case b"LR":
            return (local_count + 1,)
        case b"LG":
            return tuple(genotype_count(local_count + 1, ploidy) for ploidy in ploidies)
    return ()
