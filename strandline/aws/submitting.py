"""What a lab does at the door: register a reference, upload files, upload the manifest last."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.uploading import FileToSend, Watch
from strandline.errors import RejectedInputError
from strandline.journey import SIGNATURE_NAME, landing_key, manifest_key, reference_key
from strandline.landing.manifest import (
    DeclaredFile,
    FileRole,
    Manifest,
    ReferenceName,
    SampleDeclaration,
    derive_submission_id,
)
from strandline.reads.reference_bundle import BUNDLE_NAME, ReferenceBundle

_CHUNK_BYTES: Final = 1 << 20
Hashed = Callable[[int], None]
"""Is told of each number of bytes that were read."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be uploaded under `name`."""

    path: Path
    name: str
    role: FileRole
    read_group: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A manifest and where its files lie; of a signed package also the manifest's bytes and the signature."""

    manifest: Manifest
    files: tuple[LocalFile, ...]
    manifest_body: bytes | None = None
    signature: Path | None = None

    def submission_id(self, attempt: int = 1) -> str:
        """Return the name that the content gives."""
        return derive_submission_id(self.manifest, attempt)


def prepare_submission(
    sample: SampleDeclaration,
    reads: tuple[Path, Path],
    reference: ReferenceName,
    regions: Path | None,
    *,
    read_group: str | None = None,
    hashed: Hashed = lambda _count: None,
) -> Submission:
    """Describe a sample's files, read side by side; their names in the landing bucket come from their roles.

    Raises:
        RejectedInputError: `file_not_found` or `same_file_twice`.
    """
    files = sample_files(reads, regions, read_group)
    with ThreadPoolExecutor(len(files)) as pool:
        declared = tuple(pool.map(lambda file: _declare(file, hashed), files))
    if declared[0].sha256 == declared[1].sha256:
        raise RejectedInputError("same_file_twice", f"{reads[0]} and {reads[1]} have the same content: give both mates")
    return Submission(Manifest(sample=sample, reference=reference, files=declared), files)


def sample_files(
    reads: tuple[Path, Path], regions: Path | None, read_group: str | None = None
) -> tuple[LocalFile, ...]:
    """Return the files of a sample with the names that they land under."""
    first, second = reads
    files = [
        LocalFile(first, f"reads_1.fastq{_suffix(first)}", FileRole.READS_1, read_group),
        LocalFile(second, f"reads_2.fastq{_suffix(second)}", FileRole.READS_2, read_group),
    ]
    if regions:
        files.append(LocalFile(regions, "regions.bed", FileRole.REGIONS))
    return tuple(files)


def register_reference(
    references: S3Objects, bundle: ReferenceBundle, folder: Path, *, watch: Watch = lambda _name, _there, _size: None
) -> bool:
    """Upload a bundle where its name and version are not registered yet; False where they are.

    `bundle.json` goes last, so that a bundle is there whole or not at all.
    """
    description = reference_key(bundle.name, bundle.version, BUNDLE_NAME)
    if references.exists(description):
        return False
    references.send(
        [
            FileToSend(folder / file.name, reference_key(bundle.name, bundle.version, file.name), file.name)
            for file in bundle.files
        ],
        watch=watch,
    )
    references.write(description, bundle.to_json(), content_type="application/json")
    return True


def upload_submission(
    landing: S3Objects,
    submission: Submission,
    submission_id: str,
    *,
    watch: Watch = lambda _name, _there, _size: None,
) -> None:
    """Upload the files, then the manifest, which says that all is there. What was cut goes on where it stopped.

    Raises:
        RejectedInputError: `file_not_found`.
        TemporaryError: `upload_cut`.
    """
    files = [FileToSend(file.path, landing_key(submission_id, file.name), file.name) for file in submission.files]
    if submission.signature:
        files.append(FileToSend(submission.signature, landing_key(submission_id, SIGNATURE_NAME), SIGNATURE_NAME))
    landing.send(files, watch=watch)
    body = submission.manifest_body or submission.manifest.to_json()
    landing.write(manifest_key(submission_id), body, content_type="application/json")


def _declare(file: LocalFile, hashed: Hashed) -> DeclaredFile:
    digest, size = hashlib.sha256(), 0
    try:
        with file.path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                hashed(len(chunk))
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{file.path}: {error.strerror}; check the path") from None
    return DeclaredFile(
        name=file.name, role=file.role, size_bytes=size, sha256=digest.hexdigest(), read_group=file.read_group
    )


def _suffix(path: Path) -> str:
    return ".gz" if path.suffix in {".gz", ".bgz"} else ""
