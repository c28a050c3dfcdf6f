"""The audit log of one process: entries get their place and time, are hashed, and are handed on to be kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from strandline.errors import TemporaryError
from strandline.trust.entries import Action, AuditEntry, check_entry, stamp
from strandline.trust.heads import Sign, SignedHead, TreeHead, sign_head
from strandline.trust.merkle import Frontier, leaf_hash

_CLOCKS_DIFFER: Final = timedelta(seconds=1)


def now_utc() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


class AuditLog:
    """Appends to one log. Whoever takes up a log that exists gives its frontier and the time of its last entry."""

    def __init__(
        self,
        name: str,
        keep: Callable[[bytes], object],
        *,
        frontier: Frontier | None = None,
        last_logged: str = "",
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        """Append to the log `name`; `keep` stores the bytes of an entry, and raises where it cannot."""
        self.name = name
        self.frontier = frontier or Frontier()
        self._keep = keep
        self._last_logged = last_logged
        self._clock = clock

    @property
    def last_logged(self) -> str:
        """When the last entry got its place; empty where there is none."""
        return self._last_logged

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self.frontier.size

    def append(
        self,
        what: Action,
        record: str,
        *,
        who: str,
        role: str,
        why: str,
        when: str | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> AuditEntry:
        """Append an entry; nothing is appended where it cannot be kept. `when` it was done is now, where left out.

        Raises:
            RejectedInputError: `audit_entry_invalid`.
            TemporaryError: `clock_went_back`, by over a second since the last entry.
        """
        logged = self._time()
        entry = check_entry(
            AuditEntry(self.frontier.size, logged, when or logged, who, role, what, record, why, before, after)
        )
        body = entry.to_bytes()
        self._keep(body)
        self.frontier.append(leaf_hash(body))
        self._last_logged = logged
        return entry

    def sign_head(self, public_key: ec.EllipticCurvePublicKey, sign: Sign) -> SignedHead:
        """Sign what the log is now.

        Raises:
            TemporaryError: `clock_went_back`.
        """
        return sign_head(TreeHead(self.name, self.size, self.frontier.root(), self._time()), public_key, sign)

    def _time(self) -> str:
        """Return the time, never before that of the last entry: clocks of two machines differ a little."""
        now = self._clock()
        when = stamp(now)
        if when >= self._last_logged:
            return when
        if stamp(now + _CLOCKS_DIFFER) < self._last_logged:
            raise TemporaryError(
                "clock_went_back",
                f"the clock says {when}, the last entry {self._last_logged}: set the clock, then try again",
            )
        return self._last_logged
