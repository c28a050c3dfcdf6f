"""A simulated family of three on a real person's variants: Mendelian violations, and planted variants of the child.

The child has the two haplotypes of the person, and new variants besides; each parent has one of them, and one that
changes between both. So sites are real, in repeats too, and every truth is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pysam

from benchmarks.simulate_reads import Stretch, simulate_reads
from benchmarks.trio import call_alone, call_jointly, call_together, count_violations, read_copies
from strandline.landing.regions import Region
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.coverage import write_bed
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.reference_bundle import make_bundle
from strandline.variants.joint_output import CohortReport
from strandline.variants.joint_trios import Confidence

DEPTH: Final = 30.0
_PEOPLE: Final = ("child", "father", "mother")
_MARGIN: Final = 500  # bases of the slice's ends without variants
_APART: Final = 50  # bases between a new variant and any other
_NEAR: Final = 20  # a deletion may be written elsewhere than it was planted
_CHANGES: Final = 0.02  # how often a parent's other haplotype goes over to the person's other one, a site
_NEW_SINGLES, _NEW_DELETIONS = 20, 5


@dataclass(frozen=True, slots=True)
class Site:
    """Alleles at a 0-based position of the slice, and which of them each of a person's haplotypes has."""

    start0: int
    alleles: tuple[str, ...]
    carried: tuple[int, int]


def score_simulated_family(data: Path, stretch: Stretch, seed: int, folder: Path) -> dict[str, Any]:
    """Return violations of ours, alone and jointly, beside bcftools', and what was found of the planted variants.

    Args:
        data: folder with a FASTA and the truth VCF of a person on it.
        stretch: what of it is simulated.
        seed: of all chance.
        folder: empty, for everything that is made.
    """
    rng = np.random.default_rng(seed)
    with pysam.FastxFile(str(next(data.glob("*.fa.gz")))) as contigs:
        whole = next(record.sequence for record in contigs if record.name == stretch.contig)
    bases = (whole or "")[stretch.start0 : stretch.end0].upper()
    (folder / "slice.fa").write_text(f">{stretch.contig}\n{bases}\n")
    bundle = make_bundle(folder / "slice.fa", folder / "bundle")
    reference = folder / "bundle" / "reference.fa"
    sites = read_sites(next(data.glob("*benchmark*.vcf.gz")), stretch, rng)
    new = plant(bases, [site.start0 for site in sites], rng)
    aligner = choose_aligner({file.role for file in bundle.files})
    here, reads = Stretch(stretch.contig, 0, len(bases)), {}
    for number, (name, carried) in enumerate(zip(_PEOPLE, make_family(sites, new, rng), strict=True)):
        truth, mates = folder / f"{name}.truth.vcf.gz", (folder / "R1.fq.gz", folder / "R2.fq.gz")
        write_truth(carried, here, name, truth)
        first, second = mates
        simulate_reads(reference, truth, here, depth=DEPTH, seed=10 * seed + number, first=first, second=second)
        reads[name] = folder / f"{name}.cram"
        lane = Lane(ReadGroup(name, "ILLUMINA", "lib1"), mates)
        align_reads(reference, [lane], reads[name], aligner=aligner, threads=2)
    place = f"{stretch.contig}:{stretch.start0 + 1}-{stretch.end0}"
    return {"simulated_family": place, "seed": seed, **_score(reference, reads, here, new, folder)}


def read_sites(truth: Path, stretch: Stretch, rng: np.random.Generator) -> list[Site]:
    """Return the person's variants without overlaps; where they are not phased, chance says which side."""
    sites: list[Site] = []
    free = stretch.start0 + _MARGIN
    with pysam.VariantFile(str(truth)) as records:
        for record in records:
            if record.contig != stretch.contig or record.start < free or record.stop > stretch.end0 - _MARGIN:
                continue
            one, other = (int(allele or 0) for allele in record.samples[0]["GT"])
            carried = (other, one) if rng.random() < 0.5 else (one, other)
            alleles = tuple(allele.upper() for allele in record.alleles or ())
            sites.append(Site(record.start - stretch.start0, alleles, carried))
            free = record.stop
    return sites


def plant(bases: str, taken: Sequence[int], rng: np.random.Generator) -> list[Site]:
    """Return new variants of one haplotype: single bases, then deletions of one to five bases."""
    places, new = np.array(taken), list[Site]()
    while len(new) < _NEW_SINGLES + _NEW_DELETIONS:
        start0 = int(rng.integers(2 * _MARGIN, len(bases) - 2 * _MARGIN))
        length = int(rng.integers(1, 6)) if len(new) >= _NEW_SINGLES else 0
        ref = bases[start0 : start0 + 1 + length]
        if not set(ref) <= set("ACGT") or np.abs(places - start0).min() <= _APART:
            continue
        alt = ref[0] if length else "ACGT".replace(ref, "")[int(rng.integers(0, 3))]
        new.append(Site(start0, (ref, alt), (0, 1)))
        places = np.append(places, start0)
    return new


def make_family(sites: Sequence[Site], new: Sequence[Site], rng: np.random.Generator) -> list[list[Site]]:
    """Return the variants of child, father and mother."""
    side = np.cumsum(rng.random(len(sites)) < _CHANGES) % 2
    father = [Site(s.start0, s.alleles, (s.carried[0], s.carried[at])) for s, at in zip(sites, side, strict=True)]
    mother = [Site(s.start0, s.alleles, (s.carried[1], s.carried[1 - at])) for s, at in zip(sites, side, strict=True)]
    return [sorted([*sites, *new], key=lambda site: site.start0), father, mother]


def write_truth(sites: Sequence[Site], stretch: Stretch, name: str, path: Path) -> None:
    """Write one person's phased variants, indexed."""
    lines = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID={stretch.contig},length={stretch.end0}>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{name}",
    ]
    for site in sites:
        ref, *alts = site.alleles
        place = f"{stretch.contig}\t{site.start0 + 1}\t.\t{ref}\t{','.join(alts)}"
        lines.append(f"{place}\t.\t.\t.\tGT\t{site.carried[0]}|{site.carried[1]}")
    with pysam.BGZFile(str(path), "wb", None) as sink:
        sink.write("".join(f"{line}\n" for line in lines).encode())
    pysam.tabix_index(str(path), preset="vcf", force=True)


def _score(
    reference: Path, reads: Mapping[str, Path], stretch: Stretch, new: Sequence[Site], folder: Path
) -> dict[str, Any]:
    everything, bed = [Region(stretch.contig, 0, stretch.end0)], folder / "all.bed"
    write_bed(everything, bed)
    alone = [read_copies(call_alone(reference, path, bed), 0) for path in reads.values()]
    report, joint = call_jointly(reference, reads, everything, folder)
    together = call_together(reference, list(reads.values()), bed, folder)
    return {
        "planted": len(new),
        **count_found(report, [site.start0 + 1 for site in new]),
        "ours": count_violations(alone),
        "ours_jointly": count_violations([read_copies(joint, position) for position in range(3)]),
        "bcftools_together": count_violations([read_copies(together, position) for position in range(3)]),
    }


def count_found(report: CohortReport, planted: Sequence[int]) -> dict[str, int]:
    """Count planted variants (1-based positions) that are of high confidence, and what else is said to be new."""
    sure = [one.position for one in report.trios[0].de_novos if one.confidence is Confidence.HIGH]
    return {
        "found_high": sum(any(abs(at - position) <= _NEAR for at in sure) for position in planted),
        "others_high": sum(all(abs(at - position) > _NEAR for position in planted) for at in sure),
        "low": len(report.trios[0].de_novos) - len(sure),
    }
