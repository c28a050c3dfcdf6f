"""AlignReads: the landed reads of a sample to a sorted, duplicate-marked CRAM."""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from strandline.aws.counting import read_wanted
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import ReadsJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole, ReadSet
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.lanes import Lane, ReadGroup, check_contigs, take_apart
from strandline.reads.measurement import CountAlong, KeptCounts, aligned_by
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reads.tools import aligner_version, tool_version

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.SEQUENCE_DICTIONARY,
]
STEP = Step(
    "AlignReads",
    "AlignReads",
    (Artifact.ALIGNED_INDEX, Artifact.ALIGNMENT_METRICS, Artifact.ALIGNED),
)


def read(workspace: Workspace) -> Mapping[str, str]:
    """Return what the alignment depends on: who was sequenced and how, the reads, and the tools."""
    manifest, bundle = workspace.manifest, workspace.reference()
    declared = manifest.sample.model_dump_json(include={"sample_id", "platform", "library", "site"})
    files = [file.model_dump_json(exclude={"name"}) for one in manifest.read_sets() for file in one.files]
    aligner = aligner_version(choose_aligner({file.role for file in bundle.files}).command)
    return {
        "sample": declared,
        "files": "\n".join(files),
        "reference": bundle.label,
        "aligner": aligner,
        "samtools": tool_version("samtools"),
    }


def align(workspace: Workspace, threads: int) -> None:
    """Align, and count the reads on their way into the CRAM, which spares MeasureQuality to decode it again."""
    bundle = workspace.reference()
    aligner = choose_aligner({file.role for file in bundle.files})
    reference = workspace.fetch_reference(bundle, [*_ROLES, aligner.index])
    fasta, cram = reference[ReferenceRole.FASTA], workspace.path(Artifact.ALIGNED)
    lanes = [lane for one in workspace.manifest.read_sets() for lane in fetch_lanes(workspace, one, bundle, fasta)]
    along = CountAlong(read_wanted(workspace, bundle))
    metrics = align_reads(fasta, lanes, cram, aligner=aligner, threads=threads, along=along)
    kept = KeptCounts(of=workspace.step_keys[STEP.makes], programs=aligned_by(cram), counts=along.counts)
    workspace.path(Artifact.READ_COUNTS).write_text(kept.model_dump_json())
    workspace.publish(Artifact.READ_COUNTS)  # no output of the step: they are of this submission's regions
    workspace.path(Artifact.ALIGNMENT_METRICS).write_text(json.dumps(asdict(metrics)))


def hand_on_regions(workspace: Workspace) -> None:
    """Put the regions where later steps, which may not read the landing bucket, find them."""
    regions = workspace.manifest.file_by_role(FileRole.REGIONS)
    if regions:
        workspace.fetch_landed(regions).rename(workspace.path(Artifact.REGIONS))
        workspace.publish(Artifact.REGIONS)


def fetch_lanes(workspace: Workspace, one: ReadSet, bundle: ReferenceBundle, fasta: Path) -> list[Lane]:
    """Fetch a pair, or a BAM or CRAM, and return its read groups."""
    sample = workspace.manifest.sample
    group = ReadGroup(sample.sample_id, sample.platform, sample.library, one.read_group, one.read_group)
    with ThreadPoolExecutor() as together:  # a checksum takes as long as the way here
        paths = list(together.map(workspace.fetch_landed, one.files))
    if len(paths) == 2:
        return [Lane(group, (paths[0], paths[1]))]
    check_contigs(paths[0], {contig.name: contig.md5 for contig in bundle.contigs})
    return take_apart(paths[0], group, workspace.scratch, reference=fasta)


if __name__ == "__main__":
    settings = ReadsJobSettings.from_env()
    buckets = open_buckets(
        analysis=settings.analysis_bucket, references=settings.references_bucket, landing=settings.landing_bucket
    )
    sys.exit(
        run_step(
            STEP,
            lambda workspace: align(workspace, settings.threads),
            read,
            settings,
            buckets,
            always=hand_on_regions,
        )
    )
