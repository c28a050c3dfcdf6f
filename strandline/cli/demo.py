"""`strandline demo`: the whole way on samples whose truth is known, and how right the answer is."""

import gzip
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from pysam import set_verbosity
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from strandline.aws.deployment import Deployment
from strandline.aws.submitting import LocalReads
from strandline.cli.analysis import SampleInput, declare_sample, fetch_results, send
from strandline.cli.console import messages, results, say
from strandline.cli.following import follow_all, settle
from strandline.cli.ground import LOCAL, connect
from strandline.cli.references import OpenedReference, ReferenceSources, make_reference
from strandline.errors import RejectedInputError
from strandline.journey import Artifact
from strandline.landing.regions import Region, parse_regions
from strandline.reads.coverage import profile_depth
from strandline.reads.reference_bundle import ReferenceRole
from strandline.synthetic.family import Family, make_family, to_assertions_vcf, to_vcf
from strandline.synthetic.genome import make_genome, to_fasta, to_gff3
from strandline.synthetic.reads import write_reads
from strandline.variants.comparison import Comparison, Score, compare_calls
from strandline.variants.records import VariantCall, read_calls

_SEED: Final = 20
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_PICTURE_WIDTH: Final = 46
_DE_NOVO_SQL: Final = """\
SELECT c.contig, c.position, c.ref, c.alt, c.gene, c.consequence
FROM variants c
WHERE c.sample_id = 'SYN-CHILD' AND c.filters = 'PASS'
  AND NOT EXISTS (
    SELECT 1 FROM variants p
    WHERE p.sample_id IN ('SYN-MOTHER', 'SYN-FATHER')
      AND p.contig = c.contig AND p.position = c.position
      AND p.ref = c.ref AND p.alt = c.alt)
ORDER BY c.position"""
_MADE_UP: Final = "made up for this demonstration"


@dataclass(frozen=True, slots=True)
class DemoSample:
    """A sample with what is known about it; `truth` None where nothing is."""

    given: SampleInput
    truth: Path | None
    scored_in: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Demo:
    """Samples on one reference; `family` where they are made up."""

    reference: OpenedReference
    samples: tuple[DemoSample, ...]
    family: Family | None


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with real reads, reference and truth; a made-up family else.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for what comes out.")] = Path("strandline-demo"),
) -> None:
    """Take samples from reads to drafted reports on this machine, and score them against the truth.

    Example: strandline demo --out strandline-demo
    """
    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    began = time.monotonic()
    deployment = connect(LOCAL, start=True)
    say(f"the embedded AWS is up after {time.monotonic() - began:.1f} s")
    plan = _find_data(data) if data else _make_up(out / "inputs")
    sent = {send(deployment, sample.given): sample for sample in plan.samples}
    _watch(deployment, sent)
    for submission_id, sample in sent.items():
        settle(deployment, submission_id)
        fetch_results(deployment, submission_id, out / sample.given.sample.sample_id)
    _show(deployment, plan, sent, out)
    say(f"done in {time.monotonic() - began:.0f} s; the stage stays up: 'strandline stage down' ends it")


