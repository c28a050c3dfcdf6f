"""Functions over text and bytes that DuckDB has not, or means otherwise.

Source: https://trino.io/docs/current/functions/string.html and binary.html
"""

import base64
import binascii
import hashlib
import unicodedata
import urllib.parse
import zlib
from collections.abc import Mapping
from typing import Literal

from local_stage.athena.failures import AthenaFailure

_SOUNDEX = {
    letter: code for code, letters in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), 1) for letter in letters
}
_MAXIMUM_CODE = 0x10FFFF


def character(code: int) -> str:
    """Return the character of a code point."""
    if not 0 <= code <= _MAXIMUM_CODE or 0xD800 <= code <= 0xDFFF:
        raise _invalid(f"Not a valid Unicode code point: {code}")
    return chr(code)


def code_point(text: str) -> int:
    """Return the code point of the only character of a text."""
    if len(text) != 1:
        raise _invalid("Input string must be a single character string")
    return ord(text)


def hamming_distance(one: str, other: str) -> int:
    """Return at how many places two texts of one length differ."""
    if len(one) != len(other):
        raise _invalid("The input strings to hamming_distance function must have the same length")
    return sum(left != right for left, right in zip(one, other, strict=True))


def luhn_check(text: str) -> bool | None:
    """Tell whether digits pass the Luhn check; None for no digits at all."""
    if not text:
        return None
    if not text.isdigit() or not text.isascii():
        raise _invalid(f"'{text}' is not an integer")
    total = 0
    for place, digit in enumerate(reversed(text)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def pad(text: str, size: int, padding: str, left: bool) -> str:
    """Bring a text to a size, by padding or by cutting its end."""
    if size < 0 or not padding:
        raise _invalid("Target length must be positive and padding must not be empty")
    if size <= len(text):
        return text[:size]
    missing = size - len(text)
    filling = (padding * (missing // len(padding) + 1))[:missing]
    return filling + text if left else text + filling


def position_of(text: str, part: str, instance: int) -> int:
    """Return the 1-based place of the n-th part, from the end where n is negative; 0 where there is none."""
    if instance == 0:
        raise _invalid("'instance' must be a positive or negative number.")
    if not part:
        return 1
    place = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        place = text.find(part, place + 1) if instance > 0 else text.rfind(part, 0, max(0, place + len(part) - 1))
        if place < 0:
            return 0
    return place + 1


def soundex(text: str) -> str:
    """Return the American Soundex code of a word."""
    if not text.isascii():
        raise _invalid("The character is not mapped")
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if not letters:
        return ""
    shown, last = letters[0], _SOUNDEX.get(letters[0], 0)
    for letter in letters[1:]:
        code = _SOUNDEX.get(letter, 0)
        if code and code != last:
            shown += str(code)
        if letter not in "HW":
            last = code
    return shown[:4].ljust(4, "0")


def split_limited(text: str, separator: str, limit: int) -> list[str]:
    """Split into at most `limit` parts, the last with all that is left."""
    if limit <= 0:
        raise _invalid("Limit must be positive")
    if not separator:
        raise _invalid("The delimiter may not be the empty string")
    return text.split(separator, limit - 1)


def split_to_map(text: str, between_entries: str, between_key_and_value: str) -> Mapping[str, str]:
    """Split into entries, and each into key and value.

    Raises:
        AthenaFailure: INVALID_FUNCTION_ARGUMENT, a key is there twice, or an entry has no separator.
    """
    found: dict[str, str] = {}
    for key, value in _entries(text, between_entries, between_key_and_value):
        if key in found:
            raise _invalid(
                f"Duplicate keys ({key}) are not allowed. Specifying a lambda to resolve conflicts can avoid this error"
            )
        found[key] = value
    return found


def split_to_multimap(text: str, between_entries: str, between_key_and_value: str) -> Mapping[str, list[str]]:
    """Split into entries, and each into key and value; the values of one key come together."""
    found: dict[str, list[str]] = {}
    for key, value in _entries(text, between_entries, between_key_and_value):
        found.setdefault(key, []).append(value)
    return found


def _entries(text: str, between_entries: str, between_key_and_value: str) -> list[tuple[str, str]]:
    if not between_entries or not between_key_and_value or between_entries == between_key_and_value:
        raise _invalid("entryDelimiter and keyValueDelimiter must not be empty and must not be the same")
    parts = text.split(between_entries)
    if parts and not parts[-1]:
        parts.pop()
    found = []
    for part in parts:
        key, mark, value = part.partition(between_key_and_value)
        if not mark:
            raise _invalid(f"Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'")
        found.append((key, value))
    return found


def translate(text: str, given: str, wanted: str) -> str:
    """Replace characters by those at the same place of another text, or by nothing where that is too short."""
    table: dict[int, str] = {}
    for place, letter in enumerate(given):
        table.setdefault(ord(letter), wanted[place : place + 1])
    return text.translate(table)


def normalize(text: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> str:
    """Return a text in a normal form of Unicode."""
    return unicodedata.normalize(form, text)


def upper(text: str) -> str:
    """Return a text in upper case, one character for each."""
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)


def lower(text: str) -> str:
    """Return a text in lower case, one character for each."""
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def reverse(text: str) -> str:
    """Return the code points of a text in reverse order."""
    return text[::-1]


def levenshtein_distance(one: str, other: str) -> int:
    """Return how many characters have to be put in, taken out or replaced to make one text the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        above, row[0] = row[0], number
        for place, wanted in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (letter != wanted))
    return row[-1]


def from_utf8(data: bytes) -> str:
    """Return the text of bytes, with U+FFFD for what is no UTF-8."""
    return data.decode("utf-8", "replace")


def digest(data: bytes, algorithm: str) -> bytes:
    """Return a digest of bytes."""
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def crc32(data: bytes) -> int:
    """Return the CRC-32 of bytes."""
    return zlib.crc32(data)


def from_hex(text: str) -> bytes:
    """Return the bytes that hexadecimal digits are."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise _invalid(f"invalid hex string: {text}") from None


def to_base64(data: bytes) -> str:
    """Return bytes in base 64."""
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Return the bytes that a base 64 text is."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _invalid(f"invalid base64 string: {text}") from None


def url_encode(text: str) -> str:
    """Return a text as a part of a URL: letters, digits and -_.* stay, a blank becomes +."""
    return urllib.parse.quote_plus(text, safe="*").replace("~", "%7E")


def url_decode(text: str) -> str:
    """Return the text that a part of a URL is."""
    return urllib.parse.unquote_plus(text)


def _invalid(message: str) -> AthenaFailure:
    return AthenaFailure("INVALID_FUNCTION_ARGUMENT", message)
