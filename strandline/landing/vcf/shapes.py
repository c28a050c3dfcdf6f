r"""A quick way for records whose shape was seen before: one regular expression that matches whole faultless lines.

It learns from records in which the exact checks found nothing: their INFO keys and the order of those, their FORMAT,
ploidy, number of ALT alleles and filters. What it does not match goes to the exact checks, which are the truth; it may
match less than they accept, and never more.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from strandline.landing.vcf.definitions import (
    FREE_COUNT_FORMAT,
    FREQUENCIES_FORMAT,
    FREQUENCIES_INFO,
    LOCAL_NUMBERS,
    NEVER_NEGATIVE_FORMAT,
    NEVER_NEGATIVE_INFO,
    UNKNOWN,
    FieldDefinition,
)
from strandline.landing.vcf.genotypes import GenotypeChecks
from strandline.landing.vcf.info import InfoChecks
from strandline.landing.vcf.values import MISSING, genotype_count

_MOST_ALTS: Final = 4
_MOST_FORMS: Final = 32
_MOST_FILTERS: Final = 32
_MOST_KEYS: Final = 80
_MOST_ORDERS: Final = 3
_MOST_VALUES: Final = 60
_MOST_SAMPLES: Final = 5000
_WAIT_AT_MOST: Final = 256

_COUNT: Final = rb"[0-9]{1,9}+"
_INTEGER: Final = rb"-?[0-9]{1,9}+"
_FLOAT: Final = rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
_FREQUENCY: Final = rb"(?:0?\.[0-9]++|0|1(?:\.0++)?|[0-9](?:\.[0-9]++)?[eE]-0*+[1-9][0-9]*+)(?![.0-9eE])"
_PLACE: Final = rb"([0-9A-Za-z_][0-9A-Za-z_.|-]*+)\t([1-9][0-9]{0,8}+)\t([!-:<-~]++)\t([ACGTN]++)\t(?=([^\t\n]++)\t)"
_NONE: Final[frozenset[bytes]] = frozenset()
_END: Final = FieldDefinition(b"1", b"Integer")
_STRUCTURAL_KEYS: Final = frozenset({b"CIPOS", b"CIEND", b"SVCLAIM"})  # held against ALT from 4.4 on
_DIVIDER: Final = re.compile(rb"[/|]")


@dataclass(slots=True)
class _Forms:
    """What was seen of records with one number of ALT alleles: FORMAT columns, and the ploidies in each."""

    ploidies_by_format: dict[bytes, set[int]] = field(default_factory=dict)


class RecordShapes:
    """The shapes seen so far, and the expression made of them.

    Groups of `pattern`: 1 CHROM, 2 POS, 3 ID, 4 REF, 5 ALT; where `lastindex` is more, it is that of END; where
    `lastindex` is `slow_group`, the line is of no known shape.
    """

    def __init__(self, minor: int, sample_count: int, info: InfoChecks, genotypes: GenotypeChecks) -> None:
        self._minor = minor
        self._sample_count = sample_count
        self._info = info
        self._genotypes = genotypes
        self._orders: list[list[bytes]] = []
        self._filters: set[bytes] = {b"PASS", MISSING}
        self._forms_by_alts: dict[int, _Forms] = {}
        self._has_news = False
        self._missed = 0
        self._wait = 1
        self.slow_group = 1
        self.pattern = re.compile(rb"([^\n]*)\n?")

    def learn(self, columns: list[bytes], alt_count: int) -> bool:
        """Take in a faultless record; return whether `pattern` became another."""
        if alt_count <= _MOST_ALTS and self._sample_count <= _MOST_SAMPLES:
            learned = self._learn_filter(columns[6]) and self._learn_info(columns[7])
            if learned:
                self._learn_forms(columns[8:], alt_count)
        self._missed += 1
        if not self._has_news or self._missed < self._wait:
            return False
        self._missed, self._has_news = 0, False
        self._wait = min(2 * self._wait, _WAIT_AT_MOST)
        self._compile()
        return True

    def _learn_filter(self, filters: bytes) -> bool:
        if filters not in self._filters:
            if len(self._filters) >= _MOST_FILTERS or not _is_plain(filters):
                return False
            self._filters.add(filters)
            self._has_news = True
        return True

    def _learn_info(self, info: bytes) -> bool:
        keys = [] if info == MISSING else [part.partition(b"=")[0] for part in info.split(b";")]
        if not all(_is_plain(key) for key in keys) or (b"END" in keys and self._info.definition(b"END") != _END):
            return False
        if self._minor >= 4 and not _STRUCTURAL_KEYS.isdisjoint(keys):
            return False
        for order in self._orders:
            if _is_merged(order, keys):
                return True
            merged = _merge(order, keys)
            if merged is not None and len(merged) <= _MOST_KEYS:
                order[:] = merged
                self._has_news = True
                return True
        if len(self._orders) >= _MOST_ORDERS or len(keys) > _MOST_KEYS:
            return False
        self._orders.append(keys)
        self._has_news = True
        return True

    def _learn_forms(self, columns: list[bytes], alt_count: int) -> None:
        forms = self._forms_by_alts.setdefault(alt_count, _Forms())
        form = columns[0] if columns else b""
        known = forms.ploidies_by_format.get(form)
        if known is None:
            if len(forms.ploidies_by_format) >= _MOST_FORMS or not self._can_compile(form, alt_count):
                return
            known = forms.ploidies_by_format[form] = set()
            self._has_news = True
        if form.split(b":")[0] == b"GT":
            ploidies = {len(_DIVIDER.split(sample.partition(b":")[0])) for sample in columns[1:]}
            new = {ploidy for ploidy in ploidies if ploidy <= 4} - known
            known |= new
            self._has_news |= bool(new)

    def _can_compile(self, form: bytes, alt_count: int) -> bool:
        if form == MISSING or not _is_plain(form):
            return False
        for key in form.split(b":"):
            definition = self._genotypes.definition(key)
            if definition.number in {*LOCAL_NUMBERS, b"P", b"M"} or key in {b"LAA", b"PSL", *FREE_COUNT_FORMAT}:
                return False
            if definition.number.isdigit() and not 0 < int(definition.number) <= _MOST_VALUES:
                return False
        return genotype_count(alt_count + 1, 4) <= 200

    def _compile(self) -> None:
        slots = _Slots(5)
        by_alts = [self._record_tail(alts, slots) for alts in sorted(self._forms_by_alts, key=lambda n: (n != 1, n))]
        known = _PLACE + rb"(?:" + b"|".join(by_alts) + b")"
        self.slow_group = slots.count + 1
        self.pattern = re.compile(b"(?:" + known + rb"|([^\n]*))(?:\n|\Z)")

    def _record_tail(self, alts: int, slots: "_Slots") -> bytes:
        """Return the expression for ALT and what follows it."""
        star = rb"|\*" if self._minor >= 2 else b""
        allele = rb"(?:[ACGTN]++" + star + rb"|<NON_REF>|<\*>)"
        alt = rb"\." if alts == 0 else allele + b"".join([b"," + allele] * (alts - 1))
        qual = rb"(?:\.|[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?)"
        filters = b"(?:" + b"|".join(re.escape(one) for one in sorted(self._filters)) + b")"
        infos = [self._info_expression(order, alts, slots) for order in self._orders]
        info = rb"(?:\.(?=[\t\n])|" + b"|".join(infos) + b")"
        forms = self._forms_by_alts[alts].ploidies_by_format
        tails = [self._samples_expression(form, sorted(forms[form], key=lambda n: n != 2), alts) for form in forms]
        return alt + rb"\t" + qual + rb"\t" + filters + rb"\t" + info + b"(?:" + b"|".join(tails) + rb")(?=\n|\Z)"

    def _info_expression(self, order: list[bytes], alts: int, slots: "_Slots") -> bytes:
        parts = [rb"(?:" + self._pair_expression(key, alts, slots) + rb"(?:;|(?=[\t\n])))?" for key in order]
        return b"".join(parts) + rb"(?<![;\t])(?=[\t\n])"

    def _pair_expression(self, key: bytes, alts: int, slots: "_Slots") -> bytes:
        definition = self._info.definition(key)
        name = re.escape(key)
        if definition.type == b"Flag" or definition.number == b"0":
            return name
        if key == b"END":
            slots.count += 1
            return name + rb"=([0-9]{1,9}+)"
        if definition is UNKNOWN:
            return name + rb"(?:=" + self._characters(b",:") + rb"++)?"
        value = self._value(key, definition, NEVER_NEGATIVE_INFO, FREQUENCIES_INFO, b":")
        number = definition.number
        if number.isdigit():
            count = int(number)
        elif number in b"AR":
            count = alts + (number == b"R")
        else:
            count = -1
        return name + b"=" + _list_expression(value, count)

    def _samples_expression(self, form: bytes, ploidies: list[int], alts: int) -> bytes:
        if not form:
            return b""
        keys = form.split(b":")
        if keys[0] == b"GT":
            if not ploidies:
                return rb"(?!)"
            columns = [self._sample_expression(keys[1:], alts, ploidy, has_gt=True) for ploidy in ploidies]
        else:
            columns = [self._sample_expression(keys, alts, 2, has_gt=False)]
        one = rb"\t(?:" + b"|".join(columns) + b")"
        if self._sample_count == 1:
            return rb"\t" + re.escape(form) + one
        return rb"\t" + re.escape(form) + b"(?:" + one + rb"(?=[\t\n]|\Z)){%d}" % self._sample_count

    def _sample_expression(self, keys: list[bytes], alts: int, ploidy: int, *, has_gt: bool) -> bytes:
        allele = b"[0-%d.]" % alts
        values = [self._sample_value(key, alts, ploidy) for key in keys]
        if has_gt:
            values.insert(0, allele + (rb"[/|]" + allele) * (ploidy - 1))
        nested = b""
        for value in reversed(values[1:]):
            nested = b"(?::" + value + nested + b")?"
        return values[0] + nested

    def _sample_value(self, key: bytes, alts: int, ploidy: int) -> bytes:
        definition = self._genotypes.definition(key)
        frequencies = FREQUENCIES_FORMAT if self._minor >= 3 else _NONE
        value = self._value(key, definition, NEVER_NEGATIVE_FORMAT, frequencies, b"")
        number = definition.number
        if definition is UNKNOWN:
            return self._characters(b",") + b"++"
        if number.isdigit():
            count = int(number)
        elif number in b"AR":
            count = alts + (number == b"R")
        else:
            count = genotype_count(alts + 1, ploidy) if number == b"G" else -1
        return _list_expression(value, count)

    def _value(
        self,
        key: bytes,
        definition: FieldDefinition,
        counts: frozenset[bytes],
        frequencies: frozenset[bytes],
        also: bytes,
    ) -> bytes:
        match definition.type:
            case b"Integer":
                return _COUNT if key in counts else _INTEGER
            case b"Float":
                return _FREQUENCY if key in frequencies else _FLOAT
            case b"Character":
                return self._characters(also)
        return self._characters(also) + b"++"

    def _characters(self, also: bytes) -> bytes:
        """Return the class of printable ASCII that divides nothing: no percent, comma, colon, semicolon, equals."""
        return rb"[" + (b" " if self._minor >= 3 else b"") + also + rb"!-$&-+\--9<>-~]"


@dataclass(slots=True)
class _Slots:
    """How many groups an expression has so far."""

    count: int


def _list_expression(value: bytes, count: int) -> bytes:
    """Return the expression for `count` values between commas, each of which, or all at once, may be missing.

    Any number of values where `count` is -1; one where it is 0, of a key that has one value an ALT allele.
    """
    one = b"(?:" + value + rb"|\.)"
    if count < 0:
        return one + b"(?:," + one + b")*+"
    if count <= 1:
        return one
    return rb"(?:" + one + (b"," + one) * (count - 1) + rb"|\.(?!,))"


def _is_plain(text: bytes) -> bool:
    return text.isascii() and all(33 <= byte <= 126 for byte in text)


def _is_merged(order: list[bytes], keys: list[bytes]) -> bool:
    places = iter(order)
    return all(key in places for key in keys)


def _merge(order: list[bytes], keys: list[bytes]) -> list[bytes] | None:
    """Return an order that holds both, or None where they disagree.

    >>> _merge([b"AC", b"DP"], [b"AC", b"AF", b"DP", b"MQ"]), _merge([b"AC", b"DP"], [b"DP", b"AC"])
    ([b'AC', b'AF', b'DP', b'MQ'], None)
    """
    known = [key for key in keys if key in set(order)]
    if not _is_merged(order, known):
        return None
    merged, place = list(order), 0
    for key in keys:
        if key in merged:
            place = merged.index(key) + 1
        else:
            merged.insert(place, key)
            place += 1
    return merged