def _make_up(folder: Path) -> Demo:
    """Make a family, its reads and its reference; the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(_SEED)
    genome = make_genome(rng)
    family = make_family(genome, rng)
    fasta, genes, assertions = folder / "synthetic.fa", folder / "genes.gff3.gz", folder / "assertions.vcf"
    fasta.write_text(to_fasta(genome))
    genes.write_bytes(gzip.compress(to_gff3(genome).encode(), mtime=0))
    assertions.write_text(to_assertions_vcf(family, genome))
    samples = []
    for person in family.members:
        reads = folder / f"{person.sample_id}_R1.fastq.gz", folder / f"{person.sample_id}_R2.fastq.gz"
        write_reads(person, genome, rng, *reads)
        truth = folder / f"{person.sample_id}.truth.vcf"
        truth.write_text(to_vcf(person, genome))
        declared = declare_sample(person.sample_id, sex=person.sex, subject_id=person.subject_id)
        samples.append(DemoSample(SampleInput(declared, (LocalReads(reads),), fasta, None), truth, ()))
    words = {ReferenceRole.GENE_MODELS: _MADE_UP, ReferenceRole.CLINVAR: f"assertions {_MADE_UP}, not ClinVar"}
    reference = make_reference(ReferenceSources(fasta, genes, assertions, words))
    placed = tuple(
        DemoSample(
            SampleInput(sample.given.sample, sample.given.reads, reference.folder, None), sample.truth, sample.scored_in
        )
        for sample in samples
    )
    return Demo(reference, placed, family)


def _find_data(folder: Path) -> Demo:
    """Find one sample in a folder: `*_R1*`, `*_R2*`, `reference.fa[.gz]`, and, where given, regions and truth."""
    first = _one(folder, ("*_R1*.fastq.gz", "*_R1*.fq.gz", "*_R1*.fastq", "*_R1*.fq"))
    second = first.with_name(first.name.replace("_R1", "_R2")) if first else None
    fasta = _one(folder, ("reference.fa.gz", "reference.fa", "reference.fasta"))
    if first is None or second is None or not second.exists() or fasta is None:
        raise RejectedInputError(
            "demo_data_missing",
            f"{folder} must hold a pair *_R1.fq.gz and *_R2.fq.gz and a reference.fa[.gz], here or in a folder below",
        )
    reference = make_reference(ReferenceSources(fasta))
    regions = _one(folder, ("sequenced.bed",))
    confident = _one(folder, ("confident.bed",))
    declared = declare_sample(first.name.split("_R1", maxsplit=1)[0])
    sample = DemoSample(
        SampleInput(declared, (LocalReads((first, second)),), reference.folder, regions),
        _one(folder, ("truth.vcf.gz", "truth.vcf")),
        tuple(bed for bed in (confident, regions) if bed),
    )
    return Demo(reference, (sample,), None)


def _one(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.rglob(pattern))), None)


def _watch(deployment: Deployment, sent: dict[str, DemoSample]) -> None:
    with messages.status("samples are on their way"):
        for submission_id, step in follow_all(deployment, list(sent)):
            name = sent[submission_id].given.sample.sample_id
            messages.print(f"  [green]done[/] {name:<12} {step.name} [dim]{step.seconds:.1f} s[/]")


def _show(deployment: Deployment, plan: Demo, sent: dict[str, DemoSample], out: Path) -> None:
    calls_by_sample = {}
    scores: list[tuple[str, Comparison]] = []
    described = plan.reference.bundle.file_of(ReferenceRole.FASTA)
    if described is None:
        raise RejectedInputError("bundle_invalid", "the reference bundle has no FASTA")
    fasta = plan.reference.folder / described.name
    for sample in sent.values():
        name = sample.given.sample.sample_id
        vcf = out / name / Artifact.CALLS
        calls_by_sample[name] = list(read_calls(vcf))
        if sample.truth:
            scores.append((name, compare_calls(vcf, sample.truth, fasta, sample.scored_in)))
    results.print(Panel.fit(_picture(plan, out, fasta), title="Depth along the analysed region", border_style="dim"))
    if scores:
        results.print(_score_table(scores))
    if plan.family:
        results.print(_planted_table(plan.family, calls_by_sample[plan.family.child.sample_id]))
        _show_query(deployment)
    results.print(Text("What came out", style="italic"))
    for name, calls in calls_by_sample.items():
        results.print(f"{name}: {sum(call.passed for call in calls)} variants passed the filters")
        results.print(f"  {out / name / Artifact.REPORT}", soft_wrap=True)
        results.print(f"  {out / name / Artifact.BUNDLE}", soft_wrap=True)


def _picture(plan: Demo, out: Path, fasta: Path) -> Text:
    """Draw each sample's depth as a line of blocks, one scale for all."""
    lines = []
    profiles = {}
    for sample in plan.samples:
        name = sample.given.sample.sample_id
        profiles[name] = profile_depth(out / name / Artifact.ALIGNED, fasta, _region(plan, sample), _PICTURE_WIDTH)
    highest = max((max(profile) for profile in profiles.values()), default=0.0) or 1.0
    for name, profile in profiles.items():
        blocks = "".join(_BLOCKS[round(depth / highest * (len(_BLOCKS) - 1))] for depth in profile)
        lines.append(f"{name:<12} {blocks}  mean {sum(profile) / len(profile):.1f} reads")
    return Text("\n".join(lines))


def _region(plan: Demo, sample: DemoSample) -> Region:
    """Return the longest region of a sample, or the longest contig."""
    lengths = plan.reference.bundle.length_by_contig
    if sample.given.regions:
        regions = parse_regions(sample.given.regions.read_bytes(), sample.given.regions.name, lengths)
        return max(regions, key=lambda region: region.length)
    contig = max(lengths, key=lambda name: lengths[name])
    return Region(contig, 0, lengths[contig])


def _score_table(scores: Sequence[tuple[str, Comparison]]) -> Table:
    table = Table(title="How right it is", title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("sample")
    table.add_column("class")
    for heading in ("true", "found", "missed", "wrong", "precision", "recall", "F1", "zygosity"):
        table.add_column(heading, justify="right")
    for name, comparison in scores:
        for kind, score in (("SNV", comparison.snv), ("indel", comparison.indel)):
            table.add_row(name, kind, *_score_cells(score))
    return table


def _score_cells(score: Score) -> list[str]:
    counts = (
        score.true_positives + score.false_negatives,
        score.true_positives,
        score.false_negatives,
        score.false_positives,
    )
    shares = (score.precision, score.recall, score.f1, score.genotype_concordance)
    return [*map(str, counts), *(f"{share:.4f}" for share in shares)]


def _planted_table(family: Family, calls: Sequence[VariantCall]) -> Table:
    found = {(call.position, call.ref, call.alt): call for call in calls if call.passed}
    table = Table(
        title=f"Planted in {family.child.sample_id}",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for heading in ("planted", "position", "change", "found as", "gene", "known as"):
        table.add_column(heading)
    for variant in family.child.genotype_by_variant():
        if not variant.note:
            continue
        call = found.get((variant.position, variant.ref, variant.alt))
        worst = call.worst_consequence if call else None
        table.add_row(
            variant.note,
            str(variant.position),
            f"{variant.ref}>{variant.alt}",
            (worst.term.replace("_", " ") if worst else "found") if call else Text("missed", style="red"),
            worst.gene if worst else "",
            (call.clinvar_significance or "") if call else "",
        )
    return table


def _show_query(deployment: Deployment) -> None:
    """Ask the lake which variants the child has and neither parent."""
    answer = deployment.queries.run(_DE_NOVO_SQL)
    results.print(Panel.fit(Text(_DE_NOVO_SQL), title="Asked of the lake: what has the child that neither parent has?"))
    table = Table(*answer.columns, box=None, pad_edge=False, header_style="bold")
    for row in answer.rows:
        table.add_row(*(value or "" for value in row))
    results.print(table)
