"""Is a bundle what it says: every checksum, and every index of the file that it is an index of."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.reads.reference_bundle.description import (
    BUNDLE_NAME,
    INDEX_BY_SOURCE,
    Contig,
    ReferenceBundle,
    ReferenceFile,
    ReferenceRole,
    derive_version,
    digest_file,
)
from strandline.reads.reference_bundle.fasta import scan_contigs
from strandline.reads.reference_bundle.making import INDEX_SUFFIXES

_READ_BYTES: Final = 1 << 20
_NEEDED: Final = (ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX, ReferenceRole.SEQUENCE_DICTIONARY)


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with one file of a bundle."""

    file: str
    code: str
    message: str


def find_damage(bundle: ReferenceBundle, folder: Path) -> Iterator[Damage]:
    """Yield what is wrong with a bundle's files, file by file.

    Codes: `file_missing`, `size_differs`, `checksum_differs`, `content_differs`, `fasta_differs`, `index_differs`,
    `index_missing`, `index_incomplete`, `contig_unknown`, `version_differs`, `file_not_listed`.
    """
    whole: dict[ReferenceRole, Path] = {}
    for file in bundle.files:
        found = _file_damage(file, folder / file.name)
        if found:
            yield found
        else:
            whole.setdefault(file.role, folder / file.name)
    yield from (
        Damage(BUNDLE_NAME, "file_missing", f"it lists no {role}: make the bundle anew")
        for role in _NEEDED
        if bundle.file_of(role) is None
    )
    yield from _fasta_damage(bundle.contigs, whole)
    yield from _aligner_damage(bundle, whole)
    yield from _source_damage(bundle, whole)
    if derive_version(bundle.files) != bundle.version:
        yield Damage(BUNDLE_NAME, "version_differs", "its version is not the one that the files' content gives")
    listed = {BUNDLE_NAME, *(file.name for file in bundle.files)}
    for path in sorted(folder.iterdir()):
        if path.name not in listed:
            yield Damage(path.name, "file_not_listed", f"{BUNDLE_NAME} does not list it: take it out")


def _file_damage(file: ReferenceFile, path: Path) -> Damage | None:
    if not path.is_file():
        return Damage(file.name, "file_missing", "it is listed and not there")
    size = path.stat().st_size
    if size != file.size_bytes:
        return Damage(file.name, "size_differs", f"it has {size:,} bytes and must have {file.size_bytes:,}")
    if digest_file(path) != file.sha256:
        return Damage(file.name, "checksum_differs", "its SHA-256 is not the listed one: a byte was changed")
    return None


def _fasta_damage(contigs: Sequence[Contig], whole: dict[ReferenceRole, Path]) -> Iterator[Damage]:
    fasta, index = whole.get(ReferenceRole.FASTA), whole.get(ReferenceRole.FASTA_INDEX)
    if fasta:
        with fasta.open("rb") as text:
            scanned = list(scan_contigs(text))
        if tuple(contig for contig, _ in scanned) != tuple(contigs):
            yield Damage(fasta.name, "fasta_differs", f"its contigs, lengths or MD5 are not those in {BUNDLE_NAME}")
        if index:
            entries = [tuple(line.split("\t")[:3]) for line in index.read_text(errors="replace").splitlines()]
            if entries != [(contig.name, str(contig.length), str(offset)) for contig, offset in scanned]:
                yield Damage(index.name, "index_differs", "its contigs, lengths or offsets are not those of the FASTA")
    dictionary = whole.get(ReferenceRole.SEQUENCE_DICTIONARY)
    if dictionary:
        lines = dictionary.read_text(errors="replace").splitlines()
        described = [
            dict(field.split(":", 1) for field in line.split("\t")[1:] if ":" in field)
            for line in lines
            if line.startswith("@SQ")
        ]
        if [(one.get("SN"), one.get("LN"), one.get("M5")) for one in described] != [
            (contig.name, str(contig.length), contig.md5) for contig in contigs
        ]:
            yield Damage(dictionary.name, "index_differs", "its contigs, lengths or MD5 are not those of the bundle")


def _aligner_damage(bundle: ReferenceBundle, whole: dict[ReferenceRole, Path]) -> Iterator[Damage]:
    """Hold each aligner's index against the contigs: `.ann` begins with the bases and the number of sequences."""
    fasta = bundle.file_of(ReferenceRole.FASTA)
    indexed = [pair for pair in INDEX_SUFFIXES.values() if bundle.files_of(pair[0])]
    if not indexed:
        yield Damage(BUNDLE_NAME, "index_missing", "it lists no index for an aligner: make the bundle anew")
    for role, suffixes in indexed:
        names = {file.name for file in bundle.files_of(role)}
        for suffix in suffixes:
            if fasta and f"{fasta.name}{suffix}" not in names:
                yield Damage(f"{fasta.name}{suffix}", "index_incomplete", f"{role} goes without it: make it anew")
        path = whole[role].parent / f"{fasta.name}.ann" if fasta and role in whole else None
        if path and path.is_file():
            with path.open("rb") as lines:
                head = lines.readline().split()[:2]
            expected = [sum(contig.length for contig in bundle.contigs), len(bundle.contigs)]
            if head != [str(number).encode() for number in expected]:
                yield Damage(path.name, "index_differs", "its bases or contigs are not those of the FASTA")


def _source_damage(bundle: ReferenceBundle, whole: dict[ReferenceRole, Path]) -> Iterator[Damage]:
    for role, index_role in INDEX_BY_SOURCE.items():
        file, path, index = bundle.file_of(role), whole.get(role), whole.get(index_role)
        if file is None or path is None:
            continue
        if file.origin and _digest_content(path) != file.origin.content_sha256:
            yield Damage(file.name, "content_differs", "its text is not the one that gave the bundle its version")
        if bundle.file_of(index_role) is None:
            if role is not ReferenceRole.GENE_MODELS:
                yield Damage(file.name, "index_missing", "it is listed without its tabix index")
        elif index:
            yield from _tabix_damage(bundle, path, index)


def _tabix_damage(bundle: ReferenceBundle, path: Path, index: Path) -> Iterator[Damage]:
    try:
        with pysam.TabixFile(str(path), index=str(index)) as records:
            foreign = [name for name in records.contigs if name not in bundle.length_by_contig]
            if foreign:
                yield Damage(path.name, "contig_unknown", f"{foreign[0]} is no contig of the FASTA")
            for name in records.contigs:
                next(records.fetch(name))
    except (OSError, ValueError, NotImplementedError, StopIteration):
        yield Damage(index.name, "index_differs", f"it does not lead to the records of {path.name}")


def _digest_content(path: Path) -> str | None:
    """Return the SHA-256 of the text in a BGZF file; None where it is none."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        try:
            for plain in decompress_if_gzip(iter(lambda: source.read(_READ_BYTES), b""), path.name):
                digest.update(plain)
        except RejectedInputError:
            return None
    return digest.hexdigest()
