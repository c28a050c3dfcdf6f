"""One alignment file, whichever of the formats it is: what it holds, and in the log what is wrong with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Final

import pysam

from strandline.landing.decompression import GZIP_MAGIC, decompress_if_gzip
from strandline.landing.findings import FindingLog
from strandline.landing.sam import bam, cram, rules
from strandline.landing.sam.bgzf import BgzfBlocks
from strandline.landing.sam.header import Header
from strandline.landing.sam.indexes import check_bin_index, check_line_index, find_index
from strandline.landing.sam.records import RecordChecks
from strandline.landing.sam.reference import Contig, compare_contigs, measure_reference
from strandline.landing.sam.text import TextRecords, check_text

_BGZF_HEAD: Final = b"\x1f\x8b\x08\x04"
_HEAD_BYTES: Final = 18
_Reference = Path | Mapping[bytes, Contig] | None
_DECODING: Final = Lock()  # htslib's verbosity is one for the process


@dataclass(frozen=True, slots=True)
class AlignmentSource:
    """A file's name and its stored bytes, in chunks of any size."""

    name: str
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class AlignmentSummary:
    """What a file holds.

    Attributes:
        format: SAM, BAM or CRAM; None where it is none of them.
        version: of the header, or of CRAM.
        record_count: records found, whether or not each was right.
        mapped_count: those without the unmapped bit; None where a CRAM was not decoded.
    """

    format: str | None
    version: str | None
    record_count: int
    mapped_count: int | None
    sort_order: str
    contig_count: int
    read_group_count: int


def validate_alignment(
    source: AlignmentSource,
    log: FindingLog,
    *,
    path: Path | None = None,
    reference: _Reference = None,
) -> AlignmentSummary:
    """Check a SAM, BAM or CRAM file and write what is wrong into `log`, which then says whether it is kept out.

    Args:
        source: read once, in order, in memory that does not grow with the file.
        log: of this file.
        path: where the same file lies, so that its index is found and a CRAM's records can be decoded.
        reference: FASTA that @SQ lines are held against and CRAM is decoded with; or only its contigs by name, where
            they are known without reading it: then no CRAM is decoded.

    Raises:
        RejectedInputError: from the decompression of SAM text: `gzip_truncated`, `gzip_corrupt`, `gzip_trailing_bytes`.
    """
    chunks = iter(source.chunks)
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    stored = chain([head], chunks)
    if not head:
        endings = {".bam": rules.BAM_TRUNCATED, ".cram": rules.CRAM_TRUNCATED}
        log.add(endings.get(Path(source.name).suffix, rules.EMPTY), kind="no byte")
        return _summary(None, Header(), None)
    if head.startswith(cram.MAGIC):
        found = _check_cram(stored, log, path, reference)
    elif head.startswith(GZIP_MAGIC) or _is_cut_magic(head, source.name):
        found = _check_compressed(AlignmentSource(source.name, stored), head, log, path, reference)
    else:
        found = _check_sam(stored, log, reference)
    _check_name(source.name, found, log)
    return found


def _is_cut_magic(head: bytes, name: str) -> bool:
    return len(head) < len(GZIP_MAGIC) and GZIP_MAGIC.startswith(head) and name.endswith(".bam")


def _check_name(name: str, found: AlignmentSummary, log: FindingLog) -> None:
    suffix = Path(name.removesuffix(".gz").removesuffix(".bgz")).suffix.lstrip(".").upper()
    if found.format is not None and suffix in {"SAM", "BAM", "CRAM"} and suffix != found.format:
        log.add(rules.NAME_DIFFERS, kind=found.format)


def _check_compressed(
    source: AlignmentSource, head: bytes, log: FindingLog, path: Path | None, reference: _Reference
) -> AlignmentSummary:
    """Check what begins like gzip: BAM, or SAM text that was compressed."""
    name, stored = source.name, source.chunks
    if head.startswith(_BGZF_HEAD) or name.endswith(".bam"):
        index = find_index(path) if path is not None else None
        blocks = BgzfBlocks(stored, log, keep_starts=index is not None)
        contents = iter(blocks)
        first = next(contents, b"")
        if first and not first.startswith(bam.MAGIC[: len(first)]):
            return _check_sam(chain([first], contents), log, reference)
        return _check_bam(chain([first] if first else [], contents), blocks, index, log, reference)
    plain = decompress_if_gzip(stored, name)
    first = next(plain, b"")
    if first.startswith(bam.MAGIC):
        log.add(rules.NOT_BGZF)
        return _summary("BAM", Header(), None)
    return _check_sam(chain([first], plain), log, reference)


