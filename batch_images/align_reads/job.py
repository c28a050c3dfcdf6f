"""AlignReads: the landed read pair to a sorted, duplicate-marked CRAM."""

import json
import sys
from dataclasses import asdict

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import ReadsJobSettings
from strandline.aws.workspace import Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole
from strandline.reads.alignment import ReadGroup, align_reads, choose_aligner
from strandline.reads.reference_bundle import ReferenceRole

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.SEQUENCE_DICTIONARY,
]


def align(workspace: Workspace, threads: int) -> None:
    """Align, measure, and hand the regions on beside the CRAM."""
    sample = workspace.manifest.sample
    first, second = workspace.fetch_landed(FileRole.READS_1), workspace.fetch_landed(FileRole.READS_2)
    if first is None or second is None:
        raise RejectedInputError("reads_missing", "the manifest declares no pair of read files")
    bundle = workspace.reference()
    aligner = choose_aligner({file.role for file in bundle.files})
    reference = workspace.fetch_reference(bundle, [*_ROLES, aligner.index])
    metrics = align_reads(
        reference[ReferenceRole.FASTA],
        (first, second),
        workspace.path(Artifact.ALIGNED),
        aligner=aligner,
        read_group=ReadGroup(sample.sample_id, sample.platform, sample.library),
        threads=threads,
    )
    workspace.path(Artifact.ALIGNMENT_METRICS).write_text(json.dumps(asdict(metrics)))
    regions = workspace.fetch_landed(FileRole.REGIONS)
    if regions:
        regions.rename(workspace.path(Artifact.REGIONS))
        workspace.publish(Artifact.REGIONS)
    workspace.publish(Artifact.ALIGNED_INDEX, Artifact.ALIGNMENT_METRICS, Artifact.ALIGNED)


if __name__ == "__main__":
    settings = ReadsJobSettings.from_env()
    buckets = open_buckets(
        analysis=settings.analysis_bucket, references=settings.references_bucket, landing=settings.landing_bucket
    )
    sys.exit(run_job("AlignReads", lambda workspace: align(workspace, settings.threads), settings, buckets))
