"""One submission's files on a worker: fetched into scratch, checked, published under the keys of `journey`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, Output, PartOf, artifact_key, landing_key, reference_key
from strandline.landing.manifest import DeclaredFile, Manifest
from strandline.reads.reference_bundle import (
    BUNDLE_NAME,
    ReferenceBundle,
    ReferenceRole,
    parse_bundle,
    verify_file,
)

_BUNDLE_LIMIT_BYTES: Final = 8 << 20
_COOL: Final = "tier=cool"  # the analysis bucket's lifecycle moves what is tagged so
_PASSING: Final = "tier=passing"  # and removes this: it goes into another output and is then needed no more
_CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".bed": "text/plain",
    ".pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets a step may touch; None for those it may not."""

    analysis: S3Objects
    references: S3Objects | None = None
    landing: S3Objects | None = None


class Workspace:
    """Where one step of one submission works. `scratch` is an empty folder that the caller removes.

    `step_keys` are those of the submission's steps so far, by what they make, with that of the step at work.
    """

    def __init__(self, submission_id: str, table: SubmissionsTable, buckets: Buckets, scratch: Path) -> None:
        self.submission_id = submission_id
        self.table = table
        self.scratch = scratch
        self.step_keys: Mapping[str, str] = {}
        self.manifest: Manifest = table.manifest(submission_id)
        self._buckets = buckets

    @property
    def landing(self) -> S3Objects:
        """The landing bucket, for a step that may read it."""
        return _granted(self._buckets.landing)

    @property
    def references(self) -> S3Objects:
        """The references bucket, for a step that may read it."""
        return _granted(self._buckets.references)

    def fetch(self, output: Output, *, index: Artifact | None = None) -> Path:
        """Return an output of an earlier step, its index beside it."""
        if index:
            self._buckets.analysis.download(artifact_key(self.submission_id, index), self.path(index))
        return self._buckets.analysis.download(artifact_key(self.submission_id, output), self.path(output))

    def fetch_ranges(self, artifact: Artifact, choose: Callable[[int], Sequence[tuple[int, int]]]) -> Path:
        """Return some ranges of an output of an earlier step; `choose` is told its size in bytes.

        Raises:
            RejectedInputError: `object_missing`.
        """
        key = artifact_key(self.submission_id, artifact)
        found = self._buckets.analysis.current(key)
        if found is None:
            raise RejectedInputError("object_missing", f"{key} is not there: run the step that makes it again")
        return self._buckets.analysis.download_ranges(key, self.path(artifact), choose(found.size_bytes))

    def fetch_if_there(self, artifact: Artifact) -> Path | None:
        """Return an output that a submission need not have, or None."""
        key = artifact_key(self.submission_id, artifact)
        return self.fetch(artifact) if self._buckets.analysis.exists(key) else None

    def publish(self, *outputs: Output) -> None:
        """Store outputs from scratch; running twice overwrites the same keys."""
        for output in outputs:
            path = self.path(output)
            self._buckets.analysis.upload(
                path,
                artifact_key(self.submission_id, output),
                content_type=_CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
                tags=_tags(output),
            )

    def take_over(self, maker: str, outputs: Sequence[Output]) -> bool:
        """Put the outputs of a submission into this one's folder, copied within S3; False where one is not there.

        Where this submission made them they lie there already.
        """
        analysis = self._buckets.analysis
        found = {output: analysis.current(artifact_key(maker, output)) for output in outputs}
        if None in found.values():
            return False
        for output, version in found.items():
            if version and maker != self.submission_id:
                key = artifact_key(self.submission_id, output)
                if not analysis.copy_from(analysis, version, key, tags=_tags(output)):
                    return False
        return True

    def path(self, output: Output) -> Path:
        """Return where a new output is to be written; its folder is there."""
        path = self.scratch / str(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def fetch_landed(self, declared: DeclaredFile) -> Path:
        """Return a landed file in the version that was registered, its checksum verified.

        It lies in a folder of its own, so that no name that a lab chose is that of an output.

        Raises:
            RejectedInputError: `file_missing`, `object_missing` or `checksum_mismatch`.
        """
        versions = {file.name: file.version_id for file in self.table.landed_files(self.submission_id)}
        key = landing_key(self.submission_id, declared.name)
        if declared.name not in versions:  # whatever lies there now was never registered, so never validated
            raise RejectedInputError("file_missing", f"{key} is in the manifest and never landed: upload it")
        folder = self.scratch / "landed"
        folder.mkdir(exist_ok=True)
        path = self.landing.download(key, folder / declared.name, version_id=versions[declared.name])
        with path.open("rb") as source:
            if hashlib.file_digest(source, "sha256").hexdigest() != declared.sha256:
                raise RejectedInputError("checksum_mismatch", f"{key}: its SHA-256 is not the one in the manifest")
        return path

    def reference(self) -> ReferenceBundle:
        """Return the description of the reference bundle that the manifest names."""
        return read_bundle(self.references, self.manifest)

    def fetch_reference(
        self, bundle: ReferenceBundle, roles: Sequence[ReferenceRole], *, folder: str = "reference"
    ) -> dict[ReferenceRole, Path]:
        """Fetch and verify the bundle's files of these roles; return the first of each, by role.

        Files of two bundles have the same names: each bundle has a folder of its own.

        Raises:
            RejectedInputError: `reference_mismatch` or `object_missing`.
        """
        place = self.scratch / folder
        place.mkdir(exist_ok=True)
        path_by_role: dict[ReferenceRole, Path] = {}
        for file in bundle.files_of(*roles):
            key = reference_key(bundle.name, bundle.version, file.name)
            path = verify_file(self.references.download(key, place / file.name), file)
            path_by_role.setdefault(file.role, path)
        return path_by_role


def read_bundle(references: S3Objects, manifest: Manifest) -> ReferenceBundle:
    """Read the `bundle.json` that a manifest names.

    Raises:
        RejectedInputError: `reference_unknown` or `bundle_invalid`.
    """
    return read_named_bundle(references, manifest.reference.name, manifest.reference.version)


def read_named_bundle(references: S3Objects, name: str, version: str) -> ReferenceBundle:
    """Read the `bundle.json` of a name and version; unlike a search it lists nothing, so that a step may do it.

    Raises:
        RejectedInputError: `reference_unknown` or `bundle_invalid`.
    """
    key = reference_key(name, version, BUNDLE_NAME)
    if not references.exists(key):
        raise RejectedInputError(
            "reference_unknown",
            f"reference bundle {name}/{version} is not registered: register it, or correct the manifest",
        )
    bundle = parse_bundle(references.read(key, limit_bytes=_BUNDLE_LIMIT_BYTES))
    if (bundle.name, bundle.version) != (name, version):
        raise RejectedInputError("bundle_invalid", f"{key} says that it is another bundle: register it anew")
    return bundle


def _tags(output: Output) -> str:
    if isinstance(output, PartOf) or output is Artifact.READ_COUNTS:
        return _PASSING
    return _COOL if output in {Artifact.ALIGNED, Artifact.TOOL_GVCF} else ""


def _granted(bucket: S3Objects | None) -> S3Objects:
    if bucket is None:
        raise RuntimeError("this step was not given that bucket")
    return bucket
