"""Releases in memory, and signed bundles to release: what the tests of the FHIR server stand on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from benchmarks.made_up_findings import made_up_input
from strandline.fhir.bundle import build_bundle
from strandline.fhir.drafting import BundleInput
from strandline.fhir.provenance import Signature, sign_provenance
from strandline.fhir.served.access import Caller
from strandline.fhir.served.releases import Place, Release, ReleasedBundle, ReleaseStatus, release_bundle
from strandline.landing.manifest import SampleDeclaration

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BASE = "https://fhir.example/fhir"
CLINICIAN = Caller("person-1", "clinician", ("user/*.rs",), frozenset({"north"}))


def source_of(submission_id: str, *, variants: int = 3, subject: str = "PT00042", site: str | None = "north"):
    """Return what a bundle is made from: variants every 7 bases from chr13:32,316,461."""
    made: BundleInput = made_up_input(variants)
    sample: dict[str, Any] = {"sample_id": f"S-{subject}", "subject_id": subject} | ({"site": site} if site else {})
    return replace(made, submission_id=submission_id, sample=SampleDeclaration.model_validate(sample))


def signed_bundle(submission_id: str, **of: Any) -> dict[str, Any]:
    """Return a bundle as a release delivers it."""
    return sign_provenance(build_bundle(source_of(submission_id, **of)), Signature("u-7", NOW, b"signed"))


class MemoryStore:
    """`ReleaseStore` in dictionaries."""

    def __init__(self) -> None:
        self._held: dict[str, list[ReleasedBundle]] = {}

    def put(self, released: ReleasedBundle) -> None:
        self._held.setdefault(released.release.submission_id, []).insert(0, released)

    def withdraw(self, submission_id: str, when: datetime) -> None:
        last = self._held[submission_id][0]
        release = replace(last.release, version=last.release.version + 1, status=ReleaseStatus.WITHDRAWN, released=when)
        self.put(replace(last, release=release))

    def release(self, submission_id: str, version: int | None = None) -> Release | None:
        found = (one.release for one in self._held.get(submission_id, []))
        return next((one for one in found if version in {None, one.version}), None)

    def versions(self, submission_id: str) -> list[Release]:
        return [one.release for one in self._held.get(submission_id, [])]

    def _bundle(self, release: Release) -> ReleasedBundle:
        held = self._held[release.submission_id]
        return next(one for one in held if one.release.version == release.content)

    def chunk(self, release: Release, cluster: int, number: int) -> Sequence[dict[str, Any]]:
        return self._bundle(release).chunks[cluster, number]

    def find(self, release: Release, uuid_digits: str) -> Place | None:
        return self._bundle(release).places.get(uuid_digits)

    def submissions_with(self, resource_type: str, system: str | None, value: str) -> list[str]:
        return [
            name
            for name, held in self._held.items()
            if any(
                (kind, said) == (resource_type, value) and system in {None, of}
                for one in held
                for kind, of, said in one.release.identifiers
            )
        ]

    def listed(self, site: str | None, before: str | None, since: datetime | None) -> Iterator[Release]:
        current = (held[0].release for held in self._held.values())
        for release in sorted(current, key=lambda one: one.place, reverse=True):
            is_asked = site in {None, release.site} and (before is None or release.place <= before)
            if is_asked and (since is None or release.released >= since):
                yield release


def put_bundle(store, submission_id: str, *, version: int = 1, hours: int = 0, **of: Any) -> Release:
    """Release a made-up bundle `hours` after NOW less a day, and return its release."""
    released = made_release(submission_id, version, hours, **of)
    store.put(released)
    return released.release


@cache
def made_release(submission_id: str, version: int = 1, hours: int = 0, **of: Any) -> ReleasedBundle:
    status = ReleaseStatus.RELEASED if version == 1 else ReleaseStatus.AMENDED
    when = NOW - timedelta(days=1) + timedelta(hours=hours)
    return release_bundle(signed_bundle(submission_id, **of), submission_id, version, when, status)
