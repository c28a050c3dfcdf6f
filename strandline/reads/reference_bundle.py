"""Reference bundles: a genome with its indexes and annotation sources under one name and version, checksummed.

A bundle is a folder (or an S3 prefix) with `bundle.json` and the files that it lists. The version of a bundle made
from files is a digest of their content, so that one name and version can never mean two things.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import pysam
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pysam.utils import SamtoolsError

from strandline.errors import RejectedInputError
from strandline.landing.decompression import decompress_if_gzip
from strandline.reads.tools import aligner_command, run_pipeline, tool_command

BUNDLE_NAME: Final = "bundle.json"
_READ_BYTES: Final = 1 << 20


class ReferenceRole(StrEnum):
    """What a file of a bundle is for."""

    FASTA = "FASTA"
    FASTA_INDEX = "FASTA_INDEX"
    SEQUENCE_DICTIONARY = "SEQUENCE_DICTIONARY"
    BWA_INDEX = "BWA_INDEX"
    BWA_MEM2_INDEX = "BWA_MEM2_INDEX"
    GENE_MODELS = "GENE_MODELS"
    CLINVAR = "CLINVAR"
    CLINVAR_INDEX = "CLINVAR_INDEX"


_INDEX_SUFFIXES: Final = {  # the fastest aligner first; a bundle is indexed for the first that is there
    "bwa-mem2": (ReferenceRole.BWA_MEM2_INDEX, (".0123", ".amb", ".ann", ".bwt.2bit.64", ".pac")),
    "bwa": (ReferenceRole.BWA_INDEX, (".amb", ".ann", ".bwt", ".pac", ".sa")),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Contig(_Frozen):
    """`length` in bases; `md5` of the upper-case bases, as in the `M5` tag of SAM's `@SQ`."""

    name: str
    length: Annotated[int, Field(gt=0)]
    md5: str


class ReferenceFile(_Frozen):
    """One file of a bundle. `source` says where it comes from and in which version, in words."""

    name: str
    role: ReferenceRole
    size_bytes: int
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    source: str = ""


class ReferenceBundle(_Frozen):
    """What `bundle.json` says. `assembly` is GRCh37, GRCh38 or T2T-CHM13 where the bases are of one of them."""

    name: str
    version: str
    assembly: str | None = None
    contigs: tuple[Contig, ...]
    files: tuple[ReferenceFile, ...]

    @property
    def label(self) -> str:
        """Name and version, as they stand in every output's header."""
        return f"{self.name}/{self.version}"

    @property
    def length_by_contig(self) -> dict[str, int]:
        """Length of every contig, in bases."""
        return {contig.name: contig.length for contig in self.contigs}

    def files_of(self, *roles: ReferenceRole) -> list[ReferenceFile]:
        """Return the files with one of these roles."""
        return [file for file in self.files if file.role in roles]

    def file_of(self, role: ReferenceRole) -> ReferenceFile | None:
        """Return the first file with this role, or None."""
        return next(iter(self.files_of(role)), None)

    def to_json(self) -> bytes:
        """Return the bytes of `bundle.json`."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def parse_bundle(body: bytes) -> ReferenceBundle:
    """Parse `bundle.json`.

    Raises:
        RejectedInputError: `bundle_invalid`, naming the field.
    """
    try:
        return ReferenceBundle.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RejectedInputError("bundle_invalid", f"{BUNDLE_NAME}, {where}: {first['msg']}") from None


def make_bundle(
    fasta: Path,
    folder: Path,
    *,
    gene_models: Path | None = None,
    clinvar: Path | None = None,
    assembly: str | None = None,
    sources: dict[ReferenceRole, str] | None = None,
) -> ReferenceBundle:
    """Make a bundle in `folder` from a FASTA (plain or gzip), gene models (Ensembl GFF3) and ClinVar (VCF).

    Raises:
        RejectedInputError: `reference_unreadable`, `reference_invalid` or `reference_duplicate_contig`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "reference.fa"
    _copy_fasta(fasta, copy)
    _check_contigs(copy, fasta.name)
    try:
        pysam.faidx(str(copy), catch_stdout=False)
    except SamtoolsError:
        raise RejectedInputError(
            "reference_invalid", f"{fasta.name} is not a FASTA file with lines of equal length: send the reference"
        ) from None
    dictionary = copy.with_suffix(".dict")
    run_pipeline([[*tool_command("samtools"), "dict", "-u", copy.name, "-o", str(dictionary), str(copy)]])
    roles = {copy.name: ReferenceRole.FASTA, f"{copy.name}.fai": ReferenceRole.FASTA_INDEX}
    roles[dictionary.name] = ReferenceRole.SEQUENCE_DICTIONARY
    roles |= _index(copy)
    if gene_models:
        shutil.copyfile(gene_models, folder / "genes.gff3.gz")
        roles["genes.gff3.gz"] = ReferenceRole.GENE_MODELS
    if clinvar:
        run_pipeline([[*tool_command("bcftools"), "view", "-Oz", "-o", str(folder / "clinvar.vcf.gz"), str(clinvar)]])
        run_pipeline([[*tool_command("bcftools"), "index", "-t", "-f", str(folder / "clinvar.vcf.gz")]])
        roles |= {"clinvar.vcf.gz": ReferenceRole.CLINVAR, "clinvar.vcf.gz.tbi": ReferenceRole.CLINVAR_INDEX}
    files = tuple(_describe(folder / name, role, (sources or {}).get(role, "")) for name, role in roles.items())
    digest = hashlib.sha256()
    for file in files:
        if file.role in {ReferenceRole.FASTA, ReferenceRole.GENE_MODELS, ReferenceRole.CLINVAR}:
            digest.update(f"{file.role} {file.sha256}\n".encode())
    bundle = ReferenceBundle(
        name=_bundle_name(fasta),
        version=digest.hexdigest()[:12],
        assembly=assembly,
        contigs=tuple(_contigs(copy)),
        files=files,
    )
    (folder / BUNDLE_NAME).write_bytes(bundle.to_json())
    return bundle


