"""Annotate: consequences, names and what is known of every call, from the sources of the reference bundle."""

import sys
from collections.abc import Mapping

from strandline.aws.jobs import open_buckets
from strandline.aws.settings import AnnotationJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.reads.reference_bundle import Build, ReferenceBundle, ReferenceRole
from strandline.reads.reference_bundle.builds import MITOCHONDRION, accession_of, chromosome_of
from strandline.reads.tools import tool_version
from strandline.variants.annotation import ROLE_BY_SOURCE, AnnotationSources, annotate_variants
from strandline.variants.naming import SequenceNames
from strandline.variants.provenance import NOT_ANNOTATED
from strandline.variants.vep import predict_with_vep, vep_version

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.GENE_MODELS,
    ReferenceRole.CLINVAR,
    ReferenceRole.CLINVAR_INDEX,
    ReferenceRole.DBSNP,
    ReferenceRole.DBSNP_INDEX,
    ReferenceRole.FREQUENCIES,
    ReferenceRole.FREQUENCIES_INDEX,
]
STEP = Step("Annotate", "Annotate", (Artifact.ANNOTATED_INDEX, Artifact.ANNOTATED), after=("CallVariants",))


def read(workspace: Workspace, *, by_vep: bool) -> Mapping[str, str]:
    """Return what the annotation depends on beside the calls."""
    read = {"reference": workspace.reference().label, "bcftools": tool_version("bcftools")}
    return read | {"vep": vep_version()} if by_vep else read


def annotate(workspace: Workspace, threads: int, *, by_vep: bool) -> None:
    """Annotate every record; consequences by VEP, or by bcftools."""
    bundle = workspace.reference()
    predictor = vep_version() if by_vep else tool_version("bcftools")
    reference = workspace.fetch_reference(bundle, _ROLES)
    annotate_variants(
        reference[ReferenceRole.FASTA],
        workspace.fetch(Artifact.CALLED, index=Artifact.CALLED_INDEX),
        AnnotationSources(
            gene_models=reference.get(ReferenceRole.GENE_MODELS),
            clinvar=reference.get(ReferenceRole.CLINVAR),
            dbsnp=reference.get(ReferenceRole.DBSNP),
            frequencies=reference.get(ReferenceRole.FREQUENCIES),
        ),
        names=name_sequences(bundle),
        header=describe_sources(bundle, predictor),
        output=workspace.path(Artifact.ANNOTATED),
        predict=predict_with_vep(workspace.scratch, threads) if by_vep else None,
    )


def describe_sources(bundle: ReferenceBundle, predictor: str) -> bytes:
    """Return header lines that name each annotation source with its version, or say that there is none.

    `predictor` is what tells consequences, with its version.
    """
    lines = [f"##strandlineConsequences={predictor}\n"]
    for name, role in ROLE_BY_SOURCE.items():
        file = bundle.file_of(role)
        source = f"{file.source or file.name} sha256:{file.sha256[:12]}" if file else NOT_ANNOTATED
        lines.append(f"##strandline{name}={source}\n")
    return "".join(lines).encode()


def name_sequences(bundle: ReferenceBundle) -> SequenceNames:
    """Return the accessions of the contigs that are whole chromosomes of the bundle's build, and its mitochondrion."""
    build = Build(bundle.assembly) if bundle.assembly in set(Build) else None
    found = {contig.name: accession_of(contig, build) for contig in bundle.contigs}
    return SequenceNames(
        accession_by_contig={name: accession for name, accession in found.items() if accession},
        mitochondria=frozenset(name for name in found if chromosome_of(name) == MITOCHONDRION),
    )


if __name__ == "__main__":
    settings = AnnotationJobSettings.from_env()
    by_vep = settings.consequences == "vep"
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(
        run_step(
            STEP,
            lambda workspace: annotate(workspace, settings.threads, by_vep=by_vep),
            lambda workspace: read(workspace, by_vep=by_vep),
            settings,
            buckets,
        )
    )
