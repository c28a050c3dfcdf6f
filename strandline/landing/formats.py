"""Which format a file has, and what is wrong with it: one verdict a file, with all findings."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.landing.checksum_files import CHECKSUM_RULES, parse_checksums
from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.fastq import FastqSource, check_fastq, check_fastq_pair
from strandline.landing.fastq_rules import FASTQ_RULES
from strandline.landing.findings import Finding, FindingLog, Level, Rule, rules_by_code
from strandline.landing.pedigree import PED_RULES, validate_pedigree
from strandline.landing.regions import BED_RULES, validate_bed
from strandline.landing.sam import SAM_RULES, AlignmentSource, validate_alignment
from strandline.landing.sample_sheet import parse_sample_sheet
from strandline.landing.sheet_rules import SHEET_RULES
from strandline.landing.vcf import VCF_RULES, validate_vcf

_CHUNK_BYTES: Final = 1 << 20


class FileFormat(StrEnum):
    """Formats that are told apart by name and by first bytes."""

    FASTQ = "FASTQ"
    ALIGNMENT = "SAM/BAM/CRAM"
    VCF = "VCF"
    BED = "BED"
    PEDIGREE = "PED"
    CHECKSUMS = "checksums"
    SAMPLE_SHEET = "sample sheet"


_SUFFIXES: Final = {
    ".fastq": FileFormat.FASTQ,
    ".fq": FileFormat.FASTQ,
    ".sam": FileFormat.ALIGNMENT,
    ".bam": FileFormat.ALIGNMENT,
    ".cram": FileFormat.ALIGNMENT,
    ".vcf": FileFormat.VCF,
    ".bed": FileFormat.BED,
    ".ped": FileFormat.PEDIGREE,
    ".fam": FileFormat.PEDIGREE,
    ".md5": FileFormat.CHECKSUMS,
    ".sha1": FileFormat.CHECKSUMS,
    ".sha256": FileFormat.CHECKSUMS,
    ".sha512": FileFormat.CHECKSUMS,
    ".csv": FileFormat.SAMPLE_SHEET,
}
_CHECKSUM_NAMES: Final = frozenset({"md5sum.txt", "md5sums", "sha1sums", "sha256sums", "sha512sums", "checksums.txt"})

FORMAT_UNKNOWN: Final = Rule(
    "format_unknown", Level.ERROR, "Strandline", "the name tells none of the formats", "rename the file"
)
FILE_NOT_FOUND: Final = Rule("file_not_found", Level.ERROR, "POSIX", "the file cannot be read", "check the path")
RULES_BY_FORMAT: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Any file": (FORMAT_UNKNOWN, FILE_NOT_FOUND),
    "FASTQ": FASTQ_RULES,
    "SAM, BAM and CRAM": SAM_RULES,
    "VCF": VCF_RULES,
    "BED": BED_RULES,
    "PED": PED_RULES,
    "Checksums": CHECKSUM_RULES,
    "Sample sheets": SHEET_RULES,
}
RULE_BY_CODE: Final = rules_by_code(*RULES_BY_FORMAT.values())


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
        if error.code in RULE_BY_CODE and error.code not in log.count_by_code:
            log.add(RULE_BY_CODE[error.code])  # what ends a check is raised, not noted
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
        case FileFormat.PEDIGREE:
            return _check_pedigree
        case FileFormat.CHECKSUMS:
            return _check_checksums
        case FileFormat.SAMPLE_SHEET:
            return _check_sample_sheet
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


def _check_bed(path: Path, log: FindingLog, ground: _Ground) -> str:
    bed = validate_bed(_unpacked(path), log, length_by_contig=ground.length_by_contig)
    return f"{bed.interval_count} intervals, {bed.base_count} bases"


def _check_pedigree(path: Path, log: FindingLog, _ground: _Ground) -> str:
    pedigree = validate_pedigree(_unpacked(path), log)
    return f"{pedigree.individual_count} individuals, {pedigree.family_count} families, {pedigree.trio_count} trios"


def _check_checksums(path: Path, log: FindingLog, _ground: _Ground) -> str:
    return f"{len(parse_checksums(_unpacked(path), log))} checksums"


def _check_sample_sheet(path: Path, log: FindingLog, _ground: _Ground) -> str:
    sheet = parse_sample_sheet(_unpacked(path), log)
    return f"{len(sheet.samples)} samples, a sheet of {sheet.dialect}"


def _check_vcf(path: Path, log: FindingLog, ground: _Ground) -> str:
    with ExitStack() as opened:
        fasta = ground.reference
        bases = None
        if fasta and fasta.with_name(f"{fasta.name}.fai").exists():  # without one pysam would write it there
            bases = opened.enter_context(pysam.FastaFile(str(fasta)))
        vcf = validate_vcf(_chunks(path), log, length_by_contig=ground.length_by_contig, reference=bases)
    kind = "gVCF" if vcf.is_gvcf else "VCF"
    return f"{vcf.record_count} records of {kind} {vcf.version}, {vcf.sample_count} samples"


def _check_alignment(path: Path, log: FindingLog, ground: _Ground) -> str:
    source = AlignmentSource(path.name, _chunks(path))
    found = validate_alignment(source, log, path=path, reference=ground.reference)
    return f"{found.record_count} records" + ("" if found.mapped_count is not None else ", not decoded")


def _format(path: Path) -> FileFormat | None:
    if path.name.lower() in _CHECKSUM_NAMES:
        return FileFormat.CHECKSUMS
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


def _unpacked(path: Path) -> Iterator[bytes]:
    return decompress_if_gzip(_chunks(path), path.name)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{path}: {error.strerror}; check the path") from None
