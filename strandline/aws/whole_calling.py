"""The job of a caller that takes a sample as a whole: what is fetched, called, and put into the shape of all calls."""

from collections.abc import Mapping
from pathlib import Path

from strandline import __version__
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import WholeCallingJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.landing.manifest import Caller, FileRole
from strandline.landing.regions import parse_regions
from strandline.reads.coverage import write_bed
from strandline.reads.reference_bundle import INDEX_BY_SOURCE, ReferenceBundle, ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.callers import CALL_WHOLE, caller_version
from strandline.variants.callers.whole_sample import WholeSample
from strandline.variants.calling import finish_calls, index_vcf
from strandline.variants.provenance import Provenance, header_lines
from strandline.variants.scattering import in_order

_REFERENCE = [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX, ReferenceRole.SEQUENCE_DICTIONARY]
_KNOWN = [ReferenceRole.DBSNP, ReferenceRole.KNOWN_SITES]


def run_whole_calling(caller: Caller) -> int:
    """Call the sample of this job and return the exit code of `run_job`."""
    settings = WholeCallingJobSettings.from_env()
    step = Step(
        f"Call{caller.title()}",
        "CallVariants",
        (
            *(Artifact.TOOL_GVCF_INDEX, Artifact.TOOL_GVCF),
            *(Artifact.GVCF_INDEX, Artifact.GVCF, Artifact.CALLED_INDEX, Artifact.CALLED),
        ),
        after=("AlignReads",),
    )
    return run_step(
        step,
        lambda workspace: _call(workspace, caller, settings),
        lambda workspace: _read(workspace, caller),
        settings,
        open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket),
    )


def _read(workspace: Workspace, caller: Caller) -> Mapping[str, str]:
    """Return what the calls depend on beside the reads."""
    return {
        "reference": workspace.reference().label,
        "assay": workspace.manifest.sample.assay,
        "caller": caller_version(caller),
        "bcftools": tool_version("bcftools"),
        "regions": workspace.manifest.sha256_of(FileRole.REGIONS),
    }


def _call(workspace: Workspace, caller: Caller, settings: WholeCallingJobSettings) -> None:
    bundle = workspace.reference()
    known = [role for role in _KNOWN if bundle.files_of(role)]
    fetched = workspace.fetch_reference(bundle, [*_REFERENCE, *known, *(INDEX_BY_SOURCE[role] for role in known)])
    sample = WholeSample(
        reference=fetched[ReferenceRole.FASTA],
        cram=workspace.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX),
        regions=_regions(workspace, bundle),
        known_sites=tuple(fetched[role] for role in known),
        scratch=workspace.scratch,
        is_targeted=workspace.manifest.sample.assay != "WGS",
        threads=settings.threads,
        memory_mib=settings.memory_mib,
        gpus=settings.gpus,
    )
    header = header_lines(Provenance(bundle.label, __version__), [("strandlineCaller", caller_version(caller))])
    gvcf, tool_gvcf = workspace.path(Artifact.GVCF), workspace.path(Artifact.TOOL_GVCF)
    CALL_WHOLE[caller](sample, header=header, gvcf=gvcf, tool_gvcf=tool_gvcf)
    index_vcf(tool_gvcf)
    finish_calls(sample.reference, gvcf, workspace.path(Artifact.CALLED))


def _regions(workspace: Workspace, bundle: ReferenceBundle) -> Path | None:
    """Return the regions as a plain BED in the order of the reference, None where everything is called."""
    bed = workspace.fetch_if_there(Artifact.REGIONS)
    if bed is None:
        return None
    path = workspace.scratch / "called.bed"
    write_bed(
        in_order(parse_regions(bed.read_bytes(), bed.name, bundle.length_by_contig), bundle.length_by_contig), path
    )
    return path
