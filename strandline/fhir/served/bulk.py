"""Bulk export: all that a caller may read, as files of one resource a line, made in the background.

Source: HL7 FHIR Bulk Data Access 2.0.0: kick-off (202 with Content-Location), status (202 with X-Progress, then 200
with a manifest), deletion. An export is seen by whoever asked for it and nobody else, and ends after a day.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal, Protocol

import orjson

from strandline.fhir.codes import Json
from strandline.fhir.served.access import Caller
from strandline.fhir.served.answers import Answer
from strandline.fhir.served.outcomes import RefusedRequestError, invalid, not_found, unsupported
from strandline.fhir.served.parameters import SEARCHABLE
from strandline.fhir.served.releases import Release, ReleaseStatus, withdrawn
from strandline.fhir.served.store import ReleaseStore
from strandline.fhir.served.values import parse_moments

LASTS: Final = timedelta(days=1)
FILE_BYTES: Final = 32 << 20
_STATUS: Final = "$export-status"
_NDJSON: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_SITE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
State = Literal["accepted", "complete", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export: `key` is its place, `count` the resources in it."""

    resource_type: str
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export. `sites` None is every site; `releases` is how many were written so far."""

    job_id: str
    caller: str
    role: str
    sites: tuple[str, ...] | None
    types: tuple[str, ...]
    since: datetime | None
    request: str
    requested: datetime
    state: State = "accepted"
    files: tuple[ExportFile, ...] = ()
    releases: int = 0


class ExportDesk(Protocol):
    """Where exports are kept and made."""

    def open(self, job: ExportJob) -> None:
        """Keep a new job and have it begun."""
        ...

    def find(self, job_id: str) -> ExportJob | None:
        """Return a job; None where there is none, or it ended a day ago."""
        ...

    def cancel(self, job_id: str) -> None:
        """Let a job end, and its files be nobody's."""
        ...

    def link(self, key: str) -> str:
        """Return a URL that gives a file to whoever has it, for a quarter of an hour."""
        ...


def begin_export(
    target: str | None,
    pairs: Sequence[tuple[str, str]],
    prefers: str,
    caller: Caller,
    *,
    url: str,
    job_id: str,
    now: datetime,
) -> ExportJob:
    """Return the job that a kick-off asks for; `target` is a site, as a Group, or None for all that the caller sees.

    Raises:
        RefusedRequestError: not asked for as asynchronous, a parameter that is not supported, another's site, or no
            scope to read any of the types.
    """
    if "respond-async" not in prefers.replace(";", ",").replace(" ", "").split(","):
        raise invalid("an export is asked for with the header Prefer: respond-async")
    given = dict(pairs)
    if set(given) - {"_type", "_since", "_outputFormat"} or len(given) < len(pairs):
        raise unsupported("an export takes _type, _since and _outputFormat, each once")
    if given.get("_outputFormat", "ndjson") not in _NDJSON:
        raise unsupported("_outputFormat is application/fhir+ndjson: nothing else is written")
    types = tuple(given["_type"].split(",")) if "_type" in given else tuple(SEARCHABLE)
    if not set(types) <= SEARCHABLE.keys():
        raise invalid("_type names a type that is not served")
    allowed = tuple(kind for kind in SEARCHABLE if kind in types and caller.may("r", kind))
    if not allowed or caller.patient is not None or ("_type" in given and len(allowed) < len(set(types))):
        raise RefusedRequestError(
            HTTPStatus.FORBIDDEN, "forbidden", "no scope of the token is for such an export", is_recorded=True
        )
    since = parse_moments(given["_since"]).first if "_since" in given else None
    return ExportJob(job_id, caller.name, caller.role, _sites(target, caller), allowed, since, url, now)


