"""Aligned reads as columns: samtools decodes a CRAM or BAM once, and each batch of records becomes a few arrays.

What measures reads takes these batches, so that one pass over the file serves all of it. Source of the layout: SAM 1,
section 4.2 (BAM); samtools writes it uncompressed.
"""

import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from strandline.landing.decompression import decompress_if_gzip
from strandline.landing.read_ahead import ReadAhead
from strandline.landing.sam.bam import FIXED_AT, FIXED_FIELDS, find_records
from strandline.landing.sam.gather import Bytes, Integers, gather
from strandline.reads.tools import tool_command

BASE_CODES: Final = "=ACMGRSVTWYHKDBN"  # SAM 1, section 4.2.3: a base's four bits are its place here
PAIRED, PROPER_PAIR, UNMAPPED, MATE_UNMAPPED, REVERSE, MATE_REVERSE = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
FIRST, SECOND, SECONDARY, FAILED, DUPLICATE, SUPPLEMENTARY = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
NOT_PRIMARY: Final = SECONDARY | SUPPLEMENTARY

_BATCH_BYTES: Final = 4 << 20
_PIPE_BYTES: Final = 1 << 18
_PIECES_AHEAD: Final = 128
"""Of up to 1 MiB each: who writes or decodes the reads goes on while batches are counted, and is seldom waited for."""
_NEEDED_FIELDS: Final = "0x7FE"  # every column but the name; tags are left out, which spares a CRAM's decoder most
_TAKES_QUERY: Final = np.array([1, 1, 0, 0, 1, 0, 0, 1, 1] + [0] * 7, dtype=np.int64)  # of MIDNSHP=X
_TAKES_REFERENCE: Final = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1] + [0] * 7, dtype=np.int64)
_ALIGNED: Final = np.array([1, 0, 0, 0, 0, 0, 0, 1, 1] + [0] * 7, dtype=np.bool_)
_INT: Final = struct.Struct("<i")


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Records in file order; one entry a record unless said otherwise.

    Attributes:
        flag: SAM's FLAG.
        contig: number of the contig in the header, -1 for none.
        position0: 0-based leftmost aligned base.
        mapping_quality: on the Phred scale; 255 is unknown.
        next_contig: contig number of the mate.
        template_length: SAM's TLEN, signed.
        base_count: length of SEQ.
        first_base: where the record's bases begin in `bases` and `qualities`.
        bases: of all records, each as its place in `BASE_CODES`, as in SEQ.
        qualities: of all records, on the Phred scale; 255 where the file has none.
        operation_count: CIGAR operations.
        operations: of all records: M, I, D, N, S, H, P, =, X as 0 to 8.
        operation_lengths: of all records, in bases.
    """

    flag: Integers
    contig: Integers
    position0: Integers
    mapping_quality: Integers
    next_contig: Integers
    template_length: Integers
    base_count: Integers
    first_base: Integers
    bases: Bytes
    qualities: Bytes
    operation_count: Integers
    operations: Integers
    operation_lengths: Integers

    def __len__(self) -> int:
        return len(self.flag)


@dataclass(frozen=True, slots=True)
class AlignedBlocks:
    """Stretches of reads on the contig without a gap (M, =, X), half-open.

    Attributes:
        read: place of the record in its batch.
        start0: 0-based first base on the contig.
        end0: behind the last.
        first_base: where the block's bases begin in the batch's `bases`.
    """

    read: Integers
    start0: Integers
    end0: Integers
    first_base: Integers


def find_blocks(batch: ReadBatch, wanted: npt.NDArray[np.bool_]) -> AlignedBlocks:
    """Return the aligned blocks of the records that `wanted` marks."""
    kept = np.repeat(wanted, batch.operation_count)
    owner = np.repeat(np.arange(len(batch)), batch.operation_count)[kept]
    operations, lengths = batch.operations[kept], batch.operation_lengths[kept]
    reference_step = _TAKES_REFERENCE[operations] * lengths
    query_step = _TAKES_QUERY[operations] * lengths
    counts = batch.operation_count[wanted]
    before_reference = _sums_before(reference_step, counts)
    before_query = _sums_before(query_step, counts)
    aligned = _ALIGNED[operations]
    read = owner[aligned]
    start0 = batch.position0[read] + before_reference[aligned]
    return AlignedBlocks(
        read=read,
        start0=start0,
        end0=start0 + lengths[aligned],
        first_base=batch.first_base[read] + before_query[aligned],
    )


@contextmanager
def open_batches(
    aligned: Path, reference: Path, *, threads: int = 1
) -> Iterator[tuple[list[str], Iterator[ReadBatch]]]:
    """Decode `aligned` and yield the contigs of its header, in order, and its records in batches.

    Args:
        aligned: CRAM, BAM or SAM.
        reference: FASTA with its index, which a CRAM is decoded with.
        threads: that may decode beside this process.

    Raises:
        subprocess.CalledProcessError: where samtools failed.
    """
    command = [
        *(*tool_command("samtools"), "view", "-u", "-@", str(threads - 1), "-T", str(reference)),
        *("--input-fmt-option", f"required_fields={_NEEDED_FIELDS}", str(aligned)),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        source, has_ended = process.stdout, False

        def read_on() -> Iterator[bytes]:
            nonlocal has_ended
            while piece := source.read(_PIPE_BYTES):
                yield piece
            has_ended = True

        try:
            with decode_batches(read_on()) as decoded:
                yield decoded
        except BaseException:
            if has_ended and (code := process.wait()):  # what is missing is missing because the tool died
                raise subprocess.CalledProcessError(code, command) from None
            process.kill()
            raise
        source.close()
        code = process.wait()
    if code not in {0, -13}:  # -13: the caller wanted no more
        raise subprocess.CalledProcessError(code, command)


@contextmanager
def decode_batches(chunks: Iterable[bytes]) -> Iterator[tuple[list[str], Iterator[ReadBatch]]]:
    """Yield the contigs of a BAM's header, in order, and its records in batches.

    Args:
        chunks: the bytes of the BAM in order, compressed or as `samtools view -u` leaves them, in pieces of any size.
    """
    with ReadAhead(decompress_if_gzip(chunks, "the reads"), _PIECES_AHEAD) as pieces:
        content = _Content(iter(pieces))
        yield content.read_contigs(), content.read_records()


class _Content:
    """The uncompressed content of a BAM that comes through a pipe."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._pending = b""

    def read_contigs(self) -> list[str]:
        """Read the header up to the first record."""
        text_length = _INT.unpack_from(self._first(8), 4)[0]
        count = _INT.unpack_from(self._first(8 + text_length + 4), 8 + text_length)[0]
        at = 8 + text_length + 4
        names = []
        for _ in range(count):
            size = _INT.unpack_from(self._first(at + 4), at)[0]
            entry = self._first(at + 4 + size + 4)
            names.append(entry[at + 4 : at + 4 + size - 1].decode("ascii"))
            at += 4 + size + 4
        self._pending = self._pending[at:]
        return names

    def read_records(self) -> Iterator[ReadBatch]:
        """Yield all records."""
        while self._fill(_BATCH_BYTES):
            starts, after, needed = find_records(self._pending, 0)
            if len(starts):
                yield _to_columns(self._pending, starts)
                self._pending = self._pending[after:]
            elif needed < 0 or not self._grow(needed):
                raise RuntimeError("samtools ended within a record")

    def _first(self, count: int) -> bytes:
        if not self._grow(count):
            raise RuntimeError("samtools ended within the header")
        return self._pending

    def _grow(self, count: int) -> bool:
        return self._fill(count) and len(self._pending) >= count

    def _fill(self, count: int) -> bool:
        """Hold `count` bytes, or what is left; False where nothing is."""
        parts = [self._pending]
        size = len(self._pending)
        while size < count and (piece := next(self._pieces, b"")):
            parts.append(piece)
            size += len(piece)
        self._pending = b"".join(parts)
        return size > 0


