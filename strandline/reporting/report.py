"""The clinician's report: one HTML document that needs nothing else, findings first, limits said.

The same template serves screen and paper (`paper.print_report`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from strandline.interpretation.amendment import Amendment
from strandline.interpretation.knowledge import words_of
from strandline.interpretation.points import Band, read_criteria
from strandline.interpretation.reclassification import Change
from strandline.interpretation.scope import Scope, refuse_withdrawn
from strandline.landing.manifest import SampleDeclaration
from strandline.landing.regions import Region
from strandline.reads.quality import QualitySummary
from strandline.reporting.findings import Findings, Tier
from strandline.reporting.pages import render_page
from strandline.reporting.report_rows import Evidence, Row, join_words, row_of
from strandline.variants.provenance import NOT_ANNOTATED

LIMITS: Final = (
    "Single-nucleotide variants and short insertions and deletions are called. Structural variants, copy-number "
    "changes, repeat expansions, mosaic variants and variants of the mitochondrial genome are not.",
    "A variant that is not listed is not excluded: it may lie outside of the analysed regions, where coverage does not "
    "allow a call, or meet none of the reporting criteria.",
    "Calls were not confirmed by a second method.",
    "Findings were selected by rules. A qualified person has to classify each of them before it is used.",
)
STYLES: Final = ("page.css", "report.css")
MOST_DETAILED: Final = 25
"""Findings with a part of their own, the most urgent first; the table holds all."""
MOST_GAPS: Final = 6
_SOURCES: Final = ("Genes", "ClinVar", "DbSnp", "Frequencies")
_KNOWN: Final = frozenset({Tier.KNOWN_PATHOGENIC, Tier.SECONDARY})
_ACTED_ON: Final = frozenset({Band.PATHOGENIC, Band.LIKELY_PATHOGENIC})


@dataclass(frozen=True, slots=True)
class GeneCoverage:
    """How one gene of the panel is covered: coding bases and 8 of each intron beside; `gaps` lie under 20 reads.

    `bases` is 0 where the gene models do not know the gene.
    """

    symbol: str
    hgnc_id: str
    bases: int = 0
    bases_at_20: int = 0
    mean_depth: float = 0.0
    gaps: tuple[Region, ...] = ()

    @property
    def percent_at_20(self) -> float:
        """Percent of its bases under at least 20 reads."""
        return _percent(self.bases_at_20, self.bases)

    @property
    def gaps_said(self) -> str:
        """The first gaps, 1-based with both ends included, and how many more there are."""
        shown = [f"{gap.contig}:{gap.start0 + 1:,}-{gap.end0:,}" for gap in self.gaps]
        return join_words(shown, MOST_GAPS)


@dataclass(frozen=True, slots=True)
class ReportSignature:
    """One signature as it is printed. Source: 21 CFR 11.50(a): printed name, date and time, meaning."""

    printed_name: str
    meaning: str
    signed_at: datetime
    record_sha256: str


@dataclass(frozen=True, slots=True)
class ReportInput:
    """What a report is made from. `sources` are the annotation sources by name, as the VCF's header says them.

    `evidence` is by `variant_key`; `genes` is the coverage of the panel's genes; without a signature the report is a
    draft; `amendment` says what a later version changed and why. `for_release` is a version that is laid before its
    signers: signatures beside it, not words in it, then make it valid.
    """

    submission_id: str
    sample: SampleDeclaration
    reference_label: str
    quality: QualitySummary
    findings: Findings
    sources: Mapping[str, str]
    issued: datetime
    platform_version: str
    scope: Scope = field(default_factory=Scope)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    genes: Sequence[GeneCoverage] = ()
    signatures: Sequence[ReportSignature] = ()
    amendment: Amendment | None = None
    for_release: bool = False


def build_report(source: ReportInput) -> str:
    """Return the report as one HTML document without scripts and without anything to load.

    Raises:
        RejectedInputError: `consent_withdrawn`.
    """
    refuse_withdrawn(source.sample.consent)
    tiers = [
        (tier, [row_of(finding.call, source.evidence) for finding in some])
        for tier, some in groupby(source.findings.named, key=lambda finding: finding.tier)
    ]
    ranked = [row for tier, rows in tiers if tier is not Tier.UNANNOTATED for row in rows]
    detailed = [row for row in ranked if row.evidence != Evidence()][:MOST_DETAILED]
    return render_page(
        "report.html",
        STYLES,
        source=source,
        result=result_sentence(source),
        tiers=tiers,
        detailed=detailed,
        unannotated=Tier.UNANNOTATED,
        absent={name: _absence(source.sources.get(name)) for name in _SOURCES},
        coverage=source.quality.coverage,
        depth_bars=_depth_bars(source.quality),
        limits=LIMITS,
        points_source=read_criteria().source,
        changed=[(change, words_of(change)) for change in _mattering(source.amendment)],
        callable_percent=_percent(source.quality.coverage.callable_bases, source.quality.coverage.analysed_bases),
    )


def result_sentence(source: ReportInput) -> str:
    """Return the result in one sentence: what a person classified, else what is known of what was found."""
    rows = [(finding.tier, row_of(finding.call, source.evidence)) for finding in source.findings.named]
    classified = [row for _, row in rows if row.evidence.classification]
    acted_on = [
        row for row in classified if row.evidence.classification and row.evidence.classification.band in _ACTED_ON
    ]
    if acted_on:
        return f"{_counted(len(acted_on), 'variant')} classified as (likely) pathogenic: {_named(acted_on)}."
    if classified and len(classified) == len(rows):
        return "No variant was classified as pathogenic or likely pathogenic."
    known = [row for tier, row in rows if tier in _KNOWN]
    if known:
        return f"{_counted(len(known), 'variant')} known to ClinVar as (likely) pathogenic: {_named(known)}."
    if rows:
        return f"No variant is known to ClinVar as pathogenic; {_counted(len(rows), 'variant')} listed for review."
    return "No variant meets the reporting criteria."


def _mattering(amendment: Amendment | None) -> tuple[Change, ...]:
    return amendment.knowledge.mattering if amendment and amendment.knowledge else ()


def _absence(source: str | None) -> str:
    """Return what it means that a source says nothing of a call."""
    return "not known there" if source and source != NOT_ANNOTATED else "source not in this bundle"


def _named(rows: Sequence[Row]) -> str:
    return join_words([f"{row.title}, {row.zygosity}" for row in rows])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _depth_bars(quality: QualitySummary) -> list[tuple[str, float]]:
    coverage = quality.coverage
    shares = (("10 reads", coverage.fraction_at_10), ("20 reads", coverage.fraction_at_20))
    return [(label, 100 * share) for label, share in (*shares, ("30 reads", coverage.fraction_at_30))]
