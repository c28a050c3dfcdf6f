"""The groups of people: what each may sign as, and which FHIR scopes it has, as `people.json` says it.

The user pool's groups and resource servers are made of the same file by the stage's templates. Whoever belongs to no
group may do nothing.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

Meaning = Literal["author", "reviewer", "approver"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Frozen):
    """One group. `signs` are meanings of 21 CFR 11.50(a)(3); `scopes` those of SMART App Launch 2."""

    about: str
    signs: tuple[Meaning, ...]
    scopes: tuple[str, ...]


class Scopes(_Frozen):
    """The scopes that a token may carry: each server, each resource, such as `user/Observation.rs`."""

    about: str
    servers: tuple[str, ...]
    resources: tuple[str, ...]
    may: str


class People(_Frozen):
    """The whole of `people.json`."""

    groups: Mapping[str, Group]
    scopes: Scopes

    def meanings_of(self, groups: Iterable[str]) -> frozenset[Meaning]:
        """Return what somebody in these groups may sign as; a group that is not known gives nothing.

        >>> sorted(people().meanings_of(["author", "clinician", "made up"]))
        ['author']
        """
        return frozenset(meaning for name in groups if name in self.groups for meaning in self.groups[name].signs)

    def scopes_of(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the scopes of somebody in these groups.

        >>> people().scopes_of(["researcher"])
        frozenset()
        """
        return frozenset(scope for name in groups if name in self.groups for scope in self.groups[name].scopes)


@cache
def people() -> People:
    """Return the groups and scopes of `people.json`."""
    return People.model_validate_json(files("strandline.trust").joinpath("people.json").read_bytes())
