"""Genotypes around insertions and deletions, decided anew and put into the gVCF.

bcftools proposes, the reads decide: each window around a proposed insertion or deletion gets the two sequences that
explain its reads best. Everything outside of windows passes through as it is.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region, merge_regions
from strandline.variants.haplotypes import MARGIN, Allele, Genotype, genotype_window
from strandline.variants.windows import (
    MOST_READS,
    Window,
    assign_alleles,
    find_windows,
    lay_reads,
    read_windows,
    record_alleles,
)

_FEWEST_FRAGMENTS: Final = 3
_FEWEST_SEEN: Final = 2  # reads that a sequence is seen in before it is a candidate
_MOST_SEQUENCES: Final = 8
_MARK: Final = (
    "##INFO=<ID=WINDOW,Number=0,Type=Flag,Description="
    '"Genotype from the pair of sequences that explains the reads of the surrounding window best">'
)

Decided = tuple[Window, list[Genotype]]


def refine_gvcf(
    reference: Path,
    cram: Path,
    raw: Path,
    regions: Sequence[Region] | None,
    gvcf: Path,
    *,
    header: Sequence[str] = (),
    keep: Sequence[Region] | None = None,
) -> None:
    """Write `raw` with the genotypes in windows around its indels decided anew.

    Args:
        reference: FASTA with its index.
        cram: sorted, indexed reads of one sample.
        raw: gVCF of that sample from bcftools.
        regions: outside of these nothing is called; None for the whole reference.
        gvcf: output, BGZF.
        header: `##` lines to add.
        keep: only what lies there is written, records by their position; None for all.
    """
    with pysam.FastaFile(str(reference)) as bases:
        with open_unindexed(raw) as records:
            windows = find_windows(records, bases)
        with open_unindexed(raw) as records:
            assign_alleles(windows, records)
        with (
            pysam.AlignmentFile(str(cram), reference_filename=str(reference)) as reads,
            open_unindexed(raw) as records,
        ):
            for line in (_MARK, *header):
                records.header.add_line(line)
            refined = put_in(records, _decide(windows, reads, bases, regions), bases)
            with pysam.VariantFile(str(gvcf), "wz", header=records.header) as sink:
                for record in refined if keep is None else cut_to(refined, keep, bases):
                    sink.write(record)


def genotype_reads(window: Window, reads: Sequence[pysam.AlignedSegment], reference: pysam.FastaFile) -> list[Genotype]:
    """Return the genotypes of the alleles of a window, none where its reads cannot decide.

    Candidates are the sequences that two reads or more show from edge to edge, and the reference with one of the
    proposed alleles.
    """
    if not _FEWEST_FRAGMENTS <= len(reads) < MOST_READS or window.start0 < MARGIN:
        return []
    bases = reference.fetch(window.contig, window.start0 - MARGIN, window.end0 + MARGIN).upper()
    width = window.end0 - window.start0
    if len(bases) < 2 * MARGIN + width or not set(bases) <= set("ACGT"):
        return []
    middle = bases[MARGIN : MARGIN + width]
    laid, seen = lay_reads(window, reads)
    candidates = [sequence for sequence, count in seen.most_common(_MOST_SEQUENCES) if count >= _FEWEST_SEEN]
    for allele in window.alleles:
        at = allele.start0 - window.start0
        candidates.append(middle[:at] + allele.alt + middle[at + len(allele.ref) :])
    found = genotype_window(middle, bases[:MARGIN], bases[MARGIN + width :], candidates, laid)
    return found if max((genotype.depth for genotype in found), default=0) >= _FEWEST_FRAGMENTS else []


def put_in(
    records: pysam.VariantFile, decided: Iterable[Decided], reference: pysam.FastaFile
) -> Iterator[pysam.VariantRecord]:
    """Yield `records` in order, those of variants in a decided window replaced by what was decided there.

    A reference block is cut where a single base was found to differ in it. A single base that was proposed and is not
    there stays as a record with no copy: its place would have no record at all.
    """
    windows = iter(decided)
    window = next(windows, None)
    contigs_done: set[str] = set()
    held: list[pysam.VariantRecord] = []
    contig = ""
    for record in records:
        if record.contig != contig:
            contigs_done.add(contig)
            contig = record.contig
        while window and _is_past(window[0], record, contigs_done):
            yield from _in_order(held, window, records.header, reference)
            held, window = [], next(windows, None)
        if window is None or window[0].contig != contig or record.stop < window[0].start0:
            yield record
        elif not any(window[0].covers(allele) for allele in record_alleles(record)):
            held.append(record)
    if window:
        yield from _in_order(held, window, records.header, reference)


def cut_to(
    records: Iterable[pysam.VariantRecord], keep: Sequence[Region], reference: pysam.FastaFile
) -> Iterator[pysam.VariantRecord]:
    """Yield what of sorted records lies in `keep`: reference blocks cut to it, other records by their position."""
    by_contig = _by_contig(keep)
    for record in records:
        there = by_contig.get(record.contig, [])
        is_block = _is_block(record)
        for at in range(bisect_right(there, record.start, key=lambda region: region.end0), len(there)):
            start0, end0 = max(record.start, there[at].start0), min(record.stop, there[at].end0)
            if start0 >= end0:
                break
            if is_block:
                yield _block(record, start0, end0, reference)
            elif start0 == record.start:
                yield record
                break


def open_unindexed(vcf: Path) -> pysam.VariantFile:
    """Open a VCF that is only read from end to end, without htslib's complaint that it has no index."""
    verbosity = pysam.set_verbosity(0)
    try:
        return pysam.VariantFile(str(vcf))
    finally:
        pysam.set_verbosity(verbosity)


