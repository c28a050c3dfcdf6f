"""FilterAndQc: filter reasons, coverage, callable regions, the quality summary and its gates."""

import json
import sys
from dataclasses import asdict

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import VariantsJobSettings
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.landing.regions import Region, parse_regions
from strandline.reads.coverage import measure_coverage, write_bed
from strandline.reads.quality import AlignmentSummary, CoverageSummary, QualitySummary, check_gates
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.variants.filtering import filter_variants
from strandline.variants.provenance import read_programs
from strandline.variants.records import summarise_calls


def filter_and_qc(workspace: Workspace) -> None:
    """Filter, measure, and stop a sample that nobody should interpret."""
    bundle = workspace.reference()
    reference = workspace.fetch_reference(bundle, [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX])
    cram = workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX)
    coverage = measure_coverage(cram, reference[ReferenceRole.FASTA], analysed_regions(workspace, bundle))
    measured = {key: value for key, value in asdict(coverage).items() if key != "callable_regions"}
    summary = CoverageSummary(**measured, callable_bases=coverage.callable_bases)
    warnings = check_gates(summary)
    filter_variants(workspace.fetch(Artifact.ANNOTATED), workspace.path(Artifact.CALLS))
    write_bed(coverage.callable_regions, workspace.path(Artifact.CALLABLE_REGIONS))
    quality = QualitySummary(
        submission_id=workspace.submission_id,
        sample_id=workspace.manifest.sample.sample_id,
        reference=bundle.label,
        alignment=AlignmentSummary(**json.loads(workspace.fetch(Artifact.ALIGNMENT_METRICS).read_bytes())),
        coverage=summary,
        variants=summarise_calls(workspace.path(Artifact.CALLS)),
        warnings=warnings,
        programs=read_programs(cram, workspace.path(Artifact.CALLS)),
    )
    workspace.path(Artifact.QC).write_text(quality.model_dump_json(indent=1))
    workspace.publish(Artifact.CALLS_INDEX, Artifact.CALLS, Artifact.CALLABLE_REGIONS, Artifact.QC)


def analysed_regions(workspace: Workspace, bundle: ReferenceBundle) -> list[Region]:
    """Return the submission's regions, or every base of the reference."""
    bed = workspace.fetch_if_there(Artifact.REGIONS)
    if bed:
        return parse_regions(bed.read_bytes(), bed.name, bundle.length_by_contig)
    return [Region(name, 0, length) for name, length in bundle.length_by_contig.items()]


if __name__ == "__main__":
    settings = VariantsJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_job("FilterAndQc", filter_and_qc, settings, buckets))
