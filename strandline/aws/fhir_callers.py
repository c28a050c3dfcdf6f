"""Whom API Gateway says a request to the FHIR API is from.

The gateway has checked the token. What it hands on are claims as text, lists in brackets. A person's rights are those
of their groups; where an application asked for less, the token's scopes narrow them. A program has its scopes alone.
"""

from collections.abc import Mapping
from typing import Any

from strandline.fhir.served.access import SEE_EVERY_SITE, Caller, sites_of
from strandline.trust.people import people


def caller_of(authorizer: Mapping[str, Any]) -> Caller | None:
    """Return who asks; None where there is no token, or one that is for something else than access."""
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    if claims.get("token_use") != "access" or not claims.get("sub"):
        return None
    scopes = tuple(str(claims.get("scope", "")).split())
    fhir_scopes = tuple(scope for scope in scopes if scope.startswith(("user/", "patient/", "system/")))
    if "username" not in claims:
        programs = tuple(scope for scope in fhir_scopes if scope.startswith("system/"))
        return Caller(str(claims["sub"]), "program", programs, sites_of((), scopes, sees_all=False))
    groups = sorted(str(claims.get("cognito:groups", "")).strip("[]").split())
    granted = tuple(sorted(people().scopes_of(groups)))
    return Caller(
        str(claims["sub"]),
        " ".join(group for group in groups if not group.startswith("site-")) or "none",
        tuple(scope for scope in fhir_scopes if scope.startswith("user/")) or granted,
        sites_of(groups, (), sees_all=_sees_all(groups)),
        within=granted,
    )


def _sees_all(groups: list[str]) -> bool:
    """Tell whether each group that gives a right gives it over every site: who is in two sees what both see."""
    granting = {group for group in groups if people().scopes_of([group])}
    return bool(granting) and granting <= SEE_EVERY_SITE
