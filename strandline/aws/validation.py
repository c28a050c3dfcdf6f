"""Check a landed submission: everything that the manifest says is there, whole, and readable.

The function and the job share this code; they differ in how long they may take.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from strandline.aws.lab_keys import check_signature
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import LandedFile, SubmissionsTable
from strandline.aws.workspace import read_bundle
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState, landing_key, manifest_key
from strandline.landing.fastq import FastqSource, ReadsSummary, check_fastq_pair
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import (
    MANIFEST_LIMIT_BYTES,
    DeclaredFile,
    FileRole,
    Manifest,
    parse_manifest,
)
from strandline.landing.regions import REGIONS_LIMIT_BYTES, parse_regions, validate_bed

_NOT_ANALYSED: Final = frozenset(
    {SubmissionState.RECEIVED, SubmissionState.QUARANTINED, SubmissionState.FAILED, SubmissionState.WITHDRAWN}
)


def read_landed_manifest(table: SubmissionsTable, landing: S3Objects, submission_id: str) -> Manifest:
    """Read the manifest in the version that was registered.

    Raises:
        RejectedInputError: `manifest_missing`, or a code of `parse_manifest`.
    """
    landed = {file.name: file for file in table.landed_files(submission_id)}
    if MANIFEST_NAME not in landed:
        raise RejectedInputError("manifest_missing", f"{manifest_key(submission_id)} never landed: upload it last")
    version = landed[MANIFEST_NAME].version_id
    return parse_manifest(
        landing.read(manifest_key(submission_id), limit_bytes=MANIFEST_LIMIT_BYTES, version_id=version)
    )


def declared_size_bytes(manifest: Manifest) -> int:
    """Return the bytes of all files of a manifest."""
    return sum(file.size_bytes for file in manifest.files)


def validate_submission(
    submission_id: str, manifest: Manifest, *, table: SubmissionsTable, landing: S3Objects, references: S3Objects
) -> ReadsSummary:
    """Check presence, sizes, checksums, formats, and that the reference is registered and fits the regions.

    Raises:
        RejectedInputError: with the code of the first check that failed.
    """
    landed = {file.name: file for file in table.landed_files(submission_id)}
    for declared in manifest.files:
        _check_presence(submission_id, declared, landed.get(declared.name))
    check_signature(submission_id, manifest, landed, table=table, landing=landing, now=datetime.now(UTC))
    _check_repetition(submission_id, manifest, table)
    bundle = read_bundle(references, manifest)

    def open_file(declared: DeclaredFile) -> "_HashedStream":
        key = landing_key(submission_id, declared.name)
        version_id = landed[declared.name].version_id
        return _HashedStream(declared, key, lambda: landing.stream(key, version_id=version_id))

    def keep_verdict(
        stream: "_HashedStream", log: FindingLog, summary: str, refusal: RejectedInputError | None
    ) -> None:
        table.record_verdict(submission_id, stream.name, _describe(stream, log, summary, refusal))

    regions = manifest.file_by_role(FileRole.REGIONS)
    if regions:
        _check_regions(open_file(regions), bundle.length_by_contig, keep_verdict)
    first, second = (manifest.file_by_role(role) for role in (FileRole.READS_1, FileRole.READS_2))
    if first is None or second is None:
        raise RuntimeError("a parsed manifest has both read files")
    return _check_reads(open_file(first), open_file(second), keep_verdict)


_KeepVerdict = Callable[["_HashedStream", FindingLog, str, RejectedInputError | None], None]


def _check_regions(stream: "_HashedStream", length_by_contig: Mapping[str, int], keep: _KeepVerdict) -> None:
    log = FindingLog(stream.name)
    try:
        body = stream.read(REGIONS_LIMIT_BYTES)
        stream.verify()
        bed = validate_bed([body], log, length_by_contig=length_by_contig)
        parse_regions(body, stream.name, length_by_contig)
    except RejectedInputError as error:
        keep(stream, log, "", error)
        raise
    keep(stream, log, f"{bed.interval_count} intervals, {bed.base_count} bases", None)


def _check_reads(first: "_HashedStream", second: "_HashedStream", keep: _KeepVerdict) -> ReadsSummary:
    streams, logs = (first, second), (FindingLog(first.name), FindingLog(second.name))
    sources = [FastqSource(stream.name, stream.chunks()) for stream in streams]
    refusal = None
    try:
        summary = check_fastq_pair(sources[0], sources[1], *logs)
        for log in logs:
            log.refuse_errors()
        told = f"{summary.pair_count} pairs of {summary.shortest_read} to {summary.longest_read} bases"
    except RejectedInputError as error:
        if error.code == "object_missing":
            raise
        refusal, told = error, ""
    for stream, log in zip(streams, logs, strict=True):
        try:
            stream.drain()  # a changed byte is the better explanation of whatever else is wrong
            stream.verify()
        except RejectedInputError as error:
            refusal = error
            keep(stream, log, "", error)
            raise
        keep(stream, log, told, refusal)
    if refusal is not None:
        raise refusal
    return summary


def _describe(
    stream: "_HashedStream", log: FindingLog, summary: str, refusal: RejectedInputError | None
) -> dict[str, Any]:
    """Return what is said of one file, in the form that `strandline validate --format json` prints."""
    return {
        "file": stream.name,
        "verdict": "REJECTED" if refusal else "ACCEPTED",
        "code": refusal.code if refusal else None,
        "message": refusal.message if refusal else None,
        "summary": None if refusal else summary,
        "findings": [finding.describe() for finding in log.findings],
        "counts": dict(log.count_by_code),
    }


def _check_repetition(submission_id: str, manifest: Manifest, table: SubmissionsTable) -> None:
    """Refuse a second submission of the same bytes for the same sample, unless a person let it pass."""
    this = table.get(submission_id)
    if this is None or "duplicate_content" in this.accepted_codes:
        return
    for other in table.with_same_content(manifest):
        same_sample = (other.sample_id, other.site) == (manifest.sample.sample_id, manifest.sample.site)
        if other.submission_id == submission_id or not same_sample or other.state in _NOT_ANALYSED:
            continue
        came_first = (other.created_at, other.submission_id) < (this.created_at, submission_id)
        if came_first or other.state is not SubmissionState.VALIDATING:
            raise RejectedInputError(
                "duplicate_content",
                f"submission {other.submission_id} holds the same files of the same sample and is {other.state}: "
                "follow that one; to analyse them again, release this one with --accept duplicate_content",
            )


def _check_presence(submission_id: str, declared: DeclaredFile, landed: LandedFile | None) -> None:
    key = landing_key(submission_id, declared.name)
    if landed is None:
        raise RejectedInputError("file_missing", f"{key} is in the manifest and never landed: upload it")
    if landed.size_bytes != declared.size_bytes:
        raise RejectedInputError(
            "size_mismatch",
            f"{key} has {landed.size_bytes} bytes, the manifest says {declared.size_bytes}: upload it again",
        )


class _HashedStream:
    """A landed file read once from front to end, hashed on the way."""

    def __init__(self, declared: DeclaredFile, key: str, open_chunks: Callable[[], Iterator[bytes]]) -> None:
        self.name = declared.name
        self._declared = declared
        self._key = key
        self._digest = hashlib.sha256()
        self._source = open_chunks()

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

    def drain(self) -> None:
        for _ in self.chunks():
            pass

    def verify(self) -> None:
        if self._digest.hexdigest() != self._declared.sha256:
            raise RejectedInputError(
                "checksum_mismatch",
                f"{self._key}: its SHA-256 is not the manifest's; the file changed on the way: upload it again",
            )
