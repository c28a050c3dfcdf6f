"""A contig and gene models written base by base, to name variants on."""

from collections.abc import Sequence
from pathlib import Path

import pysam

from strandline.variants.hgvs import ContigBases, reverse_complement
from strandline.variants.transcripts import Transcript


def open_bases(folder: Path, bases: str, contig: str = "c") -> ContigBases:
    """Write a FASTA of one contig and open it."""
    path = folder / "toy.fa"
    path.write_text(f">{contig}\n{bases}\n")
    pysam.faidx(str(path))
    return ContigBases(pysam.FastaFile(str(path)), contig)


def lay_out(exons: Sequence[str], introns: Sequence[str], *, before: str = "TTTTT", after: str = "TTTTT") -> str:
    """Return the contig that holds the exons with introns between them."""
    parts = [exons[0]]
    for intron, exon in zip(introns, exons[1:], strict=True):
        parts += [intron, exon]
    return before + "".join(parts) + after


def transcript_of(
    exons: Sequence[str],
    introns: Sequence[str],
    *,
    leader: int,
    coded: int,
    before: int = 5,
    is_forward: bool = True,
    contig_length: int = 0,
) -> Transcript:
    """Return the transcript that `lay_out` lays out.

    `leader` is how many bases lie before the first codon and `coded` how many are translated, both spliced. On the
    other strand the contig is the reverse complement, of `contig_length` bases.
    """
    places, at = [], before
    for number, exon in enumerate(exons):
        places.append((at, at + len(exon)))
        at += len(exon) + (len(introns[number]) if number < len(introns) else 0)
    spliced = [place for start, end in places for place in range(start, end)]
    coding = (spliced[leader], spliced[leader + coded - 1] + 1)
    if not is_forward:
        places = sorted((contig_length - end, contig_length - start) for start, end in places)
        coding = (contig_length - coding[1], contig_length - coding[0])
    return Transcript("T1.1", "TOY", is_forward, "protein_coding", tuple(places), coding, "P1.1")


def both_strands(
    folder: Path, exons: Sequence[str], introns: Sequence[str], *, leader: int, coded: int
) -> list[tuple[ContigBases, Transcript]]:
    """Return the same transcript on a contig and on its reverse complement."""
    bases = lay_out(exons, introns)
    made = []
    for is_forward, text in ((True, bases), (False, reverse_complement(bases))):
        place = folder / ("forward" if is_forward else "reverse")
        place.mkdir()
        transcript = transcript_of(
            exons, introns, leader=leader, coded=coded, is_forward=is_forward, contig_length=len(bases)
        )
        made.append((open_bases(place, text), transcript))
    return made
