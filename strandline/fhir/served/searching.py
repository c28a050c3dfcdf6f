"""Searches over releases: which to look at, page by page, with a bound on the work of each page.

A search that names a patient, an id or an identifier looks at those releases alone; another one at the releases of the
caller's sites, the newest first. A page ends when it is full, holds enough bytes, or has looked at enough: the next
link goes on from there, so that no search reads more than one answer may cost.

What was withdrawn is found too, as `entered-in-error`: a client that asks for what changed since it last looked would
else never learn of it.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import orjson

from strandline.fhir.codes import Json
from strandline.fhir.served.access import Caller
from strandline.fhir.served.cursors import Cursor
from strandline.fhir.served.matching import Condition, values_at
from strandline.fhir.served.outcomes import too_costly
from strandline.fhir.served.parameters import Kind
from strandline.fhir.served.query import Included, SearchRequest
from strandline.fhir.served.releases import Cluster, Release, ReleaseStatus, split_id, withdrawn
from strandline.fhir.served.store import ReleaseStore
from strandline.fhir.served.values import DateValue, Token

PAGE_BYTES: Final = 3 << 20
"""An answer of a function may hold 6 MiB, of which links and included resources take their part."""
_MOST_CHUNKS: Final = 60
_MOST_RELEASES: Final = 300
_COUNTED_CHUNKS: Final = 1_000
_MOST_INCLUDED: Final = 1_000


@dataclass(slots=True)
class Page:
    """One page: the matches, what comes with them, and where the next one begins."""

    matches: list[Json] = field(default_factory=list)
    included: list[Json] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)
    """Resources on the page by submission."""
    next: Cursor | None = None


class Search:
    """One search by one caller at one moment, of the submissions `only` where that is given."""

    def __init__(
        self,
        request: SearchRequest,
        caller: Caller,
        store: ReleaseStore,
        now: datetime,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        self._only = only
        self._request = request
        self._caller = caller
        self._store = store
        self._now = now

    def page(self) -> Page:
        """Return the page that the request's cursor tells."""
        page, size, chunks = Page(), 0, 0
        for seen, release in enumerate(self._releases()):
            if seen >= _MOST_RELEASES:
                page.next = _start_of(release)
                return page
            for cluster, chunk, offset in self._places(release):
                if chunks >= _MOST_CHUNKS:
                    page.next = Cursor(release.place, release.version, cluster.number, chunk, offset)
                    return page
                chunks += 1
                for at, resource in self._matches(release, cluster, chunk, offset):
                    size += len(orjson.dumps(resource))
                    if len(page.matches) == self._request.count or (page.matches and size > PAGE_BYTES):
                        page.next = Cursor(release.place, release.version, cluster.number, chunk, at)
                        return page
                    page.matches.append(resource)
                    page.touched[release.submission_id] = page.touched.get(release.submission_id, 0) + 1
        return page

    def count(self) -> int:
        """Return how many resources match.

        Raises:
            RefusedRequestError: `too-costly`, where more would have to be read than one answer may cost.
        """
        found = chunks = 0
        for seen, release in enumerate(self._releases()):
            for cluster, chunk, offset in self._places(release):
                chunks += 1
                found += sum(1 for _ in self._matches(release, cluster, chunk, offset))
            if chunks > _COUNTED_CHUNKS or seen > _COUNTED_CHUNKS:
                raise too_costly("the matches are too many to count at once: name a patient, or page through them")
        return found

    def include(self, page: Page) -> None:
        """Add what `_include` and `_revinclude` ask for.

        Raises:
            RefusedRequestError: `too-costly`, over a thousand resources: a part of them would look like all.
        """
        there = {_name_of(resource) for resource in page.matches}
        wanted = (*self._included(page.matches), *self._revincluded(page.matches))
        for resource in wanted:
            if _name_of(resource) in there:
                continue
            there.add(_name_of(resource))
            page.included.append(resource)
            if len(page.included) > _MOST_INCLUDED:
                raise too_costly(
                    f"over {_MOST_INCLUDED} resources would be included: search for them by subject, which comes in "
                    "pages, or ask for fewer with _count"
                )

    def _releases(self) -> Iterator[Release]:
        """Yield the releases to look at that the caller may see, the newest first, from the cursor on."""
        cursor, named = self._request.cursor, self._named()
        for release in self._listed() if named is None else self._sorted(named):
            if not self._caller.may_see(release) or (cursor is not None and release.place > cursor.place):
                continue
            if self._has_identifiers(release):
                yield release

    def _sorted(self, names: Iterable[str]) -> list[Release]:
        found = (self._store.release(name) for name in names)
        return sorted(filter(None, found), key=lambda release: release.place, reverse=True)

    def _named(self) -> set[str] | None:
        """Return the submissions that the conditions leave, where one of them names any."""
        sets: list[set[str] | frozenset[str]] = [] if self._only is None else [self._only]
        for condition in self._request.conditions:
            if condition.modifier or condition.is_missing is not None:
                continue
            if condition.name == "_id":
                sets.append(_submissions(str(value.code) for value in condition.values if isinstance(value, Token)))
            elif condition.parameter.kind is Kind.REFERENCE:
                sets.append(_submissions(str(value).partition("/")[2] for value in condition.values))
            elif condition.name == "identifier" and all(isinstance(v, Token) and v.code for v in condition.values):
                sets.append(self._identified(self._request.types[0], condition.values))
        sets += [
            self._identified("Patient", tokens) for tokens in self._request.identifiers if all(t.code for t in tokens)
        ]
        return set(sets[0]).intersection(*sets) if sets else None

    def _identified(self, resource_type: str, tokens: Sequence[object]) -> set[str]:
        return {
            name
            for token in tokens
            if isinstance(token, Token) and token.code
            for name in self._store.submissions_with(resource_type, token.system, token.code)
        }

    def _listed(self) -> Iterable[Release]:
        """Yield releases by their time; those of several sites are merged."""
        before = self._request.cursor.place if self._request.cursor else None
        if self._caller.patient is not None:
            return self._sorted(_submissions(iter([self._caller.patient])))
        since = _earliest(self._request.conditions)
        if self._caller.sites is None:
            return self._store.listed(None, before, since)
        lists = [self._store.listed(site, before, since) for site in sorted(self._caller.sites)]
        return heapq.merge(*lists, key=lambda release: release.place, reverse=True)

    def _has_identifiers(self, release: Release) -> bool:
        patients = [(system, value) for kind, system, value in release.identifiers if kind == "Patient"]
        return all(
            any(
                (token.code in {None, value}) and (token.system in {None, system})
                for token in tokens
                for system, value in patients
            )
            for tokens in self._request.identifiers
        )

    def _places(self, release: Release) -> Iterator[tuple[Cluster, int, int]]:
        """Yield the chunks to look at, each with the resource to begin at."""
        cursor = self._request.cursor
        begins = cursor if cursor and (cursor.place, cursor.version) == (release.place, release.version) else None
        for cluster in release.clusters_of(*self._request.types):
            if not all(_may_hold(cluster, condition) for condition in self._request.conditions):
                continue
            for chunk in range(cluster.chunks):
                here = (cluster.number, chunk)
                if begins is None or here > (begins.cluster, begins.chunk):
                    yield cluster, chunk, 0
                elif here == (begins.cluster, begins.chunk):
                    yield cluster, chunk, begins.offset

    def _matches(self, release: Release, cluster: Cluster, chunk: int, offset: int) -> Iterator[tuple[int, Json]]:
        resources = self._store.chunk(release, cluster.number, chunk)
        for at, resource in enumerate(islice(resources, offset, None), offset):
            shown = withdrawn(resource, release) if release.status is ReleaseStatus.WITHDRAWN else resource
            if all(condition.fits(shown, self._now) for condition in self._request.conditions):
                yield at, shown

    def _included(self, matches: Sequence[Json]) -> Iterator[Json]:
        for included in self._request.includes:
            for resource in matches:
                for path in included.parameter.paths:
                    for value in values_at(resource, (*path.split("."), "reference")):
                        kind = str(value).partition("/")[0]
                        if included.target in {None, kind} and self._caller.may("r", kind):
                            found = read_resource(self._store, str(value).partition("/")[2], self._caller)
                            if found is not None and found[1]["resourceType"] == kind:
                                yield found[1]

    def _revincluded(self, matches: Sequence[Json]) -> Iterator[Json]:
        names = {_name_of(resource) for resource in matches}
        releases = {found[0]: None for resource in matches if (found := split_id(resource["id"]))}
        for included in self._request.revincludes:
            if not self._caller.may("s", included.source):
                continue
            for name in releases:
                release = self._store.release(name)
                for resource in _all_of(self._store, release, included.source) if release else ():
                    if names & set(_references(resource, included)):
                        yield resource