def _to_columns(data: bytes, starts: Integers) -> ReadBatch:
    buffer: Bytes = np.frombuffer(data, dtype=np.uint8)
    fixed = np.ascontiguousarray(buffer[starts[:, None] + FIXED_AT]).view(FIXED_FIELDS)[:, 0]
    operation_count = fixed["operation_count"].astype(np.int64)
    base_count = fixed["base_count"].astype(np.int64)
    cigars = starts + FIXED_FIELDS.itemsize + fixed["name_length"].astype(np.int64)
    packed = cigars + 4 * operation_count
    raw = gather(buffer, cigars, 4 * operation_count).view("<u4")
    return ReadBatch(
        flag=fixed["flag"].astype(np.int64),
        contig=fixed["contig"].astype(np.int64),
        position0=fixed["position0"].astype(np.int64),
        mapping_quality=fixed["quality"].astype(np.int64),
        next_contig=fixed["next_contig"].astype(np.int64),
        template_length=fixed["template_length"].astype(np.int64),
        base_count=base_count,
        first_base=np.cumsum(base_count) - base_count,
        bases=_unpack_bases(gather(buffer, packed, (base_count + 1) // 2), base_count),
        qualities=gather(buffer, packed + (base_count + 1) // 2, base_count),
        operation_count=operation_count,
        operations=(raw & 15).astype(np.int64),
        operation_lengths=(raw >> 4).astype(np.int64),
    )


def _unpack_bases(packed: Bytes, base_count: Integers) -> Bytes:
    """Return one base a byte; a record of an odd number of bases ends with half a byte that means nothing."""
    both = np.empty(2 * len(packed), dtype=np.uint8)
    both[0::2], both[1::2] = packed >> 4, packed & 15
    odd = base_count % 2
    if not odd.any():
        return both
    padding = (np.cumsum(base_count + odd) - 1)[odd == 1]
    return np.delete(both, padding)


def _sums_before(values: Integers, counts: Integers) -> Integers:
    """Return for each value the sum of those before it that belong to the same record."""
    before = np.cumsum(values) - values
    firsts = (np.cumsum(counts) - counts)[counts > 0]
    within: Integers = before - np.repeat(before[firsts], counts[counts > 0])
    return within
