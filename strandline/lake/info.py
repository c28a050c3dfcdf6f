"""INFO as keys and raw values, cut to one ALT allele; compiled. Source: VCF 4.5, sections 1.4.2 and 1.6.1 (8)."""

from typing import Final

from strandline.lake.compiled import compiled
from strandline.lake.text_scan import BAD, OK, Bytes, Numbers, Places, intern_text, looks_like_float, parse_integer
from strandline.lake.vcf_lines import COLUMN_COUNT, FORMAT, INFO

WHOLE, PER_ALT, PER_ALLELE, PER_GENOTYPE = 0, 1, 2, 3  # how a Number is cut to an allele
TEXT, INTEGER, FLOAT, FLAG = 0, 1, 2, 3

WRONG_TYPE: Final = 11
WRONG_COUNT: Final = 12
MANY_KEYS: Final = 13
ABSENT: Final = -1

_SEMICOLON, _EQUALS, _COMMA, _DOT, _ZERO, _NINE = 59, 61, 44, 46, 48, 57
_FEW_DIGITS: Final = 10  # fewer are a 32-bit integer


@compiled
def genotype_place(copies: int, ploidy: int, alt: int) -> int:
    """Return the place, from 0, of the genotype with `copies` of allele `alt` and ref else.

    Source: VCF 4.5, section 1.6.2, Genotype Ordering: sum over the sorted alleles of C(allele + m - 1, m).
    """
    if ploidy == 2:  # nearly always: without the divisions below
        return (alt * (alt + 2 * copies - 1) >> 1) if copies else 0
    place = 0
    for m in range(ploidy - copies + 1, ploidy + 1):
        ways = 1
        for k in range(1, m + 1):
            ways = ways * (alt - 1 + k) // k
        place += ways
    return place


@compiled
def genotype_count(alleles: int, ploidy: int) -> int:
    """Return the number of unordered genotypes, ref among the alleles. Source: VCF 4.5, section 1.6.2."""
    if ploidy == 2:
        return alleles * (alleles + 1) >> 1
    ways = 1
    for k in range(1, ploidy + 1):
        ways = ways * (alleles - 1 + k) // k
    return ways


@compiled
def value_count(text: Bytes, start: int, end: int) -> int:
    """Return how many values a comma divides."""
    count = 1
    for place in range(start, end):
        if text[place] == _COMMA:
            count += 1
    return count


@compiled
def is_missing(text: Bytes, start: int, end: int) -> bool:
    """Whether a lone dot stands there."""
    return end - start == 1 and text[start] == _DOT


@compiled
def has_type(text: Bytes, start: int, end: int, kind: int) -> bool:
    """Whether each value is of a Type, INTEGER or FLOAT; a dot is of all."""
    first = start
    for place in range(start, end + 1):
        if place == end or text[place] == _COMMA:
            if not is_missing(text, first, place):
                if kind == INTEGER:
                    if parse_integer(text, first, place)[0] == BAD:
                        return False
                elif not looks_like_float(text, first, place):
                    return False
            first = place + 1
    return True


@compiled
def copy_value(text: Bytes, start: int, end: int, wanted: int, data: Bytes, at: int) -> int:
    """Copy the `wanted`-th of comma-divided values, from 0, to `data`; return the place behind it."""
    number = 0
    for place in range(start, end):
        char = text[place]
        if char == _COMMA:
            number += 1
            if number > wanted:
                break
        elif number == wanted:
            data[at] = char
            at += 1
    return at


@compiled
def copy_cut(text: Bytes, start: int, end: int, cut: int, alt: int, ploidy: int, data: Bytes, at: int) -> int:
    """Copy the values of one ALT allele, from 1, to `data`; return the place behind them.

    `cut` is WHOLE, PER_ALT (one value), PER_ALLELE (that of ref and one) or PER_GENOTYPE (ploidy + 1 values). A lone
    dot is copied as it is.
    """
    if cut == WHOLE or is_missing(text, start, end):
        for place in range(start, end):
            data[at] = text[place]
            at += 1
        return at
    if cut == PER_ALT:
        return copy_value(text, start, end, alt - 1, data, at)
    if cut == PER_ALLELE:
        at = copy_value(text, start, end, 0, data, at)
        data[at] = _COMMA
        return copy_value(text, start, end, alt, data, at + 1)
    for copies in range(ploidy + 1):
        if copies:
            data[at] = _COMMA
            at += 1
        at = copy_value(text, start, end, genotype_place(copies, ploidy, alt), data, at)
    return at


@compiled
def _end_of_guess(text: Bytes, start: int, end: int, guess: int, known: Places) -> int:
    """Return where a key ends that is the guessed one; ABSENT where it is another."""
    if guess < 0:
        return ABSENT
    first = known[2 * guess]
    key_end = int(start + known[2 * guess + 1] - first)
    if key_end > end or (key_end < end and text[key_end] != _EQUALS and text[key_end] != _SEMICOLON):
        return ABSENT
    for offset in range(key_end - start):
        if text[first + offset] != text[start + offset]:
            return ABSENT
    return key_end


@compiled
def _end_of_key(text: Bytes, start: int, end: int) -> int:
    at = start
    while at < end and text[at] != _EQUALS and text[at] != _SEMICOLON:
        at += 1
    return at


