"""The reads of several samples in one window, weighed against the same sequences.

What one person's reads show from edge to edge is a candidate for its relatives too: a child's haplotype that no read of
its mother spans is still found in hers. Two persons are then never told apart by how their alleles were written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Final

import pysam

from strandline.variants.haplotypes import MARGIN, Allele, Genotype, LaidRead, genotype_window
from strandline.variants.windows import MOST_READS, Window, lay_reads

_FEWEST_FRAGMENTS: Final = 3
_FEWEST_SEEN: Final = 2  # reads of one sample that a sequence is seen in before it is a candidate
_MOST_SEEN: Final = 12
_MOST_COMBINED: Final = 4  # alleles of one sample whose every combination is a candidate
_MOST_SEQUENCES: Final = 32


def genotype_together(
    window: Window,
    reads: Mapping[int, Sequence[pysam.AlignedSegment]],
    carried: Sequence[Sequence[Allele]],
    reference: pysam.FastaFile,
) -> dict[int, dict[Allele, Genotype]]:
    """Return the genotypes of every sample whose reads can decide, by sample and by allele on the contig.

    Args:
        window: where.
        reads: by sample, those that touch the window or its flanks.
        carried: the alleles that each of all samples was called with there, `start0` on the contig.
        reference: the bases.
    """
    bases = reference.fetch(window.contig, max(0, window.start0 - MARGIN), window.end0 + MARGIN).upper()
    width = window.end0 - window.start0
    if window.start0 < MARGIN or len(bases) < 2 * MARGIN + width or not set(bases) <= set("ACGT"):
        return {}
    middle = bases[MARGIN : MARGIN + width]
    laid: dict[int, list[LaidRead]] = {}
    seen: Counter[str] = Counter()
    for sample, touching in reads.items():
        if _FEWEST_FRAGMENTS <= len(touching) < MOST_READS:
            laid[sample], counts = lay_reads(window, touching)
            seen.update({sequence: count for sequence, count in counts.items() if count >= _FEWEST_SEEN})
    candidates = [sequence for sequence, _ in sorted(seen.items(), key=lambda one: (-one[1], one[0]))[:_MOST_SEEN]]
    candidates += propose_sequences(window, middle, carried)
    candidates = list(dict.fromkeys(candidates))[:_MOST_SEQUENCES]
    decided = {}
    for sample, of_sample in laid.items():
        found = genotype_window(middle, bases[:MARGIN], bases[MARGIN + width :], candidates, of_sample)
        if max((genotype.depth for genotype in found), default=0) >= _FEWEST_FRAGMENTS:
            decided[sample] = {_on_contig(genotype.allele, window.start0): genotype for genotype in found}
    return decided


def propose_sequences(window: Window, bases: str, carried: Sequence[Sequence[Allele]]) -> list[str]:
    """Return the window with each allele alone, then with the alleles of each sample that fit beside each other.

    >>> window = Window("c", 10, 15)
    >>> propose_sequences(window, "ACGTA", [[Allele(11, "C", "T"), Allele(13, "T", "")]])
    ['ATGTA', 'ACGA', 'ATGA']
    """
    proposed: dict[tuple[Allele, ...], None] = {}
    for size in range(1, _MOST_COMBINED + 1):
        for alleles in carried:
            inside = sorted(allele for allele in set(alleles) if window.covers(allele))
            if size == 1 or len(inside) <= _MOST_COMBINED:
                proposed.update(dict.fromkeys(chosen for chosen in combinations(inside, size) if _fit(chosen)))
    return [_apply(bases, window.start0, chosen) for chosen in proposed]


def _fit(alleles: Sequence[Allele]) -> bool:
    return all(one.start0 + len(one.ref) <= two.start0 for one, two in pairwise(alleles))


def _apply(bases: str, offset: int, alleles: Sequence[Allele]) -> str:
    for allele in reversed(alleles):
        at = allele.start0 - offset
        bases = bases[:at] + allele.alt + bases[at + len(allele.ref) :]
    return bases


def _on_contig(allele: Allele, offset: int) -> Allele:
    return Allele(allele.start0 + offset, allele.ref, allele.alt)
