"""What `build_bundle` and `build_report` read of a finished analysis."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import boto3
from pydantic import BaseModel

from strandline.aws.consents import Consents
from strandline.aws.objects import S3Objects
from strandline.aws.registered_panels import Panels
from strandline.aws.releases import Releases, ReleaseStatus
from strandline.aws.settings import DeliverySettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.workspace import Buckets, Workspace
from strandline.fhir.drafting import RegionsSaid
from strandline.fhir.report_file import ReportFile, report_file
from strandline.interpretation.amendment import Amendment
from strandline.interpretation.knowledge import Knowledge, parse_knowledge
from strandline.interpretation.scope import Scope, scope_of
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole
from strandline.landing.regions import Region, parse_regions
from strandline.reads.quality import QualitySummary
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reporting.findings import Findings, select_findings
from strandline.variants.provenance import read_sources
from strandline.variants.records import read_calls

_LARGEST_BED_BYTES: Final = 4 << 20
"""Some hundred thousand regions: a bundle names the first of them, and the file holds all."""


class DraftRequest(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the state machine asks the two functions for."""

    submission_id: str
    purpose: Literal["draft", "release"] = "draft"


@dataclass(frozen=True, slots=True)
class Analysis:
    """One sample's results, ready to be drafted."""

    bundle: ReferenceBundle
    quality: QualitySummary
    findings: Findings
    sources: dict[str, str]
    scope: Scope
    knowledge: Knowledge | None = None


@contextmanager
def open_analysis(submission_id: str) -> Iterator[tuple[Workspace, Analysis]]:
    """Yield a workspace and what was found, fetched into scratch that is removed at the end.

    Raises:
        RejectedInputError: `consent_withdrawn`.
    """
    table, buckets = _connect()
    with TemporaryDirectory(prefix="strandline-") as scratch:
        Consents(*table.place).require(submission_id)
        workspace = Workspace(submission_id, table, buckets, Path(scratch))
        yield workspace, read_analysis(workspace)


def read_regions(workspace: Workspace, bundle: ReferenceBundle) -> RegionsSaid:
    """Return what was analysed and what of it is callable, where the files are short enough to name their regions.

    A submission without regions is analysed over the whole reference.
    """
    if workspace.manifest.file_by_role(FileRole.REGIONS):
        studied = _read_bed(workspace, Artifact.REGIONS)
    else:
        studied = [Region(contig.name, 0, contig.length) for contig in bundle.contigs]
    return RegionsSaid(studied, _read_bed(workspace, Artifact.CALLABLE_REGIONS))


def read_report(workspace: Workspace) -> ReportFile:
    """Return how a bundle points at the report that was rendered for signature.

    Raises:
        RejectedInputError: `object_missing`.
    """
    return report_file(Artifact.REPORT_PDF, workspace.fetch(Artifact.REPORT_PDF).read_bytes())


def _read_bed(workspace: Workspace, artifact: Artifact) -> list[Region] | None:
    bed = workspace.fetch_if_there(artifact)
    if bed is None or bed.stat().st_size > _LARGEST_BED_BYTES:
        return None
    body = bed.read_bytes()
    return parse_regions(body, str(artifact), None) if body else []  # an empty file says that there are none


@cache
def _connect() -> tuple[SubmissionsTable, Buckets]:
    settings, client = DeliverySettings.from_env(), boto3.client("s3")
    buckets = Buckets(S3Objects(client, settings.analysis_bucket), S3Objects(client, settings.references_bucket))
    return SubmissionsTable(boto3.client("dynamodb"), settings.submissions_table), buckets


def read_analysis(workspace: Workspace) -> Analysis:
    """Fetch calls and quality, and choose what a draft names."""
    bundle = workspace.reference()
    calls = workspace.fetch(Artifact.CALLS)
    annotated = bool(bundle.files_of(ReferenceRole.GENE_MODELS, ReferenceRole.CLINVAR))
    scope = scope_of(workspace.manifest.sample, Panels(workspace.references).find)
    knowledge = read_knowledge(workspace)
    known = knowledge.applied_to(read_calls(calls)) if knowledge else read_calls(calls)
    return Analysis(
        bundle=bundle,
        quality=QualitySummary.model_validate_json(workspace.fetch(Artifact.QC).read_bytes()),
        findings=select_findings(known, annotated=annotated, scope=scope),
        sources=read_sources(calls) | ({"ClinVar": knowledge.after.line} if knowledge else {}),
        scope=scope,
        knowledge=knowledge,
    )


def read_knowledge(workspace: Workspace) -> Knowledge | None:
    """Return what is known since the analysis, None where nobody found anything.

    Raises:
        RejectedInputError: `knowledge_invalid`.
    """
    path = workspace.fetch_if_there(Artifact.KNOWLEDGE)
    return parse_knowledge(path.read_bytes()) if path else None


def read_amendment(workspace: Workspace, knowledge: Knowledge | None) -> Amendment | None:
    """Return what the version that is asked for changes, None where it takes nobody's place."""
    versions = Releases(*workspace.table.place).versions(workspace.submission_id)
    delivered = [one for one in versions if one.status is ReleaseStatus.DELIVERED and one.kind == "release"]
    if not delivered or versions[-1].status is ReleaseStatus.DELIVERED or versions[-1].kind != "release":
        return None
    last = delivered[-1]
    why = knowledge if knowledge and knowledge.release == versions[-1].version else None
    return Amendment(last.version, last.frozen.digest, versions[-1].reason, why)
