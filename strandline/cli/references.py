"""References as the command line takes them: a FASTA file, made into a bundle once, a bundle, or a registered one."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from strandline.cli.console import messages
from strandline.cli.ground import home_folder
from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle import (
    BUNDLE_NAME,
    ReferenceBundle,
    ReferenceRole,
    make_bundle,
    parse_bundle,
    verify_file,
)
from strandline.reads.reference_bundle.naming import split_label

if TYPE_CHECKING:
    from strandline.aws.objects import S3Objects

_CONTENTS: Final = (
    b"FASTA, faidx, dict, bwa, sources in the FASTA's naming"  # what a bundle holds: one made with less is made anew
)


@dataclass(frozen=True, slots=True)
class OpenedReference:
    """A bundle and the folder that holds its files."""

    bundle: ReferenceBundle
    folder: Path


@dataclass(frozen=True, slots=True)
class ReferenceSources:
    """What a bundle is made from, with words on where each part comes from."""

    fasta: Path
    gene_models: Path | None = None
    clinvar: Path | None = None
    words: Mapping[ReferenceRole, str] | None = None


def open_reference(path: Path) -> OpenedReference:
    """Open a bundle's folder or its `bundle.json`, or make a bundle from a FASTA file.

    Raises:
        RejectedInputError: `reference_unreadable`, `reference_invalid`, `reference_mismatch` or `bundle_invalid`.
    """
    if path.name == BUNDLE_NAME:
        path = path.parent
    if not path.is_dir():
        return make_reference(ReferenceSources(path))
    description = path / BUNDLE_NAME
    if not description.exists():
        raise RejectedInputError(
            "reference_unreadable", f"{path} holds no {BUNDLE_NAME}: give a FASTA file or a bundle"
        )
    bundle = parse_bundle(description.read_bytes())
    for file in bundle.files:
        if not (path / file.name).exists():
            raise RejectedInputError("reference_mismatch", f"{path / file.name} is in {BUNDLE_NAME} and not there")
        verify_file(path / file.name, file)
    return OpenedReference(bundle, path)


def choose_reference(asked: Path, references: "S3Objects") -> tuple[ReferenceBundle, Path | None]:
    """Return the bundle that a person means, and its folder where it is on this machine.

    A file or a bundle of that path is taken first; NAME or NAME/VERSION is what is registered, then what this machine
    has made.

    Raises:
        RejectedInputError: `reference_unreadable`, `reference_ambiguous`, or a code of `open_reference`.
    """
    from strandline.aws.registered_references import find_reference  # noqa: PLC0415 - not for a path

    is_path = asked.is_file() or (asked / BUNDLE_NAME).is_file()
    label = None if is_path else split_label(str(asked))
    if label is None:
        opened = open_reference(asked)
        return opened.bundle, opened.folder
    name, version = label
    registered = find_reference(references, name, version)
    if registered:
        return registered, None
    made = {one.bundle.version: one for one in made_references() if one.bundle.name == name}
    kept = [one for one in made.values() if version in {None, one.bundle.version}]
    if len(kept) != 1:
        raise RejectedInputError(
            "reference_unreadable",
            f"{asked} is no reference here and none of that name is registered: check the path, or see "
            "'strandline reference list'",
        )
    return open_reference(kept[0].folder).bundle, kept[0].folder


def beside(folder: Path, named: str) -> Path:
    """Return the reference that a sheet in `folder` names: a path from there, or the name of a registered one."""
    path = folder / named
    is_label = split_label(named) is not None and not path.exists() and not Path(named).exists()
    return Path(named) if is_label else path


def made_references() -> Iterator[OpenedReference]:
    """Yield the bundles that this machine has made from FASTA files and kept, unverified."""
    for description in sorted((home_folder() / "references").glob(f"*/{BUNDLE_NAME}")):
        try:
            yield OpenedReference(parse_bundle(description.read_bytes()), description.parent)
        except RejectedInputError:
            continue  # of another version of Strandline, or cut: it is made anew when its FASTA is given


def make_reference(sources: ReferenceSources) -> OpenedReference:
    """Make a bundle, or take the one made before from the same content."""
    folder = home_folder() / "references" / _fingerprint(sources)
    if (folder / BUNDLE_NAME).exists():
        return OpenedReference(parse_bundle((folder / BUNDLE_NAME).read_bytes()), folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(dir=folder.parent))
    try:
        with messages.status(f"indexing {sources.fasta.name}"):
            bundle = make_bundle(
                sources.fasta,
                partial,
                gene_models=sources.gene_models,
                clinvar=sources.clinvar,
                sources=dict(sources.words or {}),
            )
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return OpenedReference(bundle, folder)


def _fingerprint(sources: ReferenceSources) -> str:
    digest = hashlib.sha256(_CONTENTS)
    for path in (sources.fasta, sources.gene_models, sources.clinvar):
        if path is None:
            continue
        try:
            with path.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        except OSError as error:
            raise RejectedInputError("reference_unreadable", f"{path}: {error.strerror}; check the path") from None
        digest.update(path.name.encode())
    return digest.hexdigest()[:16]
