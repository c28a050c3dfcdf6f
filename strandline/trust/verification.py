"""Whether an exported audit log is whole and as it was signed: offline, from its bytes and one public key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.trust.entries import day_before
from strandline.trust.heads import SignedHead, is_signed_by
from strandline.trust.merkle import EMPTY_ROOT, Frontier

MOST_PROBLEMS: Final = 100
_LEAF: Final = b"\x00"


class Fault(StrEnum):
    """What is wrong."""

    UNREADABLE = "UNREADABLE"
    GAP = "GAP"
    REORDERED = "REORDERED"
    BACKDATED = "BACKDATED"
    REWRITTEN = "REWRITTEN"
    TRUNCATED = "TRUNCATED"
    UNSIGNED = "UNSIGNED"
    HEADS_DISAGREE = "HEADS_DISAGREE"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: entries `first` to `last` (0-based, both included) are where it lies, as nearly as can be told."""

    fault: Fault
    first: int
    last: int
    says: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `size` entries were read, and `signed_size` of them lie under a good signature."""

    size: int
    signed_size: int
    root: bytes
    head_count: int
    problems: tuple[Problem, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_log(lines: Iterable[bytes], heads: Sequence[SignedHead], public_key: ec.EllipticCurvePublicKey) -> Verified:
    """Read a log from its beginning and hold it against every tree head that was signed.

    Args:
        lines: the bytes of each entry in order, without line ends.
        heads: signed heads in the order of their signing; at least one.
        public_key: of the log's key.
    """
    check = _Check(heads, public_key)
    for line in lines:
        check.read(line)
    return check.finish()


class _Check:
    """The state of one reading."""

    def __init__(self, heads: Sequence[SignedHead], public_key: ec.EllipticCurvePublicKey) -> None:
        self.size = 0
        self._expected = 0  # sequence of the next entry: after a gap the others are in order still
        self._frontier = Frontier()
        self._problems: list[Problem] = []
        self._last_logged = ""
        self._read_heads = len(heads)
        self._heads = [head for number, head in enumerate(heads) if self._is_good(number, head, public_key)]
        self._next_head = 0
        self._due = -1  # size of the tree that the next head speaks of
        self._agreed = 0  # entries up to here are as a good head says
        self._is_broken = False
        self._check_growth()
        self._settle()

    def read(self, line: bytes) -> None:
        """Read the next entry."""
        place = self.size
        try:
            told = orjson.loads(line)
            sequence, logged, when = told["sequence"], told["logged"], told["when"]
        except (ValueError, TypeError, KeyError):
            self._say(Fault.UNREADABLE, place, place, f"entry {place} is no entry of an audit log")
            sequence, logged, when = place, self._last_logged, self._last_logged
        if sequence != self._expected:
            self._say_sequence(place, sequence)
        self._expected = sequence + 1 if isinstance(sequence, int) else self._expected + 1
        if not isinstance(logged, str) or logged < self._last_logged:
            words = f"entry {place} says that it was logged at {logged}, the one before it at {self._last_logged}"
            self._say(Fault.BACKDATED, place, place, words)
        elif not isinstance(when, str) or when > logged or (when < logged and day_before(logged) > when):
            words = f"entry {place} says that it was done at {when}, and was logged at {logged}"
            self._say(Fault.BACKDATED, place, place, words)
            self._last_logged = logged
        else:
            self._last_logged = logged
        self._frontier.append(sha256(_LEAF + line).digest())
        self.size += 1
        if self.size == self._due:
            self._settle()

    def finish(self) -> Verified:
        """Say what was found."""
        if self._next_head < len(self._heads):
            said = self._heads[-1].head.size
            words = f"the log has {self.size} entries, and {said} were signed: entries are missing at its end"
            self._say(Fault.TRUNCATED, self.size, said - 1, words)
        if self._read_heads == 0:
            self._say(Fault.UNSIGNED, 0, max(0, self.size - 1), "no tree head was given: nothing shows what was signed")
        return Verified(
            self.size, self._agreed, self._frontier.root(), self._read_heads, tuple(self._problems[:MOST_PROBLEMS])
        )

    def _settle(self) -> None:
        """Hold the tree against the heads that speak of its size now."""
        while self._next_head < len(self._heads) and self._heads[self._next_head].head.size == self.size:
            head = self._heads[self._next_head].head
            self._next_head += 1
            root = self._frontier.root() if self.size else EMPTY_ROOT
            if root != head.root:
                if not self._is_broken:
                    words = f"entries {self._agreed} to {self.size - 1} are not those that were signed at {head.when}"
                    self._say(Fault.REWRITTEN, self._agreed, self.size - 1, words)
                self._is_broken = True
            else:
                self._agreed = self.size
                if self._last_logged > head.when:
                    words = (
                        f"entry {self.size - 1} was logged at {self._last_logged}, and signed before, at {head.when}"
                    )
                    self._say(Fault.BACKDATED, self.size - 1, self.size - 1, words)
        self._due = self._heads[self._next_head].head.size if self._next_head < len(self._heads) else -1

    def _is_good(self, number: int, signed: SignedHead, public_key: ec.EllipticCurvePublicKey) -> bool:
        if is_signed_by(signed, public_key):
            return True
        words = f"tree head {number} (size {signed.head.size}) was not signed by this key"
        self._say(Fault.UNSIGNED, 0, max(0, signed.head.size - 1), words)
        return False

    def _check_growth(self) -> None:
        """A log only grows, and has one root a size."""
        for one, other in zip(self._heads, self._heads[1:], strict=False):
            before, after = one.head, other.head
            is_split = before.size == after.size and before.root != after.root
            if after.size < before.size or after.when < before.when or after.log != before.log or is_split:
                words = f"the head signed at {after.when} does not follow the one signed at {before.when}"
                self._say(Fault.HEADS_DISAGREE, after.size, before.size, words)
        self._heads.sort(key=lambda signed: signed.head.size)

    def _say_sequence(self, place: int, sequence: object) -> None:
        if isinstance(sequence, int) and sequence > self._expected:
            missing = sequence - self._expected
            self._say(
                Fault.GAP, place, place, f"entry {sequence} follows entry {self._expected - 1}: {missing} missing"
            )
        else:
            self._say(Fault.REORDERED, place, place, f"entry {sequence} follows entry {self._expected - 1}")

    def _say(self, fault: Fault, first: int, last: int, says: str) -> None:
        if len(self._problems) <= MOST_PROBLEMS:
            self._problems.append(Problem(fault, first, last, says))