def read_resource(
    store: ReleaseStore, name: str, caller: Caller, version: int | None = None
) -> tuple[Release, Json] | None:
    """Return a resource by its id, with its release; None where it is not there or is not the caller's to see."""
    split = split_id(name)
    release = store.release(split[0], version) if split else None
    if split is None or release is None or not caller.may_see(release):
        return None
    place = store.find(release, split[1])
    if place is None:
        return None
    resource = store.chunk(release, place.cluster, place.chunk)[place.offset]
    return release, withdrawn(resource, release) if release.status is ReleaseStatus.WITHDRAWN else resource


def _all_of(store: ReleaseStore, release: Release, resource_type: str) -> Iterator[Json]:
    for cluster in release.clusters_of(resource_type):
        for chunk in range(cluster.chunks):
            for resource in store.chunk(release, cluster.number, chunk):
                yield withdrawn(resource, release) if release.status is ReleaseStatus.WITHDRAWN else resource


def _references(resource: Json, included: Included) -> Iterator[str]:
    for path in included.parameter.paths:
        yield from values_at(resource, (*path.split("."), "reference"))


def _may_hold(cluster: Cluster, condition: Condition) -> bool:
    """Tell whether a cluster can have a match, by the codes that all of it has."""
    if condition.name != "code" or condition.modifier or condition.is_missing is not None:
        return True
    held = [token.split("|", 1) for token in cluster.tokens]
    return any(
        isinstance(asked, Token) and asked.code in {None, code} and asked.system in {None, system}
        for asked in condition.values
        for system, code in held
    )


def _earliest(conditions: Sequence[Condition]) -> datetime | None:
    """Return the time before which no release can have a match."""
    bounds = [
        min(value.moments.first for value in condition.values if isinstance(value, DateValue))
        for condition in conditions
        if condition.name == "_lastUpdated"
        and condition.values
        and all(isinstance(value, DateValue) and value.prefix in {"eq", "gt", "ge", "sa"} for value in condition.values)
    ]
    return max(bounds, default=None)


def _submissions(names: Iterator[str]) -> set[str]:
    return {found[0] for name in names if (found := split_id(name))}


def _start_of(release: Release) -> Cursor:
    return Cursor(release.place, release.version, 0, 0, 0)


def _name_of(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
