"""Who asks, and what they may see: SMART scopes of the token, and the site that a person belongs to.

Source: SMART App Launch 2.0.0, "Scopes for requesting FHIR Resources": `patient/`, `user/` or `system/`, a type or `*`,
and `r` (read), `s` (search) or of version 1 `read`. A scope with a query (`?`) is not understood and grants nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from strandline.fhir.served.releases import Release

Interaction = Literal["r", "s"]
_SCOPE: Final = re.compile(
    r"(?P<context>patient|user|system)/(?P<kind>[A-Za-z]+|\*)\.(?P<may>c?r?u?d?s?|read|write|\*)", re.ASCII
)
SEE_EVERY_SITE: Final = frozenset({"compliance"})
"""Groups whose rights are over every site's releases: those whose rows are `all` in `trust/access.json`."""
_SITE_GROUP: Final = "site-"
_SITE_SCOPE: Final = "site/"
_VERSION_1: Final = {"read": "rs", "*": "rs", "write": ""}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: unique id of the person or program, as the audit log keeps it.
        role: in which they ask.
        scopes: of the token.
        sites: whose releases they may see; None for every site's.
        patient: id of the Patient that `patient/` scopes are about; None where the token names none.
        within: scopes that the caller has at most, whatever the token says; None for no such bound.
    """

    name: str
    role: str
    scopes: tuple[str, ...]
    sites: frozenset[str] | None = frozenset()
    patient: str | None = None
    within: tuple[str, ...] | None = None

    def may(self, interaction: Interaction, resource_type: str) -> bool:
        """Tell whether a scope lets the caller do this with a type."""
        return all(
            any(
                interaction in may and kind in {"*", resource_type} and (context != "patient" or self.patient)
                for context, kind, may in _understood(scopes)
            )
            for scopes in (self.scopes, self.within)
            if scopes is not None
        )

    def may_see(self, release: Release) -> bool:
        """Tell whether a release is of a site, and a patient, of the caller's."""
        if self.patient is not None or self._is_of_patients_alone():
            return release.patient == self.patient
        return self.sites is None or (release.site is not None and release.site in self.sites)

    def _is_of_patients_alone(self) -> bool:
        return all(context == "patient" for context, _, _ in _understood(self.scopes))


def sites_of(groups: Collection[str], scopes: Collection[str], sees_all: bool) -> frozenset[str] | None:
    """Return the sites whose releases somebody may see; None for all.

    People are in groups such as `site-north`, and programs have scopes such as `site/north`, or `site/*`. Whoever has
    neither sees nothing.

    >>> sorted(sites_of(["clinician", "site-north"], [], sees_all=False))
    ['north']
    """
    if sees_all or f"{_SITE_SCOPE}*" in scopes:
        return None
    named = [group.removeprefix(_SITE_GROUP) for group in groups if group.startswith(_SITE_GROUP)]
    named += [scope.removeprefix(_SITE_SCOPE) for scope in scopes if scope.startswith(_SITE_SCOPE)]
    return frozenset(filter(None, named))


def _understood(scopes: Sequence[str]) -> list[tuple[str, str, str]]:
    found = (_SCOPE.fullmatch(scope) for scope in scopes)
    return [(one["context"], one["kind"], _VERSION_1.get(one["may"], one["may"])) for one in found if one]
