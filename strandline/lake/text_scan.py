"""Numbers and repeated texts straight from bytes; all is compiled, and places are offsets into one block of text."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strandline.lake.compiled import compiled

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Numbers = NDArray[np.int32]

OK: Final = 0
MISSING: Final = 1
BAD: Final = 2
INEXACT: Final = 3  # a number whose nearest double takes more than one rounding to find

_LARGEST: Final = 2**31 - 1
_MOST_DIGITS: Final = 15  # of a mantissa that a double holds exactly
_MOST_EXPONENT: Final = 22  # of a power of ten that a double holds exactly
_POWERS: Final = np.array([10.0**exponent for exponent in range(_MOST_EXPONENT + 1)])
_WORDS: Final = tuple(np.frombuffer(word, np.uint8) for word in (b"nan", b"inf", b"infinity"))
_ZERO, _NINE, _DOT, _MINUS, _PLUS = 48, 57, 46, 45, 43
_SEED: Final = np.uint64(1469598103934665603)
_FACTOR: Final = np.uint64(1099511628211)
_FOLD: Final = np.uint64(29)


@compiled
def parse_integer(text: Bytes, start: int, end: int) -> tuple[int, int]:
    """Return OK, MISSING or BAD, and the 32-bit integer that stands from `start` to before `end`."""
    if end - start == 1 and text[start] == _DOT:
        return MISSING, 0
    is_negative = end > start and text[start] == _MINUS
    at = start + (1 if is_negative or (end > start and text[start] == _PLUS) else 0)
    if at >= end or end - at > 10:
        return BAD, 0
    value = 0
    for place in range(at, end):
        digit = int(text[place]) - _ZERO
        if digit < 0 or digit > 9:
            return BAD, 0
        value = value * 10 + digit
    if value > _LARGEST:
        return BAD, 0
    return OK, -value if is_negative else value


@compiled
def parse_float(text: Bytes, start: int, end: int) -> tuple[int, float]:
    """Return OK, MISSING, INEXACT or BAD, and the double that stands from `start` to before `end`.

    OK is the nearest double (15 digits and powers of ten up to 22 divide or multiply with one rounding: Clinger 1990,
    doi:10.1145/93548.93557). Words as nan and inf, and longer numbers, are INEXACT: their reader must look again.
    """
    if end - start == 1 and text[start] == _DOT:
        return MISSING, 0.0
    at = start
    is_negative = at < end and text[at] == _MINUS
    if at < end and (is_negative or text[at] == _PLUS):
        at += 1
    mantissa, digits, exponent, seen = 0, 0, 0, 0
    is_behind_dot = False
    while at < end:
        char = int(text[at])
        if char == _DOT and not is_behind_dot:
            is_behind_dot = True
        elif _ZERO <= char <= _NINE:
            seen += 1
            digits += 1 if mantissa or char != _ZERO else 0
            if digits > _MOST_DIGITS:
                return INEXACT, 0.0
            mantissa = mantissa * 10 + char - _ZERO
            exponent -= 1 if is_behind_dot else 0
        else:
            break
        at += 1
    if not seen:
        return INEXACT if is_word(text, at, end) else BAD, 0.0
    if at < end:
        if text[at] != 101 and text[at] != 69:
            return BAD, 0.0
        state, power = parse_integer(text, at + 1, end)
        if state != OK:
            return BAD, 0.0
        exponent += power
    value = float(mantissa)
    if exponent < -_MOST_EXPONENT or exponent > _MOST_EXPONENT:
        return INEXACT, 0.0
    value = value / _POWERS[-exponent] if exponent < 0 else value * _POWERS[exponent]
    return OK, -value if is_negative else value


@compiled
def looks_like_float(text: Bytes, start: int, end: int) -> bool:
    """Whether a number stands there; a word such as nan or inf does, too. Source: VCF 4.5, section 1.3."""
    at, digits, is_behind_dot = start, 0, False
    if at < end and (text[at] == _MINUS or text[at] == _PLUS):
        at += 1
    while at < end:
        char = int(text[at])
        if _ZERO <= char <= _NINE:
            digits += 1
        elif char == _DOT and not is_behind_dot:
            is_behind_dot = True
        else:
            break
        at += 1
    if at == end:
        return digits > 0
    if digits:
        return bool(text[at] | 32 == 101) and parse_integer(text, at + 1, end)[0] == OK
    return is_word(text, at, end)


@compiled
def is_word(text: Bytes, start: int, end: int) -> bool:
    """Whether nan, inf or infinity stands there, in any letters."""
    for word in _WORDS:
        if end - start == word.shape[0]:
            same = True
            for offset in range(end - start):
                if text[start + offset] | 32 != word[offset]:
                    same = False
                    break
            if same:
                return True
    return False


@compiled
def intern_text(text: Bytes, start: int, end: int, slots: Numbers, known: Places, count: int) -> int:
    """Return the number of a text among those seen; `count` where it is new, and is then noted.

    Args:
        slots: a table of numbers, -1 where free; its length a power of two, and twice as long as `known`.
        known: start and end of the text of each number, one after the other.
        count: how many there are; `known` must have room for one more.
    """
    mixed = _SEED
    for place in range(start, end):
        mixed = (mixed ^ np.uint64(text[place])) * _FACTOR
    mixed ^= mixed >> _FOLD
    mask = np.uint64(slots.shape[0] - 1)
    at = mixed & mask
    while True:
        number = int(slots[at])
        if number < 0:
            slots[at] = count
            known[2 * count], known[2 * count + 1] = start, end
            return count
        first = known[2 * number]
        if known[2 * number + 1] - first == end - start:
            same = True
            for offset in range(end - start):
                if text[first + offset] != text[start + offset]:
                    same = False
                    break
            if same:
                return number
        at = (at + np.uint64(1)) & mask


@compiled
def number_spans(text: Bytes, starts: Places, stops: Places, slots: Numbers, known: Places, numbers: Numbers) -> int:
    """Number texts, equal ones alike; return how many differ. `slots` and `known` have room for all of them."""
    count = 0
    for place in range(starts.shape[0]):
        number = intern_text(text, starts[place], stops[place], slots, known, count)
        count = max(count, number + 1)
        numbers[place] = number
    return count


@compiled
def copy_texts(text: Bytes, starts: Places, ends: Places, offsets: Numbers, data: Bytes) -> None:
    """Copy texts one behind the other into `data`, and where each begins and the last one ends into `offsets`."""
    at = 0
    offsets[0] = 0
    for number in range(starts.shape[0]):
        for place in range(starts[number], ends[number]):
            data[at] = text[place]
            at += 1
        offsets[number + 1] = at


def empty_slots(most: int) -> tuple[Numbers, Places]:
    """Return the tables in which `intern_text` keeps up to `most` different texts."""
    size = 1 << max(4, (2 * most).bit_length())
    return np.full(size, -1, np.int32), np.empty(2 * most, np.int64)
