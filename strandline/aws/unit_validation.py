"""Check one unit of a submission: whole, unchanged, and readable as what it was declared to be."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strandline.aws.landed_files import LandedFile
from strandline.aws.landed_units import LandedUnit
from strandline.aws.objects import S3Objects
from strandline.aws.verdicts import FileVerdict
from strandline.errors import RejectedInputError
from strandline.journey import landing_key
from strandline.landing.fastq import FastqSource, check_fastq_pair
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import DeclaredFile, FileRole
from strandline.landing.regions import REGIONS_LIMIT_BYTES, parse_regions, validate_bed
from strandline.landing.sam import AlignmentSource, Contig, validate_alignment
from strandline.reads.reference_bundle import ReferenceBundle

NEEDS_REFERENCE: Final = frozenset({FileRole.REGIONS, FileRole.ALIGNED_READS})


@dataclass(frozen=True, slots=True)
class UnitVerdict:
    """What was said of each file of a unit, and how many pairs of reads and records of alignments were read for it."""

    files: tuple[FileVerdict, ...]
    pair_count: int = 0
    record_count: int = 0

    @property
    def refusal(self) -> RejectedInputError | None:
        """What keeps the unit out, or None where it was accepted."""
        return next((verdict.refusal for verdict in self.files if verdict.refusal), None)


@dataclass(frozen=True, slots=True)
class _Contents:
    told: str
    pair_count: int = 0
    record_count: int = 0


def validate_unit(
    submission_id: str, unit: LandedUnit, *, landing: S3Objects, bundle: ReferenceBundle | None, now: datetime
) -> UnitVerdict:
    """Read the files of a unit in the versions that are registered, and say what they are.

    Args:
        submission_id: whose they are.
        unit: what to read.
        landing: the bucket they are in.
        bundle: the reference that they are for; None where the role needs none.
        now: when this is.

    Raises:
        RejectedInputError: `object_missing`; whatever else is wrong is in the verdict.
        TemporaryError: `stream_cut`.
    """
    logs = [FindingLog(file.name) for file in unit.files]
    try:
        for declared, landed in zip(unit.files, unit.landed, strict=True):
            check_size(submission_id, declared, landed)
    except RejectedInputError as wrong_size:
        return UnitVerdict(_speak(unit, logs, wrong_size, "", now))
    streams = [
        _HashedStream(declared, landing, landing_key(submission_id, declared.name), landed.version_id)
        for declared, landed in zip(unit.files, unit.landed, strict=True)
    ]
    contents, unreadable = _Contents(""), None
    try:
        contents = _read(unit.role, streams, logs, bundle)
        for log in logs:
            log.refuse_errors()
    except RejectedInputError as error:
        if error.code == "object_missing":
            raise
        unreadable = error
    # a changed byte is the better explanation of whatever else is wrong
    refusal = next(filter(None, [stream.find_change() for stream in streams]), unreadable)
    return UnitVerdict(_speak(unit, logs, refusal, contents.told, now), contents.pair_count, contents.record_count)


def check_size(submission_id: str, declared: DeclaredFile, landed: LandedFile) -> None:
    """Refuse a file that has not the size it was declared with.

    Raises:
        RejectedInputError: `size_mismatch`.
    """
    if landed.size_bytes != declared.size_bytes:
        raise RejectedInputError(
            "size_mismatch",
            f"{landing_key(submission_id, declared.name)} has {landed.size_bytes} bytes, the manifest says "
            f"{declared.size_bytes}: upload it again",
        )


def _read(
    role: FileRole, streams: "Sequence[_HashedStream]", logs: Sequence[FindingLog], bundle: ReferenceBundle | None
) -> _Contents:
    if role is FileRole.READS_1:
        first, second = (FastqSource(stream.name, stream.chunks()) for stream in streams)
        reads = check_fastq_pair(first, second, *logs)
        told = f"{reads.pair_count} pairs of {reads.shortest_read} to {reads.longest_read} bases"
        return _Contents(told, pair_count=reads.pair_count)
    if bundle is None:
        raise RuntimeError("what is measured against a reference is given one")
    (stream,), (log,) = streams, logs
    if role is FileRole.REGIONS:
        body = stream.read(REGIONS_LIMIT_BYTES)
        bed = validate_bed([body], log, length_by_contig=bundle.length_by_contig)
        parse_regions(body, stream.name, bundle.length_by_contig)
        return _Contents(f"{bed.interval_count} intervals, {bed.base_count} bases")
    contigs = {contig.name.encode(): Contig(contig.length, contig.md5.encode()) for contig in bundle.contigs}
    alignment = validate_alignment(AlignmentSource(stream.name, stream.chunks()), log, reference=contigs)
    return _Contents(f"{alignment.record_count} records", record_count=alignment.record_count)


def _speak(
    unit: LandedUnit, logs: Sequence[FindingLog], refusal: RejectedInputError | None, told: str, now: datetime
) -> tuple[FileVerdict, ...]:
    """Return a verdict a file; files that belong together are kept out together, for the same reason."""
    return tuple(
        FileVerdict(
            file=declared.name,
            verdict="REJECTED" if refusal else "ACCEPTED",
            code=refusal.code if refusal else None,
            message=refusal.message if refusal else None,
            summary=None if refusal else told,
            findings=[finding.describe() for finding in log.findings],
            counts=dict(log.count_by_code),
            version_id=landed.version_id,
            sha256=declared.sha256,
            unit=unit.digest,
            checked_at=now.isoformat(timespec="milliseconds"),
        )
        for declared, landed, log in zip(unit.files, unit.landed, logs, strict=True)
    )


class _HashedStream:
    """A landed file read once from front to end, hashed on the way."""

    def __init__(self, declared: DeclaredFile, landing: S3Objects, key: str, version_id: str) -> None:
        self.name = declared.name
        self._declared = declared
        self._key = key
        self._digest = hashlib.sha256()
        self._source = landing.stream(key, version_id=version_id)

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._source:
            self._digest.update(chunk)
            yield chunk

    def read(self, limit_bytes: int) -> bytes:
        """Return at most a chunk more than `limit_bytes`, and hash the rest."""
        body = b""
        for chunk in self.chunks():
            if len(body) <= limit_bytes:
                body += chunk
        return body

    def find_change(self) -> RejectedInputError | None:
        """Read what is left, and return `checksum_mismatch` where the bytes are not those that were declared."""
        for _ in self.chunks():
            pass
        if self._digest.hexdigest() == self._declared.sha256:
            return None
        return RejectedInputError(
            "checksum_mismatch",
            f"{self._key}: its SHA-256 is not the manifest's; the file changed on the way: upload it again",
        )
