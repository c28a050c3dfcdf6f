"""CallVariants: CRAM to gVCF and to a VCF of variants over the submission's regions; or one part of that, CallParts."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from strandline import __version__
from strandline.aws.jobs import open_buckets
from strandline.aws.planning import read_calling_plan
from strandline.aws.settings import CallingJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact, PartOf
from strandline.landing.manifest import FileRole
from strandline.landing.regions import Region, parse_regions
from strandline.reads.alignment import index_reads
from strandline.reads.coverage import write_bed
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.callers import CALL_GVCF, caller_version
from strandline.variants.calling import call_variants
from strandline.variants.provenance import Provenance, header_lines
from strandline.variants.scattering import in_order, needed_bytes, read_crai, widen

WHOLE = Step(
    "CallVariants",
    "CallVariants",
    (Artifact.GVCF_INDEX, Artifact.GVCF, Artifact.CALLED_INDEX, Artifact.CALLED),
    after=("AlignReads",),
)


def step_of(part: int) -> Step:
    """Return the step that calls one part, counted from 1; 0 is the whole sample."""
    if part == 0:
        return WHOLE
    return Step(f"CallParts.{part}", f"CallParts.{part}", (PartOf(Artifact.GVCF, part),), after=WHOLE.after)


def read(workspace: Workspace, part: int) -> Mapping[str, str]:
    """Return what the calls depend on beside the reads."""
    read = {
        "reference": workspace.reference().label,
        "bcftools": tool_version("bcftools"),
        "caller": caller_version(workspace.manifest.analysis.caller),
        "regions": workspace.manifest.sha256_of(FileRole.REGIONS),
    }
    if part:
        planned = [region.model_dump() for region in read_calling_plan(workspace).parts[part - 1]]
        read["part"] = json.dumps(planned, sort_keys=True)
    return read


def call(workspace: Workspace, part: int) -> None:
    """Call one sample, or one part of it."""
    bundle = workspace.reference()
    reference = workspace.fetch_reference(bundle, [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX])
    fasta = reference[ReferenceRole.FASTA]
    caller = workspace.manifest.analysis.caller
    header = header_lines(Provenance(bundle.label, __version__), [("strandlineCaller", caller_version(caller))])
    regions = read_regions(workspace, bundle)
    if part:
        wide = widen(read_calling_plan(workspace).regions_of(part), bundle.length_by_contig, regions)
        call_one_part(workspace, wide, bundle=bundle, fasta=fasta, header=header, part=part)
        return
    call_variants(
        fasta,
        workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX),
        write_regions(workspace, in_order(regions, bundle.length_by_contig)) if regions is not None else None,
        header=header,
        gvcf=workspace.path(Artifact.GVCF),
        vcf=workspace.path(Artifact.CALLED),
        call=CALL_GVCF[caller],
    )


def call_one_part(
    workspace: Workspace, wide: Sequence[Region], *, bundle: ReferenceBundle, fasta: Path, header: bytes, part: int
) -> None:
    """Call a part from the reads that reach into it: the rest of the CRAM is not fetched."""
    slices = read_crai(workspace.fetch(Artifact.ALIGNED_INDEX).read_bytes())
    cram = workspace.fetch_ranges(
        Artifact.ALIGNED, lambda size_bytes: needed_bytes(slices, bundle.length_by_contig, wide, size_bytes)
    )
    index_reads(cram)
    call = CALL_GVCF[workspace.manifest.analysis.caller]
    call(
        fasta,
        cram,
        write_regions(workspace, wide),
        header=header,
        gvcf=workspace.path(PartOf(Artifact.GVCF, part)),
        keep=read_calling_plan(workspace).regions_of(part),
    )


def read_regions(workspace: Workspace, bundle: ReferenceBundle) -> list[Region] | None:
    """Return the submission's regions, None where everything is called."""
    bed = workspace.fetch_if_there(Artifact.REGIONS)
    return parse_regions(bed.read_bytes(), bed.name, bundle.length_by_contig) if bed else None


def write_regions(workspace: Workspace, regions: Sequence[Region]) -> Path:
    """Write what is called as a BED."""
    path = workspace.scratch / "called.bed"
    write_bed(regions, path)
    return path


if __name__ == "__main__":
    settings = CallingJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(
        run_step(
            step_of(settings.part),
            lambda workspace: call(workspace, settings.part),
            lambda workspace: read(workspace, settings.part),
            settings,
            buckets,
        )
    )
