"""Reference bundles in the references bucket: found by name, listed, added once, fetched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.submitting import register_reference
from strandline.aws.uploading import Watch
from strandline.errors import RejectedInputError
from strandline.journey import REFERENCE_PREFIX, check_file_name, reference_key
from strandline.reads.reference_bundle import (
    BUNDLE_NAME,
    INDEX_BY_SOURCE,
    ReferenceBundle,
    ReferenceRole,
    parse_bundle,
)

_BUNDLE_LIMIT_BYTES: Final = 8 << 20
_CONTENT: Final = (ReferenceRole.FASTA, *INDEX_BY_SOURCE)


def list_references(references: S3Objects, prefix: str = REFERENCE_PREFIX) -> Iterator[ReferenceBundle]:
    """Yield the registered bundles in the order of their keys.

    Raises:
        RejectedInputError: `bundle_invalid`, naming the key.
    """
    for found in references.list_current(prefix):
        if found.key.endswith(f"/{BUNDLE_NAME}"):
            bundle = parse_bundle(references.read(found.key, limit_bytes=_BUNDLE_LIMIT_BYTES))
            if found.key != reference_key(bundle.name, bundle.version, BUNDLE_NAME):
                raise RejectedInputError("bundle_invalid", f"{found.key} says that it is another bundle")
            yield bundle


def find_reference(references: S3Objects, name: str, version: str | None = None) -> ReferenceBundle | None:
    """Return the registered bundle of a name and version; of a name alone where it has one version.

    Raises:
        RejectedInputError: `reference_ambiguous` or `bundle_invalid`.
    """
    prefix = f"{REFERENCE_PREFIX}{check_file_name(name)}/" + (f"{check_file_name(version)}/" if version else "")
    found = list(list_references(references, prefix))
    if len(found) > 1:
        versions = ", ".join(bundle.version for bundle in found)
        raise RejectedInputError(
            "reference_ambiguous", f"{name} is registered in versions {versions}: say which, as {name}/VERSION"
        )
    return found[0] if found else None


def add_reference(
    references: S3Objects, bundle: ReferenceBundle, folder: Path, *, watch: Watch = lambda _name, _there, _size: None
) -> bool:
    """Register a bundle, `bundle.json` last; False where the same content is registered already.

    Raises:
        RejectedInputError: `reference_conflict`, where name and version stand for other content; `file_not_found`.
        TemporaryError: `upload_cut`.
    """
    there = find_reference(references, bundle.name, bundle.version)
    if there is None:
        return register_reference(references, bundle, folder, watch=watch)
    if _content_of(there) != _content_of(bundle):
        raise RejectedInputError(
            "reference_conflict",
            f"{bundle.label} is registered with other content, and one name and version can mean one thing only: give "
            "the bundle another name",
        )
    return False


def fetch_reference(references: S3Objects, bundle: ReferenceBundle, folder: Path) -> None:
    """Fetch those of a registered bundle's files that are there into an empty folder."""
    for file in bundle.files:
        key = reference_key(bundle.name, bundle.version, file.name)
        if references.exists(key):
            references.download(key, folder / file.name)
    references.download(reference_key(bundle.name, bundle.version, BUNDLE_NAME), folder / BUNDLE_NAME)


def _content_of(bundle: ReferenceBundle) -> list[tuple[str, str]]:
    """Return what the version stands for: indexes may differ, as another aligner or compressor made them."""
    return [
        (file.role, file.origin.content_sha256 if file.origin else file.sha256) for file in bundle.files_of(*_CONTENT)
    ] + [(contig.name, contig.md5) for contig in bundle.contigs]
