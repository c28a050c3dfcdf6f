"""MeasureQuality: what the reads and alignments show, callable regions, and the gates before calling."""

import sys
from collections.abc import Mapping
from pathlib import Path

from strandline.aws.jobs import open_buckets
from strandline.aws.settings import MeasurementJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact
from strandline.landing.manifest import FileRole
from strandline.landing.regions import Region, parse_regions
from strandline.reads.coverage import write_bed
from strandline.reads.gates import parse_thresholds, refuse_stopped
from strandline.reads.known_sites import KnownSite, read_known_sites
from strandline.reads.measurement import NamedRegion, Subject, measure_alignment, read_names, write_region_table
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reads.tools import tool_version

_ROLES = [
    ReferenceRole.FASTA,
    ReferenceRole.FASTA_INDEX,
    ReferenceRole.FREQUENCIES,
    ReferenceRole.FREQUENCIES_INDEX,
]
STEP = Step(
    "MeasureQuality",
    "MeasureQuality",
    (Artifact.CALLABLE_REGIONS, Artifact.REGION_COVERAGE, Artifact.FINGERPRINT, Artifact.ALIGNMENT_QUALITY),
    after=("AlignReads",),
)


def read(workspace: Workspace, gates: str) -> Mapping[str, str]:
    """Return what the measures depend on beside the reads."""
    sample = workspace.manifest.sample
    return {
        "sex": sample.sex,
        "assay": sample.assay,
        "gates": gates,
        "samtools": tool_version("samtools"),
        "reference": workspace.reference().label,
        "regions": workspace.manifest.sha256_of(FileRole.REGIONS),
    }


def measure(workspace: Workspace, gates: str, threads: int) -> None:
    """Measure, keep what was measured, and only then stop a sample that nobody should interpret."""
    limits = parse_thresholds(gates)
    bundle = workspace.reference()
    reference = workspace.fetch_reference(bundle, _ROLES)
    named = named_regions(workspace, bundle)
    analysed = [one.region for one in named] or [
        Region(name, 0, length) for name, length in bundle.length_by_contig.items()
    ]
    found = measure_alignment(
        workspace.fetch(Artifact.ALIGNED),
        reference[ReferenceRole.FASTA],
        analysed=analysed,
        named=named,
        sites=known_sites(reference.get(ReferenceRole.FREQUENCIES), analysed),
        subject=Subject(workspace.manifest.sample.sex, bundle.label, bundle.assembly),
        limits=limits,
        threads=threads,
    )
    write_bed(found.coverage.callable_regions, workspace.path(Artifact.CALLABLE_REGIONS))
    write_region_table(named, found.region_depths, workspace.path(Artifact.REGION_COVERAGE))
    workspace.path(Artifact.FINGERPRINT).write_text(found.fingerprint.model_dump_json())
    workspace.path(Artifact.ALIGNMENT_QUALITY).write_text(found.quality.model_dump_json(indent=1))
    try:
        refuse_stopped(found.quality.checks)
    except RejectedInputError:
        workspace.publish(*STEP.outputs)  # what stopped a sample is kept with it
        raise


def named_regions(workspace: Workspace, bundle: ReferenceBundle) -> list[NamedRegion]:
    """Return the submission's regions by name, none where the whole reference is analysed."""
    bed = workspace.fetch_if_there(Artifact.REGIONS)
    if bed is None:
        return []
    body = bed.read_bytes()
    return read_names(body, parse_regions(body, bed.name, bundle.length_by_contig))


def known_sites(frequencies: Path | None, analysed: list[Region]) -> list[KnownSite]:
    """Return common variants in what is analysed, none where the bundle has no frequencies."""
    return read_known_sites(frequencies, analysed) if frequencies else []


if __name__ == "__main__":
    settings = MeasurementJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(
        run_step(
            STEP,
            lambda workspace: measure(workspace, settings.quality_gates, settings.threads),
            lambda workspace: read(workspace, settings.quality_gates),
            settings,
            buckets,
        )
    )
