"""GatherCalls: the gVCFs of a sample's parts to one gVCF and a VCF of variants, as CallVariants writes them."""

import sys
from collections.abc import Mapping

from strandline.aws.jobs import open_buckets
from strandline.aws.planning import read_calling_plan
from strandline.aws.settings import VariantsJobSettings
from strandline.aws.steps import Step, StepRecords, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact, PartOf
from strandline.landing.manifest import FileRole
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.calling import gather_calls

STEP = Step(
    "GatherCalls",
    "CallVariants",
    (Artifact.GVCF_INDEX, Artifact.GVCF, Artifact.CALLED_INDEX, Artifact.CALLED),
    after=("AlignReads",),
)


def read(workspace: Workspace) -> Mapping[str, str]:
    """Return what the calls depend on beside the reads: the parts, in the code that they were called by."""
    plan = read_calling_plan(workspace)
    keys = StepRecords(*workspace.table.place).keys_of(workspace.submission_id)
    return {
        "parts": "\n".join(keys[f"CallParts.{part}"] for part in range(1, len(plan.parts) + 1)),
        "reference": workspace.reference().label,
        "bcftools": tool_version("bcftools"),
        "regions": workspace.manifest.sha256_of(FileRole.REGIONS),
        "plan": plan.model_dump_json(),
    }


def gather(workspace: Workspace) -> None:
    """Put the parts together in their order."""
    reference = workspace.fetch_reference(workspace.reference(), [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX])
    parts = range(1, len(read_calling_plan(workspace).parts) + 1)
    gather_calls(
        reference[ReferenceRole.FASTA],
        [workspace.fetch(PartOf(Artifact.GVCF, part)) for part in parts],
        gvcf=workspace.path(Artifact.GVCF),
        vcf=workspace.path(Artifact.CALLED),
    )


if __name__ == "__main__":
    settings = VariantsJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_step(STEP, gather, read, settings, buckets))