def _decide(
    windows: Sequence[Window],
    reads: pysam.AlignmentFile,
    reference: pysam.FastaFile,
    regions: Sequence[Region] | None,
) -> Iterator[Decided]:
    by_contig = None if regions is None else _by_contig(regions)
    for window, touching in read_windows(windows, reads):
        found = genotype_reads(window, touching, reference)
        if found:
            yield window, [genotype for genotype in found if _is_inside(window, genotype, by_contig)]


def _by_contig(regions: Sequence[Region]) -> dict[str, list[Region]]:
    by_contig: dict[str, list[Region]] = defaultdict(list)
    for region in merge_regions(list(regions)):
        by_contig[region.contig].append(region)
    return by_contig


def _is_inside(window: Window, genotype: Genotype, by_contig: Mapping[str, Sequence[Region]] | None) -> bool:
    if by_contig is None:
        return True
    regions, start0 = by_contig.get(window.contig, ()), genotype.allele.start0 + window.start0
    at = bisect_right(regions, start0, key=lambda region: region.start0) - 1
    return at >= 0 and start0 < regions[at].end0


def _is_past(window: Window, record: pysam.VariantRecord, contigs_done: set[str]) -> bool:
    return window.contig in contigs_done or (window.contig == record.contig and record.start > window.end0)


def _in_order(
    held: Sequence[pysam.VariantRecord], decided: Decided, header: pysam.VariantHeader, reference: pysam.FastaFile
) -> list[pysam.VariantRecord]:
    window, genotypes = decided
    new = []
    for genotype in genotypes:
        allele = replace(genotype.allele, start0=genotype.allele.start0 + window.start0)
        if genotype.copies or (allele.is_snv and allele in window.alleles):
            new.append(_to_record(window.contig, allele, genotype, header, reference))
    singles = sorted({record.start for record in new if "INDEL" not in record.info and record.rlen == 1})
    kept = [piece for record in held for piece in _cut_block(record, singles, reference)]
    return sorted([*kept, *new], key=lambda record: record.start)


def _to_record(
    contig: str, allele: Allele, genotype: Genotype, header: pysam.VariantHeader, reference: pysam.FastaFile
) -> pysam.VariantRecord:
    start0, ref, alt = allele.start0, allele.ref, allele.alt
    if not ref or not alt:
        start0 -= 1
        base = reference.fetch(contig, start0, start0 + 1).upper()
        ref, alt = base + ref, base + alt
    record = header.new_record(
        contig=contig, start=start0, stop=start0 + len(ref), alleles=(ref, alt), qual=genotype.quality
    )
    if len(ref) != len(alt):
        record.info["INDEL"] = True
    record.info["WINDOW"] = True
    record.info["DP"] = genotype.depth
    sample = record.samples[0]
    sample["GT"] = ((0, 0), (0, 1), (1, 1))[genotype.copies]
    sample["PL"] = genotype.likelihoods
    sample["DP"] = genotype.depth
    sample["AD"] = (genotype.ref_depth, genotype.alt_depth)
    sample["GQ"] = genotype.genotype_quality
    return record


def _cut_block(
    record: pysam.VariantRecord, singles: Sequence[int], reference: pysam.FastaFile
) -> list[pysam.VariantRecord]:
    """Return a reference block without the 0-based positions `singles`; any other record as it is."""
    if not _is_block(record) or not any(record.start <= at < record.stop for at in singles):
        return [record]
    edges = [record.start - 1, *(at for at in singles if record.start <= at < record.stop), record.stop]
    return [_block(record, before + 1, end0, reference) for before, end0 in pairwise(edges) if before + 1 < end0]


def _is_block(record: pysam.VariantRecord) -> bool:
    return record.alts in (None, (".",))  # as read from a file, as made here


def _block(record: pysam.VariantRecord, start0: int, end0: int, reference: pysam.FastaFile) -> pysam.VariantRecord:
    """Return a reference block cut to 0-based, half-open bounds within it."""
    if (start0, end0) == (record.start, record.stop):
        return record
    piece = record.copy()
    piece.start = start0
    piece.alleles = reference.fetch(record.contig, start0, start0 + 1).upper(), "."  # pysam wants two
    piece.stop = end0
    return piece
