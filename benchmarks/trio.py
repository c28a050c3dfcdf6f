"""Mendelian violations in a family of three: ours, alone and jointly, beside those of bcftools for all three together.

All start from the same alignments. An allele counts where the genotypes of all three are known. A made-up family, whose
child has one variant of its own, shows besides what is taken for new.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pysam

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.coverage import measure_coverage, write_bed
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.reference_bundle import make_bundle
from strandline.reads.tools import run_pipeline, tool_command
from strandline.synthetic.family import PlantedVariant, make_family
from strandline.synthetic.genome import CONTIG, make_genome, to_fasta
from strandline.synthetic.reads import write_reads
from strandline.variants.calling import call_variants
from strandline.variants.comparison import LOWEST_QUALITY
from strandline.variants.filtering import filter_variants
from strandline.variants.joint import Cohort, genotype_jointly
from strandline.variants.joint_output import CohortReport, CohortWriter
from strandline.variants.joint_sites import SampleFiles
from strandline.variants.joint_trios import Confidence, Genome, Trio

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
        alone = [read_copies(call_alone(reference, bam, bed), 0) for bam in reads]
        report, joint = call_jointly(reference, dict(zip(people, reads, strict=True)), [region], folder)
        return {
            "trio": people[0],
            "ours": count_violations(alone),
            "ours_jointly": count_violations([read_copies(joint, position) for position in range(3)]),
            "de_novos": count_de_novos(report),
            "bcftools_together": count_violations([read_copies(together, position) for position in range(3)]),
        }


def score_made_up_family(seed: int) -> dict[str, Any]:
    """Return whether the one new variant of a made-up child is found with high confidence, and what else is."""
    rng = np.random.default_rng(seed)
    genome = make_genome(rng)
    family = make_family(genome, rng)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "made_up.fa").write_text(to_fasta(genome))
        bundle = make_bundle(folder / "made_up.fa", folder / "bundle")
        reference = folder / "bundle" / "reference.fa"
        everything, bed = [Region(CONTIG, 0, len(genome.bases))], folder / "all.bed"
        write_bed(everything, bed)
        reads = {}
        for person in (family.child, family.father, family.mother):
            mates = folder / "R1.fastq.gz", folder / "R2.fastq.gz"
            write_reads(person, genome, rng, *mates)
            reads[person.sample_id] = folder / f"{person.sample_id}.cram"
            lane = Lane(ReadGroup(person.sample_id, "ILLUMINA", "lib1"), mates)
            aligner = choose_aligner({file.role for file in bundle.files})
            align_reads(reference, [lane], reads[person.sample_id], aligner=aligner, threads=2)
            call_alone(reference, reads[person.sample_id], bed)
        report, joint = call_jointly(reference, reads, everything, folder)
        return {
            "made_up_seed": seed,
            "planted_is_high": is_found(report, family.de_novo),
            "ours_jointly": count_violations([read_copies(joint, position) for position in range(3)]),
            "de_novos": count_de_novos(report),
        }


def call_jointly(
    reference: Path, reads: Mapping[str, Path], regions: Sequence[Region], folder: Path
) -> tuple[CohortReport, Path]:
    """Genotype child, father and mother, whose calls lie beside their reads, as JointGenotype does."""
    samples = [
        SampleFiles(
            name,
            path.with_suffix(".called.vcf.gz"),
            path.with_suffix(".g.vcf.gz"),
            path,
            measure_coverage(path, reference, regions).callable_regions,
            regions,
        )
        for name, path in reads.items()
    ]
    with pysam.FastaFile(str(reference)) as bases:
        length_by_contig = dict(zip(bases.references, bases.lengths, strict=True))
    sexes = [Sex.UNKNOWN, Sex.MALE, Sex.FEMALE]
    cohort = Cohort(samples, sexes, [Trio(0, 1, 2, Sex.UNKNOWN)], Genome(length_by_contig, None))
    joint = folder / "joint.vcf.gz"
    sites = genotype_jointly(reference, cohort, list(length_by_contig))
    writer = CohortWriter([one.sample_id for one in cohort.samples], cohort.trios, "made/up")
    report = writer.write(sites, joint, length_by_contig=length_by_contig, header=b"")
    return report, joint


def count_de_novos(report: CohortReport) -> dict[str, int]:
    """Count what was taken for new in the child, by confidence."""
    counts = Counter(found.confidence.value for found in report.trios[0].de_novos)
    return {confidence.value: counts[confidence.value] for confidence in Confidence}


def is_found(report: CohortReport, planted: PlantedVariant) -> bool:
    """Whether a planted variant is among those of high confidence."""
    return any(
        (found.position, found.ref, found.alt) == (planted.position, planted.ref, planted.alt)
        for found in report.trios[0].de_novos
        if found.confidence is Confidence.HIGH
    )


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
            sample = record.samples[position]
            trusted = (record.qual or 0.0) >= LOWEST_QUALITY and set(record.filter) <= {"PASS"}
            trusted &= "FT" not in record.format or sample["FT"] == "PASS"
            alleles = sample["GT"]
            key = (record.contig, record.pos, record.ref or "", (record.alts or ("",))[0])
            copies[key] = sum(allele == 1 for allele in alleles) if trusted and None not in alleles else None
    return copies
