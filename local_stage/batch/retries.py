"""Whether a failed attempt is tried again.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExitRule:
    """One entry of evaluateOnExit: all patterns that are given must match. A pattern may end in `*`."""

    retry: bool
    on_exit_code: str | None = None
    on_reason: str | None = None
    on_status_reason: str | None = None

    def matches(self, exit_code: int | None, reason: str | None, status_reason: str | None) -> bool:
        """Return whether an attempt that ended so falls under the rule."""
        pairs = (
            (self.on_exit_code, "" if exit_code is None else str(exit_code)),
            (self.on_reason, reason or ""),
            (self.on_status_reason, status_reason or ""),
        )
        given = [(pattern, text) for pattern, text in pairs if pattern is not None]
        return bool(given) and all(_matches(pattern, text) for pattern, text in given)


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """How often a job is tried, and which failures are worth another attempt."""

    attempts: int = 1
    rules: Sequence[ExitRule] = ()

    def tries_again(self, done: int, exit_code: int | None, reason: str | None, status_reason: str | None) -> bool:
        """Return whether another attempt follows the `done` ones. A failure that no rule names is tried again."""
        if done >= self.attempts:
            return False
        rule = next((rule for rule in self.rules if rule.matches(exit_code, reason, status_reason)), None)
        return rule is None or rule.retry

    def describe(self) -> dict[str, Any]:
        """Return the strategy as Batch's API shows it."""
        rules = []
        for rule in self.rules:
            shown = {
                "action": "RETRY" if rule.retry else "EXIT",
                "onExitCode": rule.on_exit_code,
                "onReason": rule.on_reason,
                "onStatusReason": rule.on_status_reason,
            }
            rules.append({name: value for name, value in shown.items() if value is not None})
        return {"attempts": self.attempts, "evaluateOnExit": rules}


def read_strategy(*sources: Mapping[str, Any] | None) -> RetryStrategy:
    """Return the first strategy that is given: the request's before the definition's."""
    given = next((source for source in sources if source), {})
    rules = [
        ExitRule(
            retry=str(rule["action"]).upper() == "RETRY",
            on_exit_code=rule.get("onExitCode"),
            on_reason=rule.get("onReason"),
            on_status_reason=rule.get("onStatusReason"),
        )
        for rule in given.get("evaluateOnExit") or []
    ]
    return RetryStrategy(int(given.get("attempts") or 1), tuple(rules))


def _matches(pattern: str, text: str) -> bool:
    pattern, text = pattern.lower(), text.lower()  # Batch's patterns are not case sensitive
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
