"""The server's answers: reads, versions, searches, `$everything` and `find-subject-variants`, each audited.

Whatever was read is written to the audit log before it is answered; where that fails nothing is answered. Source: HL7
FHIR R4 (4.0.1), "RESTful API"; Patient, operation `$everything`.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Final

from strandline.fhir.served.access import Caller
from strandline.fhir.served.answers import Answer, counted, history, refusal, resource_answer, searchset
from strandline.fhir.served.bulk import ExportDesk, begin_export, cancel_export, status_of, status_url
from strandline.fhir.served.capability import capability_statement, smart_configuration
from strandline.fhir.served.cursors import read_cursor
from strandline.fhir.served.matching import Condition
from strandline.fhir.served.outcomes import RefusedRequestError, invalid, not_found, unsupported
from strandline.fhir.served.parameters import COMMON, SEARCHABLE
from strandline.fhir.served.query import Handling, SearchRequest, encode, parse_pairs, parse_search
from strandline.fhir.served.searching import Search, read_resource
from strandline.fhir.served.store import ReleaseStore
from strandline.fhir.served.subject_variants import find_subject_variants, parse_asked
from strandline.fhir.served.values import parse_date

_TYPE: Final = re.compile(r"[A-Za-z]{1,40}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_VERSION: Final = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_EVERYTHING: Final = ("_count", "_since", "_type", "_cursor")
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one submission, for the audit log: nothing of it names a patient."""

    record: str
    why: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` begins behind the server's URL, header names are in lower case; `caller` None is unknown."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    caller: Caller | None = None


Audit = Callable[[Caller, list[Read]], None]
"""Writes what was read, or raises."""


class FhirServer:
    """Answers requests from a store; `base` is the URL that everything is under."""

    def __init__(
        self, store: ReleaseStore, base: str, audit: Audit, version: str, exports: ExportDesk | None = None
    ) -> None:
        self._exports = exports
        self._store = store
        self._base = base
        self._audit = audit
        self._version = version

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer one request; a refusal is an answer too.

        Raises:
            RefusedRequestError: what the audit log has to tell of, for the caller of this to record and to answer.
        """
        try:
            return self._route(request, now)
        except RefusedRequestError as refused:
            if refused.is_recorded:
                raise
            return refusal(refused)

    def _route(self, request: Request, now: datetime) -> Answer:
        parts = request.path.split("/")
        _check_format(request)
        match request.method, parts:
            case "GET", ["metadata"]:
                return Answer(HTTPStatus.OK, capability_statement(self._base, self._version))
            case "GET", [".well-known", "smart-configuration"]:
                return Answer(HTTPStatus.OK, smart_configuration(), {"content-type": "application/json"})
        caller = request.caller
        if caller is None:
            raise RefusedRequestError(HTTPStatus.UNAUTHORIZED, "login", "sign in, and send the access token")
        exported = self._export(request, caller, parts, now) if self._exports else None
        if exported is not None:
            return exported
        match request.method, parts:
            case "GET", ["$find-subject-variants"] | ["Observation", "$find-subject-variants"]:
                return self._subject_variants(request, caller)
            case "GET", ["Patient", name, "$everything"]:
                return self._everything(request, caller, name, now)
            case "GET", [kind]:
                return self._search(request, caller, _known(kind), request.query, now)
            case "POST", [kind, "_search"]:
                return self._search(request, caller, _known(kind), _form(request), now)
            case "GET", [kind, name]:
                return self._read(request, caller, _known(kind), name)
            case "GET", [kind, name, "_history"]:
                return self._history(caller, _known(kind), name, now)
            case "GET", [kind, name, "_history", version]:
                return self._vread(caller, _known(kind), name, version)
        raise RefusedRequestError(
            HTTPStatus.NOT_FOUND, "not-supported", "there is no such interaction here: see metadata for what there is"
        )

    def _read(self, request: Request, caller: Caller, kind: str, name: str) -> Answer:
        _require(caller, "r", kind)
        found = read_resource(self._store, _checked(name), caller)
        if found is None or found[1]["resourceType"] != kind:
            raise self._absent(name)
        self._audit(caller, [Read(found[0].submission_id, f"read {kind} by id")])
        return resource_answer(found[1], found[0], request.headers.get("if-none-match"))

    def _vread(self, caller: Caller, kind: str, name: str, version: str) -> Answer:
        _require(caller, "r", kind)
        if not _VERSION.fullmatch(version):
            raise not_found()
        found = read_resource(self._store, _checked(name), caller, int(version))
        if found is None or found[1]["resourceType"] != kind:
            raise self._absent(name)
        self._audit(caller, [Read(found[0].submission_id, f"read {kind} by id, version {version}")])
        return resource_answer(found[1], found[0])

    def _history(self, caller: Caller, kind: str, name: str, now: datetime) -> Answer:
        _require(caller, "r", kind)
        submission_id = _checked(name).rpartition(".")[0]
        found = [
            read
            for release in self._store.versions(submission_id)
            if (read := read_resource(self._store, name, caller, release.version)) and read[1]["resourceType"] == kind
        ]
        if not found:
            raise self._absent(name)
        self._audit(caller, [Read(submission_id, f"read the history of {kind} by id")])
        return history(found, self._base, f"{kind}/{name}/_history", now)

    def _search(self, request: Request, caller: Caller, kind: str, query: str, now: datetime) -> Answer:
        _require(caller, "s", kind)
        asked = parse_search(kind, parse_pairs(query), self._base, _handling(request))
        return self._page(asked, Search(asked, caller, self._store, now), caller, now)

    def _everything(self, request: Request, caller: Caller, name: str, now: datetime) -> Answer:
        """Everything of the release that a Patient is of, in pages. Source: FHIR R4, Patient-everything."""
        _require(caller, "r", "Patient")
        found = read_resource(self._store, _checked(name), caller)
        if found is None or found[1]["resourceType"] != "Patient":
            raise self._absent(name)
        asked = _parse_everything(f"Patient/{name}/$everything", parse_pairs(request.query), caller)
        search = Search(asked, caller, self._store, now, only=frozenset({found[0].submission_id}))
        return self._page(asked, search, caller, now)

    def _page(self, asked: SearchRequest, search: Search, caller: Caller, now: datetime) -> Answer:
        by = ", ".join(sorted({condition.name for condition in asked.conditions})) or "type alone"
        if asked.only_counts:
            total = search.count()
            self._audit(caller, [Read(f"fhir/{asked.types[0]}", f"counted by {by}: {total} resources")])
            return counted(asked, total, self._base, now)
        page = search.page()
        search.include(page)
        reads = [Read(name, f"found {count} resources by {by}") for name, count in page.touched.items()]
        self._audit(caller, reads or [Read(f"fhir/{asked.types[0]}", f"found nothing by {by}")])
        return searchset(asked, page, self._base, now)

    def _subject_variants(self, request: Request, caller: Caller) -> Answer:
        _require(caller, "s", "Observation")
        asked = parse_asked(parse_pairs(request.query), self._base)
        found = read_resource(self._store, asked.patient, caller)
        if found is None or found[1]["resourceType"] != "Patient":
            raise self._absent(asked.patient)
        answer = find_subject_variants(asked, found[0], self._store)
        self._audit(caller, [Read(found[0].submission_id, f"find-subject-variants in {len(asked.ranges)} ranges")])
        return Answer(HTTPStatus.OK, answer)

    def _export(self, request: Request, caller: Caller, parts: list[str], now: datetime) -> Answer | None:
        """Answer what is about bulk exports; None for anything else."""
        desk, target = self._exports, None
        match request.method, parts:
            case "GET", ["$export-status", job_id] if desk:
                return status_of(job_id, caller, desk)
            case "DELETE", ["$export-status", job_id] if desk:
                return cancel_export(job_id, caller, desk)
            case "GET", ["Group", site, "$export"]:
                target = site
            case "GET", ["$export"] | ["Patient", "$export"]:
                pass
            case _:
                return None
        url = f"{self._base}/{request.path}" + (f"?{request.query}" if request.query else "")
        pairs, prefers = parse_pairs(request.query), request.headers.get("prefer", "")
        job = begin_export(target, pairs, prefers, caller, url=url, job_id=uuid.uuid4().hex, now=now)
        self._audit(caller, [Read("fhir/$export", f"began an export of {', '.join(job.types)}")])
        if desk is not None:
            desk.open(job)
        return Answer(HTTPStatus.ACCEPTED, None, {"content-location": status_url(self._base, job)})

    def _absent(self, name: str) -> RefusedRequestError:
        """Say that there is nothing; where there is, and it is another's, the audit log is told."""
        refused = not_found()
        refused.is_recorded = bool(self._store.versions(name.rpartition(".")[0]))
        return refused


def _known(kind: str) -> str:
    if kind in SEARCHABLE:
        return kind
    if _TYPE.fullmatch(kind):
        raise RefusedRequestError(HTTPStatus.NOT_FOUND, "not-supported", "resources of this type are not served")
    raise RefusedRequestError(HTTPStatus.NOT_FOUND, "not-supported", "there is no such interaction here")


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise not_found()
    return name


def _require(caller: Caller, interaction: str, kind: str) -> None:
    if not caller.may("r" if interaction == "r" else "s", kind):
        raise RefusedRequestError(
            HTTPStatus.FORBIDDEN, "forbidden", f"no scope of the token is for {kind}.{interaction}", is_recorded=True
        )


def _check_format(request: Request) -> None:
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(form in accepted for form in ("json", "*/*", "application/*")):
        raise RefusedRequestError(HTTPStatus.NOT_ACCEPTABLE, "not-supported", "answers are application/fhir+json alone")


def _form(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", f"send a search as {_FORM}")
    return "&".join(filter(None, (request.query, request.body)))


def _handling(request: Request) -> Handling:
    prefers = [word.strip().lower() for word in request.headers.get("prefer", "").replace(";", ",").split(",")]
    return "strict" if "handling=strict" in prefers else "lenient"


def _parse_everything(path: str, pairs: list[tuple[str, str]], caller: Caller) -> SearchRequest:
    """Return the search that `$everything` is, over the types that the caller may read."""
    if any(name not in _EVERYTHING or not value for name, value in pairs):
        raise unsupported("$everything takes _count, _since and _type")
    given = dict(pairs)
    types = tuple(given.get("_type", "").split(",")) if "_type" in given else tuple(SEARCHABLE)
    if not set(types) <= SEARCHABLE.keys():
        raise invalid("_type names a type that is not served")
    shape = parse_search(types[0], [("_count", given["_count"])] if "_count" in given else [], "", "strict")
    used = tuple((name, value) for name, value in pairs if name != "_cursor")
    since = given.get("_since")
    cursor = read_cursor(given["_cursor"], f"{path}?{encode(used)}") if "_cursor" in given else None
    return replace(
        shape,
        path=path,
        types=tuple(kind for kind in types if caller.may("r", kind)),
        conditions=(Condition("_lastUpdated", COMMON["_lastUpdated"], (parse_date(f"ge{since}"),)),) if since else (),
        used=used,
        cursor=cursor,
    )
