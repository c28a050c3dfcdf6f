"""What the server asks of where releases are kept."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from strandline.fhir.codes import Json
from strandline.fhir.served.releases import Place, Release


class ReleaseStore(Protocol):
    """Releases by submission, by identifier and by time. Nothing here knows who may see what."""

    def release(self, submission_id: str, version: int | None = None) -> Release | None:
        """Return one version of a release, the current one by default; None where it is not there."""
        ...

    def versions(self, submission_id: str) -> list[Release]:
        """Return every version, the newest first."""
        ...

    def chunk(self, release: Release, cluster: int, number: int) -> Sequence[Json]:
        """Return the resources of a chunk, as they were released."""
        ...

    def find(self, release: Release, uuid_digits: str) -> Place | None:
        """Return where a resource is; None where the version has none of that id."""
        ...

    def submissions_with(self, resource_type: str, system: str | None, value: str) -> list[str]:
        """Return the submissions in which a resource of the type has, or had, the identifier; `system` None is any."""
        ...

    def listed(self, site: str | None, before: str | None, since: datetime | None) -> Iterator[Release]:
        """Yield the current releases of a site, or all, by `Release.place`, the newest first.

        `before`: the place to begin at, itself included. `since`: those released at that time or later alone.
        """
        ...
