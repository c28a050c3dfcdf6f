"""The clinician's report: one HTML file that needs nothing else, findings first, limits said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from strandline.landing.manifest import SampleDeclaration
from strandline.reads.quality import QualitySummary
from strandline.reporting.findings import Findings, Tier
from strandline.reporting.pages import render_page
from strandline.variants.records import VariantCall, severity_rank

LIMITS: Final = (
    "Single-nucleotide variants and short insertions and deletions are called. Structural variants, copy-number "
    "changes, repeat expansions, mosaic variants and variants of the mitochondrial genome are not.",
    "A variant that is not listed is not excluded: it may lie outside of the analysed regions, where coverage does not "
    "allow a call, or meet none of the reporting criteria.",
    "Calls were not confirmed by a second method.",
    "Findings were selected by rules. A qualified person has to classify each of them before it is used.",
)
_WORDS: Final = {
    "stop_gained": "stop gained",
    "frameshift": "frameshift",
    "splice_donor": "splice donor",
    "splice_acceptor": "splice acceptor",
    "splice_region": "splice region",
    "start_lost": "start lost",
    "stop_lost": "stop lost",
    "inframe_insertion": "in-frame insertion",
    "inframe_deletion": "in-frame deletion",
    "inframe_altering": "in-frame change",
}
_LONGEST_NAME: Final = 60
_ZYGOSITY: Final = {"HET": "heterozygous", "HOM_ALT": "homozygous", "HEMI": "hemizygous"}


@dataclass(frozen=True, slots=True)
class ReportInput:
    """What a report is made from. `sources` are the annotation sources by name, as the VCF's header says them."""

    submission_id: str
    sample: SampleDeclaration
    reference_label: str
    quality: QualitySummary
    findings: Findings
    sources: Mapping[str, str]
    issued: datetime
    platform_version: str


def build_report(source: ReportInput) -> str:
    """Return the report as one HTML document without scripts and without anything to load."""
    tiers = [
        (tier, [_row(finding.call) for finding in some])
        for tier, some in groupby(source.findings.named, key=lambda finding: finding.tier)
    ]
    return render_page(
        "report.html",
        source=source,
        tiers=tiers,
        unannotated=Tier.UNANNOTATED,
        coverage=source.quality.coverage,
        depth_bars=_depth_bars(source.quality),
        limits=LIMITS,
        callable_percent=_percent(source.quality.coverage.callable_bases, source.quality.coverage.analysed_bases),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    gene: str
    place: str
    change: str
    name: str
    effect: str
    elsewhere: str
    coding: str
    choice: str
    protein: str
    zygosity: str
    known: str
    frequency: str
    quality: str
    alt_reads: int | None
    reads: int | None

    @property
    def alt_percent(self) -> float:
        return 100 * self.alt_reads / self.reads if self.alt_reads and self.reads else 0.0


def _row(call: VariantCall) -> _Row:
    effect, chosen = call.chosen_consequence, call.chosen
    known = (call.clinvar_significance or "").replace("_", " ")
    both = (call.ref_depth or 0) + (call.alt_depth or 0)
    return _Row(
        gene=effect.gene if effect else "",
        place=f"{call.contig}:{call.position:,}",
        change=f"{_short(call.ref)}>{_short(call.alt)}",
        name=_short(call.genomic_name or "", longest=_LONGEST_NAME, unit=""),
        effect=_words(effect.term) if effect else "",
        elsewhere=_elsewhere(call),
        coding=_short(chosen.full_coding or "", longest=_LONGEST_NAME, unit="") if chosen else "",
        choice=(chosen.ground or "").replace("_", " ") if chosen else "",
        protein=_protein(call),
        zygosity=_ZYGOSITY[call.zygosity],
        known=f"{known} (ClinVar {call.clinvar_id})" if call.clinvar_id else "",
        frequency=_frequency(call),
        quality=f"{call.quality:.0f}" if call.quality is not None else "",
        alt_reads=call.alt_depth,
        reads=both or None,
    )


def _words(term: str) -> str:
    return _WORDS.get(term, term.replace("_", " "))


def _elsewhere(call: VariantCall) -> str:
    """Return the effect on another transcript where it is more severe than on the chosen one."""
    shown, worst = call.chosen_consequence, call.worst_consequence
    if shown is None or worst is None or severity_rank(worst.term) >= severity_rank(shown.term):
        return ""
    return f"{_words(worst.term)} on {worst.transcript or 'another transcript'}"


def _protein(call: VariantCall) -> str:
    """Return the HGVS name; what bcftools csq writes where the call was not named."""
    if call.chosen:
        return _short(call.chosen.protein or "", longest=_LONGEST_NAME, unit="")
    worst = call.worst_consequence
    return _short(worst.protein_change or "", unit="") if worst else ""


def _frequency(call: VariantCall) -> str:
    """Return how frequent the allele is in the source of frequencies, and where most."""
    if call.population_frequency is None:
        return ""
    highest = call.highest_frequency
    everybody = f"{call.population_frequency:.3g}"
    return f"{everybody}; most in {highest[0]}: {highest[1]:.3g}" if highest else everybody


def _short(text: str, *, longest: int = 16, unit: str = "bases") -> str:
    """Cut a long allele or amino acid change and say how long it was."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text)} {unit})" if unit else f"{text[:longest]}…"


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _depth_bars(quality: QualitySummary) -> list[tuple[str, float]]:
    coverage = quality.coverage
    shares = (("10 reads", coverage.fraction_at_10), ("20 reads", coverage.fraction_at_20))
    return [(label, 100 * share) for label, share in (*shares, ("30 reads", coverage.fraction_at_30))]
