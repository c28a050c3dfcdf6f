"""From a delivery in its bucket to what the FHIR API serves."""

from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from strandline.aws.fhir_store import FhirIndex
from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError
from strandline.fhir.collection import paused_collection
from strandline.fhir.served.releases import ReleaseStatus, release_bundle
from strandline.journey import Artifact

RELEASED: Final = "released.json"
_LARGEST_NOTE_BYTES: Final = 1 << 20
_LARGEST_BUNDLE_BYTES: Final = 64 << 20
"""As the validator has it. It is held before the bundle is parsed: a bundle of 100,000 variants is two gigabytes."""


class ReleasedNote(BaseModel):
    """What of `released.json` matters here: the last file of a delivery, which names the others and their SHA-256."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    submission_id: str
    version: int
    kind: Literal["release", "withdrawal"]
    amends: int | None
    files: dict[str, str]


def index_delivery(key: str, delivery: S3Objects, index: FhirIndex, now: datetime) -> ReleasedNote:
    """Index the delivery whose `released.json` is at `key`. Running twice changes nothing.

    Raises:
        RejectedInputError: `delivery_unreadable`, `fhir_too_large`, `delivery_changed`, and what `FhirIndex.put` and
            `release_bundle` refuse; `object_missing`.
        TemporaryError: a withdrawal came before its release.
    """
    found = delivery.current(key)
    body = delivery.read(key, limit_bytes=_LARGEST_NOTE_BYTES)
    try:
        note = ReleasedNote.model_validate_json(body)
    except ValidationError:
        raise RejectedInputError(
            "delivery_unreadable", f"{RELEASED} of a delivery is not as a release writes it"
        ) from None
    released = found.modified if found else now
    if note.kind == "withdrawal":
        index.withdraw(note.submission_id, note.version, released, now)
        return note
    status = ReleaseStatus.AMENDED if note.amends is not None else ReleaseStatus.RELEASED
    with paused_collection():
        bundle = orjson.loads(_read_bundle(key, note, delivery))
        index.put(release_bundle(bundle, note.submission_id, note.version, released, status), now)
    return note


def _read_bundle(key: str, note: ReleasedNote, delivery: S3Objects) -> bytes:
    body = delivery.read(f"{key.removesuffix(RELEASED)}{Artifact.BUNDLE}", limit_bytes=_LARGEST_BUNDLE_BYTES)
    if len(body) > _LARGEST_BUNDLE_BYTES:
        raise RejectedInputError(
            "fhir_too_large", f"the bundle is over {_LARGEST_BUNDLE_BYTES >> 20} MiB: report fewer"
        )
    if sha256(body).hexdigest() != note.files.get(Artifact.BUNDLE):
        raise RejectedInputError("delivery_changed", f"{Artifact.BUNDLE} is not what was released")
    return body
