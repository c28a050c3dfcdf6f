"""AlignReads: the landed reads of a sample to a sorted, duplicate-marked CRAM."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import ReadsJobSettings
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole, ReadSet
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.lanes import Lane, ReadGroup, check_contigs, take_apart
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.SEQUENCE_DICTIONARY,
]


def align(workspace: Workspace, threads: int) -> None:
    """Align, measure, and hand the regions on beside the CRAM."""
    bundle = workspace.reference()
    aligner = choose_aligner({file.role for file in bundle.files})
    reference = workspace.fetch_reference(bundle, [*_ROLES, aligner.index])
    fasta, cram = reference[ReferenceRole.FASTA], workspace.path(Artifact.ALIGNED)
    lanes = [lane for one in workspace.manifest.read_sets() for lane in fetch_lanes(workspace, one, bundle, fasta)]
    metrics = align_reads(fasta, lanes, cram, aligner=aligner, threads=threads)
    workspace.path(Artifact.ALIGNMENT_METRICS).write_text(json.dumps(asdict(metrics)))
    regions = workspace.manifest.file_by_role(FileRole.REGIONS)
    if regions:
        workspace.fetch_landed(regions).rename(workspace.path(Artifact.REGIONS))
        workspace.publish(Artifact.REGIONS)
    workspace.publish(Artifact.ALIGNED_INDEX, Artifact.ALIGNMENT_METRICS, Artifact.ALIGNED)


def fetch_lanes(workspace: Workspace, one: ReadSet, bundle: ReferenceBundle, fasta: Path) -> list[Lane]:
    """Fetch a pair, or a BAM or CRAM, and return its read groups."""
    sample = workspace.manifest.sample
    group = ReadGroup(sample.sample_id, sample.platform, sample.library, one.read_group, one.read_group)
    paths = [workspace.fetch_landed(file) for file in one.files]
    if len(paths) == 2:
        return [Lane(group, (paths[0], paths[1]))]
    check_contigs(paths[0], {contig.name: contig.md5 for contig in bundle.contigs})
    return take_apart(paths[0], group, workspace.scratch, reference=fasta)


if __name__ == "__main__":
    settings = ReadsJobSettings.from_env()
    buckets = open_buckets(
        analysis=settings.analysis_bucket, references=settings.references_bucket, landing=settings.landing_bucket
    )
    sys.exit(run_job("AlignReads", lambda workspace: align(workspace, settings.threads), settings, buckets))
