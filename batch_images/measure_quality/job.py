"""MeasureQuality: what the reads and alignments show, callable regions, and the gates before calling."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from strandline.aws.counting import read_wanted
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import MeasurementJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole
from strandline.reads.coverage import write_bed
from strandline.reads.gates import parse_thresholds, refuse_stopped
from strandline.reads.measurement import (
    KeptCounts,
    Subject,
    aligned_by,
    count_alignment,
    judge_counts,
    write_region_table,
)
from strandline.reads.mosdepth import coverage_tool, settle_coverage
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole

_ROLES = [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX]
STEP = Step(
    "MeasureQuality",
    "MeasureQuality",
    (Artifact.CALLABLE_REGIONS, Artifact.REGION_COVERAGE, Artifact.FINGERPRINT, Artifact.ALIGNMENT_QUALITY),
    after=("AlignReads",),
)


def read(workspace: Workspace, gates: str) -> Mapping[str, str]:
    """Return what the measures depend on beside the reads."""
    sample = workspace.manifest.sample
    return {
        "sex": sample.sex,
        "assay": sample.assay,
        "gates": gates,
        "coverage": coverage_tool(),
        "reference": workspace.reference().label,
        "regions": workspace.manifest.sha256_of(FileRole.REGIONS),
    }


def measure(workspace: Workspace, gates: str, threads: int) -> None:
    """Measure, keep what was measured, and only then stop a sample that nobody should interpret."""
    limits = parse_thresholds(gates)
    bundle = workspace.reference()
    wanted = read_wanted(workspace, bundle)
    subject = Subject(workspace.manifest.sample.sex, bundle.label)
    kept = read_counts(workspace)
    files = cache(lambda: fetch_files(workspace, bundle))
    counts = kept.counts if kept else count_alignment(*files(), wanted, threads=threads)
    counts, tool = settle_coverage(counts, wanted, files, workspace.scratch, threads=threads)
    programs = kept.programs if kept else aligned_by(files()[0])
    found = judge_counts(counts, wanted, subject, limits, programs=programs, coverage_tool=tool)
    write_bed(found.coverage.callable_regions, workspace.path(Artifact.CALLABLE_REGIONS))
    write_region_table(wanted.named, found.region_depths, workspace.path(Artifact.REGION_COVERAGE))
    workspace.path(Artifact.FINGERPRINT).write_text(found.fingerprint.model_dump_json())
    workspace.path(Artifact.ALIGNMENT_QUALITY).write_text(found.quality.model_dump_json(indent=1))
    try:
        refuse_stopped(found.quality.checks)
    except RejectedInputError:
        workspace.publish(*STEP.outputs)  # what stopped a sample is kept with it
        raise


def fetch_files(workspace: Workspace, bundle: ReferenceBundle) -> tuple[Path, Path]:
    """Fetch the CRAM, indexed, and the reference."""
    fasta = workspace.fetch_reference(bundle, _ROLES)[ReferenceRole.FASTA]
    return workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX), fasta


def read_counts(workspace: Workspace) -> KeptCounts | None:
    """Return what AlignReads counted on the way, None where the reads that are there now were taken over."""
    path = workspace.fetch_if_there(Artifact.READ_COUNTS)
    kept = KeptCounts.model_validate_json(path.read_bytes()) if path else None
    return kept if kept and kept.of == workspace.step_keys.get("AlignReads") else None


if __name__ == "__main__":
    settings = MeasurementJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(
        run_step(
            STEP,
            lambda workspace: measure(workspace, settings.quality_gates, settings.threads),
            lambda workspace: read(workspace, settings.quality_gates),
            settings,
            buckets,
        )
    )
