"""Optional fields: types that predefined tags have, and forms that values have in text.

Sources: SAMtags 1 (table of standard tags); SAM 1, 1.5 and 4.2.4.
"""

import re
from typing import Final

_INTEGERS: Final = b"AM AS CM CP FI H0 H1 H2 HI IH MN MQ NH NM OP PQ SM TC UQ".split()
_STRINGS: Final = (
    b"BC BQ BZ CB CC CO CQ CR CS CT CY E2 FS LB MC MD MI MM OA OC OQ OX PG PT PU Q2 QT QX R2 RG RX SA U2".split()
)
TYPE_BY_TAG: Final[dict[bytes, bytes]] = {
    **dict.fromkeys(_INTEGERS, b"i"),
    **dict.fromkeys(_STRINGS, b"Z"),
    **dict.fromkeys((b"CG", b"FZ", b"ML"), b"B"),
    b"TS": b"A",
}
SUBTYPE_BY_TAG: Final = {b"CG": b"I", b"FZ": b"S", b"ML": b"C"}

TAG_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9]")
CONTIG_NAME: Final = rb"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*"
_CIGAR: Final = rb"(?:\*|(?:[0-9]+[MIDNSHPX=])+)"
# [-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)? of SAM 1, 1.5, written so that a long run of digits is gone over once
_NUMBER: Final = rb"[-+]?(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?"
_ALIGNMENT: Final = CONTIG_NAME + rb",[0-9]+,[-+]," + _CIGAR + rb",[0-9]+,"

VALUE_BY_TYPE: Final = {
    b"A": re.compile(rb"[!-~]"),
    b"i": re.compile(rb"[-+]?[0-9]+"),
    b"f": re.compile(_NUMBER),
    b"Z": re.compile(rb"[ -~]*"),
    b"H": re.compile(rb"(?:[0-9A-F][0-9A-F])*"),
    b"B": re.compile(rb"[cCsSiIf](?:," + _NUMBER + rb")*+"),
}
VALUE_BY_TAG: Final = {
    b"MD": re.compile(rb"[0-9]+(?:(?:[A-Z]|\^[A-Z]+)[0-9]+)*"),
    b"MC": re.compile(_CIGAR),
    b"SA": re.compile(rb"(?:" + _ALIGNMENT + rb"-?[0-9]+;)+"),
    b"OA": re.compile(rb"(?:" + _ALIGNMENT + rb"[0-9]*;)+"),
    b"MM": re.compile(rb"(?:[ACGTUN][-+](?:[a-z]+|[0-9]+)[.?]?(?:,[0-9]+)*;)*"),
}
RANGE_BY_SUBTYPE: Final = {
    b"c": (-(1 << 7), (1 << 7) - 1),
    b"C": (0, (1 << 8) - 1),
    b"s": (-(1 << 15), (1 << 15) - 1),
    b"S": (0, (1 << 16) - 1),
    b"i": (-(1 << 31), (1 << 31) - 1),
    b"I": (0, (1 << 32) - 1),
}
MOST_TAGS: Final = 52 * 62  # that differ: more fields than that have one twice
SAFE_DIGITS: Final = 9  # an integer of so many characters is in every range of 32 bits


def text_type(binary_type: bytes) -> bytes:
    """Return the type that a BAM field has in SAM: all integers are `i` there.

    >>> text_type(b"C"), text_type(b"Z")
    (b'i', b'Z')
    """
    return b"i" if binary_type in b"cCsSiI" else binary_type


def is_standard_type(tag: bytes, kind: bytes) -> bool:
    """Whether a tag may have a type of SAM; tags that are not predefined may have any."""
    return TYPE_BY_TAG.get(tag, kind) == kind


def is_in_range(value: bytes) -> bool:
    """Whether an integer of text fits into the 32 bits that BAM has for it, signed or not.

    Args:
        value: what matches the form of type `i`.
    """
    return len(value) <= SAFE_DIGITS or (len(value) <= 1000 and -(1 << 31) <= int(value) < 1 << 32)


def is_array_in_range(value: bytes) -> bool:
    """Whether every element of an array in text is one of its subtype.

    Args:
        value: what matches the form of type `B`, such as `c,1,-1`.
    """
    subtype, *elements = value.split(b",")
    if subtype == b"f":
        return True
    low, high = RANGE_BY_SUBTYPE[subtype]
    try:
        return all(low <= int(element) <= high for element in elements)
    except ValueError:  # a fraction, or more digits than an integer may have
        return False