@compiled
def _end_of_value(text: Bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return where a value ends, and how many of its characters are dots, and neither dots nor digits."""
    at, dots, others = start, 0, 0
    while at < end:
        char = int(text[at])
        if char == _SEMICOLON:
            break
        if char < _ZERO or char > _NINE:
            if char == _DOT:
                dots += 1
            else:
                others += 1
        at += 1
    return at, dots, others


@compiled
def _look_at(
    text: Bytes, start: int, end: int, dots: int, others: int, alt_count: int, cut: int, kind: int
) -> tuple[int, int]:
    """Return OK or what is wrong with a value, and how it is cut: a text may have commas of its own.

    What is digits with a dot at most needs no closer look.
    """
    is_plain = others == 0 and (dots == 0 if kind == INTEGER else dots <= 1) and dots < end - start < _FEW_DIGITS
    if not (is_plain or kind in (TEXT, FLAG) or has_type(text, start, end, kind)):
        return WRONG_TYPE, WHOLE
    if cut == WHOLE or not alt_count or is_missing(text, start, end):
        return OK, WHOLE
    wanted = alt_count + (1 if cut == PER_ALLELE else 0)
    if (value_count(text, start, end) if others else 1) != wanted:
        return OK if kind == TEXT else WRONG_COUNT, WHOLE
    return OK, WHOLE if wanted == 1 else cut


@compiled
def _note_entries(
    text: Bytes,
    start: int,
    end: int,
    alt_count: int,
    cuts: Numbers,
    kinds: Numbers,
    slots: Numbers,
    known: Places,
    counts: Numbers,
    guesses: Numbers,
    entries: Places,
) -> tuple[int, int]:
    """Note the key, start, end and cut of each entry of one INFO.

    Returns:
        How many, or the negative of what is wrong; and the key of that.
    """
    count, at = 0, start
    while at < end:
        key = int(guesses[count]) if count < guesses.shape[0] else ABSENT
        key_end = _end_of_guess(text, at, end, key, known)
        if key_end < 0:
            key_end = _end_of_key(text, at, end)
            if 2 * counts[0] + 2 > known.shape[0]:
                return -MANY_KEYS, 0
            key = intern_text(text, at, key_end, slots, known, counts[0])
            counts[0] = max(counts[0], key + 1)
            if count < guesses.shape[0]:
                guesses[count] = key
        has_value = key_end < end and text[key_end] == _EQUALS
        value = key_end + 1 if has_value else key_end
        stop, dots, others = _end_of_value(text, value, end)
        cut = WHOLE
        if key < cuts.shape[0]:
            if kinds[key] != TEXT and has_value == (kinds[key] == FLAG):
                return -WRONG_TYPE, key
            state, cut = _look_at(text, value, stop, dots, others, alt_count, cuts[key], kinds[key])
            if state != OK:
                return -state, key
        base = 4 * count
        entries[base], entries[base + 1], entries[base + 2], entries[base + 3] = key, value, stop, cut
        count += 1
        at = stop + 1
    return count, 0


@compiled
def _answer(text: Bytes, entries: Places, count: int, asked: Numbers, answers: Numbers, at: int) -> int:
    """Note the integers of the asked keys, ABSENT where there is none; return ABSENT, or a key that has no integer."""
    for question in range(asked.shape[0]):
        answers[at + question] = ABSENT
        for number in range(count):
            if entries[4 * number] == asked[question]:
                state, value = parse_integer(text, entries[4 * number + 1], entries[4 * number + 2])
                if state == BAD:
                    return int(asked[question])
                if state == OK:
                    answers[at + question] = value
    return ABSENT


@compiled
def read_info(
    text: Bytes,
    columns: Places,
    alt_counts: Numbers,
    first_sites: Numbers,
    site_alts: Numbers,
    cuts: Numbers,
    kinds: Numbers,
    slots: Numbers,
    known: Places,
    counts: Numbers,
    guesses: Numbers,
    entries: Places,
    asked: Numbers,
    answers: Numbers,
    offsets: Numbers,
    keys: Numbers,
    value_offsets: Numbers,
    data: Bytes,
) -> tuple[int, int, int]:
    """Read INFO of records into one map a site, which is one ALT allele of a record.

    Args:
        columns: as `find_columns` fills it, for these records.
        alt_counts: ALT alleles of each record.
        first_sites: the first site of each record, and behind them how many sites there are.
        site_alts: which ALT allele each site is, from 1.
        cuts, kinds: how the first keys of `known` are cut, and their Types.
        slots, known: as `intern_text` wants them; `counts[0]` texts are in there.
        guesses: keys of the record before by place, -1 where none; a first guess.
        entries: room for four numbers an entry of the longest INFO.
        asked: keys of single integers that `answers` gets a column of, ABSENT where a record has none.
        offsets: out, where the entries of each site begin.
        keys, value_offsets, data: out, each entry's key and where its value begins in `data`.

    Returns:
        How many entries, 0 and 0; or the negative of what is wrong, the record and the key.
    """
    entry, at = 0, 0
    offsets[0] = 0
    value_offsets[0] = 0
    for record in range(alt_counts.shape[0]):
        start, end = columns[record * COLUMN_COUNT + INFO], columns[record * COLUMN_COUNT + FORMAT] - 1
        count = 0
        if not is_missing(text, start, end):
            count, key = _note_entries(
                text, start, end, alt_counts[record], cuts, kinds, slots, known, counts, guesses, entries
            )
            if count < 0:
                return count, record, key
        key = _answer(text, entries, count, asked, answers, record * asked.shape[0])
        if key != ABSENT:
            return -WRONG_TYPE, record, key
        for site in range(first_sites[record], first_sites[record + 1]):
            for number in range(count):
                first, stop, cut = entries[4 * number + 1], entries[4 * number + 2], int(entries[4 * number + 3])
                keys[entry] = entries[4 * number]
                if cut == WHOLE:
                    for place in range(first, stop):
                        data[at] = text[place]
                        at += 1
                else:
                    at = copy_cut(text, first, stop, cut, site_alts[site], 2, data, at)
                entry += 1
                value_offsets[entry] = at
            offsets[site + 1] = entry
    return entry, 0, 0
