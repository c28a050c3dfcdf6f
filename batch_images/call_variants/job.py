"""CallVariants: CRAM to gVCF and to a VCF of variants over the submission's regions."""

import sys

from strandline import __version__
from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import VariantsJobSettings
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.calling import call_variants
from strandline.variants.provenance import Provenance, header_lines


def call(workspace: Workspace) -> None:
    """Call one sample."""
    bundle = workspace.reference()
    reference = workspace.fetch_reference(bundle, [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX])
    header = header_lines(
        Provenance(workspace.submission_id, bundle.label, __version__),
        [("strandlineCaller", tool_version("bcftools"))],
    )
    call_variants(
        reference[ReferenceRole.FASTA],
        workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX),
        workspace.fetch_if_there(Artifact.REGIONS),
        header=header,
        gvcf=workspace.path(Artifact.GVCF),
        vcf=workspace.path(Artifact.CALLED),
    )
    workspace.publish(Artifact.GVCF_INDEX, Artifact.GVCF, Artifact.CALLED_INDEX, Artifact.CALLED)


if __name__ == "__main__":
    settings = VariantsJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_job("CallVariants", call, settings, buckets))
