"""Fair shares of a queue: who uses least for its weight goes first.

Source: AWS Batch user guide, "Fair-share scheduling policies" and `ShareAttributes` (weight factors, 1 where nothing is
said; half a weight factor is twice the share; an identifier may end in `*`).
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_LEAST_REMEMBERED_S: Final = 600.0
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class FairShares:
    """The weight factors of a scheduling policy by share identifier, and how many seconds back use counts."""

    weights: Mapping[str, float]
    remembered_s: float = _LEAST_REMEMBERED_S

    def weight(self, share: str) -> float:
        """Return the factor that a share's use counts with: the least goes first."""
        if share in self.weights:
            return self.weights[share]
        prefixes = [name for name in self.weights if name.endswith("*") and share.startswith(name[:-1])]
        return self.weights[max(prefixes, key=len)] if prefixes else 1.0


@dataclass(slots=True)
class _Stretch:
    vcpus: float
    began_s: float
    ended_s: float = math.inf


class Usage:
    """What each share of one queue had of the machines, lately and now. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._by_share: dict[str, list[_Stretch]] = defaultdict(list)

    def begin(self, share: str, vcpus: float, now_s: float) -> Callable[[float], None]:
        """Note that a job of a share begins, and return what notes its end."""
        stretch = _Stretch(vcpus, now_s)
        self._by_share[share].append(stretch)

        def end(then_s: float) -> None:
            stretch.ended_s = then_s

        return end

    def load(self, share: str, shares: FairShares, now_s: float) -> float:
        """Return the weighted vCPU seconds of a share since what is remembered began."""
        since_s = now_s - shares.remembered_s
        lately = [one for one in self._by_share[share] if one.ended_s > since_s]
        self._by_share[share] = lately
        used = sum(one.vcpus * (min(one.ended_s, now_s) - max(one.began_s, since_s)) for one in lately)
        return used * shares.weight(share)


def read_policy(policy: Mapping[str, Any]) -> FairShares:
    """Read the `fairsharePolicy` of a scheduling policy.

    >>> read_policy({"shareDistribution": [{"shareIdentifier": "north", "weightFactor": 0.5}]}).weight("north")
    0.5
    """
    shares: Iterable[Mapping[str, Any]] = policy.get("shareDistribution") or []
    weights = {str(one["shareIdentifier"]): float(one.get("weightFactor") or 1.0) for one in shares}
    return FairShares(weights, max(_LEAST_REMEMBERED_S, float(policy.get("shareDecaySeconds") or 0)))


def refusal(share: str | None, *, has_policy: bool) -> str | None:
    """Return why a job may not be submitted with this share identifier, None where it may."""
    if has_policy and share is None:
        return "the job queue has a scheduling policy: the job must have a shareIdentifier"
    if not has_policy and share is not None:
        return "the job queue has no scheduling policy: the job may have no shareIdentifier"
    if share is not None and not _IDENTIFIER.match(share):
        return "shareIdentifier has to be letters and digits, at most 255 of them"
    return None
