"""Mendelian violations in a family of three: our calls of each alone beside bcftools' calls of all three together.

Both start from the same alignments. An allele counts where the genotypes of all three are known.
"""

import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pysam

from strandline.landing.regions import Region
from strandline.reads.coverage import write_bed
from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.calling import call_variants
from strandline.variants.comparison import LOWEST_QUALITY
from strandline.variants.filtering import filter_variants

AlleleKey = tuple[str, int, str, str]
Copies = dict[AlleleKey, int | None]  # None: not known
_PASSED_ON: Final = {0: {0}, 1: {0, 1}, 2: {1}}


def is_violation(child: int, father: int, mother: int) -> bool:
    """Whether no gamete of each parent gives the child its copies of an allele.

    >>> is_violation(1, 0, 1), is_violation(1, 2, 2), is_violation(2, 0, 1)
    (False, True, True)
    """
    return child not in {one + two for one, two in product(_PASSED_ON[father], _PASSED_ON[mother])}


def score_trio(data: Path, region: Region) -> dict[str, Any]:
    """Return the violations of both ways and the alleles that they were counted over.

    Args:
        data: folder with a PED file, a FASTA and a BAM that begins with the name of each of the three.
        region: where all three were sequenced.
    """
    people = read_trio(next(data.glob("*.ped")))
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reference, bed = folder / "reference.fa", folder / "region.bed"
        write_bed([region], bed)
        with pysam.FastxFile(str(next(data.glob("*.fa.gz")))) as contigs:
            reference.write_text("".join(f">{record.name}\n{record.sequence}\n" for record in contigs))
        pysam.faidx(str(reference), catch_stdout=False)
        reads = [Path(shutil.copy(next(data.glob(f"{person}*.bam")), folder / f"{person}.bam")) for person in people]
        for bam in reads:
            pysam.index(str(bam), catch_stdout=False)
        together = call_together(reference, reads, bed, folder)
        return {
            "trio": people[0],
            "ours": count_violations([read_copies(call_alone(reference, bam, bed), 0) for bam in reads]),
            "bcftools_together": count_violations([read_copies(together, position) for position in range(3)]),
        }


def read_trio(pedigree: Path) -> list[str]:
    """Return child, father and mother of the first child with both parents."""
    rows = (line.split()[:4] for line in pedigree.read_text().splitlines())
    return next([child, father, mother] for _, child, father, mother in rows if "0" not in (father, mother))


def count_violations(people: Sequence[Mapping[AlleleKey, int | None]]) -> dict[str, int]:
    """Count alleles of child, father and mother, and those that break Mendel's rules; no entry means no copy."""
    counted = violations = 0
    for key in sorted(set().union(*people)):
        child, father, mother = (copies.get(key, 0) for copies in people)
        if child is not None and father is not None and mother is not None and child + father + mother > 0:
            counted += 1
            violations += is_violation(child, father, mother)
    return {"alleles": counted, "violations": violations}


def call_alone(reference: Path, bam: Path, bed: Path) -> Path:
    """Call one person as CallVariants and FilterAndQc do."""
    called, calls = bam.with_suffix(".called.vcf.gz"), bam.with_suffix(".calls.vcf.gz")
    call_variants(reference, bam, bed, header=b"##made=up\n", gvcf=bam.with_suffix(".g.vcf.gz"), vcf=called)
    filter_variants(called, calls)
    return calls


def call_together(reference: Path, reads: Sequence[Path], bed: Path, folder: Path) -> Path:
    """Call all at once; one allele a record, as in ours."""
    bcftools, calls = tool_command("bcftools"), folder / "together.vcf.gz"
    pile_up = [*bcftools, "mpileup", "-Ou", "-f", str(reference), "-d", "1000", "-R", str(bed)]
    commands = [
        [*pile_up, *map(str, reads)],
        [*bcftools, "call", "-mv", "-Ou"],
        [*bcftools, "norm", "-m", "-any", "-f", str(reference), "-Oz", "-o", str(calls), "-"],
    ]
    run_pipeline(commands, quiet=True)
    return calls


def read_copies(vcf: Path, position: int) -> Copies:
    """Return how many copies of each allele the sample at `position` has; None where the call is not to be trusted."""
    copies: Copies = {}
    with pysam.VariantFile(str(vcf)) as records:
        for record in records:
            trusted = (record.qual or 0.0) >= LOWEST_QUALITY and set(record.filter) <= {"PASS"}
            alleles = record.samples[position]["GT"]
            key = (record.contig, record.pos, record.ref or "", (record.alts or ("",))[0])
            copies[key] = sum(allele == 1 for allele in alleles) if trusted and None not in alleles else None
    return copies
