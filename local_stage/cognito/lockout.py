"""How long somebody is locked out who failed to sign in.

Source: "Lockout behavior for failed sign-in attempts", Cognito developer guide: after the fifth failure for a second,
doubled by each further one, about 15 minutes at most; forgotten by signing in, or after 15 minutes without a try.
"""

from dataclasses import dataclass
from typing import Final

_FREE_FAILURES: Final = 5
_LONGEST_S: Final = 900.0


@dataclass(slots=True)
class Lockout:
    """Failures of one user. Times are seconds since 1970."""

    failures: int = 0
    until: float = 0.0
    last_try: float = 0.0

    def is_on(self, now: float) -> bool:
        """Return whether a try at `now` is refused unseen; what was long ago is forgotten."""
        if now - self.last_try >= _LONGEST_S and now >= self.until:
            self.failures = 0
        self.last_try = now
        return now < self.until

    def fail(self, now: float) -> None:
        """Count a failure."""
        self.failures += 1
        if self.failures >= _FREE_FAILURES:
            self.until = now + min(2.0 ** (self.failures - _FREE_FAILURES), _LONGEST_S)

    def succeed(self) -> None:
        """Forget every failure."""
        self.failures, self.until = 0, 0.0
