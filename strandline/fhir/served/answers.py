"""Answers: a status, headers and a resource; searchsets and histories with their links.

Sources: HL7 FHIR R4 (4.0.1), "RESTful API" (ETag, Last-Modified), "Search" (searchset, search.mode), Bundle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

from strandline.fhir.codes import Json
from strandline.fhir.served.cursors import Cursor, write_cursor
from strandline.fhir.served.outcomes import RefusedRequestError, operation_outcome
from strandline.fhir.served.query import SearchRequest, encode
from strandline.fhir.served.releases import Release
from strandline.fhir.served.searching import Page

SAFE_HEADERS: Final = {
    "content-type": "application/fhir+json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""On every answer: what names a patient is kept by no cache and taken for nothing else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `body` None is an answer without one."""

    status: HTTPStatus
    body: Json | None
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(refused: RefusedRequestError) -> Answer:
    """Return the answer to a request that is refused."""
    return Answer(refused.status, operation_outcome(refused.code, refused.says))


def resource_answer(resource: Json, release: Release, if_none_match: str | None = None) -> Answer:
    """Return one resource with the headers of its version; 304 where the client has that version."""
    tag = f'W/"{release.version}"'
    headers = {"etag": tag, "last-modified": format_datetime(release.released)}
    if if_none_match is not None and if_none_match.strip() == tag:
        return Answer(HTTPStatus.NOT_MODIFIED, None, headers)
    return Answer(HTTPStatus.OK, resource, headers)


def searchset(request: SearchRequest, page: Page, base: str, now: datetime) -> Answer:
    """Return a page of a search."""
    entries = [_entry(resource, base, "match") for resource in page.matches]
    entries += [_entry(resource, base, "include") for resource in page.included]
    if request.ignored:
        says = f"passed over, as this server does not know them: {', '.join(sorted(set(request.ignored)))}"
        entries.append({"resource": operation_outcome("not-supported", says, "warning"), "search": {"mode": "outcome"}})
    is_whole = page.next is None and request.cursor is None
    bundle = _bundle("searchset", _links(request, page.next, f"{base}/{request.path}"), now)
    return Answer(
        HTTPStatus.OK,
        bundle | ({"total": len(page.matches)} if is_whole else {}) | ({"entry": entries} if entries else {}),
    )


def counted(request: SearchRequest, total: int, base: str, now: datetime) -> Answer:
    """Return the number of matches alone."""
    bundle = _bundle("searchset", _links(request, None, f"{base}/{request.path}"), now)
    return Answer(HTTPStatus.OK, bundle | {"total": total})


def history(versions: Sequence[tuple[Release, Json]], base: str, path: str, now: datetime) -> Answer:
    """Return every version of one resource, the newest first."""
    entries = []
    for release, resource in versions:
        name = f"{resource['resourceType']}/{resource['id']}"
        method, status = ("POST", "201") if release.version == 1 else ("PUT", "200")
        entries.append(
            {
                "fullUrl": f"{base}/{name}",
                "resource": resource,
                "request": {"method": method, "url": name if method == "PUT" else resource["resourceType"]},
                "response": {
                    "status": status,
                    "etag": f'W/"{release.version}"',
                    "lastModified": resource["meta"]["lastUpdated"],
                },
            }
        )
    bundle = _bundle("history", [{"relation": "self", "url": f"{base}/{path}"}], now)
    return Answer(HTTPStatus.OK, bundle | {"total": len(entries), "entry": entries})


def _bundle(kind: str, links: list[Json], now: datetime) -> Json:
    instant = now.isoformat(timespec="milliseconds")
    return {"resourceType": "Bundle", "meta": {"lastUpdated": instant}, "type": kind, "link": links}


def _entry(resource: Json, base: str, mode: str) -> Json:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _links(request: SearchRequest, following: Cursor | None, url: str) -> list[Json]:
    query = request.query()
    links = [{"relation": "self", "url": f"{url}?{query}" if query else url}]
    if following is not None:
        text = write_cursor(following, f"{request.path}?{query}")
        links.append({"relation": "next", "url": f"{url}?{encode([*request.used, ('_cursor', text)])}"})
    return links
