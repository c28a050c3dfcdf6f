"""Which format a file has, and whether it can be read: one verdict a file."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.landing.decompression import GZIP_MAGIC, decompress_if_gzip
from strandline.landing.fastq import FastqSource, check_fastq, check_fastq_pair
from strandline.landing.findings import Finding, FindingLog
from strandline.landing.regions import REGIONS_LIMIT_BYTES, parse_regions
from strandline.landing.sam import AlignmentSource, validate_alignment

_CHUNK_BYTES: Final = 1 << 20
_BGZF_MAGIC: Final = bytes.fromhex("1f8b0804")  # gzip with an extra field, as only BGZF has it here
_BGZF_END: Final = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # SAM, section 4.1.2


class FileFormat(StrEnum):
    """Formats that are told apart by name and by first bytes."""

    FASTQ = "FASTQ"
    ALIGNMENT = "SAM/BAM/CRAM"
    VCF = "VCF"
    BED = "BED"


_SUFFIXES: Final = {
    ".fastq": FileFormat.FASTQ,
    ".fq": FileFormat.FASTQ,
    ".sam": FileFormat.ALIGNMENT,
    ".bam": FileFormat.ALIGNMENT,
    ".cram": FileFormat.ALIGNMENT,
    ".vcf": FileFormat.VCF,
    ".bed": FileFormat.BED,
}


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What is said of one file.

    Attributes:
        code: of the first error, or of what ended the check; None where the file was accepted. `message` alike.
        summary: what the file holds, where it was accepted.
        findings: the first few of each rule, in the order in which they were found.
        count_by_code: how often each rule was broken.
    """

    name: str
    format: FileFormat | None
    summary: str | None = None
    code: str | None = None
    message: str | None = None
    findings: list[Finding] = field(default_factory=list)
    count_by_code: dict[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether no check failed."""
        return self.code is None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What files are held against: a FASTA that CRAM files are decoded with, and the contigs of the reference."""

    reference: Path | None
    length_by_contig: Mapping[str, int] | None


_Check = Callable[[Path, FindingLog, _Ground], str]


def validate_files(
    paths: list[Path], *, reference: Path | None = None, length_by_contig: Mapping[str, int] | None = None
) -> list[FileVerdict]:
    """Check files, FASTQ files whose names differ only in R1 and R2 (or 1 and 2) as pairs.

    Args:
        paths: files of any of the formats.
        reference: FASTA that CRAM files are decoded with.
        length_by_contig: contigs that files must stay within; None leaves that unchecked.
    """
    ground = _Ground(reference, length_by_contig)
    verdicts: list[FileVerdict] = []
    waiting = list(paths)
    while waiting:
        path = waiting.pop(0)
        mate = next((other for other in waiting if _are_mates(path, other) or _are_mates(other, path)), None)
        if mate:
            waiting.remove(mate)
            verdicts += _validate_mates(mate, path) if _are_mates(mate, path) else _validate_mates(path, mate)
        else:
            verdicts.append(_validate_alone(path, ground))
    return verdicts


def _validate_alone(path: Path, ground: _Ground) -> FileVerdict:
    log = FindingLog(path.name)
    summary, refusal = None, None
    try:
        summary = _check_of(path)(path, log, ground)
        log.refuse_errors()
    except RejectedInputError as error:
        refusal = error
    return _verdict(path, log, summary, refusal)


def _validate_mates(first: Path, second: Path) -> list[FileVerdict]:
    """Return a verdict for each: what keeps out one keeps out both."""
    logs = FindingLog(first.name), FindingLog(second.name)
    summary, refusal = None, None
    try:
        summary = _check_fastq_pair(first, second, *logs)
        for log in logs:
            log.refuse_errors()
    except RejectedInputError as error:
        refusal = error
    return [_verdict(path, log, summary, refusal) for path, log in zip((first, second), logs, strict=True)]


def _verdict(path: Path, log: FindingLog, summary: str | None, refusal: RejectedInputError | None) -> FileVerdict:
    code, message = (refusal.code, refusal.message) if refusal else (None, None)
    summary = None if refusal else summary
    return FileVerdict(path.name, _format(path), summary, code, message, log.findings, dict(log.count_by_code))


def _check_of(path: Path) -> _Check:
    """Return the check of a file's format.

    Raises:
        RejectedInputError: `format_unknown`.
    """
    match _format(path):
        case FileFormat.FASTQ:
            return _check_fastq
        case FileFormat.ALIGNMENT:
            return _check_alignment
        case FileFormat.VCF:
            return _check_vcf
        case FileFormat.BED:
            return _check_bed
        case None:
            raise RejectedInputError(
                "format_unknown",
                f"{path.name}: the name ends in none of {', '.join(_SUFFIXES)} (or those with .gz): rename the file",
            )


def _check_fastq(path: Path, log: FindingLog, _ground: _Ground) -> str:
    reads = check_fastq(FastqSource(path.name, _chunks(path)), log)
    return f"{reads.read_count} reads of {reads.shortest_read} to {reads.longest_read} bases"


def _check_fastq_pair(first: Path, second: Path, first_log: FindingLog, second_log: FindingLog) -> str:
    sources = FastqSource(first.name, _chunks(first)), FastqSource(second.name, _chunks(second))
    pair = check_fastq_pair(*sources, first_log, second_log)
    return f"{pair.pair_count} pairs of {pair.shortest_read} to {pair.longest_read} bases"


def _check_bed(path: Path, _log: FindingLog, ground: _Ground) -> str:
    body = b"".join(islice(_chunks(path), REGIONS_LIMIT_BYTES // _CHUNK_BYTES + 1))
    regions = parse_regions(body, path.name, ground.length_by_contig)
    return f"{len(regions)} intervals, {sum(region.length for region in regions)} bases"


def _check_alignment(path: Path, log: FindingLog, ground: _Ground) -> str:
    source = AlignmentSource(path.name, _chunks(path))
    found = validate_alignment(source, log, path=path, reference=ground.reference)
    return f"{found.record_count} records" + ("" if found.mapped_count is not None else ", not decoded")


def _check_vcf(path: Path, _log: FindingLog, _ground: _Ground) -> str:
    head = next(decompress_if_gzip(_chunks(path), path.name), b"")
    if not head.startswith(b"##fileformat=VCFv4"):
        raise RejectedInputError("not_vcf", f"{path.name}, line 1: expected ##fileformat=VCFv4.x; send a VCF")
    if _begins_with(path, GZIP_MAGIC):
        if not _begins_with(path, _BGZF_MAGIC):
            raise RejectedInputError("vcf_not_bgzf", f"{path.name} was compressed by gzip: compress it with bgzip")
        if not _ends_with(path, _BGZF_END):
            raise RejectedInputError(
                "vcf_truncated", f"{path.name} has no end-of-file block: it was cut; send it again"
            )
    try:
        with pysam.VariantFile(str(path)) as records:
            count = sum(1 for _ in records)
    except (OSError, ValueError) as error:
        raise RejectedInputError("vcf_unreadable", f"{path.name}: {error}") from None
    return f"{count} records"


def _format(path: Path) -> FileFormat | None:
    name = path.name.removesuffix(".gz").removesuffix(".bgz")
    return next((form for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), None)


def _are_mates(one: Path, two: Path) -> bool:
    """Whether two FASTQ names differ in the mate's number alone: 1 in the first, 2 in the second."""
    if _format(one) is not FileFormat.FASTQ:
        return False
    place = _mate_place(one.name)
    return place is not None and one.name[place] == "1" and two.name == f"{one.name[:place]}2{one.name[place + 1 :]}"


def _mate_place(name: str) -> int | None:
    """Return where a name says which mate it is: the last R1 or R2, else the last 1 or 2 by itself, else any."""
    for pattern in (r"(?<![A-Za-z])[Rr]([12])(?!\d)", r"(?<![A-Za-z\d])([12])(?![A-Za-z\d])", r"([12])(?!\d)"):
        found = list(re.finditer(pattern, name))
        if found:
            return found[-1].start(1)
    return None


def _begins_with(path: Path, beginning: bytes) -> bool:
    try:
        with path.open("rb") as source:
            return source.read(len(beginning)) == beginning
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{path}: {error.strerror}; check the path") from None


def _ends_with(path: Path, ending: bytes) -> bool:
    try:
        with path.open("rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - len(ending)))
            return source.read() == ending
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{path}: {error.strerror}; check the path") from None


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{path}: {error.strerror}; check the path") from None
