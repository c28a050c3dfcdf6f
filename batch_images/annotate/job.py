"""Annotate: consequences and known significance from the sources of the reference bundle."""

import sys
from collections.abc import Mapping

from strandline.aws.jobs import open_buckets
from strandline.aws.settings import VariantsJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.annotation import NOT_ANNOTATED, AnnotationSources, annotate_variants

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.GENE_MODELS,
    ReferenceRole.CLINVAR,
    ReferenceRole.CLINVAR_INDEX,
]
STEP = Step("Annotate", "Annotate", (Artifact.ANNOTATED_INDEX, Artifact.ANNOTATED), after=("CallVariants",))


def read(workspace: Workspace) -> Mapping[str, str]:
    """Return what the annotation depends on beside the calls."""
    return {"reference": workspace.reference().label, "bcftools": tool_version("bcftools")}


def annotate(workspace: Workspace) -> None:
    """Annotate every record."""
    bundle = workspace.reference()
    reference = workspace.fetch_reference(bundle, _ROLES)
    annotate_variants(
        reference[ReferenceRole.FASTA],
        workspace.fetch(Artifact.CALLED, index=Artifact.CALLED_INDEX),
        AnnotationSources(reference.get(ReferenceRole.GENE_MODELS), reference.get(ReferenceRole.CLINVAR)),
        header=describe_sources(bundle),
        output=workspace.path(Artifact.ANNOTATED),
    )


def describe_sources(bundle: ReferenceBundle) -> bytes:
    """Return header lines that name each annotation source with its version, or say that there is none."""
    lines = []
    for key, role in (("strandlineGenes", ReferenceRole.GENE_MODELS), ("strandlineClinVar", ReferenceRole.CLINVAR)):
        file = bundle.file_of(role)
        source = f"{file.source or file.name} sha256:{file.sha256[:12]}" if file else NOT_ANNOTATED
        lines.append(f"##{key}={source}\n")
    return "".join(lines).encode()


if __name__ == "__main__":
    settings = VariantsJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_step(STEP, annotate, read, settings, buckets))
