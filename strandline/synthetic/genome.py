"""A small made-up chromosome with coding genes that a consequence caller can read."""

from dataclasses import dataclass
from typing import Final

import numpy as np

CONTIG: Final = "synth1"
_BASES: Final = np.frombuffer(b"ACGT", dtype=np.uint8)
_STOPS: Final = frozenset({"TAA", "TAG", "TGA"})
_EXON_LENGTHS: Final = (300, 240, 360)
_INTRON_LENGTH: Final = 900
_GENE_SPACING: Final = 14_000
_GENE_COUNT: Final = 4


@dataclass(frozen=True, slots=True)
class Exon:
    """1-based inclusive positions on the contig."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Gene:
    """A protein-coding gene on the forward strand with one transcript; all of its exons are coding."""

    symbol: str
    exons: tuple[Exon, ...]

    @property
    def start(self) -> int:
        """1-based position of the first base."""
        return self.exons[0].start

    @property
    def end(self) -> int:
        """1-based position of the last base."""
        return self.exons[-1].end


@dataclass(frozen=True, slots=True)
class Genome:
    """One contig and its genes."""

    bases: str
    genes: tuple[Gene, ...]


def make_genome(rng: np.random.Generator, length: int = 60_000) -> Genome:
    """Draw a contig of `length` bases and write genes into it: ATG, no stop before the end, introns from GT to AG."""
    bases = bytearray(_BASES[rng.integers(0, 4, length)].tobytes())
    genes = tuple(_write_gene(bases, rng, index) for index in range(_GENE_COUNT))
    return Genome(bases.decode(), genes)


def to_fasta(genome: Genome, width: int = 60) -> str:
    """Return the contig as FASTA."""
    lines = (genome.bases[start : start + width] for start in range(0, len(genome.bases), width))
    return f">{CONTIG}\n" + "\n".join(lines) + "\n"


def to_gff3(genome: Genome) -> str:
    """Return the genes as GFF3 in Ensembl's manner, which `bcftools csq` reads."""
    lines = ["##gff-version 3", f"##sequence-region {CONTIG} 1 {len(genome.bases)}"]
    for number, gene in enumerate(genome.genes, start=1):
        gene_id, transcript_id = f"SYNG{number:05d}", f"SYNT{number:05d}"
        span = f"{CONTIG}\tsynthetic\t{{}}\t{gene.start}\t{gene.end}\t.\t+\t.\t"
        lines.append(
            span.format("gene") + f"ID=gene:{gene_id};Name={gene.symbol};biotype=protein_coding;gene_id={gene_id}"
        )
        lines.append(
            span.format("mRNA") + f"ID=transcript:{transcript_id};Parent=gene:{gene_id};biotype=protein_coding"
        )
        coded = 0
        for exon in gene.exons:
            place = (
                f"{CONTIG}\tsynthetic\t{{}}\t{exon.start}\t{exon.end}\t.\t+\t{{}}\tParent=transcript:{transcript_id}"
            )
            lines += [place.format("exon", "."), place.format("CDS", -coded % 3)]
            coded += exon.end - exon.start + 1
    return "\n".join(lines) + "\n"


def _write_gene(bases: bytearray, rng: np.random.Generator, index: int) -> Gene:
    codons = [_codon(rng) for _ in range(sum(_EXON_LENGTHS) // 3)]
    codons[0], codons[-1] = "ATG", "TAA"
    coding = "".join(codons)
    exons: list[Exon] = []
    position0 = 4_000 + index * _GENE_SPACING
    taken = 0
    for length in _EXON_LENGTHS:
        bases[position0 : position0 + length] = coding[taken : taken + length].encode()
        exons.append(Exon(position0 + 1, position0 + length))
        taken += length
        position0 += length
        if taken < len(coding):
            bases[position0 : position0 + 2] = b"GT"
            position0 += _INTRON_LENGTH
            bases[position0 - 2 : position0] = b"AG"
    return Gene(f"SYN{index + 1}", tuple(exons))


def _codon(rng: np.random.Generator) -> str:
    while (codon := _BASES[rng.integers(0, 4, 3)].tobytes().decode()) in _STOPS:
        pass
    return codon
