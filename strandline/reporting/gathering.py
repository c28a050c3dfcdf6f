"""What a report with evidence needs beside the calls: pictures of reads, points, coverage of the panel's genes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pysam

from strandline.errors import RejectedInputError
from strandline.interpretation.clinvar_lookup import ClinVarIndex
from strandline.interpretation.decisions import Decisions
from strandline.interpretation.family import Family
from strandline.interpretation.panels import GenePanel
from strandline.interpretation.repeats import lies_in_repeat
from strandline.interpretation.rules import Facts, prepare
from strandline.interpretation.scope import Scope
from strandline.interpretation.truncation import truncation_of
from strandline.reads.pileup import PileupReader
from strandline.reads.target_depth import measure_targets
from strandline.reporting.findings import Finding, Findings, Tier
from strandline.reporting.read_picture import draw_reads
from strandline.reporting.report import MOST_DETAILED, GeneCoverage
from strandline.reporting.report_rows import Classification, Evidence, variant_key
from strandline.variants.gene_index import GeneIndex
from strandline.variants.provenance import NOT_ANNOTATED
from strandline.variants.records import VariantCall
from strandline.variants.transcripts import Transcript


@dataclass(frozen=True, slots=True)
class EvidenceFiles:
    """Where evidence is looked for, each file with its index beside it; None where there is none.

    `family` is what a trio says of the sample.
    """

    aligned: Path
    fasta: Path
    gene_models: Path | None = None
    clinvar: Path | None = None
    family: Family | None = None


class _Gatherer:
    """Looks up one call after the other."""

    def __init__(self, files: EvidenceFiles, scope: Scope, frequencies: str | None, opened: ExitStack) -> None:
        self._reads = opened.enter_context(PileupReader(files.aligned, files.fasta))
        self._genes = opened.enter_context(GeneIndex(files.gene_models)) if files.gene_models else None
        self._clinvar = opened.enter_context(ClinVarIndex(files.clinvar, files.fasta)) if files.clinvar else None
        self._fasta = opened.enter_context(pysam.FastaFile(str(files.fasta)))
        self._scope = scope
        self._family = files.family
        self._frequencies = frequencies if frequencies != NOT_ANNOTATED else None

    def evidence_of(self, call: VariantCall, decisions: Decisions) -> Evidence:
        """Return what is known of a call, with what persons decided."""
        suggestion = prepare(self._facts(call))
        decided = decisions.of(variant_key(call))
        said = decided.classification if decided else None
        pileup = self._reads.read(call.contig, call.position, call.ref, call.alt)
        return Evidence(
            suggestion=decided.apply(suggestion) if decided else suggestion,
            picture=draw_reads(pileup, call.ref, call.alt),
            review_status=self._clinvar.review_status(call) if self._clinvar else None,
            classification=Classification(said.band, said.who, said.when, said.why) if said else None,
        )

    def _facts(self, call: VariantCall) -> Facts:
        transcript = self._transcript(call)
        return Facts(
            call,
            frequency_source=self._frequencies,
            loss_of_function=_loss_of_function(self._scope.panel, call),
            truncation=truncation_of(call, transcript),
            in_repeat=lies_in_repeat(self._fasta, call),
            de_novo=self._family.de_novo_of(call) if self._family else None,
            residue=self._clinvar.known_at_residue(call, transcript) if self._clinvar else None,
        )

    def _transcript(self, call: VariantCall) -> Transcript | None:
        if self._genes is None or call.chosen is None:
            return None
        here = self._genes.transcripts_at(call.contig, call.position - 1, call.end_position)
        return next((one for one in here if one.identifier == call.chosen.transcript), None)


def gather_evidence(
    findings: Findings, files: EvidenceFiles, scope: Scope, frequencies: str | None, decisions: Decisions
) -> dict[str, Evidence]:
    """Return the evidence of the findings that a report shows in full, by `variant_key`.

    What persons decided of others is there too, so that no decision is lost. `frequencies` is their source as the
    calls' header says it.

    Raises:
        RejectedInputError: `interpretation_of_nothing`, where a decision is on a variant that is not reported; as
            `points.apply_overrides`.
        ValueError: where the reads lack an index or a contig.
    """
    reported = {variant_key(finding.call) for finding in findings.named}
    if lost := sum(decided.variant not in reported for decided in decisions.variants):
        raise RejectedInputError(
            "interpretation_of_nothing",
            f"{lost} of the decisions are on variants that this analysis does not report: take them out, or look why",
        )
    with ExitStack() as opened:
        gatherer = _Gatherer(files, scope, frequencies, opened)
        return {
            variant_key(finding.call): gatherer.evidence_of(finding.call, decisions)
            for finding in _detailed(findings.named, decisions)
        }


def measure_genes(panel: GenePanel | None, files: EvidenceFiles) -> list[GeneCoverage]:
    """Return how the genes of a panel are covered, in its order; none without a panel or gene models."""
    if panel is None or files.gene_models is None:
        return []
    with GeneIndex(files.gene_models) as genes:
        targets = genes.targets_of(panel.symbols)
    measured = dict(zip(targets, measure_targets(files.aligned, files.fasta, list(targets.values())), strict=True))
    found = []
    for gene in panel.genes:
        depth = measured.get(gene.symbol)
        if depth is None:
            found.append(GeneCoverage(gene.symbol, gene.hgnc_id))
        else:
            covered = (depth.bases, depth.bases_at_20, depth.mean_depth, depth.gaps)
            found.append(GeneCoverage(gene.symbol, gene.hgnc_id, *covered))
    return found


def _detailed(named: Sequence[Finding], decisions: Decisions) -> Iterator[Finding]:
    ranked = [finding for finding in named if finding.tier is not Tier.UNANNOTATED]
    yield from ranked[:MOST_DETAILED]
    yield from (finding for finding in ranked[MOST_DETAILED:] if decisions.of(variant_key(finding.call)))


def _loss_of_function(panel: GenePanel | None, call: VariantCall) -> bool | None:
    effect = call.chosen_consequence
    gene = panel.gene(effect.gene) if panel and effect else None
    return gene.loss_of_function if gene else None
