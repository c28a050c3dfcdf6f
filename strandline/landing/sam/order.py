"""Whether names come in an order that is known: natural or lexicographical.

Source: SAM 1, 1.3 (SO:queryname asks for any order that is kept) and 1.3.1 (what SS may call it).
"""

import re
from typing import Final

_RUNS: Final = re.compile(rb"[0-9]+|[^0-9]")


class NameOrder:
    """Names one after another, as long as one of the two orders holds, or the declared one."""

    def __init__(self, sub_sort: str | None) -> None:
        """Take the part of @HD SS after `queryname:`, None where there is none."""
        first = (sub_sort or "").split(":")[0]
        self.is_declared = first in {"natural", "lexicographical"}
        self._lexicographical = first != "natural"
        self._natural = first != "lexicographical"
        self._is_custom = bool(first) and not self.is_declared
        self._last = b""

    def take(self, name: bytes) -> bool:
        """Take the next name; False where it ends the last order that held (once), or the declared order (each time).

        >>> order = NameOrder(None)
        >>> [order.take(name) for name in (b"r1", b"r2", b"r10", b"r1")]
        [True, True, True, False]
        """
        last, self._last = self._last, name
        if name == last or self._is_custom or not (self._lexicographical or self._natural):
            return True
        lexicographical = self._lexicographical and last <= name
        natural = self._natural and compare_naturally(last, name) <= 0
        holds = lexicographical or natural
        if not self.is_declared:
            self._lexicographical, self._natural = lexicographical, natural
        return holds


def compare_naturally(one: bytes, two: bytes) -> int:
    """Return below 0, 0 or above 0: digits side by side are numbers; leading zeros are a tie, as tools differ there.

    >>> compare_naturally(b"abc5", b"abc17") < 0, compare_naturally(b"abc17", b"abc+5") > 0
    (True, True)
    >>> compare_naturally(b"abc8", b"abc008")
    0
    """
    for left, right in zip(_RUNS.findall(one), _RUNS.findall(two), strict=False):
        if left == right:
            continue
        if left.isdigit() and right.isdigit():
            left, right = left.lstrip(b"0"), right.lstrip(b"0")  # noqa: PLW2901  the same numbers without zeros
            if (len(left), left) != (len(right), right):
                return -1 if (len(left), left) < (len(right), right) else 1
            continue
        return -1 if left < right else 1
    left_rest, right_rest = len(_RUNS.findall(one)), len(_RUNS.findall(two))
    return (left_rest > right_rest) - (left_rest < right_rest)
