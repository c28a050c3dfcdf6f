"""A caller's variants laid over reference blocks, as a gVCF of the one shape that later steps read.

A reference block states how many reads were seen, and a later question "is this variant absent?" is answered from it.
Blocks come from the caller's own gVCF, or from the pile-up where the caller says nothing useful of where it found
nothing: then they end where the depth crosses 1, 10 or 20 reads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region
from strandline.variants.refinement import cut_to, open_unindexed

_UNSEEN: Final = frozenset({"<*>", "<NON_REF>"})  # VCF 4.3, section 5.5, and GATK's name for the same

_LINES: Final = (
    '##INFO=<ID=END,Number=1,Type=Integer,Description="End position of the reference block">',
    '##INFO=<ID=MIN_DP,Number=1,Type=Integer,Description="Least depth in the reference block">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred-scaled genotype likelihoods">',
)


_Event = tuple[int, int, int, "Block | pysam.VariantRecord"]  # rank of the contig, 0-based start, blocks first


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the reference with the least depth in it; 0-based, half-open."""

    contig: str
    start0: int
    end0: int
    depth: int


def write_gvcf(
    reference: Path,
    blocks_from: Path,
    called: Path,
    gvcf: Path,
    *,
    header: bytes,
    keep: Sequence[Region] | None = None,
) -> None:
    """Write the gVCF of one sample.

    Args:
        reference: FASTA with its index.
        blocks_from: gVCF whose records say how deep each base was read.
        called: VCF of the caller, sorted; sites without another allele in the genotype are left to the blocks.
        gvcf: output, BGZF.
        header: `##` lines to add to those of `called`.
        keep: only what lies there is written; None for all.
    """
    with (
        pysam.FastaFile(str(reference)) as bases,
        open_unindexed(blocks_from) as proposed,
        open_unindexed(called) as records,
    ):
        for line in header.decode().splitlines():
            records.header.add_line(line)
        add_block_lines(records.header)
        ranks = {contig: rank for rank, contig in enumerate(bases.references)}
        laid = lay_calls(read_blocks(proposed), _carried(records), ranks)
        written = (block_record(one, records.header, bases) if isinstance(one, Block) else one for one in laid)
        with pysam.VariantFile(str(gvcf), "wz", header=records.header) as sink:
            for record in written if keep is None else cut_to(written, keep, bases):
                sink.write(record)


def add_block_lines(header: pysam.VariantHeader) -> None:
    """Declare in a caller's header what blocks and our likelihoods need, unless it is there."""
    for line in _LINES:
        kind, name = line[2:].split("=<ID=")
        there = header.info if kind == "INFO" else header.formats
        if name.partition(",")[0] not in there:
            header.add_line(line)


def read_blocks(proposed: Iterable[pysam.VariantRecord]) -> Iterator[Block]:
    """Yield how deep the bases were read, as blocks that do not overlap; a base that may differ is one, too.

    What a record says of bases that it spans behind its own gives way to the records of those bases.
    """
    held: Block | None = None
    is_firm, contig, reached = True, "", 0
    for record in proposed:
        if held:
            told = held if is_firm or held.contig != record.contig else _cut(held, held.start0, record.start)
            if told:
                yield told
                reached = told.end0
        if record.contig != contig:
            contig, reached = record.contig, 0
        start0 = max(record.start, reached)
        is_firm = _is_reference(record)
        held = Block(record.contig, start0, record.stop, _least_depth(record)) if start0 < record.stop else None
    if held:
        yield held


def lay_calls(
    blocks: Iterable[Block], calls: Iterable[pysam.VariantRecord], rank_by_contig: Mapping[str, int]
) -> Iterator[Block | pysam.VariantRecord]:
    """Yield sorted blocks and calls in one order, each block cut where a call says what its bases are.

    Below an insertion or deletion the block stays: it tells how deep the bases were read that are there or not.
    """
    of_blocks: Iterator[_Event] = ((rank_by_contig[block.contig], block.start0, 0, block) for block in blocks)
    of_calls: Iterator[_Event] = ((rank_by_contig[call.contig], call.start, 1, call) for call in calls)
    open_block: Block | None = None
    told = (0, 0)  # rank of the contig, and the 0-based end of what a call has told there
    for rank, start0, _, found in merge(of_blocks, of_calls, key=lambda event: event[:3]):
        if isinstance(found, Block):
            if open_block:
                yield open_block
            open_block = _cut(found, told[1] if told[0] == rank else 0, found.end0)
            continue
        here = open_block is not None and open_block.contig == found.contig
        if open_block and not here:
            yield open_block
            open_block = None
        told_to = start0 + len(found.ref or "") if _tells_bases(found) else start0
        if told_to > start0:
            told = (rank, max(told_to, told[1] if told[0] == rank else 0))
        if open_block:
            before = _cut(open_block, open_block.start0, start0)
            if before:
                yield before
            open_block = _cut(open_block, told_to, open_block.end0)
        yield found
    if open_block:
        yield open_block


def block_record(block: Block, header: pysam.VariantHeader, bases: pysam.FastaFile) -> pysam.VariantRecord:
    """Return a block as a record of a gVCF."""
    base = bases.fetch(block.contig, block.start0, block.start0 + 1).upper()
    record = header.new_record(contig=block.contig, start=block.start0, alleles=(base, "."))  # pysam wants two
    if block.end0 > block.start0 + 1:
        record.stop = block.end0
    record.info["MIN_DP"] = block.depth
    record.samples[0]["GT"] = (0, 0)
    record.samples[0]["DP"] = block.depth
    return record


def _is_reference(record: pysam.VariantRecord) -> bool:
    return set(record.alts or ()) <= _UNSEEN


def _least_depth(record: pysam.VariantRecord) -> int:
    sample = record.samples[0]
    least = sample.get("MIN_DP") if _is_reference(record) else None
    return int((sample.get("DP") if least is None else least) or 0)


def _carried(records: pysam.VariantFile) -> Iterator[pysam.VariantRecord]:
    """Yield the sites where the sample carries another allele, with likelihoods as integers.

    Source: VCF 4.3, section 1.6.2 (GL, PL).
    """
    for record in records:
        sample = record.samples[0]
        if not any(sample.get("GT") or ()):
            continue
        likelihoods = sample.get("GL")
        if likelihoods and None not in likelihoods:
            best = max(likelihoods)
            sample["PL"] = [round(10 * (best - one)) for one in likelihoods]
        yield record


def _tells_bases(call: pysam.VariantRecord) -> bool:
    """Whether some allele replaces bases one by one, so that a block over them would say otherwise."""
    return any(len(alt) == len(call.ref or "") for alt in call.alts or ())


def _cut(block: Block, start0: int, end0: int) -> Block | None:
    start0, end0 = max(block.start0, start0), min(block.end0, end0)
    return Block(block.contig, start0, end0, block.depth) if start0 < end0 else None
