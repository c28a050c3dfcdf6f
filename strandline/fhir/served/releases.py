"""A delivered bundle as a server holds it: resources with ids and versions of the server, in clusters cut into chunks.

A bundle names its parts `urn:uuid:`; a server names them `Type/id`. The id is `{submission}.{uuid}`: the same in every
version of a release, and it tells the release without a look-up. Resources of one type whose `code` is the same are
one cluster, in the order of the bundle, so that `Observation?code=...&subject=...` reads its own chunks and no other.

Sources: HL7 FHIR R4 (4.0.1), "Resource", section 2.1.5.3 (ids and versions); DiagnosticReport.status, whose
`entered-in-error` is that of a report which was withdrawn after its release.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from strandline.errors import RejectedInputError
from strandline.fhir.codes import SITES, Json
from strandline.fhir.served.matching import values_at
from strandline.fhir.served.parameters import SEARCHABLE

CHUNK_RESOURCES: Final = 100
MOST_RESOURCES: Final = 20_000
"""More than a bundle of 2,500 variants holds, each with an implication, a consequence and a genotype."""
_URN: Final = re.compile(r"urn:uuid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SUBMISSION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?")
_SERVED_ID: Final = re.compile(rf"({_SUBMISSION.pattern})\.([0-9a-f]{{32}})")
_WITHDRAWN_STATUS: Final = {
    "DiagnosticReport": "entered-in-error",
    "Observation": "entered-in-error",
    "Procedure": "entered-in-error",
    "DocumentReference": "entered-in-error",
}


class ReleaseStatus(StrEnum):
    """What became of a release."""

    RELEASED = "RELEASED"
    AMENDED = "AMENDED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Resources of one type and code: `tokens` are the codings of `code`, each `system|code`."""

    resource_type: str
    number: int
    tokens: tuple[str, ...]
    count: int

    @property
    def chunks(self) -> int:
        """How many chunks it is cut into."""
        return -(-self.count // CHUNK_RESOURCES)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is, all counted from 0."""

    cluster: int
    chunk: int
    offset: int


@dataclass(frozen=True, slots=True)
class Release:
    """One version of what was released of a submission, without its resources.

    Attributes:
        version: from 1; an amendment and the withdrawal are versions of their own.
        content: the version whose resources it shows: its own, or for a withdrawn one the last before.
        released: when, with its zone.
        site: whose it is; None where the submission names none.
        patient: id of its Patient.
        identifiers: type, system and value of every identifier in it.
        clusters: in the order of their numbers.
    """

    submission_id: str
    version: int
    content: int
    status: ReleaseStatus
    released: datetime
    site: str | None
    patient: str
    identifiers: tuple[tuple[str, str, str], ...]
    clusters: tuple[Cluster, ...]

    @property
    def place(self) -> str:
        """Its place in the listing: the newest is the greatest."""
        return f"{self.released.astimezone(UTC).isoformat(timespec='milliseconds')}#{self.submission_id}"

    def clusters_of(self, *types: str) -> Iterator[Cluster]:
        """Yield the clusters of some types, in the order of their numbers."""
        return (cluster for cluster in self.clusters if cluster.resource_type in types)


@dataclass(frozen=True, slots=True)
class ReleasedBundle:
    """A release and its chunks of resources, by cluster and number."""

    release: Release
    chunks: Mapping[tuple[int, int], Sequence[Json]]
    places: Mapping[str, Place] = field(default_factory=dict)
    """By the 32 hexadecimal digits of the uuid."""


def served_id(submission_id: str, urn: str) -> str:
    """Return the id of a resource on the server.

    >>> served_id("s-1", "6f1c2c1e-8d0c-5f5e-9d43-1d3c0c3b7a10")
    's-1.6f1c2c1e8d0c5f5e9d431d3c0c3b7a10'
    """
    return f"{submission_id}.{uuid.UUID(urn).hex}"


def split_id(name: str) -> tuple[str, str] | None:
    """Return the submission and the 32 digits that an id tells; None where it is none of this server's."""
    found = _SERVED_ID.fullmatch(name)
    return (found[1], found[2]) if found else None


def release_bundle(
    bundle: Json, submission_id: str, version: int, released: datetime, status: ReleaseStatus
) -> ReleasedBundle:
    """Return a validated bundle as it is to be held.

    Raises:
        RejectedInputError: `submission_id_too_long`, over what an id of FHIR has room for; `bundle_too_large`;
            `bundle_not_servable`, where an entry has no uuid, a type is not served, or there is not one Patient.
    """
    if not _SUBMISSION.fullmatch(submission_id):
        raise RejectedInputError("submission_id_too_long", "a submission that is served has an id of at most 31 signs")
    entries = bundle.get("entry", [])
    if len(entries) > MOST_RESOURCES:
        raise RejectedInputError("bundle_too_large", f"the bundle has over {MOST_RESOURCES} resources: report fewer")
    names = {entry.get("fullUrl", ""): _name(entry, submission_id) for entry in entries}
    instant = released.isoformat(timespec="milliseconds")
    grouped: dict[tuple[str, tuple[str, ...]], list[Json]] = {}
    for entry in entries:
        resource = _served(entry["resource"], names, entry["fullUrl"])
        meta = entry["resource"].get("meta", {})
        source = f"urn:uuid:{bundle['id']}" if "id" in bundle else entry["fullUrl"]
        resource["meta"] = {**meta, "versionId": str(version), "lastUpdated": instant, "source": source}
        grouped.setdefault((resource["resourceType"], _tokens(resource)), []).append(resource)
    patients = [resource for (kind, _), found in grouped.items() if kind == "Patient" for resource in found]
    if len(patients) != 1:
        raise RejectedInputError("bundle_not_servable", "the bundle has not one Patient: make one bundle a subject")
    clusters, chunks, places = _cut(grouped)
    release = Release(
        submission_id,
        version,
        version,
        status,
        released,
        _site(grouped),
        patients[0]["id"],
        tuple(sorted(set(_identifiers(grouped)))),
        clusters,
    )
    return ReleasedBundle(release, chunks, places)


def withdrawn(resource: Json, release: Release) -> Json:
    """Return a resource as a withdrawn release shows it: not deleted, and not to be believed."""
    shown = resource | {
        "meta": {
            **resource["meta"],
            "versionId": str(release.version),
            "lastUpdated": release.released.isoformat(timespec="milliseconds"),
        }
    }
    status = _WITHDRAWN_STATUS.get(resource["resourceType"])
    return shown | {"status": status} if status else shown


def rename_references(element: Any, names: Mapping[str, str]) -> Any:
    """Return a copy in which references have other names, those that there are."""
    if isinstance(element, dict):
        return {
            key: names.get(value, value)
            if key == "reference" and isinstance(value, str)
            else rename_references(value, names)
            for key, value in element.items()
        }
    if isinstance(element, list):
        return [rename_references(item, names) for item in element]
    return element


def _name(entry: Json, submission_id: str) -> str:
    resource, urn = entry.get("resource", {}), _URN.fullmatch(entry.get("fullUrl", ""))
    kind = resource.get("resourceType")
    if urn is None or kind not in SEARCHABLE:
        raise RejectedInputError(
            "bundle_not_servable", "an entry has no urn:uuid, or is of a type that is not served: make the bundle anew"
        )
    return f"{kind}/{served_id(submission_id, urn[1])}"


def _served(resource: Json, names: Mapping[str, str], urn: str) -> Json:
    """Return a copy with the server's id and references."""
    renamed: Json = rename_references(resource, names)
    return renamed | {"id": names[urn].partition("/")[2]}


def _tokens(resource: Json) -> tuple[str, ...]:
    found = values_at(resource, ("code", "coding"))
    return tuple(sorted(f"{coding.get('system', '')}|{coding.get('code', '')}" for coding in found))


def _identifiers(grouped: Mapping[tuple[str, tuple[str, ...]], Sequence[Json]]) -> Iterator[tuple[str, str, str]]:
    for (kind, _), resources in grouped.items():
        for resource in resources:
            for identifier in resource.get("identifier", ()):
                yield kind, identifier.get("system", ""), identifier["value"]


def _site(grouped: Mapping[tuple[str, tuple[str, ...]], Sequence[Json]]) -> str | None:
    """The site that the order came from, as its Organization says."""
    for kind, system, value in _identifiers(grouped):
        if kind == "Organization" and system == SITES:
            return value
    return None


def _cut(
    grouped: Mapping[tuple[str, tuple[str, ...]], Sequence[Json]],
) -> tuple[tuple[Cluster, ...], dict[tuple[int, int], Sequence[Json]], dict[str, Place]]:
    clusters, chunks, places = [], {}, {}
    for number, ((kind, tokens), resources) in enumerate(grouped.items()):
        clusters.append(Cluster(kind, number, tokens, len(resources)))
        for at, resource in enumerate(resources):
            chunk, offset = divmod(at, CHUNK_RESOURCES)
            places[resource["id"].rpartition(".")[2]] = Place(number, chunk, offset)
        for chunk in range(clusters[-1].chunks):
            chunks[number, chunk] = resources[chunk * CHUNK_RESOURCES : (chunk + 1) * CHUNK_RESOURCES]
    return tuple(clusters), chunks, places
