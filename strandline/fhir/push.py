"""Handing a release to another system: one transaction that may be sent twice, tries with pauses, and a receipt.

Each resource goes by conditional update on an identifier made of its uuid: sent again it changes nothing, and an
amendment updates what the version before created. A Provenance, which has no identifier in R4, is created where none
has the release's tag. Source: HL7 FHIR R4 (4.0.1), RESTful API, "Transaction" and "Conditional update".
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlsplit

import orjson

from strandline.errors import RejectedInputError, TemporaryError
from strandline.fhir.codes import Json
from strandline.fhir.served.releases import Release, rename_references, split_id

TRIES: Final = 6
LONGEST_PAUSE_S: Final = 60.0
_URIS: Final = "urn:ietf:rfc:3986"
_RELEASES: Final = "urn:strandline:release"
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_DONE: Final = re.compile(r"2\d\d\b")


@dataclass(frozen=True, slots=True)
class Answered:
    """What an endpoint answered; `status` 0 where it could not be reached. `retry_after_s` is what it asked for."""

    status: int
    body: bytes
    retry_after_s: float | None = None


Send = Callable[[bytes], Answered]
"""Sends a transaction to the endpoint."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an endpoint took a version of a release. The digests are SHA-256 of the bytes, hexadecimal."""

    submission_id: str
    version: int
    endpoint: str
    taken: datetime
    tries: int
    created: int
    updated: int
    sent_sha256: str
    answer_sha256: str


def check_endpoint(url: str) -> str:
    """Return the base URL of another system without a slash at its end.

    Raises:
        RejectedInputError: `endpoint_invalid`: not https, or with a user, a query or a fragment in it.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and parts.hostname and not (parts.username or parts.password)
    except ValueError:
        sound = False
    if not sound or "?" in url or "#" in url:
        raise RejectedInputError(
            "endpoint_invalid", "an endpoint is https://HOST/PATH, without user, query or fragment"
        )
    return url.rstrip("/")


def transaction_of(release: Release, resources: Sequence[Json]) -> Json:
    """Return the transaction that hands all resources of a release over, its parts named as the signed bundle does."""
    names = {f"{resource['resourceType']}/{resource['id']}": _urn(resource["id"]) for resource in resources}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(resource, release, names) for resource in resources],
    }


def push_release(
    release: Release,
    resources: Sequence[Json],
    endpoint: str,
    send: Send,
    *,
    clock: Callable[[], datetime],
    pause: Callable[[float], None],
) -> Receipt:
    """Send a release until it is taken, with pauses that double, or as long as the endpoint asks.

    Raises:
        RejectedInputError: `push_refused`, with the status and the codes of the endpoint's OperationOutcome;
            `push_unclear`, where it answered that it took something else than was sent.
        TemporaryError: `endpoint_unreachable`, after six tries.
    """
    body = orjson.dumps(transaction_of(release, resources))
    answered = Answered(0, b"")
    for number in range(1, TRIES + 1):
        answered = send(body)
        if 200 <= answered.status < 300:
            created, updated = _count_taken(answered.body, len(resources))
            digests = sha256(body).hexdigest(), sha256(answered.body).hexdigest()
            return Receipt(
                release.submission_id, release.version, endpoint, clock(), number, created, updated, *digests
            )
        if answered.status and answered.status not in _PASSING:
            raise RejectedInputError("push_refused", f"the endpoint answered {answered.status}{_codes(answered.body)}")
        if number < TRIES:
            wished = answered.retry_after_s if answered.retry_after_s is not None else float(2 ** (number - 1))
            pause(min(LONGEST_PAUSE_S, max(0.0, wished)))
    status = answered.status or "nothing"
    raise TemporaryError("endpoint_unreachable", f"the endpoint answered {status} {TRIES} times: try again later")


def _entry(resource: Json, release: Release, names: Mapping[str, str]) -> Json:
    kind, urn = resource["resourceType"], _urn(resource["id"])
    meta = {name: value for name, value in resource["meta"].items() if name in {"profile", "tag"}}
    sent: Json = rename_references(resource, names)
    sent = {name: value for name, value in sent.items() if name not in {"id", "meta"}}  # the other system gives its own
    if kind == "Provenance":
        tag = {"system": _RELEASES, "code": f"{release.submission_id}.{release.version}"}
        sent["meta"] = meta | {"tag": [*meta.get("tag", []), tag]}
        condition = f"_tag={quote(tag['system'], safe=':')}|{tag['code']}"
        return {"fullUrl": urn, "resource": sent, "request": {"method": "POST", "url": kind, "ifNoneExist": condition}}
    if meta:
        sent["meta"] = meta
    sent["identifier"] = [*sent.get("identifier", []), {"system": _URIS, "value": urn}]
    return {"fullUrl": urn, "resource": sent, "request": {"method": "PUT", "url": f"{kind}?identifier={_URIS}|{urn}"}}


def _urn(name: str) -> str:
    split = split_id(name)
    if split is None:
        raise ValueError("the id is none of this server's")
    return f"urn:uuid:{uuid.UUID(split[1])}"


def _count_taken(body: bytes, sent: int) -> tuple[int, int]:
    """Return how many resources were created, and how many were there."""
    try:
        answer = orjson.loads(body)
        statuses = [str(entry["response"]["status"]) for entry in answer["entry"]]
        is_response = answer["resourceType"] == "Bundle" and answer["type"] == "transaction-response"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        is_response, statuses = False, []
    if not is_response or len(statuses) != sent or not all(map(_DONE.match, statuses)):
        raise RejectedInputError(
            "push_unclear",
            "the endpoint did not say of every resource that it took it: look what it has before another try",
        )
    created = sum(status.startswith("201") for status in statuses)
    return created, sent - created


def _codes(body: bytes) -> str:
    """Return the codes of an OperationOutcome, and none of its words: they may repeat what was sent."""
    codes = sorted({code for code in _issue_codes(body) if re.fullmatch(r"[a-z-]{1,32}", code)})
    return f": {', '.join(codes)}" if codes else ""


def _issue_codes(body: bytes) -> Iterator[str]:
    try:
        outcome = orjson.loads(body)
        yield from (str(issue["code"]) for issue in outcome["issue"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return