def _check_bam(
    contents: Iterator[bytes], blocks: BgzfBlocks, index: Path | None, log: FindingLog, reference: _Reference
) -> AlignmentSummary:
    reader = bam.BamReader(contents, log)
    checks: RecordChecks | None = None
    if reader.read_header():
        checks = RecordChecks(reader.header, log)
        reader.check_records(checks)
    if reader.ended_within and blocks.is_intact:
        log.add(rules.BAM_TRUNCATED, kind="within a record" if checks else "within the header")
    if reader.is_intact and blocks.is_intact and checks is not None:
        _compare_reference(reader.header, reference, log)
        if index is not None and index.suffix != ".crai":
            check_bin_index(index, checks, blocks.starts, blocks.stored_bytes, log)
    return _summary("BAM", reader.header, checks)


def _check_sam(pieces: Iterable[bytes], log: FindingLog, reference: _Reference) -> AlignmentSummary:
    checks = check_text(pieces, log)
    if checks is None:
        return _summary(None, Header(), None)
    _compare_reference(checks.header, reference, log)
    return _summary("SAM", checks.header, checks)


def _compare_reference(header: Header, reference: _Reference, log: FindingLog) -> None:
    """Warn of contigs that the given reference has otherwise: the file itself may be right."""
    if header.number_by_contig and (contigs := _contigs_of(reference)) is not None:
        compare_contigs(header, contigs, rules.REFERENCE_DIFFERS, log, None)


def _contigs_of(reference: _Reference) -> Mapping[bytes, Contig] | None:
    if isinstance(reference, Path):
        return measure_reference(reference) if reference.is_file() else None
    return reference


def _check_cram(stored: Iterable[bytes], log: FindingLog, path: Path | None, reference: _Reference) -> AlignmentSummary:
    found = cram.read_cram(stored, log)
    checks = None
    if found.is_intact and log.first_error is None:
        index = find_index(path) if path is not None else None
        if index is not None and index.suffix == ".crai":
            check_line_index(index, len(found.header.lengths), found.starts, log)
        contigs = _contigs_of(reference)
        if contigs is not None:
            compare_contigs(found.header, contigs, rules.CRAM_REFERENCE, log, found.used_contigs)
        fasta = reference if isinstance(reference, Path) and contigs is not None else None
        if path is None or (found.needs_reference and fasta is None):
            log.add(rules.CRAM_NOT_DECODED, kind="no reference" if path is not None else "no file to decode")
        elif log.first_error is None:
            checks = _decode(path, fasta, found, log)
    return AlignmentSummary(
        "CRAM",
        found.version or None,
        found.record_count,
        checks.mapped_count if checks is not None else None,
        found.header.sort_order,
        len(found.header.number_by_contig),
        len(found.header.read_groups),
    )


def _decode(path: Path, reference: Path | None, found: cram.CramStructure, log: FindingLog) -> RecordChecks | None:
    """Check the records that htslib decodes; what it stops at is an error."""
    checks = RecordChecks(found.header, log, any_contig=not found.header.number_by_contig)
    records = TextRecords(checks, log)
    count = 0
    with _DECODING:
        verbosity = pysam.set_verbosity(0)  # what it prints may quote a record
        try:
            name = str(reference) if reference else None
            with pysam.AlignmentFile(str(path), "rc", reference_filename=name) as decoded:
                for segment in decoded.fetch(until_eof=True):
                    count += 1
                    records.add(segment.to_string().encode(), None)
        except (OSError, ValueError):
            log.add(rules.UNREADABLE, record=count + 1, kind="htslib cannot decode it")
            return None
        finally:
            pysam.set_verbosity(verbosity)
    records.flush()
    if count != found.record_count:
        log.add(rules.CRAM_RECORD_COUNT, kind="containers and decoded records")
    return checks


def _summary(kind: str | None, header: Header, checks: RecordChecks | None) -> AlignmentSummary:
    return AlignmentSummary(
        kind,
        header.version,
        checks.record_count if checks is not None else 0,
        checks.mapped_count if checks is not None else 0,
        header.sort_order,
        len(header.lengths),
        len(header.read_groups),
    )
