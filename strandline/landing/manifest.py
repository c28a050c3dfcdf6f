"""The manifest: what a lab says it sends. It lands last, and nothing is processed without it.

Shape (JSON, UTF-8, at most 1 MiB)::

    {"manifest_version": "1",
     "sample": {"sample_id": "HG002", "subject_id": "PT00042", "sex": "MALE", "assay": "WGS", "platform": "ILLUMINA",
                "site": "north", "trial": "NCT01234567", "consent": "RESEARCH", "panel": "lynch",
                "secondary_findings": "NO"},
     "reference": {"name": "slice", "version": "0c2b5f1a9e3d"},
     "analysis": {"caller": "freebayes"},
     "files": [{"name": "R1.fastq.gz", "role": "READS_1", "size_bytes": 123, "sha256": "..."}, ...]}

The reads of a sample are one or more pairs of FASTQ, one a read group, or one BAM or CRAM. `analysis` may be left out.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from strandline.errors import RejectedInputError
from strandline.interpretation.panels import check_panel_label
from strandline.journey import MANIFEST_NAME, check_file_name, check_sample_id

MANIFEST_LIMIT_BYTES = 1 << 20
MOST_FILES: Final = 64
ALIGNED_SUFFIXES: Final = (".bam", ".cram")
PSEUDONYM: Final = r"PT(?:[0-9]{5}|[0-9]{2}[A-Z]{2}[0-9]{2}[A-Z]{2})"


class FileRole(StrEnum):
    """What a file is for. `ALIGNED_READS` is a BAM or CRAM, whether its reads are aligned or not."""

    READS_1 = "READS_1"
    READS_2 = "READS_2"
    ALIGNED_READS = "ALIGNED_READS"
    REGIONS = "REGIONS"


class Sex(StrEnum):
    """Sex as the lab declares it."""

    FEMALE = "FEMALE"
    MALE = "MALE"
    UNKNOWN = "UNKNOWN"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Answer(StrEnum):
    """What a subject answered."""

    YES = "YES"
    NO = "NO"


class Consent(StrEnum):
    """What the subject agreed that the data may be used for."""

    CARE = "CARE"
    CARE_AND_RESEARCH = "CARE_AND_RESEARCH"
    RESEARCH = "RESEARCH"
    WITHDRAWN = "WITHDRAWN"


SITE_CODE: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
_Code = Annotated[str, StringConstraints(pattern=f"^{SITE_CODE}$")]
READ_GROUP_NAME: Final = r"[A-Za-z0-9._-]{1,64}"


class SampleDeclaration(_Frozen):
    """Who and what was sequenced, where and for what.

    `subject_id` is a pseudonym: `PT00042` or `PT12AB34CD`. `site` is the lab's code, `trial` the registry's id of the
    study, `library` the preparation that all reads come from. `panel` is what was ordered, and `secondary_findings`
    whether the subject wants to be told what was not: see docs/interpretation.md.
    """

    sample_id: str
    subject_id: Annotated[str, StringConstraints(pattern=f"^{PSEUDONYM}$")] | None = None
    sex: Sex = Sex.UNKNOWN
    assay: Literal["WGS", "WES", "PANEL"] = "WGS"
    platform: Literal["ILLUMINA", "MGI", "ELEMENT", "ULTIMA"] = "ILLUMINA"
    library: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "lib1"
    site: _Code | None = None
    trial: _Code | None = None
    consent: Consent | None = None
    panel: Annotated[
        str | None,
        Field(exclude_if=lambda value: value is None),  # a manifest that says nothing of it keeps its bytes
    ] = None
    secondary_findings: Annotated[
        Answer | None,
        Field(exclude_if=lambda value: value is None),  # likewise
    ] = None

    @field_validator("sample_id")
    @classmethod
    def _name_is_safe(cls, value: str) -> str:
        return check_sample_id(value)

    @field_validator("consent")
    @classmethod
    def _consent_stands(cls, value: Consent | None) -> Consent | None:
        if value is Consent.WITHDRAWN:
            raise RejectedInputError(
                "consent_withdrawn", "the subject withdrew consent: do not send the sample; destroy or return it"
            )
        return value

    @field_validator("panel")
    @classmethod
    def _panel_is_known(cls, value: str | None) -> str | None:
        return check_panel_label(value) if value is not None else None


class ReferenceName(_Frozen):
    """A reference bundle as it stands in the references bucket."""

    name: str
    version: str

    @field_validator("name", "version")
    @classmethod
    def _is_one_folder(cls, value: str) -> str:
        return check_file_name(value)


class Caller(StrEnum):
    """What calls the variants of a sample. See docs/callers.md."""

    BCFTOOLS = "bcftools"
    FREEBAYES = "freebayes"
    GATK = "gatk"
    DEEPVARIANT = "deepvariant"
    PARABRICKS = "parabricks"


class AnalysisChoice(_Frozen):
    """How the lab wants the sample analysed, where a lab may choose."""

    caller: Caller = Caller.BCFTOOLS


class DeclaredFile(_Frozen):
    """One file of the submission. `sha256` is of the bytes as uploaded, in lower-case hexadecimal.

    `read_group` is the platform unit (flow cell and lane) that the reads of a FASTQ file come from; a BAM or CRAM says
    so itself. Source: SAM specification section 1.3, @RG PU.
    """

    name: str
    role: FileRole
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    read_group: Annotated[
        Annotated[str, StringConstraints(pattern=f"^{READ_GROUP_NAME}$")] | None,
        Field(exclude_if=lambda value: value is None),  # a manifest without lanes keeps its bytes
    ] = None

    @field_validator("name")
    @classmethod
    def _is_one_name(cls, value: str) -> str:
        return check_file_name(value)


@dataclass(frozen=True, slots=True)
class ReadSet:
    """The reads of one read group: first and second mates; or one BAM or CRAM, which may hold several groups."""

    read_group: str | None
    files: tuple[DeclaredFile, ...]


class Manifest(_Frozen):
    """One sample's files and their meaning."""

    manifest_version: Literal["1"] = "1"
    sample: SampleDeclaration
    reference: ReferenceName
    analysis: Annotated[
        AnalysisChoice,
        Field(exclude_if=lambda value: value == AnalysisChoice()),  # a manifest that chooses nothing keeps its bytes
    ] = AnalysisChoice()
    files: Annotated[tuple[DeclaredFile, ...], Field(min_length=1, max_length=MOST_FILES)]

    @model_validator(mode="after")
    def _files_agree(self) -> "Manifest":
        names = [file.name for file in self.files]
        if MANIFEST_NAME in names:
            raise RejectedInputError("manifest_lists_itself", f"{MANIFEST_NAME} stands in its own files: take it out")
        if len(set(names)) != len(names):
            raise RejectedInputError("duplicate_file_name", "two entries of files have the same name: rename one")
        _check_reads(self.files)
        if sum(file.role is FileRole.REGIONS for file in self.files) > 1:
            raise RejectedInputError("wrong_region_files", "files may hold at most one entry with role REGIONS")
        return self

    def file_by_role(self, role: FileRole) -> DeclaredFile | None:
        """Return the first file with this role, or None."""
        return next((file for file in self.files if file.role is role), None)

    def read_sets(self) -> tuple[ReadSet, ...]:
        """Return the pairs, or the one BAM or CRAM, in the order in which they first stand in `files`."""
        aligned = self.file_by_role(FileRole.ALIGNED_READS)
        if aligned is not None:
            return (ReadSet(None, (aligned,)),)
        mates = sorted((file for file in self.files if file.role in _MATES), key=lambda file: file.role)
        names = dict.fromkeys(file.read_group for file in self.files if file.role in _MATES)
        return tuple(ReadSet(name, tuple(file for file in mates if file.read_group == name)) for name in names)

    def sha256_of(self, role: FileRole) -> str:
        """Return the digest of the file with this role, or nothing."""
        file = self.file_by_role(role)
        return file.sha256 if file else ""

    def content_fingerprint(self) -> str:
        """Return a digest of the reference, the files' roles and bytes, and what is chosen, whatever names there are.

        Two submissions with the same fingerprint ask for the same analysis of the same data.
        """
        described = sorted(f"{file.role} {file.sha256}" for file in self.files)
        described.append(f"{self.reference.name}/{self.reference.version}")
        if self.analysis != AnalysisChoice():
            described.append(self.analysis.model_dump_json())
        return hashlib.sha256("\n".join(described).encode()).hexdigest()

    def to_json(self) -> bytes:
        """Return the canonical bytes: the same manifest always gives the same."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode() + b"\n"


def parse_manifest(body: bytes) -> Manifest:
    """Parse a manifest as it landed.

    Raises:
        RejectedInputError: `manifest_too_large`, `manifest_not_json`, `manifest_invalid` (naming the field, never its
            value), or the code of the rule on names and files that was broken.
    """
    if len(body) > MANIFEST_LIMIT_BYTES:
        raise RejectedInputError("manifest_too_large", f"{MANIFEST_NAME} is over 1 MiB: send one sample a manifest")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RejectedInputError("manifest_not_json", f"{MANIFEST_NAME} is not JSON: {_place(error)}") from None
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RejectedInputError("manifest_invalid", f"{MANIFEST_NAME}, field {where}: {first['msg']}") from None


_MATES: Final = (FileRole.READS_1, FileRole.READS_2)


def _check_reads(files: Sequence[DeclaredFile]) -> None:
    """Refuse reads that are neither whole pairs, told apart by their read groups, nor one BAM or CRAM."""
    mates = [file for file in files if file.role in _MATES]
    aligned = [file for file in files if file.role is FileRole.ALIGNED_READS]
    if any(file.read_group is not None and file.role not in _MATES for file in files):
        raise RejectedInputError(
            "read_group_misplaced",
            "a read_group stands at a file with another role than READS_1 or READS_2: take it out; a BAM or CRAM names "
            "its groups in its @RG lines",
        )
    if mates and aligned:
        raise RejectedInputError(
            "reads_of_two_kinds",
            "files hold FASTQ (READS_1, READS_2) beside a BAM or CRAM (ALIGNED_READS): send the one or the other",
        )
    if aligned:
        if len(aligned) > 1:
            raise RejectedInputError(
                "wrong_read_files",
                "files may hold one entry with role ALIGNED_READS: merge the others into it (samtools merge)",
            )
        if not aligned[0].name.endswith(ALIGNED_SUFFIXES):
            raise RejectedInputError(
                "wrong_read_files", "the entry with role ALIGNED_READS must have a name that ends in .bam or .cram"
            )
        return
    for role in _MATES:
        if all(file.role is not role for file in mates):
            raise RejectedInputError(
                "wrong_read_files",
                f"files hold no entry with role {role}: send pairs of READS_1 and READS_2, or one ALIGNED_READS",
            )
    _check_pairs(mates)


def _check_pairs(mates: Sequence[DeclaredFile]) -> None:
    names = [file.read_group for file in mates]
    if None in names and (len(names) > 2 or any(names)):  # one pair is two files
        raise RejectedInputError(
            "read_group_missing",
            "an entry with role READS_1 or READS_2 has no read_group beside others: give each pair its own, such as "
            "flow cell and lane, on both mates",
        )
    for name in set(names):
        if sorted(file.role for file in mates if file.read_group == name) != sorted(_MATES):
            raise RejectedInputError(
                "read_group_incomplete",
                "a read_group must stand at exactly one READS_1 and one READS_2: add the mate that is missing, or give "
                "each pair a read_group of its own",
            )
    read_groups_by_digest: dict[str, set[str | None]] = {}
    for file in mates:
        read_groups_by_digest.setdefault(file.sha256, set()).add(file.read_group)
    if any(len(found) > 1 for found in read_groups_by_digest.values()):
        raise RejectedInputError(
            "same_file_twice", "two read_groups have a file of the same content: give each lane its own files"
        )


def derive_submission_id(manifest: Manifest, attempt: int = 1) -> str:
    """Name a submission after its content, so that sending the same twice is one submission.

    The name is a digest alone: it stands in keys, logs and alerts, where a lab's sample id has no place. `attempt`
    counts submissions of the same content after a failure, from 1.
    """
    digest = hashlib.sha256(manifest.to_json()).hexdigest()[:16]
    return f"s-{digest}" + (f"-r{attempt}" if attempt > 1 else "")


def _place(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "it cannot be decoded"
