"""How long a report with its evidence takes, as HTML and as PDF: reads, points and the panel's coverage looked up anew.

The reads are made up: 150 bases, thirty-fold, with a variant every few hundred bases of which twenty are reported; the
gene models are one gene a thousand bases.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pysam

from benchmarks.made_up_findings import made_up_input
from strandline.interpretation.decisions import Decisions
from strandline.interpretation.panels import GenePanel, PanelGene
from strandline.interpretation.scope import Scope
from strandline.landing.manifest import SampleDeclaration
from strandline.reporting.findings import Finding, Findings, Tier
from strandline.reporting.gathering import EvidenceFiles, gather_evidence, measure_genes
from strandline.reporting.paper import can_print, print_report
from strandline.reporting.report import ReportInput, build_report
from strandline.variants.records import Consequence, TranscriptName, VariantCall

LONGEST_REPORT_S: Final = 5.0
_CONTIG: Final = "chr13"
_LENGTH: Final = 100_000
_READ: Final = 150
_FOLD: Final = 30
_GENE: Final = 1_000
_EVERY: Final = 4_000


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One report: seconds of each part and of all, medians of the rounds; sizes in kB."""

    step: str
    variants: int
    genes: int
    evidence_s: float
    html_s: float
    pdf_s: float
    seconds: float
    html_kb: int
    pdf_kb: int
    rounds_s: list[float]


def measure_reports(variants: int, rounds: int) -> list[ReportRow]:
    """Make a report of so many variants again and again; nothing where this machine has no Pango."""
    if not can_print():
        return []
    with TemporaryDirectory(prefix="strandline-") as folder:
        files = _make_files(Path(folder), variants)
        taken = [_make_report(files, variants) for _ in range(rounds)]
    parts = [statistics.median(one[0][place] for one in taken) for place in range(3)]
    walls = [round(sum(one[0]), 3) for one in taken]
    html, pdf = taken[0][1:]
    return [
        ReportRow(
            "report with evidence and PDF", variants, _LENGTH // _GENE, round(parts[0], 3), round(parts[1], 3),
            round(parts[2], 3), statistics.median(walls), len(html) // 1_000, len(pdf) // 1_000, walls,
        )
    ]  # fmt: skip


def _make_report(files: EvidenceFiles, variants: int) -> tuple[list[float], str, bytes]:
    """Return the seconds of evidence, HTML and PDF, and the two."""
    genes = tuple(PanelGene(hgnc_id=f"HGNC:{one + 1}", symbol=f"GENE{one}") for one in range(_LENGTH // _GENE))
    panel = GenePanel(name="made-up", version="1", title="Made up", source="this benchmark", genes=genes)
    scope = Scope(panel)
    found = Findings(tuple(Finding(Tier.KNOWN_PATHOGENIC, call) for call in _calls(files, variants)), 0, 0, 0)
    marks = [time.perf_counter()]
    evidence = gather_evidence(found, files, scope, "made up", Decisions())
    covered = measure_genes(panel, files)
    marks.append(time.perf_counter())
    source = ReportInput(
        submission_id="s-1",
        sample=SampleDeclaration(sample_id="S", subject_id="PT00042", site="north"),
        reference_label="GRCh38/0c2b",
        quality=made_up_input(1).quality,
        findings=found,
        sources={"ClinVar": "2026-11", "Frequencies": "made up"},
        issued=datetime(2026, 11, 22, tzinfo=UTC),
        platform_version="0",
        scope=scope,
        evidence=evidence,
        genes=covered,
    )
    html = build_report(source)
    marks.append(time.perf_counter())
    pdf = print_report(html)
    marks.append(time.perf_counter())
    return [after - before for before, after in pairwise(marks)], html, pdf


def _calls(files: EvidenceFiles, count: int) -> Iterator[VariantCall]:
    with pysam.FastaFile(str(files.fasta)) as fasta:
        for number, position in enumerate(_places(count)):
            ref = fasta.fetch(_CONTIG, position - 1, position)
            alt = _other(ref)
            gene = f"GENE{(position - 1) // _GENE}"
            name = TranscriptName(
                f"T{(position - 1) // _GENE}",
                gene,
                "MANE_Select",
                "missense",
                f"c.{number}{ref}>{alt}",
                None,
                "p.(Lys1Glu)",
            )
            yield VariantCall(
                contig=_CONTIG, position=position, ref=ref, alt=alt, quality=221.3, filters=("PASS",), genotype="0/1",
                zygosity="HET", phased=False, depth=30, ref_depth=15, alt_depth=15, genotype_quality=99,
                consequences=(Consequence("missense", gene, name.transcript, None, None),), clinvar_id=str(number + 1),
                clinvar_significance="Likely_pathogenic", identifier=None, names=(name,),
                population_frequency=0.00001,
            )  # fmt: skip


def _make_files(folder: Path, variants: int) -> EvidenceFiles:
    bases = "".join("ACGT"[one] for one in np.random.default_rng(20).integers(0, 4, _LENGTH))
    fasta, aligned, genes = folder / "ref.fa", folder / "reads.cram", folder / "genes.gff3.gz"
    fasta.write_text(f">{_CONTIG}\n{bases}\n")
    pysam.faidx(str(fasta))
    _write_reads(aligned, fasta, bases, set(_places(variants)))
    with pysam.BGZFile(str(genes), "wb", None) as sink:
        sink.write("".join(_gene_lines()).encode())
    pysam.tabix_index(str(genes), preset="gff", force=True)
    return EvidenceFiles(aligned, fasta, genes)


def _write_reads(path: Path, fasta: Path, bases: str, places: set[int]) -> None:
    """Every other read of each place shows the alternate allele."""
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": _CONTIG, "LN": _LENGTH}]}
    with pysam.AlignmentFile(str(path), "wc", header=header, reference_filename=str(fasta)) as sink:
        for number, start0 in enumerate(range(0, _LENGTH - _READ, _READ // _FOLD)):
            letters = list(bases[start0 : start0 + _READ])
            for position in range(start0 + 1, start0 + _READ + 1):
                if number % 2 and position in places:
                    letters[position - 1 - start0] = _other(bases[position - 1])
            read = pysam.AlignedSegment(sink.header)
            read.query_name, read.flag, read.reference_id = f"r{number}", 16 * (number // 2 % 2), 0
            read.reference_start, read.mapping_quality, read.cigarstring = start0, 60, f"{_READ}M"
            read.query_sequence = "".join(letters)
            read.query_qualities = pysam.qualitystring_to_array("I" * _READ)
            sink.write(read)
    pysam.index(str(path))


def _gene_lines() -> Iterator[str]:
    for number in range(_LENGTH // _GENE):
        first, last = number * _GENE + 101, number * _GENE + 900
        place = f"{_CONTIG}\te\t{{}}\t{first}\t{last}\t.\t+\t"
        yield place.format("gene") + f".\tID=gene:G{number};Name=GENE{number};biotype=protein_coding\n"
        yield place.format("mRNA") + f".\tID=transcript:T{number};Parent=gene:G{number};biotype=protein_coding\n"
        yield place.format("exon") + f".\tParent=transcript:T{number}\n"
        yield place.format("CDS") + f"0\tID=CDS:P{number};Parent=transcript:T{number}\n"


def _places(count: int) -> list[int]:
    """1-based positions, in genes."""
    return [(number * _EVERY) % (_LENGTH - _GENE) + 300 + number // 24 for number in range(count)]


def _other(base: str) -> str:
    return "ACGT"["TACG".index(base)]
