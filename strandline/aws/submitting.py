"""What a lab does at the door: register a reference, upload files and their manifest."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.uploading import FileToSend, Watch
from strandline.errors import RejectedInputError
from strandline.journey import SIGNATURE_NAME, landing_key, manifest_key, reference_key
from strandline.landing.manifest import (
    AnalysisChoice,
    Caller,
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
class LocalReads:
    """Where the reads of one read group lie: first and second mates in FASTQ; or one BAM or CRAM."""

    paths: tuple[Path, ...]
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
    reads: Sequence[LocalReads],
    reference: ReferenceName,
    regions: Path | None,
    *,
    caller: Caller = Caller.BCFTOOLS,
    hashed: Hashed = lambda _count: None,
) -> Submission:
    """Describe a sample's files, read side by side; their names in the landing bucket come from their roles.

    Raises:
        RejectedInputError: `file_not_found`, `same_file_twice`, or a code of the manifest's rules on reads.
    """
    files = sample_files(reads, regions)
    with ThreadPoolExecutor(len(files)) as pool:
        declared = tuple(pool.map(lambda file: _declare(file, hashed), files))
    path_by_digest: dict[str, Path] = {}
    for file, described in zip(files, declared, strict=True):
        other = path_by_digest.get(described.sha256)
        if other is not None:
            raise RejectedInputError(
                "same_file_twice", f"{other} and {file.path} have the same content: give both mates of each lane"
            )
        path_by_digest[described.sha256] = file.path
    analysis = AnalysisChoice(caller=caller)
    return Submission(Manifest(sample=sample, reference=reference, analysis=analysis, files=declared), files)


def sample_files(reads: Sequence[LocalReads], regions: Path | None) -> tuple[LocalFile, ...]:
    """Return the files of a sample with the names that they land under; several lanes are numbered from 1."""
    files = []
    for number, one in enumerate(reads, start=1):
        lane = f"lane{number}_" if len(reads) > 1 else ""
        if len(one.paths) == 1:
            (path,) = one.paths
            files.append(LocalFile(path, f"{lane}reads{path.suffix}", FileRole.ALIGNED_READS, one.read_group))
            continue
        for mate, role, path in zip((1, 2), (FileRole.READS_1, FileRole.READS_2), one.paths, strict=True):
            files.append(LocalFile(path, f"{lane}reads_{mate}.fastq{_suffix(path)}", role, one.read_group))
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
    """Upload the files and the manifest. What was cut goes on where it stopped.

    The manifest goes last, because what is complete starts at once. Of several read sets it goes first: each is then
    validated while the others are on their way.

    Raises:
        RejectedInputError: `file_not_found`.
        TemporaryError: `upload_cut`.
    """
    files = [FileToSend(file.path, landing_key(submission_id, file.name), file.name) for file in submission.files]
    if submission.signature:  # before the last file: the manifest does not name it, so nothing would wait for it
        files.insert(0, FileToSend(submission.signature, landing_key(submission_id, SIGNATURE_NAME), SIGNATURE_NAME))
    body = submission.manifest_body or submission.manifest.to_json()
    goes_first = len(submission.manifest.read_sets()) > 1
    if goes_first and not landing.exists(manifest_key(submission_id)):
        landing.write(manifest_key(submission_id), body, content_type="application/json")
    landing.send(files, watch=watch)
    if not goes_first:
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
