"""The report with its evidence, from what a submission's analysis left: what `render_report` makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from strandline import __version__
from strandline.aws.consents import Consents
from strandline.aws.drafts import Analysis, read_amendment, read_analysis
from strandline.aws.workspace import Workspace, read_named_bundle
from strandline.interpretation.decisions import Decisions, parse_decisions
from strandline.interpretation.family import Family, parse_family
from strandline.interpretation.knowledge import Knowledge
from strandline.journey import Artifact
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reporting.evidence_page import IgvPage, build_evidence_page
from strandline.reporting.gathering import EvidenceFiles, gather_evidence, measure_genes
from strandline.reporting.paper import print_for_signature, print_report
from strandline.reporting.plain import build_plain_page
from strandline.reporting.report import ReportInput, build_report
from strandline.reporting.report_rows import Evidence

_ROLES: Final = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.GENE_MODELS,
    ReferenceRole.GENE_MODELS_INDEX,
    ReferenceRole.CLINVAR,
    ReferenceRole.CLINVAR_INDEX,
]
_CLINVAR: Final = [ReferenceRole.CLINVAR, ReferenceRole.CLINVAR_INDEX]


def render_report(
    workspace: Workspace,
    *,
    now: datetime,
    for_release: bool = False,
    igv_js: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> list[Artifact]:
    """Write the report, its PDF, the page in plain words and, where igv.js is at hand, the page of reads.

    Returns what was written into the workspace; nothing is published.

    Args:
        workspace: of a submission whose analysis is done.
        now: the time that the report says it was made at.
        for_release: as `ReportInput` has it.
        igv_js: the file of igv.js; without it there is no page of reads.
        notify: is told of each thing that was made.

    Raises:
        RejectedInputError: `consent_withdrawn`, `pdf_not_installed`, `object_missing`, and what an interpretation is
            refused for.
    """
    found = look_up_evidence(workspace)
    amendment = read_amendment(workspace, found.analysis.knowledge) if for_release else None
    source = replace(found.source(workspace, now), for_release=for_release, amendment=amendment)
    html = build_report(source)
    made = [Artifact.REPORT, Artifact.REPORT_PDF, Artifact.PLAIN_REPORT]
    workspace.path(Artifact.REPORT).write_text(html)
    printed = print_for_signature(html) if for_release else print_report(html)
    workspace.path(Artifact.REPORT_PDF).write_bytes(printed)
    workspace.path(Artifact.PLAIN_REPORT).write_text(build_plain_page(source))
    if igv_js:
        page = IgvPage(
            igv_js.read_text(), found.files.aligned, found.files.fasta, f"Reads of {source.sample.sample_id}"
        )
        workspace.path(Artifact.EVIDENCE_PAGE).write_text(build_evidence_page(page, found.analysis.findings))
        made.append(Artifact.EVIDENCE_PAGE)
    for artifact in made:
        notify(str(artifact))
    return made


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """What was looked up of a submission: its analysis, the files, and the evidence by `variant_key`."""

    analysis: Analysis
    files: EvidenceFiles
    evidence: Mapping[str, Evidence]

    def source(self, workspace: Workspace, now: datetime) -> ReportInput:
        """Return what its report is made from."""
        return ReportInput(
            submission_id=workspace.submission_id,
            sample=workspace.manifest.sample,
            reference_label=self.analysis.bundle.label,
            quality=self.analysis.quality,
            findings=self.analysis.findings,
            sources=self.analysis.sources,
            issued=now,
            platform_version=__version__,
            scope=self.analysis.scope,
            evidence=self.evidence,
            genes=measure_genes(self.analysis.scope.panel, self.files),
        )


def look_up_evidence(workspace: Workspace) -> FoundEvidence:
    """Fetch what a report with evidence is made from, and look its variants up.

    Raises:
        RejectedInputError: `consent_withdrawn`, `object_missing`, and what an interpretation is refused for.
    """
    Consents(*workspace.table.place).require(workspace.submission_id)
    analysis = read_analysis(workspace)
    paths = workspace.fetch_reference(analysis.bundle, _ROLES)
    if analysis.knowledge:  # the evidence is that of the ClinVar which the report names
        paths |= _fetch_newer(workspace, analysis.knowledge)
    files = EvidenceFiles(
        aligned=workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX),
        fasta=paths[ReferenceRole.FASTA],
        gene_models=paths.get(ReferenceRole.GENE_MODELS),
        clinvar=paths.get(ReferenceRole.CLINVAR),
        family=read_family(workspace),
    )
    decisions = read_decisions(workspace)
    frequencies = analysis.sources.get("Frequencies")
    evidence = gather_evidence(analysis.findings, files, analysis.scope, frequencies, decisions)
    return FoundEvidence(analysis, files, evidence)


def _fetch_newer(workspace: Workspace, knowledge: Knowledge) -> dict[ReferenceRole, Path]:
    bundle = read_named_bundle(workspace.references, knowledge.after.name, knowledge.after.version)
    return workspace.fetch_reference(bundle, _CLINVAR, folder="newer")


def read_family(workspace: Workspace) -> Family | None:
    """Return what a trio says of the sample, None where nobody took one over.

    Raises:
        RejectedInputError: `family_invalid`.
    """
    path = workspace.fetch_if_there(Artifact.FAMILY)
    return parse_family(path.read_bytes()) if path else None


def read_decisions(workspace: Workspace) -> Decisions:
    """Return what persons decided of the variants; nothing where there is no such file.

    Raises:
        RejectedInputError: as `parse_decisions`.
    """
    path = workspace.fetch_if_there(Artifact.INTERPRETATION)
    return parse_decisions(path.read_bytes()) if path else Decisions()