def status_of(job_id: str, caller: Caller, desk: ExportDesk) -> Answer:
    """Return how far an export is, or its manifest.

    Raises:
        RefusedRequestError: there is none that the caller asked for.
    """
    job = _own(job_id, caller, desk)
    if job.state == "failed":
        raise RefusedRequestError(
            HTTPStatus.INTERNAL_SERVER_ERROR, "exception", "the export failed: ask for less, by _since or by site"
        )
    if job.state == "accepted":
        return Answer(HTTPStatus.ACCEPTED, None, {"x-progress": f"{job.releases} releases written", "retry-after": "5"})
    output = [{"type": file.resource_type, "url": desk.link(file.key), "count": file.count} for file in job.files]
    manifest: Json = {
        "transactionTime": job.requested.isoformat(timespec="milliseconds"),
        "request": job.request,
        "requiresAccessToken": False,
        "output": output,
        "error": [],
    }
    return Answer(HTTPStatus.OK, manifest, {"content-type": "application/json"})


def cancel_export(job_id: str, caller: Caller, desk: ExportDesk) -> Answer:
    """End an export that the caller asked for.

    Raises:
        RefusedRequestError: there is none.
    """
    desk.cancel(_own(job_id, caller, desk).job_id)
    return Answer(HTTPStatus.ACCEPTED, None)


def status_url(base: str, job: ExportJob) -> str:
    """Return the URL that tells how far an export is."""
    return f"{base}/{_STATUS}/{job.job_id}"


def write_export(
    job: ExportJob,
    store: ReleaseStore,
    write: Callable[[str, bytes], str],
    read: Callable[[Release, int], None],
    progress: Callable[[ExportJob], bool],
) -> ExportJob:
    """Write an export's files and return the job as it is then; memory holds one file a type.

    Args:
        job: what was asked.
        store: where releases are.
        write: stores the bytes of a file of a type, and returns its place.
        read: is told of each release and how many resources of it are taken, before any file has them.
        progress: is told after each release; False where the job was cancelled.
    """
    held: dict[str, list[bytes]] = {kind: [] for kind in job.types}
    sizes = dict.fromkeys(job.types, 0)
    files: list[ExportFile] = []

    def flush(kind: str) -> None:
        if held[kind]:
            files.append(ExportFile(kind, write(kind, b"".join(held[kind])), len(held[kind])))
            held[kind], sizes[kind] = [], 0

    for release in _releases(job, store):
        resources = list(_resources(release, job.types, store))
        read(release, len(resources))
        for resource in resources:
            kind = resource["resourceType"]
            held[kind].append(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE))
            sizes[kind] += len(held[kind][-1])
            if sizes[kind] > FILE_BYTES:
                flush(kind)
        job = replace(job, releases=job.releases + 1)
        if not progress(job):
            return replace(job, state="cancelled")
    for kind in job.types:
        flush(kind)
    return replace(job, state="complete", files=tuple(files))


def _releases(job: ExportJob, store: ReleaseStore) -> Iterator[Release]:
    for site in (None,) if job.sites is None else job.sites:
        for release in store.listed(site, None, job.since):
            if release.released <= job.requested:
                yield release


def _resources(release: Release, types: Sequence[str], store: ReleaseStore) -> Iterator[Json]:
    for cluster in release.clusters_of(*types):
        for chunk in range(cluster.chunks):
            for resource in store.chunk(release, cluster.number, chunk):
                yield withdrawn(resource, release) if release.status is ReleaseStatus.WITHDRAWN else resource


def _sites(target: str | None, caller: Caller) -> tuple[str, ...] | None:
    if target is None:
        return None if caller.sites is None else tuple(sorted(caller.sites))
    if not _SITE.fullmatch(target) or (caller.sites is not None and target not in caller.sites):
        raise not_found()
    return (target,)


def _own(job_id: str, caller: Caller, desk: ExportDesk) -> ExportJob:
    job = desk.find(job_id) if _ID.fullmatch(job_id) else None
    if job is None or job.caller != caller.name or job.state == "cancelled":
        raise not_found()
    return job
