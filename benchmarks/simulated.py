"""A simulated sample: a real person's variants, made-up reads, and what the caller makes of them."""

import gzip
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pysam

from benchmarks.score import describe
from benchmarks.simulate_reads import Stretch, simulate_reads
from strandline.landing.regions import Region
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.coverage import write_bed
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.reference_bundle import make_bundle, parse_bundle
from strandline.reads.tools import run_pipeline
from strandline.variants.calling import call_commands, call_variants, variants_only_commands
from strandline.variants.comparison import compare_calls
from strandline.variants.filtering import filter_variants

DEPTH: Final = 30.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """Where reads come from, and the seed of chance. `slippage` as in `simulate_reads`."""

    stretch: Stretch
    seed: int
    slippage: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        place = f"{self.stretch.contig}.{self.stretch.start0}.{self.stretch.end0}"
        return f"{place}.seed{self.seed}{'.slippage' if self.slippage else ''}"


CHOOSING: Final = Simulation(Stretch("chr20", 1_000_000, 4_000_000), 1)  # what parameters were chosen on
REPORTING: Final = Simulation(Stretch("chr20", 5_000_000, 10_000_000), 2)


def score_simulation(data: Path, simulation: Simulation, work: Path | None) -> dict[str, object]:
    """Simulate, align, call and score, and score bcftools alone on the same reads.

    Args:
        data: folder with a FASTA, and the truth VCF and confident BED of a person on it.
        simulation: what to simulate.
        work: keeps reference, reads and alignment for the next time; None for a passing folder.
    """
    with working_folder(work) as folder:
        made = prepare_sample(data, simulation, folder)
        ours, alone = _call(made), _call_alone(made)
        beds = [made.confident, made.stretch]
        return {
            "simulated": simulation.name,
            **describe(compare_calls(ours, made.truth, made.reference, beds)),
            "bcftools_alone": describe(compare_calls(alone, made.truth, made.reference, beds)),
        }


@dataclass(frozen=True, slots=True)
class SimulatedSample:
    """Reads of a person over a stretch, aligned, and the truth. `reference` is the FASTA of a bundle's folder."""

    folder: Path
    reference: Path
    truth: Path
    confident: Path
    stretch: Path

    @property
    def mates(self) -> tuple[Path, Path]:
        """The read pairs."""
        return self.folder / "R1.fastq.gz", self.folder / "R2.fastq.gz"

    @property
    def cram(self) -> Path:
        """The reads, aligned."""
        return self.folder / "aligned.cram"


def prepare_sample(data: Path, simulation: Simulation, folder: Path) -> SimulatedSample:
    """Simulate a sample and align it, unless `folder` has it from an earlier time."""
    reference = _prepare_reference(data, simulation.stretch.contig, folder / "reference")
    sample = folder / simulation.name
    sample.mkdir(exist_ok=True)
    truth, confident = _prepare_truth(data, simulation.stretch, sample)
    stretch = sample / "stretch.bed"
    write_bed([Region(simulation.stretch.contig, simulation.stretch.start0, simulation.stretch.end0)], stretch)
    made = SimulatedSample(sample, reference, truth, confident, stretch)
    _prepare_reads(made, simulation)
    return made


def _prepare_reference(data: Path, contig: str, folder: Path) -> Path:
    """Make a bundle of one contig: bwa takes minutes to index the Ns of the others."""
    fasta = folder / "reference.fa"
    if (folder / "bundle.json").exists() and parse_bundle((folder / "bundle.json").read_bytes()):
        return fasta
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    one = folder / "one.fa.gz"
    with pysam.FastxFile(str(next(data.glob("*.fa.gz")))) as contigs, gzip.open(one, "wt", compresslevel=1) as sink:
        for record in contigs:
            if record.name == contig:
                sink.write(f">{record.name}\n{record.sequence}\n")
    make_bundle(one, folder)
    return fasta


def _prepare_truth(data: Path, stretch: Stretch, folder: Path) -> tuple[Path, Path]:
    """Cut truth and confident regions to the stretch."""
    truth, confident = folder / "truth.vcf.gz", folder / "confident.bed"
    with (
        pysam.VariantFile(str(next(data.glob("*benchmark*.vcf.gz")))) as records,
        pysam.VariantFile(str(truth), "wz", header=records.header) as sink,
    ):
        for record in records:
            if record.contig == stretch.contig and stretch.start0 <= record.start and record.stop <= stretch.end0:
                sink.write(record)
    pysam.tabix_index(str(truth), preset="vcf", force=True)
    shutil.copy(next(data.glob("*benchmark*.bed")), confident)
    return truth, confident


def _prepare_reads(made: SimulatedSample, simulation: Simulation) -> None:
    if made.cram.with_suffix(".cram.crai").exists():
        return
    simulate_reads(
        made.reference,
        made.truth,
        simulation.stretch,
        depth=DEPTH,
        seed=simulation.seed,
        first=made.mates[0],
        second=made.mates[1],
        slippage=simulation.slippage,
    )
    bundle = parse_bundle((made.reference.parent / "bundle.json").read_bytes())
    aligner = choose_aligner({file.role for file in bundle.files})
    lane = Lane(ReadGroup("SIMULATED", "ILLUMINA", "lib1"), made.mates)
    align_reads(made.reference, [lane], made.cram, aligner=aligner, threads=2)


def _call(made: SimulatedSample) -> Path:
    called, calls = made.folder / "called.vcf.gz", made.folder / "calls.vcf.gz"
    gvcf = made.folder / "calls.g.vcf.gz"
    call_variants(made.reference, made.cram, made.stretch, header=b"##made=up\n", gvcf=gvcf, vcf=called)
    filter_variants(called, calls)
    return calls


def _call_alone(made: SimulatedSample) -> Path:
    proposed, called, calls = (made.folder / f"alone.{name}" for name in ("bcf", "vcf.gz", "calls.vcf.gz"))
    run_pipeline(call_commands(made.reference, made.cram, made.stretch, proposed), quiet=True)
    run_pipeline(variants_only_commands(made.reference, proposed, called), quiet=True)
    filter_variants(called, calls)
    return calls


@contextmanager
def working_folder(work: Path | None) -> Iterator[Path]:
    """Yield `work`, made where it is absent, or a passing folder where it is None."""
    if work is None:
        with TemporaryDirectory() as scratch:
            yield Path(scratch)
        return
    work.mkdir(parents=True, exist_ok=True)
    yield work
