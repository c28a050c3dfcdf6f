"""What a lab does at the door: register a reference, upload files, upload the manifest last."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError
from strandline.journey import landing_key, manifest_key, reference_key
from strandline.landing.manifest import (
    DeclaredFile,
    FileRole,
    Manifest,
    ReferenceName,
    SampleDeclaration,
    derive_submission_id,
)
from strandline.reads.reference_bundle import BUNDLE_NAME, ReferenceBundle

_PARALLEL_UPLOADS: Final = 4


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be uploaded under `name`."""

    path: Path
    name: str
    role: FileRole


@dataclass(frozen=True, slots=True)
class Submission:
    """A manifest and where its files lie."""

    manifest: Manifest
    files: tuple[LocalFile, ...]

    def submission_id(self, attempt: int = 1) -> str:
        """Return the name that the content gives."""
        return derive_submission_id(self.manifest, attempt)


def prepare_submission(
    sample: SampleDeclaration, reads: tuple[Path, Path], reference: ReferenceName, regions: Path | None
) -> Submission:
    """Describe a sample's files; their names in the landing bucket come from their roles.

    Raises:
        RejectedInputError: `file_not_found` or `same_file_twice`.
    """
    first, second = reads
    files = [
        LocalFile(first, f"reads_1.fastq{_suffix(first)}", FileRole.READS_1),
        LocalFile(second, f"reads_2.fastq{_suffix(second)}", FileRole.READS_2),
    ]
    if regions:
        files.append(LocalFile(regions, "regions.bed", FileRole.REGIONS))
    declared = tuple(_declare(file) for file in files)
    if declared[0].sha256 == declared[1].sha256:
        raise RejectedInputError("same_file_twice", f"{first} and {second} have the same content: give both mates")
    return Submission(Manifest(sample=sample, reference=reference, files=declared), tuple(files))


def register_reference(references: S3Objects, bundle: ReferenceBundle, folder: Path) -> bool:
    """Upload a bundle where its name and version are not registered yet; False where they are.

    `bundle.json` goes last, so that a bundle is there whole or not at all.
    """
    description = reference_key(bundle.name, bundle.version, BUNDLE_NAME)
    if references.exists(description):
        return False
    uploads = [(folder / file.name, reference_key(bundle.name, bundle.version, file.name)) for file in bundle.files]
    _upload_all(references, uploads)
    references.write(description, bundle.to_json(), content_type="application/json")
    return True


def upload_submission(
    landing: S3Objects, submission: Submission, submission_id: str, uploaded: Callable[[str], None]
) -> None:
    """Upload the files, then the manifest, which says that all is there. `uploaded` is told each name."""
    uploads = [(file.path, landing_key(submission_id, file.name)) for file in submission.files]
    _upload_all(landing, uploads)
    for file in submission.files:
        uploaded(file.name)
    landing.write(manifest_key(submission_id), submission.manifest.to_json(), content_type="application/json")


def _upload_all(bucket: S3Objects, uploads: Sequence[tuple[Path, str]]) -> None:
    with ThreadPoolExecutor(_PARALLEL_UPLOADS) as pool:
        for done in [pool.submit(bucket.upload, path, key) for path, key in uploads]:
            done.result()


def _declare(file: LocalFile) -> DeclaredFile:
    try:
        with file.path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        size = file.path.stat().st_size
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{file.path}: {error.strerror}; check the path") from None
    return DeclaredFile(name=file.name, role=file.role, size_bytes=size, sha256=digest)


def _suffix(path: Path) -> str:
    return ".gz" if path.suffix in {".gz", ".bgz"} else ""
