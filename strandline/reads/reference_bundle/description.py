"""What `bundle.json` says: the contigs and files of a reference bundle, and where each file came from."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from strandline.errors import RejectedInputError
from strandline.journey import check_file_name

BUNDLE_NAME: Final = "bundle.json"


class ReferenceRole(StrEnum):
    """What a file of a bundle is for."""

    FASTA = "FASTA"
    FASTA_INDEX = "FASTA_INDEX"
    SEQUENCE_DICTIONARY = "SEQUENCE_DICTIONARY"
    BWA_INDEX = "BWA_INDEX"
    BWA_MEM2_INDEX = "BWA_MEM2_INDEX"
    GENE_MODELS = "GENE_MODELS"
    GENE_MODELS_INDEX = "GENE_MODELS_INDEX"
    CLINVAR = "CLINVAR"
    CLINVAR_INDEX = "CLINVAR_INDEX"
    DBSNP = "DBSNP"
    DBSNP_INDEX = "DBSNP_INDEX"
    FREQUENCIES = "FREQUENCIES"
    FREQUENCIES_INDEX = "FREQUENCIES_INDEX"
    KNOWN_SITES = "KNOWN_SITES"
    KNOWN_SITES_INDEX = "KNOWN_SITES_INDEX"
    HAPMAP = "HAPMAP"
    HAPMAP_INDEX = "HAPMAP_INDEX"
    OMNI = "OMNI"
    OMNI_INDEX = "OMNI_INDEX"
    THOUSAND_GENOMES = "THOUSAND_GENOMES"
    THOUSAND_GENOMES_INDEX = "THOUSAND_GENOMES_INDEX"
    MILLS = "MILLS"
    MILLS_INDEX = "MILLS_INDEX"
    CALLABLE_REGIONS = "CALLABLE_REGIONS"
    CALLABLE_REGIONS_INDEX = "CALLABLE_REGIONS_INDEX"


INDEX_BY_SOURCE: Final = {
    ReferenceRole.GENE_MODELS: ReferenceRole.GENE_MODELS_INDEX,
    ReferenceRole.CLINVAR: ReferenceRole.CLINVAR_INDEX,
    ReferenceRole.DBSNP: ReferenceRole.DBSNP_INDEX,
    ReferenceRole.FREQUENCIES: ReferenceRole.FREQUENCIES_INDEX,
    ReferenceRole.KNOWN_SITES: ReferenceRole.KNOWN_SITES_INDEX,
    ReferenceRole.HAPMAP: ReferenceRole.HAPMAP_INDEX,
    ReferenceRole.OMNI: ReferenceRole.OMNI_INDEX,
    ReferenceRole.THOUSAND_GENOMES: ReferenceRole.THOUSAND_GENOMES_INDEX,
    ReferenceRole.MILLS: ReferenceRole.MILLS_INDEX,
    ReferenceRole.CALLABLE_REGIONS: ReferenceRole.CALLABLE_REGIONS_INDEX,
}
"""The annotation sources that a bundle may carry, and the role of each one's tabix index."""

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Contig(_Frozen):
    """`length` in bases; `md5` of the upper-case bases, as in the `M5` tag of SAM's `@SQ`."""

    name: str
    length: Annotated[int, Field(gt=0)]
    md5: str


class SourceOrigin(_Frozen):
    """The file that a bundle's file was made from.

    `sha256` is of the file as it was given, `content_sha256` of the uncompressed text in the bundle. `renamed` maps
    contig names as they were given to the bundle's; `left_out` counts records by why they are not in the bundle;
    `foreign_contigs` are those of the source that are none of the FASTA's.
    """

    file_name: str
    sha256: _Sha256
    content_sha256: _Sha256
    record_count: int = 0
    renamed: dict[str, str] = {}
    left_out: dict[str, int] = {}
    foreign_contigs: tuple[str, ...] = ()


class ReferenceFile(_Frozen):
    """One file of a bundle. `source` says where it comes from and in which version, in words."""

    name: Annotated[str, AfterValidator(check_file_name)]
    role: ReferenceRole
    size_bytes: int
    sha256: _Sha256
    source: str = ""
    origin: SourceOrigin | None = None


class ReferenceBundle(_Frozen):
    """What `bundle.json` says. `assembly` is GRCh37, GRCh38 or T2T-CHM13v2.0 where the bases are of one of them.

    `schema_version` 1 had no origins; it is what a description without the field has.
    """

    schema_version: Literal[1, 2] = 1
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

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)

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
        RejectedInputError: `bundle_invalid`, naming the field; `invalid_file_name`.
    """
    try:
        return ReferenceBundle.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RejectedInputError("bundle_invalid", f"{BUNDLE_NAME}, {where}: {first['msg']}") from None


def derive_version(files: Iterable[ReferenceFile]) -> str:
    """Return the version that the content of the FASTA and of the sources gives; indexes follow from these."""
    digest = hashlib.sha256()
    for file in files:
        if file.role is ReferenceRole.FASTA or file.role in INDEX_BY_SOURCE:
            content = file.origin.content_sha256 if file.origin else file.sha256
            digest.update(f"{file.role} {content}\n".encode())
    return digest.hexdigest()[:12]


def verify_file(path: Path, file: ReferenceFile) -> Path:
    """Return `path` where its bytes are what the bundle says.

    Raises:
        RejectedInputError: `reference_mismatch`.
    """
    if path.stat().st_size != file.size_bytes or digest_file(path) != file.sha256:
        raise RejectedInputError(
            "reference_mismatch",
            f"{file.name} is not the file that {BUNDLE_NAME} lists: restore the bundle or register it anew",
        )
    return path


def digest_file(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hexadecimal."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