def _index(fasta: Path) -> dict[str, ReferenceRole]:
    """Index a FASTA for the fastest aligner that is here and return the files' roles by name."""
    for name, (role, suffixes) in _INDEX_SUFFIXES.items():
        command = aligner_command(name)
        if command:
            run_pipeline([[*command, "index", str(fasta)]], quiet=True)
            made = (fasta.with_name(f"{fasta.name}{suffix}") for suffix in suffixes)
            return {path.name: role for path in made if path.exists()}
    raise RejectedInputError(
        "aligner_missing", "neither bwa-mem2, bwa nor pybwa is installed: run 'make setup', or install one of them"
    )


def verify_file(path: Path, file: ReferenceFile) -> Path:
    """Return `path` where its bytes are what the bundle says.

    Raises:
        RejectedInputError: `reference_mismatch`.
    """
    if path.stat().st_size != file.size_bytes or _sha256(path) != file.sha256:
        raise RejectedInputError(
            "reference_mismatch",
            f"{file.name} is not the file that {BUNDLE_NAME} lists: restore the bundle or register it anew",
        )
    return path


def _bundle_name(fasta: Path) -> str:
    stem = re.sub(r"\.(gz|bgz)$", "", fasta.name)
    stem = re.sub(r"\.(fa|fasta|fna)$", "", stem)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:63] or "reference"


def _copy_fasta(fasta: Path, copy: Path) -> None:
    try:
        with fasta.open("rb") as source, copy.open("wb") as sink:
            first = True
            for plain in decompress_if_gzip(iter(lambda: source.read(_READ_BYTES), b""), fasta.name):
                if first and not plain.startswith(b">"):
                    raise RejectedInputError(
                        "reference_invalid", f"{fasta.name} does not begin with '>': give a FASTA file"
                    )
                first = False
                sink.write(plain)
    except FileNotFoundError:
        raise RejectedInputError("reference_unreadable", f"{fasta} does not exist: check the path") from None
    except OSError as error:
        raise RejectedInputError("reference_unreadable", f"{fasta}: {error.strerror}") from None
    if first:
        raise RejectedInputError("reference_invalid", f"{fasta.name} is empty: give a FASTA file")


def _check_contigs(fasta: Path, name: str) -> None:
    """Refuse what the FASTA index would pass over in silence: a contig that stands twice, or has no bases."""
    seen: set[bytes] = set()
    is_empty = False
    with fasta.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.startswith(b">"):
                is_empty = is_empty and not line.strip()
                continue
            contig = line[1:].split(None, 1)[0] if line[1:].strip() else b""
            if is_empty or not contig:
                raise RejectedInputError(
                    "reference_invalid", f"{name}, line {number}: a contig has no name or the one before has no bases"
                )
            if contig in seen:
                raise RejectedInputError(
                    "reference_duplicate_contig", f"{name}, line {number}: this contig stands twice; take one out"
                )
            seen.add(contig)
            is_empty = True
    if is_empty:
        raise RejectedInputError("reference_invalid", f"{name}: the last contig has no bases")


def _contigs(fasta: Path) -> Iterator[Contig]:
    with pysam.FastaFile(str(fasta)) as reader:
        for name in reader.references:
            bases = reader.fetch(name).upper().encode()
            yield Contig(name=name, length=len(bases), md5=hashlib.md5(bases, usedforsecurity=False).hexdigest())


def _describe(path: Path, role: ReferenceRole, source: str) -> ReferenceFile:
    return ReferenceFile(name=path.name, role=role, size_bytes=path.stat().st_size, sha256=_sha256(path), source=source)


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
