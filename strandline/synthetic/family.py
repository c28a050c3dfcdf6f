"""A mother, a father and a child with planted variants, and the truth about the child.

The child takes one haplotype of each parent unchanged and has one variant of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from strandline.synthetic.genome import CONTIG, Genome

_SPACING: Final = 400  # bases between planted variants: no read carries more than two, no two meet
_SNV_SHARE: Final = 0.75
_LONGEST_INDEL: Final = 8


@dataclass(frozen=True, slots=True)
class PlantedVariant:
    """`position` is 1-based; `note` says why it was planted, or is empty for the background."""

    position: int
    ref: str
    alt: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A person's two haplotypes, as variants against the reference in order of position."""

    sample_id: str
    subject_id: str
    sex: str
    haplotypes: tuple[tuple[PlantedVariant, ...], tuple[PlantedVariant, ...]]

    def genotype_by_variant(self) -> dict[PlantedVariant, str]:
        """Return `1/1` or `0/1` for every variant that the person carries, in order of position."""
        one, two = (set(haplotype) for haplotype in self.haplotypes)
        ordered = sorted(one | two, key=lambda variant: variant.position)
        return {variant: "1/1" if variant in one and variant in two else "0/1" for variant in ordered}


@dataclass(frozen=True, slots=True)
class Family:
    """A trio; `de_novo` is the child's own variant."""

    mother: Person
    father: Person
    child: Person
    de_novo: PlantedVariant

    @property
    def members(self) -> tuple[Person, Person, Person]:
        """Mother, father, child."""
        return self.mother, self.father, self.child


def make_family(genome: Genome, rng: np.random.Generator) -> Family:
    """Plant background variants in the parents, a stop gain and a splice variant that the child inherits, a de novo."""
    stop = _stop_gain(genome)
    splice = _splice_donor(genome)
    de_novo = _snv(genome, genome.genes[2].exons[1].start + 100, rng, "de novo")
    taken = {stop.position, splice.position, de_novo.position}
    pool = [
        variant
        for position in range(600, len(genome.bases) - 600, _SPACING)
        if all(abs(position - other) > _SPACING // 2 for other in taken)
        for variant in [_background(genome, position, rng)]
    ]
    maternal, maternal_other, paternal, paternal_other = (_draw(pool, rng) for _ in range(4))
    mother = Person("SYN-MOTHER", "PT00001", "FEMALE", (_ordered([*maternal, stop]), _ordered(maternal_other)))
    father = Person("SYN-FATHER", "PT00002", "MALE", (_ordered([*paternal, splice]), _ordered(paternal_other)))
    inherited = mother.haplotypes[0], _ordered([*father.haplotypes[0], de_novo])
    child = Person("SYN-CHILD", "PT00003", "FEMALE", inherited)
    return Family(mother, father, child, de_novo)


def apply_variants(bases: str, haplotype: Sequence[PlantedVariant]) -> str:
    """Return the haplotype's sequence.

    >>> apply_variants("ACGTACGT", [PlantedVariant(2, "C", "T"), PlantedVariant(4, "TA", "T")])
    'ATGTCGT'
    """
    parts: list[str] = []
    done = 0
    for variant in haplotype:
        start0 = variant.position - 1
        parts += [bases[done:start0], variant.alt]
        done = start0 + len(variant.ref)
    return "".join([*parts, bases[done:]])


def to_vcf(person: Person, genome: Genome) -> str:
    """Return the person's true variants as VCF 4.3."""
    lines = [
        "##fileformat=VCFv4.3",
        f"##contig=<ID={CONTIG},length={len(genome.bases)}>",
        '##INFO=<ID=NOTE,Number=1,Type=String,Description="Why the variant was planted">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{person.sample_id}",
    ]
    for variant, genotype in person.genotype_by_variant().items():
        info = f"NOTE={variant.note.replace(' ', '_')}" if variant.note else "."
        fields = (CONTIG, variant.position, ".", variant.ref, variant.alt, ".", "PASS", info, "GT", genotype)
        lines.append("\t".join(map(str, fields)))
    return "\n".join(lines) + "\n"


def to_assertions_vcf(family: Family, genome: Genome) -> str:
    """Return made-up significance in ClinVar's form: the stop gain is known as pathogenic."""
    known = next(variant for variant in family.mother.haplotypes[0] if variant.note == "stop gain")
    lines = [
        "##fileformat=VCFv4.3",
        f"##contig=<ID={CONTIG},length={len(genome.bases)}>",
        '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="Made-up clinical significance">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
        f"{CONTIG}\t{known.position}\t900001\t{known.ref}\t{known.alt}\t.\t.\tCLNSIG=Pathogenic",
    ]
    return "\n".join(lines) + "\n"


def _stop_gain(genome: Genome) -> PlantedVariant:
    """Find a codon of the first gene that one change turns into TAA, TAG or TGA, away from the exon's ends."""
    exon = genome.genes[0].exons[0]
    for codon0 in range(exon.start - 1 + 90, exon.end - 60, 3):
        codon = genome.bases[codon0 : codon0 + 3]
        for stop in ("TAA", "TAG", "TGA"):
            differing = [index for index in range(3) if codon[index] != stop[index]]
            if len(differing) == 1:
                index = differing[0]
                return PlantedVariant(codon0 + index + 1, codon[index], stop[index], "stop gain")
    raise RuntimeError("the first gene has no codon one change away from a stop")


def _splice_donor(genome: Genome) -> PlantedVariant:
    """Change the first base of the second gene's first intron."""
    position = genome.genes[1].exons[0].end + 1
    return PlantedVariant(position, "G", "A", "splice donor")


def _snv(genome: Genome, position: int, rng: np.random.Generator, note: str = "") -> PlantedVariant:
    ref = genome.bases[position - 1]
    alt = "ACGT".replace(ref, "")[int(rng.integers(0, 3))]
    return PlantedVariant(position, ref, alt, note)


def _background(genome: Genome, position: int, rng: np.random.Generator) -> PlantedVariant:
    if rng.random() < _SNV_SHARE:
        return _snv(genome, position, rng)
    length = int(rng.integers(1, _LONGEST_INDEL + 1))
    if rng.random() < 0.5:
        ref = genome.bases[position - 1 : position + length]
        return PlantedVariant(position, ref, ref[0])
    ref = genome.bases[position - 1]
    inserted = "".join("ACGT"[index] for index in rng.integers(0, 4, length))
    return PlantedVariant(position, ref, ref + inserted)


def _draw(pool: Sequence[PlantedVariant], rng: np.random.Generator) -> list[PlantedVariant]:
    return [variant for variant in pool if rng.random() < 0.4]


def _ordered(variants: Sequence[PlantedVariant]) -> tuple[PlantedVariant, ...]:
    return tuple(sorted(variants, key=lambda variant: variant.position))
